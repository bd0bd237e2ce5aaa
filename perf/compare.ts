// SPDX-License-Identifier: Apache-2.0
/** A new result beside the one that is committed. */
import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import type { Result } from './result.js';

const Committed = z.object({
  bench: z.string(),
  machine: z.string(),
  rows: z.array(
    z.looseObject({
      case: z.string(),
      reference: z.string(),
      ratio: z.number().nullable(),
      ratioRange: z.tuple([z.number().nullable(), z.number().nullable()]),
    }),
  ),
});
export type Committed = z.infer<typeof Committed>;

/** The committed result in `file`; undefined when there is none. Throws when the file is not one. */
export function readCommitted(file: string): Committed | undefined {
  if (!existsSync(file)) return undefined;
  return Committed.parse(JSON.parse(readFileSync(file, 'utf8')));
}

export interface Comparison {
  /** A line for each row whose ratio is worse than the noise of both runs explains. */
  readonly worse: readonly string[];
  readonly better: number;
  /** Rows compared. Those of a single run say nothing of their noise, and new ones have nothing beside them. */
  readonly judged: number;
  /** Another kind of machine: its ratios may differ for reasons of its own. */
  readonly otherMachine: string | undefined;
}

const known = (range: readonly [number | null, number | null]): range is [number, number] =>
  range.every((r) => r !== null && Number.isFinite(r)) && range[0] !== range[1];

/**
 * Rows of the same case and reference. The noise is what either result measured itself, the range of its runs:
 * a row is worse when the best of its runs is worse than the worst of the committed ones.
 */
export function compare(committed: Committed, now: Result): Comparison {
  const key = (r: { readonly case: string; readonly reference: string }): string =>
    `${r.case}\n${r.reference}`;
  const before = new Map(committed.rows.map((r) => [key(r), r]));
  const worse: string[] = [];
  let better = 0;
  let judged = 0;
  for (const row of now.rows) {
    const old = before.get(key(row));
    if (old === undefined || !known(old.ratioRange) || !known(row.ratioRange)) continue;
    judged++;
    if (row.ratioRange[0] > old.ratioRange[1]) {
      const range = (r: readonly [number, number]): string => `${String(r[0])} to ${String(r[1])}`;
      worse.push(
        `${row.case}, beside ${row.reference}: ${String(row.ratio)} (${range(row.ratioRange)}), ` +
          `was ${String(old.ratio)} (${range(old.ratioRange)})`,
      );
    }
    if (row.ratioRange[1] < old.ratioRange[0]) better++;
  }
  const otherMachine = committed.machine === now.machine ? undefined : committed.machine;
  return { worse, better, judged, otherMachine };
}
