// SPDX-License-Identifier: Apache-2.0
/** EXTENDED COMMUNITIES (RFC 4360): eight octets each; what they mean is in the codec's folder communities/. */
import { u64 } from '../bytes.js';
import { UPDATE_ERROR } from '../notification-codes.js';
import { type AttributeCodec, setSpan, TYPE } from './types.js';

export const extendedCommunities: AttributeCodec = {
  type: TYPE.extendedCommunities,
  name: 'EXTENDED COMMUNITIES',
  flags: 0xc0,
  malformed: 'withdraw',
  scan(_bytes, at, length, _environment, out) {
    if (length === 0 || length % 8 !== 0) return UPDATE_ERROR.optionalAttribute;
    setSpan(out.extendedCommunities, at, length);
    return 0;
  },
  decode(bytes, scan, into) {
    const { at, length } = scan.extendedCommunities;
    if (at < 0) return;
    into.extendedCommunities = Array.from({ length: length / 8 }, (_, i) => u64(bytes, at + 8 * i));
  },
  encode(attributes, _context, out) {
    for (const community of attributes.extendedCommunities ?? []) out.u64(community);
    return (attributes.extendedCommunities ?? []).length > 0;
  },
};

/**
 * IPv6 Address Specific Extended Community (RFC 5701): 20 octets each. Only its length is judged
 * (RFC 7606 §7.15); it is passed on as it came.
 */
export const ipv6ExtendedCommunities: AttributeCodec = {
  type: TYPE.ipv6ExtendedCommunities,
  name: 'IPv6 EXTENDED COMMUNITIES',
  flags: 0xc0,
  malformed: 'withdraw',
  scan: (_bytes, _at, length) =>
    length === 0 || length % 20 !== 0 ? UPDATE_ERROR.optionalAttribute : 0,
  decode() {
    // Kept with the raw attributes.
  },
};
