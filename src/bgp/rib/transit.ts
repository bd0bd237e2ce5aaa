// SPDX-License-Identifier: Apache-2.0
/**
 * Routes with labels that we pass on with ourselves as next hop (RFC 4364 §10 b, RFC 8277 §3.2): packets come to a label of ours, which
 * is swapped for the one received and sent on to the next hop received. Such a route is told only while that way may be
 * used; routes that we only reflect are told in any case (see Core.isUsable).
 */
import type { FamilyId, PathAttributes, TunnelEncapsulation } from '../codec/types.js';
import type { EstablishedPeer } from '../types.js';

/** What decides how packets travel on to the next hop of a route that others sent us. */
export interface TransitQuestion {
  /** 8 octets each, big endian. */
  readonly extendedCommunities: readonly bigint[];
  readonly tunnelEncapsulation: readonly TunnelEncapsulation[];
  /** 4 or 16 octets. */
  readonly nextHop: Uint8Array;
  /** See ImportQuestion. */
  readonly insideOwnSp: boolean;
  /** The neighbour it came from. */
  readonly from: EstablishedPeer | undefined;
}

/** A route that is to have a label of ours. */
export interface TransitRoute {
  readonly family: FamilyId;
  /** Number in the table of its family. */
  readonly net: number;
  /** Labels received, outermost first. */
  readonly labels: readonly number[];
  /** 4 or 16 octets, as received. */
  readonly nextHop: Uint8Array;
  /** What {@link Transit.way} chose. */
  readonly protection: number;
  /** As the neighbour will be told it. */
  readonly told: PathAttributes;
}

/** How routes are passed on to one kind of neighbour with ourselves as next hop. */
export interface Transit {
  /** Equal for neighbours that are told the same. */
  readonly key: string;
  /** 4 or 16 octets; undefined: our address of the session. */
  readonly nextHop: Uint8Array | undefined;
  /**
   * How packets travel on, in terms of the next-hop tracker; undefined: such routes are not passed on. Asked once for
   * each kind of question until {@link Rib.retell}.
   */
  readonly way: (question: TransitQuestion) => number | undefined;
  /**
   * What is told of a route: `told`, which has passed the neighbour's policy, brought in line with how our label may be used;
   * undefined: nothing. Pure until {@link Rib.retell}.
   */
  readonly attributes: (
    told: PathAttributes,
    question: TransitQuestion,
  ) => PathAttributes | undefined;
  /**
   * Our label for the route; 'later': not yet, {@link Rib.tellAgain} will be called for it; undefined: there is none,
   * and the route is not told.
   */
  readonly label: (route: TransitRoute) => number | 'later' | undefined;
}
