// SPDX-License-Identifier: Apache-2.0
/**
 * Families whose routes are taken in but not yet decided (RFC 4724 §4.1). When selection begins, a family
 * settles first: everything that came is decided, with what follows from it in other tables, before
 * neighbours are told that this was all.
 */
import { FAMILY_IDS, hasFamily } from '../codec/families.js';
import type { FamilySet } from '../codec/types.js';
import type { NetTable } from './net-table.js';
import type { Nets } from './scope.js';

export class Deferral {
  readonly #nets: Nets;
  readonly #tables = new Set<NetTable>();
  #held: FamilySet = 0;
  #settling: FamilySet = 0;

  constructor(nets: Nets) {
    this.#nets = nets;
  }

  /** Families that are held or settle: their End-of-RIB must wait. */
  get pending(): FamilySet {
    return this.#held | this.#settling;
  }

  /** Families of one table are held and let go together. */
  hold(families: FamilySet): void {
    this.#held |= families;
    this.#findTables();
  }

  release(families: FamilySet): void {
    this.#settling |= this.#held & families;
    this.#held &= ~families;
    this.#findTables();
  }

  /** No net of the table may be decided. */
  isHeld(table: NetTable): boolean {
    return this.#tables.has(table);
  }

  /** Nothing is left to be decided: the families that settled with that. */
  settled(): FamilySet {
    const families = this.#settling;
    this.#settling = 0;
    return families;
  }

  #findTables(): void {
    this.#tables.clear();
    for (const family of FAMILY_IDS) {
      if (hasFamily(this.#held, family)) this.#tables.add(this.#nets.of(family));
    }
  }
}
