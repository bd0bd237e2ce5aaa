// SPDX-License-Identifier: Apache-2.0
/** Paths of a VRF that are used together: which, how many, and what becomes of them. */
import { describe, expect, it } from 'vitest';
import { FAMILY } from '../../../../src/bgp/codec/types.js';
import { attributes, contextOf, ip, Lab, NOTHING_LEFT, rd, target } from './lab.js';

const V4 = 1 << FAMILY.ipv4Unicast;
const VPN4 = 1 << FAMILY.vpnv4;
const net = { prefix: '10.1.0.0', length: 16 };
const KEY = '1 10.1.0.0/16';
const customer = [{ type: 2 as const, asns: [65100] }];

/** The prefix of PE `n`, 192.0.2.N, under an RD and a label of its own. */
const vpn = (n: number) => ({ ...net, family: FAMILY.vpnv4, rd: rd(n), label: 100 + n });
const via = (n: number, over: Parameters<typeof attributes>[0] = {}) =>
  attributes({
    ...{ nextHop: ip(`192.0.2.${n}`), extendedCommunities: [target(1)], asPath: customer },
    ...over,
  });
const hop = (n: number): string => `vpn 192.0.2.${n} ${100 + n}`;

/** VRF 1 imports from three PEs, each with a session of its own. */
function threePes(maximumPaths: { ebgp: number; ibgp: number }): Lab {
  const lab = new Lab({ retainVpn: false });
  lab.vrf(1, { importTargets: [target(1)], accept: () => 1, maximumPaths });
  for (const n of [2, 3, 4]) {
    lab.hop(`192.0.2.${n}`, { rank: 3 });
    lab.up(n, { context: contextOf({ families: VPN4 }) });
    lab.announce(n, [vpn(n)], via(n));
  }
  lab.settle();
  return lab;
}

describe('paths used together', () => {
  it('are as many as the VRF says, and follow it without a new session', () => {
    const lab = threePes({ ebgp: 1, ibgp: 2 });
    expect(lab.fib.get(KEY)).toEqual([hop(2), hop(3)]);
    const vrf = { importTargets: [target(1)], accept: () => 1 };
    lab.vrf(1, { ...vrf, maximumPaths: { ebgp: 1, ibgp: 16 } });
    lab.settle();
    expect(lab.fib.get(KEY)).toEqual([hop(2), hop(3), hop(4)]);
    lab.vrf(1, { ...vrf, maximumPaths: { ebgp: 16, ibgp: 1 } });
    lab.settle();
    expect(lab.fib.get(KEY)).toEqual([hop(2)]);
  });

  it('are chosen by each VRF for itself', () => {
    const lab = threePes({ ebgp: 1, ibgp: 3 });
    lab.vrf(2, { importTargets: [target(1)], accept: () => 1 });
    lab.settle();
    expect(lab.fib.get(KEY)).toHaveLength(3);
    expect(lab.fib.get('2 10.1.0.0/16')).toEqual([hop(2)]);
  });

  it('go one by one: withdrawn, without a way, with their neighbour', () => {
    const lab = threePes({ ebgp: 1, ibgp: 4 });
    lab.withdraw(2, [vpn(2)]);
    lab.settle();
    expect(lab.fib.get(KEY)).toEqual([hop(3), hop(4)]);
    lab.announce(2, [vpn(2)], via(2));
    lab.hop('192.0.2.3', { usable: false, rank: 3 });
    lab.settle();
    expect(lab.fib.get(KEY)).toEqual([hop(2), hop(4)]);
    lab.hop('192.0.2.3', { rank: 3 });
    lab.down(4);
    lab.settle();
    expect(lab.fib.get(KEY)).toEqual([hop(2), hop(3)]);
    for (const n of [2, 3]) lab.down(n);
    lab.rib.removeVrf(1);
    lab.settle();
    expect(lab.fib.size).toBe(0);
    expect(lab.leftovers()).toEqual(NOTHING_LEFT);
  });

  it('have one protection: the best there is (policy-model 12)', () => {
    const lab = threePes({ ebgp: 1, ibgp: 4 });
    lab.hop('192.0.2.2', { rank: 2 });
    lab.settle();
    expect(lab.fib.get(KEY)).toEqual([hop(3), hop(4)]);
    for (const n of [3, 4]) lab.hop(`192.0.2.${n}`, { rank: 2 });
    lab.settle();
    expect(lab.fib.get(KEY)).toEqual([hop(2), hop(3), hop(4)]);
    lab.hop('192.0.2.4', { rank: 3 });
    lab.settle();
    expect(lab.fib.get(KEY)).toEqual([hop(4)]);
  });

  it('tie in everything before router ids, and come through one neighbouring AS', () => {
    const lab = threePes({ ebgp: 1, ibgp: 4 });
    lab.announce(2, [vpn(2)], via(2, { localPref: 50 }));
    lab.announce(3, [vpn(3)], via(3, { med: 1 }));
    lab.settle();
    expect(lab.fib.get(KEY)).toEqual([hop(4)]);
    lab.announce(2, [vpn(2)], via(2, { asPath: [{ type: 2, asns: [65101] }] }));
    lab.announce(3, [vpn(3)], via(3));
    lab.settle();
    expect(lab.fib.get(KEY)).toEqual([hop(2)]);
    lab.announce(2, [vpn(2)], via(2));
    lab.settle();
    expect(lab.fib.get(KEY)).toHaveLength(3);
  });

  it('are those of CEs when there are any, and never those of a CE and another PE', () => {
    const lab = threePes({ ebgp: 2, ibgp: 4 });
    const ce = (n: number) => ({ kind: 'ebgp', vrf: 'v1', asn: 65100, id: n }) as const;
    for (const n of [10, 11]) {
      lab.up(n, { ...ce(n), context: contextOf({ families: V4, ibgp: false }) });
      lab.announce(n, [net], attributes({ nextHop: ip(`10.9.0.${n}`), asPath: customer }));
    }
    lab.settle();
    expect(lab.fib.get(KEY)).toEqual(['plain 10.9.0.10', 'plain 10.9.0.11']);
    lab.down(10);
    lab.settle();
    expect(lab.fib.get(KEY)).toEqual(['plain 10.9.0.11']);
    lab.down(11);
    lab.settle();
    expect(lab.fib.get(KEY)).toEqual([hop(2), hop(3), hop(4)]);
  });
});
