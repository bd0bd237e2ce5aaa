// SPDX-License-Identifier: Apache-2.0
/**
 * The supervisor of a PE restarts while its worker forwards on (RFC 4724 §4.1): FRR, which keeps our routes,
 * sees neither a withdrawal nor the end of our routes before a neighbour that is slow to come back has said
 * all of its own.
 *
 *   FRR 192.0.2.11 --+
 *                    +-- 192.0.2.1, PE 1 with VRF A, reflects
 *   raw 192.0.2.31 --+   10.31.N.0/24, label 731, into VRF A
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config } from '../../../src/config/types.js';
import { missing, startBgpPeer, type BgpPeer } from '../../lib/bgp-peers.js';
import { dissect } from '../../lib/tshark.js';
import { settle } from '../../system/kernel/support.js';
import { TwoPes } from '../../system/supervisor/two-pes.js';
import { Host } from './host.js';
import {
  bgpRow,
  captureBgp,
  captureFile,
  frrVpnPaths,
  noRouteTo,
  peConfig,
  reload,
  routeTo,
  startPe,
  type FrrPath,
} from './pe-net.js';
import { VPN_END_OF_RIB, vpnUpdate } from './reflected.js';

const absent = missing('frr');
const folder = mkdtempSync(`${tmpdir()}/prs-`);
const [PE, FRR_ADDRESS, RAW_ADDRESS] = ['192.0.2.1', '192.0.2.11', '192.0.2.31'];
const [KEPT, GONE, OURS] = ['10.31.0.0', '10.31.1.0', '10.1.0.0'];
let net: TwoPes;
let frr: BgpPeer;
let raw: Host;

const FRR = [
  'router bgp 65001',
  ` bgp router-id ${FRR_ADDRESS}`,
  ' no bgp default ipv4-unicast',
  ' bgp graceful-restart',
  ` neighbor ${PE} remote-as 65001`,
  ` neighbor ${PE} timers connect 1`,
  ' address-family ipv4 vpn',
  `  neighbor ${PE} activate`,
  ' exit-address-family',
  '',
].join('\n');

function config(selectionDeferral?: number): Config {
  const client = {
    ...{ asn: 65001, routeReflectorClient: true, timers: { connectRetry: 1 } },
    families: { 'vpnv4-unicast': {} },
  };
  return peConfig(net, 1, {
    ...{ alone: true, clear: [11, 31] },
    bgp: {
      keepAllVpnRoutes: true,
      ...(selectionDeferral !== undefined && { selectionDeferral }),
      neighbours: { [FRR_ADDRESS]: client, [RAW_ADDRESS]: client },
    },
    vrfs: {
      A: {
        bgp: {
          ...{ rd: '65001:1', importTargets: ['65001:100'], exportTargets: ['65001:100'] },
          redistribute: { connected: true },
        },
      },
    },
  });
}

function say(...messages: readonly Buffer[]): void {
  const id = raw.view(PE)?.id;
  if (id === undefined) throw new Error('the raw client has no session');
  for (const message of messages) raw.speaker.send(id, message);
}

beforeAll(async () => {
  if (absent !== undefined) return;
  net = await TwoPes.open('prs', { switched: true });
  const netns = await net.router(11);
  await net.router(31);
  await captureBgp(net, netns, 'wan');
  frr = await startBgpPeer(net.lab, 'frr', { netns, name: 'frr', folder, config: FRR });
  await startPe(net, 1, config());
  raw = new Host(`${net.name}r31`, 65001, 0xc000021f);
  const families = { 'vpnv4-unicast': {} };
  raw.apply({ address: PE, asn: 65001, timers: { connectRetry: 1 }, families });
  await raw.established(PE);
  await frr.waitEstablished(PE);
});
afterAll(async () => {
  (raw as Host | undefined)?.close();
  await (net as TwoPes | undefined)?.close();
  rmSync(folder, { recursive: true, force: true });
});

const RDS: Readonly<Record<string, string>> = { [OURS]: '65001:1' };

/** FRR's path of a prefix /24; undefined: it has none. */
async function atFrr(prefix: string): Promise<FrrPath | undefined> {
  return ((await frrVpnPaths(frr, `${prefix}/24`))[RDS[prefix] ?? '65001:31'] ?? [])[0];
}

