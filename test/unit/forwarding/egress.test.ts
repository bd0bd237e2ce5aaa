// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import type * as config from '../../../src/config/types.js';
import { egressOf, egressRow, frameBytes } from '../../../src/forwarding/egress.js';

const ce = (egress?: config.Egress, more: object = {}): config.Interface => ({
  ...{ role: 'ce', vrf: 'a', device: { kernel: 'cust' }, addresses: [] },
  ...(egress && { egress }),
  ...more,
});
const NUMBERS = new Map([
  ['default', 0],
  ['voice', 3],
  ['bulk', 1],
]);

describe('defaults', () => {
  it('are none without queues, and on core interfaces', () => {
    expect(egressOf(ce())).toBeUndefined();
  });

  it('are one queue for everything, behind the kernel’s', () => {
    expect(egressOf(ce({ rate: 100_000_000 }))).toEqual({
      ...{ rate: 100_000_000, burst: 50_000 },
      queues: [
        { class: '', kind: 'kernel', weight: 0, limit: 256 },
        { class: 'default', kind: 'weighted', weight: 1, limit: 413 },
      ],
    });
  });

  it.each([
    [64_000, 1514, 64],
    [10_000_000, 5000, 64],
    [1_000_000_000, 500_000, 4096],
    [40_000_000_000, 20_000_000, 4096],
  ])('at %i bit/s: a burst of 4 ms, queues of 50 ms, within bounds', (rate, burst, limit) => {
    expect(egressOf(ce({ rate }))).toMatchObject({ burst, queues: [{ limit: 256 }, { limit }] });
  });

  it('without a rate are 1024 packets, and no burst', () => {
    expect(egressOf(ce({ queues: [{ class: 'default' }] }))).toMatchObject({
      ...{ rate: 0, burst: 0, queues: [{ limit: 256 }, { limit: 1024 }] },
    });
  });
});

it('strict priority goes first, in its own order', () => {
  const queues = [
    { class: 'bulk', weight: 3 },
    { class: 'voice', priority: true },
    { class: 'default', priority: true, limit: 7 },
  ];
  const names = egressOf(ce({ queues }))?.queues.map((queue) => queue.class);
  expect(names).toEqual(['', 'voice', 'default', 'bulk']);
});

it('a frame is as long as MTU and tag make it', () => {
  expect(frameBytes(ce())).toBe(1514);
  expect(frameBytes(ce(undefined, { mtu: 9000, vlan: 7 }))).toBe(9018);
  expect(frameBytes(ce(undefined, { mtu: 9000, vlan: 7, serviceVlan: 8 }))).toBe(9022);
});

describe('rows', () => {
  const rowOf = (egress: config.Egress): ReturnType<typeof egressRow> => {
    const whole = egressOf(ce(egress));
    if (whole === undefined) throw new Error('no queues');
    return egressRow(whole, 1000, NUMBERS);
  };

  it('give the smallest weight a frame in a round, and the others in proportion', () => {
    const row = rowOf({
      ...{ rate: 8000, burst: 5000 },
      queues: [
        { class: 'bulk', weight: 5, limit: 9 },
        { class: 'default', weight: 2, limit: 10 },
        { class: 'voice', priority: true, limit: 11 },
      ],
    });
    expect([row.rate, row.burst]).toEqual([8000n, 5000]);
    expect(row.queues[1]).toEqual({ limit: 9, quantum: 2500 });
    expect(row.queues[0]).toEqual({ limit: 10, quantum: 1000 });
    expect(row.queues[3]).toEqual({ limit: 11, quantum: 1000 });
    expect(row.queues[8]).toEqual({ limit: 256, quantum: 1000 });
    // of classes that have none: for what waits in them still
    expect(row.queues[2]).toEqual({ limit: 64, quantum: 1000 });
    expect([...row.strict]).toEqual([8, 3, 255, 255, 255, 255, 255, 255, 255]);
    expect([...row.queueOfClass]).toEqual([0, 1, 0, 3, 0, 0, 0, 0]);
  });

  it('have no weight to go by when all have strict priority', () => {
    const row = rowOf({ queues: [{ class: 'default', priority: true }] });
    expect(row.queues[0]?.quantum).toBe(1000);
    expect([...row.strict].slice(0, 3)).toEqual([8, 0, 255]);
  });
});
