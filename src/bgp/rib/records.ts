// SPDX-License-Identifier: Apache-2.0
/**
 * Fixed-size records of unsigned 32-bit words, named by small numbers. A million routes as objects
 * cost gigabytes and long pauses of the collector; as words in typed arrays they cost what they hold.
 *
 * Memory comes in chunks, so growing never copies and never holds up the event loop. Chunks are not
 * given back; a freed record is the next one handed out.
 */

const CHUNK_BITS = 12;
const CHUNK = 1 << CHUNK_BITS;
const MASK = CHUNK - 1;
/** Handed out when an index is out of range, so that reading it gives 0: only a wrong id gets here. */
const NOWHERE = new Uint32Array(0);

export class Records {
  readonly #stride: number;
  readonly #chunks: Uint32Array[] = [];
  /** Head of the list of freed records, linked by word 0. */
  #free = 0;
  /** Ids from here on were never used. 0 names no record. */
  #next = 1;
  #live = 0;

  /** `stride`: words per record. */
  constructor(stride: number) {
    this.#stride = stride;
  }

  /** Records in use. */
  get live(): number {
    return this.#live;
  }

  /** Ids in use are below this: the bound of a scan. */
  get limit(): number {
    return this.#next;
  }

  get bytes(): number {
    return this.#chunks.length * CHUNK * this.#stride * 4;
  }

  /** A record, all words 0. */
  allocate(): number {
    this.#live++;
    const reused = this.#free;
    if (reused !== 0) {
      this.#free = this.get(reused, 0);
      this.set(reused, 0, 0);
      return reused;
    }
    const id = this.#next++;
    if (id >>> CHUNK_BITS >= this.#chunks.length) {
      this.#chunks.push(new Uint32Array(CHUNK * this.#stride));
    }
    return id;
  }

  /** The record's words are zeroed; its id may be handed out again at once. */
  free(id: number): void {
    const chunk = this.#chunks[id >>> CHUNK_BITS] ?? NOWHERE;
    const at = (id & MASK) * this.#stride;
    chunk.fill(0, at, at + this.#stride);
    chunk[at] = this.#free;
    this.#free = id;
    this.#live--;
  }

  get(id: number, word: number): number {
    const chunk = this.#chunks[id >>> CHUNK_BITS] ?? NOWHERE;
    return chunk[(id & MASK) * this.#stride + word] ?? 0;
  }

  set(id: number, word: number, value: number): void {
    const chunk = this.#chunks[id >>> CHUNK_BITS] ?? NOWHERE;
    chunk[(id & MASK) * this.#stride + word] = value;
  }
}

/** A sparse column of records that are named by somebody else's ids: chunks appear when written to. */
export class SparseRecords {
  readonly #stride: number;
  readonly #chunks: (Uint32Array | undefined)[] = [];

  constructor(stride: number) {
    this.#stride = stride;
  }

  get(id: number, word: number): number {
    const chunk = this.#chunks[id >>> CHUNK_BITS] ?? NOWHERE;
    return chunk[(id & MASK) * this.#stride + word] ?? 0;
  }

  set(id: number, word: number, value: number): void {
    const index = id >>> CHUNK_BITS;
    let chunk = this.#chunks[index];
    if (chunk === undefined) {
      if (value === 0) return;
      while (this.#chunks.length < index) this.#chunks.push(undefined);
      chunk = new Uint32Array(CHUNK * this.#stride);
      this.#chunks[index] = chunk;
    }
    chunk[(id & MASK) * this.#stride + word] = value;
  }

  /** Everything is 0 again and the memory is given back. */
  clear(): void {
    this.#chunks.length = 0;
  }

  get bytes(): number {
    return this.#chunks.reduce((sum, chunk) => sum + (chunk?.byteLength ?? 0), 0);
  }
}

/** First in, first out, of record ids; emptied chunks go back to the collector. */
export class IdQueue {
  readonly #chunks: Uint32Array[] = [];
  #spare: Uint32Array | undefined;
  #head = 0;
  #tail = 0;

  get length(): number {
    return (
      (this.#chunks.length - 1) * CHUNK * Number(this.#chunks.length > 0) + this.#tail - this.#head
    );
  }

  push(id: number): void {
    let last = this.#chunks[this.#chunks.length - 1];
    if (last === undefined || this.#tail === CHUNK) {
      last = this.#spare ?? new Uint32Array(CHUNK);
      this.#spare = undefined;
      this.#chunks.push(last);
      this.#tail = 0;
    }
    last[this.#tail++] = id;
  }

  /** 0 when it is empty. */
  shift(): number {
    const first = this.#chunks[0];
    if (first === undefined) return 0;
    const id = first[this.#head++] ?? 0;
    const end = this.#chunks.length === 1 ? this.#tail : CHUNK;
    if (this.#head === end) {
      this.#chunks.shift();
      this.#spare = first;
      this.#head = 0;
      if (this.#chunks.length === 0) this.#tail = 0;
    }
    return id;
  }
}
