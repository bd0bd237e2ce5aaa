// SPDX-License-Identifier: Apache-2.0
/**
 * SA rows by name, for those who write them: operators' manual ones and IKE's. Finding one takes no walk over
 * all, because next hops ask for their SA at every change of the network.
 */
import { DEFAULT_LCORES } from '../config/defaults.js';
import type { Config } from '../config/types.js';
import type { SaRow, SaState, Tables } from '../forwarding/addon/api.js';
import { SaOwners } from './sa-owners.js';

export type SaDirection = 'in' | 'out';

export class SaRows {
  readonly #tables: Tables;
  readonly #ids: Readonly<Record<SaDirection, Map<string, number>>>;
  readonly #owners: Readonly<Record<SaDirection, SaOwners>>;
  #threads = DEFAULT_LCORES;

  constructor(tables: Tables) {
    this.#tables = tables;
    this.#owners = { in: new SaOwners(tables.sas('in')), out: new SaOwners(tables.sas('out')) };
    const named = (direction: SaDirection): Map<string, number> =>
      new Map(tables.sas(direction).map(({ name, id }) => [name, id]));
    this.#ids = { in: named('in'), out: named('out') };
  }

  /** SAs to come are shared out to the packet threads that this configuration has. */
  configure({ worker }: Config): void {
    this.#threads = worker?.lcores ?? DEFAULT_LCORES;
  }

  /** Row id of a live SA. */
  id(direction: SaDirection, name: string): number | undefined {
    return this.#ids[direction].get(name);
  }

  /** undefined: there is no such row. */
  state(direction: SaDirection, name: string): SaState | undefined {
    const id = this.id(direction, name);
    return id === undefined ? undefined : this.#tables.saState(direction, id);
  }

  /** Whether the worker has installed it. */
  isReady(direction: SaDirection, name: string): boolean {
    return this.state(direction, name)?.ready ?? false;
  }

  /** As {@link Tables.addSa}; the row gets the packet thread that owns it. */
  add(direction: SaDirection, row: SaRow, keying: Uint8Array): number {
    const owners = this.#owners[direction];
    const owned = { ...row, worker: owners.choose(row, this.#threads) };
    const id = this.#tables.addSa(direction, owned, keying);
    owners.add(owned);
    this.#ids[direction].set(row.name, id);
    return id;
  }

  /** As {@link Tables.removeSa}; nothing happens when there is no such row. */
  remove(direction: SaDirection, name: string): void {
    const id = this.id(direction, name);
    if (id === undefined) return;
    this.#tables.removeSa(direction, id);
    this.#owners[direction].remove(name);
    this.#ids[direction].delete(name);
  }
}
