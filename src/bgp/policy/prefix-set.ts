// SPDX-License-Identifier: Apache-2.0
/** Prefix lists as a binary trie in one array per address family: a look-up takes a step per bit. */
import { networkOf, type Prefix } from '../../lib/ip.js';

/** Prefixes inside `prefix` with ge..le bits. */
export interface PrefixRange {
  readonly prefix: Prefix;
  readonly ge: number;
  readonly le: number;
}

const NONE = 0;

class Trie {
  /** children[2 * node + bit]; node 0 is the root, so that 0 also means "no child". */
  #children = new Int32Array(64);
  #nodes = 1;
  /** Per node: accepted lengths of prefixes inside it, as [ge, le] pairs. */
  readonly #ranges = new Map<number, number[]>();

  add({ prefix, ge, le }: PrefixRange): void {
    const { address, length } = networkOf(prefix);
    let node = 0;
    for (let bit = 0; bit < length; bit++) node = this.#child(node, bitOf(address, bit));
    const ranges = this.#ranges.get(node) ?? [];
    ranges.push(ge, le);
    this.#ranges.set(node, ranges);
  }

  #child(node: number, bit: number): number {
    const at = 2 * node + bit;
    const there = this.#children[at] ?? NONE;
    if (there !== NONE) return there;
    const made = this.#nodes++;
    if (2 * made + 1 >= this.#children.length) {
      const larger = new Int32Array(2 * this.#children.length);
      larger.set(this.#children);
      this.#children = larger;
    }
    this.#children[at] = made;
    return made;
  }

  has(address: Uint8Array, length: number): boolean {
    let node = 0;
    for (let depth = 0; ; depth++) {
      if (accepts(this.#ranges.get(node), length)) return true;
      if (depth >= length) return false;
      node = this.#children[2 * node + bitOf(address, depth)] ?? NONE;
      if (node === NONE) return false;
    }
  }
}

function accepts(ranges: readonly number[] | undefined, length: number): boolean {
  if (ranges === undefined) return false;
  for (let i = 0; i + 1 < ranges.length; i += 2) {
    if (length >= (ranges[i] ?? 0) && length <= (ranges[i + 1] ?? 0)) return true;
  }
  return false;
}

const bitOf = (address: Uint8Array, bit: number): number =>
  ((address[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1;

export class PrefixSet {
  readonly #v4 = new Trie();
  readonly #v6 = new Trie();

  constructor(ranges: Iterable<PrefixRange>) {
    for (const range of ranges) (range.prefix.family === 4 ? this.#v4 : this.#v6).add(range);
  }

  /**
   * @param address 4 or 16 octets; of another size nothing is in the set (route-target NLRI).
   * @param length bits of the prefix, at most those of the address
   */
  has(address: Uint8Array, length: number): boolean {
    if (address.length === 4) return this.#v4.has(address, length);
    return address.length === 16 && this.#v6.has(address, length);
  }
}
