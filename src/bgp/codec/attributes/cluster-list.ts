// SPDX-License-Identifier: Apache-2.0
/** CLUSTER_LIST (RFC 4456 §8): the clusters that reflected the route, last one first, 4 octets each. */
import { u32 } from '../bytes.js';
import { UPDATE_ERROR } from '../notification-codes.js';
import { type AttributeCodec, setSpan, TYPE } from './types.js';

export const clusterList: AttributeCodec = {
  type: TYPE.clusterList,
  name: 'CLUSTER_LIST',
  flags: 0x80,
  malformed: 'withdraw',
  internalOnly: true,
  scan(_bytes, at, length, _environment, out) {
    if (length === 0 || length % 4 !== 0) return UPDATE_ERROR.attributeLength;
    setSpan(out.clusterList, at, length);
    return 0;
  },
  decode(bytes, scan, into) {
    const { at, length } = scan.clusterList;
    if (at < 0) return;
    into.clusterList = Array.from({ length: length / 4 }, (_, i) => u32(bytes, at + 4 * i));
  },
  encode(attributes, context, out) {
    if (!context.ibgp || (attributes.clusterList ?? []).length === 0) return false;
    for (const cluster of attributes.clusterList ?? []) out.u32(cluster);
    return true;
  },
};
