// SPDX-License-Identifier: Apache-2.0
/**
 * Blocks of octets and 32-bit words in few large buffers.
 *
 * A block is a multiple of 8 octets and is named by its place in units of 8. Freed blocks are kept in
 * one list per size, linked by their first word, and serve the next request of that size, so what is held
 * is bounded by what was held at once at most, of each size.
 */
const UNIT_BITS = 3;
const CHUNK_BITS = 18;
const CHUNK_UNITS = 1 << (CHUNK_BITS - UNIT_BITS);
const CHUNK_BYTES = 1 << CHUNK_BITS;
const NOTHING = new Uint8Array(0);
const NO_WORDS = new Uint32Array(0);
/** Longest block: what is left of a chunk too small for one is little of it. */
const LONGEST = CHUNK_BYTES / 2;

export class Arena {
  readonly #chunks: Uint8Array[] = [];
  /** The same buffers, as words of this machine. */
  readonly #words: Uint32Array[] = [];
  /** Head of the free list by size in units. */
  readonly #free = new Map<number, number>();
  /** Next unused unit; unit 0 is never handed out, so that 0 can mean "none". */
  #next = 1;

  get bytes(): number {
    return this.#chunks.length * CHUNK_BYTES;
  }

  /** The place of a new block of `length` octets (at most 131072); its content is undefined. */
  allocate(length: number): number {
    if (length > LONGEST) throw new RangeError(`a block of ${String(length)} octets`);
    const units = sizeInUnits(length);
    const reused = this.#free.get(units) ?? 0;
    if (reused !== 0) {
      this.#free.set(units, this.words(reused)[this.wordOffset(reused)] ?? 0);
      return reused;
    }
    // A block lies in one chunk; the rest of a chunk too small for it is left for good.
    const inChunk = this.#next & (CHUNK_UNITS - 1);
    if (inChunk + units > CHUNK_UNITS) this.#next += CHUNK_UNITS - inChunk;
    const place = this.#next;
    this.#next += units;
    while (this.#chunks.length * CHUNK_UNITS < this.#next) {
      const chunk = new Uint8Array(CHUNK_BYTES);
      this.#chunks.push(chunk);
      this.#words.push(new Uint32Array(chunk.buffer));
    }
    return place;
  }

  /** `length` as it was asked for. */
  free(place: number, length: number): void {
    const units = sizeInUnits(length);
    this.words(place)[this.wordOffset(place)] = this.#free.get(units) ?? 0;
    this.#free.set(units, place);
  }

  /** The buffer a block lies in, from {@link offset} on. */
  chunk(place: number): Uint8Array {
    return this.#chunks[place >>> (CHUNK_BITS - UNIT_BITS)] ?? NOTHING;
  }

  offset(place: number): number {
    return (place & (CHUNK_UNITS - 1)) << UNIT_BITS;
  }

  /** The same buffer as words: a block's from {@link wordOffset} on. */
  words(place: number): Uint32Array {
    return this.#words[place >>> (CHUNK_BITS - UNIT_BITS)] ?? NO_WORDS;
  }

  wordOffset(place: number): number {
    return (place & (CHUNK_UNITS - 1)) << (UNIT_BITS - 2);
  }

  /** A view of the block, valid until it is freed. */
  view(place: number, length: number): Uint8Array {
    const at = this.offset(place);
    return this.chunk(place).subarray(at, at + length);
  }
}

/** Sizes above 512 octets are rounded up to an eighth of their power of two: few sizes, little waste. */
function sizeInUnits(length: number): number {
  const units = Math.max(1, (length + 7) >>> UNIT_BITS);
  if (units <= 64) return units;
  const step = 1 << (28 - Math.clz32(units - 1));
  return Math.ceil(units / step) * step;
}
