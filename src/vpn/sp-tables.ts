// SPDX-License-Identifier: Apache-2.0
/**
 * Numbers of the secured label tables, one per service provider (policy-model 4): 1 is the own SP,
 * 2..63 the others. A number is stable over reloads and restarts, because live SAs and labels name
 * it; a freed number goes to the end of the queue, so that an SA of the SP that left can never be
 * taken for one of the SP that comes in the same change.
 */

export const OWN_SP_TABLE = 1;
const LAST_SP_TABLE = 63;

/** As kept in the state directory. */
export interface SpTableState {
  readonly assigned: Readonly<Record<string, number>>;
  /** Numbers not in use, the next to be given first. */
  readonly free: readonly number[];
}

export const NO_SP_TABLES: SpTableState = {
  assigned: {},
  free: Array.from({ length: LAST_SP_TABLE - OWN_SP_TABLE }, (_, i) => OWN_SP_TABLE + 1 + i),
};

export class SpTables {
  readonly own: string;
  readonly state: SpTableState;

  private constructor(own: string, state: SpTableState) {
    this.own = own;
    this.state = state;
  }

  /** Keeps the numbers of SPs that stay. undefined when there are more SPs than tables. */
  static assign(
    previous: SpTableState,
    own: string,
    others: readonly string[],
  ): SpTables | undefined {
    const wanted = new Set(others.filter((name) => name !== own));
    const free = [...previous.free];
    const assigned: Record<string, number> = { [own]: OWN_SP_TABLE };
    const gone: number[] = [];
    for (const [name, table] of Object.entries(previous.assigned)) {
      if (wanted.has(name) && table !== OWN_SP_TABLE) assigned[name] = table;
      else if (table !== OWN_SP_TABLE) gone.push(table);
    }
    for (const name of wanted) {
      if (assigned[name] !== undefined) continue;
      const table = free.shift();
      if (table === undefined) return undefined;
      assigned[name] = table;
    }
    return new SpTables(own, { assigned, free: [...free, ...gone] });
  }

  /** Table of an SP; undefined for a name that is not configured. */
  table(sp: string): number | undefined {
    return Object.hasOwn(this.state.assigned, sp) ? this.state.assigned[sp] : undefined;
  }

  /** SP of a table, for `show`. */
  name(table: number): string | undefined {
    return Object.entries(this.state.assigned).find(([, number]) => number === table)?.[0];
  }
}
