// SPDX-License-Identifier: Apache-2.0
/**
 * What an IKE SA costs: CPU time of the whole process and resident memory, as responder and as initiator, beside
 * strongSwan's charon in the same run with the same suite and the same other end; the same with ten thousand of them;
 * and a flood of spoofed IKE_SA_INIT requests beside sixty initiators that mean it. README.md says more.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { Lab } from '../scripts/lib/lab.js';
import { missingStrongswan } from '../test/lib/strongswan.js';
import {
  type Authentication,
  cpuOf,
  IkeBed,
  type LoadReport,
  pause,
  quiet,
  rssOf,
} from './ike-bed.js';
import { startCharon } from './ike-charon.js';
import { type OurOptions, startOurs } from './ike-ours.js';
import { machine, median, type Result, round, type Row } from './result.js';

/** Of one IKE SA. */
interface Cost {
  /** User and system time of the process, µs. */
  readonly cpu: number;
  /** Resident, KiB. */
  readonly memory: number;
}

interface Sizes {
  readonly runs: number;
  readonly warm: number;
  readonly sas: number;
  readonly many: number;
}
const FULL: Sizes = { runs: 2, warm: 1000, sas: 3000, many: 10_000 };
const QUICK: Sizes = { runs: 1, warm: 300, sas: 500, many: 2000 };

const WARM_FROM = '10.64.0.1';
const AGAIN_FROM = '10.66.0.1';
const FROM = '10.65.0.1';
/** Addresses from 10.65.0.1 on. */
const addresses = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `10.65.${String((i + 1) >> 8)}.${String((i + 1) & 255)}`);
const CHARON_CONNECTIONS = 100;
const CONCURRENCY = 10;
const ATTEMPTS = 60;
const ATTEMPT_EACH_MS = 200;

const SUITES = {
  psk: 'PSK, X25519',
  ecdsa: 'ECDSA P-256, distinct certificates, X25519',
  rsa: 'RSA-2048, X25519',
} as const satisfies Record<Authentication, string>;

/** Everything that was asked for was opened, or the run is void. */
function complete({ opened, failed, why, retransmitted }: LoadReport, count: number): void {
  if (opened === count && failed === 0 && retransmitted === 0) return;
  throw new Error(
    `${String(opened)} of ${String(count)} IKE SAs, ${String(retransmitted)} retransmissions: ${JSON.stringify(why)}`,
  );
}

type Variant = Pick<OurOptions, 'kem' | 'child'>;

class Measurements {
  readonly #bed: IkeBed;
  readonly #sizes: Sizes;

  constructor(bed: IkeBed, sizes: Sizes) {
    this.#bed = bed;
    this.#sizes = sizes;
  }

