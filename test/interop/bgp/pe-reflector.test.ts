// SPDX-License-Identifier: Apache-2.0
/**
 * Sealane as route reflector (RFC 4456) that has no VRF: FRR, GoBGP and another Sealane are its clients, and
 * have no session with each other.
 *
 *   FRR 192.0.2.11 ----+
 *   GoBGP 192.0.2.21 --+-- 192.0.2.1 reflects
 *   PE 2, 192.0.2.2 ---+
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config } from '../../../src/config/types.js';
import { missing, startBgpPeer, type BgpPeer } from '../../lib/bgp-peers.js';
import { TwoPes } from '../../system/supervisor/two-pes.js';
import {
  bgpPaths,
  bgpRow,
  captureBgp,
  configureFrr,
  frrVpnPaths,
  noRouteTo,
  peConfig,
  reload,
  routeTo,
  startPe,
  typesFrom,
  type BgpFrame,
} from './pe-net.js';

const absent = missing('frr') ?? missing('gobgp');
const folder = mkdtempSync(`${tmpdir()}/prr-`);
const [FRR_ADDRESS, GOBGP_ADDRESS, CLUSTER] = ['192.0.2.11', '192.0.2.21', '192.0.2.88'];
let net: TwoPes;
let frr: BgpPeer;
let gobgp: BgpPeer;
const captures: (() => Promise<BgpFrame[]>)[] = [];

const FRR = [
  'route-map target permit 10',
  ' set extcommunity rt 65001:100',
  'route-map other permit 10',
  ' set extcommunity rt 65001:777',
  'router bgp 65001',
  ` bgp router-id ${FRR_ADDRESS}`,
  ' no bgp default ipv4-unicast',
  ' neighbor 192.0.2.1 remote-as 65001',
  ' neighbor 192.0.2.1 timers connect 1',
  ' address-family ipv4 vpn',
  '  neighbor 192.0.2.1 activate',
  '  network 10.9.0.0/24 rd 65001:9 label 709 route-map target',
  '  network 10.9.7.0/24 rd 65001:9 label 707 route-map other',
  '  network 10.99.0.0/24 rd 65001:50 label 799 route-map target',
  ' exit-address-family',
  ' address-family ipv6 vpn',
  '  neighbor 192.0.2.1 activate',
  ' exit-address-family',
  '',
].join('\n');

const GOBGP = [
  ...['[global.config]', 'as = 65001', `router-id = "${GOBGP_ADDRESS}"`],
  ...['[[neighbors]]', '[neighbors.config]', 'neighbor-address = "192.0.2.1"', 'peer-as = 65001'],
  ...['[neighbors.timers.config]', 'connect-retry = 1', 'idle-hold-time-after-reset = 1'],
  ...['l3vpn-ipv4-unicast', 'l3vpn-ipv6-unicast'].flatMap((family) => [
    ...['[[neighbors.afi-safis]]', '[neighbors.afi-safis.config]', `afi-safi-name = "${family}"`],
  ]),
  '',
].join('\n');

const INJECTED = [
  '-a vpnv4 10.21.0.0/24 label 721 rd 65001:21 rt 65001:100',
  '-a vpnv6 2001:db8:21::/64 label 621 rd 65001:21 rt 65001:100',
  '-a vpnv4 10.99.0.0/24 label 798 rd 65001:50 rt 65001:100',
];

function reflectorConfig(): Config {
  const client = { asn: 65001, routeReflectorClient: true, timers: { connectRetry: 1 } };
  const { interfaces, ...base } = peConfig(net, 1, {
    alone: true,
    bgp: {
      ...{ clusterId: CLUSTER, keepAllVpnRoutes: true },
      neighbours: {
        [FRR_ADDRESS]: client,
        [GOBGP_ADDRESS]: client,
        '192.0.2.2': {
          ...client,
          families: {
            'vpnv4-unicast': { addPath: 'send' },
            'vpnv6-unicast': {},
            'route-target': {},
          },
        },
      },
    },
    vrfs: {},
  });
  const { core0 } = interfaces ?? {};
  if (core0 === undefined) throw new Error('no core interface');
  return { ...base, interfaces: { core0 } };
}

function clientConfig(importTargets: readonly string[] = ['65001:100']): Config {
  return peConfig(net, 2, {
    alone: true,
    clear: [11, 21],
    bgp: {
      neighbours: {
        '192.0.2.1': {
          ...{ asn: 65001, timers: { connectRetry: 1 } },
          families: {
            'vpnv4-unicast': { addPath: 'receive' },
            'vpnv6-unicast': {},
            'route-target': {},
          },
        },
      },
    },
    vrfs: {
      A: {
        bgp: {
          ...{ rd: '65001:2', importTargets, exportTargets: ['65001:100'] },
          redistribute: { connected: true },
        },
      },
    },
  });
}

async function startGobgp(): Promise<void> {
  const netns = `${net.name}r21`;
  gobgp = await startBgpPeer(net.lab, 'gobgp', { netns, name: 'gobgp', folder, config: GOBGP });
  for (const route of INJECTED) {
    const mapped = route.includes('vpnv6') ? '::ffff:' : '';
    await gobgp.command(`global rib add ${route} nexthop ${mapped}${GOBGP_ADDRESS}`);
  }
}

beforeAll(async () => {
  if (absent !== undefined) return;
  net = await TwoPes.open('prr', { switched: true });
  for (const number of [11, 21]) captures.push(await captureBgp(net, await net.router(number), 'wan'));
  const netns = `${net.name}r11`;
  frr = await startBgpPeer(net.lab, 'frr', { netns, name: 'frr', folder, config: FRR });
  await startGobgp();
  net.write(1, reflectorConfig());
  net.start(1);
  await startPe(net, 2, clientConfig());
  for (const peer of [frr, gobgp]) await peer.waitEstablished('192.0.2.1');
});
afterAll(async () => {
  await (net as TwoPes | undefined)?.close();
  rmSync(folder, { recursive: true, force: true });
});
it('explores', async () => {
  await new Promise((r) => setTimeout(r, 6000));
  console.log(net.logText(1).slice(-3000));
  console.log(await gobgp.command('neighbor 192.0.2.1 adj-in -a vpnv4'), await gobgp.command('global rib -a vpnv6'), await gobgp.command('global rib -a vpnv4 -j'));
  console.log(await frr.command('show bgp ipv4 vpn'), await frr.command('show bgp ipv6 vpn'),await frr.command('show bgp ipv4 vpn 10.21.0.0/24 json'));
  console.log((await net.show(2, 'routes')).filter((r) => r.owner === 'bgp'), await bgpPaths(net, 2, '10.99.0.0/24'));
  for (const c of captures) console.log((await c()).length);
  void [bgpRow, configureFrr, frrVpnPaths, noRouteTo, reload, routeTo, typesFrom, eventually, describe, expect];
});
