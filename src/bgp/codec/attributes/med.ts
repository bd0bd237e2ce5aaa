// SPDX-License-Identifier: Apache-2.0
/** MULTI_EXIT_DISC (RFC 4271 §5.1.4): a 32-bit metric. */
import { u32 } from '../bytes.js';
import { UPDATE_ERROR } from '../notification-codes.js';
import { type AttributeCodec, TYPE } from './types.js';

export const med: AttributeCodec = {
  type: TYPE.med,
  name: 'MULTI_EXIT_DISC',
  flags: 0x80,
  malformed: 'withdraw',
  scan(bytes, at, length, _environment, out) {
    if (length !== 4) return UPDATE_ERROR.attributeLength;
    out.hasMed = true;
    out.med = u32(bytes, at);
    return 0;
  },
  decode(_bytes, scan, into) {
    if (scan.hasMed) into.med = scan.med;
  },
  encode(attributes, _context, out) {
    if (attributes.med === undefined) return false;
    out.u32(attributes.med);
    return true;
  },
};
