// SPDX-License-Identifier: Apache-2.0
/**
 * Works out the LSPs that labelled routes make and tells them: neighbours decide how many there are and how often they
 * change. In slices, since the event loop has other things to do; changes that come meanwhile are one more run behind it.
 */
import type { Clock, Scheduler } from '../../bgp/rib/api.js';
import type { LspModel } from '../../forwarding/model.js';

/** Work per slice, ms. */
const SLICE_MS = 8;

export interface LspTellerDeps {
  readonly scheduler: Pick<Scheduler, 'soon'>;
  /** Monotonic, ms. */
  readonly clock: Clock;
  /** All of them, from what is known now; undefined between two: go on. No work: nothing is to be told. */
  readonly work: () => Generator<LspModel | undefined> | undefined;
  readonly tell: (lsps: readonly LspModel[]) => void;
}

export class LspTeller {
  readonly #deps: LspTellerDeps;
  #running = false;
  /** Something has changed since the run began. */
  #changed = false;
  #closed = false;

  constructor(deps: LspTellerDeps) {
    this.#deps = deps;
  }

  /** {@link LspTellerDeps.work} may have other results now. */
  changed(): void {
    this.#changed = true;
    if (this.#running) return;
    this.#running = true;
    this.#deps.scheduler.soon(() => {
      this.#begin();
    });
  }

  /** Nothing is told any more. */
  close(): void {
    this.#closed = true;
  }

  #begin(): void {
    this.#changed = false;
    const work = this.#deps.work();
    if (work === undefined) this.#running = false;
    else this.#go(work, []);
  }

  #go(work: Generator<LspModel | undefined>, found: LspModel[]): void {
    if (this.#closed) return;
    const { clock, scheduler, tell } = this.#deps;
    const since = clock.now();
    for (let step = work.next(); step.done !== true; step = work.next()) {
      if (step.value !== undefined) found.push(step.value);
      if (clock.now() - since < SLICE_MS) continue;
      scheduler.soon(() => {
        this.#go(work, found);
      });
      return;
    }
    tell(found);
    this.#running = false;
    if (this.#changed) this.changed();
  }
}
