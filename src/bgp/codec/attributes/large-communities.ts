// SPDX-License-Identifier: Apache-2.0
/** LARGE_COMMUNITY (RFC 8092): | Global Administrator 4 | Local Data 4 | Local Data 4 |, any number. */
import { u32 } from '../bytes.js';
import { UPDATE_ERROR } from '../notification-codes.js';
import { type AttributeCodec, setSpan, TYPE } from './types.js';

export const largeCommunities: AttributeCodec = {
  type: TYPE.largeCommunities,
  name: 'LARGE_COMMUNITY',
  flags: 0xc0,
  malformed: 'withdraw',
  scan(_bytes, at, length, _environment, out) {
    if (length === 0 || length % 12 !== 0) return UPDATE_ERROR.optionalAttribute;
    setSpan(out.largeCommunities, at, length);
    return 0;
  },
  decode(bytes, scan, into) {
    const { at, length } = scan.largeCommunities;
    if (at < 0) return;
    into.largeCommunities = Array.from({ length: length / 12 }, (_, i) => {
      const one = at + 12 * i;
      return [u32(bytes, one), u32(bytes, one + 4), u32(bytes, one + 8)] as const;
    });
  },
  encode(attributes, _context, out) {
    for (const community of attributes.largeCommunities ?? []) {
      for (const part of community) out.u32(part);
    }
    return (attributes.largeCommunities ?? []).length > 0;
  },
};
