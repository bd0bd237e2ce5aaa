// SPDX-License-Identifier: Apache-2.0
/** Egress queues as an operator has them: three flows through a protected tunnel to a customer with a slow line, a reload. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config, Egress } from '../../../src/config/types.js';
import { TwoPes } from './two-pes.js';

const FLOW = fileURLToPath(new URL('udp_flow.py', import.meta.url));
/** Of the frames: IPv4 packets of 1000 bytes. */
const BYTES = 1014;
const RATE = 2_000_000;
const LIMIT = 50;
const [EF, AF11] = [46 << 2, 10 << 2] as const;

const classes = { voice: { dscp: ['ef'] }, bulk: { dscp: ['af11', 12] } };
const egress: Egress = {
  rate: RATE,
  queues: [
    { class: 'voice', priority: true },
    { class: 'bulk', weight: 3, limit: LIMIT },
    { class: 'default', limit: LIMIT },
  ],
};

let net: TwoPes;
const config = (wanted: Egress): Config => {
  const base = net.config(2);
  const { core0, 'ce-a': a } = base.interfaces;
  if (core0 === undefined || a?.role !== 'ce') throw new Error('no such interfaces');
  return { ...base, classes, interfaces: { core0, 'ce-a': { ...a, egress: wanted } } };
};
beforeAll(async () => {
  net = await TwoPes.open('que');
  net.write(1);
  net.write(2, config(egress));
  for (const end of [1, 2] as const) net.start(end);
  for (const end of [1, 2] as const) await net.tunnelUp(end);
  await net.reach(1, '10.2.0.2');
});
afterAll(async () => {
  await net.close();
});

/** A flow of `count` packets from site 1 to site 2, and how many came. */
async function flow(port: number, tos: number, count: number, perSecond: number): Promise<number> {
  const log = `${net.run}/flow-${port}`;
  const receiver = net.lab.start(net.ce(2), ['python3', FLOW, 'receive', `${port}`], log);
  await eventually('the receiver is there', () =>
    readFileSync(log, 'utf8').includes('ready') ? true : undefined,
  );
  const argv = ['python3', FLOW, 'send', '10.2.0.2', ...[port, tos, count, perSecond].map(String)];
  await net.lab.exec(net.ce(1), argv, { timeoutMs: 60_000 });
  const came = await eventually('it has received', () => {
    const text = readFileSync(log, 'utf8').split('\n')[1] ?? '';
    return text === '' ? undefined : (JSON.parse(text) as Record<string, number>);
  });
  await net.lab.stop(receiver, 'SIGTERM');
  expect(Object.keys(came)).toEqual([String(tos)]);
  return came[tos] ?? 0;
}

async function counted(name: string) {
  const row = (await net.show(2, 'queues')).find((one) => one.class === name);
  if (row === undefined) throw new Error(`no queue of ${name}`);
  return { ...row, sent: Number(row.packets), lost: Number(row.dropped) };
}

const full = async (): Promise<number> => Number((await net.drops(2)).get('queue_full') ?? 0n);

it('three flows at five times the rate: voice loses nothing, the others share three to one', async () => {
  const before = { lost: await full(), rest: (await counted('default')).sent };
  const begin = process.hrtime.bigint();
  const [voice, bulk, rest] = await Promise.all([
    flow(5001, EF, 300, 50),
    flow(5002, AF11, 2400, 400),
    flow(5003, 0, 2400, 400),
  ]);
  const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
  expect(voice).toBe(300);
  const [v, b, r] = [await counted('voice'), await counted('bulk'), await counted('default')];
  expect(v).toMatchObject({ sent: 300, lost: 0, depth: 0, kind: 'priority', rate: BigInt(RATE) });
  expect(v.bytes).toBe(300n * BigInt(BYTES));
  expect(b).toMatchObject({ sent: bulk, lost: 2400 - bulk, depth: 0, weight: 3, limit: LIMIT });
  expect([b.maxDepth, r.maxDepth]).toEqual([LIMIT, LIMIT]);
  expect([r.sent - before.rest, r.lost]).toEqual([rest, 2400 - rest]);
  expect((await full()) - before.lost).toBe(b.lost + r.lost);
  // what waited at the end was sent without the other: a queue's worth of each
  const shares = (bulk - LIMIT) / (rest - LIMIT);
  expect(shares).toBeGreaterThan(2.7);
  expect(shares).toBeLessThan(3.3);
  // 4 ms may be made up for
  expect((voice + bulk + rest) * BYTES * 8).toBeLessThan(RATE * (seconds + 0.004) + BYTES * 8);
  // ARP and ND went before them
  const kernel = await counted('');
  expect(kernel.kind).toBe('kernel');
  expect(kernel.sent).toBeGreaterThan(0);
});

it('a reload with other weights and another rate loses nothing that waits', async () => {
  const before = { voice: await counted('voice'), bulk: await counted('bulk') };
  const flows = Promise.all([flow(5004, AF11, 1000, 200), flow(5005, EF, 1000, 200)]);
  await eventually('packets wait', async () =>
    (await counted('bulk')).depth > LIMIT / 2 ? true : undefined,
  );
  const queues = [{ class: 'voice', weight: 2 }, { class: 'bulk' }];
  const path = net.write(2, config({ rate: 20_000_000, queues }));
  const reply = await net.client(2, async (client) => client.reload(path, false));
  expect(reply).toMatchObject({ applied: true, restarted: [] });
  const [bulk, voice] = await flows;
  const [v, b] = [await counted('voice'), await counted('bulk')];
  expect(v).toMatchObject({ kind: 'weighted', weight: 2, depth: 0, limit: 83 });
  expect([v.sent - before.voice.sent, v.lost]).toEqual([voice, before.voice.lost]);
  expect(voice).toBe(1000);
  expect(b.sent - before.bulk.sent).toBe(bulk);
  expect(b.lost - before.bulk.lost).toBe(1000 - bulk);
});

it('taken away, nothing waits', async () => {
  const path = net.write(2, net.config(2));
  await net.client(2, async (client) => client.reload(path, false));
  expect(await net.show(2, 'queues')).toEqual([]);
  expect(await flow(5006, 0, 500, 250)).toBe(500);
});
