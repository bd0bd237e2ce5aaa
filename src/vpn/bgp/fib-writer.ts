// SPDX-License-Identifier: Apache-2.0
/**
 * What the RIB decided, into the tables: columns in, columns out, no object per route. Rows are of owner
 * BGP, which gives way to the rows of the configuration.
 *
 * Of paths that are used together (multipath) all are written that are ways of the same kind and protection
 * as the best, for a set is one route with one accepted set, and no flow may be less protected than another
 * (policy-model 12). Of a label stack received with a VPN route, or of a reserved label, nothing is installed:
 * one label is what a tunnel carries, and one that leads into a VRF.
 */
import { HOP_KIND, type FibBatch, type FibSink } from '../../bgp/rib/api.js';
import { isVpnLabel } from '../../bgp/rib/label-stacks.js';
import type { NextHopKey } from '../../bgp/rib/next-hops.js';
import type { Changeover } from './changeover.js';
import type { RouteBatch, Tables } from '../../forwarding/addon/api.js';
import { ROUTE_OWNERS } from '../../forwarding/addon/api.js';

const OWNER_BGP = ROUTE_OWNERS.indexOf('bgp') + 1;
const NO_LABEL = 0xffff_ffff;

/** What the writer asks, each answered from what is in force at the moment. */
export interface FibLookups {
  /** Row of a VRF; undefined while it has none. */
  vrfRow(vrf: number): number | undefined;
  /** Row of the next hop to use for this key, and how well it protects; undefined: there is no way. */
  way(key: NextHopKey):
    | {
        readonly row: number;
        readonly strength: number;
        /** It is still to come up; default: it is there. */
        readonly waits?: boolean;
      }
    | undefined;
  /** Of routes whose way is still to come up; undefined: they have that way all the same. */
  readonly changeover?: Pick<Changeover, 'size' | 'instead' | 'over' | 'look' | 'close'>;
  key(nextHop: number): NextHopKey | undefined;
  /** Accept set of a route towards a CE: the classes by which it is exported (policy-model 2). */
  accept(vrf: number, family: 4 | 6, prefix: Uint8Array, length: number): number;
  /** Row of the next hop by which another VRF reaches a prefix of its own. */
  ownRow(vrf: number, family: 4 | 6, prefix: Uint8Array, length: number): number | undefined;
}

type Found = NonNullable<ReturnType<FibLookups['way']>>;
const NO_WAY: Found = { row: 0, strength: 0 };

/** Ways of one route in the tables, the one of its own column included. */
const MOST_WAYS = 16;

class Columns {
  count = 0;
  readonly remove: Uint8Array;
  readonly addresses: Uint8Array;
  readonly lengths: Uint8Array;
  readonly nexthops: Uint32Array;
  readonly labels: Uint32Array;
  readonly accepts: Uint16Array;
  readonly owners: Uint8Array;
  /** Further ways. */
  moreTotal = 0;
  readonly moreCounts: Uint8Array;
  readonly moreNexthops: Uint32Array;
  readonly moreLabels: Uint32Array;

  /** `hops` of all rows together. */
  constructor(rows: number, hops: number) {
    this.remove = new Uint8Array(rows);
    this.addresses = new Uint8Array(rows * 16);
    this.lengths = new Uint8Array(rows);
    this.nexthops = new Uint32Array(rows);
    this.labels = new Uint32Array(rows);
    this.accepts = new Uint16Array(rows);
    this.owners = new Uint8Array(rows).fill(OWNER_BGP);
    this.moreCounts = new Uint8Array(rows);
    this.moreNexthops = new Uint32Array(hops);
    this.moreLabels = new Uint32Array(hops);
  }

  /** What is filled in, for the addon. */
  batch(vrf: number, family: 4 | 6): RouteBatch {
    const { count, moreTotal } = this;
    const size = family === 4 ? 4 : 16;
    const more = {
      counts: this.moreCounts.subarray(0, count),
      nexthops: this.moreNexthops.subarray(0, moreTotal),
      labels: this.moreLabels.subarray(0, moreTotal),
    };
    return {
      ...{ vrf, family, count },
      remove: this.remove.subarray(0, count),
      addresses: this.addresses.subarray(0, count * size),
      lengths: this.lengths.subarray(0, count),
      nexthops: this.nexthops.subarray(0, count),
      labels: this.labels.subarray(0, count),
      accepts: this.accepts.subarray(0, count),
      owners: this.owners.subarray(0, count),
      ...(moreTotal > 0 && { more }),
    };
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
  #columns = new Columns(1024, 2048);
  /** Changes of one VRF as a list: the next one of each, -1: none; and the first and last of each VRF. */
  #next = new Int32Array(1024);
  readonly #ends = new Map<number, { readonly first: number; last: number }>();
  /** Ways by the next hop's number in the RIB, as long as a call lasts. */
  readonly #ways = new Map<number, Found>();
  #closed = false;
  /** What {@link #way} has found beside the row: no object per route. */
  #label = 0;
  #strength = 0;
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
    this.#lookups.changeover?.close();
  }

  /** Tunnels may have come up that routes wait for. */
  look(): void {
    this.#lookups.changeover?.look();
  }

