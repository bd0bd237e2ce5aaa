// SPDX-License-Identifier: Apache-2.0
/**
 * What a path attribute is to the rest of the codec. On the wire (RFC 4271 §4.3):
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |O|T|P|E| 0     | Type          | Length (2 octets when E is 1) |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |                        Value (variable)                       |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * O optional, T transitive, P partial, E extended length.
 */
import type { ByteWriter } from '../bytes.js';
import type { UPDATE_ERROR } from '../notification-codes.js';
import type { PathAttributes, UpdateContext } from '../types.js';

export const FLAG = { optional: 0x80, transitive: 0x40, partial: 0x20, extended: 0x10 } as const;

export const TYPE = {
  origin: 1,
  asPath: 2,
  nextHop: 3,
  med: 4,
  localPref: 5,
  atomicAggregate: 6,
  aggregator: 7,
  communities: 8,
  originatorId: 9,
  clusterList: 10,
  mpReach: 14,
  mpUnreach: 15,
  extendedCommunities: 16,
  as4Path: 17,
  as4Aggregator: 18,
  tunnelEncapsulation: 23,
  ipv6ExtendedCommunities: 25,
  largeCommunities: 32,
} as const;

/** Where a value lies: bytes[at..at+length); at is -1 when there is none. */
export interface Span {
  at: number;
  length: number;
}

/**
 * The attributes of an UPDATE as numbers, for the decision process. Offsets are into the octets that were
 * scanned. Filled again and again.
 */
export interface AttributeScan {
  origin: number;
  /** Octets of an AS number in AS_PATH and AGGREGATOR. */
  asWidth: 2 | 4;
  asPath: Span;
  /** AS4_PATH of a 2-octet peer when it is to be merged (RFC 6793 §4.2.3). */
  as4Path: Span;
  /** Length of AS_PATH by RFC 4271 §9.1.2.2 a: an AS_SET counts one, confederation segments nothing. */
  asPathHops: number;
  /** Hops in AS4_PATH. */
  as4PathHops: number;
  /** First AS of the path, 0 when it is empty or begins with a set. Confederation segments are skipped. */
  neighbourAs: number;
  /** Last AS of the path, 0 when it is empty or ends with a set. */
  originAs: number;
  /** The next hop without RD: 4 or 16 octets. */
  nextHop: Span;
  /** Second address of RFC 2545, 16 octets. */
  linkLocalNextHop: Span;
  hasMed: boolean;
  med: number;
  hasLocalPref: boolean;
  localPref: number;
  atomicAggregate: boolean;
  /** AS and address; of AS4_AGGREGATOR when that replaces it. */
  aggregator: Span;
  as4Aggregator: Span;
  communities: Span;
  extendedCommunities: Span;
  largeCommunities: Span;
  hasOriginatorId: boolean;
  originatorId: number;
  clusterList: Span;
  tunnelEncapsulation: Span;
  /** How many unrecognised optional transitive attributes there are. */
  others: number;
}

/** What scanning one attribute value needs to know of its surroundings. */
export interface ScanEnvironment {
  readonly context: UpdateContext;
  /** The routes come from the classic fields: NEXT_HOP is their next hop, not that of MP_REACH_NLRI. */
  readonly classic: boolean;
  /** An UPDATE without routes, in which no attribute is missed (RFC 7606 §5.2). */
  readonly routeless?: true;
}

export type MutableAttributes = { -readonly [Key in keyof PathAttributes]: PathAttributes[Key] };

/** 0: well-formed; else the subcode of UPDATE Message Error. */
export type ScanVerdict = 0 | (typeof UPDATE_ERROR)[keyof typeof UPDATE_ERROR];

export interface AttributeCodec {
  readonly type: number;
  /** The name in its RFC. */
  readonly name: string;
  /** Optional and Transitive bits as they must be. */
  readonly flags: 0x40 | 0x80 | 0xc0;
  /** What a malformed one does to the UPDATE (RFC 7606 §7). */
  readonly malformed: 'discard' | 'withdraw';
  /** Wrong flags, when other than `malformed` (RFC 7606 §3 c). */
  readonly wrongFlags?: 'discard';
  /** From an external neighbour it is discarded unseen (RFC 7606 §7.5, 7.9, 7.10). */
  readonly internalOnly?: true;
  /** Checks the value bytes[at..at+length) and notes it in `out`. Never reads outside of it. */
  scan(
    bytes: Uint8Array,
    at: number,
    length: number,
    environment: ScanEnvironment,
    out: AttributeScan,
  ): ScanVerdict;
  /** Reads what `scan` has found good and noted into `into`. */
  decode(bytes: Uint8Array, scan: AttributeScan, into: MutableAttributes): void;
  /** Writes the value; false: the attribute is not sent. May have written even then. */
  encode?(attributes: PathAttributes, context: UpdateContext, out: ByteWriter): boolean;
}

const none = (): Span => ({ at: -1, length: 0 });

export const newAttributeScan = (): AttributeScan => ({
  origin: 0,
  asWidth: 4,
  asPath: none(),
  as4Path: none(),
  asPathHops: 0,
  as4PathHops: 0,
  neighbourAs: 0,
  originAs: 0,
  nextHop: none(),
  linkLocalNextHop: none(),
  hasMed: false,
  med: 0,
  hasLocalPref: false,
  localPref: 0,
  atomicAggregate: false,
  aggregator: none(),
  as4Aggregator: none(),
  communities: none(),
  extendedCommunities: none(),
  largeCommunities: none(),
  hasOriginatorId: false,
  originatorId: 0,
  clusterList: none(),
  tunnelEncapsulation: none(),
  others: 0,
});

export function setSpan(span: Span, at: number, length: number): void {
  span.at = at;
  span.length = length;
}

export function resetScan(scan: AttributeScan, asWidth: 2 | 4): void {
  scan.origin = 0;
  scan.asWidth = asWidth;
  scan.asPathHops = 0;
  scan.as4PathHops = 0;
  scan.neighbourAs = 0;
  scan.originAs = 0;
  scan.hasMed = false;
  scan.med = 0;
  scan.hasLocalPref = false;
  scan.localPref = 0;
  scan.atomicAggregate = false;
  scan.hasOriginatorId = false;
  scan.originatorId = 0;
  scan.others = 0;
  setSpan(scan.asPath, -1, 0);
  setSpan(scan.as4Path, -1, 0);
  setSpan(scan.nextHop, -1, 0);
  setSpan(scan.linkLocalNextHop, -1, 0);
  setSpan(scan.aggregator, -1, 0);
  setSpan(scan.as4Aggregator, -1, 0);
  setSpan(scan.communities, -1, 0);
  setSpan(scan.extendedCommunities, -1, 0);
  setSpan(scan.largeCommunities, -1, 0);
  setSpan(scan.clusterList, -1, 0);
  setSpan(scan.tunnelEncapsulation, -1, 0);
}
