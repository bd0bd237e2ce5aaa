// SPDX-License-Identifier: Apache-2.0
/**
 * Work over all paths or nets, in slices: dead routes are taken out, stale ones looked at again, what
 * depends on a next hop, a VRF or a policy is decided again. One walk over the records serves any number of
 * reasons that came up before it began; those that come up meanwhile wait for the next.
 */
import { NO_LLGR } from './attribute-store.js';
import type { Core } from './core.js';
import type { FamilyId } from '../codec/types.js';
import type { NetId, NetTable } from './net-table.js';
import { IMPORT, type PathId, ZOMBIE } from './path-store.js';
import type { Peer } from './peers.js';
import { isVpn } from './scope.js';

interface Reasons {
  /** Epochs to be taken out, by peer and family. */
  readonly dead: Map<Peer, Map<FamilyId, number>>;
  /** Peers of whom every route is to be looked at again. */
  readonly revisited: Set<Peer>;
  /** Peers whose stale routes of these families have become long-lived. */
  readonly prolonged: Map<Peer, Set<FamilyId>>;
  readonly hops: Set<number>;
  /** Next hops of routes that neighbours are to be told of anew. */
  readonly passed: Set<number>;
  /** All VPN paths are imported anew; VRFs whose own exports are to be checked. */
  imports: boolean;
  readonly exporters: Set<number>;
}

const newReasons = (): Reasons => ({
  dead: new Map(),
  revisited: new Set(),
  prolonged: new Map(),
  hops: new Set(),
  passed: new Set(),
  imports: false,
  exporters: new Set(),
});

export interface SweepHooks {
  /** A VPN path of ours; `vrf`: whose exports have changed. */
  readonly sweepExport: (path: PathId, vrf: number) => void;
  /** The last dead route of a peer has gone. */
  readonly peerEmpty: (peer: Peer) => void;
}

/** A walk over all numbers below a limit. */
interface Walk {
  readonly limit: () => number;
  readonly visit: (id: number) => void;
  readonly done: (() => void) | undefined;
  next: number;
}

const STEP = 256;

export class Sweeper {
  readonly #core: Core;
  readonly #hooks: SweepHooks;
  #waiting: Reasons = newReasons();
  #pending = false;
  #current: Reasons | undefined;
  #next: PathId = 1;
  readonly #walks: Walk[] = [];

  constructor(core: Core, hooks: SweepHooks) {
    this.#core = core;
    this.#hooks = hooks;
  }

  get busy(): boolean {
    return this.#pending || this.#current !== undefined || this.#walks.length > 0;
  }

  /** Takes out what is dead of a peer now. */
  bury(peer: Peer, family: FamilyId): void {
    const families = this.#waiting.dead.get(peer) ?? new Map<FamilyId, number>();
    families.set(family, (families.get(family) ?? 0) | peer.deadEpochs(family));
    this.#waiting.dead.set(peer, families);
    this.#pending = true;
  }

  prolong(peer: Peer, family: FamilyId): void {
    const families = this.#waiting.prolonged.get(peer) ?? new Set<FamilyId>();
    families.add(family);
    this.#waiting.prolonged.set(peer, families);
    this.#pending = true;
  }

  /** What neighbours are told of its routes may have changed. */
  revisit(peer: Peer): void {
    this.#waiting.revisited.add(peer);
    this.#pending = true;
  }

  hopChanged(hop: number): void {
    this.#waiting.hops.add(hop);
    this.#pending = true;
  }

  /** Whether routes with this next hop are passed on may be another thing now. */
  passedOn(hop: number): void {
    this.#waiting.passed.add(hop);
    this.#pending = true;
  }

  reimport(): void {
    this.#waiting.imports = true;
    this.#pending = true;
  }

  exportsChanged(vrf: number): void {
    this.#waiting.exporters.add(vrf);
    this.#pending = true;
  }

  /** Visits every net of a table, those added meanwhile perhaps. */
  walk(table: NetTable, scope: number, visit: (net: NetId) => void, done?: () => void): void {
    const inScope = (net: NetId): void => {
      if (table.scope(net) === scope) visit(net);
    };
    this.walkIds(() => table.limit, inScope, done);
  }

