// SPDX-License-Identifier: Apache-2.0
/**
 * Queueing disciplines: RTM_NEWQDISC (struct tcmsg of linux/rtnetlink.h), host byte order.
 *
 *  +---------------+-----------------------------------------------+
 *  | tcm_family    | 0                                             |
 *  +---------------+-----------------------------------------------+
 *  | tcm_ifindex                                                   |
 *  +---------------------------------------------------------------+
 *  | tcm_handle: 0 = the kernel chooses                            |
 *  +---------------------------------------------------------------+
 *  | tcm_parent: 0xffffffff = the root                             |
 *  +---------------------------------------------------------------+
 *  | tcm_info                                                      |
 *  +---------------------------------------------------------------+
 *  | attributes TCA_*                                              |
 *  +---------------------------------------------------------------+
 */
import { AttributeWriter, viewOf } from './attribute.js';

const HEADER = 20;
const TC_H_ROOT = 0xffffffff;
const TCA_KIND = 1;

/** RTM_NEWQDISC (CREATE | REPLACE): the root discipline of a device, by its kind. */
export function encodeRootQdisc(index: number, kind: string): Uint8Array {
  const header = new Uint8Array(HEADER);
  const view = viewOf(header);
  view.setInt32(4, index, true);
  view.setUint32(12, TC_H_ROOT, true);
  return new AttributeWriter(header).string(TCA_KIND, kind).finish();
}
