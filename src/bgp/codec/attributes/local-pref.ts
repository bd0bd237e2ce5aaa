// SPDX-License-Identifier: Apache-2.0
/** LOCAL_PREF (RFC 4271 §5.1.5): a 32-bit preference, between internal neighbours alone. */
import { u32 } from '../bytes.js';
import { UPDATE_ERROR } from '../notification-codes.js';
import { type AttributeCodec, TYPE } from './types.js';

export const localPref: AttributeCodec = {
  type: TYPE.localPref,
  name: 'LOCAL_PREF',
  flags: 0x40,
  malformed: 'withdraw',
  internalOnly: true,
  scan(bytes, at, length, _environment, out) {
    if (length !== 4) return UPDATE_ERROR.attributeLength;
    out.hasLocalPref = true;
    out.localPref = u32(bytes, at);
    return 0;
  },
  decode(_bytes, scan, into) {
    if (scan.hasLocalPref) into.localPref = scan.localPref;
  },
  encode(attributes, context, out) {
    if (!context.ibgp || attributes.localPref === undefined) return false;
    out.u32(attributes.localPref);
    return true;
  },
};
