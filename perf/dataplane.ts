// SPDX-License-Identifier: Apache-2.0
/**
 * The whole packet path against the raw cipher of the same size in the same run.
 *
 * The tables are written as the supervisor writes them; `sealane-bench` attaches to them as a worker
 * does. Row numbers it relies on: interface 1 = CE (port 1), 2 = core (port 2); label 1000; inbound and
 * outbound SAs 1..N; 10.128+k/24 into tunnel k, 10.200.0.1 to the CE, 10.201.0.1 into clear GRE.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Tables, Version } from '../src/forwarding/addon/api.js';
import { loadAddon } from '../src/forwarding/addon/load.js';
import { machine, median, round, type Result, type Row } from './result.js';

const SIZES = [64, 128, 256, 512, 1024, 1420] as const;
const DIRECTIONS = ['out', 'in', 'plain', 'gre'] as const;
type Direction = (typeof DIRECTIONS)[number];
const MANY = 1000;

const ip = (a: number, b: number, c: number, d: number): Uint8Array => Uint8Array.of(a, b, c, d);
const CE_MAC = Uint8Array.of(2, 0, 0, 0, 0, 1);
const CORE_MAC = Uint8Array.of(2, 0, 0, 0, 0, 2);
const NEIGHBOUR = Uint8Array.of(2, 0, 0, 0, 0, 9);
const HERE = ip(192, 0, 2, 1);

function ethernet(source: Uint8Array): Uint8Array {
  return Uint8Array.from([...NEIGHBOUR, ...source, 0x08, 0x00]);
}

/** Address of remote PE k. */
function remote(k: number): Uint8Array {
  return ip(198, 18 + (k >> 16), (k >> 8) & 255, k & 255);
}

function tunnel(k: number, sa: number, spi: number | undefined, core: number): Version {
  return {
    kind: 'tunnel',
    interface: core,
    protection: spi === undefined ? 'tunnel' : 'encrypt',
    encapsulation: 'gre',
    mtu: 1500,
    sa,
    ...{ dscpCopy: true, ecnCopy: true },
    header: {
      ethernet: ethernet(CORE_MAC),
      source: HERE,
      destination: remote(k),
      ttl: 64,
      dscp: 0,
      flowLabel: 0,
      ...(spi === undefined ? {} : { spi }),
    },
  };
}

interface Plan {
  readonly vrf: number;
  readonly core: number;
  readonly accept: number;
}

export function benchRows(t: Tables): Plan {
  const vrf = t.putVrf({
    name: 'bench',
    ttlUniform: false,
    tcUniform: true,
    clampMss: false,
    hostInterface: 0,
  });
  const common = {
    vlan: 0,
    mtu: 1500,
    acceptGre: false,
    acceptIp: false,
    mplsOwnSp: false,
    mplsOtherSp: false,
  };
  const ce = t.putInterface({
    ...common,
    ...{ name: 'ce', role: 'ce', vrf, port: t.portId('ce'), mac: CE_MAC },
  });
  const core = t.putInterface({
    ...common,
    ...{ name: 'core', role: 'core', vrf: 0, port: t.portId('core'), mac: CORE_MAC },
  });
  if (ce !== 1 || core !== 2) throw new Error('perf: interface rows are not 1 and 2');
  const accept = t.acceptSet({
    secured: [{ protection: 'encrypt', encapsulation: 'gre', sps: [1] }],
    clear: [],
  });
  const adjacency = t.nexthop('ce');
  t.setNexthop(adjacency, {
    kind: 'adjacency',
    interface: ce,
    vrf,
    neighbour: ip(10, 200, 0, 1),
    mtu: 1500,
    header: ethernet(CE_MAC),
  });
  t.setLabel({ label: 1000, action: 'vrf', target: vrf, accept });
  const clear = t.nexthop('clear');
  t.setNexthop(clear, tunnel(0, 0, undefined, core));
  route(t, vrf, {
    address: ip(10, 200, 0, 1),
    length: 32,
    nexthop: adjacency,
    label: 0,
    accept,
  });
  route(t, vrf, {
    address: ip(10, 201, 0, 1),
    length: 32,
    nexthop: clear,
    label: 2000,
    accept: 0,
  });
  return { vrf, core, accept };
}

interface Route {
  readonly address: Uint8Array;
  readonly length: number;
  readonly nexthop: number;
  readonly label: number;
  readonly accept: number;
}

function route(t: Tables, vrf: number, r: Route): void {
  const { address, length, nexthop, label, accept } = r;
  t.applyRoutes({
    vrf,
    family: 4,
    count: 1,
    remove: Uint8Array.of(0),
    addresses: address,
    lengths: Uint8Array.of(length),
    nexthops: Uint32Array.of(nexthop),
    labels: Uint32Array.of(label),
    accepts: Uint16Array.of(accept),
    owners: Uint8Array.of(1),
  });
}

