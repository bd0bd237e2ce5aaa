// SPDX-License-Identifier: Apache-2.0
/**
 * SPIs of inbound SAs. The worker finds an SA by the lower 20 bits of its SPI, so those are what may be in use
 * once only. All bits are random (policy-model 21). A value that was used is not given out again for a while:
 * packets of the SA that had it may still be on their way, and would be counted as forged.
 */
const SLOTS = 1 << 20; // SL_SPI_SLOTS of layout.h
/** RFC 4303 §2.1: 1 to 255 are reserved, 0 is never sent. */
const LOWEST = 256;
const QUARANTINE_MS = 120_000;
/** Slots in quarantine at most: then the oldest are free again. */
const MOST_IN_QUARANTINE = SLOTS / 16;

export interface SpiPoolDeps {
  readonly random: (length: number) => Uint8Array;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
}

export class SpiPool {
  readonly #deps: SpiPoolDeps;
  readonly #used = new Set<number>();
  /** When a slot becomes free, in the order of becoming so. */
  readonly #quarantine = new Map<number, number>();

  constructor(deps: SpiPoolDeps) {
    this.#deps = deps;
  }

  /** Throws RangeError when there are as many SAs as slots, which are eight times what rows there are. */
  allocate(): number {
    this.#release();
    if (this.#used.size + this.#quarantine.size > SLOTS / 2) {
      throw new RangeError('half of all SPIs are in use');
    }
    for (;;) {
      const octets = this.#deps.random(4);
      const spi = new DataView(octets.buffer, octets.byteOffset, 4).getUint32(0);
      const slot = slotOf(spi);
      if (spi < LOWEST || this.#used.has(slot) || this.#quarantine.has(slot)) continue;
      this.#used.add(slot);
      return spi;
    }
  }

  /** In use by somebody, however it was chosen. */
  take(spi: number): void {
    this.#quarantine.delete(slotOf(spi));
    this.#used.add(slotOf(spi));
  }

  release(spi: number): void {
    const slot = slotOf(spi);
    if (!this.#used.delete(slot)) return;
    this.#quarantine.set(slot, this.#deps.now() + QUARANTINE_MS);
  }

  #release(): void {
    const now = this.#deps.now();
    for (const [slot, until] of this.#quarantine) {
      if (until > now && this.#quarantine.size <= MOST_IN_QUARANTINE) return;
      this.#quarantine.delete(slot);
    }
  }
}

const slotOf = (spi: number): number => spi & (SLOTS - 1);
