// SPDX-License-Identifier: Apache-2.0
/** Decides nets that have changed, and tells those who act on it. */
import { type Core, OURSELVES } from './core.js';
import { type AttributeId, HAS_MED, HAS_ORIGINATOR, LLGR_STALE } from './attribute-store.js';
import { type Candidate, decide, emptyCandidate } from './decision.js';
import type { Deferral } from './deferral.js';
import type { NetId, NetTable } from './net-table.js';
import { vrfOfScope } from './scope.js';
import { BEST, IMPORT, MULTIPATH, type PathId } from './path-store.js';

const NO_ADDRESS = new Uint8Array(0);
const WORST_MED = 0xffffffff;

export class Selector {
  readonly #core: Core;
  readonly #deferral: Deferral;
  /** Told of every net with a new outcome. */
  readonly #changed: (table: NetTable, net: NetId) => void;
  /** Told of every net looked at: some neighbours are sent more than the best path. */
  readonly #visited: (table: NetTable, net: NetId) => void;
  /** Candidates that are lent to the decision and come back. */
  readonly #pool: Candidate[] = [];
  readonly #set: Candidate[] = [];
  decisions = 0;

  constructor(
    core: Core,
    deferral: Deferral,
    changed: (table: NetTable, net: NetId) => void,
    visited: (table: NetTable, net: NetId) => void,
  ) {
    this.#core = core;
    this.#deferral = deferral;
    this.#changed = changed;
    this.#visited = visited;
  }

  /** Nets that wait and may be decided. */
  get waiting(): number {
    const { all } = this.#core.nets;
    return all.reduce(
      (sum, table) => sum + (this.#deferral.isHeld(table) ? 0 : table.dirtyCount),
      0,
    );
  }

  /** Decides waiting nets until `enough` says so, which is asked now and then. False: none is left. */
  run(enough: () => boolean): boolean {
    for (const table of this.#core.nets.all) {
      if (this.#deferral.isHeld(table)) continue;
      let count = 0;
      for (let net = table.nextDirty(); net !== 0; net = table.nextDirty()) {
        this.decideNet(table, net);
        if ((++count & 63) === 0 && enough()) return true;
      }
    }
    return this.waiting > 0;
  }

  decideNet(table: NetTable, net: NetId): void {
    const { paths } = this.#core;
    this.decisions++;
    const first = table.firstPath(net);
    let changed = table.takeTouched(net);
    // Nearly every net of a VPN table has one path.
    if (first !== 0 && paths.next(first) === 0) {
      const usable = this.#core.isUsable(first);
      changed = changed || paths.has(first, BEST) !== usable || paths.has(first, MULTIPATH);
      paths.setFlag(first, BEST, usable);
      paths.setFlag(first, MULTIPATH, false);
    } else if (first !== 0) {
      changed = this.#choose(table, net) || changed;
    }
    this.#visited(table, net);
    if (changed) this.#changed(table, net);
    if (table.isUnused(net)) table.remove(net);
  }

  /** Decides between several paths; true when the outcome is another one than before. */
  #choose(table: NetTable, net: NetId): boolean {
    const { paths } = this.#core;
    const set = this.#set;
    set.length = 0;
    let used = 0;
    for (let path = table.firstPath(net); path !== 0; path = paths.next(path)) {
      if (!this.#core.isUsable(path)) continue;
      const candidate = this.#pool[used] ?? emptyCandidate();
      this.#pool[used++] = candidate;
      this.#fill(candidate, path);
      set.push(candidate);
    }
    const { decisions, options } = this.#core;
    decide(set, decisions.get(vrfOfScope(table.scope(net))) ?? options.decision);
    const best = set[0]?.path ?? 0;
    let changed = false;
    for (let path = table.firstPath(net); path !== 0; path = paths.next(path)) {
      const isBest = path === best;
      const beside = !isBest && set.some((candidate) => candidate.path === path);
      if (paths.has(path, BEST) === isBest && paths.has(path, MULTIPATH) === beside) continue;
      changed = true;
      paths.setFlag(path, BEST, isBest);
      paths.setFlag(path, MULTIPATH, beside);
    }
    // From the last to the first, so that they stand in their order at the front.
    for (let i = set.length - 1; i >= 0; i--) {
      const candidate = set[i];
      if (candidate !== undefined) paths.moveToFront(table, candidate.path);
    }
    return changed;
  }

  /** The usable paths of a net, best first: what would be chosen if those before were not there. */
  ranked(table: NetTable, net: NetId): PathId[] {
    const { paths, options } = this.#core;
    let left: Candidate[] = [];
    for (let path = table.firstPath(net); path !== 0; path = paths.next(path)) {
      if (!this.#core.isUsable(path)) continue;
      const candidate = emptyCandidate();
      this.#fill(candidate, path);
      left.push(candidate);
    }
    const order: PathId[] = [];
    while (left.length > 0) {
      const chosen = [...left];
      decide(chosen, options.decision);
      order.push(...chosen.map(({ path }) => path));
      left = left.filter((candidate) => !chosen.includes(candidate));
    }
    return order;
  }

  #fill(candidate: Candidate, path: PathId): void {
    const { paths, attributes, hops } = this.#core;
    const set = paths.attributes(path);
    const origin = paths.has(path, IMPORT) ? paths.source(path) : path;
    const peer = this.#core.peers[paths.peer(origin)];
    const hop = hops.state(paths.hop(path));
    candidate.path = path;
    candidate.local = paths.peer(origin) === OURSELVES && origin === path;
    candidate.rank = hop.rank;
    candidate.strength = hop.strength ?? hop.rank;
    const stale = peer?.isLongLived(paths.family(origin), paths.epoch(origin)) === true;
    candidate.longLivedStale = stale || attributes.has(set, LLGR_STALE);
    const facts = attributes.facts(set);
    candidate.localPref = facts.localPref;
    candidate.pathLength = facts.pathLength;
    candidate.origin = facts.origin;
    candidate.med = this.#med(set, facts.med);
    candidate.neighbourAs = facts.neighbourAs;
    // What another VRF of this PE exports is as near as a route of a CE.
    candidate.external = peer?.external ?? true;
    candidate.metric = hop.metric;
    candidate.routerId = attributes.has(set, HAS_ORIGINATOR)
      ? facts.originatorId
      : (peer?.info.routerId ?? 0);
    candidate.clusterLength = facts.clusterLength;
    candidate.address = peer?.info.address ?? NO_ADDRESS;
    candidate.identifier = paths.identifier(origin);
    candidate.rdHigh = origin === path ? 0 : this.#rdWord(origin, 0);
    candidate.rdLow = origin === path ? 0 : this.#rdWord(origin, 1);
  }

  #med(set: AttributeId, med: number): number {
    const { attributes, options } = this.#core;
    const worst = options.decision.missingMedWorst && !attributes.has(set, HAS_MED);
    return worst ? WORST_MED : med;
  }

  #rdWord(path: PathId, word: 0 | 1): number {
    const { paths, nets } = this.#core;
    return nets.of(paths.family(path)).keyWord(paths.net(path), word);
  }
}
