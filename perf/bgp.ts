// SPDX-License-Identifier: Apache-2.0
/**
 * A million VPNv4 routes over one IBGP session: CPU seconds and peak memory of our RIB and, with the same
 * input over the same kind of connection in the same run, of other BGP speakers. `ours` is the whole
 * process: Node, sockets, RIB. The forwarding sink counts; other speakers have their tables only.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { eventually, Lab } from '../scripts/lib/lab.js';
import { type BgpImplementation, missing, startBgpPeer } from '../test/lib/bgp-peers.js';
import { type Feed, writeFeed } from './bgp-feed.js';
import { machine, median, type Result, round, type Row } from './result.js';

const run = promisify(execFile);
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const IMPLEMENTATIONS = ['bird', 'frr', 'gobgp'] as const satisfies readonly BgpImplementation[];
const NETNS = 'slb-perf';
const OURS = '10.9.0.1';
const FEEDER = '10.9.0.2';

interface Case {
  readonly name: string;
  readonly feed: Feed;
  readonly vrfs: number;
}

interface Cost {
  readonly cpuSeconds: number;
  readonly peakRssMiB: number;
}

/** What the child reports when it plays files. */
interface Report extends Cost {
  readonly eventLoopDelayMaxMs: number;
  readonly fibRoutes: number;
  readonly counts: { readonly paths: number };
  readonly churn?: { readonly cpuShare: number; readonly late99Ms: number };
}

const cases = (routes: number): Case[] => {
  const feed: Feed = { routes, routesPerSet: 50, labels: 'rd' };
  const millions = `${String(routes / 1000)}k routes`;
  return [
    { name: `${millions}, 50 per attribute set, table`, feed, vrfs: 0 },
    { name: `${millions}, 50 per attribute set, 10 VRFs`, feed, vrfs: 10 },
    { name: `${millions}, a label each, table`, feed: { ...feed, labels: 'route' }, vrfs: 0 },
    { name: `${millions}, a label each, 10 VRFs`, feed: { ...feed, labels: 'route' }, vrfs: 10 },
    { name: `${millions}, a set each, table`, feed: { ...feed, routesPerSet: 1 }, vrfs: 0 },
    { name: `${millions}, a set each, 10 VRFs`, feed: { ...feed, routesPerSet: 1 }, vrfs: 10 },
  ];
};

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

const CONFIG: Readonly<Record<BgpImplementation, string>> = {
  frr: [
    'router bgp 65000',
    ` bgp router-id ${OURS}`,
    ' no bgp default ipv4-unicast',
    ` neighbor ${FEEDER} remote-as 65000`,
    ` neighbor ${FEEDER} passive`,
    ' address-family ipv4 vpn',
    `  neighbor ${FEEDER} activate`,
    '',
  ].join('\n'),
  bird: [
    `router id ${OURS};`,
    'protocol device {}',
    'vpn4 table vpntab4;',
    'protocol bgp feeder {',
    `  local ${OURS} as 65000;`,
    `  neighbor ${FEEDER} as 65000;`,
    '  multihop;',
    '  passive;',
    '  vpn4 mpls { table vpntab4; import all; export none; };',
    '}',
    '',
  ].join('\n'),
  gobgp: [
    '[global.config]',
    '  as = 65000',
    `  router-id = "${OURS}"`,
    '[[neighbors]]',
    '  [neighbors.config]',
    `    neighbor-address = "${FEEDER}"`,
    '    peer-as = 65000',
    '  [neighbors.transport.config]',
    '    passive-mode = true',
    '  [[neighbors.afi-safis]]',
    '    [neighbors.afi-safis.config]',
    '      afi-safi-name = "l3vpn-ipv4-unicast"',
    '',
  ].join('\n'),
};

