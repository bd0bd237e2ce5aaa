// SPDX-License-Identifier: Apache-2.0
/**
 * Neighbours that are told the same: one family of one table, one policy, one kind of session. What they
 * are to be told is worked out and encoded once (see out-log.ts for how they keep their place).
 */
import { encodeRouteRefresh } from '../codec/route-refresh.js';
import type { FamilyId } from '../codec/types.js';
import type { SessionPort } from '../types.js';
import type { AttributeReader } from './attribute-codec.js';
import type { Core } from './core.js';
import type { NetId, NetTable, Scope } from './net-table.js';
import { OutBatch } from './out-batch.js';
import { CHANGED, isMarker, type NodeId, OutLog, PRESENT, SOURCE_CHANGED } from './out-log.js';
import { OutLabels } from './out-labels.js';
import { Outbound } from './outbound.js';
import {
  endOf,
  freeMember,
  goOn,
  isAlike,
  type Member,
  newMember,
  partsFor,
  startOver,
} from './out-member.js';
import { BEST, type PathId } from './path-store.js';
import type { Peer } from './peers.js';
import { familyOfScope, isVpn } from './scope.js';
import type { TransitWays } from './transit-ways.js';
import type { Membership, RouteTargets } from './route-targets.js';

/** Routes per batch. */
const BATCH = 1024;

export interface GroupSurroundings {
  readonly core: Core;
  readonly reader: AttributeReader;
  readonly sessions: SessionPort;
  readonly routeTargets: RouteTargets;
  /** Usable paths of a net, best first. */
  readonly ranked: (table: NetTable, net: NetId) => readonly PathId[];
}

export class UpdateGroup {
  readonly scope: Scope;
  readonly family: FamilyId;
  readonly addPath: boolean;
  readonly members = new Map<Peer, Member>();
  /** All nets of the table have been looked at. */
  filled = false;
  messages = 0;
  unsendable = 0;
  readonly #around: GroupSurroundings;
  readonly #table: NetTable;
  readonly #outbound: Outbound;
  readonly #labels: OutLabels;
  readonly #log = new OutLog();
  readonly #left: Member[] = [];
  readonly #frozen = new Map<Peer, Member>();
  readonly #first: Peer;
  /** Most paths of a net that are told. */
  readonly #limit: number;

  constructor(scope: Scope, addPath: boolean, first: Peer, around: GroupSurroundings) {
    this.scope = scope;
    this.family = familyOfScope(scope);
    this.addPath = addPath;
    this.#first = first;
    this.#limit = first.config.addPathLimits?.[this.family] ?? Infinity;
    this.#around = around;
    this.#table = around.core.nets.of(this.family);
    this.#outbound = new Outbound(around.core, around.reader, this.family, first);
    this.#labels = new OutLabels(around.core, this.#outbound, this.family);
  }

  get bytes(): number {
    return this.#log.bytes;
  }

  /** Where routes of others are passed on with ourselves as next hop. */
  get ways(): TransitWays | undefined {
    return this.#labels.ways;
  }

  get entries(): number {
    return this.#log.entries;
  }

