// SPDX-License-Identifier: Apache-2.0
/** Requests of the peer within our window, and the responses kept for when they come again (RFC 7296 §2.1, §2.3). */
import type { Path } from '../types.js';

/** What tells that a message is the same one again. */
export type Mark =
  /** IKE_SA_INIT: its octets. */
  | { readonly clear: Uint8Array }
  /** Its checksum, or that of its first fragment, and which keys it was made by. */
  | { readonly tag: string; readonly epoch: number }
  /** Of a supervisor before this one: the keys alone can tell. */
  | { readonly epoch: number };

export interface Taken {
  readonly mark: Mark;
  readonly exchange: number;
  readonly path: Path;
  /** undefined: not answered yet. */
  response?: readonly Uint8Array[];
}

const TAG_BYTES = 16;

/** The end of a protected datagram: the checksum, or so much of it. */
export const tagOf = (octets: Uint8Array): string =>
  Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString(
    'latin1',
    octets.length - TAG_BYTES,
  );

export class Incoming {
  /** Requests that we take at once. */
  window = 1;
  /** Lowest message ID that we have not answered: below it nothing new is taken. */
  #base = 0;
  #highest = -1;
  readonly #taken = new Map<number, Taken>();

  get base(): number {
    return this.#base;
  }

  /** All that were taken and may come again. */
  get taken(): ReadonlyMap<number, Taken> {
    return this.#taken;
  }

  find(id: number): Taken | undefined {
    return this.#taken.get(id);
  }

  /** Whether a new request may have this ID: the peer has the answers to all up to ID - window. */
  isInWindow(id: number): boolean {
    return id >= this.#base && id < this.#base + this.window;
  }

  /** A new, authentic request. It tells which responses the peer has: these are forgotten. */
  take(id: number, request: Taken): void {
    this.#taken.set(id, request);
    this.#highest = Math.max(this.#highest, id);
    for (const [old, { response }] of this.#taken) {
      if (old <= this.#highest - this.window && response !== undefined) this.#taken.delete(old);
    }
  }

  answer(id: number, response: readonly Uint8Array[]): void {
    const request = this.#taken.get(id);
    if (request !== undefined) request.response = response;
    while (this.#isAnswered(this.#base)) this.#base += 1;
  }

  #isAnswered(id: number): boolean {
    return this.#taken.get(id)?.response !== undefined;
  }

  /** After a restart: `base` as it was, with the responses that may be asked for again. */
  resume(base: number, taken: ReadonlyMap<number, Taken>): void {
    this.#base = base;
    for (const [id, request] of taken) {
      this.#taken.set(id, request);
      this.#highest = Math.max(this.#highest, id);
    }
  }
}
