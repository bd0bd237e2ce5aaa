// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { NOT_BELIEVED } from '../../../../src/bgp/rib/api.js';
import type { Encapsulation, Protection } from '../../../../src/config/types.js';
import {
  type ImportTerms,
  Ingress,
  NO_TUNNEL,
  NOTHING_SIGNALLED,
  OUTSIDE_RANGES,
  OWN_ADDRESS,
  type Signalled,
  type TunnelChoice,
} from '../../../../src/vpn/bgp/ingress.js';
import { type Able, capability, OWN, REMOTE, TERMS } from './capable.js';

const way = (
  protection: Protection,
  encapsulation: Encapsulation | 'none' = 'gre',
): TunnelChoice => ({ protection, encapsulation });
const E = way('encrypt');
const A = way('authenticate', 'ip');
const T = way('tunnel');
const M = way('mpls', 'none');

/** The way chosen, in words, or the number that says why there is none. */
function choose(
  able: Able,
  signalled: Signalled,
  terms: Partial<ImportTerms> = {},
  remote = REMOTE,
): string | number {
  const ingress = new Ingress(capability(able));
  const choice = ingress.choose(remote, signalled, { ...TERMS, ...terms });
  const meaning = ingress.meaning(choice);
  return meaning === undefined ? choice : `${meaning.protection}/${meaning.encapsulation}`;
}

type Asked = 'encrypt' | 'authenticate' | 'tunnel';
const only = (...protections: readonly Asked[]): Signalled => ({
  protections,
  encapsulations: ['gre', 'ip'],
});
const floor = (protection: Protection): Partial<ImportTerms> => ({ floor: () => protection });

describe('what protects packets towards a VPN route', () => {
  it('is the strongest of what the egress accepts and we are capable of (policy-model 8)', () => {
    expect(choose({}, only('tunnel', 'authenticate', 'encrypt'))).toBe('encrypt/gre');
    expect(choose({}, only('tunnel', 'authenticate'))).toBe('authenticate/gre');
    expect(choose({}, only('tunnel'))).toBe('tunnel/gre');
    expect(choose({ can: [A, T] }, only('tunnel', 'authenticate', 'encrypt'))).toBe(
      'authenticate/ip',
    );
  });

  it('is in the import rule’s order, and nothing that the rule leaves out', () => {
    const either = only('authenticate', 'encrypt');
    expect(choose({}, either, { protections: ['authenticate', 'encrypt'] })).toBe(
      'authenticate/gre',
    );
    expect(choose({}, either, { protections: ['authenticate'] })).toBe('authenticate/gre');
    expect(choose({}, only('encrypt'), { protections: ['authenticate'] })).toBe(NO_TUNNEL);
  });

  it('is never weaker than what the egress asks for, nor of another encapsulation', () => {
    expect(choose({ can: [T, M] }, only('encrypt'))).toBe(NO_TUNNEL);
    expect(choose({ can: [A], configured: [T] }, only('encrypt'))).toBe(NO_TUNNEL);
    const gre: Signalled = { protections: ['authenticate'], encapsulations: ['gre'] };
    expect(choose({ can: [E, A, T] }, gre)).toBe(NO_TUNNEL);
    // A label switched path is no alternative to any of them.
    expect(choose({ can: [M] }, only('tunnel'))).toBe(NO_TUNNEL);
  });

  it('is never below the floor (policy-model 7)', () => {
    expect(choose({}, only('tunnel'), floor('encrypt'))).toBe(NO_TUNNEL);
    expect(choose({}, only('tunnel', 'encrypt'), floor('encrypt'))).toBe('encrypt/gre');
    expect(choose({ can: [T, M] }, NOTHING_SIGNALLED, floor('authenticate'))).toBe(NO_TUNNEL);
    const unsignalled = { unsignalled: 'tunnel' as const, ...floor('encrypt') };
    expect(choose({}, NOTHING_SIGNALLED, unsignalled)).toBe(NO_TUNNEL);
  });

  it('is plain MPLS when nothing is asked for, unless floor or local policy say more (P1, P4)', () => {
    expect(choose({}, NOTHING_SIGNALLED)).toBe('mpls/none');
    expect(choose({}, NOTHING_SIGNALLED, floor('encrypt'))).toBe('encrypt/gre');
    expect(choose({}, NOTHING_SIGNALLED, { unsignalled: 'authenticate' })).toBe('authenticate/gre');
    expect(choose({ configured: [A, T] }, NOTHING_SIGNALLED)).toBe('authenticate/ip');
    expect(choose({ configured: [T] }, NOTHING_SIGNALLED, { unsignalled: 'mpls' })).toBe(
      'mpls/none',
    );
    expect(choose({ can: [T] }, NOTHING_SIGNALLED)).toBe(NO_TUNNEL);
  });

  it('is a tunnel when the route names an encapsulation and no protection (RFC 9012)', () => {
    const ip: Signalled = { protections: undefined, encapsulations: ['ip'] };
    expect(choose({}, ip)).toBe('tunnel/ip');
    expect(choose({}, ip, floor('encrypt'))).toBe('encrypt/ip');
    expect(choose({ configured: [E] }, ip)).toBe(NO_TUNNEL);
  });

  it('is nothing when the egress accepts nothing', () => {
    expect(choose({}, { protections: [], encapsulations: [] })).toBe(NO_TUNNEL);
  });

  it('is nothing for an SP that the import rule does not name (policy-model 10)', () => {
    const spOf = (): string => 'b';
    expect(choose({ spOf }, only('encrypt'))).toBe(NOT_BELIEVED);
    expect(choose({ spOf }, only('encrypt'), { fromSps: ['own', 'b'] })).toBe('encrypt/gre');
  });

  it('is nothing outside all SPs’ ranges, nor to ourselves', () => {
    expect(choose({ spOf: () => undefined }, only('encrypt'))).toBe(OUTSIDE_RANGES);
    expect(choose({}, only('encrypt'), {}, OWN)).toBe(OWN_ADDRESS);
  });
});

