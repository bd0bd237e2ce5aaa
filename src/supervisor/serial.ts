// SPDX-License-Identifier: Apache-2.0
/**
 * One owner of changes: what alters tables, kernel or worker runs one after the other, however it
 * came (reload, restart of the worker, a neighbour).
 */
export class Serial {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs `work` after everything that was asked for before; its failure is the caller's alone. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#last;
    const result = before.then(work, work);
    this.#last = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }
}

/** Bulk work shares the event loop: after so long others get their turn. */
const SLICE_MS = 10;

/** Runs a generator to its end in slices. `now`: milliseconds, monotonic. */
export async function inSlices(
  work: Generator<void>,
  now: () => number = () => performance.now(),
): Promise<void> {
  let since = now();
  for (let step = work.next(); step.done !== true; step = work.next()) {
    if (now() - since < SLICE_MS) continue;
    await new Promise((resume) => {
      setImmediate(resume);
    });
    since = now();
  }
}
