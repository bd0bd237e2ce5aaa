// SPDX-License-Identifier: Apache-2.0
/**
 * The octets of one connection between the kernel and the parser: read into and parsed in place.
 *
 *     0          start              end = next                        CAPACITY
 *     |  parsed  | not yet parsed  | offered to the next read | spare |
 *
 * The region offered is handed to Node when the read before has been dealt with, and stays the same while
 * reading pauses; so octets move only in {@link added}, before the next region is offered. A read happens only
 * when no whole message is left, so less than a message (65535 octets) lies before it and OFFER always fits.
 */
const OFFER = 128 << 10;
const LONGEST = 65535;
const CAPACITY = LONGEST + OFFER + LONGEST + 2;

export class ReceiveBuffer {
  /**
   * Pages that are not used cost nothing, so an idle session has one or two. Not a Buffer: of that,
   * slice() does not copy, and everyone who keeps octets of a message relies on it.
   */
  readonly bytes = new Uint8Array(CAPACITY);
  start = 0;
  end = 0;

  /** `count` octets have come into the region offered last. True: it was full, there may be more. */
  added(count: number): boolean {
    const full = count >= Math.min(OFFER, CAPACITY - this.end);
    this.end += count;
    return full;
  }

  /** Before {@link offer}: makes room again by moving what is not parsed to the front. */
  compact(): void {
    if (this.start === 0) return;
    this.bytes.copyWithin(0, this.start, this.end);
    this.end -= this.start;
    this.start = 0;
  }

  /** Where the next read goes. */
  offer(): Uint8Array {
    return this.bytes.subarray(this.end, Math.min(this.end + OFFER, CAPACITY));
  }
}
