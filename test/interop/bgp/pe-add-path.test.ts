// SPDX-License-Identifier: Apache-2.0
/**
 * ADD-PATH (RFC 7911) for VPN routes between a Sealane PE and FRR, both reflectors, both ways: two raw
 * clients have a session with each of them and announce the same RD and prefix.
 *
 *   raw 192.0.2.31 --+-- 192.0.2.1, PE 1   --+
 *                    |                       | two paths of 10.31.1.0/24 to FRR, of 10.31.0.0/24 to the PE
 *   raw 192.0.2.32 --+-- 192.0.2.11, FRR   --+
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config } from '../../../src/config/types.js';
import { missing, startBgpPeer, type BgpPeer } from '../../lib/bgp-peers.js';
import { TwoPes } from '../../system/supervisor/two-pes.js';
import { Host } from './host.js';
import { bgpPaths, frrVpnPaths, peConfig, type BgpPath, type FrrPath } from './pe-net.js';
import { vpnUpdate, vpnWithdrawal } from './reflected.js';

const absent = missing('frr');
const folder = mkdtempSync(`${tmpdir()}/pap-`);
const [PE, FRR_ADDRESS] = ['192.0.2.1', '192.0.2.11'];
const RAW = [31, 32] as const;
const [FROM_FRR, FROM_PE] = ['10.31.0.0', '10.31.1.0'];
const RD = '65001:31';
let net: TwoPes;
let frr: BgpPeer;
const clients: Host[] = [];

const FRR = [
  'router bgp 65001',
  ` bgp router-id ${FRR_ADDRESS}`,
  ' no bgp default ipv4-unicast',
  ...[1, ...RAW].flatMap((number) => [
    ` neighbor 192.0.2.${number} remote-as 65001`,
    ` neighbor 192.0.2.${number} timers connect 1`,
  ]),
  ' address-family ipv4 vpn',
  ...[1, ...RAW].flatMap((number) => [
    `  neighbor 192.0.2.${number} activate`,
    `  neighbor 192.0.2.${number} route-reflector-client`,
  ]),
  `  neighbor ${PE} addpath-tx-all-paths`,
  ' exit-address-family',
  '',
].join('\n');

function config(): Config {
  const client = { asn: 65001, routeReflectorClient: true, timers: { connectRetry: 1 } };
  const plain = { ...client, families: { 'vpnv4-unicast': {} } };
  return peConfig(net, 1, {
    ...{ alone: true, clear: [11, ...RAW] },
    bgp: {
      keepAllVpnRoutes: true,
      neighbours: {
        [FRR_ADDRESS]: { ...client, families: { 'vpnv4-unicast': { addPath: 'both' } } },
        ...Object.fromEntries(RAW.map((number) => [`192.0.2.${number}`, plain])),
      },
    },
    vrfs: { A: { bgp: { rd: '65001:1', importTargets: ['65001:100'] } } },
  });
}

/** A raw client says something to a reflector. */
function say(client: number, to: string, message: Buffer): void {
  const id = clients[client]?.view(to)?.id;
  if (id === undefined) throw new Error(`raw client ${client} has no session with ${to}`);
  clients[client]?.speaker.send(id, message);
}

beforeAll(async () => {
  if (absent !== undefined) return;
  net = await TwoPes.open('pap', { switched: true });
  const netns = await net.router(11);
  for (const number of RAW) await net.router(number);
  frr = await startBgpPeer(net.lab, 'frr', { netns, name: 'frr', folder, config: FRR });
  net.write(1, config());
  net.start(1);
  for (const number of RAW) {
    const client = new Host(`${net.name}r${number}`, 65001, 0xc0000200 + number);
    clients.push(client);
    const families = { 'vpnv4-unicast': {} };
    const common = { asn: 65001, timers: { connectRetry: 1 }, families };
    client.apply({ address: PE, ...common }, { address: FRR_ADDRESS, ...common });
  }
  for (const client of clients) {
    for (const address of [PE, FRR_ADDRESS]) await client.established(address);
  }
  await frr.waitEstablished(PE);
});
afterAll(async () => {
  for (const client of clients) client.close();
  await (net as TwoPes | undefined)?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Paths that the PE has of FRR, once there are so many. */
async function atPe(count: number): Promise<BgpPath[]> {
  return eventually(`${count} paths at the PE`, async () => {
    const all = await bgpPaths(net, 1, `${FROM_FRR}/24`);
    const paths = all.filter(({ neighbor }) => neighbor === FRR_ADDRESS);
    return paths.length === count ? paths : undefined;
  });
}

/** Paths that FRR has of the PE, once there are so many. */
async function atFrr(count: number): Promise<FrrPath[]> {
  return eventually(`${count} paths at FRR`, async () => {
    const all = (await frrVpnPaths(frr, `${FROM_PE}/24`))[RD] ?? [];
    const paths = all.filter(({ peer }) => peer.peerId === PE);
    return paths.length === count ? paths : undefined;
  });
}

const ADDRESSES = RAW.map((number) => `192.0.2.${number}`);

describe.skipIf(absent !== undefined)('ADD-PATH for VPN routes with FRR', () => {
  it('is agreed both ways', async () => {
    const [row] = (await net.show(1, 'bgp neighbors')).filter(
      ({ neighbor }) => neighbor === FRR_ADDRESS,
    );
    expect(row).toMatchObject({ addPathReceive: 'vpnv4-unicast', addPathSend: 'vpnv4-unicast' });
  });

  it('of FRR: both paths with their identifiers, then one goes', async () => {
    for (const [i, address] of ADDRESSES.entries()) {
      say(i, FRR_ADDRESS, vpnUpdate(address, FROM_FRR));
    }
    const paths = await atPe(2);
    expect(paths.map(({ nextHop }) => nextHop).sort()).toEqual(ADDRESSES);
    expect(paths.map(({ originatorId }) => originatorId).sort()).toEqual(ADDRESSES);
    expect(paths.map(({ label }) => label)).toEqual(['731', '731']);
    expect(new Set(paths.map(({ pathId }) => pathId)).size).toBe(2);
    say(0, FRR_ADDRESS, vpnWithdrawal(FROM_FRR));
    expect((await atPe(1)).map(({ nextHop }) => nextHop)).toEqual(['192.0.2.32']);
    say(1, FRR_ADDRESS, vpnWithdrawal(FROM_FRR));
    await atPe(0);
  });

  it('of ours: FRR reads our identifiers, and takes back the path that we do', async () => {
    for (const [i, address] of ADDRESSES.entries()) say(i, PE, vpnUpdate(address, FROM_PE));
    const paths = await atFrr(2);
    expect(paths.map(({ nexthops }) => nexthops[0]?.ip).sort()).toEqual(ADDRESSES);
    expect(paths.map(({ remoteLabel }) => remoteLabel)).toEqual([731, 731]);
    const ids = paths.map(({ addpathRxId }) => addpathRxId ?? 0);
    expect([ids.includes(0), new Set(ids).size]).toEqual([false, 2]);
    say(1, PE, vpnWithdrawal(FROM_PE));
    expect((await atFrr(1)).map(({ nexthops }) => nexthops[0]?.ip)).toEqual(['192.0.2.31']);
    say(0, PE, vpnWithdrawal(FROM_PE));
    await atFrr(0);
  });
});