  /** Visits every number from 1 below `limit()`, which may grow. */
  walkIds(limit: () => number, visit: (id: number) => void, done?: () => void): void {
    this.#walks.push({ limit, visit, done, next: 1 });
  }

  /** Works until `enough` says so. False: nothing is left to do. */
  run(enough: () => boolean): boolean {
    while (this.busy) {
      if (this.#pending || this.#current !== undefined) this.#runPaths();
      else this.#runWalk();
      if (enough()) return this.busy;
    }
    return false;
  }

  /** Finishes what has been asked for, however long it takes: no epoch is free otherwise. */
  finish(): void {
    while (this.#pending || this.#current !== undefined) this.#runPaths();
  }

  #runPaths(): void {
    if (this.#current === undefined) {
      this.#current = this.#waiting;
      this.#waiting = newReasons();
      this.#pending = false;
      this.#next = 1;
    }
    const reasons = this.#current;
    const { paths } = this.#core;
    const end = Math.min(this.#next + STEP, paths.limit);
    for (let path = this.#next; path < end; path++) {
      if (paths.net(path) !== 0 && !paths.has(path, ZOMBIE)) this.#visit(path, reasons);
    }
    this.#next = end;
    if (end < paths.limit) return;
    this.#current = undefined;
    for (const [peer, families] of reasons.dead) {
      for (const [family, epochs] of families) peer.deadGone(family, epochs);
      this.#hooks.peerEmpty(peer);
    }
  }

  #visit(path: PathId, reasons: Reasons): void {
    const { paths } = this.#core;
    if (reasons.hops.size > 0 && reasons.hops.has(paths.hop(path))) this.#core.touch(path);
    if (reasons.passed.size > 0 && reasons.passed.has(paths.hop(path))) {
      this.#core.nets.of(paths.family(path)).markTouched(paths.net(path));
    }
    // The rest is about announcements; imports follow the paths they are of.
    if (paths.has(path, IMPORT)) return;
    const family = paths.family(path);
    const peer = this.#core.peers[paths.peer(path)];
    if (peer !== undefined && this.#visitAnnounced(path, family, peer, reasons)) return;
    if (!isVpn(family)) return;
    if (peer === undefined) {
      for (const vrf of reasons.exporters) this.#hooks.sweepExport(path, vrf);
      if (paths.net(path) === 0 || paths.has(path, ZOMBIE)) return;
    }
    if (reasons.imports) this.#core.vpn.changed(path);
  }

  /** True: the path has gone. */
  #visitAnnounced(path: PathId, family: number, peer: Peer, reasons: Reasons): boolean {
    const { paths, attributes } = this.#core;
    const epoch = paths.epoch(path);
    const epochs = familyEntry(reasons.dead.get(peer), family) ?? 0;
    // RFC 9494 §4.2: those that must not be kept for long go at once.
    const prolonged =
      hasFamily(reasons.prolonged.get(peer), family) && peer.isLongLived(family, epoch);
    const expelled = prolonged && attributes.has(paths.attributes(path), NO_LLGR);
    if (((epochs >> epoch) & 1) === 1 || expelled) {
      this.#core.remove(path);
      return true;
    }
    if (prolonged || reasons.revisited.has(peer)) this.#core.touch(path);
    return false;
  }

  #runWalk(): void {
    const walk = this.#walks[0];
    if (walk === undefined) return;
    const end = Math.min(walk.next + STEP, walk.limit());
    for (let id = walk.next; id < end; id++) walk.visit(id);
    walk.next = end;
    if (end < walk.limit()) return;
    this.#walks.shift();
    walk.done?.();
  }
}

const familyEntry = (
  families: ReadonlyMap<FamilyId, number> | undefined,
  family: number,
): number | undefined => {
  for (const [id, value] of families ?? []) if (id === family) return value;
  return undefined;
};

const hasFamily = (families: ReadonlySet<FamilyId> | undefined, family: number): boolean => {
  for (const id of families ?? []) if (id === family) return true;
  return false;
};
