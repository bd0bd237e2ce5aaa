// SPDX-License-Identifier: Apache-2.0
/** Gathers what was decided and hands it to the forwarding side in batches, one family at a time. */
import { FAMILY } from '../codec/types.js';
import type { FibBatch, FibSink } from './api.js';
import { HOP_KIND } from './api.js';
import { type Core, OURSELVES } from './core.js';
import type { NetId, NetTable } from './net-table.js';
import { BEST, IMPORT, MULTIPATH, type PathId } from './path-store.js';
import { familyOfNumber, familyOfScope, vrfOfScope } from './scope.js';

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
  changes = 0;

  constructor(core: Core, sink: FibSink) {
    this.#core = core;
    this.#sink = sink;
  }

  /** Notes what is to become of a net of a unicast or labelled table. */
  change(table: NetTable, net: NetId): void {
    const { paths } = this.#core;
    const scope = table.scope(net);
    const family = familyOfScope(scope);
    const v4 = family === FAMILY.ipv4Unicast || family === FAMILY.ipv4Labelled;
    const batch = v4 ? this.#v4 : this.#v6;
    if (batch.count === ROWS || batch.hopTotal + HOPS_PER_ROUTE > HOPS) this.#hand(batch);
    const first = table.firstPath(net);
    const installed = first !== 0 && paths.has(first, BEST);
    // What the FIB never had need not be deleted.
    if (!installed && !table.isInstalled(net)) return;
    table.setInstalled(net, installed);
    const row = batch.count++;
    batch.vrfs[row] = vrfOfScope(scope);
    batch.lengths[row] = table.length(net);
    table.copyKey(net, batch.prefixes, row * batch.size);
    batch.firstHops[row] = batch.hopTotal;
    const begin = batch.hopTotal;
    if (installed) {
      let path = first;
      while (path !== 0 && batch.hopTotal - begin < HOPS_PER_ROUTE) {
        if (path !== first && !paths.has(path, MULTIPATH)) break;
        this.#hop(batch, path);
        path = paths.next(path);
      }
    }
    batch.hopCounts[row] = batch.hopTotal - begin;
    this.changes++;
  }

  /** Hands over what has gathered. */
  flush(): void {
    this.#hand(this.#v4);
    this.#hand(this.#v6);
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

/** Whether routes of the family are forwarded by, as opposed to only told on. */
export const isForwarded = (family: number): boolean => {
  const id = familyOfNumber(family);
  return (
    id === FAMILY.ipv4Unicast ||
    id === FAMILY.ipv6Unicast ||
    id === FAMILY.ipv4Labelled ||
    id === FAMILY.ipv6Labelled
  );
};
