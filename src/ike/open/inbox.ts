// SPDX-License-Identifier: Apache-2.0
/** Requests of the peer that wait while an IKE SA is opened: no more than the channel's window lets through. */
import type { Channel, Request } from '../channel/api.js';
import type { Timers } from '../types.js';

export class Inbox {
  readonly #requests: Request[] = [];
  #wake: (() => void) | undefined;
  #isClosed = false;

  put(request: Request): void {
    this.#requests.push(request);
    this.#wake?.();
  }

  close(): void {
    this.#isClosed = true;
    this.#requests.length = 0;
    this.#wake?.();
  }

  /** In the order in which they came; undefined when it was closed. */
  async next(): Promise<Request | undefined> {
    while (this.#requests.length === 0 && !this.#isClosed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#requests.shift();
  }

  /**
   * What is left, and what comes before the new owner has put a handler of its own in place, goes to that handler:
   * the peer of an initiator may ask something as soon as it has answered IKE_AUTH.
   */
  handOver(timers: Timers, channel: Channel): void {
    const pass = (request: Request): void => {
      timers.after(0, () => {
        if (channel.onRequest !== pass) channel.onRequest(request);
      });
    };
    channel.onRequest = pass;
    for (const request of this.#requests.splice(0)) pass(request);
  }
}
