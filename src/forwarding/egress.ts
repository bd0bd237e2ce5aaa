// SPDX-License-Identifier: Apache-2.0
/** Queues of CE interfaces: from the configuration to the tables. */
import { DEFAULT_CLASS, DEFAULT_MTU } from '../config/defaults.js';
import type * as config from '../config/types.js';
import {
  MAX_CLASSES,
  QUEUE_KERNEL,
  QUEUE_NONE,
  type EgressRow,
  type QueueRow,
} from './addon/api.js';

/** Ethernet header; four more for each tag. */
const LINK_BYTES = 14;
const TAG_BYTES = 4;
/** What a queue holds by default: so many milliseconds at the rate, in packets of the MTU, within bounds. */
const QUEUE_MS = 50;
const LEAST_LIMIT = 64;
const MOST_LIMIT = 4096;
const LIMIT_WITHOUT_RATE = 1024;
/** By how much sending may be late and made up for: the thread that sends may sleep a millisecond. */
const BURST_MS = 4;
export const KERNEL_LIMIT = 256;

/** A queue as it is in force. */
export interface Queue {
  /** '' for the kernel's frames. */
  readonly class: string;
  readonly kind: 'kernel' | 'priority' | 'weighted';
  /** 0 with strict priority. */
  readonly weight: number;
  /** Packets. */
  readonly limit: number;
}

export interface Egress {
  /** bit/s, 0 = none. */
  readonly rate: number;
  /** Bytes; 0 without a rate. */
  readonly burst: number;
  /** In the order in which they are served: strict priority first, then the weighted ones. */
  readonly queues: readonly Queue[];
}

const clamp = (value: number, least: number, most: number): number =>
  Math.min(most, Math.max(least, value));

/** Bytes of the largest frame of an interface, without FCS. */
export function frameBytes({ mtu = DEFAULT_MTU, vlan, serviceVlan }: config.Interface): number {
  const tags = [vlan, serviceVlan].filter((id) => id !== undefined).length;
  return mtu + LINK_BYTES + tags * TAG_BYTES;
}

/** Defaults filled in; undefined: the interface has no queues. */
export function egressOf(from: config.Interface): Egress | undefined {
  if (from.role !== 'ce' || from.egress === undefined) return undefined;
  const { rate = 0, burst, queues = [] } = from.egress;
  const frame = frameBytes(from);
  const bytesIn = (ms: number): number => (rate / 8) * (ms / 1000);
  const usual =
    rate === 0
      ? LIMIT_WITHOUT_RATE
      : clamp(Math.ceil(bytesIn(QUEUE_MS) / frame), LEAST_LIMIT, MOST_LIMIT);
  const named = queues.map((queue): Queue => {
    const priority = queue.priority ?? false;
    const { weight = 1, limit = usual } = queue;
    return {
      ...{ class: queue.class, kind: priority ? 'priority' : 'weighted' },
      ...{ weight: priority ? 0 : weight, limit },
    };
  });
  if (!named.some((queue) => queue.class === DEFAULT_CLASS)) {
    named.push({ class: DEFAULT_CLASS, kind: 'weighted', weight: 1, limit: usual });
  }
  return {
    rate,
    burst: rate === 0 ? 0 : (burst ?? Math.max(frame, Math.ceil(bytesIn(BURST_MS)))),
    queues: [
      { class: '', kind: 'kernel', weight: 0, limit: KERNEL_LIMIT },
      ...named.filter((queue) => queue.kind === 'priority'),
      ...named.filter((queue) => queue.kind === 'weighted'),
    ],
  };
}

/** Slot of a queue by the name of its class. */
export const queueSlot = (
  name: string,
  numbers: ReadonlyMap<string, number>,
): number | undefined => (name === '' ? QUEUE_KERNEL : numbers.get(name));

/**
 * The smallest weight gets a frame's worth in each round, so that every turn sends something; the others in proportion.
 * A queue that the configuration does not name, because packets of before still wait in it, is like the smallest.
 */
export function egressRow(
  egress: Egress,
  frame: number,
  numbers: ReadonlyMap<string, number>,
): EgressRow {
  const weights = egress.queues.flatMap(({ weight }) => (weight === 0 ? [] : [weight]));
  const least = weights.length === 0 ? 1 : Math.min(...weights);
  const queues: QueueRow[] = Array.from({ length: QUEUE_KERNEL + 1 }, () => ({
    limit: LEAST_LIMIT,
    quantum: frame,
  }));
  const strict = new Uint8Array(QUEUE_KERNEL + 1).fill(QUEUE_NONE);
  const queueOfClass = new Uint8Array(MAX_CLASSES).fill(numbers.get(DEFAULT_CLASS) ?? 0);
  let priorities = 0;
  for (const { class: name, kind, weight, limit } of egress.queues) {
    const slot = queueSlot(name, numbers);
    if (slot === undefined) continue;
    queues[slot] = { limit, quantum: Math.round((frame * Math.max(weight, least)) / least) };
    if (kind !== 'weighted') strict[priorities++] = slot;
    if (kind !== 'kernel') queueOfClass[slot] = slot;
  }
  return { rate: BigInt(egress.rate), burst: egress.burst, queues, strict, queueOfClass };
}
