// SPDX-License-Identifier: Apache-2.0
/**
 * Workers killed under traffic, many times: SEALANE_TORTURE_KILLS (default 10; `npm run torture` has 100), now of
 * one PE, now of the other. Their supervisors are started anew after each, so that each death is the first one they see.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import { otherEnd, TwoPes, type End } from './two-pes.js';

const KILLS = Number(process.env['SEALANE_TORTURE_KILLS'] ?? '10');
const RATE = 500;
const ENDS = [1, 2] as const;
const program = new URL('udp_stream.py', import.meta.url).pathname;

let net: TwoPes;
beforeAll(async () => {
  net = await TwoPes.open('wkl');
  await net.up();
  await net.reach(1, '10.2.0.2');
  for (const end of ENDS) {
    const argv = ['/usr/bin/python3', program, `10.${end}.0.2`, `10.${otherEnd(end)}.0.2`];
    net.lab.start(net.ce(end), [...argv, `${RATE}`, arrivalsFile(end)], `${net.run}/udp${end}.log`);
  }
});
afterAll(async () => {
  await net.close();
});

const arrivalsFile = (end: End): string => `${net.run}/arrived${end}`;
const sleep = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms));

interface Arrival {
  readonly number: number;
  readonly at: number;
}

function arrivals(end: End): Arrival[] {
  const lines = readFileSync(arrivalsFile(end), 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => {
    const [number, at] = line.split(' ').map(Number);
    return { number: number!, at: at! };
  });
}

/** Every counter there is, by where it is shown. */
async function counters(end: End): Promise<Map<string, bigint>> {
  const found = new Map<string, bigint>();
  for (const topic of ['interfaces', 'vrfs', 'labels', 'sas', 'drops'] as const) {
    for (const row of await net.show(end, topic)) {
      const values: Record<string, unknown> = { ...row };
      const name = ['name', 'vrf', 'label', 'direction', 'reason']
        .map((key) => values[key])
        .filter((value) => ['string', 'number'].includes(typeof value))
        .join(' ');
      for (const [key, value] of Object.entries(values)) {
        if (typeof value === 'bigint') found.set(`${topic} ${name} ${key}`, value);
      }
    }
  }
  return found;
}

/** Counters that went back, or away. */
function backwards(before: Map<string, bigint>, after: Map<string, bigint>): string[] {
  return [...before]
    .filter(([name, value]) => (after.get(name) ?? -1n) < value)
    .map(([name, value]) => `${name}: ${value} -> ${after.get(name) ?? 'gone'}`);
}

/** kill -9 of a worker; when, and its successor forwards. */
async function killWorker(end: End): Promise<number> {
  const worker = await net.workerPid(end);
  const known = arrivals(otherEnd(end)).length;
  expect(known).toBeGreaterThan(0);
  const at = Date.now();
  process.kill(worker, 'SIGKILL');
  await eventually('another worker runs', async () => {
    const [row] = await net.show(end, 'workers').catch(() => []);
    return row?.state === 'running' && row.pid !== worker ? true : undefined;
  });
  for (const side of ENDS) {
    const before = arrivals(side).length;
    await eventually('packets arrive', () =>
      arrivals(side).length > before + 50 ? true : undefined,
    );
  }
  return at;
}

async function anotherSupervisor(end: End): Promise<void> {
  const child = net.supervisor(end);
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await gone;
  net.start(end);
  await net.tunnelUp(end);
}

/** How long nothing arrived at an end that was sent about then, milliseconds. */
function outage(arrived: readonly Arrival[], killed: number): number {
  let longest = 0;
  for (let i = 1; i < arrived.length; i++) {
    const [last, next] = [arrived[i - 1]!.at, arrived[i]!.at];
    if (next >= killed && last < killed + 1000) longest = Math.max(longest, next - last);
  }
  return longest;
}

/** Packets that never came, of those sent between the first and the last that did. */
function lost(arrived: readonly Arrival[]): number {
  const numbers = arrived.map(({ number }) => number);
  const [first, last] = numbers.reduce(
    ([least, most], number) => [Math.min(least, number), Math.max(most, number)],
    [Infinity, -Infinity],
  );
  return last - first + 1 - numbers.length;
}

/** (SPI, sequence number) of the ESP packets among frames. */
function numbersOf(frames: readonly Buffer[]): string[] {
  return frames
    .filter((frame) => frame.readUInt16BE(12) === 0x0800 && frame.readUInt8(23) === 50)
    .map((frame) => frame.toString('hex', 34, 42));
}

it(
  'no IV comes twice, no counter goes back, and traffic is back soon; for how long it was not is printed',
  { timeout: 60_000 + KILLS * 30_000 },
  async () => {
    const kills: { end: End; at: number }[] = [];
    const seen = await net.capture(async () => {
      for (let round = 0; round < KILLS; round++) {
        const end = ENDS[round % 2]!;
        const before = await counters(end);
        await sleep(200 + 37 * (round % 9)); // not always at the same point of anything
        kills.push({ end, at: await killWorker(end) });
        const after = await counters(end);
        expect(backwards(before, after)).toEqual([]);
        expect(after.get('sas in in packets') ?? 0n).toBeGreaterThan(
          before.get('sas in in packets') ?? 0n,
        );
        await anotherSupervisor(end);
        expect(backwards(after, await counters(end))).toEqual([]);
      }
    });
    for (const end of ENDS) {
      const numbers = numbersOf(seen[end]);
      expect(numbers.length).toBeGreaterThan(KILLS * 100);
      expect(new Set(numbers).size).toBe(numbers.length);
      expect((await net.drops(end)).get('esp_replayed') ?? 0n).toBe(0n);
      const received = arrivals(end).map(({ number }) => number);
      expect(new Set(received).size).toBe(received.length); // and no packet came twice
    }
    const arrived = { 1: arrivals(1), 2: arrivals(2) };
    const outages = kills
      .flatMap(({ at }) => ENDS.map((end) => outage(arrived[end], at)))
      .sort((a, b) => a - b);
    const median = outages[Math.floor(outages.length / 2)]!;
    const worst = outages.at(-1)!;
    process.stdout.write(
      `${KILLS} workers killed: no packet for ${median.toFixed(0)} ms (median), ${worst.toFixed(0)} ms (longest), ` +
        `${lost(arrived[1]) + lost(arrived[2])} of ${2 * RATE} packets a second lost\n`,
    );
    expect(worst).toBeLessThan(10_000);
  },
);
