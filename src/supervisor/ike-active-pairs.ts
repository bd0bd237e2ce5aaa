// SPDX-License-Identifier: Apache-2.0
/**
 * Which of IKE's SA pairs carries what: by the keys that tunnels and host policies find theirs by. Of the pairs of one
 * key the one of the lowest resource is what next hops name; those of the others (RFC 9611) stand beside it for the packet
 * threads that own them.
 */
import type { Pair } from './ike-sa-pairs.js';

export class ActivePairs {
  /** The one in use last, of each resource. */
  readonly #byKey = new Map<string, readonly Pair[]>();

  #of(key: string, without: Pair): Pair[] {
    return (this.#byKey.get(key) ?? []).filter((one) => one !== without);
  }

  /** It is in use from now on, in the place of those of its resource. */
  push(pair: Pair): void {
    for (const key of pair.keys) this.#byKey.set(key, [...this.#of(key, pair), pair]);
  }

  /**
   * A pair that nothing led to when we started is there for whoever wants it now, and takes the place of the one in use
   * when that goes: IKE makes no other beside it.
   */
  standBy(pair: Pair): void {
    for (const key of pair.keys) {
      const others = this.#of(key, pair);
      const last = others.findLastIndex(({ resource }) => resource === pair.resource);
      const isTaken = others[last]?.inUse === true;
      others.splice(isTaken ? last : others.length, 0, pair);
      this.#byKey.set(key, others);
    }
  }

  delete(pair: Pair): void {
    for (const key of pair.keys) {
      const left = this.#of(key, pair);
      if (left.length === 0) this.#byKey.delete(key);
      else this.#byKey.set(key, left);
    }
  }

  /** Those in use, of each resource one, the lowest first. */
  inUse(key: string): readonly Pair[] {
    const byResource = new Map((this.#byKey.get(key) ?? []).map((pair) => [pair.resource, pair]));
    return [...byResource.values()].sort((a, b) => a.resource - b.resource);
  }

  /** What next hops and host policies name. */
  current(key: string): Pair | undefined {
    return this.inUse(key)[0];
  }

  isCurrent(pair: Pair): boolean {
    return pair.keys.some((key) => this.current(key) === pair);
  }

  isInUse(pair: Pair): boolean {
    return pair.keys.some((key) => this.inUse(key).includes(pair));
  }
}
