// SPDX-License-Identifier: Apache-2.0
/**
 * Checks of the packet path that are taken away one at a time, and the C test that must then fail: a check whose
 * removal nobody notices is not proven. `text` stands exactly once in `file` (below dpdk-app/src), so that a change
 * of the code breaks the mutation and not its meaning. `tests` are "PROGRAM: TEST", of the program the beginning of its
 * name; each of them has to fail.
 *
 * Left out on purpose: the replay check of esp_sa.c. It only saves work: esp_open.c checks again after integrity.
 */
export interface Mutation {
  readonly what: string;
  readonly file: string;
  readonly text: string;
  readonly replacement: string;
  readonly tests: readonly string[];
}

export type Row = readonly [what: string, text: string, replacement: string, ...tests: string[]];

export const of = (file: string, rows: readonly Row[]): Mutation[] =>
  rows.map(([what, text, replacement, ...tests]) => ({ what, file, text, replacement, tests }));
