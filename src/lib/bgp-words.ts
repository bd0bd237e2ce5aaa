// SPDX-License-Identifier: Apache-2.0
/**
 * Text forms of BGP's numbers: communities, large and extended communities, route distinguishers.
 * Parsers return undefined for what is none; every value has one text that formatters print.
 *
 * Administrators of route distinguishers (RFC 4364 §4.2) and of route targets and sites of origin
 * (RFC 4360 §4, RFC 5668) come in three kinds:
 *   65001:4294967295    2-octet AS number, 4 octets assigned
 *   192.0.2.1:65535     IPv4 address, 2 octets assigned
 *   4200000000:65535    4-octet AS number, 2 octets assigned; "65001L:1" for a number below 65536,
 *                       which is another value than "65001:1"
 */
import { formatAddress, parseAddress } from './ip.js';

export const MAX_U16 = 0xffff;
export const MAX_U32 = 0xffff_ffff;

/** A decimal number without leading zeros, at most `most`. */
export function parseDecimal(text: string, most: number): number | undefined {
  if (!/^(0|[1-9][0-9]{0,9})$/.test(text)) return undefined;
  const value = Number(text);
  return value <= most ? value : undefined;
}

// ---- Communities (RFC 1997) ----------------------------------------------------------------------

/** IANA "BGP Well-known Communities", as far as routers act on them. */
export const WELL_KNOWN_COMMUNITIES = {
  'graceful-shutdown': 0xffff_0000, // RFC 8326
  'accept-own': 0xffff_0001, // RFC 7611
  'llgr-stale': 0xffff_0006, // RFC 9494
  'no-llgr': 0xffff_0007, // RFC 9494
  blackhole: 0xffff_029a, // RFC 7999
  'no-export': 0xffff_ff01,
  'no-advertise': 0xffff_ff02,
  'no-export-subconfed': 0xffff_ff03,
  nopeer: 0xffff_ff04, // RFC 3765
} as const;

const COMMUNITY_BY_NAME = new Map<string, number>(Object.entries(WELL_KNOWN_COMMUNITIES));
const NAME_OF_COMMUNITY = new Map([...COMMUNITY_BY_NAME].map(([name, value]) => [value, name]));

/** "65001:100" or a well-known name, as 32 bits. */
export function parseCommunity(text: string): number | undefined {
  const known = COMMUNITY_BY_NAME.get(text);
  if (known !== undefined) return known;
  const [high = '', low = '', ...rest] = text.split(':');
  const asn = parseDecimal(high, MAX_U16);
  const value = parseDecimal(low, MAX_U16);
  if (asn === undefined || value === undefined || rest.length > 0) return undefined;
  return asn * 0x1_0000 + value;
}

export function formatCommunity(community: number): string {
  return NAME_OF_COMMUNITY.get(community) ?? `${community >>> 16}:${community & MAX_U16}`;
}

/** RFC 8092: "65001:1:2", three 32-bit numbers. */
export function parseLargeCommunity(
  text: string,
): readonly [global: number, local1: number, local2: number] | undefined {
  const [a, b, c, ...rest] = text.split(':').map((part) => parseDecimal(part, MAX_U32));
  if (a === undefined || b === undefined || c === undefined || rest.length > 0) return undefined;
  return [a, b, c];
}

export function formatLargeCommunity(community: readonly [number, number, number]): string {
  return community.join(':');
}

// ---- Administrators ------------------------------------------------------------------------------

/**
 * The six octets after an RD's or extended community's type, and which of the three kinds they are:
 * 0 2-octet AS, 1 IPv4 address, 2 4-octet AS (the numbers are the same in both registries).
 */
export interface Administered {
  readonly kind: 0 | 1 | 2;
  /** 48 bits, big endian. */
  readonly value: bigint;
}

