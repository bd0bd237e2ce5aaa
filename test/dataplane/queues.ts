// SPDX-License-Identifier: Apache-2.0
/** Queues of CE interfaces as tests of the running worker set them. */
import { QUEUE_KERNEL, QUEUE_NONE, type EgressRow } from '../../src/forwarding/addon/api.js';

export const VOICE = 1;
export const BULK = 2;
/** DSCPs of the two classes. */
export const EF = 46;
export const AF11 = 10;

export const CLASSES = {
  classOfDscp: Uint8Array.from({ length: 64 }, (_, dscp) =>
    dscp === EF ? VOICE : dscp === AF11 ? BULK : 0,
  ),
  names: ['default', 'voice', 'bulk', '', '', '', '', ''],
};

/** Voice first, bulk and the default class three to one; a burst of nothing. `rate`: bit/s, 0 = none. */
export function queues(rate: bigint, limit: number, frame = 1514): EgressRow {
  const strict = new Uint8Array(QUEUE_KERNEL + 1).fill(QUEUE_NONE);
  strict.set([QUEUE_KERNEL, VOICE]);
  return {
    ...{ rate, burst: 0, strict },
    queues: Array.from({ length: QUEUE_KERNEL + 1 }, (_, slot) => ({
      ...{ limit, quantum: slot === BULK ? 3 * frame : frame },
    })),
    queueOfClass: Uint8Array.of(0, VOICE, BULK, 0, 0, 0, 0, 0),
  };
}
