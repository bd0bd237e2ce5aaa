// SPDX-License-Identifier: Apache-2.0
/**
 * The IPsec Extended Community, as specified by docs/ipsec-extended-community.md:
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |  Type = 0x83  |   Sub-Type    | Res P |M|T|A|E|S| Crit|R E|I|G|
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |                           SP Number                           |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * Whatever is not understood makes the route harder to use, never easier.
 */

export type Protection = 'encrypt' | 'authenticate' | 'tunnel';
export type Encapsulation = 'gre' | 'ip';

/** What the communities of a route ask for, taken together. */
export interface IpsecMeaning {
  /** Acceptable ones, strongest first. None: the route cannot be used by those it is asked of. */
  readonly protections: readonly Protection[];
  readonly encapsulations: readonly Encapsulation[];
  /** Asked only of ingresses outside the SP of this number; undefined: of all. */
  readonly onlyOutsideSp: number | undefined;
  /** Who already sends plain MPLS may go on until its SA is there: during a change alone. */
  readonly alsoMpls?: true;
}

export interface IpsecCommunityFormat {
  /** Whether it is an IPsec Extended Community, understood or not. */
  is(community: bigint): boolean;
  /** undefined: there is none among them. */
  read(communities: readonly bigint[]): IpsecMeaning | undefined;
  /** Throws RangeError for an SP number that is not of 32 bits or is 0. */
  write(meaning: IpsecMeaning): bigint;
}

export const IPSEC_TYPE = 0x83;
/** Of the values for experiments none is assigned; a network may choose another. */
export const DEFAULT_IPSEC_SUBTYPE = 0x49;

const PROTECTIONS: readonly (readonly [Protection, number])[] = [
  ['encrypt', 0x01],
  ['authenticate', 0x02],
  ['tunnel', 0x04],
];
const ENCAPSULATIONS: readonly (readonly [Encapsulation, number])[] = [
  ['gre', 0x01],
  ['ip', 0x02],
];
/** Of octet 2. */
const ALSO_MPLS = 0x08;
const SCOPED = 0x80;
/** Bits of octet 3 that change what the others mean: whoever does not know them must not guess. */
const CRITICAL = 0x70;

const namesIn = <Name>(
  table: readonly (readonly [Name, number])[],
  bits: number,
): readonly Name[] => table.filter(([, bit]) => (bits & bit) !== 0).map(([name]) => name);

const bitsOf = <Name>(
  table: readonly (readonly [Name, number])[],
  names: readonly Name[],
): number => table.reduce((bits, [name, bit]) => bits | (names.includes(name) ? bit : 0), 0);

const NOT_USABLE: IpsecMeaning = { protections: [], encapsulations: [], onlyOutsideSp: undefined };

/** One copy alone. The scope counts even where nothing can be used: it says who is asked. */
function meaningOf(community: bigint): IpsecMeaning {
  const flags = Number((community >> 32n) & 0xffn);
  const sp = Number(community & 0xffffffffn);
  // What a critical bit says may well be about the scope.
  if ((flags & CRITICAL) !== 0) return NOT_USABLE;
  const onlyOutsideSp = (flags & SCOPED) !== 0 && sp !== 0 ? sp : undefined;
  const alternatives = Number((community >> 40n) & 0xffn);
  const protections = namesIn(PROTECTIONS, alternatives);
  const encapsulations = namesIn(ENCAPSULATIONS, flags);
  const also = (alternatives & ALSO_MPLS) !== 0 ? ALSO : undefined;
  return usable({ protections, encapsulations, onlyOutsideSp, ...also });
}

const ALSO = { alsoMpls: true } as const;

/** Without an encapsulation no packet can be sent under any protection, and there is nothing to change to. */
function usable(meaning: IpsecMeaning): IpsecMeaning {
  const { protections, encapsulations, onlyOutsideSp } = meaning;
  if (protections.length > 0 && encapsulations.length > 0) return meaning;
  return { protections: [], encapsulations: [], onlyOutsideSp };
}

