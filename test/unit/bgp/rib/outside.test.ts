// SPDX-License-Identifier: Apache-2.0
/** What neighbours are told of AS paths and VPN matters, as their configuration says. */
import { describe, expect, it } from 'vitest';
import { FAMILY } from '../../../../src/bgp/codec/types.js';
import type { NeighbourRib } from '../../../../src/bgp/rib/peers.js';
import { attributes, contextOf, Lab, NOTHING_LEFT, OPEN, target } from './lab.js';

const V4 = 1 << FAMILY.ipv4Unicast;
const one = { prefix: '10.1.0.0', length: 16 };
const plain = { context: contextOf({ families: V4 }) };

/** Ends every session and expects nothing to be left. */
function expectEmpty(lab: Lab): void {
  for (const peer of lab.peers.values()) if (peer.up) lab.down(peer.info.id);
  lab.pass(1);
  expect(lab.leftovers()).toEqual(NOTHING_LEFT);
}

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
});