  join(peer: Peer): void {
    const position = this.#log.newMarker();
    const member = newMember(peer, position, this.#log.newMarker());
    this.#log.moveToFront(position);
    this.members.set(peer, member);
  }

  /** Comes from another group: told nothing before {@link release}, and then no End-of-RIB. */
  take(peer: Peer): void {
    this.join(peer);
    const member = this.members.get(peer);
    if (member === undefined) return;
    member.held = true;
    member.blind = true;
    member.ending = undefined;
  }

  release(peer: Peer): void {
    const member = this.members.get(peer);
    if (member !== undefined) member.held = false;
  }

  /** Goes to another group: its place is kept until {@link thaw}, so that nothing it may hold is forgotten. */
  freeze(peer: Peer): void {
    const member = this.members.get(peer);
    if (member === undefined) return;
    this.members.delete(peer);
    member.peer = undefined;
    this.#frozen.set(peer, member);
  }

  thaw(peer: Peer): void {
    const member = this.#frozen.get(peer);
    if (member === undefined) return;
    this.#frozen.delete(peer);
    this.#left.push(member);
  }

  /** Nobody is told, and nobody's place is kept. */
  get abandoned(): boolean {
    return this.members.size === 0 && this.#frozen.size === 0;
  }

  /** A member may have been told of this entry. */
  knows(entry: NodeId): boolean {
    return this.#log.has(entry, PRESENT);
  }

  netOf(entry: NodeId): NetId {
    return this.#log.net(entry);
  }

  /** A newcomer may have been told of a route by another group: what it is not told here is withdrawn. */
  retract(entry: NodeId, net: NetId): void {
    const log = this.#log;
    const flags = CHANGED | SOURCE_CHANGED;
    if (!log.has(entry, PRESENT)) {
      log.add(entry, net);
      this.#table.pin(net);
      if (this.addPath) this.#around.core.remember(entry);
    } else if (log.set(entry) !== 0) {
      // It is told, but perhaps not to all: who is not has to be told that.
      log.write(entry, log.set(entry), log.label(entry), log.source(entry), flags);
      return;
    }
    // A withdrawal that was there already lies in what a newcomer is not told: it moves behind that.
    log.touch(entry);
    log.write(entry, 0, 0, 0, flags);
    log.setPending(entry, this.#memberCount);
  }

  get #memberCount(): number {
    return this.members.size + this.#frozen.size + this.#left.length;
  }

  leave(peer: Peer): void {
    const member = this.members.get(peer);
    if (member === undefined) return;
    this.members.delete(peer);
    member.peer = undefined;
    member.ending = undefined;
    member.blocked = false;
    this.#left.push(member);
  }

  /** RFC 2918, 7313: everything again. */
  refresh(peer: Peer): void {
    const member = this.members.get(peer);
    if (member === undefined) return;
    const marked = peer.info.enhancedRefresh && member.ending !== 'end-of-rib';
    startOver(this.#log, member);
    // A difference that was being told is not known any more.
    if (member.before !== undefined) member.blind = true;
    member.before = undefined;
    if (!marked) return;
    this.#send(member, encodeRouteRefresh(this.family, 1));
    member.ending = 'end-of-refresh';
  }

  /** The neighbour wants other VPN routes than before: it is told the difference. */
  wantsOther(peer: Peer, before: Membership): void {
    const member = this.members.get(peer);
    if (member === undefined || !isVpn(this.family)) return;
    // What it was told before its first memberships is nothing, not a difference.
    if (!member.started) return;
    member.blind = member.resume !== 0;
    member.before = member.blind ? undefined : before;
    startOver(this.#log, member);
  }

  writable(peer: Peer): void {
    const member = this.members.get(peer);
    if (member !== undefined) member.blocked = false;
  }

  /** The outcome for a net has changed. */
  decided(net: NetId): void {
    if (this.addPath) return;
    const { paths } = this.#around.core;
    const best = this.#table.firstPath(net);
    const path = best !== 0 && paths.has(best, BEST) ? best : 0;
    this.#tell(net, net, path === 0 ? 0 : this.#passable(net, path));
  }

  /** The best path, or where we would be next hop and its way cannot be used, the best of which it can. */
  #passable(net: NetId, best: PathId): PathId {
    const { core, ranked } = this.#around;
    if (this.ways === undefined || core.paths.next(this.#table.firstPath(net)) === 0) return best;
    if (this.#labels.isPassable(best)) return best;
    return ranked(this.#table, net).find((path) => this.#labels.isPassable(path)) ?? best;
  }

  /** What is remembered by the number of a neighbour does not count any more: another may have it. */
  newSource(): void {
    this.#outbound.clear();
    this.ways?.newSource();
  }

  /** What was found out about passing routes on does not count any more. */
  forgetTransit(): void {
    this.#outbound.clear();
    this.ways?.begin();
  }

  /** A net was looked at: with ADD-PATH each usable path counts. */
  visited(net: NetId): void {
    const { core } = this.#around;
    if (this.#limit < Infinity) this.#tellBest(net);
    let path = this.#table.firstPath(net);
    for (; path !== 0; path = core.paths.next(path)) {
      const usable = core.isUsable(path);
      if (!usable || this.#limit === Infinity) this.#tell(path, net, usable ? path : 0);
    }
  }

  /** The best paths as far as the limit goes: those that the policy refuses leave their place to others. */
  #tellBest(net: NetId): void {
    let told = 0;
    for (const path of this.#around.ranked(this.#table, net)) {
      this.#tell(path, net, told < this.#limit ? path : 0);
      if (this.#log.set(path) !== 0) told++;
    }
  }

  /** A path goes. True: it is still to be withdrawn. */
  gone(path: PathId): boolean {
    if (!this.#log.has(path, PRESENT)) return false;
    this.#tell(path, this.#log.net(path), 0);
    return this.#log.has(path, PRESENT);
  }

  /** Brings what is known of an entry in line; `path` 0: it is not to be told. */
  #tell(entry: NodeId, net: NetId, path: PathId): void {
    const { core } = this.#around;
    const log = this.#log;
    const present = log.has(entry, PRESENT);
    const set = path === 0 ? 0 : this.#outbound.transform(path);
    const label = set === 0 ? undefined : this.#labels.acquire(net, path, set);
    if (set === 0 || typeof label !== 'number') {
      if (set !== 0) core.attributes.release(set);
      // What has been told stays until its new label is ready.
      if (label !== 'later' && present && log.set(entry) !== 0) this.#withdraw(entry);
      return;
    }
    const source = core.paths.peer(path);
    const same = log.set(entry) === set && log.label(entry) === label;
    if (present && same && log.source(entry) === source) {
      core.attributes.release(set);
      this.#labels.release(source, label);
    } else this.#write(entry, net, { set, label, source });
  }

  /** A new or changed entry; the references to set and label are taken over. */
  #write(
    entry: NodeId,
    net: NetId,
    what: { readonly set: number; readonly label: number; readonly source: number },
  ): void {
    const { core } = this.#around;
    const log = this.#log;
    if (!log.has(entry, PRESENT)) {
      log.add(entry, net);
      this.#table.pin(net);
      log.write(entry, what.set, what.label, what.source, 0);
      return;
    }
    log.touch(entry);
    const old = log.set(entry);
    const moved = log.source(entry) !== what.source;
    if (old !== 0) {
      core.attributes.release(old);
      this.#labels.release(log.source(entry), log.label(entry));
    }
    log.write(entry, what.set, what.label, what.source, CHANGED | (moved ? SOURCE_CHANGED : 0));
  }

  #withdraw(entry: NodeId): void {
    const { core } = this.#around;
    const log = this.#log;
    core.attributes.release(log.set(entry));
    this.#labels.release(log.source(entry), log.label(entry));
    const members = this.#memberCount;
    log.write(entry, 0, 0, log.source(entry), CHANGED);
    log.setPending(entry, members);
    if (members === 0) this.#drop(entry);
    else log.touch(entry);
  }

  /** Forgets an entry that everybody has been told of. */
  #drop(entry: NodeId): void {
    const { core } = this.#around;
    const net = this.#log.net(entry);
    this.#log.remove(entry);
    this.#table.unpin(net);
    if (this.#table.firstPath(net) === 0) this.#table.markDirty(net);
    if (this.addPath) core.forget(entry);
  }

  /** Sends one batch to whoever can take it. False: there is nothing to do for now. */
  run(now: number): boolean {
    const lead = this.#left[0] ?? this.#readyOne(now);
    if (lead === undefined) return false;
    this.#batch(lead, now);
    return true;
  }

  /** When the next member's time between two rounds is over; undefined: none waits for that. */
  nextRound(now: number): number | undefined {
    let next: number | undefined;
    for (const member of this.members.values()) {
      if (member.blocked || member.nextRound <= now || this.#atEnd(member)) continue;
      next = Math.min(next ?? Infinity, member.nextRound);
    }
    return next;
  }

  /** Every member has been sent everything, those that cannot take it or wait for their round included. */
  get toldAll(): boolean {
    for (const member of this.members.values()) {
      if (member.blocked || member.held || member.ending !== undefined) return false;
      if (!this.#atEnd(member)) return false;
    }
    return true;
  }

  /** Frees everything, a part at a time: nobody is told any more. True: there is more. */
  dissolve(): boolean {
    const log = this.#log;
    for (const member of this.#left.splice(0)) freeMember(this.#log, member);
    for (let i = 0; i < BATCH; i++) {
      const entry = log.first;
      if (entry === 0) break;
      const set = log.set(entry);
      if (set !== 0) {
        this.#around.core.attributes.release(set);
        this.#labels.release(log.source(entry), log.label(entry));
      }
      this.#drop(entry);
    }
    if (log.first !== 0) return true;
    this.ways?.clear();
    this.#outbound.clear();
    return false;
  }

  #isReady(member: Member, now: number): boolean {
    const { peer } = member;
    if (peer === undefined) return true;
    if (member.blocked || member.held || member.nextRound > now) return false;
    if (isVpn(this.family) && this.#around.routeTargets.isAwaited(peer)) return false;
    return !this.#atEnd(member) || (member.ending !== undefined && this.filled);
  }

  #readyOne(now: number): Member | undefined {
    for (const member of this.members.values()) if (this.#isReady(member, now)) return member;
    return undefined;
  }

  /** It has been told everything there is: a member that is told again has its own marker ahead. */
  #atEnd(member: Member): boolean {
    return member.resume === 0 && this.#log.isAtEnd(member.position);
  }

  /** A batch from the lead's position on, for all at the same place in the same state. */
  #batch(lead: Member, now: number): void {
    const log = this.#log;
    const party = this.#party(lead, now);
    const batch = new OutBatch(this.#around.core, log, this.family, this.#first.info.context);
    const resumes = new Set(party.map(({ resume }) => resume));
    const telling = lead.resume === 0;
    let last: NodeId = lead.position;
    let node = log.next(last);
    let count = 0;
    while (node !== 0 && count < BATCH && !resumes.has(node)) {
      last = node;
      node = log.next(node);
      if (isMarker(last)) continue;
      count++;
      if (log.set(last) !== 0) batch.announce(last);
      else if (telling) batch.withdraw(last);
    }
    for (const member of party) {
      if (member.peer !== undefined) this.#tellMember(member, batch, telling);
      if (last !== lead.position) log.moveBehind(member.position, last);
    }
    if (telling) this.#told(batch.withdrawn, party.length);
    this.unsendable += batch.unsendable;
    for (const member of party) {
      if (member.resume !== 0 && member.resume === node) goOn(this.#log, member);
      this.#afterRound(member, now);
    }
  }

  /** Members next to the lead that are in its state and can take messages; the lead first. */
  #party(lead: Member, now: number): Member[] {
    if (lead.peer === undefined) return [lead];
    const party = [lead];
    const byMarker = new Map<NodeId, Member>();
    for (const member of this.members.values()) byMarker.set(member.position, member);
    let node = this.#log.next(lead.position);
    for (; node !== 0 && isMarker(node); node = this.#log.next(node)) {
      const member = byMarker.get(node);
      if (node === lead.resume) break;
      if (member === undefined || !this.#isReady(member, now)) continue;
      if (isAlike(lead, member)) party.push(member);
    }
    return party;
  }

  #tellMember(member: Member, batch: OutBatch, telling: boolean): void {
    const { peer } = member;
    if (peer === undefined) return;
    member.started = true;
    const { core, routeTargets } = this.#around;
    const membership = isVpn(this.family) ? routeTargets.of(peer) : undefined;
    const { parts, withdrawn } = partsFor(member, peer, {
      ...{ batch, telling, membership, log: this.#log, attributes: core.attributes },
    });
    const octets = batch.messages(peer.id, parts, withdrawn);
    if (octets.length > 0) this.#send(member, octets);
  }

  #send(member: Member, octets: Uint8Array): void {
    const { peer } = member;
    if (peer === undefined) return;
    this.messages++;
    if (!this.#around.sessions.send(peer.id, octets)) member.blocked = true;
  }

  /** So many more members know of these withdrawals. */
  #told(withdrawn: readonly NodeId[], members: number): void {
    for (const entry of withdrawn) {
      const pending = this.#log.pending(entry) - members;
      if (pending > 0) this.#log.setPending(entry, pending);
      else this.#drop(entry);
    }
  }

  #afterRound(member: Member, now: number): void {
    const { peer } = member;
    if (!this.#atEnd(member)) return;
    if (peer === undefined) {
      this.#left.splice(this.#left.indexOf(member), 1);
      freeMember(this.#log, member);
      return;
    }
    member.nextRound = now + (peer.config.advertisementIntervalMs ?? 0);
    if (member.ending === undefined || !this.filled) return;
    this.#send(member, endOf(member.ending, this.family, this.#first.info.context));
    member.ending = undefined;
  }
}
