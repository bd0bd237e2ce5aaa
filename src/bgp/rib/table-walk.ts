// SPDX-License-Identifier: Apache-2.0
/**
 * A routing table for MRT, read piece by piece while it goes on changing: each net at most once, as it is
 * when the walk comes to it. Routes of neighbours that came after the walk began are not in it.
 */
import { encodeAttributes } from '../codec/attributes/encode.js';
import { ByteWriter } from '../codec/bytes.js';
import { hasFamily } from '../codec/families.js';
import { encodeNextHop } from '../codec/next-hop.js';
import { newNlri } from '../codec/nlri/reader.js';
import { NlriWriter } from '../codec/nlri/writer.js';
import { FAMILIES, type FamilyId, NLRI_MODE, type PathAttributes } from '../codec/types.js';
import type { TablePath, TableRoute } from '../monitor.js';
import type { PeerId } from '../types.js';
import { type Core, OURSELVES } from './core.js';
import { stackOctets } from './label-stacks.js';
import { COMPLETE, familiesOfTable } from './loc-rib.js';
import type { NetId, NetTable } from './net-table.js';
import { FILTERED, IMPORT, type PathId } from './path-store.js';
import type { Peer } from './peers.js';
import { scopeOf, shapeOf, type VrfId } from './scope.js';

/** Nets looked at between two pauses: some ten microseconds when none of them is of the table. */
const BREATH = 256;
/** Nets forgotten in one go once the walk has ended. */
const FORGET = 1024;

export interface WalkOptions {
  readonly vrf: VrfId;
  /** Whose routes; undefined: our own. */
  readonly wanted: (peer: Peer | undefined) => boolean;
  /** Seconds since 1970, with fractions. */
  readonly now: number;
}

export class TableWalk {
  readonly #core: Core;
  readonly #vrf: VrfId;
  /** When the RIB was made, seconds since 1970. */
  readonly #epoch: number;
  /** Those the dump names; undefined: ourselves. */
  readonly #peers: ReadonlyMap<PeerId, Peer | undefined>;
  readonly #octets = new WeakMap<PathAttributes, Uint8Array>();
  readonly #key = new Uint8Array(24);
  readonly #nlri = newNlri();
  readonly #out = new ByteWriter(64);

  constructor(core: Core, { vrf, wanted, now }: WalkOptions) {
    this.#core = core;
    this.#vrf = vrf;
    this.#epoch = now - core.elapsed;
    const all: readonly (Peer | undefined)[] = core.peers;
    const neighbours = all.flatMap((peer) =>
      peer !== undefined && wanted(peer) ? [[peer.id, peer] as const] : [],
    );
    this.#peers = new Map<PeerId, Peer | undefined>([
      ...(wanted(undefined) ? [[OURSELVES, undefined] as const] : []),
      ...neighbours,
    ]);
  }

  /** Whose routes there may be, ourselves (undefined) first. */
  get peers(): readonly (Peer | undefined)[] {
    return [...this.#peers.values()];
  }

  /** undefined: a pause. To be read to its end, or `return` called: nets are held meanwhile. */
  *routes(): Generator<TableRoute | undefined> {
    for (const family of familiesOfTable(this.#vrf)) {
      const table = this.#core.nets.of(family);
      const scope = scopeOf(this.#vrf, family);
      table.hold();
      try {
        for (let net = 1; net < table.limit; net++) {
          if (net % BREATH === 0) yield undefined;
          if (table.scope(net) === scope) yield* this.#routesOf(table, net, family);
        }
      } finally {
        table.letGo();
      }
    }
  }

  /** What the walk kept from being forgotten goes, piece by piece. */
  *settle(): Generator<undefined> {
    for (const table of this.#core.nets.all) {
      while (table.forgetKept(FORGET)) yield undefined;
    }
  }

  /**
   * Mostly one; paths of different labels are routes of their own, since labels are in the NLRI. All at
   * once: the table may change before the next one is asked for.
   */
  #routesOf(table: NetTable, net: NetId, family: FamilyId): TableRoute[] {
    const { paths } = this.#core;
    const byLabel = new Map<number, PathId[]>();
    for (let path = table.firstPath(net); path !== 0; path = paths.next(path)) {
      if (!this.#isWanted(path)) continue;
      const label = paths.label(path);
      const same = byLabel.get(label);
      if (same === undefined) byLabel.set(label, [path]);
      else same.push(path);
    }
    return [...byLabel].map(([label, same]) => ({
      family,
      nlri: this.#nlriOf(table, net, family, label),
      addPath: same.some((path) => this.#hasIdentifiers(path, family)),
      paths: same.map((path) => this.#path(path, family)),
    }));
  }

  #origin(path: PathId): PathId {
    const { paths } = this.#core;
    return paths.has(path, IMPORT) ? paths.source(path) : path;
  }

  #isWanted(path: PathId): boolean {
    const { paths, peers } = this.#core;
    if (paths.has(path, FILTERED)) return false;
    const origin = this.#origin(path);
    const id = paths.peer(origin);
    if (!this.#peers.has(id)) return false;
    const peer = peers[id];
    // A number may have become another neighbour's.
    if (peer !== this.#peers.get(id)) return false;
    return peer?.isDead(paths.family(origin), paths.epoch(origin)) !== true;
  }

  #hasIdentifiers(path: PathId, family: FamilyId): boolean {
    const { paths, peers } = this.#core;
    if (paths.has(path, IMPORT)) return false;
    const received = peers[paths.peer(path)]?.info.context.addPathReceive ?? 0;
    return hasFamily(received, family);
  }

  #path(path: PathId, family: FamilyId): TablePath {
    const core = this.#core;
    const { paths } = core;
    const attributes = core.attributes.decoded(paths.attributes(path));
    let octets = this.#octets.get(attributes);
    if (octets === undefined) {
      octets = encodeAttributes(attributes, COMPLETE);
      this.#octets.set(attributes, octets);
    }
    // A route of our own has no next hop yet: the unspecified address.
    const unspecified = new Uint8Array(FAMILIES[family].afi === 2 ? 16 : 4);
    const { nextHop = unspecified, linkLocalNextHop } = attributes;
    return {
      peer: paths.peer(this.#origin(path)),
      originated: Math.max(0, Math.floor(this.#epoch + core.since(path))),
      pathId: this.#hasIdentifiers(path, family) ? paths.identifier(path) : 0,
      nextHop: encodeNextHop(family, nextHop, linkLocalNextHop),
      attributes: octets,
    };
  }

  #nlriOf(table: NetTable, net: NetId, family: FamilyId, label: number): Uint8Array {
    table.copyKey(net, this.#key, 0);
    const nlri = this.#nlri;
    const stack = this.#core.labels.labels(label);
    nlri.length = table.length(net);
    nlri.keyAt = 0;
    nlri.keyBytes = shapeOf(family).rdBytes + ((nlri.length + 7) >> 3);
    nlri.label = stack[0] ?? 0;
    nlri.labelsAt = 0;
    nlri.labelCount = stack.length;
    this.#out.length = 0;
    const writer = new NlriWriter(family, NLRI_MODE.labelStack);
    writer.write(this.#out, nlri, this.#key, stackOctets(stack));
    return this.#out.slice();
  }
}