/** How many routes a speaker says it has: its tool's words, and where in them. */
const ROUTES: Readonly<Record<BgpImplementation, { readonly ask: string; readonly in: RegExp }>> = {
  frr: {
    ask: 'show bgp ipv4 vpn summary',
    in: new RegExp(`^${FEEDER}(?:\\s+\\S+){8}\\s+(\\d+)`, 'm'),
  },
  bird: { ask: 'show route count table vpntab4', in: /of (\d+) routes/ },
  gobgp: { ask: 'global rib summary -a vpnv4', in: /Path: (\d+)/ },
};

class Bench {
  /** Costs of other speakers in this run, by feed: they are the same whatever we do with the routes. */
  readonly #others = new Map<string, Cost>();
  readonly #lab: Lab;
  readonly #folder: string;
  #count = 0;

  constructor(lab: Lab, folder: string) {
    this.#lab = lab;
    this.#folder = folder;
  }

  feed(feed: Feed): string {
    const path = `${this.#folder}/${JSON.stringify(feed).replaceAll(/[^a-z0-9]+/gi, '-')}`;
    if (!existsSync(path)) writeFeed(path, feed);
    return path;
  }

  /** The RIB alone: the messages come from a file. */
  async alone(file: string, vrfs: number, churn?: string): Promise<Report> {
    const argv = [
      here('bgp-child.mjs'),
      file,
      String(vrfs),
      ...(churn === undefined ? [] : [churn]),
    ];
    const { stdout } = await run('node', argv, { maxBuffer: 1 << 24 });
    return JSON.parse(stdout) as Report;
  }

  /** Our process with a session. */
  async ours(file: string, vrfs: number): Promise<Cost> {
    const argv = ['node', here('bgp-child.mjs'), 'listen', OURS, String(vrfs)];
    const child = this.#lab.start(NETNS, argv, this.#log('ours'));
    try {
      return await this.#loaded(child.pid ?? 0, file);
    } finally {
      await this.#lab.stop(child);
    }
  }

  async other(implementation: BgpImplementation, file: string, routes: number): Promise<Cost> {
    const key = `${implementation} ${file}`;
    const cost = this.#others.get(key) ?? (await this.#measure(implementation, file, routes));
    this.#others.set(key, cost);
    return cost;
  }

  newRun(): void {
    this.#others.clear();
  }

  async #measure(implementation: BgpImplementation, file: string, routes: number): Promise<Cost> {
    const peer = await startBgpPeer(this.#lab, implementation, {
      ...{ netns: NETNS, name: `${implementation}${String(this.#count++)}` },
      ...{ folder: this.#folder, config: CONFIG[implementation] },
    });
    try {
      // Asked while the session is up: without it the routes are gone.
      return await this.#loaded(peer.pid, file, async () => {
        const { ask, in: where } = ROUTES[implementation];
        const answer = await peer.command(ask);
        if (Number(where.exec(answer)?.[1]) === routes) return;
        throw new Error(`${implementation} does not have ${String(routes)} routes: ${answer}`);
      });
    } finally {
      await peer.stop('SIGKILL');
    }
  }

  #log(name: string): string {
    return `${this.#folder}/${name}${String(this.#count++)}.log`;
  }

  /** Feeds a process until it has had nothing to do for two seconds. */
  async #loaded(pid: number, file: string, check?: () => Promise<void>): Promise<Cost> {
    const log = this.#log('feeder');
    const argv = ['node', here('bgp-feeder.mjs'), FEEDER, OURS, file];
    const feeder = this.#lab.start(NETNS, argv, log);
    try {
      await eventually(
        'the feeder has sent everything',
        () => (readFileSync(log, 'utf8').includes('sent') ? true : undefined),
        600_000,
      );
      let before = cpuOf(pid);
      for (;;) {
        await new Promise((wake) => setTimeout(wake, 2000));
        const now = cpuOf(pid);
        if (now - before < 0.1) break;
        before = now;
      }
      const cost = { cpuSeconds: cpuOf(pid), peakRssMiB: peakOf(pid) };
      await check?.();
      return cost;
    } finally {
      await this.#lab.stop(feeder);
    }
  }
}

type Sample = ReadonlyMap<string, Cost>;

