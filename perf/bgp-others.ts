// SPDX-License-Identifier: Apache-2.0
/** Other BGP speakers as what the benchmark needs them to be: IBGP, VPNv4, tables only, neighbours from 10.0.0.0/8. */
import type { BgpImplementation } from '../test/lib/bgp-peers.js';

export const OURS = '10.9.0.1';
export const FEEDER = '10.9.0.2';
export const NEIGHBOURS = '10.0.0.0/8';

export const IMPLEMENTATIONS = [
  'bird',
  'frr',
  'gobgp',
] as const satisfies readonly BgpImplementation[];

export const CONFIG: Readonly<Record<BgpImplementation, string>> = {
  frr: [
    'router bgp 65000',
    ` bgp router-id ${OURS}`,
    ' no bgp default ipv4-unicast',
    ' neighbor all peer-group',
    ' neighbor all remote-as 65000',
    ' bgp listen limit 5000',
    ` bgp listen range ${NEIGHBOURS} peer-group all`,
    ' address-family ipv4 vpn',
    '  neighbor all activate',
    '',
  ].join('\n'),
  bird: [
    `router id ${OURS};`,
    'protocol device {}',
    'vpn4 table vpntab4;',
    'protocol bgp feeder {',
    `  local ${OURS} as 65000;`,
    `  neighbor range ${NEIGHBOURS} as 65000;`,
    '  dynamic name "feeder";',
    '  multihop;',
    '  passive;',
    '  vpn4 mpls { table vpntab4; import all; export none; };',
    '}',
    '',
  ].join('\n'),
  gobgp: [
    '[global.config]',
    '  as = 65000',
    `  router-id = "${OURS}"`,
    '[[peer-groups]]',
    '  [peer-groups.config]',
    '    peer-group-name = "all"',
    '    peer-as = 65000',
    '  [[peer-groups.afi-safis]]',
    '    [peer-groups.afi-safis.config]',
    '      afi-safi-name = "l3vpn-ipv4-unicast"',
    '[[dynamic-neighbors]]',
    '  [dynamic-neighbors.config]',
    `    prefix = "${NEIGHBOURS}"`,
    '    peer-group = "all"',
    '',
  ].join('\n'),
};

/** How many routes a speaker says it has: its tool's words, and where in them; of several, the sum. */
const ROUTES: Readonly<Record<BgpImplementation, { readonly ask: string; readonly in: RegExp }>> = {
  frr: {
    ask: 'show bgp ipv4 vpn summary',
    in: /^\*?10\.[\d.]+(?:\s+\S+){8}\s+(\d+)/gm,
  },
  bird: { ask: 'show route count table vpntab4', in: /of (\d+) routes/g },
  gobgp: { ask: 'global rib summary -a vpnv4', in: /Path: (\d+)/g },
};

/** Throws when it does not have so many. */
export async function expectRoutes(
  implementation: BgpImplementation,
  command: (text: string) => Promise<string>,
  routes: number,
): Promise<void> {
  const { ask, in: where } = ROUTES[implementation];
  const answer = await command(ask);
  const found = [...answer.matchAll(where)].reduce((sum, [, count]) => sum + Number(count), 0);
  if (found === routes) return;
  throw new Error(
    `${implementation} has ${String(found)} routes, not ${String(routes)}: ${answer.slice(0, 2000)}`,
  );
}
