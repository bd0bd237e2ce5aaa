// SPDX-License-Identifier: Apache-2.0
/** Table dumps at every full interval of the wall clock, one at a time. */
import type { Logger } from '../../lib/log.js';
import type { WallClock } from '../monitor.js';

export interface MrtTableFilesOptions {
  readonly name: string;
  /** Seconds from dump to dump. */
  readonly every: number;
  readonly now: WallClock;
  /** Calls `action` once after `delayMs`; the answer takes it back. */
  readonly after: (delayMs: number, action: () => void) => () => void;
  /** Writes the files of one dump; gives up soon after `stopped` says so. */
  readonly dump: (stopped: () => boolean) => Promise<void>;
  readonly log: Logger;
}

export class MrtTableFiles {
  readonly #options: MrtTableFilesOptions;
  #cancel: () => void;
  #stopped = false;
  #running: Promise<void> | undefined;

  constructor(options: MrtTableFilesOptions) {
    this.#options = options;
    this.#cancel = this.#plan();
  }

  /** No more dumps; one under way leaves no file. */
  async close(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    await this.#running;
  }

  #plan(): () => void {
    const { every, now, after } = this.#options;
    const interval = every * 1_000_000;
    const begin = now();
    const at = (Math.floor(begin / interval) + 1) * interval;
    return after(Math.ceil((at - begin) / 1000), () => {
      this.#cancel = this.#plan();
      // Timers may be a little early: then the one just made is for the same time.
      if (now() >= at) this.#due();
    });
  }

  #due(): void {
    const { dump, log, name } = this.#options;
    if (this.#running !== undefined) {
      log.warning('a table dump is left out: the one before is still being written', { name });
      return;
    }
    this.#running = dump(() => this.#stopped)
      .catch((error: unknown) => {
        log.error('a table dump was given up', { name, why: String(error) });
      })
      .finally(() => {
        this.#running = undefined;
      });
  }
}
