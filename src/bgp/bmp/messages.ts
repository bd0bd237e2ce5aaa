// SPDX-License-Identifier: Apache-2.0
/**
 * BMP version 3 messages: RFC 7854, Adj-RIB-Out by RFC 8671, Loc-RIB by RFC 9069. All numbers are big
 * endian.
 *
 *   common header, §4.1            per-peer header, §4.2
 *  +-----------------------+      +---------------------------------------+
 *  | version 3          1  |      | peer type 1      | flags 1            |
 *  | length, whole      4  |      | distinguisher: RD of the VRF     8    |
 *  | type               1  |      | address, IPv4 in the last 4     16    |
 *  +-----------------------+      | AS number                        4    |
 *                                 | BGP identifier                   4    |
 *   information TLV, §4.4         | seconds 4        | microseconds 4     |
 *  +-----------------------+      +---------------------------------------+
 *  | type 2  | length 2    |
 *  | value                 |
 *  +-----------------------+
 */
import { ByteWriter } from '../codec/bytes.js';
import { FAMILIES, type FamilyId } from '../codec/types.js';
import type { MonitoredPeer, PeerDown } from '../monitor.js';

export const BMP_VERSION = 3;
export const BMP_TYPE = {
  routeMonitoring: 0,
  statistics: 1,
  peerDown: 2,
  peerUp: 3,
  initiation: 4,
  termination: 5,
} as const;

const COMMON_HEADER = 6;
const MICROSECONDS = 1_000_000;

/** §4.10, §4.2, RFC 9069 §4.1. */
const PEER_TYPE = { global: 0, rd: 1, locRib: 3 } as const;
const FLAG = {
  ipv6: 0x80, // V
  postPolicy: 0x40, // L
  as2: 0x20, // A: AS_PATH with 2 octets per AS number
  adjRibOut: 0x10, // O, RFC 8671 §4
} as const;

/** Which table of a peer a message is about. */
export type RibView = 'adj-in-pre' | 'adj-in-post' | 'adj-out-pre' | 'adj-out-post';

/** The Loc-RIB of a routing table as a peer of its own (RFC 9069). */
export interface LocRib {
  /** VRF by name; undefined: the global table. */
  readonly vrf: string | undefined;
  readonly rd: bigint | undefined;
  readonly asn: number;
  readonly routerId: number;
}

const VIEW_FLAGS: Readonly<Record<RibView, number>> = {
  'adj-in-pre': 0,
  'adj-in-post': FLAG.postPolicy,
  'adj-out-pre': FLAG.adjRibOut,
  'adj-out-post': FLAG.adjRibOut | FLAG.postPolicy,
};

function message(type: number, write: (out: ByteWriter) => void): Uint8Array {
  const out = new ByteWriter(512);
  out.u8(BMP_VERSION);
  out.u32(0);
  out.u8(type);
  write(out);
  out.setU16(1, Math.floor(out.length / 0x1_0000));
  out.setU16(3, out.length % 0x1_0000);
  return out.slice();
}

function tlv(out: ByteWriter, type: number, value: Uint8Array): void {
  out.u16(type);
  out.u16(value.length);
  out.copy(value);
}

/** UTF-8, cut at the end of a character so that it fits a TLV. */
function text(value: string): Uint8Array {
  let bytes = new TextEncoder().encode(value);
  if (bytes.length > 0xffff) {
    let end = 0xffff;
    while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
    bytes = bytes.slice(0, end);
  }
  return bytes;
}

/** `now` in microseconds since 1970: when the routes were received, or the event was. */
function peerHeader(out: ByteWriter, now: number, peer: MonitoredPeer, flags: number): void {
  const ipv6 = peer.address.length === 16;
  out.u8(peer.rd === undefined ? PEER_TYPE.global : PEER_TYPE.rd);
  out.u8(flags | (ipv6 ? FLAG.ipv6 : 0));
  out.u64(peer.rd ?? 0n);
  address(out, peer.address);
  out.u32(peer.asn);
  out.u32(peer.routerId);
  time(out, now);
}

