// SPDX-License-Identifier: Apache-2.0
/** The form of every benchmark's result. */
import { cpus, release } from 'node:os';

export interface Row {
  readonly case: string;
  /** Our cost, median over the runs. */
  readonly ours: number;
  readonly unit: string;
  /** What it is compared with, measured in the same runs. */
  readonly reference: string;
  readonly referenceValue: number;
  /** ours / reference, median of the runs' own ratios: lower is better. */
  readonly ratio: number;
  /** Smallest and largest ratio of a run: how noisy the machine was. */
  readonly ratioRange: readonly [number, number];
  readonly [extra: string]: unknown;
}

export interface Result {
  readonly bench: string;
  readonly machine: string;
  readonly runs: number;
  readonly rows: readonly Row[];
}

export function machine(): string {
  const model = cpus()[0]?.model ?? 'unknown CPU';
  return `${model}, ${String(cpus().length)} CPUs, Linux ${release()}`;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

export function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

export function printTable(result: Result): void {
  const head = ['case', 'ours', 'reference', '', 'ratio', 'min', 'max'];
  const lines = result.rows.map((r) => [
    r.case,
    `${r.ours.toFixed(1)} ${r.unit}`,
    `${r.referenceValue.toFixed(1)} ${r.unit}`,
    r.reference,
    r.ratio.toFixed(2),
    r.ratioRange[0].toFixed(2),
    r.ratioRange[1].toFixed(2),
  ]);
  const widths = head.map((h, i) => Math.max(h.length, ...lines.map((l) => l[i]?.length ?? 0)));
  process.stdout.write(
    `\n${result.bench}: ${result.machine}; ${String(result.runs)} runs, medians\n`,
  );
  for (const line of [head, ...lines]) {
    process.stdout.write(`  ${line.map((c, i) => c.padEnd(widths[i] ?? 0)).join('  ')}\n`);
  }
}
