// SPDX-License-Identifier: Apache-2.0
/** Route selection put off after a restart (RFC 4724 §4.1). */
import { expect, it } from 'vitest';
import { FAMILY } from '../../../../src/bgp/codec/types.js';
import { V4, client, one, two } from './common.js';
import { attributes, contextOf, ip, Lab, NOTHING_LEFT, rd, target } from './lab.js';

const VPN4 = 1 << FAMILY.vpnv4;
const vpn = (prefix: string) => ({
  family: FAMILY.vpnv4,
  rd: rd(9),
  prefix,
  length: 16,
  label: 900,
});
const imported = attributes({ extendedCommunities: [target(1)], nextHop: ip('192.0.2.9') });

/** A lab whose VRF 1 imports and exports target 1, with a CE and two core neighbours. */
function labOf(): Lab {
  const lab = new Lab({ neighbour: () => client, retainVpn: false });
  lab.rib.defer(V4 | VPN4);
  lab.vrf(1, {
    importTargets: [target(1)],
    exports: [
      {
        ...{
          name: 'r',
          rd: rd(1),
          routeTargets: [target(1)],
          communities: [],
          nextHop: ip('10.0.0.1'),
        },
        ...{ label: () => 100, policy: undefined },
      },
    ],
  });
  lab.up(1, { context: contextOf({ families: VPN4 }) });
  lab.up(2, { context: contextOf({ families: VPN4, addPathSend: VPN4 }) });
  lab.up(3, { kind: 'ebgp', vrf: 'v1', context: contextOf({ families: V4, ibgp: false }) });
  return lab;
}

const ceRoute = attributes({ asPath: [{ type: 2, asns: [65003] }], nextHop: ip('10.0.1.3') });
const holds = (lab: Lab, id: number): string[] => [...lab.peers.get(id)!.holds.keys()].sort();

it('nothing is decided, told or written until selection begins; then all of it before End-of-RIB', () => {
  const lab = labOf();
  lab.announce(1, [vpn('10.9.0.0')], imported);
  lab.announce(3, [one], ceRoute);
  lab.pass(60_000);
  for (const peer of lab.peers.values()) {
    expect(peer.messages).toBe(0);
  }
  expect(lab.fib.size).toBe(0);
  // Our own route target membership is not deferred; the others are two routes and an import.
  expect(lab.rib.counts()).toMatchObject({ decisions: 1, paths: 4 });
  expect(lab.rib.selecting).toBe(V4 | VPN4);
  expect(lab.rib.idle).toBe(true);

  // At End-of-RIB each is to hold everything: what is not there then is taken for withdrawn.
  const atEnd = new Map<number, string[]>();
  for (const [id, peer] of lab.peers) {
    const push = peer.endOfRib.push.bind(peer.endOfRib);
    peer.endOfRib.push = (family) => {
      atEnd.set(id, holds(lab, id));
      return push(family);
    };
  }
  lab.rib.select(V4 | VPN4);
  lab.settle();
  expect(lab.rib.selecting).toBe(0);
  expect([...lab.fib.keys()].sort()).toEqual(['1 10.1.0.0/16', '1 10.9.0.0/16']);
  expect(holds(lab, 1)).toEqual([`fde800000001 10.1.0.0/16`]);
  expect(holds(lab, 2).map((name) => name.replace(/ #.*/, ''))).toEqual([
    'fde800000001 10.1.0.0/16',
    'fde800000009 10.9.0.0/16',
  ]);
  expect(holds(lab, 3)).toEqual(['10.9.0.0/16']);
  for (const id of [1, 2, 3]) expect(atEnd.get(id)).toEqual(holds(lab, id));
});

it('families that are not deferred go on', () => {
  const lab = new Lab({ neighbour: () => client });
  lab.rib.defer(VPN4);
  const peer = lab.up(1, { context: contextOf({ families: V4 | VPN4 }) });
  lab.up(2, { context: contextOf({ families: V4 | VPN4 }) });
  lab.announce(2, [two], attributes());
  lab.announce(2, [vpn('10.9.0.0')], imported);
  lab.settle();
  expect([...peer.holds.keys()]).toEqual(['10.2.0.0/16']);
  expect(peer.endOfRib).toEqual([FAMILY.ipv4Unicast]);
  lab.rib.select(VPN4);
  lab.settle();
  expect(peer.endOfRib).toEqual([FAMILY.ipv4Unicast, FAMILY.vpnv4]);
  expect(peer.holds.size).toBe(2);
});

it('what came and went meanwhile leaves nothing, nor do sessions', () => {
  const lab = labOf();
  lab.announce(1, [vpn('10.9.0.0'), vpn('10.8.0.0')], imported);
  lab.announce(3, [one, two], ceRoute);
  lab.settle();
  lab.withdraw(1, [vpn('10.9.0.0')]);
  lab.down(3);
  lab.settle();
  lab.rib.select(V4 | VPN4);
  lab.settle();
  expect([...lab.fib.keys()]).toEqual(['1 10.8.0.0/16']);
  expect(lab.peers.get(1)!.withdrawnUnknown).toEqual([]);
  for (const id of [1, 2]) lab.down(id);
  lab.settle();
  lab.rib.removeVrf(1);
  lab.pass(1);
  expect(lab.leftovers()).toEqual(NOTHING_LEFT);
});

it('a neighbour that comes while selection settles is told all, and the end of it once', () => {
  const lab = labOf();
  lab.announce(1, [vpn('10.9.0.0')], imported);
  lab.settle();
  lab.rib.select(V4 | VPN4);
  const late = lab.up(4, { context: contextOf({ families: VPN4 }) });
  lab.settle();
  expect([...late.holds.keys()]).toEqual(['fde800000009 10.9.0.0/16']);
  expect(late.endOfRib).toEqual([FAMILY.vpnv4]);
});