/** "65001:100", "192.0.2.1:100", "4200000000:100", "65001L:100". */
export function parseAdministered(text: string): Administered | undefined {
  const at = text.lastIndexOf(':');
  if (at < 0) return undefined;
  const admin = text.slice(0, at);
  const assigned = text.slice(at + 1);
  if (admin.includes('.')) {
    const address = parseAddress(admin);
    const number = parseDecimal(assigned, MAX_U16);
    if (address?.length !== 4 || number === undefined) return undefined;
    return { kind: 1, value: (bigOf(address) << 16n) | BigInt(number) };
  }
  const long = admin.endsWith('L');
  const asn = parseDecimal(long ? admin.slice(0, -1) : admin, MAX_U32);
  // One spelling per value: the L only where the number alone would mean the other kind.
  if (asn === undefined || (long && asn > MAX_U16)) return undefined;
  const wide = long || asn > MAX_U16;
  const number = parseDecimal(assigned, wide ? MAX_U16 : MAX_U32);
  if (number === undefined) return undefined;
  return wide
    ? { kind: 2, value: (BigInt(asn) << 16n) | BigInt(number) }
    : { kind: 0, value: (BigInt(asn) << 32n) | BigInt(number) };
}

export function formatAdministered({ kind, value }: Administered): string {
  if (kind === 0) return `${value >> 32n}:${value & 0xffff_ffffn}`;
  const admin = Number(value >> 16n);
  const assigned = value & 0xffffn;
  if (kind === 1) return `${formatAddress(addressOf(admin))}:${assigned}`;
  return `${admin}${admin > MAX_U16 ? '' : 'L'}:${assigned}`;
}

/** A 32-bit router id, cluster id or address as four octets. */
export function addressOf(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
}

/** An IPv4 address in text as 32 bits. */
export function parseRouterId(text: string): number | undefined {
  const address = parseAddress(text);
  return address?.length === 4 ? Number(bigOf(address)) : undefined;
}

