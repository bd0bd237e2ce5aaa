// SPDX-License-Identifier: Apache-2.0
/** Prefixes by length and bytes: checking a hundred thousand routes takes no quadratic time. */
import { bitsOf, covers, familyOf, networkOf, type Prefix } from '../lib/ip.js';

/** The same text for the same family, network and length. */
export function prefixKey(prefix: Prefix): string {
  const bytes = Buffer.from(networkOf(prefix).address).toString('latin1');
  return `${prefix.family}/${prefix.length}/${bytes}`;
}

export class PrefixIndex<T> {
  readonly #entries = new Map<string, T>();
  /** Lengths in use, per family, longest first. */
  readonly #lengths: Record<4 | 6, number[]> = { 4: [], 6: [] };

  /** The entry that was there already; else undefined, and this one is put in. */
  add(prefix: Prefix, entry: T): T | undefined {
    const key = prefixKey(prefix);
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    this.#entries.set(key, entry);
    const lengths = this.#lengths[prefix.family];
    if (!lengths.includes(prefix.length)) {
      lengths.push(prefix.length);
      lengths.sort((a, b) => b - a);
    }
    return undefined;
  }

  get(prefix: Prefix): T | undefined {
    return this.#entries.get(prefixKey(prefix));
  }

  /** Every entry whose prefix holds this one, the longest first. */
  *holding(prefix: Prefix): Generator<T> {
    for (const length of this.#lengths[prefix.family]) {
      if (length > prefix.length) continue;
      const entry = this.#entries.get(prefixKey({ ...prefix, length }));
      if (entry !== undefined) yield entry;
    }
  }

  longest(address: Uint8Array): T | undefined {
    const family = familyOf(address);
    if (family === undefined) return undefined;
    for (const entry of this.holding({ family, address, length: bitsOf(family) })) return entry;
    return undefined;
  }
}

export interface Overlap<T> {
  readonly outer: T;
  readonly inner: T;
}

/** Pairs of which one holds the other: each prefix with the nearest that holds it. */
export function overlapsOf<T extends { readonly prefix: Prefix }>(
  entries: readonly T[],
): readonly Overlap<T>[] {
  const sorted = entries
    .map((entry) => ({ entry, network: Buffer.from(networkOf(entry.prefix).address) }))
    .sort(
      (a, b) =>
        a.entry.prefix.family - b.entry.prefix.family ||
        a.network.compare(b.network) ||
        a.entry.prefix.length - b.entry.prefix.length,
    );
  const overlaps: Overlap<T>[] = [];
  // Sorted so, prefixes that hold the present one are a stack.
  const holding: T[] = [];
  for (const { entry } of sorted) {
    let outer = holding.at(-1);
    while (outer !== undefined && !covers(outer.prefix, entry.prefix)) {
      holding.pop();
      outer = holding.at(-1);
    }
    if (outer !== undefined) overlaps.push({ outer, inner: entry });
    holding.push(entry);
  }
  return overlaps;
}
