// SPDX-License-Identifier: Apache-2.0
/**
 * From the worker's start until it forwards, with tables that are full already: a million routes and 10,000
 * SAs, whose keys it expands. That is what traffic waits for after a crash.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Tables } from '../src/forwarding/addon/api.js';
import { loadAddon } from '../src/forwarding/addon/load.js';
import { WorkerClient } from '../src/supervisor/worker-client.js';
import { addSas, benchRows } from './dataplane-rows.js';
import { prefixes } from './fib.js';
import { machine, median, round, type Result, type Row } from './result.js';

const SAS = 5_000; // in each direction
const ROUTES = 1_000_000;
const LIMIT_MS = 1_000;

const addon = loadAddon();

/** Waits for `probe` to give something, looking every half millisecond. Throws when the worker ends. */
async function until<T>(child: ChildProcess, probe: () => T | undefined): Promise<T> {
  for (;;) {
    const found = probe();
    if (found !== undefined) return found;
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error('perf: the worker ended while it started');
    }
    await sleep(0.5);
  }
}

/** Connects when it listens. */
function connect(t: Tables, socket: string): WorkerClient | undefined {
  if (!t.worker().alive) return undefined;
  try {
    return WorkerClient.connect(addon.kernel, socket, {
      onEvent: () => undefined,
      onClose: () => undefined,
    });
  } catch {
    return undefined;
  }
}

/** Milliseconds until it answers and has every key. */
async function startOnce(dir: string, t: Tables, sas: number): Promise<number> {
  const program = fileURLToPath(new URL('../build/dpdk-app/sealane-worker', import.meta.url));
  const begin = performance.now();
  const child = spawn(
    'setpriv',
    ['--pdeathsig', 'KILL', program, '--instance-dir', dir, '--no-huge', '--memory-mb', '128'],
    { stdio: 'ignore' },
  );
  const exit = once(child, 'exit');
  const client = await until(child, () => connect(t, `${dir}/worker.sock`));
  await client.hello(t.epoch);
  await until(child, () => {
    for (let id = sas; id >= 1; id--) if (!t.saState('in', id).ready) return undefined;
    return true;
  });
  const took = performance.now() - begin;
  await client.shutdown();
  client.close();
  await exit;
  return took;
}

async function measure(routes: number, sas: number, runs: number): Promise<number[]> {
  const dir = mkdtempSync('/dev/shm/sealane-perf-');
  const t = addon.openTables({ tables: `${dir}/tables`, state: `${dir}/state` });
  try {
    benchRows(t, 0);
    if (sas > 0) addSas(t, sas);
    if (routes > 0) t.applyRoutes(prefixes(4, routes));
    const times: number[] = [];
    for (let i = 0; i < runs; i++) times.push(await startOnce(dir, t, sas));
    return times;
  } finally {
    t.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

function row(name: string, times: readonly number[]): Row {
  return {
    case: name,
    ours: round(median(times), 1),
    unit: 'ms',
    reference: 'limit',
    referenceValue: LIMIT_MS,
    ratio: round(median(times) / LIMIT_MS, 3),
    ratioRange: [round(Math.min(...times) / LIMIT_MS, 3), round(Math.max(...times) / LIMIT_MS, 3)],
  };
}

export async function start(quick: boolean): Promise<Result> {
  const runs = quick ? 3 : 7;
  const rows = [
    row('worker start, empty tables', await measure(0, 0, runs)),
    row(
      `worker start, ${String(ROUTES)} routes, ${String(2 * SAS)} SAs`,
      await measure(ROUTES, SAS, runs),
    ),
  ];
  return { bench: 'start', machine: machine(), runs, rows };
}
