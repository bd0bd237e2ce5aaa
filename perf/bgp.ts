// SPDX-License-Identifier: Apache-2.0
/**
 * A million VPNv4 routes over one IBGP session: CPU seconds and peak memory of our BGP and, with the same
 * input over the same kind of connection in the same run, of other speakers; then changes of these routes,
 * a thousand VRFs, and hundreds of sessions. `ours` is a whole process: Node, sockets, RIB and the shared
 * tables that the data plane reads. Other speakers have their tables only.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { Lab } from '../scripts/lib/lab.js';
import { missing } from '../test/lib/bgp-peers.js';
import type { Churn, Feed } from './bgp-feed.js';
import { FEEDER, IMPLEMENTATIONS, OURS } from './bgp-others.js';
import { BgpBench, type Cost, type Load, type Vrfs } from './bgp-process.js';
import { machine, median, type Result, round, type Row } from './result.js';

const NETNS = 'slb-perf';
/** Reference of rows that nobody else has a figure for: what was asked for. */
const LIMIT = 'limit';
const LONGEST_BLOCK_MS = 50;
const SESSION_ROUTES = 300;

interface Case {
  readonly name: string;
  readonly load: Load;
  readonly vrfs: Vrfs;
}

/** Figures of one run, by case and unit, then by who; `limit` is no measurement. */
class Samples {
  readonly #rows = new Map<
    string,
    { readonly unit: string; readonly runs: Map<string, number>[] }
  >();
  #run = -1;

  newRun(): void {
    this.#run++;
  }

