// SPDX-License-Identifier: Apache-2.0
/**
 * How packets towards a VPN route are protected (P1, P4, P6, policy-model 7-10): chosen from what the egress signalled,
 * the floor, and what this PE is capable of and configured for. Nothing that happens later weakens the choice: a tunnel
 * that is down makes the route unusable.
 *
 *   community              ways that may be used
 *   a set                  those it names
 *   an empty set           none
 *   none, or its scope     what the import rule says for such routes (`unsignalled`), else the configured tunnels to
 *   leaves us out          the next hop, else the floor: plain MPLS inside our own SP unless it is higher
 *
 * Of those at or above the floor that this PE is capable of, the first in the order of the import rule is taken: by
 * default the strongest; MPLS-in-GRE before MPLS-in-IP. A scope ("only outside SP n") is honoured when n is our own SP
 * and the route began inside it (policy-model 9); otherwise it is as if it were not there.
 */
import { NOT_BELIEVED, UNFIT_LABEL } from '../../bgp/rib/api.js';
import type { Encapsulation, Protection } from '../../config/types.js';
import { formatAddress } from '../../lib/ip.js';
import type { Capability } from './capability.js';

type Asked = Exclude<Protection, 'mpls'>;

/** What a route says, all its communities taken together. */
export interface Signalled {
  /** undefined: it asks for no protection. */
  readonly protections: readonly Asked[] | undefined;
  /** undefined: it names none. */
  readonly encapsulations: readonly Encapsulation[] | undefined;
  /** SP number inside which nothing is asked for. */
  readonly onlyOutsideSp?: number | undefined;
  /** Plain MPLS may go on until the SA that is asked for is there. */
  readonly alsoMpls?: true;
}

/** A route that says nothing. */
export const NOTHING_SIGNALLED: Signalled = { protections: undefined, encapsulations: undefined };

export interface ImportTerms {
  /** Weakest protection used, by the SP of the next hop. */
  readonly floor: (sp: string) => Protection;
  /** SPs believed (policy-model 10). */
  readonly fromSps: readonly string[];
  /** Whether a better protected path goes before BGP's own comparison (policy-model 12). */
  readonly preferProtected: boolean;
  /** Protections used where the egress leaves a choice, the first first. */
  readonly protections: readonly Asked[];
  /** Used for routes that ask for nothing; undefined: see above. */
  readonly unsignalled: Protection | undefined;
  /** A scope that names our own SP is honoured for routes that began inside it. */
  readonly scope: {
    readonly ownSp: string;
    readonly ownSpNumber: number | undefined;
    /** As far as BGP tells; the next hop has to be our own SP's as well. */
    readonly insideOwnSp: boolean;
  };
}

const RANK: Readonly<Record<Protection, number>> = {
  encrypt: 3,
  authenticate: 2,
  tunnel: 1,
  mpls: 1,
};

/** Different for each: paths of different protection are never used together (policy-model 12). */
const STRENGTH: Readonly<Record<Protection, number>> = {
  encrypt: 4,
  authenticate: 3,
  tunnel: 2,
  mpls: 1,
};

export interface TunnelChoice {
  readonly protection: Protection;
  readonly encapsulation: Encapsulation | 'none';
}

/** Number of a choice in the RIB, in its lowest three bits: index into this, + 1. */
export const CHOICES: readonly TunnelChoice[] = [
  { protection: 'encrypt', encapsulation: 'gre' },
  { protection: 'encrypt', encapsulation: 'ip' },
  { protection: 'authenticate', encapsulation: 'gre' },
  { protection: 'authenticate', encapsulation: 'ip' },
  { protection: 'tunnel', encapsulation: 'gre' },
  { protection: 'tunnel', encapsulation: 'ip' },
  { protection: 'mpls', encapsulation: 'none' },
];

const INDEX = 0x07;
/** The other bits of a number. Its protection is no reason to prefer the choice. */
const UNRANKED = 0x10;
/** Weaker protections that the egress takes as well, in the encapsulation of the choice... */
const ALSO: readonly (readonly [Protection, number])[] = [
  ['authenticate', 0x20],
  ['tunnel', 0x40],
  ['mpls', 0x80],
];
/** ...and in the other one, too. */
const EITHER = 0x08;
/** As the weakest ranks: such a path never goes before one that an import rule prefers for its protection. */
const UNRANKED_RANK = 1;

const MPLS: TunnelChoice = { protection: 'mpls', encapsulation: 'none' };