/** SAs 1..count in both directions; tunnels to them are made once the worker side is ready. */
export function addSas(t: Tables, count: number): void {
  for (let k = 0; k < count; k++) {
    const common = {
      algorithm: 'aes-gcm-128',
      encapsulation: 'gre',
      packetLimit: 0n,
    } as const;
    const out = t.addSa(
      'out',
      {
        ...common,
        ...{ name: `out-${String(k)}`, spi: 0x10000 + k, spTable: 0, replayWindow: 0 },
        source: HERE,
        destination: remote(k),
      },
      randomBytes(20),
    );
    const inbound = t.addSa(
      'in',
      {
        ...common,
        ...{ name: `in-${String(k)}`, spi: 0x20000 + k, spTable: 1, replayWindow: 1024 },
        source: remote(k),
        destination: HERE,
      },
      randomBytes(20),
    );
    if (out !== k + 1 || inbound !== k + 1) throw new Error('perf: SA rows are not in order');
  }
}

function activate(t: Tables, plan: Plan, count: number): void {
  for (let k = 0; k < count; k++) {
    t.activateSa(k + 1);
    const id = t.nexthop(`tunnel-${String(k)}`);
    t.setNexthop(id, tunnel(k, k + 1, 0x10000 + k, plan.core));
    const address = ip(10, 128 + (k >> 8), k & 255, 0);
    route(t, plan.vrf, { address, length: 24, nexthop: id, label: 2000, accept: 0 });
  }
}

interface Measured {
  readonly direction: Direction;
  readonly bytes: number;
  readonly sas: number;
  readonly runs: readonly { readonly raw: number; readonly path: number; readonly ends: number }[];
  /** ns per packet of each stage that took any, in one run with clocks. */
  readonly stages: Readonly<Record<string, number>>;
}

function summarise(m: Measured): Row {
  const ratios = m.runs.map((r) => r.path / r.raw);
  return {
    case: `${m.direction} ${String(m.bytes)} B, ${String(m.sas)} SA`,
    ours: round(median(m.runs.map((r) => r.path)), 1),
    unit: 'ns/packet',
    reference: `raw AES-GCM-128, ${String(m.bytes)} B`,
    referenceValue: round(median(m.runs.map((r) => r.raw)), 1),
    ratio: round(median(ratios), 3),
    ratioRange: [round(Math.min(...ratios), 3), round(Math.max(...ratios), 3)],
    direction: m.direction,
    bytes: m.bytes,
    sas: m.sas,
    sourceAndSink: round(median(m.runs.map((r) => r.ends)), 1),
    stages: m.stages,
  };
}

/** Where the time goes: a line for each stage, a column for each of some cases. To stderr. */
function printStages(measured: readonly Measured[]): void {
  const shown = measured.filter((m) => m.sas === 1 && (m.bytes === 64 || m.bytes === 512));
  const names = new Set(shown.flatMap((m) => Object.keys(m.stages)));
  const line = (head: string, cells: readonly string[]): string =>
    `  ${head.padEnd(16)}${cells.map((c) => c.padStart(11)).join('')}\n`;
  process.stderr.write(
    '\nns per packet by stage (of a run with clocks, which cost a little themselves)\n',
  );
  process.stderr.write(
    line(
      '',
      shown.map((m) => `${m.direction} ${String(m.bytes)} B`),
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
    const plan = benchRows(tables);
    addSas(tables, MANY);
    const cases = [
      ...DIRECTIONS.flatMap((d) => SIZES.map((s) => `${d},${String(s)},1`)),
      ...(['out', 'in'] as const).flatMap((d) =>
        [64, 512, 1420].map((s) => `${d},${String(s)},${String(MANY)}`),
      ),
    ];
    const program = fileURLToPath(new URL('../build/dpdk-app/sealane-bench', import.meta.url));
    // as the worker starts where there are no hugepages
    const eal = ['--no-huge', '-m', '256', '--no-pci', '--iova-mode=va', '--no-shconf'];
    const lcore = ['--no-telemetry', '-l', '0'];
    const vdevs = ['--vdev', 'net_null0,size=64', '--vdev', 'net_null1,size=64'];
    const child = spawn(
      program,
      [
        ...[`${dir}/tables`, `${dir}/state`, String(runs), String(packets), ...cases],
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
        activate(tables, plan, MANY);
        child.stdin.end('go\n');
      } else if (line.startsWith('{')) {
        const m = JSON.parse(line) as Measured;
        measured.push(m);
        process.stderr.write(`  ${m.direction} ${String(m.bytes)} B, ${String(m.sas)} SA\n`);
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
