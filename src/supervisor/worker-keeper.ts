// SPDX-License-Identifier: Apache-2.0
/** Brings a worker back that died: at once the first time, then ever later until it stays. */
import type { Logger } from '../lib/log.js';
import { oneLine } from './errors.js';

const DELAYS_MS = [0, 250, 1_000, 2_000, 5_000, 10_000];
/** A worker that ran so long has not died of what killed the one before. */
const HEALTHY_MS = 60_000;

export interface WorkerKeeperDeps {
  readonly log: Logger;
  /** Starts another worker and sets it up; rejects when that fails. */
  readonly revive: () => Promise<void>;
  /** Milliseconds, monotonic. */
  readonly now?: () => number;
  /** Calls back after so many milliseconds; returns what cancels it. */
  readonly after?: (ms: number, work: () => void) => () => void;
}

const timer = (ms: number, work: () => void): (() => void) => {
  const handle = setTimeout(work, ms);
  return () => {
    clearTimeout(handle);
  };
};

export class WorkerKeeper {
  readonly #log: Logger;
  readonly #revive: () => Promise<void>;
  readonly #now: () => number;
  readonly #after: (ms: number, work: () => void) => () => void;
  #failures = 0;
  #since: number | undefined;
  #cancel: (() => void) | undefined;
  #reviving = false;
  #stopped = false;

  constructor(deps: WorkerKeeperDeps) {
    this.#log = deps.log;
    this.#revive = deps.revive;
    this.#now = deps.now ?? ((): number => performance.now());
    this.#after = deps.after ?? timer;
  }

  /** The worker is gone without having been told to go. */
  died(reason: string): void {
    // One that dies while it is being set up makes that fail, which counts.
    if (this.#stopped || this.#reviving || this.#cancel !== undefined) return;
    if (this.#since !== undefined && this.#now() - this.#since > HEALTHY_MS) this.#failures = 0;
    this.#log.error('the worker died', { reason });
    this.#schedule();
  }

  /** Nobody reported a death, but no worker is there. */
  missing(): void {
    if (!this.#reviving) this.died('it is not there');
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #schedule(): void {
    const delay = DELAYS_MS[Math.min(this.#failures, DELAYS_MS.length - 1)] ?? 0;
    this.#failures++;
    this.#cancel = this.#after(delay, () => {
      this.#cancel = undefined;
      void this.#attempt();
    });
  }

  async #attempt(): Promise<void> {
    this.#reviving = true;
    try {
      await this.#revive();
      this.#since = this.#now();
    } catch (error) {
      if (!this.#stopped) {
        this.#log.error('the worker could not be started again', { why: oneLine(error) });
        this.#schedule();
      }
    } finally {
      this.#reviving = false;
    }
  }
}