  add(name: string, unit: string, who: string, value: number): void {
    const found = this.#rows.get(name) ?? { unit, runs: [] };
    this.#rows.set(name, found);
    const run = found.runs[this.#run] ?? new Map<string, number>();
    found.runs[this.#run] = run;
    run.set(who, value);
  }

  cost(name: string, who: string, { cpuSeconds, peakRssMiB }: Cost): void {
    this.add(`${name}, CPU`, 's', who, cpuSeconds);
    this.add(`${name}, memory`, 'MiB', who, peakRssMiB);
  }

  /** One row for each case and reference. */
  rows(): Row[] {
    const rows: Row[] = [];
    for (const [name, { unit, runs }] of this.#rows) {
      const references = new Set(runs.flatMap((run) => [...run.keys()]));
      references.delete('ours');
      for (const reference of references) {
        const both = runs.filter((run) => run.has(reference) && run.has('ours'));
        if (both.length > 0) rows.push(rowOf(name, unit, both, reference));
      }
    }
    return rows;
  }
}

function rowOf(
  name: string,
  unit: string,
  runs: readonly ReadonlyMap<string, number>[],
  reference: string,
): Row {
  const of = (who: string): number[] => runs.map((run) => run.get(who) ?? NaN);
  const others = of(reference);
  const ratios = of('ours').map((value, i) => value / (others[i] ?? NaN));
  return {
    ...{ case: name, ours: round(median(of('ours')), 2), unit },
    ...{ reference, referenceValue: round(median(others), 2) },
    ratio: round(median(ratios), 3),
    ratioRange: [round(Math.min(...ratios), 3), round(Math.max(...ratios), 3)],
    runs: runs.length,
  };
}

const NO_VRFS: Vrfs = { count: 0, targets: 0 };
const TEN: Vrfs = { count: 10, targets: 100 };

function casesOf(routes: number): Case[] {
  const feed: Feed = { routes, routesPerSet: 50, labels: 'rd', rds: 100 };
  const label: Feed = { ...feed, labels: 'route' };
  const set: Feed = { ...feed, routesPerSet: 1 };
  const churn: Churn = { of: feed, messages: 10_000, routesPerMessage: 10 };
  const many = `${String(routes / 1000)}k routes`;
  return [
    { name: `${many}, 50 per attribute set, table`, load: { feed, churn }, vrfs: NO_VRFS },
    { name: `${many}, 50 per attribute set, 10 VRFs`, load: { feed, churn }, vrfs: TEN },
    { name: `${many}, a label each, table`, load: { feed: label }, vrfs: NO_VRFS },
    { name: `${many}, a label each, 10 VRFs`, load: { feed: label }, vrfs: TEN },
    { name: `${many}, a set each, table`, load: { feed: set }, vrfs: NO_VRFS },
    { name: `${many}, a set each, 10 VRFs`, load: { feed: set }, vrfs: TEN },
  ];
}

/** Seconds and MiB that were asked for (issue of the speaker). */
const limitsOf = ({ vrfs }: Case): Cost =>
  vrfs.count === 0 ? { cpuSeconds: 3, peakRssMiB: 200 } : { cpuSeconds: 5, peakRssMiB: 350 };

class Run {
  readonly #bench: BgpBench;
  readonly #others: readonly (typeof IMPLEMENTATIONS)[number][];
  readonly #into: Samples;
  /** Of other speakers in this run, by feed: they are the same whatever we do with the routes. */
  readonly #known = new Map<string, Cost>();

  constructor(bench: BgpBench, others: readonly (typeof IMPLEMENTATIONS)[number][], into: Samples) {
    this.#bench = bench;
    this.#others = others;
    this.#into = into;
  }

  /** A case of the million, in turn with the others, so that a busy neighbour hits all alike. */
  async load(one: Case): Promise<void> {
    const into = this.#into;
    const { name, load, vrfs } = one;
    // Without VRFs there is no table that changes could reach.
    const ours = await this.#bench.ours(vrfs.count > 0 ? load : { feed: load.feed }, vrfs);
    if (vrfs.count > 0 && ours.report.tableRoutes !== load.feed.routes) {
      throw new Error(`${String(ours.report.tableRoutes)} routes in the tables`);
    }
    into.cost(name, 'ours', ours);
    into.cost(name, LIMIT, limitsOf(one));
    for (const other of this.#others) {
      const key = `${other} ${JSON.stringify(load.feed)}`;
      const cost = this.#known.get(key) ?? (await this.#bench.other(other, load));
      this.#known.set(key, cost);
      into.cost(name, `${other}, table only`, cost);
      if (cost.churnShare !== undefined && vrfs.count > 0) {
        into.add(CHURN_CPU, '%', `${other}, table only`, 100 * cost.churnShare);
      }
    }
    if (vrfs.count === 0) return;
    into.add(`${name}, event loop held up at most`, 'ms', 'ours', ours.report.eventLoopDelayMaxMs);
    into.add(`${name}, event loop held up at most`, 'ms', LIMIT, LONGEST_BLOCK_MS);
    if (ours.churnShare === undefined || ours.late99Ms === undefined) return;
    into.add(CHURN_CPU, '%', 'ours', 100 * ours.churnShare);
    into.add(CHURN_CPU, '%', LIMIT, 10);
    into.add('10,000 changes/s, 99 % in the shared table after', 'ms', 'ours', ours.late99Ms);
    into.add('10,000 changes/s, 99 % in the shared table after', 'ms', LIMIT, 100);
  }

  async manyVrfs(routes: number, count: number): Promise<void> {
    const into = this.#into;
    const feed: Feed = { routes, routesPerSet: 50, labels: 'rd', rds: count };
    const name = `${String(count)} VRFs, ${String(routes / count)} routes in each`;
    const ours = await this.#bench.ours({ feed }, { count, targets: count });
    if (ours.report.tableRoutes !== routes) throw new Error('routes are missing in the tables');
    into.cost(name, 'ours', ours);
    into.cost(name, LIMIT, { cpuSeconds: 5, peakRssMiB: 350 });
    into.add(`${name}, event loop held up at most`, 'ms', 'ours', ours.report.eventLoopDelayMaxMs);
    into.add(`${name}, event loop held up at most`, 'ms', LIMIT, LONGEST_BLOCK_MS);
  }

  async sessions(count: number): Promise<void> {
    const into = this.#into;
    const name = `${String(count)} sessions, ${String(SESSION_ROUTES)} routes from each`;
    // GoBGP had not brought up 500 neighbours of one prefix when it had taken two minutes of CPU time.
    for (const who of [undefined, ...this.#others.filter((other) => other !== 'gobgp')]) {
      const cost = await this.#bench.sessions(who, count, SESSION_ROUTES);
      const { up, lost, report } = cost;
      if (up !== count || lost > 0) {
        throw new Error(`${who ?? 'ours'}: ${String(up)} sessions up, ${String(lost)} lost`);
      }
      const label = who === undefined ? 'ours' : `${who}, table only`;
      into.cost(name, label, cost);
      into.add(`${name}, CPU when idle`, '% of a core', label, 100 * cost.idleShare);
      if (report === undefined) continue;
      const held = `${name}, event loop held up at most`;
      into.add(held, 'ms', 'ours', report.eventLoopDelayMaxMs);
      into.add(held, 'ms', LIMIT, LONGEST_BLOCK_MS);
    }
  }
}

const CHURN_CPU = '10,000 changes/s, part of a core';

export async function bgp(quick: boolean): Promise<Result> {
  const routes = quick ? 100_000 : 1_000_000;
  const runs = quick ? 1 : 3;
  const folder = mkdtempSync(`${tmpdir()}/slb-perf-`);
  const lab = await Lab.open('slb-perf');
  try {
    await lab.namespace(NETNS);
    await lab.ip(NETNS, [`addr add ${OURS}/32 dev lo`, `addr add ${FEEDER}/32 dev lo`]);
    // Every address of the many neighbours is one of this machine's.
    await lab.ip(NETNS, ['route add local 10.10.0.0/16 dev lo']);
    const bench = new BgpBench(lab, NETNS, folder);
    const there = IMPLEMENTATIONS.filter((name) => missing(name) === undefined);
    const samples = new Samples();
    for (let i = 0; i < runs; i++) {
      samples.newRun();
      // GoBGP takes a minute for each feed: once, and not for a quick look.
      const others = there.filter((name) => name !== 'gobgp' || (i === 0 && !quick));
      const run = new Run(bench, others, samples);
      for (const one of casesOf(routes)) {
        process.stderr.write(`  run ${String(i + 1)}: ${one.name}\n`);
        await run.load(one);
      }
      await run.manyVrfs(routes, quick ? 100 : 1000);
      await run.sessions(quick ? 50 : 500);
    }
    return { bench: 'bgp', machine: machine(), runs, rows: samples.rows() };
  } finally {
    await lab.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
