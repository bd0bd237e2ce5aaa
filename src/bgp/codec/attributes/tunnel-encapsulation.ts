// SPDX-License-Identifier: Apache-2.0
/**
 * Tunnel Encapsulation (RFC 9012 §2): TLVs, each with sub-TLVs.
 *
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |  Tunnel Type (2 octets)       |        Length (2 octets)      |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |  sub-TLV type | Length: 1 octet for types 0..127, 2 octets    |
 *     +-+-+-+-+-+-+-+-+ for types 128..255; value ...                 |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * Sub-TLVs are kept as they came. RFC 9012 §13: a TLV that does not end with its last sub-TLV is malformed,
 * and the routes are treated as withdrawn.
 */
import { type ByteWriter, u16, u8 } from '../bytes.js';
import { UPDATE_ERROR } from '../notification-codes.js';
import type { TunnelEncapsulation } from '../types.js';
import { type AttributeCodec, setSpan, TYPE } from './types.js';

/** IANA "BGP Tunnel Encapsulation Attribute Tunnel Types", as far as they are spoken of here. */
export const TUNNEL_TYPE = {
  l2tpv3: 1,
  gre: 2,
  /** RFC 5566, deprecated by RFC 9012: parsed, sent only when configured. */
  transmitEndpoint: 3,
  ipsecTunnelMode: 4,
  ipInIpWithIpsec: 5,
  mplsInIpWithIpsec: 6,
  ipInIp: 7,
  mplsInGre: 11,
} as const;

/** Sub-TLVs whose length has two octets (RFC 9012 §2). */
const LONG = 128;

/** Offset behind the sub-TLV at `at`, or -1. */
function subTlvEnd(bytes: Uint8Array, at: number, end: number): number {
  const head = u8(bytes, at) < LONG ? 2 : 3;
  if (end - at < head) return -1;
  const next = at + head + (head === 2 ? u8(bytes, at + 1) : u16(bytes, at + 1));
  return next > end ? -1 : next;
}

function isWellFormed(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end;) {
    if (end - at < 4) return false;
    const next = at + 4 + u16(bytes, at + 2);
    if (next > end) return false;
    for (let sub = at + 4; sub < next;) {
      sub = subTlvEnd(bytes, sub, next);
      if (sub < 0) return false;
    }
    at = next;
  }
  return true;
}

function tunnelsOf(bytes: Uint8Array, start: number, end: number): TunnelEncapsulation[] {
  const tunnels: TunnelEncapsulation[] = [];
  for (let at = start; at < end;) {
    const next = at + 4 + u16(bytes, at + 2);
    const subTlvs: { type: number; value: Uint8Array }[] = [];
    for (let sub = at + 4; sub < next;) {
      const after = subTlvEnd(bytes, sub, next);
      const type = u8(bytes, sub);
      subTlvs.push({ type, value: bytes.slice(sub + (type < LONG ? 2 : 3), after) });
      sub = after;
    }
    tunnels.push({ type: u16(bytes, at), subTlvs });
    at = next;
  }
  return tunnels;
}

function writeTunnel({ type, subTlvs }: TunnelEncapsulation, out: ByteWriter): void {
  out.u16(type);
  const lengthAt = out.length;
  out.u16(0);
  for (const { type: subType, value } of subTlvs) {
    if (subType < LONG && value.length > 255) {
      throw new RangeError(`sub-TLV ${subType} of ${value.length} octets`);
    }
    out.u8(subType);
    if (subType < LONG) out.u8(value.length);
    else out.u16(value.length);
    out.copy(value);
  }
  out.setU16(lengthAt, out.length - lengthAt - 2);
}

export const tunnelEncapsulation: AttributeCodec = {
  type: TYPE.tunnelEncapsulation,
  name: 'Tunnel Encapsulation',
  flags: 0xc0,
  malformed: 'withdraw',
  scan(bytes, at, length, _environment, out) {
    if (length === 0 || !isWellFormed(bytes, at, at + length)) {
      return UPDATE_ERROR.optionalAttribute;
    }
    setSpan(out.tunnelEncapsulation, at, length);
    return 0;
  },
  decode(bytes, scan, into) {
    const { at, length } = scan.tunnelEncapsulation;
    if (at >= 0) into.tunnelEncapsulation = tunnelsOf(bytes, at, at + length);
  },
  encode(attributes, _context, out) {
    for (const tunnel of attributes.tunnelEncapsulation ?? []) writeTunnel(tunnel, out);
    return (attributes.tunnelEncapsulation ?? []).length > 0;
  },
};
