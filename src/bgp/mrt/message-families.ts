// SPDX-License-Identifier: Apache-2.0
/** Whether an UPDATE carries path identifiers: MRT has to say so, and the message itself does not. */
import { familyOf, hasFamily } from '../codec/families.js';
import { u16, u8 } from '../codec/bytes.js';
import { FAMILY, type FamilySet } from '../codec/types.js';

const HEADER = 19;
const UPDATE = 2;
const MP_REACH_NLRI = 14;
const MP_UNREACH_NLRI = 15;
const EXTENDED_LENGTH = 0x10;

/**
 * Whether a whole message is an UPDATE with NLRI of a family in `addPath` (RFC 7911). A malformed one
 * is read as far as it goes.
 *
 *   | header 19 | withdrawn length 2 | withdrawn | attributes length 2 | attributes | NLRI |
 */
export function carriesPathIds(message: Uint8Array, addPath: FamilySet): boolean {
  if (addPath === 0 || u8(message, 18) !== UPDATE) return false;
  const withdrawn = u16(message, HEADER);
  const attributesAt = HEADER + 4 + withdrawn;
  const attributesEnd = attributesAt + u16(message, attributesAt - 2);
  if (attributesEnd > message.length) return false;
  const classic = withdrawn > 0 || attributesEnd < message.length;
  if (classic && hasFamily(addPath, FAMILY.ipv4Unicast)) return true;
  for (let at = attributesAt; at + 3 <= attributesEnd;) {
    const extended = (u8(message, at) & EXTENDED_LENGTH) !== 0;
    const value = at + (extended ? 4 : 3);
    const length = extended ? u16(message, at + 2) : u8(message, at + 2);
    const type = u8(message, at + 1);
    if (type === MP_REACH_NLRI || type === MP_UNREACH_NLRI) {
      const family = familyOf(u16(message, value), u8(message, value + 2));
      if (family !== undefined && length >= 3 && hasFamily(addPath, family)) return true;
    }
    at = value + length;
  }
  return false;
}
