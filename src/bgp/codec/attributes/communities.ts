// SPDX-License-Identifier: Apache-2.0
/** COMMUNITIES (RFC 1997): 32 bits each, by custom an AS number and a value of 16 bits. */
import { u32 } from '../bytes.js';
import { UPDATE_ERROR } from '../notification-codes.js';
import { type AttributeCodec, setSpan, TYPE } from './types.js';

export const communities: AttributeCodec = {
  type: TYPE.communities,
  name: 'COMMUNITIES',
  flags: 0xc0,
  malformed: 'withdraw',
  scan(_bytes, at, length, _environment, out) {
    if (length === 0 || length % 4 !== 0) return UPDATE_ERROR.optionalAttribute;
    setSpan(out.communities, at, length);
    return 0;
  },
  decode(bytes, scan, into) {
    const { at, length } = scan.communities;
    if (at < 0) return;
    into.communities = Array.from({ length: length / 4 }, (_, i) => u32(bytes, at + 4 * i));
  },
  encode(attributes, _context, out) {
    for (const community of attributes.communities ?? []) out.u32(community);
    return (attributes.communities ?? []).length > 0;
  },
};
