// SPDX-License-Identifier: Apache-2.0
/**
 * What BGP messages carry, decoded, and the fixed shapes by which the hot path reads UPDATEs in place.
 * Numbers are host numbers, addresses network-order bytes.
 */

/** Address families, in the order of their ids: FamilyId is the index, FamilySet has bit 1 << id. */
export const FAMILIES = [
  { name: 'ipv4-unicast', afi: 1, safi: 1 },
  { name: 'ipv6-unicast', afi: 2, safi: 1 },
  { name: 'vpnv4-unicast', afi: 1, safi: 128 }, // RFC 4364
  { name: 'vpnv6-unicast', afi: 2, safi: 128 }, // RFC 4659
  { name: 'ipv4-labelled', afi: 1, safi: 4 }, // RFC 8277
  { name: 'ipv6-labelled', afi: 2, safi: 4 },
  { name: 'route-target', afi: 1, safi: 132 }, // RFC 4684
] as const;
export type FamilyName = (typeof FAMILIES)[number]['name'];
export type FamilyId = 0 | 1 | 2 | 3 | 4 | 5 | 6;
export type FamilySet = number;

export const FAMILY = {
  ipv4Unicast: 0,
  ipv6Unicast: 1,
  vpnv4: 2,
  vpnv6: 3,
  ipv4Labelled: 4,
  ipv6Labelled: 5,
  routeTarget: 6,
} as const satisfies Record<string, FamilyId>;

/** A NOTIFICATION as a value (RFC 4271 §4.5): what a fault of the peer, or of ours, is answered by. */
export interface Notification {
  readonly code: number;
  readonly subcode: number;
  readonly data: Uint8Array;
  /** In words, for logs and `show`; with the offending octets in hexadecimal where they help. */
  readonly reason: string;
}

/** What both ends agreed on, as far as it changes how UPDATEs are read and written. */
export interface UpdateContext {
  readonly ibgp: boolean;
  /** Both sides speak 4-octet AS numbers (RFC 6793); else AS_PATH has 2 and AS4_PATH is merged. */
  readonly as4: boolean;
  readonly maxMessage: 4096 | 65535; // RFC 8654
  readonly families: FamilySet;
  readonly addPathReceive: FamilySet; // RFC 7911
  readonly addPathSend: FamilySet;
  readonly extendedNextHop: FamilySet; // RFC 8950
  /** Multiple Labels Capability of both (RFC 8277 §2.1): else an NLRI has one label, whatever its S bit. */
  readonly multipleLabels?: FamilySet;
}

export type Origin = 0 | 1 | 2; // IGP, EGP, INCOMPLETE
/** 1 AS_SET, 2 AS_SEQUENCE, 3 AS_CONFED_SEQUENCE, 4 AS_CONFED_SET (RFC 5065). */
export interface AsSegment {
  readonly type: 1 | 2 | 3 | 4;
  readonly asns: readonly number[];
}

/** One TLV of the Tunnel Encapsulation attribute (RFC 9012); sub-TLVs are kept as they came. */
export interface TunnelEncapsulation {
  readonly type: number; // 11 MPLS-in-GRE, 2 GRE, 7 IP-in-IP, ...
  readonly subTlvs: readonly { readonly type: number; readonly value: Uint8Array }[];
}

/** An attribute that is kept and passed on without being understood. */
export interface RawAttribute {
  readonly flags: number;
  readonly type: number;
  readonly value: Uint8Array;
}

/** The attributes of a route, decoded. Never changed in place: policies make new ones. */
export interface PathAttributes {
  readonly origin: Origin;
  readonly asPath: readonly AsSegment[];
  /** NEXT_HOP or that of MP_REACH_NLRI without its RD: 4 or 16 octets; absent for RTC from nowhere. */
  readonly nextHop?: Uint8Array;
  readonly linkLocalNextHop?: Uint8Array; // RFC 2545
  readonly med?: number;
  readonly localPref?: number;
  readonly atomicAggregate?: boolean;
  readonly aggregator?: { readonly asn: number; readonly address: Uint8Array };
  readonly communities?: readonly number[]; // RFC 1997, 32 bits each
  readonly largeCommunities?: readonly (readonly [number, number, number])[]; // RFC 8092
  /** Eight octets each, big endian (RFC 4360). */
  readonly extendedCommunities?: readonly bigint[];
  readonly originatorId?: number; // RFC 4456
  readonly clusterList?: readonly number[];
  readonly tunnelEncapsulation?: readonly TunnelEncapsulation[];
  /** Unrecognised optional transitive attributes, Partial bit set; in order of type. */
  readonly others?: readonly RawAttribute[];
  /** Types of recognised attributes that came with the Partial bit: once set it stays (RFC 4271 §5). */
  readonly partial?: readonly number[];
}

