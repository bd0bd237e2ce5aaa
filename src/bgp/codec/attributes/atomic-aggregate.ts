// SPDX-License-Identifier: Apache-2.0
/** ATOMIC_AGGREGATE (RFC 4271 §5.1.6): no octets. */
import { UPDATE_ERROR } from '../notification-codes.js';
import { type AttributeCodec, TYPE } from './types.js';

export const atomicAggregate: AttributeCodec = {
  type: TYPE.atomicAggregate,
  name: 'ATOMIC_AGGREGATE',
  flags: 0x40,
  malformed: 'discard',
  scan(_bytes, _at, length, _environment, out) {
    if (length !== 0) return UPDATE_ERROR.attributeLength;
    out.atomicAggregate = true;
    return 0;
  },
  decode(_bytes, scan, into) {
    if (scan.atomicAggregate) into.atomicAggregate = true;
  },
  encode: (attributes) => attributes.atomicAggregate === true,
};
