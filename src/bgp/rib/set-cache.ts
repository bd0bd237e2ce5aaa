// SPDX-License-Identifier: Apache-2.0
/**
 * What a policy or another pure transformation makes of attribute sets, remembered. Holds references to
 * both, so that a number means the same set as long as it is in here; when full it starts over.
 */
import type { AttributeId, AttributeStore } from './attribute-store.js';

interface Entry {
  readonly set: AttributeId;
  readonly made: AttributeId;
}

export class SetCache {
  readonly #store: AttributeStore;
  readonly #most: number;
  readonly #entries = new Map<number, Entry>();
  /** Routes come in runs of one set: the entry asked for last. */
  #lastKey = -1;
  #last: Entry | undefined;

  constructor(store: AttributeStore, most = 4096) {
    this.#store = store;
    this.#most = most;
  }

  /**
   * The outcome for `set` with a reference for the caller, 0 for a refusal. `key`: the set's number, or a
   * number that says more and by which nothing else is meant. `make` answers the same way.
   */
  resolve(key: number, set: AttributeId, make: () => AttributeId): AttributeId {
    const known = key === this.#lastKey ? this.#last : this.#entries.get(key);
    if (known !== undefined) {
      this.#lastKey = key;
      this.#last = known;
      if (known.made !== 0) this.#store.retain(known.made);
      return known.made;
    }
    const made = make();
    if (this.#entries.size >= this.#most) this.clear();
    this.#store.retain(set);
    if (made !== 0) this.#store.retain(made);
    this.#entries.set(key, { set, made });
    return made;
  }

  clear(): void {
    for (const { set, made } of this.#entries.values()) {
      this.#store.release(set);
      if (made !== 0) this.#store.release(made);
    }
    this.#entries.clear();
    this.#last = undefined;
    this.#lastKey = -1;
  }
}
