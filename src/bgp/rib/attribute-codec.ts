// SPDX-License-Identifier: Apache-2.0
/**
 * Between octets and the store. The form of a set (see attribute-store.ts), a bit each:
 *
 *   1  AS numbers have 4 octets      4  NEXT_HOP counts, not the next hop of MP_REACH_NLRI
 *   2  from or for an IBGP peer     16  the octets are all there is, nothing lies in Steerings
 *                                    8  encoded by us:
 *
 *     +------------+-----------------+-----------------------+--------------------+
 *     | next hop   | link-local next | next hop, link-local  | path attributes,   |
 *     | octets (1) | hop octets (1)  | next hop              | 4-octet AS numbers |
 *     +------------+-----------------+-----------------------+--------------------+
 */
import { scanAttributes } from '../codec/attributes/scan.js';
import { countAsn } from '../codec/attributes/as-path.js';
import { AttributeParts } from '../codec/attributes/parts.js';
import { decodeAttributes } from '../codec/attributes/decode.js';
import { encodeAttributes } from '../codec/attributes/encode.js';
import { type AttributeScan, newAttributeScan, type Span } from '../codec/attributes/types.js';
import { u32 } from '../codec/bytes.js';
import type { AttributeFault, PathAttributes, UpdateContext, UpdateSplit } from '../codec/types.js';
import { attributesLength, copyAttributes } from '../codec/update-split.js';
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
  type SetReader,
  WHOLE,
} from './attribute-store.js';
import { newPathFacts, type PathFacts } from './path-facts.js';
import type { SteeringValues } from './steering.js';

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

const formOf = (context: UpdateContext, classic: boolean): number =>
  (context.as4 ? AS4 : 0) | (context.ibgp ? IBGP : 0) | (classic ? CLASSIC : 0);

