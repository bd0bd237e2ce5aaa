// SPDX-License-Identifier: Apache-2.0
/** To which SPs routes go on that another router originated (policy-model 6). */
import { describe, expect, it } from 'vitest';
import { exportedTo, exportScope } from '../../../../src/bgp/codec/communities/export-scope.js';
import { FAMILY } from '../../../../src/bgp/codec/types.js';
import type { NeighbourRib } from '../../../../src/bgp/rib/peers.js';
import { formatExtendedCommunity, parseExtendedCommunity } from '../../../../src/lib/bgp-words.js';
import { attributes, contextOf, ip, Lab, nameOf, OPEN, rd, target } from './lab.js';

const route = (n: number) => ({
  ...{ family: FAMILY.vpnv4, rd: rd(1), prefix: `10.${String(n)}.0.0`, length: 16, label: 100 + n },
});
const marks: readonly (readonly bigint[])[] = [
  [],
  [exportScope(65_001)],
  [exportScope(65_001), exportScope(65_002)],
  [exportScope(65_003)],
  // Something critical that we do not understand.
  [0x834a_0100_0000_fdean],
];

/** Which of the routes above a neighbour outside is told that a PE of ours has told us. */
function told(over: Partial<NeighbourRib>): number[] {
  const outside = { ...OPEN, vpnNextHopUnchanged: true, ...over };
  const lab = new Lab({ neighbour: ({ id }) => (id === 2 ? outside : OPEN) });
  lab.up(1);
  const peer = lab.up(2, {
    kind: 'ebgp',
    context: contextOf({ ibgp: false, families: 1 << FAMILY.vpnv4 }),
  });
  marks.forEach((of, n) => {
    lab.announce(1, [route(n)], attributes({ extendedCommunities: [target(1), ...of] }));
  });
  lab.settle();
  for (const { attributes: held } of peer.holds.values()) {
    expect(held.nextHop).toEqual(ip('192.0.2.2'));
  }
  return marks.flatMap((_, n) => (peer.holds.has(nameOf(route(n))) ? [n] : []));
}

describe('a neighbour of another SP', () => {
  const otherSp = { number: 65_002, unmarked: false };

  it('is told what says that it is exported there', () => {
    expect(told({ sp: 'y', otherSp })).toEqual([2]);
  });

  it('is told what says nothing where the operator says so', () => {
    expect(told({ sp: 'y', otherSp: { ...otherSp, unmarked: true } })).toEqual([0, 2]);
  });

  it('whose number is not known is told nothing that is marked', () => {
    expect(told({ sp: 'y', otherSp: { number: undefined, unmarked: true } })).toEqual([0]);
  });

  it('of our own SP in another AS is told everything', () => {
    expect(told({ sp: 'x' })).toEqual([0, 1, 2, 3, 4]);
  });
});

describe('the community', () => {
  it('has the form of docs/export-scope-community.md', () => {
    expect(exportScope(65_002)).toBe(0x834a_0000_0000_fdean);
    expect(exportedTo([exportScope(4_200_000_000), exportScope(7)])).toEqual(
      new Set([4_200_000_000, 7]),
    );
    expect(exportedTo([target(1), 0x8349_0101_0000_fdean])).toBeUndefined();
    // SP 0 is none, reserved bits are ignored, critical ones are not.
    expect(exportedTo([0x834a_0000_0000_0000n])).toEqual(new Set());
    expect(exportedTo([0x834a_00ff_0000_0007n])).toEqual(new Set([7]));
    expect(exportedTo([0x834a_8000_0000_0007n])).toEqual(new Set());
    expect(() => exportScope(0)).toThrow(RangeError);
    expect(() => exportScope(2 ** 32)).toThrow(RangeError);
  });

  it('has a text', () => {
    expect(formatExtendedCommunity(exportScope(65_002))).toBe('export-to:65002');
    expect(parseExtendedCommunity('export-to:65002')).toBe(exportScope(65_002));
    expect(parseExtendedCommunity('export-to:0')).toBeUndefined();
    expect(formatExtendedCommunity(0x834a_0100_0000_fdean)).toBe('0x834a01000000fdea');
  });
});
