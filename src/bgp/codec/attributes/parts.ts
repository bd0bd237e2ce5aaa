// SPDX-License-Identifier: Apache-2.0
/**
 * The attributes of an UPDATE in two parts. Those that say where a route leads and who is to take it are the
 * same for thousands of sets; what remains is what makes sets differ:
 *
 *     steering   NEXT_HOP, MP_REACH_NLRI (without NLRI), EXTENDED COMMUNITIES, Tunnel Encapsulation
 *     rest       all others
 *
 * Each part is a list of attributes in their order; one behind the other they are the list again, in another
 * order, which says the same as long as no attribute is in it twice.
 */
import type { UpdateSplit } from '../types.js';
import { TYPE } from './types.js';
import { headLength, valueLength } from './walk.js';

/** Where the steering part begins in {@link AttributeParts.bytes}: no list is longer than that. */
const STEERING_AT = 65536;

/** By type: a bit of its own for attributes of the steering part. */
const STEERING_BIT = new Uint8Array(256);
STEERING_BIT[TYPE.nextHop] = 1;
STEERING_BIT[TYPE.mpReach] = 2;
STEERING_BIT[TYPE.extendedCommunities] = 4;
STEERING_BIT[TYPE.tunnelEncapsulation] = 8;

export class AttributeParts {
  readonly bytes = new Uint8Array(2 * STEERING_AT);
  /** The rest is bytes[0..restLength). */
  restLength = 0;
  /** The steering part is bytes[steeringAt..steeringAt + steeringLength). */
  readonly steeringAt = STEERING_AT;
  steeringLength = 0;

  /**
   * Takes the attributes of an UPDATE apart. False when an attribute of the steering part is there twice, or
   * the list does not end with its last attribute: such a list must be read as it is.
   */
  take(split: UpdateSplit): boolean {
    const { bytes: from, attributesEnd, unreachStart, unreachEnd } = split;
    const to = this.bytes;
    let rest = 0;
    let steering = STEERING_AT;
    let seen = 0;
    for (let at = split.attributesStart; at < attributesEnd;) {
      if (at === unreachStart) {
        at = unreachEnd;
        continue;
      }
      const head = headLength(from, at, attributesEnd);
      const end = head === 0 ? attributesEnd + 1 : at + head + valueLength(from, at, head);
      if (end > attributesEnd) return false;
      const type = from[at + 1] ?? 0;
      const bit = STEERING_BIT[type] ?? 0;
      if (bit === 0) {
        while (at < end) to[rest++] = from[at++] ?? 0;
        continue;
      }
      if ((seen & bit) !== 0) return false;
      seen |= bit;
      while (at < end) to[steering++] = from[at++] ?? 0;
      // Its length is without NLRI since it was split.
      if (type === TYPE.mpReach) at = split.reachNlriEnd;
    }
    this.restLength = rest;
    this.steeringLength = steering - STEERING_AT;
    return true;
  }

  /** Puts the steering part behind the rest: bytes[0..length returned) is a list of all. */
  join(): number {
    const { bytes, restLength, steeringLength } = this;
    for (let i = 0; i < steeringLength; i++) bytes[restLength + i] = bytes[STEERING_AT + i] ?? 0;
    return restLength + steeringLength;
  }
}