/** Reads a set back as an object. */
function decodeSet(octets: Uint8Array, form: number): PathAttributes {
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

/** Reads the numbers of a set back: it was found good when it came, or it was made by us. */
function factsOf(
  bytes: Uint8Array,
  start: number,
  end: number,
  form: number,
  out: PathFacts,
): void {
  const ours = (form & OURS) !== 0;
  const from = ours ? start + 2 + (bytes[start] ?? 0) + (bytes[start + 1] ?? 0) : start;
  const context = CONTEXTS[form & (AS4 | IBGP)] ?? OWN_CONTEXT;
  // Without what lies in Steerings, nothing of which is compared, nothing is missing.
  const environment = { context, classic: (form & CLASSIC) !== 0, routeless: true } as const;
  scanAttributes(bytes, from, end, environment, comparedScan);
  fillFacts(comparedScan, out);
}

const comparedScan = newAttributeScan();

function fillFacts(scan: AttributeScan, out: PathFacts): void {
  out.localPref = scan.hasLocalPref ? scan.localPref : 100;
  out.med = scan.hasMed ? scan.med : 0;
  out.neighbourAs = scan.neighbourAs;
  out.pathLength = scan.asPathHops;
  out.clusterLength = scan.clusterList.length / 4;
  out.origin = scan.origin;
  out.originatorId = scan.originatorId;
}

export const SET_READER: SetReader = { decode: decodeSet, facts: factsOf };

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
  readonly #parts = new AttributeParts();
  readonly #facts: AttributeFacts = { ...newPathFacts(), flags: 0, ownAs: 0 };
  readonly #environment = { context: OWN_CONTEXT, classic: false };
  /** Lists that are read as they came. */
  readonly #list = new Uint8Array(65536);
  /** What the last call of {@link received} found wrong. */
  faults: readonly AttributeFault[] = NO_FAULTS;

  constructor(store: AttributeStore, identity: OwnIdentity) {
    this.#store = store;
    this.#identity = identity;
  }

  /**
   * The set of the attributes of an UPDATE whose list fits its length, with a reference for the caller; 0:
   * the routes must be withdrawn. `faults` says what was wrong.
   *
   * A list that is known takes two passes: one that takes it apart, one over what makes it different from
   * others. It is judged when it is new. What is wrong with a list, in which order and how grave, is found
   * in the list as it came, and only good lists are kept in parts.
   */
  received(split: UpdateSplit, context: UpdateContext, classic: boolean): AttributeId {
    this.faults = NO_FAULTS;
    const parts = this.#parts;
    if (!parts.take(split) || parts.steeringLength === 0) {
      return this.#asItCame(split, context, classic);
    }
    const store = this.#store;
    const { bytes, restLength, steeringAt, steeringLength } = parts;
    const form = formOf(context, classic);
    const steering = store.steerings.find(bytes, steeringAt, steeringLength, classic);
    const known = steering === 0 ? 0 : store.find(bytes, restLength, form, steering);
    if (known !== 0) {
      store.retain(known);
      return known;
    }
    const length = parts.join();
    if (this.#judge(bytes, length, context, classic).length > 0) {
      return this.#asItCame(split, context, classic);
    }
    const facts = this.#gather(bytes, 0);
    let held = steering;
    if (held === 0) {
      held = store.steerings.add(bytes, steeringAt, steeringLength, classic, this.#values(bytes));
      store.find(bytes, restLength, form, held);
    } else store.steerings.retain(held);
    return store.add(bytes, restLength, form, held, facts);
  }

  /** As {@link received}, for lists that are kept whole. */
  #asItCame(split: UpdateSplit, context: UpdateContext, classic: boolean): AttributeId {
    const store = this.#store;
    const length = attributesLength(split);
    const octets = this.#list;
    copyAttributes(split, octets, 0);
    const form = formOf(context, classic) | WHOLE;
    const known = store.find(octets, length, form, 0);
    if (known !== 0 && !store.has(known, FAULTY)) {
      store.retain(known);
      return known;
    }
    this.faults = this.#judge(octets, length, context, classic);
    if (this.faults.some(({ severity }) => severity !== 'discard')) return 0;
    if (known !== 0) {
      store.retain(known);
      return known;
    }
    const facts = this.#gather(octets, this.faults.length > 0 ? FAULTY : 0);
    return store.add(octets, length, form, store.steer(this.#values(octets)), facts);
  }

  #judge(
    octets: Uint8Array,
    length: number,
    context: UpdateContext,
    classic: boolean,
  ): readonly AttributeFault[] {
    const environment = this.#environment;
    environment.context = context;
    environment.classic = classic;
    return scanAttributes(octets, 0, length, environment, this.#scan);
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
    const form = OURS | AS4 | IBGP | WHOLE;
    const known = this.#store.find(octets, octets.length, form, 0);
    if (known !== 0) {
      this.#store.retain(known);
      return known;
    }
    const environment = { context: OWN_CONTEXT, classic: false, routeless: true } as const;
    const faults = scanAttributes(octets, start, octets.length, environment, this.#scan);
    const [fault] = faults;
    if (fault !== undefined) throw new Error(`encoded badly: ${fault.notification.reason}`);
    const facts = this.#gather(octets, 0);
    const steering = this.#store.steer({ ...this.#values(octets), nextHop: unmapped(nextHop) });
    return this.#store.add(octets, octets.length, form, steering, facts);
  }

  #gather(octets: Uint8Array, flags: number): AttributeFacts {
    const scan = this.#scan;
    const facts = this.#facts;
    fillFacts(scan, facts);
    facts.flags =
      flags |
      (scan.hasMed ? HAS_MED : 0) |
      (scan.hasOriginatorId ? HAS_ORIGINATOR : 0) |
      communityFlags(octets, scan.communities) |
      (this.#loops(octets) ? CLUSTER_LOOP : 0);
    facts.ownAs = countAsn(octets, scan, this.#identity.asn);
    return facts;
  }

  #values(octets: Uint8Array): SteeringValues {
    const { nextHop, extendedCommunities, tunnelEncapsulation } = this.#scan;
    return {
      nextHop: unmapped(spanOf(octets, nextHop)),
      extendedCommunities: spanOf(octets, extendedCommunities),
      tunnelEncapsulation: spanOf(octets, tunnelEncapsulation),
    };
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
