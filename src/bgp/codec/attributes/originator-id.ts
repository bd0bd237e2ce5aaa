// SPDX-License-Identifier: Apache-2.0
/** ORIGINATOR_ID (RFC 4456 §8): the BGP identifier of the router that brought the route into the AS. */
import { u32 } from '../bytes.js';
import { UPDATE_ERROR } from '../notification-codes.js';
import { type AttributeCodec, TYPE } from './types.js';

export const originatorId: AttributeCodec = {
  type: TYPE.originatorId,
  name: 'ORIGINATOR_ID',
  flags: 0x80,
  malformed: 'withdraw',
  internalOnly: true,
  scan(bytes, at, length, _environment, out) {
    if (length !== 4) return UPDATE_ERROR.attributeLength;
    out.hasOriginatorId = true;
    out.originatorId = u32(bytes, at);
    return 0;
  },
  decode(_bytes, scan, into) {
    if (scan.hasOriginatorId) into.originatorId = scan.originatorId;
  },
  encode(attributes, context, out) {
    if (!context.ibgp || attributes.originatorId === undefined) return false;
    out.u32(attributes.originatorId);
    return true;
  },
};
