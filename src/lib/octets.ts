// SPDX-License-Identifier: Apache-2.0
/**
 * Big-endian numbers in octets, for every codec. The readers give 0 for octets behind the end instead of undefined: callers
 * check bounds first; this only keeps the types plain.
 */

export const u8 = (bytes: Uint8Array, at: number): number => bytes[at] ?? 0;

export const u16 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);

export const u24 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);

export const u32 = (bytes: Uint8Array, at: number): number =>
  (((bytes[at] ?? 0) << 24) |
    ((bytes[at + 1] ?? 0) << 16) |
    ((bytes[at + 2] ?? 0) << 8) |
    (bytes[at + 3] ?? 0)) >>>
  0;

/** Scratch for 64-bit numbers. */
const eight = new DataView(new ArrayBuffer(8));

export function u64(bytes: Uint8Array, at: number): bigint {
  eight.setUint32(0, u32(bytes, at));
  eight.setUint32(4, u32(bytes, at + 4));
  return eight.getBigUint64(0);
}

/** Lower-case hexadecimal, cut after `most` octets. */
export function hex(bytes: Uint8Array, most = 32): string {
  const text = Array.from(bytes.subarray(0, most), (octet) => octet.toString(16).padStart(2, '0'));
  return bytes.length > most ? `${text.join('')}...` : text.join('');
}

/** Octets written one after the other into memory that grows. Numbers are cut to their size. */
export class ByteWriter {
  bytes: Uint8Array;
  length = 0;

  constructor(initial = 256) {
    this.bytes = new Uint8Array(initial);
  }

  /** Makes room for `more` octets behind `length`. */
  reserve(more: number): void {
    const needed = this.length + more;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.bytes.length));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  u8(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  u16(value: number): void {
    this.reserve(2);
    this.setU16(this.length, value);
    this.length += 2;
  }

  u24(value: number): void {
    this.reserve(3);
    this.bytes[this.length] = value >>> 16;
    this.setU16(this.length + 1, value);
    this.length += 3;
  }

  u32(value: number): void {
    this.reserve(4);
    this.setU16(this.length, value >>> 16);
    this.setU16(this.length + 2, value);
    this.length += 4;
  }

  u64(value: bigint): void {
    // Much faster than two shifts, which make numbers of their own.
    eight.setBigUint64(0, value);
    this.u32(eight.getUint32(0));
    this.u32(eight.getUint32(4));
  }

  /** Copies source[start..end). */
  copy(source: Uint8Array, start = 0, end: number = source.length): void {
    const size = end - start;
    this.reserve(size);
    // For the few octets of a prefix a loop is faster than a call of set() with its new view.
    if (size <= 32) {
      for (let i = 0; i < size; i++) this.bytes[this.length + i] = source[start + i] ?? 0;
    } else {
      this.bytes.set(source.subarray(start, end), this.length);
    }
    this.length += size;
  }

  /** Overwrites two octets that were written before. */
  setU16(at: number, value: number): void {
    this.bytes[at] = value >>> 8;
    this.bytes[at + 1] = value;
  }

  /** A copy of what was written. */
  slice(start = 0): Uint8Array {
    return this.bytes.slice(start, this.length);
  }
}
