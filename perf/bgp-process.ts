// SPDX-License-Identifier: Apache-2.0
/** Processes that are fed by BGP, and what they take. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { eventually, type Lab } from '../scripts/lib/lab.js';
import { type BgpImplementation, startBgpPeer } from '../test/lib/bgp-peers.js';
import {
  type Churn,
  churnLabel,
  type Feed,
  writeChurn,
  writeFeed,
  writeSessionFeeds,
} from './bgp-feed.js';
import { CONFIG, expectRoutes, FEEDER, NEIGHBOURS, OURS } from './bgp-others.js';
import { round } from './result.js';

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const FEED_MS = 600_000;

export interface Cost {
  /** User and system time of the process until it had nothing to do any more. */
  readonly cpuSeconds: number;
  readonly peakRssMiB: number;
  /** Of one core, while routes change. */
  readonly churnShare?: number;
}

/** What perf/bgp-pe.mjs says of itself. */
export interface Report {
  readonly eventLoopDelayMaxMs: number;
  readonly tableRoutes: number;
  readonly established: number;
  readonly counts: { readonly paths: number };
  /** When a route with the label of this index was last written; 0: never. */
  readonly written: readonly number[];
}

export interface OurCost extends Cost {
  readonly report: Report;
  /** From sending a change to having it in the shared table, ms, 99 % of them. */
  readonly late99Ms?: number;
}

export interface SessionsCost extends Cost {
  /** Of one core, while nothing but keepalives is to be done. */
  readonly idleShare: number;
  /** Still up after the idle time, and ever lost. */
  readonly up: number;
  readonly lost: number;
}

export interface Load {
  readonly feed: Feed;
  readonly churn?: Churn;
}

/** VRFs of ours, and over how many route targets they are spread. */
export interface Vrfs {
  readonly count: number;
  readonly targets: number;
}

/** User and system time of a process, seconds. */
function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${String(pid)}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function peakOf(pid: number): number {
  const status = readFileSync(`/proc/${String(pid)}/status`, 'latin1');
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? NaN) / 1024;
}

const pause = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms));

/** Until it has had nothing to do for two seconds. */
async function quiet(pid: number): Promise<void> {
  for (let before = cpuOf(pid); ;) {
    await pause(2000);
    const now = cpuOf(pid);
    if (now - before < 0.1) return;
    before = now;
  }
}

/** Part of a core that a process takes while `work` goes on. */
async function shareOf(pid: number, work: () => Promise<void>): Promise<number> {
  const begin = performance.now();
  const cpu = cpuOf(pid);
  await work();
  return (cpuOf(pid) - cpu) / ((performance.now() - begin) / 1000);
}

const lines = (log: string): string[] => readFileSync(log, 'utf8').split('\n');

async function answer(what: string, log: string, nth: number, start: string): Promise<string> {
  return eventually(what, () => lines(log).filter((line) => line.startsWith(start))[nth], FEED_MS);
}

interface Subject {
  readonly pid: number;
  readonly stop: () => Promise<void>;
}

export class BgpBench {
  readonly #lab: Lab;
  readonly #netns: string;
  readonly #folder: string;
  #count = 0;

  constructor(lab: Lab, netns: string, folder: string) {
    this.#lab = lab;
    this.#netns = netns;
    this.#folder = folder;
  }

  /** Our BGP, tables included. */
  async ours(load: Load, vrfs: Vrfs): Promise<OurCost> {
    const subject = await this.#startOurs(vrfs);
    try {
      const times: number[] = [];
      const cost = await this.#loaded(subject.pid, load, async () => subject.report(), times);
      const report = await subject.report();
      const [first] = subject.reports;
      if (first === undefined) throw new Error('no report');
      if (first.counts.paths < load.feed.routes) throw new Error('routes are missing');
      const late99Ms = load.churn && lateness(times, report.written);
      return { ...cost, report: first, ...(late99Ms !== undefined && { late99Ms }) };
    } finally {
      await subject.stop();
    }
  }

