// SPDX-License-Identifier: Apache-2.0
/** Longest-prefix match: what the addon writes and the worker reads, beside DPDK's tables. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { RouteBatch, Tables } from '../src/forwarding/addon/api.js';
import { loadAddon } from '../src/forwarding/addon/load.js';
import { machine, median, round, type Result, type Row } from './result.js';

/** A small generator with a fixed seed: the same prefixes in each run. */
function generator(seed: number): () => number {
  let x = seed;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}

/** Share of each length, in percent, as in a full Internet table. */
const LENGTHS4: readonly (readonly [number, number])[] = [
  ...([
    [24, 60],
    [23, 10],
    [22, 12],
    [21, 5],
    [20, 4],
    [19, 3],
    [18, 2],
    [16, 2],
    [32, 2],
  ] as const),
];
const LENGTHS6: readonly (readonly [number, number])[] = [
  ...([
    [48, 47],
    [32, 12],
    [44, 11],
    [40, 9],
    [36, 7],
    [64, 6],
    [46, 5],
    [128, 3],
  ] as const),
];

/** IPv6: within 32,768 allocations of a /32, as the registries' are few beside what is announced of them. */
export function prefixes(family: 4 | 6, wanted: number): RouteBatch {
  const next = generator(family);
  const size = family === 4 ? 4 : 16;
  const lengths = family === 4 ? LENGTHS4 : LENGTHS6;
  const addresses = new Uint8Array(wanted * size);
  const bits = new Uint8Array(wanted);
  const seen = new Set<string>();
  let count = 0;
  while (count < wanted) {
    let share = next() % 100;
    const length = lengths.find(([, percent]) => (share -= percent) < 0)?.[0] ?? size * 8;
    const at = addresses.subarray(count * size, (count + 1) * size);
    for (let i = 0; i < size; i++) at[i] = next() & 255;
    if (family === 4) at[0] = 1 + ((at[0] ?? 0) % 222);
    else at.set([0x20 + ((at[0] ?? 0) & 15), (at[1] ?? 0) & 1, (at[2] ?? 0) & 3], 0);
    for (let bit = length; bit < size * 8; bit++) {
      at[bit >> 3] = (at[bit >> 3] ?? 0) & ~(0x80 >> (bit & 7));
    }
    const key = `${Buffer.from(at).toString('latin1')}/${String(length)}`;
    if (seen.has(key)) continue;
    seen.add(key);
    bits[count++] = length;
  }
  return {
    vrf: 1,
    family,
    count,
    remove: new Uint8Array(count),
    addresses,
    lengths: bits,
    nexthops: new Uint32Array(count).fill(1),
    labels: Uint32Array.from({ length: count }, () => 16 + (next() % 0xf0000)),
    accepts: new Uint16Array(count),
    owners: new Uint8Array(count).fill(1),
  };
}

/** Writes all routes; returns µs of CPU per insert: what else runs here does not count. */
function insert(t: Tables, batch: RouteBatch): number {
  const begin = process.cpuUsage();
  t.applyRoutes(batch);
  const { user, system } = process.cpuUsage(begin);
  return (user + system) / batch.count;
}

/** An insert beside the microsecond that it may take. */
function insertRow(family: 4 | 6, perRoute: number): Row {
  return {
    case: `IPv${String(family)} insert`,
    ours: round(perRoute, 2),
    unit: 'µs/route',
    reference: 'limit',
    referenceValue: 1,
    ratio: round(perRoute, 3),
    ratioRange: [round(perRoute, 3), round(perRoute, 3)],
    runs: 1,
  };
}

type Run = Readonly<Record<'ours4' | 'ours6' | 'rte_fib' | 'rte_lpm' | 'rte_fib6', number>>;

function row(
  name: string,
  runs: readonly Run[],
  ours: 'ours4' | 'ours6',
  other: 'rte_fib' | 'rte_lpm' | 'rte_fib6',
): Row {
  const ratios = runs.map((r) => r[ours] / r[other]);
  return {
    case: name,
    ours: round(median(runs.map((r) => r[ours])), 2),
    unit: 'ns/lookup',
    reference: other,
    referenceValue: round(median(runs.map((r) => r[other])), 2),
    ratio: round(median(ratios), 3),
    ratioRange: [round(Math.min(...ratios), 3), round(Math.max(...ratios), 3)],
  };
}

export async function fib(quick: boolean): Promise<Result> {
  const runs = quick ? 3 : 7;
  const dir = mkdtempSync('/dev/shm/sealane-perf-');
  const tables = loadAddon().openTables({ tables: `${dir}/tables`, state: `${dir}/state` });
  try {
    tables.putVrf({
      name: 'bench',
      ttlUniform: false,
      tcUniform: true,
      clampMss: false,
      hostInterface: 0,
    });
    tables.setNexthop(tables.nexthop('x'), {
      kind: 'drop',
      reason: 'blackhole',
      icmpUnreachable: false,
      vrf: 1,
    });
    const add4 = insert(tables, prefixes(4, quick ? 200_000 : 900_000));
    const add6 = insert(tables, prefixes(6, quick ? 50_000 : 200_000));
    const bytes = tables
      .memory()
      .filter((m) => m.table.startsWith('fib'))
      .reduce((sum, m) => sum + m.bytes, 0);
    const program = fileURLToPath(new URL('../build/dpdk-app/sealane-fib-bench', import.meta.url));
    const eal = ['--no-huge', '-m', '3072', '--no-pci', '--no-shconf', '--no-telemetry', '-l', '0'];
    const args = [`${dir}/tables`, String(runs), String(quick ? 2_000_000 : 10_000_000)];
    const child = spawn(program, [...args, '--', ...eal, '--log-level', '4'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exit = new Promise<number | null>((resolve) => child.once('exit', resolve));
    const rows: Row[] = [insertRow(4, add4), insertRow(6, add6)];
    for await (const line of createInterface({ input: child.stdout })) {
      if (!line.startsWith('{')) continue;
      const m = JSON.parse(line) as { pattern: string; runs: Run[] };
      rows.push(row(`IPv4 ${m.pattern}`, m.runs, 'ours4', 'rte_fib'));
      rows.push(row(`IPv4 ${m.pattern}`, m.runs, 'ours4', 'rte_lpm'));
      rows.push(row(`IPv6 ${m.pattern}`, m.runs, 'ours6', 'rte_fib6'));
    }
    const code = await exit;
    if (code !== 0) throw new Error(`sealane-fib-bench ended with ${String(code)}`);
    process.stderr.write(
      `  insert by the addon: IPv4 ${add4.toFixed(2)} µs, IPv6 ${add6.toFixed(2)} µs; tries ${String(bytes >> 20)} MiB\n`,
    );
    return { bench: 'fib', machine: machine(), runs, rows };
  } finally {
    tables.close();
    rmSync(dir, { recursive: true, force: true });
  }
}
