// SPDX-License-Identifier: Apache-2.0
/**
 * What the RIB decided, into the tables: columns in, columns out, no object per route. Rows are of owner
 * BGP, which gives way to the rows of the configuration.
 *
 * The packet path takes one way per prefix: the best. Of a label stack received with a VPN route, or of a
 * reserved label, nothing is installed: one label is what a tunnel carries, and one that leads into a VRF.
 */
import { HOP_KIND, type FibBatch, type FibSink } from '../../bgp/rib/api.js';
import { isVpnLabel } from '../../bgp/rib/label-stacks.js';
import type { NextHopKey } from '../../bgp/rib/next-hops.js';
import type { RouteBatch, Tables } from '../../forwarding/addon/api.js';
import { ROUTE_OWNERS } from '../../forwarding/addon/api.js';

const OWNER_BGP = ROUTE_OWNERS.indexOf('bgp') + 1;
const NO_LABEL = 0xffff_ffff;

/** What the writer asks, each answered from what is in force at the moment. */
export interface FibLookups {
  /** Row of a VRF; undefined while it has none. */
  vrfRow(vrf: number): number | undefined;
  /** Row of the next hop to use for this key; undefined: there is no way. */
  nexthopRow(key: NextHopKey): number | undefined;
  key(nextHop: number): NextHopKey | undefined;
  /** Accept set of a route towards a CE: the classes by which it is exported (policy-model 2). */
  accept(vrf: number, family: 4 | 6, prefix: Uint8Array, length: number): number;
  /** Row of the next hop by which another VRF reaches a prefix of its own. */
  ownRow(vrf: number, family: 4 | 6, prefix: Uint8Array, length: number): number | undefined;
}

class Columns {
  count = 0;
  readonly remove: Uint8Array;
  readonly addresses: Uint8Array;
  readonly lengths: Uint8Array;
  readonly nexthops: Uint32Array;
  readonly labels: Uint32Array;
  readonly accepts: Uint16Array;
  readonly owners: Uint8Array;

  constructor(rows: number) {
    this.remove = new Uint8Array(rows);
    this.addresses = new Uint8Array(rows * 16);
    this.lengths = new Uint8Array(rows);
    this.nexthops = new Uint32Array(rows);
    this.labels = new Uint32Array(rows);
    this.accepts = new Uint16Array(rows);
    this.owners = new Uint8Array(rows).fill(OWNER_BGP);
  }
}

export class VpnFibWriter implements FibSink {
  readonly #tables: Pick<Tables, 'applyRoutes'>;
  readonly #lookups: FibLookups;
  #columns = new Columns(1024);
  /** Changes of one VRF as a list: the next one of each, -1: none; and the first and last of each VRF. */
  #next = new Int32Array(1024);
  readonly #ends = new Map<number, { readonly first: number; last: number }>();
  /** Rows of next hops, by their number in the RIB, as long as a call lasts; 0: there is no way. */
  readonly #rows = new Map<number, number>();
  #closed = false;
  /** Routes installed and not installed because nothing leads there, since the start. */
  installed = 0;
  refused = 0;

  constructor(tables: Pick<Tables, 'applyRoutes'>, lookups: FibLookups) {
    this.#tables = tables;
    this.#lookups = lookups;
  }

  /** Nothing is written any more. */
  close(): void {
    this.#closed = true;
  }

