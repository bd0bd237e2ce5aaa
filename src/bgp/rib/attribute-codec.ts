// SPDX-License-Identifier: Apache-2.0
/**
 * Between octets and the store. The form of a set (see attribute-store.ts), a bit each:
 *
 *   1  AS numbers have 4 octets      4  NEXT_HOP counts, not the next hop of MP_REACH_NLRI
 *   2  from or for an IBGP peer      8  encoded by us:
 *
 *     +------------+-----------------+-----------------------+--------------------+
 *     | next hop   | link-local next | next hop, link-local  | path attributes,   |
 *     | octets (1) | hop octets (1)  | next hop              | 4-octet AS numbers |
 *     +------------+-----------------+-----------------------+--------------------+
 */
import { scanAttributes } from '../codec/attributes/scan.js';
import { countAsn } from '../codec/attributes/as-path.js';
import { decodeAttributes } from '../codec/attributes/decode.js';
import { encodeAttributes } from '../codec/attributes/encode.js';
import { type AttributeScan, newAttributeScan, type Span } from '../codec/attributes/types.js';
import { u32 } from '../codec/bytes.js';
import type { AttributeFault, PathAttributes, UpdateContext } from '../codec/types.js';
import {
  type AttributeFacts,
  type AttributeId,
  type AttributeStore,
  CLUSTER_LOOP,
  FAULTY,
  GRACEFUL_SHUTDOWN,
  HAS_MED,
  HAS_ORIGINATOR,
  LLGR_STALE,
  NO_ADVERTISE,
  NO_EXPORT,
  NO_LLGR,
} from './attribute-store.js';

const AS4 = 1;
const IBGP = 2;
const CLASSIC = 4;
const OURS = 8;

/** RFC 1997, RFC 8326, RFC 9494. */
export const COMMUNITY = {
  gracefulShutdown: 0xffff0000,
  noExport: 0xffffff01,
  noAdvertise: 0xffffff02,
  noExportSubconfed: 0xffffff03,
  llgrStale: 0xffff0006,
  noLlgr: 0xffff0007,
} as const;

const FLAG_OF_COMMUNITY = new Map<number, number>([
  [COMMUNITY.gracefulShutdown, GRACEFUL_SHUTDOWN],
  [COMMUNITY.noExport, NO_EXPORT],
  [COMMUNITY.noExportSubconfed, NO_EXPORT],
  [COMMUNITY.noAdvertise, NO_ADVERTISE],
  [COMMUNITY.llgrStale, LLGR_STALE],
  [COMMUNITY.noLlgr, NO_LLGR],
]);

/** Of a set of ours, next hops included; an extended message (RFC 8654) has 65535 octets in all. */
const MOST_OCTETS = 65_000;
/** Next hops, headers of every attribute and the values of a fixed length. */
const FIXED = 200;

const NOTHING = new Uint8Array(0);
const NO_FAULTS: readonly AttributeFault[] = [];

const contextOf = (form: number): UpdateContext => ({
  ibgp: (form & IBGP) !== 0,
  as4: (form & AS4) !== 0,
  maxMessage: 65535,
  families: 0x7f,
  addPathReceive: 0,
  addPathSend: 0,
  extendedNextHop: 0x7f,
});
const CONTEXTS: readonly UpdateContext[] = [0, 1, 2, 3].map(contextOf);
/** In which our own sets are encoded: everything is written that some peer may be sent. */
const OWN_CONTEXT = contextOf(AS4 | IBGP);

export const formOf = (context: UpdateContext, classic: boolean): number =>
  (context.as4 ? AS4 : 0) | (context.ibgp ? IBGP : 0) | (classic ? CLASSIC : 0);

/** Reads a set back as an object. */
export function decodeSet(octets: Uint8Array, form: number): PathAttributes {
  if ((form & OURS) === 0) {
    const context = CONTEXTS[form & (AS4 | IBGP)] ?? OWN_CONTEXT;
    const environment = { context, classic: (form & CLASSIC) !== 0 };
    return decodeAttributes(octets, 0, octets.length, environment);
  }
  const [nextHopSize = 0, linkLocalSize = 0] = octets;
  const start = 2 + nextHopSize + linkLocalSize;
  const environment = { context: OWN_CONTEXT, classic: false, routeless: true } as const;
  const decoded = decodeAttributes(octets, start, octets.length, environment);
  const nextHop = octets.slice(2, 2 + nextHopSize);
  const linkLocal = octets.slice(2 + nextHopSize, start);
  return {
    ...decoded,
    ...(nextHopSize > 0 ? { nextHop } : {}),
    ...(linkLocalSize > 0 ? { linkLocalNextHop: linkLocal } : {}),
  };
}

/** Where the path attributes of a set of ours begin in its octets. */
export const ownAttributesStart = (octets: Uint8Array): number =>
  2 + (octets[0] ?? 0) + (octets[1] ?? 0);

/** Who we are, as far as loops go. */
export interface OwnIdentity {
  readonly asn: number;
  readonly routerId: number;
  readonly clusterId: number;
}

