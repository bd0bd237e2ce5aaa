// SPDX-License-Identifier: Apache-2.0
/**
 * NEXT_HOP (RFC 4271 §5.1.3): an IPv4 address, of the routes in the classic fields. Written by
 * UpdateWriter, since it belongs to routes of one family as MP_REACH_NLRI does to the others.
 */
import { u8 } from '../bytes.js';
import { UPDATE_ERROR } from '../notification-codes.js';
import { type AttributeCodec, setSpan, TYPE } from './types.js';

/** RFC 4271 §6.3: by its first octet, a host's address; not 0/8, 127/8, multicast or class E. */
export const isHost4 = (first: number): boolean => first !== 0 && first !== 127 && first < 224;

export const nextHop: AttributeCodec = {
  type: TYPE.nextHop,
  name: 'NEXT_HOP',
  flags: 0x40,
  malformed: 'withdraw',
  scan(bytes, at, length, { classic }, out) {
    if (length !== 4) return UPDATE_ERROR.attributeLength;
    // Beside MP_REACH_NLRI it says nothing (RFC 4760 §3).
    if (!classic) return 0;
    if (!isHost4(u8(bytes, at))) return UPDATE_ERROR.invalidNextHop;
    setSpan(out.nextHop, at, 4);
    return 0;
  },
  decode(bytes, scan, into) {
    const { at, length } = scan.nextHop;
    if (at >= 0) into.nextHop = bytes.slice(at, at + length);
  },
};
