// SPDX-License-Identifier: Apache-2.0
/** Queues of CE interfaces in the running worker, as the supervisor writes them: order, shares, rates, changes. */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../scripts/lib/lab.js';
import { QUEUE_KERNEL } from '../../src/forwarding/addon/api.js';
import { ETHERTYPE, ethernet, ip, PROTOCOL } from '../lib/packets.js';
import { tapName } from './harness.js';
import { HERE, MAC, Pe, SITE_C } from './pe.js';
import { AF11, BULK, CLASSES, EF, queues, VOICE } from './queues.js';
import { Exchange } from './run.js';

const FRAME = 514;

let pe: Pe;
beforeAll(async () => {
  pe = await Pe.start('queues');
  pe.harness.tables.setClasses(CLASSES);
  pe.route('a', SITE_C[4], pe.adjacency('ce', MAC.a, 4));
});
afterAll(async () => {
  await pe.close();
});
afterEach(() => {
  pe.harness.tables.setQueues(pe.interfaces.ce, undefined);
});

const frame = (dscp: number): Buffer =>
  ethernet({
    ...{ destination: MAC.peCe, source: MAC.a, type: ETHERTYPE.ip4 },
    payload: ip({
      ...{ source: HERE[4], destination: SITE_C[4], protocol: PROTOCOL.udp, dscp },
      payload: Buffer.alloc(FRAME - 34),
    }),
  });
const frames = (dscp: number, n: number): Buffer[] => Array.from({ length: n }, () => frame(dscp));

const counters = (slot: number) => pe.harness.tables.queueCounters(pe.interfaces.ce, slot);

it('strict priority first, then the others by weight, and nothing is lost at a change', async () => {
  const { tables } = pe.harness;
  const exchange = await Exchange.begin(pe.harness);
  tables.setQueues(pe.interfaces.ce, queues(8000n, 100, FRAME));
  await exchange.send('ce', [...frames(0, 61), ...frames(AF11, 90), ...frames(EF, 20)]);
  await eventually('all of them wait', () =>
    counters(VOICE).depth + counters(BULK).depth + counters(0).depth >= 169 ? true : undefined,
  );
  // what waits is sent by the new rate
  tables.setQueues(pe.interfaces.ce, queues(50_000_000n, 100, FRAME));
  await eventually('they have left', () =>
    counters(VOICE).depth + counters(BULK).depth + counters(0).depth === 0 ? true : undefined,
  );
  const { out, drops } = await exchange.finish({ ports: 171, taps: 0, swallowed: 0 });
  expect(drops).toEqual({});
  const order = (out['ce'] ?? []).map((bytes) => (bytes[15] ?? 0) >> 2);
  expect(order).toHaveLength(171);
  // one or two had left before voice came
  const first = order.indexOf(EF);
  expect(first).toBeGreaterThan(0);
  expect(first).toBeLessThan(3);
  expect(order.slice(first, first + 20)).toEqual(frames(EF, 20).map(() => EF));
  let [bulk, rest] = [0, 0];
  for (const dscp of order.slice(first + 20)) {
    if (dscp === AF11) bulk++;
    else rest++;
    if (bulk < 90) expect(Math.abs(bulk - 3 * rest)).toBeLessThanOrEqual(6);
  }
  expect([bulk, rest]).toEqual([90, 61 - first]);
  const counted = [counters(VOICE), counters(BULK), counters(0)];
  expect(counted.map(({ packets }) => packets)).toEqual([20n, 90n, 61n]);
  expect(counted.map(({ bytes }) => bytes)).toEqual([20n, 90n, 61n].map((n) => n * BigInt(FRAME)));
});

it('frames of the kernel go ahead of all', async () => {
  const { tables } = pe.harness;
  const exchange = await Exchange.begin(pe.harness);
  tables.setQueues(pe.interfaces.ce, queues(20_000n, 100));
  await exchange.send('ce', frames(EF, 10));
  const arp = ethernet({
    ...{ destination: 'ff:ff:ff:ff:ff:ff', source: MAC.peCe, type: ETHERTYPE.arp },
    payload: Buffer.alloc(46),
  });
  const before = counters(QUEUE_KERNEL).packets;
  await pe.harness.wire.send([[tapName('ce'), arp] as const]);
  await eventually('it has left', () =>
    counters(QUEUE_KERNEL).packets > before ? true : undefined,
  );
  expect(counters(VOICE).depth).toBeGreaterThan(0);
  // none any more: what waits leaves at once
  tables.setQueues(pe.interfaces.ce, undefined);
  const { out, drops } = await exchange.finish({ ports: 10, taps: 1, swallowed: 0 });
  expect([out['ce']?.length, drops]).toEqual([11, {}]);
  expect((out['ce']?.at(-1) ?? Buffer.alloc(0))[12]).toBe(0x08);
  expect(out['ce']?.at(-1)?.[13]).toBe(0);
});

it('a rate is not exceeded over time, also while the thread sleeps between frames', async () => {
  // 4 Mb/s, measured by the machine's clock; that it is reached is eal_queues' to show, whose clock waits for it
  const { tables } = pe.harness;
  const before = counters(0).bytes;
  const sleeps = (): bigint => tables.worker().lcores[0]?.sleeps ?? 0n;
  const slept = sleeps();
  const exchange = await Exchange.begin(pe.harness);
  tables.setQueues(pe.interfaces.ce, { ...queues(4_000_000n, 4000), burst: 10_000 });
  const begin = process.hrtime.bigint();
  // fewer than an eighth of this worker's packet buffers, which is all that the queues of one interface may hold
  for (let i = 0; i < 8; i++) await exchange.send('ce', frames(0, 200));
  const left = (): number => Number(counters(0).bytes - before);
  await eventually('all have left', () => (left() >= 1600 * FRAME ? true : undefined), 60_000);
  const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
  const bytes = left();
  expect(bytes).toBe(1600 * FRAME);
  expect(bytes).toBeLessThanOrEqual(500_000 * seconds + 10_000 + FRAME);
  expect(sleeps()).toBeGreaterThan(slept);
  const { drops } = await exchange.finish({ ports: 1600, taps: 0, swallowed: 0 });
  expect(drops).toEqual({});
});
