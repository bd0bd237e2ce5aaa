// SPDX-License-Identifier: Apache-2.0
/** What an import rule says, by who told the route (policy-model 7, 10). */
import { expect, it } from 'vitest';
import type { Config } from '../../../../src/config/types.js';
import { NOT_BELIEVED } from '../../../../src/bgp/rib/api.js';
import { Ingress } from '../../../../src/vpn/bgp/ingress.js';
import { importTerms } from '../../../../src/vpn/bgp/vrfs.js';
import { capability, REMOTE } from './capable.js';

const config: Config = {
  ...{ instance: 'pe', ownSp: 'own', otherSps: ['b'], core: { tunnelAddresses: [] } },
  interfaces: {},
};
const numbers = { own: 65001, of: () => undefined, isForeignAs: () => false };
const rule = { name: 'all', targets: [], fromSps: ['own', 'b'], preferProtected: true };
const signalled = { protections: ['tunnel'], encapsulations: ['gre'] } as const;

/** What is made of a route that asks for a tunnel in clear. */
function choose(toldBySp: string | undefined, nextHopOf: string): number | string {
  const ingress = new Ingress(capability({ spOf: () => nextHopOf }));
  const terms = importTerms(config, numbers, rule, { insideOwnSp: false, toldBySp });
  const choice = ingress.choose(REMOTE, signalled, terms);
  return ingress.meaning(choice)?.protection ?? choice;
}

it('a neighbour of another SP is believed for its own SP’s next hops alone, never for ours', () => {
  expect(choose(undefined, 'own')).toBe('tunnel');
  expect(choose('b', 'own')).toBe(NOT_BELIEVED);
  // Its own ones meet the floor that holds for it.
  expect(choose('b', 'b')).not.toBe('tunnel');
  expect(choose('b', 'b')).not.toBe(NOT_BELIEVED);
});
