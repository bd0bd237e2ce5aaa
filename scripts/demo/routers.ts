// SPDX-License-Identifier: Apache-2.0
/** The routers that are not ours: FRR at each site of a customer, GoBGP as the north's route reflector. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { eventually, type Lab } from '../lib/lab.js';
import { startBgpPeer, type BgpPeer } from '../../test/lib/bgp-peers.js';
import { extras, NODES, RUN, SITES, type Site } from './topology.js';

/** EBGP over IPv4 and IPv6 with the PE; announces the customer's networks, takes whatever it is told. */
function bgpd(s: Site): string {
  const [four, six] = [s.gateway4, s.gateway6];
  const networks = [s.lan4, ...extras(s).map(({ prefix }) => prefix)];
  return [
    `router bgp ${String(64500 + s.number)}`,
    ` bgp router-id ${s.link4}`,
    ' no bgp ebgp-requires-policy',
    ' no bgp network import-check',
    ' no bgp default ipv4-unicast',
    ...[four, six].flatMap((address) => [
      ` neighbor ${address} remote-as ${s.number === 3 ? '65002' : '65001'}`,
      ` neighbor ${address} timers connect 1`,
    ]),
    ' address-family ipv4 unicast',
    `  neighbor ${four} activate`,
    ...networks.map((prefix) => `  network ${prefix}`),
    ' exit-address-family',
    ' address-family ipv6 unicast',
    `  neighbor ${six} activate`,
    `  network ${s.lan6}`,
    ' exit-address-family',
    '',
  ].join('\n');
}

const ce = (s: Site): string => `${RUN}/${s.netns}`;

/** zebra, which puts routes into the CE's kernel, and bgpd; in a folder of their own, which zebra's user owns. */
async function startCe(lab: Lab, s: Site): Promise<void> {
  const folder = ce(s);
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  writeFileSync(`${folder}/zebra.conf`, '');
  writeFileSync(`${folder}/bgpd.conf`, bgpd(s));
  await lab.must(s.netns, ['chown', '-R', 'frr:frr', folder]);
  for (const daemon of ['zebra', 'bgpd'] as const) {
    const own = daemon === 'zebra' ? [] : ['-S']; // -S: stays root
    const argv = [
      ...[`/usr/lib/frr/${daemon}`, ...own, '-f', `${folder}/${daemon}.conf`],
      ...['-i', `${folder}/${daemon}.pid`, '-z', `${folder}/zserv.api`],
      ...['--vty_socket', folder, '-A', '127.0.0.1', '-P', '0'],
    ];
    lab.start(s.netns, argv, `${folder}/${daemon}.log`);
    if (daemon === 'bgpd') continue;
    await eventually(`zebra of ${s.netns}`, async () =>
      (await lab.exec(s.netns, ['test', '-S', `${folder}/zserv.api`])).code === 0
        ? true
        : undefined,
    );
  }
}

export async function startCes(lab: Lab): Promise<void> {
  await Promise.all(SITES.map((s) => startCe(lab, s)));
}

const GOBGP = [
  '[global.config]',
  'as = 65001',
  `router-id = "${NODES.rr.loopback}"`,
  ...[NODES.pe1, NODES.pe2].flatMap(({ loopback }) => [
    '[[neighbors]]',
    '[neighbors.config]',
    `neighbor-address = "${loopback}"`,
    'peer-as = 65001',
    '[neighbors.transport.config]',
    `local-address = "${NODES.rr.loopback}"`,
    '[neighbors.route-reflector.config]',
    'route-reflector-client = true',
    `route-reflector-cluster-id = "${NODES.rr.loopback}"`,
    '[neighbors.timers.config]',
    'connect-retry = 1',
    'idle-hold-time-after-reset = 1',
    '[neighbors.graceful-restart.config]',
    'enabled = true',
    'restart-time = 30',
    ...['l3vpn-ipv4-unicast', 'l3vpn-ipv6-unicast', 'rtc'].flatMap((family) => [
      '[[neighbors.afi-safis]]',
      '[neighbors.afi-safis.config]',
      `afi-safi-name = "${family}"`,
      '[neighbors.afi-safis.mp-graceful-restart.config]',
      'enabled = true',
    ]),
  ]),
  '',
].join('\n');

export function startReflector(lab: Lab): Promise<BgpPeer> {
  return startBgpPeer(lab, 'gobgp', { netns: 'rr', name: 'rr', folder: RUN, config: GOBGP });
}

/** Networks that a CE's kernel knows by BGP. */
export async function learnt(lab: Lab, s: Site): Promise<string[]> {
  const found: string[] = [];
  for (const family of ['-4', '-6']) {
    const out = await lab.must(s.netns, ['ip', family, 'route', 'show', 'proto', 'bgp']);
    found.push(...[...out.matchAll(/^(\S+) (?:nhid|via)/gm)].map((m) => m[1] ?? ''));
  }
  return found;
}
