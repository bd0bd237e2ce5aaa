// SPDX-License-Identifier: Apache-2.0
/**
 * How packets towards a VPN route are protected (P4, P6, policy-model 7-10): chosen from what the egress
 * signalled, the floor of the VRF, and the tunnels there are to the next hop. Nothing that happens later
 * weakens the choice: a tunnel that is down makes the route unusable.
 *
 *   community          tunnels that may be used
 *   none               any to the next hop, at or above the floor (P4: IPsec unasked is allowed)
 *   a set              those it names, at or above the floor
 *   an empty set       none
 *
 * Of those the strongest is taken; MPLS-in-GRE before MPLS-in-IP. A scope ("only outside SP n") is treated
 * as if it were not there: more is protected than was asked for, never less.
 */
import { NOT_BELIEVED, UNFIT_LABEL } from '../../bgp/rib/api.js';
import type { Encapsulation, Protection } from '../../config/types.js';
import type { TunnelModel } from '../../forwarding/model.js';
import { formatAddress } from '../../lib/ip.js';

/** What the IPsec communities of a route say, taken together; undefined: there is none. */
export type Signalled =
  | {
      readonly protections: readonly Exclude<Protection, 'mpls'>[];
      readonly encapsulations: readonly Encapsulation[];
    }
  | undefined;

export interface ImportTerms {
  /** Weakest protection used, by the SP of the next hop. */
  readonly floor: (sp: string) => Protection;
  /** SPs believed (policy-model 10). */
  readonly fromSps: readonly string[];
  /** Whether a better protected path goes before BGP's own comparison (policy-model 12). */
  readonly preferProtected: boolean;
}

const RANK: Readonly<Record<Protection, number>> = {
  encrypt: 3,
  authenticate: 2,
  tunnel: 1,
  mpls: 1,
};

/** Number of a choice in the RIB: index into this, + 1. */
const CHOICES = [
  ['encrypt', 'gre'],
  ['encrypt', 'ip'],
  ['authenticate', 'gre'],
  ['authenticate', 'ip'],
  ['tunnel', 'gre'],
  ['tunnel', 'ip'],
] as const;

/** Added to a choice whose protection is no reason to prefer it. */
const UNRANKED = 0x10;
/** As the weakest ranks: such a path never goes before one that an import rule prefers for its protection. */
const UNRANKED_RANK = 1;

/** A number that says why there is no way. The routes are kept, unusable, so that `show` can say so. */
export const NO_TUNNEL = 254;

const WHY: ReadonlyMap<number, string> = new Map([
  [UNFIT_LABEL, 'its label is reserved, or there are several: no tunnel can carry that'],
  [NO_TUNNEL, 'no tunnel to the next hop is acceptable to the egress and to the floor'],
  [NOT_BELIEVED, 'the next hop belongs to an SP that the import rule does not accept'],
]);

export class Ingress {
  readonly #tunnels = new Map<string, TunnelModel[]>();
  readonly #spOf: (remote: string) => string;

  /** `spOf`: the SP that a far end of tunnels belongs to. */
  constructor(tunnels: Iterable<TunnelModel>, spOf: (remote: string) => string) {
    for (const tunnel of tunnels) {
      const remote = formatAddress(tunnel.remote);
      this.#tunnels.set(remote, [...(this.#tunnels.get(remote) ?? []), tunnel]);
    }
    this.#spOf = spOf;
  }

  /** Number of the choice for a next hop (4 or 16 octets). */
  choose(nextHop: Uint8Array, signalled: Signalled, terms: ImportTerms): number {
    const remote = formatAddress(nextHop);
    const sp = this.#spOf(remote);
    if (!terms.fromSps.includes(sp)) return NOT_BELIEVED;
    const floor = RANK[terms.floor(sp)];
    const there = this.#tunnels.get(remote) ?? [];
    const found = CHOICES.findIndex(
      ([protection, encapsulation]) =>
        RANK[protection] >= floor &&
        (signalled === undefined ||
          (signalled.protections.includes(protection) &&
            signalled.encapsulations.includes(encapsulation))) &&
        there.some((t) => t.protection === protection && t.encapsulation === encapsulation),
    );
    if (found < 0) return NO_TUNNEL;
    return terms.preferProtected ? found + 1 : UNRANKED | (found + 1);
  }

  /** The tunnel of a choice; undefined when there is none any more. */
  tunnel(nextHop: Uint8Array, choice: number): TunnelModel | undefined {
    const [protection, encapsulation] = meaningOf(choice);
    return this.#tunnels
      .get(formatAddress(nextHop))
      ?.find((t) => t.protection === protection && t.encapsulation === encapsulation);
  }

  /** Higher is preferred before BGP compares anything (policy-model 12). */
  rank(choice: number): number {
    const strength = this.strength(choice);
    return strength > 0 && isUnranked(choice) ? UNRANKED_RANK : strength;
  }

  /** How strong the protection is, 0..3; paths of different strength are never used together. */
  strength(choice: number): number {
    const [protection] = meaningOf(choice);
    return protection === undefined ? 0 : RANK[protection];
  }

  /** Why a choice is no way at all. */
  why(choice: number): string | undefined {
    return WHY.get(choice);
  }
}

const isUnranked = (choice: number): boolean => !WHY.has(choice) && (choice & UNRANKED) !== 0;

function meaningOf(choice: number): (typeof CHOICES)[number] | readonly [] {
  return (WHY.has(choice) ? undefined : CHOICES[(choice & ~UNRANKED) - 1]) ?? [];
}
