// SPDX-License-Identifier: Apache-2.0
/** Neighbours that mean harm, or are badly broken: nothing is lost, leaks or ends the process. */
import { describe, expect, it } from 'vitest';
import {
  FAMILIES,
  FAMILY,
  type FamilyId,
  type UpdateContext,
} from '../../../../src/bgp/codec/types.js';
import { V4, expectEmpty, one, plain, two } from './common.js';
import {
  attributes,
  contextOf,
  ip,
  Lab,
  NOTHING_LEFT,
  OPEN,
  rd,
  target,
  type TestRoute,
  updateBodies,
} from './lab.js';

describe('enhanced route refresh (RFC 7313)', () => {
  it('survives any number of beginnings without an end', () => {
    const lab = new Lab({ retainVpn: false });
    lab.up(1, { ...plain, enhancedRefresh: true });
    lab.announce(1, [one, two], attributes());
    for (let i = 0; i < 100; i++) lab.rib.refresh(1, FAMILY.ipv4Unicast, 1);
    lab.settle();
    expect(lab.fib.size).toBe(2);
    lab.announce(1, [one], attributes());
    lab.rib.refresh(1, FAMILY.ipv4Unicast, 2);
    lab.settle();
    expect([...lab.fib.keys()]).toEqual(['0 10.1.0.0/16']);
    expectEmpty(lab);
  });

  it('survives any number of refreshes between two slices', () => {
    const lab = new Lab({ retainVpn: false });
    lab.up(1, { ...plain, enhancedRefresh: true });
    lab.announce(1, [one, two], attributes());
    for (let i = 0; i < 100; i++) {
      lab.rib.refresh(1, FAMILY.ipv4Unicast, 1);
      lab.announce(1, i === 0 ? [one] : [one, two], attributes());
      lab.rib.refresh(1, FAMILY.ipv4Unicast, 2);
    }
    lab.settle();
    expect(lab.fib.size).toBe(2);
    expectEmpty(lab);
  });
});

describe('attributes that grow', () => {
  const long = (count: number) => [{ type: 2 as const, asns: Array<number>(count).fill(64999) }];
  const context = contextOf({ families: V4, ibgp: false, as4: false, maxMessage: 65535 });

  it('beyond any message with 4-octet AS numbers cost the route alone', () => {
    const lab = new Lab({
      retainVpn: false,
      neighbour: () => ({ ...OPEN, siteOfOrigin: 0x0003_fde8_0000_0001n }),
    });
    lab.vrf(1, {});
    lab.up(1, { kind: 'ebgp', vrf: 'v1', asn: 64999, context });
    lab.announce(1, [one], attributes({ asPath: long(25_000) }));
    lab.announce(1, [two], attributes({ asPath: long(100) }));
    lab.settle();
    expect([...lab.fib.keys()]).toEqual(['1 10.2.0.0/16']);
    expectEmpty(lab);
  });

  it('with what an export adds are not exported', () => {
    const lab = new Lab({ retainVpn: false });
    const rule = {
      ...{
        name: 'r',
        rd: rd(1),
        routeTargets: [target(1)],
        communities: [],
        nextHop: ip('192.0.2.1'),
      },
      ...{ label: () => 24_000, policy: undefined },
    };
    lab.vrf(1, { exports: [rule] });
    const told = lab.up(2, { context: contextOf({ families: 1 << FAMILY.vpnv4 }) });
    lab.up(1, { kind: 'ebgp', vrf: 'v1', asn: 64999, context });
    lab.announce(1, [one], attributes({ asPath: long(30_000) }));
    lab.announce(1, [two], attributes({ asPath: long(100) }));
    lab.settle();
    expect(told.holds.size).toBe(1);
    lab.down(1);
    lab.down(2);
    lab.rib.removeVrf(1);
    lab.settle();
    expect(lab.leftovers()).toEqual(NOTHING_LEFT);
  });
});

describe('labelled routes', () => {
  it('are told on, and neither forward packets nor undo a route without label to the same prefix', () => {
    const lab = new Lab({ retainVpn: false });
    const both = V4 | (1 << FAMILY.ipv4Labelled);
    lab.up(1, { context: contextOf({ families: both }) });
    const told = lab.up(2, { kind: 'ebgp', context: contextOf({ families: both, ibgp: false }) });
    lab.announce(1, [one], attributes());
    lab.announce(1, [{ ...one, family: FAMILY.ipv4Labelled, label: 100 }], attributes());
    lab.settle();
    expect(lab.fib.get('0 10.1.0.0/16')).toEqual(['plain 192.0.2.2']);
    lab.withdraw(1, [{ ...one, family: FAMILY.ipv4Labelled }]);
    lab.settle();
    expect(lab.fib.get('0 10.1.0.0/16')).toEqual(['plain 192.0.2.2']);
    expect(told.holds.has('10.1.0.0/16')).toBe(true);
    expectEmpty(lab);
  });
});

