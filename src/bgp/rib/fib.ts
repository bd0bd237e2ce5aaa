// SPDX-License-Identifier: Apache-2.0
/** Gathers what was decided and hands it to the forwarding side in batches, one family at a time. */
import { FAMILY } from '../codec/types.js';
import type { FibBatch, FibSink } from './api.js';
import { HOP_KIND } from './api.js';
import { type Core, OURSELVES } from './core.js';
import type { NetId, NetTable } from './net-table.js';
import { BEST, IMPORT, MULTIPATH, type PathId } from './path-store.js';
import { IdQueue } from './records.js';
import { vrfOfScope } from './scope.js';

/** Changes per batch, and hops: more than that begin another one. */
const ROWS = 1024;
const HOPS = 2048;
const HOPS_PER_ROUTE = 64;

class Batch implements FibBatch {
  readonly family: 4 | 6;
  readonly size: 4 | 16;
  count = 0;
  hopTotal = 0;
  readonly vrfs = new Uint32Array(ROWS);
  readonly prefixes: Uint8Array;
  readonly lengths = new Uint8Array(ROWS);
  readonly firstHops = new Uint32Array(ROWS);
  readonly hopCounts = new Uint8Array(ROWS);
  readonly hopKinds = new Uint8Array(HOPS);
  readonly nextHops = new Uint32Array(HOPS);
  readonly labels = new Uint32Array(HOPS);
  readonly attributes = new Uint32Array(HOPS);
  readonly hopVrfs = new Uint32Array(HOPS);

  constructor(family: 4 | 6) {
    this.family = family;
    this.size = family === 4 ? 4 : 16;
    this.prefixes = new Uint8Array(ROWS * this.size);
  }
}

/** VRF of a route exported by ourselves: its path identifier is VRF << 8 | number of the rule. */
export const exportIdentifier = (vrf: number, rule: number): number => (vrf << 8) | rule;
export const vrfOfExport = (identifier: number): number => identifier >>> 8;

export class FibWriter {
  readonly #core: Core;
  readonly #sink: FibSink;
  readonly #v4 = new Batch(4);
  readonly #v6 = new Batch(6);
  readonly #queue4 = new IdQueue();
  readonly #queue6 = new IdQueue();
  changes = 0;

  constructor(core: Core, sink: FibSink) {
    this.#core = core;
    this.#sink = sink;
  }

  /** A net of a unicast table has another outcome; {@link flush} looks at which. */
  change(table: NetTable, net: NetId): void {
    if (table.markToInstall(net)) this.#queueOf(table).push(net);
  }

  /** Hands over what has gathered, each net once and as it is now. */
  flush(): void {
    const { v4, v6 } = this.#core.nets;
    this.#drain(v4, this.#v4);
    this.#drain(v6, this.#v6);
  }

  #queueOf(table: NetTable): IdQueue {
    return table === this.#core.nets.v4 ? this.#queue4 : this.#queue6;
  }

  #drain(table: NetTable, batch: Batch): void {
    const queue = this.#queueOf(table);
    for (let net = queue.shift(); net !== 0; net = queue.shift()) {
      table.clearToInstall(net);
      // Its paths have changed since: what is installed stays until it has been decided again.
      if (table.isDirty(net)) table.markTouched(net);
      else this.#row(table, net, batch);
      if (table.isUnused(net)) table.remove(net);
    }
    this.#hand(batch);
  }

  #row(table: NetTable, net: NetId, batch: Batch): void {
    const { paths } = this.#core;
    if (batch.count === ROWS || batch.hopTotal + HOPS_PER_ROUTE > HOPS) this.#hand(batch);
    const first = table.firstPath(net);
    const installed = first !== 0 && paths.has(first, BEST);
    // What the FIB never had need not be deleted.
    if (!installed && !table.isInstalled(net)) return;
    table.setInstalled(net, installed);
    const row = batch.count++;
    const begin = batch.hopTotal;
    batch.vrfs[row] = vrfOfScope(table.scope(net));
    batch.lengths[row] = table.length(net);
    table.copyKey(net, batch.prefixes, row * batch.size);
    batch.firstHops[row] = begin;
    for (
      let path = installed ? first : 0;
      path !== 0 && batch.hopTotal - begin < HOPS_PER_ROUTE;
      path = paths.next(path)
    ) {
      if (path !== first && !paths.has(path, MULTIPATH)) break;
      this.#hop(batch, path);
    }
    batch.hopCounts[row] = batch.hopTotal - begin;
    this.changes++;
  }

  #hand(batch: Batch): void {
    if (batch.count > 0) this.#sink.apply(batch);
    batch.count = 0;
    batch.hopTotal = 0;
  }

  #hop(batch: Batch, path: PathId): void {
    const { paths } = this.#core;
    const at = batch.hopTotal++;
    const imported = paths.has(path, IMPORT);
    const source = imported ? paths.source(path) : path;
    const ours = paths.peer(source) === OURSELVES;
    const kind = imported
      ? ours
        ? HOP_KIND.leak
        : HOP_KIND.vpn
      : ours
        ? HOP_KIND.local
        : HOP_KIND.plain;
    batch.hopKinds[at] = kind;
    batch.nextHops[at] = paths.hop(path);
    batch.labels[at] = paths.label(source);
    batch.attributes[at] = paths.attributes(path);
    batch.hopVrfs[at] = kind === HOP_KIND.leak ? vrfOfExport(paths.identifier(source)) : 0;
  }
}

/**
 * Whether routes of the family are forwarded by, as opposed to only told on. A labelled route to the same
 * prefix is another route, and packets that follow it need its label.
 */
export const isForwarded = (family: number): boolean =>
  family === FAMILY.ipv4Unicast || family === FAMILY.ipv6Unicast;
