// SPDX-License-Identifier: Apache-2.0
/** What import decisions are told of where a route comes from (policy-model 9). */
import { describe, expect, it } from 'vitest';
import { FAMILY } from '../../../../src/bgp/codec/types.js';
import { attributes, contextOf, ip, Lab, OPEN, rd, target } from './lab.js';

const scoped = 0x8349_0181_0000_fde8n;
const unscoped = 0x8349_0101_0000_0000n;
const vpn = (n: number) => ({
  ...{ family: FAMILY.vpnv4, rd: rd(n), prefix: `10.${String(n)}.0.0`, length: 16 },
});

/** What each question of a VRF said, by how the route came. */
function asked(community: bigint): boolean[] {
  const lab = new Lab({ isForeignAs: (asn) => asn === 65_002 });
  const said: boolean[] = [];
  const accept = ({ insideOwnSp }: { insideOwnSp: boolean }) => said.push(insideOwnSp);
  lab.vrf(1, { importTargets: [target(1)], accept });
  lab.up(1);
  lab.up(2, { kind: 'ebgp', asn: 65_003, context: contextOf({ ibgp: false }) });
  const path = (...asns: number[]) => ({ asPath: [{ type: 2 as const, asns }] });
  const extendedCommunities = [target(1), community];
  // A CE's AS is no SP's.
  lab.announce(1, [vpn(1)], attributes({ ...path(65_101), extendedCommunities }));
  lab.settle();
  lab.announce(1, [vpn(2)], attributes({ ...path(65_002, 65_102), extendedCommunities }));
  lab.settle();
  const nextHop = ip('192.0.2.3');
  lab.announce(2, [vpn(3)], attributes({ ...path(65_003), extendedCommunities, nextHop }));
  lab.settle();
  return said;
}

describe('a VPN route whose IPsec community has a scope', () => {
  it('is of our own SP only when learnt inside it and from no other SP', () => {
    expect(asked(scoped)).toEqual([true, false, false]);
  });

  it('is not asked for where there is no scope', () => {
    // One question for each next hop: the same communities.
    expect(asked(unscoped)).toEqual([false, false]);
  });
});

describe('a VPN route of a neighbour of another SP', () => {
  /** SPs that questions name, of routes by a neighbour inside, one outside of ours, and one of another SP. */
  function toldBy(): (string | undefined)[] {
    const other = { ...OPEN, sp: 'other', otherSp: { number: 65_003, unmarked: true } };
    const lab = new Lab({ neighbour: ({ id }) => (id === 3 ? other : OPEN) });
    const said: (string | undefined)[] = [];
    const accept = ({ toldBySp }: { toldBySp?: string | undefined }) => said.push(toldBySp);
    lab.vrf(1, { importTargets: [target(1)], accept });
    const external = { kind: 'ebgp', asn: 65_003, context: contextOf({ ibgp: false }) } as const;
    lab.up(1);
    lab.up(2, external);
    lab.up(3, external);
    for (const peer of [1, 2, 3]) {
      const extendedCommunities = [target(1)];
      const asPath = peer === 1 ? [] : [{ type: 2 as const, asns: [65_003] }];
      lab.announce(peer, [vpn(peer)], attributes({ extendedCommunities, asPath }));
      lab.settle();
    }
    return said;
  }

  it('is judged apart from the same route told by others, whatever its next hop', () => {
    expect(toldBy()).toEqual([undefined, 'other']);
  });
});