describe('octets changed at random in UPDATEs', () => {
  /** Numbers below `most` from a linear congruence (Knuth): the same in each run. */
  const generator = (seed: number): ((most: number) => number) => {
    let state = seed;
    return (most) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * most);
    };
  };
  const families = (external: boolean): FamilyId[] => (external ? [0, 1] : [0, 1, 2, 3, 4, 5]);
  const isIpv6 = (family: FamilyId): boolean => FAMILIES[family].afi === 2;

  function routes(family: FamilyId): TestRoute[] {
    return [0, 1, 2].map((n) => ({
      ...{ family, label: 100 + n, pathId: n, length: isIpv6(family) ? 48 : 20 },
      prefix: isIpv6(family) ? `2001:db8:${String(n)}::` : `10.${String(n)}.0.0`,
      ...(family === FAMILY.vpnv4 || family === FAMILY.vpnv6 ? { rd: rd(n) } : {}),
    }));
  }

  function updates(external: boolean, context: UpdateContext): Uint8Array[] {
    const path = [
      { type: 2 as const, asns: [external ? 64999 : 8, 70_000] },
      { type: 1 as const, asns: [6, 7] },
    ];
    const everything = attributes({
      ...{ asPath: path, med: 5, communities: [1, 0xffffff01], clusterList: [5], originatorId: 7 },
      extendedCommunities: [target(2), target(1), 0x030b_0000_0000_0007n],
      others: [{ flags: 0xe0, type: 99, value: new Uint8Array(30) }],
      tunnelEncapsulation: [{ type: 11, subTlvs: [{ type: 1, value: new Uint8Array(4) }] }],
    });
    return families(external).flatMap((family) => {
      const nextHop = ip(isIpv6(family) ? '2001:db8::9' : '10.0.0.9');
      return [{ ...everything, nextHop }, undefined].flatMap((set) =>
        updateBodies(context, routes(family), set),
      );
    });
  }

  it.each([1, 2, 3, 4])('neither throw nor leave anything behind (%i)', (seed) => {
    const random = generator(seed);
    const siteOfOrigin = 0x0003_fde8_0000_0001n;
    const lab = new Lab({ retainVpn: false, neighbour: () => ({ ...OPEN, siteOfOrigin }) });
    const rule = {
      ...{
        name: 'r',
        rd: rd(1),
        routeTargets: [target(1)],
        communities: [],
        nextHop: ip('192.0.2.1'),
      },
      ...{ label: () => 24_000, policy: undefined },
    };
    lab.vrf(1, { exports: [rule], importTargets: [target(2)] });
    lab.vrf(2, { importTargets: [target(1)] });
    const switches = {
      ...{ as4: seed % 2 === 1, addPathReceive: seed > 2 ? 0x7f : 0, extendedNextHop: 0x7f },
      ...(seed % 2 === 0 && { multipleLabels: 0x7f }),
    };
    const outside = contextOf({ ...switches, ibgp: false, families: 3 });
    const inside = contextOf(switches);
    lab.up(1, { kind: 'ebgp', vrf: 'v1', asn: 64999, context: outside });
    lab.up(2, { context: inside });
    lab.up(3, { context: contextOf({ as4: false, addPathSend: seed > 2 ? 0x7f : 0 }) });
    lab.up(4, { kind: 'ebgp', vrf: 'v2', asn: 64998, context: contextOf({ ibgp: false }) });
    const bodies = [updates(true, outside), updates(false, inside)] as const;
    const outcomes = new Set<string>();
    for (let n = 0; n < 3_000; n++) {
      const id = 1 + random(2);
      const of = bodies[id === 1 ? 0 : 1];
      const body = of[random(of.length)]!.slice();
      for (let changes = random(4); changes > 0; changes--) {
        body[random(body.length)] = random(2) === 0 ? random(256) : 1 << random(8);
      }
      outcomes.add(lab.rib.update(id, body, 0, body.length).kind);
      if (random(100) === 0) {
        lab.down(id, random(2) === 0 ? { keepStale: 0x7f, restartTime: 10 } : {});
        lab.up(id, lab.peers.get(id)!.info);
      }
      if (n % 20 === 0) lab.settle();
    }
    expect([...outcomes].sort()).toEqual(['ok', 'reset', 'tolerated']);
    for (const peer of lab.peers.values()) lab.down(peer.info.id);
    lab.pass(400_000);
    for (const vrf of [1, 2]) lab.rib.removeVrf(vrf);
    lab.settle();
    expect(lab.leftovers()).toEqual(NOTHING_LEFT);
  });
});

it('next hops that nothing leads to any more are forgotten, however many there were', () => {
  const lab = new Lab({ retainVpn: false });
  lab.vrf(1, { importTargets: [target(1)], accept: () => 1 });
  lab.up(1, { context: contextOf({ families: 1 << FAMILY.vpnv4 }) });
  const vpn = { family: FAMILY.vpnv4, rd: rd(1), label: 20 };
  const extendedCommunities = [target(1)];
  // One that stays, so that the set of communities does.
  lab.announce(1, [{ ...vpn, ...two }], attributes({ extendedCommunities }));
  for (let n = 0; n < 10_000; n++) {
    const nextHop = Uint8Array.of(100, 64, n >> 8, n & 255);
    lab.announce(1, [{ ...vpn, ...one }], attributes({ extendedCommunities, nextHop }));
    if (n % 100 === 0) lab.settle();
  }
  lab.settle();
  expect(lab.rib.counts().addresses).toBeLessThan(5_000);
  expect(lab.fib.get('1 10.1.0.0/16')).toEqual(['vpn 100.64.39.15 20']);
  lab.down(1);
  lab.rib.removeVrf(1);
  lab.settle();
  expect(lab.leftovers()).toEqual(NOTHING_LEFT);
});