  apply(batch: FibBatch): void {
    if (this.#closed) return;
    const { count } = batch;
    if (count > this.#next.length) {
      this.#columns = new Columns(count);
      this.#next = new Int32Array(count);
    }
    this.#rows.clear();
    // The tables take one VRF at a time; within one the order of the RIB's decisions stays.
    this.#ends.clear();
    for (let i = 0; i < count; i++) this.#append(batch.vrfs[i] ?? 0, i);
    for (const [vrf, { first }] of this.#ends) if (vrf !== 0) this.#run(batch, vrf, first);
  }

  #append(vrf: number, i: number): void {
    this.#next[i] = -1;
    const ends = this.#ends.get(vrf);
    if (ends === undefined) {
      this.#ends.set(vrf, { first: i, last: i });
      return;
    }
    this.#next[ends.last] = i;
    ends.last = i;
  }

  #run(batch: FibBatch, vrf: number, first: number): void {
    const row = this.#lookups.vrfRow(vrf);
    if (row === undefined) return;
    const c = this.#columns;
    c.count = 0;
    for (let i = first; i >= 0; i = this.#next[i] ?? -1) this.#row(batch, vrf, i);
    const size = batch.family === 4 ? 4 : 16;
    const { count } = c;
    const out: RouteBatch = {
      ...{ vrf: row, family: batch.family, count },
      remove: c.remove.subarray(0, count),
      addresses: c.addresses.subarray(0, count * size),
      lengths: c.lengths.subarray(0, count),
      nexthops: c.nexthops.subarray(0, count),
      labels: c.labels.subarray(0, count),
      accepts: c.accepts.subarray(0, count),
      owners: c.owners.subarray(0, count),
    };
    this.#tables.applyRoutes(out);
  }

  #row(batch: FibBatch, vrf: number, i: number): void {
    const c = this.#columns;
    const at = c.count++;
    const size = batch.family === 4 ? 4 : 16;
    for (let k = 0; k < size; k++) c.addresses[at * size + k] = batch.prefixes[i * size + k] ?? 0;
    c.lengths[at] = batch.lengths[i] ?? 0;
    c.labels[at] = 0;
    c.accepts[at] = 0;
    const nexthop = batch.hopCounts[i] === 0 ? 0 : this.#hop(batch, vrf, i, at);
    c.nexthops[at] = nexthop;
    c.remove[at] = nexthop === 0 ? 1 : 0;
    if (nexthop !== 0) this.installed++;
  }

  /** The row of the best hop of change `i`, 0: none. Sets label and accept set of row `at`. */
  #hop(batch: FibBatch, vrf: number, i: number, at: number): number {
    const hop = batch.firstHops[i] ?? 0;
    const kind = batch.hopKinds[hop];
    // The configuration's own rows say how; ours would give way.
    if (kind === HOP_KIND.local) return 0;
    const number = batch.nextHops[hop] ?? 0;
    if (kind === HOP_KIND.leak && number === 0) {
      const { family } = batch;
      const lender = batch.hopVrfs[hop] ?? 0;
      const own = this.#lookups.ownRow(lender, family, prefixOf(batch, i), batch.lengths[i] ?? 0);
      return this.#found(own ?? 0);
    }
    const row = this.#rowOf(number);
    if (kind === HOP_KIND.vpn) {
      const label = batch.labels[hop] ?? NO_LABEL;
      if (!isVpnLabel(label)) return this.#found(0);
      this.#columns.labels[at] = label;
    } else if (kind === HOP_KIND.plain && row !== 0) {
      this.#columns.accepts[at] = this.#accept(batch, vrf, i);
    }
    return this.#found(row);
  }

  #accept(batch: FibBatch, vrf: number, i: number): number {
    const length = batch.lengths[i] ?? 0;
    return this.#lookups.accept(vrf, batch.family, prefixOf(batch, i), length);
  }

  #rowOf(number: number): number {
    const known = this.#rows.get(number);
    if (known !== undefined) return known;
    const key = this.#lookups.key(number);
    const row = (key && this.#lookups.nexthopRow(key)) ?? 0;
    this.#rows.set(number, row);
    return row;
  }

  #found(row: number): number {
    if (row === 0) this.refused++;
    return row;
  }
}

function prefixOf(batch: FibBatch, i: number): Uint8Array {
  const size = batch.family === 4 ? 4 : 16;
  return batch.prefixes.subarray(i * size, (i + 1) * size);
}
