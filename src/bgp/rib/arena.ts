// SPDX-License-Identifier: Apache-2.0
/**
 * Octet strings of up to 64 KiB in few large buffers.
 *
 * A block is a multiple of 16 octets and is named by its place in units of 16. Freed blocks are kept
 * in one list per size, linked by their first four octets, and serve the next request of that size, so
 * what is held is bounded by what was held at once at most, of each size.
 */
const UNIT_BITS = 4;
const CHUNK_BITS = 18;
const CHUNK_UNITS = 1 << (CHUNK_BITS - UNIT_BITS);
const CHUNK_BYTES = 1 << CHUNK_BITS;
const NOTHING = new Uint8Array(0);

export class Arena {
  readonly #chunks: Uint8Array[] = [];
  /** Head of the free list by size in units. */
  readonly #free = new Map<number, number>();
  /** Next unused unit; unit 0 is never handed out, so that 0 can mean "none". */
  #next = 1;

  get bytes(): number {
    return this.#chunks.length * CHUNK_BYTES;
  }

  /** The place of a new block of `length` octets (at most 65536); its content is undefined. */
  allocate(length: number): number {
    const units = sizeInUnits(length);
    const reused = this.#free.get(units) ?? 0;
    if (reused !== 0) {
      this.#free.set(units, this.#link(reused));
      return reused;
    }
    // A block lies in one chunk; the rest of a chunk too small for it is left for good (< 25 %: blocks
    // are far smaller than chunks).
    const inChunk = this.#next & (CHUNK_UNITS - 1);
    if (inChunk + units > CHUNK_UNITS) this.#next += CHUNK_UNITS - inChunk;
    const place = this.#next;
    this.#next += units;
    while (this.#chunks.length * CHUNK_UNITS < this.#next) {
      this.#chunks.push(new Uint8Array(CHUNK_BYTES));
    }
    return place;
  }

  /** `length` as it was asked for. */
  free(place: number, length: number): void {
    const units = sizeInUnits(length);
    const chunk = this.chunk(place);
    const at = this.offset(place);
    const head = this.#free.get(units) ?? 0;
    chunk[at] = head >>> 24;
    chunk[at + 1] = head >>> 16;
    chunk[at + 2] = head >>> 8;
    chunk[at + 3] = head;
    this.#free.set(units, place);
  }

  /** The buffer a block lies in, from {@link offset} on. */
  chunk(place: number): Uint8Array {
    return this.#chunks[place >>> (CHUNK_BITS - UNIT_BITS)] ?? NOTHING;
  }

  offset(place: number): number {
    return (place & (CHUNK_UNITS - 1)) << UNIT_BITS;
  }

  /** A view of the block, valid until it is freed. */
  view(place: number, length: number): Uint8Array {
    const at = this.offset(place);
    return this.chunk(place).subarray(at, at + length);
  }

  #link(place: number): number {
    const chunk = this.chunk(place);
    const at = this.offset(place);
    const [a = 0, b = 0, c = 0, d = 0] = chunk.subarray(at, at + 4);
    return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
  }
}

/** Sizes above 1 KiB are rounded up to an eighth of their power of two: few sizes, little waste. */
function sizeInUnits(length: number): number {
  const units = Math.max(1, (length + 15) >>> UNIT_BITS);
  if (units <= 64) return units;
  const step = 1 << (28 - Math.clz32(units - 1));
  return Math.ceil(units / step) * step;
}
