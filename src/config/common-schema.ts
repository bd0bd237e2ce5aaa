// SPDX-License-Identifier: Apache-2.0
/** Schemas that the parts of the configuration share. */
import { boolean, name, oneOf, scalar } from './scalars.js';
import { set } from './shapes.js';

/** Longest names, bytes. Those of interfaces become TAP names (IFNAMSIZ 16 with NUL). */
export const LONGEST = { instance: 12, interface: 15, entity: 32, netns: 64 } as const;

/** VRFs, tunnels, SAs, SPs, rules. */
export const entity = name(LONGEST.entity);
export const encapsulation = oneOf('gre', 'ip');
export const protection = oneOf('encrypt', 'authenticate', 'tunnel', 'mpls');

/** Members of ExportClass (classes.ts). */
export const exportClass = {
  protections: set(protection),
  toSps: set(entity).exactOptional(),
  encapsulations: set(encapsulation).exactOptional(),
  clearInsideOwnSp: boolean.exactOptional(),
};

/** Of inbound SAs, packets. */
export const replayWindow = scalar<number>('a replay window', (value) => {
  if (typeof value === 'number' && value % 64 === 0 && value >= 64 && value <= 4096) return value;
  return { reason: 'no replay window', remedy: 'packets: a multiple of 64, 64..4096' };
});
