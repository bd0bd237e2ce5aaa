// SPDX-License-Identifier: Apache-2.0
/**
 * MP_REACH_NLRI (RFC 4760 §3) and MP_UNREACH_NLRI as the splitter leaves them: without NLRI. Here the
 * next hop is of interest. Layouts: update-split.ts and next-hop.ts of the codec.
 */
import { u16, u8 } from '../bytes.js';
import { familyOf } from '../families.js';
import { nextHopLayout } from '../next-hop.js';
import { UPDATE_ERROR } from '../notification-codes.js';
import { FAMILY } from '../types.js';
import { isHost4 } from './next-hop.js';
import { type AttributeCodec, setSpan, TYPE } from './types.js';

export const mpReach: AttributeCodec = {
  type: TYPE.mpReach,
  name: 'MP_REACH_NLRI',
  flags: 0x80,
  malformed: 'withdraw',
  scan(bytes, at, length, { classic }, out) {
    if (length < 5 || length < 5 + u8(bytes, at + 3)) return UPDATE_ERROR.optionalAttribute;
    // The next hop of other routes in the same message.
    if (classic) return 0;
    const family = familyOf(u16(bytes, at), u8(bytes, at + 2));
    const layout = family === undefined ? undefined : nextHopLayout(family, u8(bytes, at + 3));
    if (layout === undefined) return UPDATE_ERROR.optionalAttribute;
    const address = at + 4 + layout.at;
    if (family !== FAMILY.routeTarget && !isHost(bytes, address, layout.size)) {
      return UPDATE_ERROR.optionalAttribute;
    }
    setSpan(out.nextHop, address, layout.size);
    if (layout.linkLocalAt >= 0) setSpan(out.linkLocalNextHop, at + 4 + layout.linkLocalAt, 16);
    return 0;
  },
  decode(bytes, scan, into) {
    const { nextHop, linkLocalNextHop } = scan;
    if (nextHop.at >= 0) into.nextHop = bytes.slice(nextHop.at, nextHop.at + nextHop.length);
    if (linkLocalNextHop.at >= 0) {
      into.linkLocalNextHop = bytes.slice(linkLocalNextHop.at, linkLocalNextHop.at + 16);
    }
  },
};

/** Neither unspecified, loopback nor multicast (nor 0/8, 127/8 or class E): what a packet can be sent to. */
function isHost(bytes: Uint8Array, at: number, size: 4 | 16): boolean {
  if (size === 4) return isHost4(u8(bytes, at));
  if (u8(bytes, at) === 0xff) return false;
  for (let i = at; i < at + 10; i++) if (bytes[i] !== 0) return true;
  const [high, low] = [u16(bytes, at + 10), u16(bytes, at + 12)];
  // ::ffff:0:0/96 is judged as what is mapped, :: and ::1 are nobody's.
  if (high === 0xffff) return isHost4(u8(bytes, at + 12));
  return high !== 0 || low !== 0 || u16(bytes, at + 14) > 1;
}

/** Left out by the splitter; a list that has one nevertheless is not made worse by it. */
export const mpUnreach: AttributeCodec = {
  type: TYPE.mpUnreach,
  name: 'MP_UNREACH_NLRI',
  flags: 0x80,
  malformed: 'withdraw',
  scan: (_bytes, _at, length) => (length < 3 ? UPDATE_ERROR.optionalAttribute : 0),
  decode() {
    // Not an attribute of routes.
  },
};