/** Of the ways that are allowed, what the number of the best one says of weaker ones. */
function alsoBits(best: TunnelChoice, allowed: readonly TunnelChoice[]): number {
  const other = best.encapsulation === 'gre' ? 'ip' : 'gre';
  const has = (protection: Protection, encapsulation: TunnelChoice['encapsulation']): boolean =>
    allowed.some((one) => isSame(one, { protection, encapsulation }));
  const weaker = ALSO.filter(
    ([one]) =>
      STRENGTH[one] < STRENGTH[best.protection] &&
      (one === 'mpls' ? has('mpls', 'none') : has(one, best.encapsulation)),
  );
  const tunnelled = weaker.filter(([one]) => one !== 'mpls');
  const either = tunnelled.length > 0 && tunnelled.every(([one]) => has(one, other));
  return weaker.reduce((bits, [, bit]) => bits | bit, either ? EITHER : 0);
}

/** Numbers that say why there is no way. The routes are kept, unusable, so that `show` can say so. */
export const NO_TUNNEL = 254;
export const OUTSIDE_RANGES = 252;
export const OWN_ADDRESS = 251;

const WHY: ReadonlyMap<number, string> = new Map([
  [UNFIT_LABEL, 'its label is reserved, or there are several: no tunnel can carry that'],
  [NO_TUNNEL, 'no way to the next hop is acceptable to the egress, the floor and this PE'],
  [NOT_BELIEVED, 'the next hop belongs to an SP that the import rule does not accept'],
  [OUTSIDE_RANGES, 'the next hop lies outside the tunnel address ranges of every SP'],
  [OWN_ADDRESS, 'the next hop is an address of our own'],
]);

/** One way of sending to a next hop, and whether it may be used. */
export interface Alternative extends TunnelChoice {
  /** Why not; undefined: it may. */
  readonly refused: string | undefined;
}

export class Ingress {
  readonly #capability: Capability;

  constructor(capability: Capability) {
    this.#capability = capability;
  }

  /** Number of the choice for a next hop (4 or 16 octets). */
  choose(nextHop: Uint8Array, signalled: Signalled, terms: ImportTerms): number {
    if (this.#capability.isOwn(nextHop)) return OWN_ADDRESS;
    const sp = this.#capability.spOf(formatAddress(nextHop));
    if (sp === undefined) return OUTSIDE_RANGES;
    if (!terms.fromSps.includes(sp)) return NOT_BELIEVED;
    const allowed = this.alternatives(nextHop, sp, signalled, terms).filter(
      ({ refused }) => refused === undefined,
    );
    const [best] = allowed;
    if (best === undefined) return NO_TUNNEL;
    const number = 1 + CHOICES.findIndex((one) => isSame(one, best));
    const mpls = signalled.alsoMpls === true && this.#mayGoOnInMpls(nextHop, terms.floor(sp));
    const also = number | alsoBits(best, mpls ? [...allowed, MPLS] : allowed);
    return terms.preferProtected ? also : UNRANKED | also;
  }

  #mayGoOnInMpls(nextHop: Uint8Array, floor: Protection): boolean {
    const cannot = this.#capability.cannot(nextHop, 'mpls', 'none');
    return RANK.mpls >= RANK[floor] && cannot === undefined;
  }

  /**
   * How a route that is sent by `old` may go on being sent until the way chosen for it is up (policy-model 24):
   * by the label it has now, where the egress says that it takes the old protection in the old encapsulation too; where
   * that protection is no weaker than what was chosen, by the label it had. undefined: not at all.
   */
  whileWaiting(choice: number, old: TunnelChoice): 'new label' | 'old label' | undefined {
    const meaning = this.meaning(choice);
    if (meaning === undefined) return undefined;
    if (STRENGTH[old.protection] >= STRENGTH[meaning.protection]) return 'old label';
    const [, bit = 0] = ALSO.find(([one]) => one === old.protection) ?? [];
    const isIn =
      old.encapsulation === 'none' ||
      old.encapsulation === meaning.encapsulation ||
      (choice & EITHER) !== 0;
    return isIn && (choice & bit) !== 0 ? 'new label' : undefined;
  }

