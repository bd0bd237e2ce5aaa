// SPDX-License-Identifier: Apache-2.0
/** A whole PE between two memif rings, beside the rings alone: memif-bed.ts. */
import { limit, MemifBed, type Times, type Work } from './memif-bed.js';
import { machine, median, round, type Result, type Row } from './result.js';

/** Customers' Ethernet frames without FCS, bytes. */
const SIZES = [60, 512, 1420];
const WORKS: readonly Work[] = ['plain', 'gre', 'out'];

interface Run {
  readonly limit: Times;
  readonly of: ReadonlyMap<Work, Times>;
}

async function runOnce(bed: MemifBed, seconds: number): Promise<Run> {
  const alone = await limit(SIZES, seconds);
  const of = new Map<Work, Times>();
  for (const work of WORKS) of.set(work, await bed.measure(work, SIZES, seconds));
  return { limit: alone, of };
}

function row(work: Work, bytes: number, runs: readonly Run[]): Row {
  const ours = runs.map(({ of }) => of.get(work)?.get(bytes) ?? NaN);
  const limits = runs.map((run) => run.limit.get(bytes) ?? NaN);
  const ratios = ours.map((time, i) => time / (limits[i] ?? NaN));
  return {
    case: `${work} ${String(bytes)} B`,
    ours: round(median(ours), 1),
    unit: 'ns/packet',
    reference: `testpmd in its place, ${String(bytes)} B`,
    referenceValue: round(median(limits), 1),
    ratio: round(median(ratios), 3),
    ratioRange: [round(Math.min(...ratios), 3), round(Math.max(...ratios), 3)],
    mpps: round(1000 / median(ours), 3),
  };
}

export async function memif(quick: boolean): Promise<Result> {
  const runs: Run[] = [];
  const bed = await MemifBed.open();
  try {
    for (let i = 0; i < (quick ? 1 : 5); i++) runs.push(await runOnce(bed, quick ? 1 : 3));
  } finally {
    await bed.close();
  }
  const rows = WORKS.flatMap((work) => SIZES.map((bytes) => row(work, bytes, runs)));
  return { bench: 'memif', machine: machine(), runs: runs.length, rows };
}
