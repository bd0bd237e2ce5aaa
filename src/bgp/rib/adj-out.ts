// SPDX-License-Identifier: Apache-2.0
/** Update groups: who is in which, and when they run. */
import { FAMILY_IDS, hasFamily } from '../codec/families.js';
import type { FamilyId, FamilySet } from '../codec/types.js';
import type { PeerId } from '../types.js';
import type { RibPorts } from './api.js';
import type { AttributeReader } from './attribute-codec.js';
import type { Core, PathKeeper } from './core.js';
import type { Deferral } from './deferral.js';
import type { NetId, NetTable, Scope } from './net-table.js';
import type { PathId } from './path-store.js';
import type { NeighbourRib, Peer } from './peers.js';
import { RouteTargets } from './route-targets.js';
import { CORE, scopeOf } from './scope.js';
import type { Sweeper } from './sweeper.js';
import { type GroupSurroundings, UpdateGroup } from './update-group.js';

export class AdjOut implements PathKeeper {
  readonly routeTargets: RouteTargets;
  readonly #core: Core;
  readonly #ports: RibPorts;
  readonly #sweeper: Sweeper;
  readonly #deferral: Deferral;
  readonly #wake: () => void;
  readonly #vrfOf: (name: string) => number | undefined;
  readonly #around: GroupSurroundings;
  readonly #groups = new Map<string, UpdateGroup>();
  readonly #byScope = new Map<Scope, UpdateGroup[]>();
  readonly #addPath = new Set<UpdateGroup>();
  readonly #dissolving: UpdateGroup[] = [];
  /** Families of neighbours (family + 8 * neighbour) that are between two groups. */
  readonly #moving = new Set<number>();
  readonly #moveAgain = new Set<Peer>();
  readonly #waits = new Map<Peer, () => void>();
  #timer: (() => void) | undefined;
  #turn = 0;