function address(out: ByteWriter, value: Uint8Array): void {
  if (value.length === 4) for (let i = 0; i < 3; i++) out.u32(0);
  out.copy(value);
}

function time(out: ByteWriter, now: number): void {
  out.u32(Math.floor(now / MICROSECONDS));
  out.u32(now % MICROSECONDS);
}

// ---- Initiation and termination, §4.3, §4.5 ----------------------------------------------------------

const INITIATION_TLV = { description: 1, name: 2 } as const;

export function initiation(system: {
  readonly name: string;
  readonly description: string;
}): Uint8Array {
  return message(BMP_TYPE.initiation, (out) => {
    tlv(out, INITIATION_TLV.description, text(system.description));
    tlv(out, INITIATION_TLV.name, text(system.name));
  });
}

const TERMINATION_REASON_TLV = 1;

/** §4.5. */
export const TERMINATION = {
  administrativelyClosed: 0,
  unspecified: 1,
  outOfResources: 2,
  redundant: 3,
  permanentlyClosed: 4,
} as const;

export function termination(reason: keyof typeof TERMINATION): Uint8Array {
  return message(BMP_TYPE.termination, (out) => {
    tlv(out, TERMINATION_REASON_TLV, Uint8Array.of(0, TERMINATION[reason]));
  });
}

// ---- Peers, §4.9 and §4.10 -------------------------------------------------------------------------

const TABLE_NAME_TLV = 3; // RFC 9069 §5.2 and §5.3

/**
 * Both OPENs whole. | header | local address 16 | local port 2 | remote port 2 | sent | received |
 * Information TLVs could follow; we have none to say that the header does not.
 */
export function peerUp(
  now: number,
  peer: MonitoredPeer,
  sent: Uint8Array,
  received: Uint8Array,
): Uint8Array {
  return message(BMP_TYPE.peerUp, (out) => {
    peerHeader(out, now, peer, 0);
    address(out, peer.localAddress);
    out.u16(peer.localPort);
    out.u16(peer.port);
    out.copy(sent);
    out.copy(received);
  });
}

const DOWN_REASON: Readonly<Record<PeerDown['kind'], number>> = {
  'local-notification': 1,
  local: 2,
  'remote-notification': 3,
  remote: 4,
  unmonitored: 5,
};

/** | header | reason 1 | NOTIFICATION, or FSM event 2, or nothing | */
export function peerDown(now: number, peer: MonitoredPeer, down: PeerDown): Uint8Array {
  return message(BMP_TYPE.peerDown, (out) => {
    peerHeader(out, now, peer, 0);
    out.u8(DOWN_REASON[down.kind]);
    if ('message' in down) out.copy(down.message);
    if (down.kind === 'local') out.u16(down.event);
  });
}

// ---- Routes, §4.6 -----------------------------------------------------------------------------------

/** An UPDATE whole, in the encoding that the two OPENs of Peer Up agree on. */
export function routeMonitoring(
  now: number,
  peer: MonitoredPeer,
  view: RibView,
  update: Uint8Array,
): Uint8Array {
  return message(BMP_TYPE.routeMonitoring, (out) => {
    peerHeader(out, now, peer, VIEW_FLAGS[view] | (peer.as4 ? 0 : FLAG.as2));
    out.copy(update);
  });
}

// ---- Loc-RIB, RFC 9069 ------------------------------------------------------------------------------

function locRibHeader(out: ByteWriter, now: number, { rd, asn, routerId }: LocRib): void {
  out.u8(PEER_TYPE.locRib);
  out.u8(0); // F: not filtered
  out.u64(rd ?? 0n);
  for (let i = 0; i < 4; i++) out.u32(0); // no address
  out.u32(asn);
  out.u32(routerId);
  time(out, now);
}

/** §5.2: the table's name; "global" for the one that is no VRF's. */
const tableName = ({ vrf }: LocRib): Uint8Array => text(vrf ?? 'global');

