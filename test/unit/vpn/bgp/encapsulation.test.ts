// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { parseExtendedCommunity } from '../../../../src/lib/bgp-words.js';
import { NOTHING_SIGNALLED } from '../../../../src/vpn/bgp/ingress.js';
import { narrowed } from '../../../../src/vpn/bgp/encapsulation.js';

const either = {
  protections: ['encrypt' as const],
  encapsulations: ['gre' as const, 'ip' as const],
  onlyOutsideSp: undefined,
};
const gre = { ...either, encapsulations: ['gre' as const] };

/** A route with these communities, and a Tunnel Encapsulation attribute with these types. */
const route = (communities: readonly string[], types: readonly number[] = []) => ({
  extendedCommunities: communities.map((text) => parseExtendedCommunity(text)!),
  tunnelEncapsulation: types.map((type) => ({ type, subTlvs: [] })),
});

it.each<[string, readonly string[], readonly number[], readonly string[]]>([
  ['nothing', ['target:65001:1'], [], ['gre', 'ip']],
  ['MPLS-in-GRE', ['encapsulation:11'], [], ['gre']],
  ['GRE in the attribute', [], [2], ['gre']],
  ['IP-in-IP', ['target:65001:1', 'encapsulation:7'], [], ['ip']],
  ['one by each', ['encapsulation:7'], [11], ['gre', 'ip']],
  ['VXLAN, which is not for labelled routes', ['encapsulation:8'], [8, 19], ['gre', 'ip']],
  ['what RFC 5566 named', ['encapsulation:6'], [3, 4, 5, 6], ['gre', 'ip']],
])('narrows what is acceptable: %s', (_, communities, types, encapsulations) => {
  expect(narrowed(either, route(communities, types))).toEqual({ ...either, encapsulations });
});

it('leaves the IPsec community as it is where they have nothing in common', () => {
  expect(narrowed(gre, route(['encapsulation:7']))).toEqual(gre);
});

it('says how alone where there is no IPsec community, and never how well protected', () => {
  expect(narrowed(undefined, route(['encapsulation:11']))).toEqual({
    ...{ protections: undefined, encapsulations: ['gre'] },
  });
  expect(narrowed(undefined, route(['target:65001:1'], [8]))).toBe(NOTHING_SIGNALLED);
});
