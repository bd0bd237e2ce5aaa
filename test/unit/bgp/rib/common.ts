// SPDX-License-Identifier: Apache-2.0
/** What several tests of the RIB begin and end with. */
import { expect } from 'vitest';
import { FAMILY } from '../../../../src/bgp/codec/types.js';
import type { NeighbourRib } from '../../../../src/bgp/rib/peers.js';
import { contextOf, type Lab, NOTHING_LEFT, OPEN } from './lab.js';

export const one = { prefix: '10.1.0.0', length: 16 };
export const two = { prefix: '10.2.0.0', length: 16 };
export const client: NeighbourRib = { ...OPEN, routeReflectorClient: true };
export const V4 = 1 << FAMILY.ipv4Unicast;
/** A session of IPv4 unicast alone. */
export const plain = { context: contextOf({ families: V4 }) };

/** Ends every session and expects nothing to be left. */
export function expectEmpty(lab: Lab): void {
  for (const peer of lab.peers.values()) if (peer.up) lab.down(peer.info.id);
  lab.pass(1);
  expect(lab.leftovers()).toEqual(NOTHING_LEFT);
  expect(lab.timers).toBe(0);
}