/** `open` is made up to say how its UPDATEs are encoded (§5.1): see exporter.ts. */
export function locRibUp(now: number, table: LocRib, open: Uint8Array): Uint8Array {
  return message(BMP_TYPE.peerUp, (out) => {
    locRibHeader(out, now, table);
    for (let i = 0; i < 5; i++) out.u32(0); // no address, no ports
    out.copy(open);
    out.copy(open);
    tlv(out, TABLE_NAME_TLV, tableName(table));
  });
}

const LOC_RIB_DOWN = 6; // §5.3: local system closed, TLV data follows

export function locRibDown(now: number, table: LocRib): Uint8Array {
  return message(BMP_TYPE.peerDown, (out) => {
    locRibHeader(out, now, table);
    out.u8(LOC_RIB_DOWN);
    tlv(out, TABLE_NAME_TLV, tableName(table));
  });
}

/** AS_PATH has 4 octets per AS number (§5.4.1). */
export function locRibMonitoring(now: number, table: LocRib, update: Uint8Array): Uint8Array {
  return message(BMP_TYPE.routeMonitoring, (out) => {
    locRibHeader(out, now, table);
    out.copy(update);
  });
}

// ---- Statistics, §4.8 -------------------------------------------------------------------------------

/** Counters have 32 bits and wrap, gauges 64. Types of §4.8 and RFC 8671 §6.2. */
export interface PeerStatistics {
  readonly rejectedByPolicy?: number;
  readonly duplicatePrefixes?: number;
  readonly duplicateWithdrawals?: number;
  readonly clusterListLoops?: number;
  readonly asPathLoops?: number;
  readonly originatorIdLoops?: number;
  readonly adjRibIn?: number;
  readonly adjRibInByFamily?: ReadonlyMap<FamilyId, number>;
  readonly updatesTreatedAsWithdraw?: number;
  readonly prefixesTreatedAsWithdraw?: number;
  readonly adjRibOutPostPolicy?: number;
  readonly adjRibOutPostPolicyByFamily?: ReadonlyMap<FamilyId, number>;
}

const COUNTERS = [
  ['rejectedByPolicy', 0],
  ['duplicatePrefixes', 1],
  ['duplicateWithdrawals', 2],
  ['clusterListLoops', 3],
  ['asPathLoops', 4],
  ['originatorIdLoops', 5],
  ['updatesTreatedAsWithdraw', 11],
  ['prefixesTreatedAsWithdraw', 12],
] as const;
const GAUGES = [
  ['adjRibIn', 7],
  ['adjRibOutPostPolicy', 15],
] as const;
const FAMILY_GAUGES = [
  ['adjRibInByFamily', 9],
  ['adjRibOutPostPolicyByFamily', 17],
] as const;

/** | header | count 4 | TLVs | */
export function statistics(now: number, peer: MonitoredPeer, values: PeerStatistics): Uint8Array {
  return message(BMP_TYPE.statistics, (out) => {
    peerHeader(out, now, peer, 0);
    const countAt = out.length;
    out.u32(0);
    let count = 0;
    const head = (type: number, length: number): void => {
      out.u16(type);
      out.u16(length);
      count++;
    };
    for (const [name, type] of COUNTERS) {
      const value = values[name];
      if (value === undefined) continue;
      head(type, 4);
      out.u32(value % 0x1_0000_0000);
    }
    for (const [name, type] of GAUGES) {
      const value = values[name];
      if (value === undefined) continue;
      head(type, 8);
      out.u64(BigInt(value));
    }
    for (const [name, type] of FAMILY_GAUGES) {
      for (const [family, value] of values[name] ?? []) {
        head(type, 11);
        out.u16(FAMILIES[family].afi);
        out.u8(FAMILIES[family].safi);
        out.u64(BigInt(value));
      }
    }
    out.setU16(countAt + 2, count);
  });
}

/** Length of the message at the start of `bytes`, for readers of streams; undefined: not there yet. */
export function lengthOf(bytes: Uint8Array): number | undefined {
  if (bytes.length < COMMON_HEADER) return undefined;
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
}