function bigOf(bytes: Uint8Array): bigint {
  return bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

/** A route distinguisher, RFC 4364 §4.2: 64 bits, type in the upper 16. */
export function parseRd(text: string): bigint | undefined {
  const found = parseAdministered(text);
  return found === undefined ? undefined : (BigInt(found.kind) << 48n) | found.value;
}

/** Types that RFC 4364 does not know are shown as 16 hexadecimal digits. */
export function formatRd(rd: bigint): string {
  const kind = rd >> 48n;
  const value = rd & 0xffff_ffff_ffffn;
  if (kind === 0n) return formatAdministered({ kind: 0, value });
  if (kind === 1n) return formatAdministered({ kind: 1, value });
  if (kind === 2n) return formatAdministered({ kind: 2, value });
  return hex64(rd);
}

// ---- Extended communities (RFC 4360) ------------------------------------------------------------------

/** Low type octets of the transitive two-octet AS, IPv4 and four-octet AS kinds; 3 is opaque. */
const OPAQUE = 0x03n;
const SUBTYPE = { target: 0x02n, origin: 0x03n, color: 0x0bn, encapsulation: 0x0cn } as const;

/** Type and sub-type of the Export Scope Extended Community, ready for the SP number. */
const EXPORT_SCOPE = 0x834an << 48n;

/** Administrator words: what RFC 4360 §4 and §5 call Route Target and Route Origin (site of origin). */
const ADMINISTERED_WORDS = ['target', 'origin'] as const;

export function routeTarget(target: Administered): bigint {
  return (BigInt(target.kind) << 56n) | (SUBTYPE.target << 48n) | target.value;
}

/** The text of a route target without its word: "65001:100". undefined: malformed. */
export function parseRouteTarget(text: string): bigint | undefined {
  const found = parseAdministered(text);
  return found === undefined ? undefined : routeTarget(found);
}

/** A site of origin without its word: "65001:100". */
export function parseSiteOfOrigin(text: string): bigint | undefined {
  const found = parseAdministered(text);
  if (found === undefined) return undefined;
  return (BigInt(found.kind) << 56n) | (SUBTYPE.origin << 48n) | found.value;
}

/**
 * "target:65001:100", "origin:192.0.2.1:7" (RFC 4360), "color:100", "color:01:100" with the two CO
 * bits (RFC 9012 §4.3, RFC 9256 §8.8.1), "encapsulation:11" (RFC 9012 §4.1), "export-to:65002" (docs/export-scope-community.md), or any eight octets as
 * "0x" and 16 hexadecimal digits.
 */
export function parseExtendedCommunity(text: string): bigint | undefined {
  if (/^0x[0-9a-f]{16}$/.test(text)) return BigInt(text);
  const at = text.indexOf(':');
  const word = text.slice(0, Math.max(at, 0));
  const rest = text.slice(at + 1);
  switch (word) {
    case 'target':
      return parseRouteTarget(rest);
    case 'origin':
      return parseSiteOfOrigin(rest);
    case 'color':
      return parseColor(rest);
    case 'export-to': {
      const sp = parseDecimal(rest, MAX_U32);
      return sp === undefined || sp === 0 ? undefined : EXPORT_SCOPE | BigInt(sp);
    }
    case 'encapsulation': {
      const tunnel = parseDecimal(rest, MAX_U16);
      if (tunnel === undefined) return undefined;
      return (OPAQUE << 56n) | (SUBTYPE.encapsulation << 48n) | BigInt(tunnel);
    }
    default:
      return undefined;
  }
}

function parseColor(text: string): bigint | undefined {
  const parts = /^(?:([01]{2}):)?([0-9]+)$/.exec(text);
  const color = parseDecimal(parts?.[2] ?? '', MAX_U32);
  if (color === undefined) return undefined;
  const co = BigInt(parseInt(parts?.[1] ?? '00', 2));
  return (OPAQUE << 56n) | (SUBTYPE.color << 48n) | (co << 46n) | BigInt(color);
}

/** What {@link parseExtendedCommunity} reads; hexadecimal for what has no word. */
export function formatExtendedCommunity(community: bigint): string {
  const type = community >> 56n;
  const subType = (community >> 48n) & 0xffn;
  const value = community & 0xffff_ffff_ffffn;
  const kind = type === 0n ? 0 : type === 1n ? 1 : type === 2n ? 2 : undefined;
  if (kind !== undefined) {
    const word = ADMINISTERED_WORDS.find((each) => SUBTYPE[each] === subType);
    return word === undefined ? hex64(community) : `${word}:${formatAdministered({ kind, value })}`;
  }
  if (type === OPAQUE) return formatOpaque(subType, value) ?? hex64(community);
  if (type === EXPORT_SCOPE >> 56n && subType === ((EXPORT_SCOPE >> 48n) & 0xffn)) {
    const sp = value & 0xffff_ffffn;
    if (sp === value && sp !== 0n) return `export-to:${sp}`;
  }
  return hex64(community);
}

/** An opaque one (RFC 4360 §3.3) by its sub-type and six octets; undefined: it has no word. */
function formatOpaque(subType: bigint, value: bigint): string | undefined {
  if (subType === SUBTYPE.color && (value & 0x3fff_0000_0000n) === 0n) {
    const co = value >> 46n;
    const bits = co === 0n ? '' : `${co.toString(2).padStart(2, '0')}:`;
    return `color:${bits}${value & 0xffff_ffffn}`;
  }
  if (subType === SUBTYPE.encapsulation && value <= 0xffffn) return `encapsulation:${value}`;
  return undefined;
}

/** Tunnel type of an Encapsulation Extended Community (RFC 9012 §4.1); undefined: it is none. */
export function encapsulationType(community: bigint): number | undefined {
  const kind = (OPAQUE << 8n) | SUBTYPE.encapsulation;
  return community >> 48n === kind ? Number(community & 0xffffn) : undefined;
}

/** Whether it is a route target of any of the three kinds. */
export function isRouteTarget(community: bigint): boolean {
  return community >> 56n <= 2n && ((community >> 48n) & 0xffn) === SUBTYPE.target;
}

export function isSiteOfOrigin(community: bigint): boolean {
  return community >> 56n <= 2n && ((community >> 48n) & 0xffn) === SUBTYPE.origin;
}

function hex64(value: bigint): string {
  return `0x${value.toString(16).padStart(16, '0')}`;
}
