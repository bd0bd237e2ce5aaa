// SPDX-License-Identifier: Apache-2.0
/** Next-hop addresses, each once: number 0 is "none". Thousands of attribute sets share one. */
import { sameOctets } from './octets.js';

interface Entry {
  readonly text: string;
  readonly address: Uint8Array;
  references: number;
}

const NONE = new Uint8Array(0);

export class Addresses {
  readonly #entries: (Entry | undefined)[] = [undefined];
  readonly #ids = new Map<string, number>();
  readonly #free: number[] = [];
  /** The one asked for last: routes come in runs of one next hop. */
  #last = 0;

  get live(): number {
    return this.#ids.size;
  }

  /** The number of an address of 4 or 16 octets, with a reference; 0 for no octets. */
  acquire(address: Uint8Array): number {
    if (address.length === 0) return 0;
    const last = this.#entries[this.#last];
    if (last !== undefined && sameOctets(last.address, address)) {
      last.references++;
      return this.#last;
    }
    const text = Buffer.from(address.buffer, address.byteOffset, address.length).toString('latin1');
    let id = this.#ids.get(text);
    if (id === undefined) {
      id = this.#free.pop() ?? this.#entries.length;
      this.#entries[id] = { text, address: address.slice(), references: 0 };
      this.#ids.set(text, id);
    }
    const entry = this.#entries[id];
    if (entry !== undefined) entry.references++;
    this.#last = id;
    return id;
  }

  release(id: number): void {
    const entry = this.#entries[id];
    if (entry === undefined || --entry.references > 0) return;
    this.#ids.delete(entry.text);
    this.#entries[id] = undefined;
    this.#free.push(id);
  }

  get(id: number): Uint8Array {
    return this.#entries[id]?.address ?? NONE;
  }
}
