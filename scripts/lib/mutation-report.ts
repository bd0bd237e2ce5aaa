// SPDX-License-Identifier: Apache-2.0
/** What the runs of mutations print: a line each, those that were not caught again, and last "N caught, N not caught". */
import type { Mutation } from '../../test/mutation/mutation.js';

export class MutationReport {
  readonly #survivors: string[] = [];
  #tried = 0;

  /** `why`: it was not caught, for this reason. */
  add({ file, what }: Pick<Mutation, 'file' | 'what'>, why: string | undefined): void {
    const line = `${file}: ${what}`;
    this.#tried += 1;
    if (why !== undefined) this.#survivors.push(`${line}: ${why}`);
    process.stdout.write(`${why === undefined ? 'caught    ' : 'NOT CAUGHT'} ${line}\n`);
  }

  /** The exit code is 1 when not all were caught, 3 when there was nothing to try. */
  close(): void {
    const survivors = this.#survivors;
    for (const survivor of survivors) process.stdout.write(`not caught: ${survivor}\n`);
    const caught = this.#tried - survivors.length;
    process.stdout.write(`${String(caught)} caught, ${String(survivors.length)} not caught\n`);
    if (survivors.length > 0) process.exitCode = 1;
    else if (this.#tried === 0) process.exitCode = 3;
  }
}
