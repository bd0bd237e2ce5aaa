// SPDX-License-Identifier: Apache-2.0
/** What proposals of IKE and of ESP have in common: transforms by type, and the choice among them. */
import type { Proposal } from '../codec/payloads/security-association.js';
import type { Transform } from '../codec/payloads/transform.js';
import { keMethodById, type KeMethodId } from '../crypto/algorithms.js';
import { KE_NONE } from './types.js';

/** Transform types (RFC 7296 §3.3.2, RFC 9370 §2.2.1). */
export const TYPE = { encr: 1, prf: 2, integ: 3, ke: 4, esn: 5, addke1: 6, addke7: 12 } as const;
/** Protocol IDs (RFC 7296 §3.3.1). */
export const PROTOCOL = { ike: 1, esp: 3 } as const;
/** AUTH NONE: as good as no transform of type 3 beside an AEAD (RFC 7296 §3.3). */
export const INTEG_NONE = 0;
/** ADDKE1 to ADDKE7. */
export const MOST_ADDITIONAL = 7;

/** A key exchange method, or none at a place where it is optional. */
export type Ke = KeMethodId | typeof KE_NONE;

export const transform = (type: number, id: number, keyLength?: number): Transform => ({
  type,
  id,
  attributes: [],
  ...(keyLength === undefined ? {} : { keyLength }),
});

/** An algorithm as one number: its ID, and the key length where one is said. */
export const algorithm = (id: number, keyBits?: number): number =>
  keyBits === undefined ? id : id + 65_536 * (keyBits + 1);

/** A proposal's algorithms by type. */
export type ByType = ReadonlyMap<number, ReadonlySet<number>>;

/**
 * A proposal by type. Transforms with attributes that nobody here knows must not be chosen (RFC 7296 §3.3.6) and are
 * left out; their type stays, so that a proposal of only such ones is not taken for one without the type.
 */
export function byType(proposal: Proposal): ByType {
  const types = new Map<number, Set<number>>();
  for (const { type, id, keyLength, attributes } of proposal.transforms) {
    const known = types.get(type) ?? new Set<number>();
    if (attributes.length === 0) known.add(algorithm(id, keyLength));
    types.set(type, known);
  }
  return types;
}

/** Whether a proposal has only these types; any other makes it unusable (RFC 7296 §3.3.6). */
export const hasOnly = (types: ByType, allowed: ReadonlySet<number>): boolean =>
  [...types.keys()].every((type) => allowed.has(type));

const NONE: ReadonlySet<number> = new Set([KE_NONE]);

/** What an offer has at KE and ADDKE1 to 7: a type that is missing is NONE there. */
export const offeredKe = (types: ByType): readonly ReadonlySet<number>[] =>
  KE_TYPES.map((type) => types.get(type) ?? NONE);

/** KE, then ADDKE1 to 7. */
export const KE_TYPES: readonly number[] = [TYPE.ke, 6, 7, 8, 9, 10, 11, 12];

/** Our methods at KE and ADDKE1 to 7, each in order of preference. */
export const ownKe = (
  ke: readonly Ke[],
  additional: readonly (readonly Ke[])[],
): readonly (readonly Ke[])[] =>
  KE_TYPES.map((_, place) => {
    const methods = place === 0 ? ke : (additional[place - 1] ?? []);
    return methods.length === 0 ? [KE_NONE] : methods;
  });

/**
 * One method for each place, none twice but NONE (RFC 9370 §2.2.1), and nothing behind a KE of NONE. Earlier places
 * weigh more: the first answer in the order of `ours`. undefined: there is none.
 *
 * Dead ends are remembered, by place and methods in use, so that no offer costs more than places times sets of methods.
 */
export function chooseKe(
  ours: readonly (readonly Ke[])[],
  offered: readonly ReadonlySet<number>[],
): readonly Ke[] | undefined {
  const chosen: Ke[] = [];
  const dead = new Set<string>();
  const from = (place: number): boolean => {
    if (place === ours.length) return true;
    const state = `${place}:${[...chosen].sort((a, b) => a - b).join()}`;
    if (dead.has(state)) return false;
    for (const method of ours[place] ?? []) {
      if (offered[place]?.has(method) !== true) continue;
      if (method !== KE_NONE && (chosen.includes(method) || chosen[0] === KE_NONE)) continue;
      chosen.push(method);
      if (from(place + 1)) return true;
      chosen.pop();
    }
    dead.add(state);
    return false;
  };
  return from(0) ? chosen : undefined;
}

/** The ADDKEs of a choice that are not NONE. */
export const additionalOf = (
  chosen: readonly Ke[],
): readonly { readonly place: number; readonly method: KeMethodId }[] =>
  chosen.flatMap((method, place) => (place === 0 || method === KE_NONE ? [] : [{ place, method }]));

/** Transforms of KE and ADDKEs, of an offer. */
export const keTransforms = (
  ke: readonly Ke[],
  additional: readonly (readonly Ke[])[],
): readonly Transform[] =>
  [ke, ...additional].flatMap((methods, place) =>
    methods.map((method) => transform(KE_TYPES[place] ?? TYPE.ke, method)),
  );

/** Types for which an offer said NONE, chosen as NONE: they have to be in the answer (RFC 7296 §3.3.6). */
export const chosenNone = (types: ByType, kes: readonly Ke[], isAead: boolean): number[] => [
  ...(isAead && types.has(TYPE.integ) ? [TYPE.integ] : []),
  ...KE_TYPES.filter((type, place) => types.has(type) && kes[place] === KE_NONE),
];

/**
 * An answer's transforms by type. A reason instead when there are two of a type, or one of a type or with attributes
 * that we cannot have offered.
 */
export function single(
  { transforms }: Proposal,
  allowed: ReadonlySet<number>,
): ReadonlyMap<number, number> | string {
  const found = new Map<number, number>();
  for (const { type, id, keyLength, attributes } of transforms) {
    if (!allowed.has(type)) return `transform type ${type} was not offered`;
    if (found.has(type)) return `more than one transform of type ${type}`;
    if (attributes.length > 0) return `transform of type ${type} with attributes not offered`;
    found.set(type, algorithm(id, keyLength));
  }
  return found;
}

/** KE and ADDKEs of an answer, each one of those offered at its place. A reason when they are not. */
export function concludedKe(
  answer: ReadonlyMap<number, number>,
  ours: readonly (readonly Ke[])[],
): readonly Ke[] | string {
  const chosen: Ke[] = [];
  for (const [place, type] of KE_TYPES.entries()) {
    const id = answer.get(type) ?? KE_NONE;
    const method = ours[place]?.find((one) => one === id);
    if (method === undefined) {
      const name = keMethodById(id)?.name ?? String(id);
      const what = answer.has(type) ? `key exchange method ${name}` : 'no key exchange';
      return `${what} for transform type ${type} was not offered`;
    }
    if (method !== KE_NONE && chosen.includes(method)) return 'a key exchange method twice';
    if (method !== KE_NONE && chosen[0] === KE_NONE) return 'additional key exchange without KE';
    chosen.push(method);
  }
  return chosen;
}
