// SPDX-License-Identifier: Apache-2.0
/**
 * SA rows by name, for those who write them: operators' manual ones and IKE's. Finding one takes no walk over
 * all, because next hops ask for their SA at every change of the network.
 */
import { DEFAULT_LCORES } from '../config/defaults.js';
import type { Config } from '../config/types.js';
import type { SaRow, SaState, Tables } from '../forwarding/addon/api.js';
import { SaOwners } from './sa-owners.js';
import { type Shareable, sharesOf } from './sa-shares.js';

export type SaDirection = 'in' | 'out';

export class SaRows {
  readonly #tables: Tables;
  readonly #rows: Readonly<Record<SaDirection, Map<string, Shareable>>>;
  readonly #owners: Readonly<Record<SaDirection, SaOwners>>;
  /** Names: of the SA that next hops name, those of the others. */
  readonly #shares = new Map<string, readonly string[]>();
  /** Packet threads; undefined until there is a configuration: what an earlier supervisor shared out stays so. */
  #threads: number | undefined;

  constructor(tables: Tables) {
    this.#tables = tables;
    this.#owners = { in: new SaOwners(tables.sas('in')), out: new SaOwners(tables.sas('out')) };
    const named = (direction: SaDirection): Map<string, Shareable> =>
      new Map(tables.sas(direction).map((row) => [row.name, { id: row.id, row }]));
    this.#rows = { in: named('in'), out: named('out') };
  }

  /** SAs to come are shared out to the packet threads that this configuration has. */
  configure({ worker }: Config): void {
    const before = this.#threads;
    this.#threads = worker?.lcores ?? DEFAULT_LCORES;
    if (before === this.#threads) return;
    for (const primary of this.#shares.keys()) this.#writeShares(primary);
  }

  /** Row id of a live SA. */
  id(direction: SaDirection, name: string): number | undefined {
    return this.#rows[direction].get(name)?.id;
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
    const owned = { ...row, worker: owners.choose(row, this.#threads ?? DEFAULT_LCORES) };
    const id = this.#tables.addSa(direction, owned, keying);
    owners.add(owned);
    this.#rows[direction].set(row.name, { id, row: owned });
    return id;
  }

  /**
   * Packet threads other than the owner of outbound SA `primary` send by these in its place, each by the first that is its
   * own ({@link sharesOf}). Holds until it is said anew, or the SA is removed. Nothing happens when there is no such row.
   */
  share(primary: string, others: readonly string[]): void {
    if (others.length === 0 && !this.#shares.has(primary)) return;
    if (!this.#rows.out.has(primary)) return;
    this.#shares.set(primary, others);
    if (this.#threads !== undefined) this.#writeShares(primary);
  }

  #writeShares(name: string): void {
    const primary = this.#rows.out.get(name);
    if (primary === undefined || this.#threads === undefined) return;
    const others = (this.#shares.get(name) ?? []).flatMap((one) => this.#rows.out.get(one) ?? []);
    this.#tables.shareSa(primary.id, sharesOf(primary, others, this.#threads));
  }

  /** As {@link Tables.removeSa}; nothing happens when there is no such row. */
  remove(direction: SaDirection, name: string): void {
    const id = this.id(direction, name);
    if (id === undefined) return;
    this.#tables.removeSa(direction, id);
    this.#owners[direction].remove(name);
    this.#rows[direction].delete(name);
    if (direction === 'out') this.#shares.delete(name);
  }
}
