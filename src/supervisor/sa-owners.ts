// SPDX-License-Identifier: Apache-2.0
/**
 * Which packet thread owns which SA (policy-model 23). SAs that follow each other (the same ends, service and protection)
 * stay with one thread, so that no packet overtakes another at a rekey; new ones go to the thread with the fewest. Of several
 * at a time (RFC 9611) each resource has the thread behind that of the one before it. BGP's are the first thread's, which has
 * the kernel's packets.
 */
import { isBgpSa, type SaRow } from '../forwarding/addon/api.js';
import { encrypts } from '../lib/esp-suites.js';
import { formatAddress } from '../lib/ip.js';

interface Owned {
  /** Of resource 0, whether there is an SA of it or not; counted modulo the threads, negative too. */
  readonly first: number;
  rows: number;
}

const modulo = (value: number, of: number): number => ((value % of) + of) % of;

const keyOf = (row: SaRow): string =>
  [
    ...[formatAddress(row.source), formatAddress(row.destination)],
    ...(isBgpSa(row) ? ['bgp'] : [row.encapsulation, String(encrypts(row.algorithm))]),
  ].join(' ');

/** SAs of one direction. */
export class SaOwners {
  readonly #owned = new Map<string, Owned>();
  /** By name of the row. */
  readonly #keys = new Map<string, string>();

  constructor(rows: Iterable<SaRow>) {
    for (const row of rows) this.add(row);
  }

  /** The thread for a new row, 0..threads-1. */
  choose(row: SaRow, threads: number): number {
    if (threads < 2 || isBgpSa(row)) return 0;
    const owned = this.#owned.get(keyOf(row));
    const resource = row.resource ?? 0;
    if (owned !== undefined) return modulo(owned.first + resource, threads);
    const load = new Array<number>(threads).fill(0);
    for (const { first } of this.#owned.values()) {
      const worker = modulo(first, threads);
      load[worker] = (load[worker] ?? 0) + 1;
    }
    return modulo(load.indexOf(Math.min(...load)) + resource, threads);
  }

  /** A row that is there now. */
  add(row: SaRow): void {
    const key = keyOf(row);
    const owned = this.#owned.get(key);
    const first = (row.worker ?? 0) - (row.resource ?? 0);
    if (owned === undefined) this.#owned.set(key, { first, rows: 1 });
    else owned.rows += 1;
    this.#keys.set(row.name, key);
  }

  remove(name: string): void {
    const key = this.#keys.get(name);
    const owned = key === undefined ? undefined : this.#owned.get(key);
    if (key === undefined || owned === undefined) return;
    this.#keys.delete(name);
    owned.rows -= 1;
    if (owned.rows === 0) this.#owned.delete(key);
  }
}
