// SPDX-License-Identifier: Apache-2.0
/**
 * What attribute sets have in common: next hop, extended communities and tunnel encapsulation, each combination
 * once. A set received from a neighbour leaves the octets of these attributes here (codec/attributes/parts.ts);
 * of others only the numbers are kept.
 */
import type { Addresses } from './addresses.js';
import type { VpnKeys } from './vpn-keys.js';

interface Entry {
  /** Empty when it is known by its numbers. */
  readonly octets: Uint8Array;
  /** NEXT_HOP counts, not the next hop of MP_REACH_NLRI: the same octets, another combination. */
  readonly classic: boolean;
  readonly address: number;
  readonly vpnKey: number;
  readonly hash: number;
  references: number;
  /** Next with the same hash; 0: none. */
  next: number;
}

/** What a new combination is made of, as octets of the values; each may be empty. */
export interface SteeringValues {
  /** 4 or 16 octets. */
  readonly nextHop: Uint8Array;
  readonly extendedCommunities: Uint8Array;
  readonly tunnelEncapsulation: Uint8Array;
}

const NOTHING = new Uint8Array(0);
/** Numbers of addresses are below this. */
const ADDRESSES = 2 ** 22;

export class Steerings {
  readonly #addresses: Addresses;
  readonly #vpnKeys: VpnKeys;
  readonly #onVpnKeyGone: (key: number) => void;
  readonly #entries: (Entry | undefined)[] = [undefined];
  /** First number by hash of the octets. */
  readonly #byHash = new Map<number, number>();
  readonly #byNumbers = new Map<number, number>();
  readonly #free: number[] = [];
  /** The one found last: routes come in runs of one. */
  #last = 0;

  constructor(addresses: Addresses, vpnKeys: VpnKeys, onVpnKeyGone: (key: number) => void) {
    this.#addresses = addresses;
    this.#vpnKeys = vpnKeys;
    this.#onVpnKeyGone = onVpnKeyGone;
  }

  get live(): number {
    return this.#entries.length - 1 - this.#free.length;
  }

  /** The number of bytes[at..at + length), without a new reference; 0: it is not there. */
  find(bytes: Uint8Array, at: number, length: number, classic: boolean): number {
    if (this.#is(this.#last, bytes, at, length, classic)) return this.#last;
    let id = this.#byHash.get(hashOf(bytes, at, length)) ?? 0;
    while (id !== 0 && !this.#is(id, bytes, at, length, classic)) id = this.#entries[id]?.next ?? 0;
    if (id !== 0) this.#last = id;
    return id;
  }

  /** Adds what {@link find} did not find, with a reference. */
  add(
    bytes: Uint8Array,
    at: number,
    length: number,
    classic: boolean,
    values: SteeringValues,
  ): number {
    const hash = hashOf(bytes, at, length);
    const id = this.#make(bytes.slice(at, at + length), classic, values, hash);
    const entry = this.#entries[id];
    if (entry !== undefined) entry.next = this.#byHash.get(hash) ?? 0;
    this.#byHash.set(hash, id);
    return id;
  }

  /** A combination whose octets stay with the set, with a reference. */
  acquire(values: SteeringValues): number {
    const address = this.#addresses.acquire(values.nextHop);
    const key = this.#vpnKeys.acquire(values.extendedCommunities, values.tunnelEncapsulation);
    const numbers = key * ADDRESSES + address;
    const known = this.#byNumbers.get(numbers);
    if (known === undefined) {
      const id = this.#make(NOTHING, false, values, 0);
      this.#byNumbers.set(numbers, id);
      this.#releaseNumbers(address, key);
      return id;
    }
    this.#releaseNumbers(address, key);
    this.retain(known);
    return known;
  }

  retain(id: number): void {
    const entry = this.#entries[id];
    if (entry !== undefined) entry.references++;
  }

  release(id: number): void {
    const entry = this.#entries[id];
    if (entry === undefined || --entry.references > 0) return;
    if (entry.octets.length === 0) {
      this.#byNumbers.delete(entry.vpnKey * ADDRESSES + entry.address);
    } else {
      this.#unlink(id, entry);
    }
    this.#entries[id] = undefined;
    this.#free.push(id);
    if (this.#last === id) this.#last = 0;
    this.#releaseNumbers(entry.address, entry.vpnKey);
  }

  /** Attributes as they came; none of a combination known by its numbers. */
  octets(id: number): Uint8Array {
    return this.#entries[id]?.octets ?? NOTHING;
  }

  /** Number of the next hop in Addresses; 0: none. */
  address(id: number): number {
    return this.#entries[id]?.address ?? 0;
  }

  /** Number in VpnKeys. */
  vpnKey(id: number): number {
    return this.#entries[id]?.vpnKey ?? 0;
  }

  #make(octets: Uint8Array, classic: boolean, values: SteeringValues, hash: number): number {
    const id = this.#free.pop() ?? this.#entries.length;
    const address = this.#addresses.acquire(values.nextHop);
    const vpnKey = this.#vpnKeys.acquire(values.extendedCommunities, values.tunnelEncapsulation);
    this.#entries[id] = { octets, classic, address, vpnKey, hash, references: 1, next: 0 };
    return id;
  }

  #releaseNumbers(address: number, vpnKey: number): void {
    this.#addresses.release(address);
    if (this.#vpnKeys.release(vpnKey)) this.#onVpnKeyGone(vpnKey);
  }

  #is(id: number, bytes: Uint8Array, at: number, length: number, classic: boolean): boolean {
    const entry = this.#entries[id];
    // A combination known by its numbers has no octets, and is not found by any.
    if (entry?.octets.length !== length || length === 0 || entry.classic !== classic) return false;
    const { octets } = entry;
    for (let i = 0; i < length; i++) if (octets[i] !== bytes[at + i]) return false;
    return true;
  }

  #unlink(id: number, entry: Entry): void {
    const first = this.#byHash.get(entry.hash) ?? 0;
    if (first === id) {
      if (entry.next === 0) this.#byHash.delete(entry.hash);
      else this.#byHash.set(entry.hash, entry.next);
      return;
    }
    for (let at = this.#entries[first]; at !== undefined; at = this.#entries[at.next]) {
      if (at.next !== id) continue;
      at.next = entry.next;
      return;
    }
  }
}

/** FNV-1a, 30 bits: small integers are the cheapest keys. */
function hashOf(bytes: Uint8Array, at: number, length: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ (bytes[at + i] ?? 0), 0x01000193);
  return (hash ^ (hash >>> 15)) & 0x3fffffff;
}