  /**
   * Whether there is a route, whatever it signals, that these terms send by this way: of rows of before a restart nobody
   * knows what theirs had said. undefined: the terms are of routes to other SPs' routers alone.
   */
  mayBe(nextHop: Uint8Array, way: TunnelChoice, terms: ImportTerms): boolean | undefined {
    if (this.#capability.isOwn(nextHop)) return false;
    const sp = this.#capability.spOf(formatAddress(nextHop));
    if (sp === undefined) return false;
    if (!terms.fromSps.includes(sp)) return undefined;
    return signalsFor(way).some((signalled) =>
      this.alternatives(nextHop, sp, signalled, terms).some(
        (one) => isSame(one, way) && one.refused === undefined,
      ),
    );
  }

  /** All ways of sending there, in the order of preference. `sp`: whose the next hop is. */
  alternatives(
    nextHop: Uint8Array,
    sp: string,
    signalled: Signalled,
    terms: ImportTerms,
  ): readonly Alternative[] {
    const floor = terms.floor(sp);
    const wanted = this.#wanted(nextHop, sp, signalled, terms);
    const order = [...terms.protections, ...ALL.filter((one) => !isIn(terms.protections, one))];
    return order.flatMap((protection) =>
      CHOICES.filter((choice) => choice.protection === protection).map((choice) => ({
        ...choice,
        refused:
          wanted(choice) ??
          (RANK[protection] < RANK[floor] ? `below the floor, ${floor}` : undefined) ??
          this.#capability.cannot(nextHop, protection, choice.encapsulation),
      })),
    );
  }

  /** Why a way is not what the route and the import rule ask for; undefined: it is. */
  #wanted(
    nextHop: Uint8Array,
    sp: string,
    signalled: Signalled,
    { scope, unsignalled, protections, ...terms }: ImportTerms,
  ): (choice: TunnelChoice) => string | undefined {
    const leftOut =
      scope.insideOwnSp &&
      sp === scope.ownSp &&
      signalled.onlyOutsideSp !== undefined &&
      signalled.onlyOutsideSp === scope.ownSpNumber;
    const asked = leftOut ? undefined : signalled.protections;
    const { encapsulations } = leftOut ? NOTHING_SIGNALLED : signalled;
    const wrongEncapsulation = ({ encapsulation }: TunnelChoice): string | undefined => {
      const fits = encapsulation !== 'none' && (encapsulations?.includes(encapsulation) ?? true);
      return fits ? undefined : 'not an encapsulation the egress accepts';
    };
    if (asked !== undefined) {
      return (choice) => {
        if (!isIn(asked, choice.protection)) return 'not accepted by the egress';
        if (!isIn(protections, choice.protection)) return 'not used by the import rule';
        return wrongEncapsulation(choice);
      };
    }
    const isConfigured = ({ protection, encapsulation }: TunnelChoice): boolean =>
      this.#capability.isConfigured(nextHop, protection, encapsulation);
    if (unsignalled === undefined && CHOICES.some(isConfigured)) {
      return (choice) => {
        if (!isConfigured(choice)) return 'other tunnels to the next hop are configured';
        return encapsulations === undefined ? undefined : wrongEncapsulation(choice);
      };
    }
    // An encapsulation that is named asks for a tunnel.
    const floor = terms.floor(sp);
    const least = floor === 'mpls' && encapsulations !== undefined ? 'tunnel' : floor;
    const use = unsignalled ?? least;
    return (choice) => {
      if (choice.protection !== use) return `the route asks for nothing, and ${use} is used then`;
      return use === 'mpls' ? undefined : wrongEncapsulation(choice);
    };
  }

  /** What a choice means; undefined: that there is no way, see {@link why}. */
  meaning(choice: number): TunnelChoice | undefined {
    return WHY.has(choice) ? undefined : CHOICES[(choice & INDEX) - 1];
  }

  /** Higher is preferred before BGP compares anything (policy-model 12). */
  rank(choice: number): number {
    const meaning = this.meaning(choice);
    if (meaning === undefined) return 0;
    return isUnranked(choice) ? UNRANKED_RANK : RANK[meaning.protection];
  }

  /** How strong the protection is, 0..4; paths of different strength are never used together. */
  strength(choice: number): number {
    const meaning = this.meaning(choice);
    return meaning === undefined ? 0 : STRENGTH[meaning.protection];
  }

  /** Why a choice is no way at all. */
  why(choice: number): string | undefined {
    return WHY.get(choice);
  }
}

const ALL: readonly Protection[] = ['encrypt', 'authenticate', 'tunnel', 'mpls'];

const isIn = (list: readonly Protection[], one: Protection): boolean => list.includes(one);

const isSame = (a: TunnelChoice, b: TunnelChoice): boolean =>
  a.protection === b.protection && a.encapsulation === b.encapsulation;

/** What routes may say that are sent by a way. */
function signalsFor({ protection, encapsulation }: TunnelChoice): readonly Signalled[] {
  if (encapsulation === 'none') return [NOTHING_SIGNALLED];
  const encapsulations = [encapsulation];
  const unasked = [NOTHING_SIGNALLED, { protections: undefined, encapsulations }];
  if (protection === 'mpls') return unasked;
  return [...unasked, { protections: [protection], encapsulations }];
}

const isUnranked = (choice: number): boolean => !WHY.has(choice) && (choice & UNRANKED) !== 0;
