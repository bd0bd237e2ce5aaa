// SPDX-License-Identifier: Apache-2.0
/** ORIGIN (RFC 4271 §5.1.1): one octet, 0 IGP, 1 EGP, 2 INCOMPLETE. */
import { u8 } from '../bytes.js';
import { UPDATE_ERROR } from '../notification-codes.js';
import { type AttributeCodec, TYPE } from './types.js';

export const origin: AttributeCodec = {
  type: TYPE.origin,
  name: 'ORIGIN',
  flags: 0x40,
  malformed: 'withdraw',
  scan(bytes, at, length, _environment, out) {
    if (length !== 1) return UPDATE_ERROR.attributeLength;
    const value = u8(bytes, at);
    if (value > 2) return UPDATE_ERROR.invalidOrigin;
    out.origin = value;
    return 0;
  },
  decode(_bytes, scan, into) {
    into.origin = scan.origin === 0 ? 0 : scan.origin === 1 ? 1 : 2;
  },
  encode(attributes, _context, out) {
    out.u8(attributes.origin);
    return true;
  },
};
