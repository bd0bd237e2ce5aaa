// SPDX-License-Identifier: Apache-2.0
/**
 * Next hops and whether they can be used. The RIB asks a tracker about each distinct (VRF, address,
 * protection) once; the tracker says when the answer changes. Number 0 is "ourselves": always usable.
 */
import type { Addresses } from './addresses.js';
import type { VrfId } from './scope.js';

/** What is asked. */
export interface NextHopKey {
  /** 0: the core. */
  readonly vrf: VrfId;
  /** 4 or 16 octets. */
  readonly address: Uint8Array;
  /** 0 for plain routes; else what the VRF's accept function chose (policy-model 7, 8). */
  readonly protection: number;
}

export interface NextHopState {
  readonly usable: boolean;
  /** Cost of the way there, 32 bits. */
  readonly metric: number;
  /**
   * Of a way over the core, from 1 up: higher wins before anything BGP compares: protection (policy-model 11,
   * 12). 0: there is nothing to protect, towards a CE.
   */
  readonly rank: number;
  /**
   * How the way is protected, whether or not that ranks: paths that differ here are never used together
   * (policy-model 12). Default: as the rank.
   */
  readonly strength?: number;
}

export interface NextHopTracker {
  /** From now on `nextHopChanged` of the RIB is called with `id`. The answer is what is known now. */
  watch(id: number, hop: NextHopKey): NextHopState;
  unwatch(id: number): void;
}

interface Hop extends NextHopKey {
  readonly number: number;
  readonly addressId: number;
  references: number;
  state: NextHopState;
}

const SELF: NextHopState = { usable: true, metric: 0, rank: 0 };
/** Protections are below this. */
export const PROTECTIONS = 256;

export function sameState(a: NextHopState, b: NextHopState): boolean {
  const same = a.usable === b.usable && a.metric === b.metric && a.rank === b.rank;
  return same && a.strength === b.strength;
}

export class NextHops {
  readonly #tracker: NextHopTracker;
  readonly #addresses: Addresses;
  readonly #hops: (Hop | undefined)[] = [undefined];
  readonly #ids = new Map<number, number>();
  readonly #free: number[] = [];
  /** Told of a next hop that nobody has any more, before its number is another's. */
  freed: (id: number) => void = () => undefined;

  constructor(tracker: NextHopTracker, addresses: Addresses) {
    this.#tracker = tracker;
    this.#addresses = addresses;
  }

  /** Next hops in use, ourselves not counted. */
  get live(): number {
    return this.#ids.size;
  }

  /** The number of a next hop, with a reference. `addressId`: of Addresses; 0 is ourselves. */
  acquire(vrf: VrfId, addressId: number, protection: number): number {
    if (addressId === 0) return 0;
    // Small for the core, where nearly all are asked for: such numbers are the cheapest keys.
    const number = (vrf * 2 ** 22 + addressId) * PROTECTIONS + protection;
    const known = this.#ids.get(number);
    if (known !== undefined) {
      this.retain(known);
      return known;
    }
    const address = this.#addresses.get(addressId);
    this.#addresses.acquire(address);
    const id = this.#free.pop() ?? this.#hops.length;
    const key = { vrf, address, protection };
    const state = this.#tracker.watch(id, key);
    this.#hops[id] = { ...key, number, addressId, references: 1, state };
    this.#ids.set(number, id);
    return id;
  }

  retain(id: number): void {
    const hop = this.#hops[id];
    if (hop !== undefined) hop.references++;
  }

  release(id: number): void {
    const hop = this.#hops[id];
    if (hop === undefined || --hop.references > 0) return;
    this.#ids.delete(hop.number);
    this.freed(id);
    this.#hops[id] = undefined;
    this.#free.push(id);
    this.#tracker.unwatch(id);
    this.#addresses.release(hop.addressId);
  }

  state(id: number): NextHopState {
    return this.#hops[id]?.state ?? SELF;
  }

  isUsable(id: number): boolean {
    return this.state(id).usable;
  }

  /** undefined: ourselves, or not in use. */
  key(id: number): NextHopKey | undefined {
    return this.#hops[id];
  }

  /** Takes over a new state. False when nobody uses the next hop any more or nothing is new. */
  change(id: number, state: NextHopState): boolean {
    const hop = this.#hops[id];
    if (hop === undefined) return false;
    if (sameState(hop.state, state)) return false;
    hop.state = { ...state };
    return true;
  }
}