/** One row for a reference, by what is compared. */
function row(name: string, samples: readonly Sample[], reference: string, of: keyof Cost): Row {
  const pairs = samples.map((sample) => {
    const ours = sample.get('ours')?.[of] ?? NaN;
    const other = sample.get(reference)?.[of] ?? NaN;
    return { ours, other, ratio: ours / other };
  });
  const ratios = pairs.map(({ ratio }) => ratio);
  const unit = of === 'cpuSeconds' ? 's' : 'MiB';
  return {
    case: `${name}, ${of === 'cpuSeconds' ? 'CPU' : 'memory'}`,
    ours: round(median(pairs.map(({ ours }) => ours)), 2),
    unit,
    reference,
    referenceValue: round(median(pairs.map(({ other }) => other)), 2),
    ratio: round(median(ratios), 3),
    ratioRange: [round(Math.min(...ratios), 3), round(Math.max(...ratios), 3)],
  };
}

type Samples = Map<string, Sample[]>;

/** One run of all cases, in turn, so that a busy neighbour on the machine hits all alike. */
async function takeSample(
  bench: Bench,
  routes: number,
  others: readonly string[],
  into: Samples,
): Promise<void> {
  bench.newRun();
  for (const each of cases(routes)) {
    const file = bench.feed(each.feed);
    const found = new Map<string, Cost>([['ours', await bench.ours(file, each.vrfs)]]);
    for (const name of IMPLEMENTATIONS.filter((one) => others.includes(one))) {
      found.set(`${name}, table only`, await bench.other(name, file, routes));
    }
    into.set(each.name, [...(into.get(each.name) ?? []), found]);
  }
}

/** What has no counterpart elsewhere, against the limits set for it. */
async function limits(bench: Bench, routes: number): Promise<Row[]> {
  const file = bench.feed({ routes, routesPerSet: 50, labels: 'rd' });
  const changes = Math.min(routes, 100_000);
  const churn = bench.feed({ routes: changes, routesPerSet: 10, labels: 'rd', generation: 1 });
  const report = await bench.alone(file, 10, churn);
  if (report.fibRoutes !== routes) throw new Error(`${String(report.fibRoutes)} routes in the FIB`);
  const limit = (name: string, unit: string, ours: number, most: number): Row => ({
    ...{ case: name, ours: round(ours, 2), unit, reference: 'limit', referenceValue: most },
    ...{ ratio: round(ours / most, 3), ratioRange: [round(ours / most, 3), round(ours / most, 3)] },
  });
  return [
    limit('event loop held up at most, 10 VRFs', 'ms', report.eventLoopDelayMaxMs, 50),
    limit('10,000 changes/s, part of a core', '%', 100 * (report.churn?.cpuShare ?? NaN), 10),
    limit('10,000 changes/s, 99 % in the FIB after', 'ms', report.churn?.late99Ms ?? NaN, 100),
  ];
}

export async function bgp(quick: boolean): Promise<Result> {
  const routes = quick ? 100_000 : 1_000_000;
  const runs = quick ? 1 : 3;
  const folder = mkdtempSync(`${tmpdir()}/slb-perf-`);
  const lab = await Lab.open('slb-perf');
  try {
    await lab.namespace(NETNS);
    await lab.ip(NETNS, [`addr add ${OURS}/32 dev lo`, `addr add ${FEEDER}/32 dev lo`]);
    const bench = new Bench(lab, folder);
    const rows: Row[] = await limits(bench, routes);
    // GoBGP takes half a minute for each feed: not for a quick look.
    const others = IMPLEMENTATIONS.filter(
      (name) => missing(name) === undefined && !(quick && name === 'gobgp'),
    );
    const samples: Samples = new Map();
    for (let i = 0; i < runs; i++) await takeSample(bench, routes, others, samples);
    for (const [name, of] of samples) {
      for (const other of others) {
        rows.push(row(name, of, `${other}, table only`, 'cpuSeconds'));
        rows.push(row(name, of, `${other}, table only`, 'peakRssMiB'));
      }
    }
    return { bench: 'bgp', machine: machine(), runs, rows };
  } finally {
    await lab.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
