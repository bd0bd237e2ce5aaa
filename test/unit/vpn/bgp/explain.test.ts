// SPDX-License-Identifier: Apache-2.0
/** What explain says of an import is what was decided: the same functions, the same terms. */
import { describe, expect, it } from 'vitest';
import { ipsecCommunityFormat } from '../../../../src/bgp/codec/communities/ipsec.js';
import type { PathAttributes } from '../../../../src/bgp/codec/types.js';
import type { RouteView } from '../../../../src/bgp/rib/query.js';
import type { Config } from '../../../../src/config/types.js';
import { parseRouteTarget } from '../../../../src/lib/bgp-words.js';
import { parseAddress } from '../../../../src/lib/ip.js';
import { explainImport } from '../../../../src/vpn/bgp/explain.js';
import { Ingress } from '../../../../src/vpn/bgp/ingress.js';
import { capability } from './capable.js';

const ipsec = ipsecCommunityFormat();
const TARGET = parseRouteTarget('65001:100')!;

const config = (imported: object): Config => ({
  ...{ instance: 'pe1', ownSp: 'own', core: { tunnelAddresses: ['192.0.2.1'] }, interfaces: {} },
  vrfs: {
    A: { bgp: { rd: '65001:1', imports: [{ name: 'r', targets: ['65001:100'], ...imported }] } },
  },
});

function route(nextHop: string, communities: readonly bigint[]): RouteView {
  const attributes = {
    ...{ nextHop: parseAddress(nextHop)!, extendedCommunities: communities },
  } as unknown as PathAttributes;
  return {
    judged: () => attributes,
    insideOwnSp: () => false,
    toldBySp: () => undefined,
  } as unknown as RouteView;
}

const asks = (...protections: readonly ('encrypt' | 'authenticate')[]): bigint =>
  ipsec.write({ protections, encapsulations: ['gre'], onlyOutsideSp: undefined });

const explain = (imported: object, nextHop: string, communities: readonly bigint[]) =>
  explainImport(
    { config: config(imported), ingress: new Ingress(capability()), ipsec },
    'A',
    route(nextHop, communities),
  );

describe('why an import is sent the way it is', () => {
  it('names rule, SP, floor, what was chosen, and why not the rest', () => {
    const found = explain({}, '192.0.2.2', [TARGET, asks('authenticate', 'encrypt')]);
    expect(found).toMatchObject({ rule: 'r', fromSps: ['own'], sp: 'own', floor: 'mpls' });
    expect(found?.chosen).toEqual({ protection: 'encrypt', encapsulation: 'gre' });
    const refused = found?.alternatives.map((one) => [
      one.protection,
      one.encapsulation,
      one.refused,
    ]);
    expect(refused).toContainEqual(['authenticate', 'gre', undefined]);
    expect(refused).toContainEqual(['encrypt', 'ip', 'not an encapsulation the egress accepts']);
    expect(refused).toContainEqual(['tunnel', 'gre', 'not accepted by the egress']);
  });

  it('says why nothing is chosen', () => {
    const below = explain({ floor: 'encrypt' }, '192.0.2.2', [TARGET, asks('authenticate')]);
    expect(below?.chosen).toBeUndefined();
    expect(below?.why).toMatch(/floor/);
    const other = explain({ fromSps: ['other'] }, '192.0.2.2', [TARGET, asks('encrypt')]);
    expect(other?.why).toMatch(/SP that the import rule does not accept/);
    expect(explain({}, '192.0.2.1', [TARGET])?.why).toBe('the next hop is an address of our own');
  });

  it('has nothing to say of a route that no rule takes', () => {
    expect(explain({}, '192.0.2.2', [asks('encrypt')])).toBeUndefined();
  });
});
