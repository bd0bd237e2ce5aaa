// SPDX-License-Identifier: Apache-2.0
/** Values by prefix, the longest match wins. A look-up costs one step for each prefix length in use. */
import { networkOf, type Prefix } from '../../lib/ip.js';

/** ::ffff:a.b.c.d as the IPv4 address in it (policy-model 15); others as they are. */
export function unmapped(address: Uint8Array): Uint8Array {
  const isMapped =
    address.length === 16 &&
    address[10] === 0xff &&
    address[11] === 0xff &&
    address.subarray(0, 10).every((octet) => octet === 0);
  return isMapped ? address.subarray(12) : address;
}

export class PrefixMap<T> {
  /** By "FAMILY/LENGTH", longest first; then by network address in hexadecimal. */
  private readonly tables: {
    readonly length: number;
    readonly family: 4 | 6;
    values: Map<string, T>;
  }[] = [];

  /** undefined: it was free; else what it was set to before, and still is. */
  add(prefix: Prefix, value: T): T | undefined {
    const { family, length } = prefix;
    let table = this.tables.find((each) => each.family === family && each.length === length);
    if (table === undefined) {
      table = { family, length, values: new Map() };
      this.tables.push(table);
      this.tables.sort((a, b) => b.length - a.length);
    }
    const key = keyOf(prefix.address, prefix);
    const before = table.values.get(key);
    if (before === undefined) table.values.set(key, value);
    return before;
  }

  /** Of the longest prefix that holds the address (4 or 16 octets). */
  get(address: Uint8Array): T | undefined {
    return this.covering(address, 128)[0];
  }

  /** Of all prefixes of at most `most` bits that hold the address, longest first. */
  covering(address: Uint8Array, most: number): readonly T[] {
    const family = address.length === 4 ? 4 : 6;
    const found: T[] = [];
    for (const { family: of, length, values } of this.tables) {
      if (of !== family || length > most) continue;
      const value = values.get(keyOf(address, { family, length }));
      if (value !== undefined) found.push(value);
    }
    return found;
  }
}

const keyOf = (
  address: Uint8Array,
  { family, length }: Pick<Prefix, 'family' | 'length'>,
): string => Buffer.from(networkOf({ family, address, length }).address).toString('hex');
