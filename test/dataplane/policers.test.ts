// SPDX-License-Identifier: Apache-2.0
/** Policers in the running worker, as the supervisor writes them: counters, actions, changes while packets flow. */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { ACTION_DROP, ACTION_PASS, POLICER_ALL } from '../../src/forwarding/addon/api.js';
import type { PolicerRow } from '../../src/forwarding/addon/api.js';
import { ETHERTYPE, ethernet, ip, PROTOCOL } from '../lib/packets.js';
import { HERE, MAC, Pe, SITE_C } from './pe.js';

const EF = 46;
const AF12 = 12;
const BYTES = 500;

let pe: Pe;
beforeAll(async () => {
  pe = await Pe.start('policers');
  const classOfDscp = new Uint8Array(64);
  classOfDscp[EF] = 1;
  const names = ['default', 'voice', '', '', '', '', '', ''];
  pe.harness.tables.setClasses({ classOfDscp, names });
  pe.route('a', SITE_C[4], pe.adjacency('ce', MAC.a, 4));
});
afterAll(async () => {
  await pe.close();
});
afterEach(() => {
  pe.harness.tables.setPolicers(pe.interfaces.ce, []);
});

/** A byte in a millisecond: within a test no packet's worth comes in. */
const policer = (row: Partial<PolicerRow> = {}): PolicerRow => ({
  ...{ slot: POLICER_ALL, meter: 'srtcm', rate: 8000n, burst: 10 * BYTES, peakRate: 8000n },
  ...{ otherBurst: 5 * BYTES, colourAware: false },
  actions: Uint8Array.of(ACTION_PASS, AF12, ACTION_DROP),
  ...row,
});

const frame = (dscp: number): Buffer =>
  ethernet({
    ...{ destination: MAC.peCe, source: MAC.a, type: ETHERTYPE.ip4 },
    payload: ip({
      ...{ source: HERE[4], destination: SITE_C[4], protocol: PROTOCOL.udp, dscp },
      payload: Buffer.alloc(BYTES - 20),
    }),
  });

/** DSCPs of what came out, and what was dropped. */
async function send(dscp: number, count: number): Promise<{ out: number[]; drops: object }> {
  const { out, drops } = await pe.run({ ce: Array.from({ length: count }, () => frame(dscp)) });
  return { out: (out['ce'] ?? []).map((bytes) => (bytes[15] ?? 0) >> 2), drops };
}

const times = (n: number, dscp: number): number[] => Array.from({ length: n }, () => dscp);

function counters(slot: number): bigint[] {
  const { packets, bytes } = pe.harness.tables.policerCounters(pe.interfaces.ce, slot);
  expect(bytes).toEqual(packets.map((count) => count * BigInt(BYTES)));
  return [...packets];
}

it('one for all packets passes, marks and drops, and counts each', async () => {
  const { tables } = pe.harness;
  const before = counters(POLICER_ALL);
  tables.setPolicers(pe.interfaces.ce, [policer()]);
  expect(await send(0, 18)).toEqual({
    out: [...times(10, 0), ...times(5, AF12)],
    drops: { policed: 3 },
  });
  expect(counters(POLICER_ALL).map((count, i) => count - (before[i] ?? 0n))).toEqual([
    ...[10n, 5n, 3n],
  ]);
});

it('those of classes are apart, and what is changed finds its buckets as they are', async () => {
  const { tables } = pe.harness;
  const voice = policer({ slot: 1, otherBurst: 0 });
  tables.setPolicers(pe.interfaces.ce, [voice]);
  expect(await send(EF, 12)).toEqual({ out: times(10, EF), drops: { policed: 2 } });
  expect(await send(0, 12)).toEqual({ out: times(12, 0), drops: {} });
  // another burst is no gift; another action counts at once
  const actions = Uint8Array.of(ACTION_PASS, ACTION_PASS, 0);
  tables.setPolicers(pe.interfaces.ce, [{ ...voice, burst: 20 * BYTES, actions }]);
  expect(await send(EF, 4)).toEqual({ out: times(4, 0), drops: {} });
  expect(counters(1)).toEqual([10n, 0n, 6n]);
  tables.setPolicers(pe.interfaces.ce, []);
  expect(await send(EF, 30)).toEqual({ out: times(30, EF), drops: {} });
  expect(counters(1)).toEqual([10n, 0n, 6n]);
});

it('a rate is kept over time', async () => {
  // 8 Mb/s, measured by the machine's clock: 1000 bytes in a millisecond
  const { tables } = pe.harness;
  const before = counters(POLICER_ALL);
  tables.setPolicers(pe.interfaces.ce, [
    policer({ rate: 8_000_000n, burst: 1500, otherBurst: 0, actions: Uint8Array.of(64, 65, 65) }),
  ]);
  const begin = process.hrtime.bigint();
  let sent = 0;
  let out = 0;
  while (process.hrtime.bigint() - begin < 2_000_000_000n) {
    out += (await send(0, 200)).out.length;
    sent += 200;
  }
  const ms = Number(process.hrtime.bigint() - begin) / 1e6;
  const [green = 0n, , red = 0n] = counters(POLICER_ALL).map((n, i) => n - (before[i] ?? 0n));
  expect(green).toBe(BigInt(out));
  expect(green + red).toBe(BigInt(sent));
  // between bursts the bucket is full: no more than the time allows
  expect(out * BYTES).toBeLessThanOrEqual(ms * 1000 + 1500);
  expect(out).toBeGreaterThan(10);
  expect(red).toBeGreaterThan(0n);
});
