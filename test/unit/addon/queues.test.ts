// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, expect, it } from 'vitest';
import { QUEUE_NONE, type EgressRow, type Tables } from '../../../src/forwarding/addon/api.js';
import { coreInterface, refusal, Segments } from './helpers.js';

let segments: Segments;
let tables: Tables;
beforeEach(() => {
  segments = new Segments();
  tables = segments.open();
});
afterEach(() => {
  tables.close();
  segments.remove();
});

const QUEUE = { limit: 65_535, quantum: 64 };
const nine = <T>(value: T): T[] => Array.from({ length: 9 }, () => value);
const EGRESS: EgressRow = {
  ...{ rate: 10n ** 13n, burst: 2 ** 28, queues: nine(QUEUE) },
  strict: Uint8Array.from([8, ...nine(QUEUE_NONE).slice(1)]),
  queueOfClass: Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7),
};

it('are of an interface that there is', () => {
  const id = tables.putInterface(coreInterface());
  tables.setQueues(id, EGRESS);
  tables.setQueues(id, { ...EGRESS, rate: 0n, burst: 0 });
  tables.setQueues(id, undefined);
  tables.setQueues(id, undefined);
  const nobody = refusal(() => {
    tables.setQueues(id + 1, EGRESS);
  });
  expect(nobody).toBe('NOT_FOUND');
  expect(refusal(() => tables.queueCounters(id + 1, 0))).toBe('NOT_FOUND');
  expect(refusal(() => tables.queueCounters(id, 9))).toBe('BAD_ARGUMENT');
  const none = { packets: 0n, bytes: 0n, dropped: 0n, depth: 0, maxDepth: 0 };
  expect(tables.queueCounters(id, 8)).toEqual(none);
});

it.each<[string, Partial<EgressRow>]>([
  ['a rate that is too low', { rate: 7999n }],
  ['a rate that is too high', { rate: 10n ** 13n + 1n }],
  ['a burst that is too large', { burst: 2 ** 28 + 1 }],
  ['too few queues', { queues: nine(QUEUE).slice(1) }],
  ['a queue without room', { queues: [...nine(QUEUE).slice(1), { ...QUEUE, limit: 0 }] }],
  ['too much room', { queues: [...nine(QUEUE).slice(1), { ...QUEUE, limit: 65_536 }] }],
  [
    'a quantum that nothing fits in',
    { queues: [{ ...QUEUE, quantum: 63 }, ...nine(QUEUE).slice(1)] },
  ],
  ['a strict slot that is none', { strict: new Uint8Array(9).fill(9) }],
  ['too few strict slots', { strict: new Uint8Array(8) }],
  ['a class in the kernel’s queue', { queueOfClass: new Uint8Array(8).fill(8) }],
])('are refused: %s', (_, wrong) => {
  const id = tables.putInterface(coreInterface());
  const code = refusal(() => {
    tables.setQueues(id, { ...EGRESS, ...wrong });
  });
  expect(code).toBe('BAD_ARGUMENT');
});