/** Waits until FRR's path is stale or is not. */
async function frrHas(prefix: string, stale: boolean): Promise<FrrPath> {
  return eventually(`FRR has ${prefix}, ${stale ? 'stale' : 'fresh'}`, async () => {
    const path = await atFrr(prefix);
    return path !== undefined && (path.stale === true) === stale ? path : undefined;
  });
}

/** Prefixes that the PE has withdrawn at FRR, and how often it said that this was all. */
async function seen(): Promise<{ withdrawn: string[]; ends: number }> {
  const fields = ['bgp.mp_unreach_nlri_ipv4_prefix', 'tcp.payload'] as const;
  const filter = `ip.src == ${PE} && bgp.type == 2`;
  const frames = await dissect(captureFile(net, frr.netns), fields, { filter });
  const ends = frames.filter((frame) => frame['tcp.payload'].includes('00000006800f03000180'));
  const withdrawn = frames
    .flatMap((frame) => frame[fields[0]].split(','))
    .filter((one) => one !== '');
  return { withdrawn, ends: ends.length };
}

/** Kills and starts the supervisor; both sessions are up again. */
async function restart(): Promise<void> {
  const before = raw.ears.up.length;
  await net.killSupervisor(1);
  for (const prefix of [KEPT, OURS]) await frrHas(prefix, true);
  net.start(1);
  await net.tunnelUp(1);
  await eventually('the raw client is back', () =>
    raw.ears.up.length > before ? true : undefined,
  );
  await raw.established(PE);
  await frr.waitEstablished(PE);
}

describe.skipIf(absent !== undefined)('restart of the supervisor', () => {
  beforeAll(async () => {
    say(vpnUpdate(RAW_ADDRESS, KEPT), vpnUpdate(RAW_ADDRESS, GONE), VPN_END_OF_RIB);
    for (const prefix of [KEPT, GONE, OURS]) await frrHas(prefix, false);
    for (const prefix of [KEPT, GONE]) await routeTo(net, 1, `${prefix}/24`);
  });

  it('says nothing of its routes before every neighbour has said all', async () => {
    const { ends } = await seen();
    expect(ends).toBe(1);
    await restart();
    say(vpnUpdate(RAW_ADDRESS, KEPT));
    // The PE has the route, and FRR would have it long since.
    await eventually('the PE has it', async () => {
      const rows = await net.show(1, 'bgp neighbors');
      const row = rows.find(({ neighbor }) => neighbor === RAW_ADDRESS);
      return (row?.received ?? 0n) > 0n ? true : undefined;
    });
    await settle(1500);
    expect((await seen()).ends).toBe(ends);
    for (const prefix of [KEPT, GONE, OURS]) {
      expect(await atFrr(prefix)).toMatchObject({ stale: true, valid: true });
    }
    // Nor does it write over the rows of before.
    for (const prefix of [KEPT, GONE]) {
      const row = await bgpRow(net, 1, `${prefix}/24`);
      expect(row).toMatchObject({ usable: true, stale: true, label: 731 });
    }
  });

  it('then tells what there is, and what there is no more goes', async () => {
    say(VPN_END_OF_RIB);
    for (const prefix of [KEPT, OURS]) await frrHas(prefix, false);
    await eventually('FRR has forgotten the route', async () =>
      (await atFrr(GONE)) === undefined ? true : undefined,
    );
    await noRouteTo(net, 1, `${GONE}/24`);
    const row = await bgpRow(net, 1, `${KEPT}/24`);
    expect(row).toMatchObject({ usable: true, stale: false, label: 731 });
    // It went by our End-of-RIB: nothing was withdrawn.
    expect(await seen()).toEqual({ withdrawn: [], ends: 2 });
  });

  it('does not wait for a neighbour that has restarted itself: both would wait for ever', async () => {
    raw.restart = { restarting: true, forwarding: 0 };
    await restart();
    await frrHas(OURS, false);
    expect((await seen()).ends).toBe(3);
    raw.restart = { restarting: false, forwarding: 0 };
  });

  it('waits no longer than the Selection_Deferral_Timer', async () => {
    say(vpnUpdate(RAW_ADDRESS, KEPT), VPN_END_OF_RIB);
    await frrHas(KEPT, false);
    await reload(net, 1, config(5));
    const began = performance.now();
    await restart();
    await frrHas(OURS, false);
    expect(performance.now() - began).toBeGreaterThan(5000);
    await eventually('FRR has forgotten the route', async () =>
      (await atFrr(KEPT)) === undefined ? true : undefined,
    );
    await noRouteTo(net, 1, `${KEPT}/24`);
  });
});