/** Both must be satisfied; the scope stays only when both have the same. */
function both(a: IpsecMeaning, b: IpsecMeaning): IpsecMeaning {
  return usable({
    protections: a.protections.filter((each) => b.protections.includes(each)),
    encapsulations: a.encapsulations.filter((each) => b.encapsulations.includes(each)),
    onlyOutsideSp: a.onlyOutsideSp === b.onlyOutsideSp ? a.onlyOutsideSp : undefined,
    ...(a.alsoMpls === true && b.alsoMpls === true && ALSO),
  });
}

/** The format with a network's sub-type. Throws RangeError when that is not an octet. */
export function ipsecCommunityFormat(subType = DEFAULT_IPSEC_SUBTYPE): IpsecCommunityFormat {
  if (!Number.isInteger(subType) || subType < 0 || subType > 255) {
    throw new RangeError(`sub-type ${subType}`);
  }
  const head = BigInt(IPSEC_TYPE * 256 + subType);
  const is = (community: bigint): boolean => community >> 48n === head;
  return {
    is,
    read(communities) {
      const ours = communities.filter(is).map(meaningOf);
      return ours.length === 0 ? undefined : ours.reduce(both);
    },
    write({ protections, encapsulations, onlyOutsideSp, alsoMpls = false }) {
      if (onlyOutsideSp !== undefined && !isSpNumber(onlyOutsideSp)) {
        throw new RangeError(`SP number ${onlyOutsideSp}`);
      }
      const scope = onlyOutsideSp === undefined ? 0 : SCOPED;
      const first = bitsOf(PROTECTIONS, protections) | (alsoMpls ? ALSO_MPLS : 0);
      const second = bitsOf(ENCAPSULATIONS, encapsulations) | scope;
      const octets = BigInt(first * 256 + second);
      return (head << 48n) | (octets << 32n) | BigInt(onlyOutsideSp ?? 0);
    },
  };
}

const isSpNumber = (value: number): boolean =>
  Number.isInteger(value) && value > 0 && value <= 0xffffffff;

/**
 * "ipsec:encrypt,authenticate:gre,ip", with ":outside=65001" behind for a scope. Where nothing is acceptable
 * "ipsec:none".
 */
export function formatIpsec(meaning: IpsecMeaning): string {
  const { protections, encapsulations, onlyOutsideSp, alsoMpls } = meaning;
  const scope = onlyOutsideSp === undefined ? '' : `:outside=${onlyOutsideSp}`;
  if (protections.length === 0) return `ipsec:none${scope}`;
  const also = alsoMpls === true ? ',mpls' : '';
  return `ipsec:${protections.join(',')}${also}:${encapsulations.join(',')}${scope}`;
}

/** Reads what formatIpsec writes, but for "none": that is nothing to ask for. undefined: malformed. */
export function parseIpsec(text: string): IpsecMeaning | undefined {
  const [word, first = '', second = '', third, ...rest] = text.split(':');
  const also = /.,mpls$/.test(first) ? ALSO : undefined;
  const protections = namesOf(PROTECTIONS, also === undefined ? first : first.slice(0, -5));
  const encapsulations = namesOf(ENCAPSULATIONS, second);
  if (word !== 'ipsec' || rest.length > 0) return undefined;
  if (protections === undefined || encapsulations === undefined) return undefined;
  if (third === undefined) {
    return { protections, encapsulations, onlyOutsideSp: undefined, ...also };
  }
  const sp = /^outside=([1-9][0-9]{0,9})$/.exec(third)?.[1];
  const onlyOutsideSp = sp === undefined ? 0 : Number(sp);
  return isSpNumber(onlyOutsideSp)
    ? { protections, encapsulations, onlyOutsideSp, ...also }
    : undefined;
}

/** Names separated by commas, each once, as they stand in the table. */
function namesOf<Name extends string>(
  table: readonly (readonly [Name, number])[],
  text: string,
): readonly Name[] | undefined {
  const words = text.split(',');
  const known = table.map(([name]) => name).filter((name) => words.includes(name));
  return known.length === words.length ? known : undefined;
}