describe('a scope: only if the ingress is outside an SP', () => {
  const scoped: Signalled = { ...only('encrypt'), onlyOutsideSp: 65001 };
  const inside = { scope: { ownSp: 'own', ownSpNumber: 65001, insideOwnSp: true } };

  it('leaves us out when it names our own SP, of a route that began inside it (policy-model 9)', () => {
    expect(choose({}, scoped, inside)).toBe('mpls/none');
    expect(choose({}, scoped, { ...inside, unsignalled: 'encrypt' })).toBe('encrypt/gre');
    expect(choose({}, scoped, { ...inside, ...floor('authenticate') })).toBe('authenticate/gre');
  });

  it('is not there otherwise: more is protected than was asked for', () => {
    expect(choose({}, scoped)).toBe('encrypt/gre');
    expect(choose({}, { ...scoped, onlyOutsideSp: 65002 }, inside)).toBe('encrypt/gre');
    expect(choose({}, only('encrypt'), inside)).toBe('encrypt/gre');
    // Whatever BGP says: its next hop is another SP's, or we do not know our own number.
    const other = { ...inside, fromSps: ['own', 'b'] };
    expect(choose({ spOf: () => 'b' }, scoped, other)).toBe('encrypt/gre');
    const nameless = { scope: { ...inside.scope, ownSpNumber: undefined } };
    expect(choose({}, only('encrypt'), nameless)).toBe('encrypt/gre');
  });
});

describe('the rank of a choice', () => {
  const ingress = new Ingress(capability());
  const of = (protection: Asked, preferProtected = true): number =>
    ingress.choose(REMOTE, only(protection), { ...TERMS, preferProtected });

  it('lets a protected path win (policy-model 12)', () => {
    expect(ingress.rank(of('encrypt'))).toBeGreaterThan(ingress.rank(of('authenticate')));
    expect(ingress.rank(of('authenticate'))).toBeGreaterThan(ingress.rank(of('tunnel')));
    const mpls = ingress.choose(REMOTE, NOTHING_SIGNALLED, TERMS);
    expect(ingress.rank(mpls)).toBe(ingress.rank(of('tunnel')));
    // But never used together.
    expect(ingress.strength(mpls)).not.toBe(ingress.strength(of('tunnel')));
    expect(ingress.why(NO_TUNNEL)).toMatch(/acceptable to the egress/);
    expect(ingress.rank(NO_TUNNEL)).toBe(0);
    expect(ingress.strength(NO_TUNNEL)).toBe(0);
  });

  it('is no reason to prefer a path where the import rule says so (policy-model 12)', () => {
    const all = (['encrypt', 'authenticate', 'tunnel'] as const).map((protection) => ({
      ranked: of(protection),
      unranked: of(protection, false),
    }));
    expect(new Set(all.map(({ unranked }) => ingress.rank(unranked))).size).toBe(1);
    // Never before a path that a rule prefers for its protection.
    expect(ingress.rank(all[0]!.unranked)).toBeLessThan(ingress.rank(all[1]!.ranked));
    expect(new Set(all.map(({ unranked }) => ingress.strength(unranked))).size).toBe(3);
    for (const { ranked, unranked } of all) {
      expect(ingress.strength(unranked)).toBe(ingress.strength(ranked));
      expect(ingress.meaning(unranked)).toBe(ingress.meaning(ranked));
      expect(ingress.why(unranked)).toBeUndefined();
    }
  });

  it('does not lift the floor', () => {
    const terms = { preferProtected: false, ...floor('encrypt') };
    expect(choose({}, only('tunnel'), terms)).toBe(NO_TUNNEL);
    expect(choose({}, only('tunnel', 'encrypt'), terms)).toBe('encrypt/gre');
  });
});

