// SPDX-License-Identifier: Apache-2.0
/**
 * The whole packet path against the raw cipher of the same size in the same run.
 *
 * dataplane-rows.ts writes the tables; `sealane-bench` attaches to them as a worker does.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { loadAddon } from '../src/forwarding/addon/load.js';
import { activate, addSas, benchRows, fillTables, FULL_ROUTES, VRFS } from './dataplane-rows.js';
import { machine, median, round, type Result, type Row } from './result.js';

const SIZES = ['64', '128', '256', '512', '1024', '1420', 'imix'] as const;
const SOME_SIZES = ['64', '512', '1420', 'imix'] as const;
const DIRECTIONS = ['out', 'in', 'plain', 'gre'] as const;
type Direction = (typeof DIRECTIONS)[number];
/** Of the IMIX: 7 x 64, 4 x 570, 1 x 1420. */
const IMIX_MEAN = Math.round((7 * 64 + 4 * 570 + 1420) / 12);

/** DIRECTION,BYTES,SAS,VRFS,ROUTES as dpdk-app/bench/cases.h has it. */
const CASES: readonly string[] = [
  ...DIRECTIONS.flatMap((d) => SIZES.map((s) => `${d},${s},1,1,0`)),
  ...(['out', 'in'] as const).flatMap((d) =>
    SOME_SIZES.flatMap((s) => [
      ...[1000, 16_384, 65_536].map((sas) => `${d},${s},${String(sas)},1,0`),
      `${d},${s},1000,1,${String(FULL_ROUTES)}`,
      `${d},${s},1000,${String(VRFS)},${String(FULL_ROUTES)}`,
    ]),
  ),
];
const MOST_SAS = 65_536;

interface Measured {
  readonly direction: Direction;
  readonly bytes: string;
  readonly sas: number;
  readonly vrfs: number;
  readonly routes: number;
  readonly runs: readonly { readonly raw: number; readonly path: number; readonly ends: number }[];
  /** ns per packet of each stage that took any, in one run with clocks. */
  readonly stages: Readonly<Record<string, number>>;
}

/** As in the committed results. */
function nameOf({ direction, bytes, sas, vrfs, routes }: Measured): string {
  const size = bytes === 'imix' ? 'IMIX' : `${bytes} B`;
  const many = vrfs > 1 ? `, ${String(vrfs)} VRFs` : '';
  return `${direction} ${size}, ${String(sas)} SA${many}${routes > 0 ? `, ${String(routes)} routes` : ''}`;
}

function summarise(m: Measured): Row {
  const bytes = m.bytes === 'imix' ? IMIX_MEAN : Number(m.bytes);
  const ratios = m.runs.map((r) => r.path / r.raw);
  return {
    case: nameOf(m),
    ours: round(median(m.runs.map((r) => r.path)), 1),
    unit: 'ns/packet',
    reference: `raw AES-GCM-128, ${m.bytes === 'imix' ? 'IMIX' : `${m.bytes} B`}`,
    referenceValue: round(median(m.runs.map((r) => r.raw)), 1),
    ratio: round(median(ratios), 3),
    ratioRange: [round(Math.min(...ratios), 3), round(Math.max(...ratios), 3)],
    direction: m.direction,
    bytes,
    ...(m.bytes === 'imix' ? { imix: true } : {}),
    ...{ sas: m.sas, vrfs: m.vrfs, routes: m.routes },
    sourceAndSink: round(median(m.runs.map((r) => r.ends)), 1),
    stages: m.stages,
  };
}

/** Where the time goes: a line for each stage, a column for each of some cases. To stderr. */
function printStages(measured: readonly Measured[]): void {
  const shown = measured.filter((m) => m.sas === 1 && (m.bytes === '64' || m.bytes === '512'));
  const names = new Set(shown.flatMap((m) => Object.keys(m.stages)));
  const line = (head: string, cells: readonly string[]): string =>
    `  ${head.padEnd(16)}${cells.map((c) => c.padStart(11)).join('')}\n`;
  process.stderr.write(
    '\nns per packet by stage (of a run with clocks, which cost a little themselves)\n',
  );
  process.stderr.write(
    line(
      '',
      shown.map((m) => `${m.direction} ${m.bytes} B`),
    ),
  );
  for (const name of names) {
    const cells = shown.map((m) => m.stages[name]?.toFixed(1) ?? '');
    process.stderr.write(line(name, cells));
  }
  process.stderr.write(
    line(
      'source and sink',
      shown.map((m) => median(m.runs.map((r) => r.ends)).toFixed(1)),
    ),
  );
}

export async function dataplane(quick: boolean): Promise<Result> {
  const runs = quick ? 3 : 7;
  const packets = quick ? 200_000 : 1_000_000;
  const dir = mkdtempSync('/dev/shm/sealane-perf-');
  const tables = loadAddon().openTables({ tables: `${dir}/tables`, state: `${dir}/state` });
  try {
    const plan = benchRows(tables, VRFS + 2);
    addSas(tables, MOST_SAS);
    const addresses = `${dir}/addresses`;
    const program = fileURLToPath(new URL('../build/dpdk-app/sealane-bench', import.meta.url));
    // as the worker starts where there are no hugepages
    const eal = ['--no-huge', '-m', '256', '--no-pci', '--iova-mode=va', '--no-shconf'];
    const lcore = ['--no-telemetry', '-l', '0'];
    const vdevs = ['--vdev', 'net_null0,size=64', '--vdev', 'net_null1,size=64'];
    const child = spawn(
      program,
      [
        ...[`${dir}/tables`, `${dir}/state`, addresses, String(runs), String(packets), ...CASES],
        ...['--', ...eal, ...lcore, '--log-level', '4', ...vdevs],
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    const exit = new Promise<string>((resolve) =>
      child.once('exit', (code, signal) => {
        resolve(signal ?? String(code));
      }),
    );
    const measured: Measured[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      if (line === 'ready') {
        activate(tables, plan, MOST_SAS);
        writeFileSync(addresses, new Uint8Array(fillTables(tables, plan).buffer));
        child.stdin.end('go\n');
      } else if (line.startsWith('{')) {
        const m = JSON.parse(line) as Measured;
        measured.push(m);
        process.stderr.write(`  ${nameOf(m)}\n`);
      }
    }
    const end = await exit;
    if (end !== '0') throw new Error(`sealane-bench ended with ${end}`);
    printStages(measured);
    return { bench: 'dataplane', machine: machine(), runs, rows: measured.map(summarise) };
  } finally {
    tables.close();
    rmSync(dir, { recursive: true, force: true });
  }
}
