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

const isFull = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  (error.code === 'TABLE_FULL' || error.code === 'SEGMENT_SPACE');

/** Row `i` of a batch as a batch of its own. */
function rowOf(batch: RouteBatch, size: 4 | 16, i: number): RouteBatch {
  const { vrf, family, remove, addresses, lengths, nexthops, labels, accepts, owners } = batch;
  return {
    ...{ vrf, family, count: 1 },
    remove: remove.subarray(i, i + 1),
    addresses: addresses.subarray(i * size, (i + 1) * size),
    lengths: lengths.subarray(i, i + 1),
    nexthops: nexthops.subarray(i, i + 1),
    labels: labels.subarray(i, i + 1),
    accepts: accepts.subarray(i, i + 1),
    owners: owners.subarray(i, i + 1),
  };
}

export class VpnFibWriter implements FibSink {
  readonly #tables: Pick<Tables, 'applyRoutes'>;
  readonly #lookups: FibLookups;
  #columns = new Columns(1024);
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
    if (batch.count > this.#columns.lengths.length) this.#columns = new Columns(batch.count);
    // The tables take one VRF at a time; within one the order of the RIB's decisions stays.
    const vrfs = new Set(batch.vrfs.subarray(0, batch.count));
    for (const vrf of vrfs) if (vrf !== 0) this.#run(batch, vrf);
  }

  #run(batch: FibBatch, vrf: number): void {
    const row = this.#lookups.vrfRow(vrf);
    if (row === undefined) return;
    const c = this.#columns;
    c.count = 0;
    for (let i = 0; i < batch.count; i++) if (batch.vrfs[i] === vrf) this.#row(batch, vrf, i);
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
    this.#write(out, size);
  }

  /**
   * Neighbours decide how many routes there are, and the tables end somewhere. What does not fit is refused,
   * route by route; an older row of its prefix goes, since it leads where the route does not lead any more.
   */
  #write(out: RouteBatch, size: 4 | 16): void {
    try {
      this.#tables.applyRoutes(out);
      return;
    } catch (error) {
      if (!isFull(error)) throw error;
    }
    for (let i = 0; i < out.count; i++) {
      const one = rowOf(out, size, i);
      try {
        this.#tables.applyRoutes(one);
      } catch (error) {
        if (!isFull(error)) throw error;
        this.refused++;
        this.installed--;
        this.#tables.applyRoutes({ ...one, remove: Uint8Array.of(1) });
      }
    }
  }

  #row(batch: FibBatch, vrf: number, i: number): void {
    const c = this.#columns;
    const at = c.count++;
    const size = batch.family === 4 ? 4 : 16;
    c.addresses.set(batch.prefixes.subarray(i * size, (i + 1) * size), at * size);
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
    const { family } = batch;
    const size = family === 4 ? 4 : 16;
    const prefix = batch.prefixes.subarray(i * size, (i + 1) * size);
    const length = batch.lengths[i] ?? 0;
    const hop = batch.firstHops[i] ?? 0;
    const kind = batch.hopKinds[hop];
    // The configuration's own rows say how; ours would give way.
    if (kind === HOP_KIND.local) return 0;
    const number = batch.nextHops[hop] ?? 0;
    if (kind === HOP_KIND.leak && number === 0) {
      const lender = batch.hopVrfs[hop] ?? 0;
      return this.#found(this.#lookups.ownRow(lender, family, prefix, length));
    }
    const key = this.#lookups.key(number);
    const row = key && this.#lookups.nexthopRow(key);
    if (kind === HOP_KIND.vpn) {
      const label = batch.labels[hop] ?? NO_LABEL;
      if (!isVpnLabel(label)) return this.#found(undefined);
      this.#columns.labels[at] = label;
    } else if (kind === HOP_KIND.plain && row !== undefined) {
      this.#columns.accepts[at] = this.#lookups.accept(vrf, family, prefix, length);
    }
    return this.#found(row);
  }

  #found(row: number | undefined): number {
    if (row === undefined) this.refused++;
    return row ?? 0;
  }
}
