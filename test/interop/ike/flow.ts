// SPDX-License-Identifier: Apache-2.0
/** Traffic through our child SAs to the guest's customer: a ping each 20 ms, whatever happens to the SAs. */
import { eventually } from '../../../scripts/lib/lab.js';
import { type Encap, pingOf, pongIn } from './guest-bed.js';
import type { IkeHost } from './host.js';
import type { EspEnd } from './recording-sink.js';

const pause = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms));

export class Flow {
  readonly #us: IkeHost;
  readonly #esp: EspEnd;
  readonly #encap: Encap;
  #sent = 0;
  readonly #seen = new Set<number>();
  #isOver = false;
  readonly #running: Promise<void>;

  /** The service is named like the encapsulation. */
  constructor(us: IkeHost, esp: EspEnd, encap: Encap) {
    this.#us = us;
    this.#esp = esp;
    this.#encap = encap;
    this.#running = this.#run();
  }

  async #collect(): Promise<void> {
    for (const { payload } of await this.#esp.take()) {
      const sequence = pongIn(this.#encap, payload);
      if (sequence !== undefined) this.#seen.add(sequence);
    }
  }

  /** While there is no child SA nothing is sent. */
  async #run(): Promise<void> {
    while (!this.#isOver) {
      const child = this.#us.sink.active.findLast(
        ({ install }) => install.policy.service === this.#encap,
      );
      if (child !== undefined) await this.#esp.send(child, pingOf(this.#encap, ++this.#sent));
      await this.#collect();
      await pause(20);
    }
  }

  /** Waits for so many answers. */
  answered(count: number): Promise<true> {
    return eventually(
      'pings are answered',
      () => (this.#seen.size >= count ? true : undefined),
      30_000,
    );
  }

  /** Ends it; waits for the last answers. */
  async stop(): Promise<{ readonly sent: number; readonly received: number }> {
    this.#isOver = true;
    await this.#running;
    for (let i = 0; i < 100 && this.#seen.size < this.#sent; i++) {
      await this.#collect();
      await pause(50);
    }
    return { sent: this.#sent, received: this.#seen.size };
  }
}