/** Interns attribute sets: as they came, or as we made them. */
export class AttributeReader {
  readonly #store: AttributeStore;
  readonly #identity: OwnIdentity;
  readonly #scan: AttributeScan = newAttributeScan();
  readonly #facts: AttributeFacts = {
    ...{ flags: 0, localPref: 0, med: 0, neighbourAs: 0, nextHop: NOTHING, pathLength: 0 },
    ...{ clusterLength: 0, origin: 0, originatorId: 0, ownAs: 0 },
    ...{ extendedCommunities: NOTHING, tunnelEncapsulation: NOTHING },
  };
  /** What the last call of {@link received} found wrong. */
  faults: readonly AttributeFault[] = NO_FAULTS;

  constructor(store: AttributeStore, identity: OwnIdentity) {
    this.#store = store;
    this.#identity = identity;
  }

  /**
   * The set in octets[0..length), attributes of an UPDATE without NLRI, with a reference for the caller;
   * 0: the routes must be withdrawn. `faults` says what was wrong.
   */
  received(
    octets: Uint8Array,
    length: number,
    context: UpdateContext,
    classic: boolean,
  ): AttributeId {
    const form = formOf(context, classic);
    const known = this.#store.find(octets, length, form);
    this.faults = NO_FAULTS;
    if (known !== 0 && !this.#store.has(known, FAULTY)) {
      this.#store.retain(known);
      return known;
    }
    this.faults = scanAttributes(octets, 0, length, { context, classic }, this.#scan);
    if (this.faults.some(({ severity }) => severity !== 'discard')) return 0;
    if (known !== 0) {
      this.#store.retain(known);
      return known;
    }
    const facts = this.#gather(octets, this.faults.length > 0 ? FAULTY : 0);
    return this.#store.add(octets, length, form, facts);
  }

  /**
   * The set of an object, with a reference for the caller; 0: it is too long for any message. What came in
   * may have grown that far: AS numbers of 2 octets become 4, policies add.
   */
  own(attributes: PathAttributes): AttributeId {
    if (longestOf(attributes) > MOST_OCTETS) return 0;
    const encoded = encodeAttributes(attributes, OWN_CONTEXT);
    const nextHop = attributes.nextHop ?? NOTHING;
    const linkLocal = attributes.linkLocalNextHop ?? NOTHING;
    const start = 2 + nextHop.length + linkLocal.length;
    const octets = new Uint8Array(start + encoded.length);
    octets[0] = nextHop.length;
    octets[1] = linkLocal.length;
    octets.set(nextHop, 2);
    octets.set(linkLocal, 2 + nextHop.length);
    octets.set(encoded, start);
    const form = OURS | AS4 | IBGP;
    const known = this.#store.find(octets, octets.length, form);
    if (known !== 0) {
      this.#store.retain(known);
      return known;
    }
    const environment = { context: OWN_CONTEXT, classic: false, routeless: true } as const;
    const faults = scanAttributes(octets, start, octets.length, environment, this.#scan);
    const [fault] = faults;
    if (fault !== undefined) throw new Error(`encoded badly: ${fault.notification.reason}`);
    const facts = this.#gather(octets, 0);
    facts.nextHop = unmapped(nextHop);
    return this.#store.add(octets, octets.length, form, facts);
  }

  #gather(octets: Uint8Array, flags: number): AttributeFacts {
    const scan = this.#scan;
    const facts = this.#facts;
    facts.flags =
      flags |
      (scan.hasMed ? HAS_MED : 0) |
      (scan.hasOriginatorId ? HAS_ORIGINATOR : 0) |
      communityFlags(octets, scan.communities) |
      (this.#loops(octets) ? CLUSTER_LOOP : 0);
    facts.localPref = scan.hasLocalPref ? scan.localPref : 100;
    facts.med = scan.hasMed ? scan.med : 0;
    facts.neighbourAs = scan.neighbourAs;
    facts.nextHop = unmapped(spanOf(octets, scan.nextHop));
    facts.pathLength = scan.asPathHops;
    facts.clusterLength = scan.clusterList.length / 4;
    facts.origin = scan.origin;
    facts.originatorId = scan.originatorId;
    facts.ownAs = countAsn(octets, scan, this.#identity.asn);
    facts.extendedCommunities = spanOf(octets, scan.extendedCommunities);
    facts.tunnelEncapsulation = spanOf(octets, scan.tunnelEncapsulation);
    return facts;
  }

  /** RFC 4456 §8. */
  #loops(octets: Uint8Array): boolean {
    const scan = this.#scan;
    if (scan.hasOriginatorId && scan.originatorId === this.#identity.routerId) return true;
    const { at, length } = scan.clusterList;
    for (let i = 0; i < length; i += 4) {
      if (u32(octets, at + i) === this.#identity.clusterId) return true;
    }
    return false;
  }
}

/** At least what the attributes take with AS numbers of 4 octets: lists, and `FIXED` for all that is short. */
function longestOf(attributes: PathAttributes): number {
  const { asPath, communities = [], largeCommunities = [], extendedCommunities = [] } = attributes;
  const { clusterList = [], tunnelEncapsulation = [], others = [] } = attributes;
  let sum = FIXED + 4 * communities.length + 12 * largeCommunities.length + 4 * clusterList.length;
  sum += 8 * extendedCommunities.length;
  for (const { asns } of asPath) sum += 4 * asns.length + 2 * Math.ceil(asns.length / 255);
  for (const { value } of others) sum += 4 + value.length;
  for (const { subTlvs } of tunnelEncapsulation) {
    sum += 4;
    for (const { value } of subTlvs) sum += 3 + value.length;
  }
  return sum;
}

const spanOf = (octets: Uint8Array, span: Span): Uint8Array =>
  span.at < 0 ? NOTHING : octets.subarray(span.at, span.at + span.length);

function communityFlags(octets: Uint8Array, span: Span): number {
  let flags = 0;
  for (let i = 0; i + 4 <= span.length; i += 4) {
    flags |= FLAG_OF_COMMUNITY.get(u32(octets, span.at + i)) ?? 0;
  }
  return flags;
}

/** ::ffff:a.b.c.d is a.b.c.d (policy-model 15): a VPNv6 route's next hop in an IPv4 core. */
export function unmapped(address: Uint8Array): Uint8Array {
  if (address.length !== 16 || address[10] !== 0xff || address[11] !== 0xff) return address;
  for (let i = 0; i < 10; i++) if (address[i] !== 0) return address;
  return address.subarray(12);
}