  constructor(
    core: Core,
    reader: AttributeReader,
    ports: RibPorts,
    around: {
      readonly sweeper: Sweeper;
      readonly deferral: Deferral;
      readonly vrfOf: (name: string) => number | undefined;
      readonly wake: () => void;
      readonly ranked: GroupSurroundings['ranked'];
    },
  ) {
    this.#core = core;
    this.#ports = ports;
    this.#sweeper = around.sweeper;
    this.#deferral = around.deferral;
    this.#wake = around.wake;
    this.#vrfOf = around.vrfOf;
    this.routeTargets = new RouteTargets(
      core,
      (peer, before) => {
        for (const group of this.#groupsOf(peer)) group.wantsOther(peer, before);
      },
      (peer) => {
        this.#waits.get(peer)?.();
        this.#waits.delete(peer);
      },
    );
    const { sessions } = ports;
    const { routeTargets } = this;
    this.#around = { core, reader, sessions, routeTargets, ranked: around.ranked };
    core.hops.freed = (hop) => {
      for (const group of this.#passing()) group.ways?.freed(hop);
    };
  }

  get bytes(): number {
    let sum = 0;
    for (const group of this.#groups.values()) sum += group.bytes;
    return sum;
  }

  /** Groups and what they hold, for `show` and tests. */
  get groups(): readonly { readonly members: number; readonly entries: number }[] {
    return [...this.#groups.values(), ...this.#dissolving].map(({ members, entries }) => ({
      members: members.size,
      entries,
    }));
  }

  /** Routes the neighbour's groups tell, by family. */
  told(peer: Peer): ReadonlyMap<FamilyId, number> {
    return new Map(this.#groupsOf(peer).map((group) => [group.family, group.entries]));
  }

  /** A number is a neighbour's that was not there before. */
  newSource(): void {
    for (const group of this.#groups.values()) group.newSource();
    for (const group of this.#dissolving) group.newSource();
  }

  established(peer: Peer): void {
    this.routeTargets.established(peer);
    if (this.routeTargets.isAwaited(peer)) {
      const cancel = this.#ports.scheduler.after(this.#core.options.routeTargetWaitMs, () => {
        this.#waits.delete(peer);
        this.routeTargets.complete(peer);
        this.#wake();
      });
      this.#waits.set(peer, cancel);
    }
    for (const family of FAMILY_IDS) {
      if (hasFamily(peer.info.context.families, family)) this.#groupFor(peer, family).join(peer);
    }
  }

  ended(peer: Peer): void {
    this.#waits.get(peer)?.();
    this.#waits.delete(peer);
    this.routeTargets.ended(peer);
    for (const [key, group] of this.#groups) {
      if (!group.members.has(peer)) continue;
      group.leave(peer);
      if (group.abandoned) this.#dissolve(key, group);
    }
  }

  /** A neighbour's switches have changed: it may belong to other groups, which tell it the difference. */
  reconfigured(peer: Peer): void {
    if (!peer.up) return;
    for (const [key, group] of [...this.#groups]) {
      if (!group.members.has(peer) || this.#keyOf(peer, group.family) === key) continue;
      // What the group before the last one told must be settled before it can be left behind.
      if (this.#moving.has(group.family + 8 * peer.id)) this.#moveAgain.add(peer);
      else this.#move(peer, key, group);
    }
  }

  /**
   * What the old group may have told the neighbour and the new one does not tell is withdrawn: worked out
   * entry by entry, while the neighbour's place in the old group is kept.
   */
  #move(peer: Peer, oldKey: string, old: UpdateGroup): void {
    this.#moving.add(old.family + 8 * peer.id);
    old.freeze(peer);
    const next = this.#groupFor(peer, old.family);
    next.take(peer);
    const table = this.#core.nets.of(old.family);
    const limit = (): number => (old.addPath ? this.#core.paths.limit : table.limit);
    const visit = (entry: number): void => {
      if (next.members.has(peer) && old.knows(entry)) next.retract(entry, old.netOf(entry));
    };
    this.#sweeper.walkIds(limit, visit, () => {
      next.release(peer);
      old.thaw(peer);
      if (old.abandoned && this.#groups.get(oldKey) === old) this.#dissolve(oldKey, old);
      this.#moving.delete(old.family + 8 * peer.id);
      if (this.#moveAgain.delete(peer)) this.reconfigured(peer);
    });
  }

  refresh(peer: Peer, family: FamilyId): void {
    for (const group of this.#groupsOf(peer)) if (group.family === family) group.refresh(peer);
  }

  writable(id: PeerId): void {
    const peer = this.#core.peers[id];
    if (peer === undefined) return;
    for (const group of this.#groupsOf(peer)) group.writable(peer);
  }

  decided(table: NetTable, net: NetId): void {
    for (const group of this.#byScope.get(table.scope(net)) ?? []) group.decided(net);
  }

  visited(table: NetTable, net: NetId): void {
    if (this.#addPath.size === 0) return;
    for (const group of this.#byScope.get(table.scope(net)) ?? []) {
      if (group.addPath) group.visited(net);
    }
  }

  gone(path: PathId): number {
    let keepers = 0;
    for (const group of this.#addPath) if (group.gone(path)) keepers++;
    return keepers;
  }

  /** Groups that tell routes of others with ourselves as next hop. */
  *#passing(): Generator<UpdateGroup> {
    for (const group of this.#groups.values()) if (group.ways !== undefined) yield group;
  }

  /** Next hops, as routes have them, whose packets take this one. */
  *plainOf(hop: number): Generator<number> {
    for (const { ways } of this.#passing()) {
      const plain = ways?.plainOf(hop);
      if (plain !== undefined) yield plain;
    }
  }

  /** How routes of others are passed on may be another thing now: everything is told again as it is. */
  retell(): void {
    for (const group of this.#passing()) {
      group.forgetTransit();
      const table = this.#core.nets.of(group.family);
      const visit = (net: NetId): void => {
        if (group.abandoned) return;
        if (group.addPath) group.visited(net);
        else group.decided(net);
      };
      this.#sweeper.walk(table, group.scope, visit, () => group.ways?.end());
    }
  }

  /** Every neighbour that is up has been sent everything. */
  get toldAll(): boolean {
    return [...this.#groups.values()].every((group) => group.toldAll);
  }

  /** Sends until `enough` says so. False: nothing can be sent for now. */
  run(enough: () => boolean): boolean {
    this.routeTargets.run();
    const now = this.#ports.clock.now();
    for (const group of this.#dissolving) {
      while (group.dissolve()) if (enough()) return true;
    }
    for (const group of this.#dissolving.splice(0)) this.#addPath.delete(group);
    // The group after the one that used up the last slice goes first.
    const groups = [...this.#groups.values()];
    for (let idle = 0; idle < groups.length; this.#turn++) {
      const group = groups[this.#turn % groups.length];
      if (group?.run(now) !== true) {
        idle++;
        continue;
      }
      idle = 0;
      if (enough()) {
        this.#turn++;
        return true;
      }
    }
    this.#setTimer(now);
    return false;
  }

  /** Wakes up when a member's time between two rounds is over. */
  #setTimer(now: number): void {
    this.#timer?.();
    this.#timer = undefined;
    let next: number | undefined;
    for (const group of this.#groups.values()) {
      const round = group.nextRound(now);
      if (round !== undefined) next = Math.min(next ?? Infinity, round);
    }
    if (next === undefined) return;
    this.#timer = this.#ports.scheduler.after(Math.max(1, next - now), () => {
      this.#timer = undefined;
      this.#wake();
    });
  }

  #groupsOf(peer: Peer): UpdateGroup[] {
    return [...this.#groups.values()].filter((group) => group.members.has(peer));
  }

  #dissolve(key: string, group: UpdateGroup): void {
    this.#groups.delete(key);
    const others = (this.#byScope.get(group.scope) ?? []).filter((one) => one !== group);
    if (others.length === 0) this.#byScope.delete(group.scope);
    else this.#byScope.set(group.scope, others);
    this.#dissolving.push(group);
  }

  #scopeOf(peer: Peer, family: FamilyId): Scope {
    const { vrf, name } = peer.info;
    const id = vrf === undefined ? CORE : this.#vrfOf(vrf);
    // Never another table than its own.
    if (id === undefined) throw new Error(`${name} is in no VRF`);
    return scopeOf(id, family);
  }

  #groupFor(peer: Peer, family: FamilyId): UpdateGroup {
    const key = this.#keyOf(peer, family);
    let group = this.#groups.get(key);
    if (group === undefined) {
      const addPath = hasFamily(peer.info.context.addPathSend, family);
      group = new UpdateGroup(this.#scopeOf(peer, family), addPath, peer, this.#around);
      this.#groups.set(key, group);
      if (addPath) this.#addPath.add(group);
      this.#byScope.set(group.scope, [...(this.#byScope.get(group.scope) ?? []), group]);
      if (!hasFamily(this.#deferral.pending, family)) this.#fill(group);
    }
    return group;
  }

  /** The groups of families that were deferred when the groups were made. */
  fill(families: FamilySet): void {
    for (const group of this.#groups.values()) {
      if (hasFamily(families, group.family) && !group.filled) this.#fill(group);
    }
  }

  /** Looks at every net there is; those that change meanwhile are told of as they do. */
  #fill(group: UpdateGroup): void {
    const table = this.#core.nets.of(group.family);
    const visit = (net: NetId): void => {
      if (group.abandoned) return;
      if (group.addPath) group.visited(net);
      else group.decided(net);
    };
    this.#sweeper.walk(table, group.scope, visit, () => {
      group.filled = true;
    });
  }

  /** Equal for neighbours that are told the same. */
  #keyOf(peer: Peer, family: FamilyId): string {
    const { info, config } = peer;
    const { context } = info;
    const bit = (set: number | undefined): number => ((set ?? 0) >> family) & 1;
    return JSON.stringify([
      ...[this.#scopeOf(peer, family), info.kind, info.localAsn, [...info.localAddress]],
      ...[config.policyOutKey, config.routeReflectorClient ?? false, config.nextHop ?? ''],
      ...[config.asOverride === true || config.removePrivateAs !== undefined ? info.asn : 0],
      ...[config.asOverride ?? false, config.removePrivateAs ?? '', ...vpnKey(config)],
      ...[String(config.siteOfOrigin ?? ''), [...(config.passVpn ?? [])].sort()],
      ...[context.as4, context.maxMessage, bit(context.addPathSend)],
      ...[bit(context.extendedNextHop), bit(context.multipleLabels), bit(info.longLived)],
      ...[config.advertisementIntervalMs ?? 0, config.addPathLimits?.[family] ?? 0],
    ]);
  }
}

/** Of VPN routes: whom they are for, and how they are passed on. */
const vpnKey = ({ sp, otherSp, vpnNextHopUnchanged, transit }: NeighbourRib): unknown[] => [
  ...[sp ?? '', otherSp ?? '', vpnNextHopUnchanged ?? false, transit?.key ?? ''],
];
