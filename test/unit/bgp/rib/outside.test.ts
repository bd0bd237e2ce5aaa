// SPDX-License-Identifier: Apache-2.0
/** What neighbours are told of AS paths and VPN matters, as their configuration says. */
import { describe, expect, it } from 'vitest';
import type { NeighbourRib } from '../../../../src/bgp/rib/peers.js';
import type { EstablishedPeer, PolicyRoute } from '../../../../src/bgp/types.js';
import { V4, expectEmpty, one, plain } from './common.js';
import { attributes, contextOf, ip, Lab, OPEN, target } from './lab.js';

describe('a neighbour outside', () => {
  it.each([
    ['remove' as const, [65000, 4999]],
    ['replace' as const, [65000, 65000, 4999, 65000]],
  ])('takes private AS numbers out of paths: %s', (removePrivateAs, asns) => {
    const lab = new Lab({ retainVpn: false, neighbour: () => ({ ...OPEN, removePrivateAs }) });
    const ebgp = {
      ...plain,
      kind: 'ebgp' as const,
      context: contextOf({ families: V4, ibgp: false }),
    };
    lab.up(1, { ...ebgp, asn: 64513 });
    const told = lab.up(2, { ...ebgp, asn: 4998 });
    const path = [{ type: 2 as const, asns: [64513, 4999, 4_200_000_000] }];
    lab.announce(1, [one], attributes({ asPath: path }));
    lab.settle();
    expect(told.holds.get('10.1.0.0/16')?.attributes.asPath).toEqual([{ type: 2, asns }]);
    expectEmpty(lab);
  });

  it('lets VPN matters through from and to a CE only where the configuration lists them', () => {
    const color = 0x030b_0000_0000_0007n;
    const encapsulation = 0x030c_0000_0000_000bn;
    const ipsec = 0x8349_0000_0000_0001n;
    const soo = 0x0003_fde8_0000_0001n;
    const all = [soo, color, encapsulation, ipsec, target(9)];
    const held = (passVpn: NonNullable<NeighbourRib['passVpn']>): readonly bigint[] => {
      const lab = new Lab({ retainVpn: false, neighbour: () => ({ ...OPEN, passVpn }) });
      lab.vrf(1, {});
      const context = contextOf({ families: V4, ibgp: false });
      lab.up(1, { kind: 'ebgp', vrf: 'v1', asn: 64999, context });
      const told = lab.up(2, { kind: 'ebgp', vrf: 'v1', asn: 64998, context });
      const path = [{ type: 2 as const, asns: [64999] }];
      lab.announce(1, [one], attributes({ asPath: path, extendedCommunities: all }));
      lab.settle();
      const { extendedCommunities = [] } = told.holds.get('10.1.0.0/16')!.attributes;
      expectEmpty(lab);
      return [...extendedCommunities].sort();
    };
    expect(held([])).toEqual([soo]);
    expect(held(['color'])).toEqual([soo, color].sort());
    expect(held(['ipsec'])).toEqual([soo, ipsec].sort());
    expect(held(['encapsulation', 'route-target'])).toEqual([soo, encapsulation, target(9)].sort());
  });

  it('passes no attribute that PEs speak by, known to us or not', () => {
    const raw = (type: number) => ({ flags: 0xe0, type, value: new Uint8Array(20).fill(type) });
    const held = (passVpn: NonNullable<NeighbourRib['passVpn']>): readonly number[] => {
      const lab = new Lab({ retainVpn: false, neighbour: () => ({ ...OPEN, passVpn }) });
      lab.vrf(1, {});
      const context = contextOf({ families: V4, ibgp: false });
      lab.up(1, { kind: 'ebgp', vrf: 'v1', asn: 64999, context });
      const told = lab.up(2, { kind: 'ebgp', vrf: 'v1', asn: 64998, context });
      const others = [22, 25, 35, 40, 128, 200].map(raw);
      lab.announce(1, [one], attributes({ asPath: [{ type: 2, asns: [64999] }], others }));
      lab.settle();
      const types = told.holds.get('10.1.0.0/16')!.attributes.others?.map(({ type }) => type);
      expectEmpty(lab);
      return types ?? [];
    };
    // OTC (RFC 9234) and what nobody knows yet go on, with the Partial bit.
    expect(held([])).toEqual([35, 200]);
    expect(held(['route-target'])).toEqual([25, 35, 200]);
  });

  it('that will stop forwarding is the last choice, unless its policy says otherwise (RFC 8326)', () => {
    const ebgp = { kind: 'ebgp' as const, context: contextOf({ families: V4, ibgp: false }) };
    const best = (neighbour: (peer: EstablishedPeer) => NeighbourRib): string[] | undefined => {
      const lab = new Lab({ retainVpn: false, neighbour });
      lab.up(1, ebgp);
      lab.up(2, ebgp);
      const from = (id: number, communities: number[], nextHop: string) => {
        const path = [{ type: 2 as const, asns: [65000 + id, ...(id === 2 ? [7, 7] : [])] }];
        lab.announce(id, [one], attributes({ asPath: path, communities, nextHop: ip(nextHop) }));
      };
      from(1, [0xffff0000], '192.0.2.1');
      from(2, [1], '192.0.2.2');
      lab.settle();
      const found = lab.fib.get('0 10.1.0.0/16');
      expectEmpty(lab);
      return found;
    };
    expect(best(() => OPEN)).toEqual(['plain 192.0.2.2']);
    const anyway = { usesPrefix: false, apply: ({ attributes: set }: PolicyRoute) => set };
    const raising: NeighbourRib = {
      ...OPEN,
      policyIn: { ...anyway, apply: (route) => ({ ...route.attributes, localPref: 300 }) },
    };
    expect(best(({ id }) => (id === 1 ? raising : { ...OPEN, policyIn: anyway }))).toEqual([
      'plain 192.0.2.1',
    ]);
  });

  it('is not told non-transitive extended communities (RFC 4360 §6)', () => {
    const lab = new Lab({ retainVpn: false });
    lab.up(1, plain);
    const inside = lab.up(2, { kind: 'ebgp', context: contextOf({ families: V4, ibgp: false }) });
    const bandwidth = 0x4004_fde8_0000_0001n;
    const extendedCommunities = [bandwidth, target(1)];
    lab.announce(1, [one], attributes({ extendedCommunities }));
    lab.settle();
    expect(inside.holds.get('10.1.0.0/16')?.attributes.extendedCommunities).toEqual([target(1)]);
    expectEmpty(lab);
  });

  it('is told stale routes of others only if it knows what LLGR_STALE means (RFC 9494 §4.3)', () => {
    const lab = new Lab({ retainVpn: false });
    lab.up(1, plain);
    const external = { kind: 'ebgp' as const, context: contextOf({ families: V4, ibgp: false }) };
    const knowing = lab.up(2, { ...external, longLived: V4 });
    const other = lab.up(3, external);
    lab.announce(1, [one], attributes({ communities: [0xffff0006] }));
    lab.settle();
    expect([knowing.holds.size, other.holds.size]).toEqual([1, 0]);
    expectEmpty(lab);
  });

  it('cannot send our own address back to us as next hop (RFC 4271 §5.1.3)', () => {
    const lab = new Lab({ retainVpn: false });
    const external = { kind: 'ebgp' as const, context: contextOf({ families: V4, ibgp: false }) };
    lab.up(1, { ...external, localAddress: ip('192.0.2.77') });
    const set = { asPath: [{ type: 2 as const, asns: [65001] }] };
    lab.announce(1, [one], attributes({ ...set, nextHop: ip('192.0.2.77') }));
    lab.settle();
    expect(lab.fib.size).toBe(0);
    lab.announce(1, [one], attributes({ ...set, nextHop: ip('192.0.2.78') }));
    lab.settle();
    expect(lab.fib.size).toBe(1);
    expectEmpty(lab);
  });
});
