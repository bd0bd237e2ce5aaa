// SPDX-License-Identifier: Apache-2.0
/**
 * The event loop's time for reading, shared by all connections: hundreds of them may have something in the
 * same turn, and each with its own portion would hold everything else up for seconds.
 */

/** For all connections together in one turn of the event loop. */
const ALL_MS = 8;
/** For one of them, before the next one has its portion. */
const ONE_MS = 2;

/** Goes on where the time ended; true: there is still more. */
export type Reader = () => boolean;

export class Turns {
  readonly #waiting = new Set<Reader>();
  readonly #now: () => number;
  /** Has `turn` called once, behind what the event loop has to do now. */
  readonly #next: (turn: () => void) => void;
  #until = 0;
  #asked = false;

  constructor(now: () => number, next: (turn: () => void) => void) {
    this.#now = now;
    this.#next = next;
  }

  /** Until when a reader may go on; undefined: not in this turn, it has to {@link wait}. */
  portion(): number | undefined {
    const now = this.#now();
    if (!this.#asked) {
      this.#until = now + ALL_MS;
      this.#ask();
    }
    return now < this.#until ? Math.min(now + ONE_MS, this.#until) : undefined;
  }

  wait(reader: Reader): void {
    this.#waiting.add(reader);
    this.#ask();
  }

  #ask(): void {
    if (this.#asked) return;
    this.#asked = true;
    this.#next(() => {
      this.#turn();
    });
  }

  /** Those who wait have their portions one after the other, until the time of the turn is over. */
  #turn(): void {
    this.#until = this.#now() + ALL_MS;
    for (const reader of this.#waiting) {
      if (this.#now() >= this.#until) break;
      this.#waiting.delete(reader);
      if (reader()) this.#waiting.add(reader);
    }
    this.#asked = false;
    if (this.#waiting.size > 0) this.#ask();
  }
}
