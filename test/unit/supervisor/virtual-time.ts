// SPDX-License-Identifier: Apache-2.0
import type { Timers } from '../../../src/ike/types.js';

/** A clock that stands still until it is told to pass. */
export class VirtualTime implements Timers {
  #now = 0;
  #timers: { readonly at: number; readonly run: () => void }[] = [];

  /** How many are under way. */
  get timers(): number {
    return this.#timers.length;
  }

  now(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#now + ms, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    };
  }

  /** Everything that needs no time is done when it resolves. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) await new Promise((next) => setImmediate(next));
  }

  async pass(ms: number): Promise<void> {
    const until = this.#now + ms;
    for (;;) {
      await this.settle();
      const [next] = [...this.#timers].sort((a, b) => a.at - b.at);
      if (next === undefined || next.at > until) break;
      this.#timers = this.#timers.filter((one) => one !== next);
      this.#now = next.at;
      next.run();
    }
    this.#now = until;
    await this.settle();
  }
}
