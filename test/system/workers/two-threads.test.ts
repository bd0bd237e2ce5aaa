// SPDX-License-Identifier: Apache-2.0
/**
 * Two PEs with two packet threads each and two SA pairs between them, which different threads own: flows of both
 * arrive whole and in order, by whichever thread they come; each SA's numbers rise by one, over a crash of the worker, too.
 */
import { afterEach, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config } from '../../../src/config/types.js';
import { writeKeyFile } from '../../../src/lib/key-file.js';
import { otherEnd, TwoPes, type End } from '../supervisor/two-pes.js';
import { send } from './flows.js';

let net: TwoPes;
afterEach(async () => {
  await net.close();
});

const FLOWS = 16;
const PACKETS = 60;
/** By the SA pair of MPLS-in-GRE, and by that of MPLS-in-IP. */
const targets = (end: End): readonly string[] => [
  `10.${otherEnd(end)}.0.2`,
  `10.${otherEnd(end)}.0.3`,
];

const ipKey = (end: End): string => `${net.run}/key-ip-from-${end}`;

function config(end: End, lcores: number): Config {
  const base = net.config(end);
  const other = otherEnd(end);
  const { peer } = base.tunnels ?? {};
  const { out, in: into } = base.manualSas ?? {};
  const vrf = base.vrfs?.['A'];
  if (peer === undefined || out === undefined || into === undefined || vrf === undefined) {
    throw new Error('the lab has no tunnel');
  }
  const ip = { encapsulation: 'ip' as const };
  return {
    ...base,
    worker: { memoryMb: 64, lcores },
    tunnels: { peer, 'peer-ip': { ...peer, ...ip, sa: 'out-ip' } },
    manualSas: {
      ...{ out, in: into },
      'out-ip': { ...out, ...ip, spi: out.spi + 0x100, keyFile: ipKey(end) },
      'in-ip': { ...into, ...ip, spi: into.spi + 0x100, keyFile: ipKey(other) },
    },
    vrfs: {
      A: {
        ...vrf,
        routes: [
          ...(vrf.routes ?? []),
          { prefix: `10.${other}.0.3/32`, tunnel: 'peer-ip', label: 1000 + other },
        ],
      },
    },
  };
}

async function up(lcores: number): Promise<void> {
  net = await TwoPes.open('thrd');
  for (const end of [1, 2] as const) {
    await net.lab.ip(net.ce(end), [`addr add 10.${end}.0.3/24 dev eth0`]);
    await writeKeyFile(ipKey(end), 'aes-gcm-128');
  }
  for (const end of [1, 2] as const) {
    net.write(end, config(end, lcores));
    net.start(end);
  }
  for (const end of [1, 2] as const) await net.tunnelUp(end);
  await reachAll();
}

/** Neighbours are resolved then, at both ends. */
async function reachAll(): Promise<void> {
  for (const end of [1, 2] as const) {
    for (const address of targets(end)) await net.reach(end, address);
  }
}

/** SPI → sequence numbers, in the order of the wire. */
function numbersOf(frames: readonly Buffer[]): ReadonlyMap<number, readonly number[]> {
  const numbers = new Map<number, number[]>();
  for (const frame of frames) {
    if (frame.readUInt16BE(12) !== 0x0800 || frame.readUInt8(23) !== 50) continue;
    const spi = frame.readUInt32BE(34);
    const of = numbers.get(spi) ?? [];
    of.push(frame.readUInt32BE(38));
    numbers.set(spi, of);
  }
  return numbers;
}

const threads = async (end: End) =>
  (await net.show(end, 'workers')).map(({ busyPercent, passed, taken, passFull }) => ({
    ...{ busyPercent, passed, taken, passFull },
  }));

/** All flows, both ways; the receiver's count of each. */
async function exchange(): Promise<void> {
  for (const from of [1, 2] as const) {
    const to = targets(from);
    const flows = await send(net, from, { to, flows: FLOWS, packets: PACKETS });
    expect(flows).toHaveLength(FLOWS * to.length);
    const wrong = flows.filter(({ packets, late }) => packets !== PACKETS || late !== 0);
    const drops = await Promise.all(([1, 2] as const).map(async (end) => net.drops(end)));
    const why = drops.map((of) => [...of].filter(([, count]) => count !== 0n).join(' '));
    expect(wrong, why.join('; ')).toEqual([]);
  }
}

it('flows by both threads and two SAs arrive whole and in order, and each SA counts by one', async () => {
  await up(2);
  const frames = await net.capture(exchange);
  for (const end of [1, 2] as const) {
    const numbers = numbersOf(frames[end]);
    expect([...numbers.keys()].sort()).toEqual(
      [net.spi(otherEnd(end)), net.spi(otherEnd(end)) + 0x100].sort(),
    );
    for (const seen of numbers.values()) {
      expect(seen.length).toBeGreaterThanOrEqual(FLOWS * PACKETS);
      expect(seen).toEqual(seen.map((_, i) => (seen[0] ?? 0) + i));
    }
    // Flows come by both threads, and the SAs are one each: each has passed some to the other.
    const rows = await threads(end);
    expect(rows).toHaveLength(2);
    for (const { passed, taken, passFull } of rows) {
      expect(passed).toBeGreaterThan((FLOWS * PACKETS) / 8);
      expect(taken).toBeGreaterThan((FLOWS * PACKETS) / 8);
      expect(passFull).toBe(0n);
    }
    expect(rows[0]?.passed).toBe(rows[1]?.taken);
    expect(rows[1]?.passed).toBe(rows[0]?.taken);
    const drops = await net.drops(end);
    for (const reason of ['esp_replayed', 'esp_auth_failed', 'sa_not_ready']) {
      expect([reason, drops.get(reason) ?? 0n]).toEqual([reason, 0n]);
    }
  }
});

it('a worker that is killed is followed by one that repeats no sequence number, of no thread', async () => {
  await up(2);
  const frames = await net.capture(async () => {
    await exchange();
    const pid = await net.workerPid(1);
    process.kill(pid, 'SIGKILL');
    await eventually('another worker runs', async () => {
      const [row] = await net.show(1, 'workers').catch(() => []);
      return row !== undefined && row.pid !== pid && row.state === 'running' ? true : undefined;
    });
    await reachAll();
    await exchange();
  });
  for (const seen of numbersOf(frames[2]).values()) {
    expect(seen.length).toBeGreaterThanOrEqual(2 * FLOWS * PACKETS);
    expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
  }
  expect((await net.drops(2)).get('esp_replayed') ?? 0n).toBe(0n);
});
