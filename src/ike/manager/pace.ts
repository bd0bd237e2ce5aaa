// SPDX-License-Identifier: Apache-2.0
/** How much is done at once: slices of the event loop, answers per second, openings in flight, and back-off. */
import type { IkeCrypto } from '../crypto/api.js';
import type { Timers } from '../types.js';

const SLICE_MS = 4;
const SLICE_JOBS = 32;

/** Runs jobs in their order, a slice at a time; between slices the event loop has its turn. Bounded by its users. */
export class Slices {
  readonly #timers: Timers;
  readonly #jobs: (() => void)[] = [];
  #cancel: (() => void) | undefined;
  #closed = false;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  get length(): number {
    return this.#jobs.length;
  }

  push(job: () => void): void {
    if (this.#closed) return;
    this.#jobs.push(job);
    this.#ask();
  }

  close(): void {
    this.#closed = true;
    this.#jobs.length = 0;
    this.#cancel?.();
  }

  #ask(): void {
    this.#cancel ??= this.#timers.after(0, () => {
      this.#cancel = undefined;
      this.#run();
    });
  }

  #run(): void {
    const until = this.#timers.now() + SLICE_MS;
    const jobs = this.#jobs.splice(0, SLICE_JOBS);
    for (const [i, job] of jobs.entries()) {
      if (i > 0 && this.#timers.now() >= until) {
        this.#jobs.unshift(...jobs.slice(i));
        break;
      }
      job();
    }
    if (this.#jobs.length > 0) this.#ask();
  }
}

/** A token bucket: so many a second, and a second's worth at once. */
export class Rate {
  readonly #timers: Pick<Timers, 'now'>;
  readonly #perSecond: number;
  #tokens: number;
  #at: number;

  constructor(timers: Pick<Timers, 'now'>, perSecond: number) {
    this.#timers = timers;
    this.#perSecond = perSecond;
    this.#tokens = perSecond;
    this.#at = timers.now();
  }

  take(): boolean {
    const now = this.#timers.now();
    const more = ((now - this.#at) * this.#perSecond) / 1000;
    this.#tokens = Math.min(this.#perSecond, this.#tokens + more);
    this.#at = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}

/** Only so many of ours are opened at once; who does not answer at once makes room for the next. */
export class Slots {
  readonly #timers: Timers;
  readonly #most: number;
  readonly #holdMs: number;
  readonly #waiting = new Set<() => void>();
  #used = 0;

  constructor(timers: Timers, most: number, holdMs: number) {
    this.#timers = timers;
    this.#most = most;
    this.#holdMs = holdMs;
  }

  get inUse(): number {
    return this.#used;
  }
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Calls `start`, at once or when it is its turn; the answer takes it back or gives the slot back. */
  ask(start: () => void): () => void {
    let release: (() => void) | undefined;
    let over = false;
    const begin = (): void => {
      release = this.#take();
      start();
      if (over) release();
    };
    if (this.#used < this.#most) begin();
    else this.#waiting.add(begin);
    return () => {
      over = true;
      this.#waiting.delete(begin);
      release?.();
    };
  }

  #take(): () => void {
    this.#used++;
    let given = false;
    const give = (): void => {
      if (given) return;
      given = true;
      cancel();
      this.#used--;
      const [next] = this.#waiting;
      if (next === undefined) return;
      this.#waiting.delete(next);
      next();
    };
    const cancel = this.#timers.after(this.#holdMs, give);
    return give;
  }
}

const FIRST_MS = 1_000;
const MOST_MS = 300_000;
/** How often somebody in a hurry may skip it. */
const HURRY_MS = 1_000;

/** After each failure twice as long, up to five minutes, less a random quarter so that peers do not go in step. */
export class Backoff {
  readonly #timers: Timers;
  readonly #crypto: Pick<IkeCrypto, 'random'>;
  readonly #again: () => void;
  #failures = 0;
  #cancel: (() => void) | undefined;
  #skippedAt = -Infinity;

  /** @param again called when the time is over, or skipped */
  constructor(timers: Timers, crypto: Pick<IkeCrypto, 'random'>, again: () => void) {
    this.#timers = timers;
    this.#crypto = crypto;
    this.#again = again;
  }

  get isWaiting(): boolean {
    return this.#cancel !== undefined;
  }

  failed(): void {
    const whole = Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(this.#failures, 20));
    const share = this.#crypto.random(2).readUInt16BE(0) / 65_536;
    this.#failures++;
    this.#cancel?.();
    this.#cancel = this.#timers.after(whole * (1 - share / 4), () => {
      this.#cancel = undefined;
      this.#again();
    });
  }

  succeeded(): void {
    this.#failures = 0;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** Traffic waits. */
  hurry(): void {
    const now = this.#timers.now();
    if (this.#cancel === undefined || now - this.#skippedAt < HURRY_MS) return;
    this.#skippedAt = now;
    this.#cancel();
    this.#cancel = undefined;
    this.#again();
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