  async other(implementation: BgpImplementation, load: Load): Promise<Cost> {
    const subject = await this.#startOther(implementation);
    try {
      // Asked while the session is up: without it the routes are gone.
      return await this.#loaded(subject.pid, load, async () => {
        await expectRoutes(implementation, subject.command, load.feed.routes);
      });
    } finally {
      await subject.stop();
    }
  }

  /** Many sessions; `implementation` undefined: ours, with 10 VRFs. */
  async sessions(
    implementation: BgpImplementation | undefined,
    count: number,
    routes: number,
  ): Promise<SessionsCost & { readonly report?: Report }> {
    const prefix = `${this.#folder}/sessions-${String(count)}-${String(routes)}`;
    if (!existsSync(`${prefix}.0`)) writeSessionFeeds(prefix, count, routes);
    const ours =
      implementation === undefined ? await this.#startOurs({ count: 10, targets: 100 }) : undefined;
    const other = implementation === undefined ? undefined : await this.#startOther(implementation);
    const subject = ours ?? other;
    if (subject === undefined) throw new Error('nothing to measure');
    const log = this.#log('sessions');
    const argv = ['node', here('bgp-sessions.mjs'), OURS, String(count), prefix];
    const child = this.#lab.start(this.#netns, argv, log);
    try {
      await answer('every session is up', log, 0, 'up');
      await quiet(subject.pid);
      const cpuSeconds = cpuOf(subject.pid);
      const report = await ours?.report();
      // Longer than the hold time: who does not keep its sessions alive loses them here.
      const idleShare = await shareOf(subject.pid, () => pause(20_000));
      child.kill('SIGUSR2');
      const state = JSON.parse(
        await answer('the state of the sessions', log, 0, '{'),
      ) as SessionsCost;
      if (implementation !== undefined && other !== undefined) {
        await expectRoutes(implementation, other.command, count * routes);
      }
      if (report !== undefined && report.tableRoutes !== count * routes) {
        throw new Error(`${String(report.tableRoutes)} routes in the tables`);
      }
      const cost = { cpuSeconds, idleShare, peakRssMiB: peakOf(subject.pid) };
      return { ...cost, up: state.up, lost: state.lost, ...(report && { report }) };
    } finally {
      await this.#lab.stop(child);
      await subject.stop();
    }
  }

  async #startOurs(
    vrfs: Vrfs,
  ): Promise<Subject & { readonly report: () => Promise<Report>; readonly reports: Report[] }> {
    const log = this.#log('ours');
    const { count, targets } = vrfs;
    const argv = ['node', here('bgp-pe.mjs'), OURS, String(count), String(targets), NEIGHBOURS];
    const child = this.#lab.start(this.#netns, argv, log);
    const pid = child.pid ?? 0;
    await answer('our BGP runs', log, 0, 'ready');
    const reports: Report[] = [];
    return {
      pid,
      reports,
      stop: () => this.#lab.stop(child),
      report: async () => {
        child.kill('SIGUSR2');
        const text = await answer('a report', log, reports.length, '{');
        const report = JSON.parse(text) as Report;
        reports.push(report);
        return report;
      },
    };
  }

  async #startOther(
    implementation: BgpImplementation,
  ): Promise<Subject & { readonly command: (text: string) => Promise<string> }> {
    const peer = await startBgpPeer(this.#lab, implementation, {
      ...{ netns: this.#netns, name: `${implementation}${String(this.#count++)}` },
      ...{ folder: this.#folder, config: CONFIG[implementation] },
      // What it would write to its log is no part of the work.
      ...(implementation === 'gobgp' && { args: ['-l', 'warn'] }),
    });
    return {
      pid: peer.pid,
      stop: () => peer.stop('SIGKILL'),
      command: (text) => peer.command(text),
    };
  }

  /** Feeds a process, asks it `check`, and then has routes change if so wished; `times`: when each was sent. */
  async #loaded(
    pid: number,
    load: Load,
    check: () => Promise<unknown>,
    times: number[] = [],
  ): Promise<Cost> {
    const log = this.#log('feeder');
    const { churn } = load;
    const argv = ['node', here('bgp-feeder.mjs'), FEEDER, OURS, this.#feed(load.feed)];
    if (churn !== undefined) argv.push(this.#churn(churn), String(100 / churn.routesPerMessage));
    const feeder = this.#lab.start(this.#netns, argv, log);
    try {
      await answer('the feeder has sent everything', log, 0, 'sent');
      await quiet(pid);
      const cost = { cpuSeconds: cpuOf(pid), peakRssMiB: peakOf(pid) };
      await check();
      if (churn === undefined) return cost;
      feeder.kill('SIGUSR2');
      // Until then code that has never run before is compiled, or brought into the caches.
      await answer('changes are under way', log, 0, 'warm');
      const churnShare = await shareOf(pid, async () => {
        const sent = await answer('all changes are sent', log, 0, '{');
        times.push(...(JSON.parse(sent) as { times: number[] }).times);
      });
      await quiet(pid);
      return { ...cost, churnShare };
    } finally {
      await this.#lab.stop(feeder);
    }
  }

  #feed(feed: Feed): string {
    return this.#file(feed, (path) => {
      writeFeed(path, feed);
    });
  }

  #churn(churn: Churn): string {
    return this.#file(churn, (path) => {
      writeChurn(path, churn);
    });
  }

  #file(what: object, write: (path: string) => void): string {
    const path = `${this.#folder}/${JSON.stringify(what).replaceAll(/[^a-z0-9]+/gi, '-')}`;
    if (!existsSync(path)) write(path);
    return path;
  }

  #log(name: string): string {
    return `${this.#folder}/${name}${String(this.#count++)}.log`;
  }
}

/** 99th percentile of the time from sending a message to the last of its routes being written, ms. */
function lateness(sent: readonly number[], written: readonly number[]): number {
  // Those of the time in which code is compiled are not counted, as they are not in the share of a core.
  const from = Math.floor(sent.length * 0.3);
  const late = sent.slice(from).map((at, i) => (written[churnLabel(from + i)] ?? 0) - at);
  const never = late.filter((ms) => ms < 0).length;
  if (never > 0) throw new Error(`${String(never)} changes never reached the tables`);
  late.sort((a, b) => a - b);
  return round(late[Math.floor(late.length * 0.99)] ?? NaN, 2);
}
