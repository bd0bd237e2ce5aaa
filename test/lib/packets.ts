// SPDX-License-Identifier: Apache-2.0
/** Headers byte by byte, from the RFCs: what tests expect on a wire, and what they send when it is wrong. */
import { parseAddress } from '../../src/lib/ip.js';

/** Numbers of /etc/protocols. */
export const PROTOCOL = {
  icmp: 1,
  udp: 17,
  gre: 47,
  esp: 50,
  icmp6: 58,
  none: 59,
  mpls: 137,
} as const;

export const ETHERTYPE = {
  ip4: 0x0800,
  arp: 0x0806,
  vlan: 0x8100,
  ip6: 0x86dd,
  mpls: 0x8847,
} as const;

export function addressBytes(text: string): Uint8Array {
  const bytes = parseAddress(text);
  if (bytes === undefined) throw new Error(`not an address: ${text}`);
  return bytes;
}

export function macBytes(text: string): Buffer {
  return Buffer.from(text.replaceAll(':', ''), 'hex');
}

/** One's-complement sum over 16-bit words, inverted (RFC 1071). */
export function checksum(...parts: readonly Uint8Array[]): number {
  const bytes = Buffer.concat(parts);
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) {
    sum += bytes.readUInt8(at) * 256 + (at + 1 < bytes.length ? bytes.readUInt8(at + 1) : 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** | destination 6 | source 6 | [8100, TCI] | EtherType 2 | payload | */
export function ethernet(header: {
  readonly destination: string;
  readonly source: string;
  readonly vlan?: number;
  readonly type: number;
  readonly payload: Uint8Array;
}): Buffer {
  const tail = Buffer.alloc(header.vlan === undefined ? 2 : 6);
  if (header.vlan !== undefined) {
    tail.writeUInt16BE(ETHERTYPE.vlan, 0);
    tail.writeUInt16BE(header.vlan, 2);
  }
  tail.writeUInt16BE(header.type, tail.length - 2);
  return Buffer.concat([
    ...[macBytes(header.destination), macBytes(header.source), tail, header.payload],
  ]);
}

export interface IpHeader {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly ttl?: number;
  readonly dscp?: number;
  readonly ecn?: number;
  /** IPv4. */
  readonly id?: number;
  /** IPv4: flags and fragment offset; default DF. */
  readonly fragment?: number;
  /** IPv6. */
  readonly flowLabel?: number;
  readonly payload: Uint8Array;
}

/**
 * | 4, IHL 5 | DSCP, ECN | total length | id | flags, offset | TTL | protocol | checksum | source | destination |
 */
function ip4(header: IpHeader): Buffer {
  const bytes = Buffer.alloc(20);
  bytes.writeUInt8(0x45, 0);
  bytes.writeUInt8(((header.dscp ?? 0) << 2) | (header.ecn ?? 0), 1);
  bytes.writeUInt16BE(20 + header.payload.length, 2);
  bytes.writeUInt16BE(header.id ?? 0, 4);
  bytes.writeUInt16BE(header.fragment ?? 0x4000, 6);
  bytes.writeUInt8(header.ttl ?? 64, 8);
  bytes.writeUInt8(header.protocol, 9);
  bytes.set(addressBytes(header.source), 12);
  bytes.set(addressBytes(header.destination), 16);
  bytes.writeUInt16BE(checksum(bytes), 10);
  return Buffer.concat([bytes, header.payload]);
}

/** | 6, DSCP, ECN, flow label | payload length | next header | hop limit | source 16 | destination 16 | */
function ip6(header: IpHeader): Buffer {
  const bytes = Buffer.alloc(40);
  const traffic = ((header.dscp ?? 0) << 2) | (header.ecn ?? 0);
  bytes.writeUInt32BE(0x60000000 + traffic * 0x100000 + (header.flowLabel ?? 0), 0);
  bytes.writeUInt16BE(header.payload.length, 4);
  bytes.writeUInt8(header.protocol, 6);
  bytes.writeUInt8(header.ttl ?? 64, 7);
  bytes.set(addressBytes(header.source), 8);
  bytes.set(addressBytes(header.destination), 24);
  return Buffer.concat([bytes, header.payload]);
}

export function ip(header: IpHeader): Buffer {
  return header.source.includes(':') ? ip6(header) : ip4(header);
}

/** | source port 50001 | destination port 50002 | length | checksum | data |; the checksum is right for the addresses. */
export function udp(source: string, destination: string, data: Uint8Array): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16BE(50001, 0);
  bytes.writeUInt16BE(50002, 2);
  bytes.writeUInt16BE(8 + data.length, 4);
  const pseudo = Buffer.alloc(4);
  pseudo.writeUInt16BE(PROTOCOL.udp, 0);
  pseudo.writeUInt16BE(8 + data.length, 2);
  const sum = checksum(addressBytes(source), addressBytes(destination), pseudo, bytes, data);
  bytes.writeUInt16BE(sum === 0 ? 0xffff : sum, 6);
  return Buffer.concat([bytes, data]);
}

/** | label 20 | TC 3 | S 1 | TTL 8 | (RFC 3032, RFC 5462) */
export function labelEntry(
  label: number,
  { tc = 0, bottom = true, ttl = 255 }: { tc?: number; bottom?: boolean; ttl?: number } = {},
): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(label * 0x1000 + tc * 0x200 + (bottom ? 0x100 : 0) + ttl);
  return bytes;
}

/** | flags, version: 0 | protocol type | (RFC 4023 4.2) */
export function gre(payload: Uint8Array, type: number = ETHERTYPE.mpls, flags = 0): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt16BE(flags, 0);
  bytes.writeUInt16BE(type, 2);
  return Buffer.concat([bytes, payload]);
}

/** The EtherType of an IP packet. */
export function etherTypeOf(packet: Uint8Array): number {
  return (packet[0] ?? 0) >> 4 === 4 ? ETHERTYPE.ip4 : ETHERTYPE.ip6;
}