/** What one NLRI says; the reader fills one of these again and again. */
export interface Nlri {
  pathId: number; // ADD-PATH identifier, else 0
  /** First (outermost) label, 20 bits; 0x800000 or 0 in a withdrawal means "any" (RFC 8277 §2.4). */
  label: number;
  /** All labels in order, 3 octets each, at bytes[labelsAt]; none: labelCount 0. */
  labelsAt: number;
  labelCount: number;
  /**
   * The key in place: for VPN families the 8 octets of the RD and then the octets of the prefix; for
   * route-target origin AS and target. Bits behind `length` in the last octet have been set to zero.
   */
  keyAt: number;
  keyBytes: number;
  /** Bits of the prefix, without RD and labels. route-target: 0 or 32..96 as on the wire. */
  length: number;
}

/** How NLRI of a run are laid out; bits of NlriRun.mode and of the reader's argument. */
export const NLRI_MODE = {
  /** Each begins with a 4-octet path identifier (RFC 7911). */
  addPath: 1,
  /** Labels up to the one with the S bit (RFC 8277 §2.3); without it there is exactly one. */
  labelStack: 2,
  /** A withdrawal: one 3-octet compatibility field in place of the labels (RFC 8277 §2.4). */
  withdrawn: 4,
} as const;
export type NlriMode = number;

/** A run of NLRI of one family in an UPDATE: bytes[start..end). */
export interface NlriRun {
  family: FamilyId;
  start: number;
  end: number;
  mode: NlriMode;
  /** From the fields of RFC 4271 §4.3, whose next hop is NEXT_HOP; else from a multiprotocol attribute. */
  classic: boolean;
}

/**
 * An UPDATE split in place by RFC 4271 §4.3 and RFC 4760, before attributes are looked at. Reused by the
 * splitter: valid until its next call.
 */
export interface UpdateSplit {
  readonly bytes: Uint8Array;
  /** Up to two of each: the classic fields and the multiprotocol attributes. */
  readonly withdrawn: readonly NlriRun[];
  readonly announced: readonly NlriRun[];
  /** End-of-RIB for this family (RFC 4724 §2), else -1. */
  readonly endOfRib: FamilyId | -1;
  /** All path attributes: bytes[attributesStart..attributesEnd). */
  readonly attributesStart: number;
  readonly attributesEnd: number;
  /**
   * The NLRI inside MP_REACH_NLRI: [reachNlriStart, reachNlriEnd), equal when there is none. Attribute
   * sets are interned by the octets around it: [attributesStart, reachNlriStart) + [reachNlriEnd,
   * attributesEnd), in which the attribute's length octets have been set to what they are without NLRI,
   * so that equal attributes with different NLRI are equal octets; MP_UNREACH_NLRI is left out in the
   * same way when there is one (`unreachStart`, `unreachEnd`: the whole attribute).
   */
  readonly reachNlriStart: number;
  readonly reachNlriEnd: number;
  readonly unreachStart: number;
  readonly unreachEnd: number;
  /**
   * Found while splitting, none of them 'reset'. 'withdraw': everything announced is to be withdrawn
   * and the attributes are not to be looked at. 'discard': a multiprotocol attribute of a family that was not
   * negotiated, whose routes are in no run.
   */
  readonly faults: readonly AttributeFault[];
}

/** RFC 7606 §2, in rising severity. 'discard': the attribute is left out, the routes stay. */
export type Severity = 'ok' | 'discard' | 'withdraw' | 'disable' | 'reset';

export interface AttributeFault {
  readonly severity: Exclude<Severity, 'ok'>;
  readonly type: number;
  readonly notification: Notification;
}