it('says of every way why it is not taken', () => {
  const ingress = new Ingress(capability({ can: [E, T] }));
  const signalled: Signalled = { protections: ['authenticate', 'tunnel'], encapsulations: ['gre'] };
  const terms = { ...TERMS, ...floor('authenticate') };
  const told = ingress
    .alternatives(REMOTE, 'own', signalled, terms)
    .map(({ protection, encapsulation, refused }) => [`${protection}/${encapsulation}`, refused]);
  expect(told).toEqual([
    ['encrypt/gre', 'not accepted by the egress'],
    ['encrypt/ip', 'not accepted by the egress'],
    ['authenticate/gre', 'not capable of it'],
    ['authenticate/ip', 'not an encapsulation the egress accepts'],
    ['tunnel/gre', 'below the floor, authenticate'],
    ['tunnel/ip', 'not an encapsulation the egress accepts'],
    ['mpls/none', 'not accepted by the egress'],
  ]);
});

describe('what a row of now may go on with until the new way is up (policy-model 24)', () => {
  const stay = (signalled: Signalled, old: TunnelChoice, able: Able = {}): string | undefined => {
    const ingress = new Ingress(capability(able));
    return ingress.whileWaiting(ingress.choose(REMOTE, signalled, TERMS), old);
  };
  const A_GRE = way('authenticate');
  const T_IP = way('tunnel', 'ip');

  it('is a weaker protection that the egress names, in an encapsulation that it names', () => {
    const either = only('encrypt', 'authenticate', 'tunnel');
    for (const old of [A, A_GRE, T, T_IP]) expect(stay(either, old)).toBe('new label');
    for (const encapsulation of ['gre', 'ip'] as const) {
      const one: Signalled = { ...either, encapsulations: [encapsulation] };
      const isNamed = (old: TunnelChoice): boolean => old.encapsulation === encapsulation;
      for (const old of [A, A_GRE, T, T_IP]) {
        expect([old, stay(one, old)]).toEqual([old, isNamed(old) ? 'new label' : undefined]);
      }
    }
    expect(stay(only('encrypt', 'tunnel'), A_GRE)).toBeUndefined();
  });

  it('is plain MPLS where that may go on, whatever is encapsulated how', () => {
    const one: Signalled = { protections: ['encrypt'], encapsulations: ['ip'], alsoMpls: true };
    expect(stay(one, M)).toBe('new label');
    expect(stay(one, T_IP)).toBeUndefined();
  });

  it('is the old label where the protection is no weaker', () => {
    const one: Signalled = { protections: ['authenticate'], encapsulations: ['ip'] };
    expect(stay(one, E)).toBe('old label');
    expect(stay(one, T_IP)).toBeUndefined();
  });

  it('no number of a choice is one of those that say why there is none', () => {
    const protections = [['encrypt'], ['encrypt', 'tunnel'], ['encrypt', 'authenticate', 'tunnel']];
    const encapsulations: readonly Encapsulation[][] = [['gre'], ['ip'], ['gre', 'ip']];
    for (const asked of protections as Asked[][]) {
      for (const inside of encapsulations) {
        for (const preferProtected of [true, false]) {
          const ingress = new Ingress(capability({}));
          const signalled = { protections: asked, encapsulations: inside, alsoMpls: true as const };
          const choice = ingress.choose(REMOTE, signalled, { ...TERMS, preferProtected });
          expect(ingress.why(choice)).toBeUndefined();
          const meaning = { protection: 'encrypt', encapsulation: inside[0] };
          expect(ingress.meaning(choice)).toEqual(meaning);
          expect(choice).toBeLessThan(OWN_ADDRESS);
        }
      }
    }
  });
});
