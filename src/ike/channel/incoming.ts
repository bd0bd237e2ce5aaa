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
  /** Message ID. */
  readonly id: number;
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
  /** A window's worth, one as a rule, for as long as the IKE SA lives: a Map has four times the memory. */
  #taken: readonly Taken[] = [];

  get base(): number {
    return this.#base;
  }

  /** All that were taken and may come again. */
  get taken(): readonly Taken[] {
    return this.#taken;
  }

  find(id: number): Taken | undefined {
    return this.#taken.find((request) => request.id === id);
  }

  /** Whether a new request may have this ID: the peer has the answers to all up to ID - window. */
  isInWindow(id: number): boolean {
    return id >= this.#base && id < this.#base + this.window;
  }

  /** A new, authentic request. It tells which responses the peer has: these are forgotten. */
  take(request: Taken): void {
    this.#highest = Math.max(this.#highest, request.id);
    const oldest = this.#highest - this.window + 1;
    const again = this.#taken.filter(({ id, response }) => id >= oldest || response === undefined);
    // Of the size that it has: an array that grows has room for 16 more.
    this.#taken = again.concat(request);
  }

  answer(id: number, response: readonly Uint8Array[]): void {
    const request = this.find(id);
    if (request !== undefined) request.response = response;
    while (this.#isAnswered(this.#base)) this.#base += 1;
  }

  #isAnswered(id: number): boolean {
    return this.find(id)?.response !== undefined;
  }

  /** After a restart: `base` as it was, with the responses that may be asked for again. */
  resume(base: number, taken: readonly Taken[]): void {
    this.#base = base;
    this.#taken = taken;
    this.#highest = Math.max(this.#highest, ...taken.map(({ id }) => id));
  }
}