  /**
   * `count` IKE SAs from the loader, after some that are not counted. Reading the memory of ours collects its garbage, with
   * it the shapes of objects that nobody has at that moment and the code compiled for them: the time is that after some
   * more, whose memory counts.
   */
  async #loaded(
    subject: { readonly pid: number; readonly memory: () => Promise<number> },
    authentication: Authentication,
    count: number,
    variant: Variant,
  ): Promise<Cost> {
    const load = { authentication, concurrency: CONCURRENCY, ...variant };
    const { warm } = this.#sizes;
    complete(await this.#bed.initiate({ first: WARM_FROM, count: warm, ...load }), warm);
    await quiet(subject.pid);
    const memory = await subject.memory();
    complete(await this.#bed.initiate({ first: AGAIN_FROM, count: warm, ...load }), warm);
    await quiet(subject.pid);
    const cpu = cpuOf(subject.pid);
    complete(await this.#bed.initiate({ first: FROM, count, ...load }), count);
    await quiet(subject.pid);
    const used = cpuOf(subject.pid) - cpu;
    const grown = (await subject.memory()) - memory;
    return { cpu: (1e6 * used) / count, memory: grown / (warm + count) };
  }

  async ourResponder(
    authentication: Authentication,
    count = this.#sizes.sas,
    variant: Variant = {},
  ): Promise<Cost> {
    const ours = await startOurs(this.#bed, authentication, variant);
    try {
      const subject = { pid: ours.pid, memory: async () => (await ours.report()).rss };
      const cost = await this.#loaded(subject, authentication, count, variant);
      const { sas } = await ours.report();
      if (sas !== count + 2 * this.#sizes.warm) throw new Error(`we have ${String(sas)} IKE SAs`);
      return cost;
    } finally {
      await ours.stop();
    }
  }

  async charonResponder(
    authentication: Authentication,
    count = this.#sizes.sas,
    tableSize = 16_384,
  ): Promise<Cost> {
    const charon = await startCharon(this.#bed, authentication, { tableSize });
    try {
      const subject = { pid: charon.pid, memory: () => Promise.resolve(rssOf(charon.pid)) };
      return await this.#loaded(subject, authentication, count, {});
    } finally {
      await charon.stop();
    }
  }

  /** Initiating to responders of the loader; the first are not counted. */
  async ourInitiator(variant: Variant = {}): Promise<Cost> {
    const { warm, sas } = this.#sizes;
    const remotes = addresses(warm + sas);
    const load = { first: FROM, count: remotes.length, authentication: 'psk', ...variant } as const;
    const responder = await this.#bed.respond(load);
    const ours = await startOurs(this.#bed, 'psk', { ...variant, remotes, pauseAfter: warm });
    try {
      ours.initiate();
      await quiet(ours.pid);
      const before = await ours.report();
      const cpu = cpuOf(ours.pid);
      ours.initiate();
      await quiet(ours.pid);
      const used = cpuOf(ours.pid) - cpu;
      const after = await ours.report();
      if (after.sas !== warm + sas) throw new Error(`we have ${String(after.sas)} IKE SAs`);
      return { cpu: (1e6 * used) / sas, memory: (after.rss - before.rss) / sas };
    } finally {
      await ours.stop();
      await responder.stop();
    }
  }

  async charonInitiator(): Promise<Cost> {
    const { warm, sas } = this.#sizes;
    const remotes = addresses(CHARON_CONNECTIONS);
    const load = { first: FROM, count: remotes.length, authentication: 'psk' } as const;
    const responder = await this.#bed.respond(load);
    const charon = await startCharon(this.#bed, 'psk');
    try {
      await charon.prepare(remotes);
      await charon.initiate(remotes, warm);
      await quiet(charon.pid);
      const memory = rssOf(charon.pid);
      const cpu = cpuOf(charon.pid);
      await charon.initiate(remotes, sas);
      await quiet(charon.pid);
      const used = cpuOf(charon.pid) - cpu;
      const opened = await responder.opened();
      if (opened !== warm + sas) throw new Error(`charon opened ${String(opened)}`);
      return { cpu: (1e6 * used) / sas, memory: (rssOf(charon.pid) - memory) / sas };
    } finally {
      await charon.stop();
      await responder.stop();
    }
  }

  async flood(who: 'ours' | 'charon', perSecond: number): Promise<FloodCost> {
    const ours = who === 'ours' ? await startOurs(this.#bed, 'psk') : undefined;
    // charon's own default: a cookie is asked for above 30 half-open IKE SAs.
    const charon =
      who === 'charon' ? await startCharon(this.#bed, 'psk', { cookieThreshold: 30 }) : undefined;
    const pid = ours?.pid ?? charon?.pid ?? 0;
    try {
      const load = { authentication: 'psk', concurrency: CONCURRENCY } as const;
      const warm = 500;
      complete(await this.#bed.initiate({ first: WARM_FROM, count: warm, ...load }), warm);
      await quiet(pid);
      const flood = this.#bed.flood(perSecond);
      await pause(3000);
      const before = rssOf(pid);
      const report = await this.#bed.initiate({
        ...{ first: FROM, count: ATTEMPTS, authentication: 'psk', concurrency: ATTEMPTS },
        pauseMs: ATTEMPT_EACH_MS,
      });
      const grown = rssOf(pid) - before;
      const real = await flood.stop();
      const ms = [...report.ms].sort((a, b) => a - b);
      const { opened, retransmitted } = report;
      const p90 = ms[Math.floor(ms.length * 0.9)] ?? NaN;
      return { opened, retransmitted, p90, grownMiB: grown / 1024, perSecond: real };
    } finally {
      await ours?.stop();
      await charon?.stop();
    }
  }
}

interface FloodCost {
  readonly opened: number;
  readonly retransmitted: number;
  /** Of those that were opened, ms. */
  readonly p90: number;
  readonly grownMiB: number;
  readonly perSecond: number;
}

/** Figures of all runs, by case. */
class Table {
  readonly #rows = new Map<
    string,
    {
      readonly unit: string;
      readonly reference: string;
      readonly ours: number[];
      readonly theirs: number[];
      readonly extra: Record<string, unknown>[];
    }
  >();

  add(
    name: string,
    unit: string,
    reference: string,
    [ours, theirs]: readonly [number, number],
    extra: Record<string, unknown> = {},
  ): void {
    const row = this.#rows.get(name) ?? { unit, reference, ours: [], theirs: [], extra: [] };
    this.#rows.set(name, row);
    row.ours.push(ours);
    row.theirs.push(theirs);
    row.extra.push(extra);
    process.stderr.write(
      `  ${name}: ${ours.toFixed(1)} ${unit}, ${reference} ${theirs.toFixed(1)}\n`,
    );
  }

  cost(name: string, reference: string, ours: Cost, theirs: Cost): void {
    this.add(`${name}: CPU`, 'µs', reference, [ours.cpu, theirs.cpu]);
    this.add(`${name}: memory`, 'KiB', reference, [ours.memory, theirs.memory]);
  }

  rows(): Row[] {
    return [...this.#rows].map(([name, { unit, reference, ours, theirs, extra }]) => {
      const ratios = ours.map((value, i) => value / (theirs[i] ?? NaN));
      const detail = extra.some((each) => Object.keys(each).length > 0) ? { perRun: extra } : {};
      return {
        ...{ case: name, ours: round(median(ours), 1), unit, reference },
        referenceValue: round(median(theirs), 1),
        ratio: round(median(ratios), 3),
        ratioRange: [round(Math.min(...ratios), 3), round(Math.max(...ratios), 3)],
        runs: ours.length,
        ...detail,
      };
    });
  }
}

async function run(into: Table, measure: Measurements, sizes: Sizes): Promise<void> {
  const childless: Partial<Record<Authentication, Cost>> = {};
  for (const authentication of ['psk', 'ecdsa', 'rsa'] as const) {
    const ours = await measure.ourResponder(authentication);
    const theirs = await measure.charonResponder(authentication);
    childless[authentication] = ours;
    into.cost(`${SUITES[authentication]}, responder`, 'charon', ours, theirs);
    if (authentication !== 'psk') continue;
    const child = await measure.ourResponder('psk', sizes.sas, { child: true });
    into.cost('PSK, X25519, responder, with a child', 'charon, childless', child, theirs);
  }
  const { psk } = childless;
  if (psk !== undefined) {
    const kem = await measure.ourResponder('psk', sizes.sas, { kem: true });
    into.cost('PSK, X25519 and ML-KEM-768, responder', 'ours, X25519 alone', kem, psk);
  }
  const charon = await measure.charonInitiator();
  into.cost('PSK, X25519, initiator', 'charon', await measure.ourInitiator(), charon);
  const child = await measure.ourInitiator({ child: true });
  into.cost('PSK, X25519, initiator, with a child', 'charon, childless', child, charon);

  const many = `PSK, X25519, responder, ${String(sizes.many)} IKE SAs`;
  const ours = await measure.ourResponder('psk', sizes.many);
  into.cost(many, 'charon', ours, await measure.charonResponder('psk', sizes.many));
  const untuned = await measure.charonResponder('psk', sizes.many, 1);
  into.add(`${many}, beside charon's default table: CPU`, 'µs', 'charon', [ours.cpu, untuned.cpu]);

  for (const rate of [10_000, 50_000]) {
    const [we, they] = [await measure.flood('ours', rate), await measure.flood('charon', rate)];
    const name = `flood of ${String(rate)}/s: 90 % of those opened within`;
    into.add(name, 'ms', 'charon', [we.p90, they.p90], { ours: we, charon: they });
  }
}

export async function ike(quick: boolean): Promise<Result> {
  const missing = missingStrongswan();
  if (missing !== undefined) throw new Error(missing);
  const sizes = quick ? QUICK : FULL;
  const folder = mkdtempSync(`${tmpdir()}/sealane-perf-ike-`);
  const lab = await Lab.open('perf-ike');
  try {
    const bed = await IkeBed.make(lab, folder);
    const table = new Table();
    for (let n = 0; n < sizes.runs; n++) {
      process.stderr.write(`perf: ike, run ${String(n + 1)}\n`);
      await run(table, new Measurements(bed, sizes), sizes);
    }
    return { bench: 'ike', machine: machine(), runs: sizes.runs, rows: table.rows() };
  } finally {
    await lab.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