  apply(batch: FibBatch): void {
    if (this.#closed) return;
    const { count, hopTotal } = batch;
    const { lengths, moreLabels } = this.#columns;
    if (count > lengths.length || hopTotal > moreLabels.length) {
      this.#columns = new Columns(count, hopTotal);
    }
    if (count > this.#next.length) this.#next = new Int32Array(count);
    this.#ways.clear();
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
    c.moreTotal = 0;
    for (let i = first; i >= 0; i = this.#next[i] ?? -1) this.#row(batch, vrf, i);
    this.#write(c.batch(row, batch.family), batch.family === 4 ? 4 : 16);
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
    for (let k = 0; k < size; k++) c.addresses[at * size + k] = batch.prefixes[i * size + k] ?? 0;
    c.lengths[at] = batch.lengths[i] ?? 0;
    c.labels[at] = 0;
    c.accepts[at] = 0;
    c.moreCounts[at] = 0;
    const first = batch.firstHops[i] ?? 0;
    const end = first + (batch.hopCounts[i] ?? 0);
    let hop = first;
    let nexthop = 0;
    while (nexthop === 0 && hop < end) nexthop = this.#way(batch, i, hop++);
    c.nexthops[at] = nexthop;
    c.remove[at] = nexthop === 0 ? 1 : 0;
    if (nexthop === 0) {
      this.#leaves(batch, vrf, i);
      // The configuration's own rows say where our own routes go; ours would give way.
      if (first < end && batch.hopKinds[first] !== HOP_KIND.local) this.refused++;
      return;
    }
    this.installed++;
    if (batch.hopKinds[hop - 1] !== HOP_KIND.vpn) this.#leaves(batch, vrf, i);
    else if (this.#stays(batch, vrf, i, hop - 1)) return;
    this.#hops(batch, vrf, i, hop, end);
  }

  /** The label and accepted set of change `i`, whose first hop is the one before `hop`, and its further hops. */
  #hops(batch: FibBatch, vrf: number, i: number, hop: number, end: number): void {
    const c = this.#columns;
    const at = c.count - 1;
    c.labels[at] = this.#label;
    if (batch.hopKinds[hop - 1] === HOP_KIND.plain) {
      c.accepts[at] = this.#accept(batch, vrf, i);
    }
    if (hop < end) c.moreCounts[at] = this.#more(batch, i, hop, end);
  }

  /** What stayed on an old tunnel is gone, or goes another way than by a tunnel. */
  #leaves(batch: FibBatch, vrf: number, i: number): void {
    const { changeover } = this.#lookups;
    if (changeover === undefined || changeover.size === 0) return;
    const { family } = batch;
    changeover.over({ vrf, family, prefix: prefixOf(batch, i), length: batch.lengths[i] ?? 0 });
  }

  /** Whether the route keeps the tunnel it has for a while; its row is written then. */
  #stays(batch: FibBatch, vrf: number, i: number, hop: number): boolean {
    const { changeover } = this.#lookups;
    if (changeover === undefined) return false;
    const number = batch.nextHops[hop] ?? 0;
    const { row, waits } = this.#ways.get(number) ?? this.#find(number);
    const { family } = batch;
    const prefix = prefixOf(batch, i);
    const route = { vrf, family, prefix, length: batch.lengths[i] ?? 0 };
    const key = waits === true ? this.#lookups.key(number) : undefined;
    const kept = key && changeover.instead(route, key, { row, label: this.#label });
    if (kept === undefined) {
      changeover.over(route);
      return false;
    }
    const c = this.#columns;
    const at = c.count - 1;
    c.nexthops[at] = kept.row;
    c.labels[at] = kept.label;
    return true;
  }

  /** Adds the hops from..end of change `i` that may stand beside the one before; how many they are. */
  #more(batch: FibBatch, i: number, from: number, end: number): number {
    const c = this.#columns;
    const kind = batch.hopKinds[from - 1];
    const strength = this.#strength;
    let count = 0;
    for (let hop = from; hop < end && count < MOST_WAYS - 1; hop++) {
      if (batch.hopKinds[hop] !== kind) continue;
      const row = this.#way(batch, i, hop);
      if (row === 0 || this.#strength !== strength) continue;
      c.moreNexthops[c.moreTotal] = row;
      c.moreLabels[c.moreTotal++] = this.#label;
      count++;
    }
    return count;
  }

  /** The row of a hop of change `i`, 0: none; leaves label and strength behind. */
  #way(batch: FibBatch, i: number, hop: number): number {
    this.#label = 0;
    this.#strength = 0;
    const kind = batch.hopKinds[hop];
    if (kind === HOP_KIND.local) return 0;
    const number = batch.nextHops[hop] ?? 0;
    if (kind === HOP_KIND.leak && number === 0) return this.#ownRow(batch, i, hop);
    if (kind === HOP_KIND.vpn) {
      this.#label = batch.labels[hop] ?? NO_LABEL;
      if (!isVpnLabel(this.#label)) return 0;
    }
    const { row, strength } = this.#ways.get(number) ?? this.#find(number);
    this.#strength = strength;
    return row;
  }

  #find(number: number): Found {
    const key = this.#lookups.key(number);
    const way = (key && this.#lookups.way(key)) ?? NO_WAY;
    this.#ways.set(number, way);
    return way;
  }

  #accept(batch: FibBatch, vrf: number, i: number): number {
    const length = batch.lengths[i] ?? 0;
    return this.#lookups.accept(vrf, batch.family, prefixOf(batch, i), length);
  }

  #ownRow(batch: FibBatch, i: number, hop: number): number {
    const lender = batch.hopVrfs[hop] ?? 0;
    const length = batch.lengths[i] ?? 0;
    return this.#lookups.ownRow(lender, batch.family, prefixOf(batch, i), length) ?? 0;
  }
}

function prefixOf(batch: FibBatch, i: number): Uint8Array {
  const size = batch.family === 4 ? 4 : 16;
  return batch.prefixes.subarray(i * size, (i + 1) * size);
}
