// SPDX-License-Identifier: Apache-2.0
/**
 * A worker that lives but does not go on (a driver that hangs, SIGSTOP) holds back every row that was
 * retired: an alarm first, and when it stays so, its end. A machine that is merely overloaded must not
 * lose its worker, so the end comes late.
 */
import type { WorkerHealth } from './show-worker.js';

const ALARM_MS = 3_000;
const KILL_MS = 30_000;

export class StallGuard {
  readonly #now: () => number;
  #since: number | undefined;
  #alarmed = false;

  /** `now`: milliseconds, monotonic. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** `alarm` once per stall, then `kill`. */
  look(health: WorkerHealth): 'fine' | 'alarm' | 'kill' {
    if (health.state !== 'stalled') {
      this.#since = undefined;
      this.#alarmed = false;
      return 'fine';
    }
    this.#since ??= this.#now();
    const lasts = this.#now() - this.#since;
    if (lasts >= KILL_MS) {
      this.#since = undefined;
      this.#alarmed = false;
      return 'kill';
    }
    if (lasts < ALARM_MS || this.#alarmed) return 'fine';
    this.#alarmed = true;
    return 'alarm';
  }
}
