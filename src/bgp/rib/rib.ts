// SPDX-License-Identifier: Apache-2.0
/**
 * The routing information base: UPDATEs in, decisions, VRFs, forwarding and UPDATEs out. What follows
 * from an UPDATE is queued and done in slices, so that nothing holds up the event loop. A FibSink, policy
 * or tracker must not call back into the RIB from within its own call.
 */
import { familiesOf } from '../codec/families.js';
import { FAMILY, type FamilyId, type FamilySet, type PathAttributes } from '../codec/types.js';
import type { EstablishedPeer, PeerId, RouteSink, SessionEnd, UpdateOutcome } from '../types.js';
import { AdjOut } from './adj-out.js';
import type { RibOptions, RibPorts, VrfRib } from './api.js';
import { AttributeReader } from './attribute-codec.js';
import { Core } from './core.js';
import { Deferral } from './deferral.js';
import { FibWriter, isForwarded } from './fib.js';
import { labelledRoute } from './labelled-route.js';
import { LocalRoutes, type LocalRoute } from './local-routes.js';
import { LocRib } from './loc-rib.js';
import type { NetId, NetTable } from './net-table.js';
import type { NextHopKey, NextHopState } from './next-hops.js';
import { type NeighbourRib, type Peer, sameInbound } from './peers.js';
import { PeerLife } from './peer-life.js';
import { type PeerCounts, peerCounts } from './peer-counts.js';
import { RouteQueries } from './query.js';
import { RibIn } from './rib-in.js';
import { CORE, familyOfScope, scopeOf, unicastFamilies, vrfOfScope } from './scope.js';
import { Selector } from './selector.js';
import { Sweeper } from './sweeper.js';
import { VrfExports } from './vrf-exports.js';
import { VrfImports } from './vrf-imports.js';

const MOST_RULES = 256;

export class Rib implements RouteSink {
  readonly core: Core;
  readonly adjOut: AdjOut;
  /** For `show`, BMP and MRT. */
  readonly queries: RouteQueries;
  readonly locRib: LocRib;
  /** Told of every net with another best route, for BMP; must not call back. */
  watcher: ((table: NetTable, net: NetId) => void) | undefined;
  readonly #ports: RibPorts;
  readonly #in: RibIn;
  readonly #life: PeerLife;
  readonly #selector: Selector;
  readonly #deferral: Deferral;
  readonly #sweeper: Sweeper;
  readonly #fib: FibWriter;
  readonly #imports: VrfImports;
  readonly #exports: VrfExports;
  readonly #local: LocalRoutes;
  readonly #vrfIds = new Map<string, number>();
  #scheduled = false;

  constructor(options: RibOptions, ports: RibPorts) {
    this.#ports = ports;
    this.core = new Core(options, ports.clock, ports.nextHops);
    this.queries = new RouteQueries(this.core);
    this.locRib = new LocRib(this.core);
    const reader = new AttributeReader(this.core.attributes, options);
    this.#imports = new VrfImports(this.core, reader);
    this.#exports = new VrfExports(this.core, reader, (id) => this.#imports.get(id));
    this.core.vpn = this.#imports;
    this.core.exportRule = (path) => this.#exports.ruleOf(path);
    this.#local = new LocalRoutes(this.core, reader);
    this.#fib = new FibWriter(this.core, ports.fib);
    this.#sweeper = new Sweeper(this.core, {
      sweepExport: (path, vrf) => {
        this.#exports.sweep(path, vrf);
      },
      peerEmpty: (peer) => {
        this.#life.forgetIfEmpty(peer);
      },
    });
    this.#deferral = new Deferral(this.core.nets);
    const around = {
      sweeper: this.#sweeper,
      deferral: this.#deferral,
      vrfOf: (name: string): number | undefined => this.#vrfIds.get(name),
      wake: (): void => {
        this.#wake();
      },
      ranked: (table: NetTable, net: NetId): readonly number[] => this.#selector.ranked(table, net),
    };
    this.adjOut = new AdjOut(this.core, reader, ports, around);
    this.core.keeper = this.adjOut;
    takePorts(this.core, ports);
    this.#life = new PeerLife(this.core, reader, ports, around);
    // A reflector wants everything from the start; who has VRFs learns what it wants from them.
    this.#local.setRouteTargets([]);
    this.#selector = new Selector(
      this.core,
      this.#deferral,
      (table, net) => {
        this.#decided(table, net);
      },
      (table, net) => {
        this.adjOut.visited(table, net);
      },
    );
    this.#in = new RibIn(
      this.core,
      reader,
      {
        isWanted: (set) => this.#imports.isWanted(set),
        endOfRib: (peer, family) => {
          this.#endOfRib(peer, family);
        },
        routeTargets: (peer) => {
          this.adjOut.routeTargets.changed(peer);
        },
      },
      ports.log,
    );
  }

  // ---- RouteSink: the sessions ----

  established(info: EstablishedPeer): void {
    const peer = this.#life.established(info);
    // What is remembered by the number of a neighbour may be of another one that had it.
    this.adjOut.newSource();
    this.#exports.newSource();
    this.#imports.newSource();
    this.adjOut.established(peer);
    this.#wake();
  }

  update(peer: PeerId, bytes: Uint8Array, start: number, end: number): UpdateOutcome {
    this.core.tick();
    const outcome = this.#in.update(this.#life.sender(peer), bytes, start, end);
    this.#wake();
    return outcome;
  }

  refresh(peer: PeerId, family: FamilyId, subtype: 0 | 1 | 2): void {
    const known = this.#life.sender(peer).peer;
    if (subtype === 0) this.adjOut.refresh(known, family);
    else if (subtype === 1) this.#life.beginRefresh(known, family);
    else this.#life.endRefresh(known, family);
    this.#wake();
  }

  ended(peer: PeerId, end: SessionEnd): void {
    const known = this.#life.sender(peer).peer;
    this.adjOut.ended(known);
    this.#life.ended(known, end);
    this.#wake();
  }

  writable(peer: PeerId): void {
    this.adjOut.writable(peer);
    this.#wake();
  }

  /** Tells a neighbour everything again, as if it had asked (RFC 7313 §4.1: the end is marked for those who know). */
  resend(peer: PeerId): void {
    const { peer: known } = this.#life.sender(peer);
    for (const family of familiesOf(known.info.context.families)) {
      this.adjOut.refresh(known, family);
    }
    this.#wake();
  }

  /** A neighbour that is restarting does not forward any more: its stale routes go at once. */
  forwardingLost(peer: PeerId): void {
    this.#life.forwardingLost(peer);
    this.#wake();
  }

  // ---- Configuration ----

  /** Adds a VRF or changes it. Its number and name belong together until it is removed. */
  setVrf(vrf: VrfRib): void {
    if (vrf.exports.length > MOST_RULES) throw new RangeError('more than 256 export rules');
    if (vrf.id < 1 || vrf.id >= 2 ** 21) throw new RangeError('VRF numbers are 1 to 2^21 - 1');
    const known = new Set(this.#imports.targets());
    this.#vrfIds.set(vrf.name, vrf.id);
    this.#imports.set(vrf.id, vrf);
    const { decisions, options } = this.core;
    const { maximumPaths = options.decision.maximumPaths } = vrf;
    decisions.set(vrf.id, { ...options.decision, maximumPaths });
    this.#vrfChanged(vrf.id);
    const { importTargets, takesByTarget = false } = vrf;
    const wanted = importTargets.filter((one) => !takesByTarget || !known.has(one));
    if (wanted.length > 0) this.#askAgain();
  }

  /** Its imports and exports go. Sessions inside of it must have ended before. */
  removeVrf(id: number): void {
    const name = this.#imports.get(id)?.name;
    if (name !== undefined) this.#vrfIds.delete(name);
    this.#imports.set(id, undefined);
    this.core.decisions.delete(id);
    this.#local.removeVrf(id);
    this.#vrfChanged(id);
  }

  /** What policies of VRFs or their import decisions say may have changed: VPN routes are looked at again. */
  reimport(): void {
    this.#imports.forgetVerdicts();
    this.#sweeper.reimport();
    this.#wake();
  }

  /**
   * A neighbour's policies or switches may have changed. Where they have, what it sent is asked for again,
   * and what it and others are sent is worked out again.
   */
  reconfigure(peer: PeerId, config: NeighbourRib): void {
    const known = this.#life.reconfigure(peer, config);
    if (known === undefined) return;
    this.adjOut.reconfigured(known.peer);
    // Whom its routes are told to (RFC 4456 §6).
    if (isClient(known.before) !== isClient(config)) this.#sweeper.revisit(known.peer);
    if (!sameInbound(known.before, config)) this.#life.requestRefresh(known.peer, 'all');
    this.#wake();
  }

  /** Adds or replaces a route of our own; see LocalRoute. */
  originate(route: LocalRoute, attributes: PathAttributes): void {
    this.core.tick();
    this.#local.originate(route, attributes);
    this.#wake();
  }

  /** Withdraws one. */
  retract(route: LocalRoute): void {
    this.#local.retract(route);
    this.#wake();
  }

  /**
   * Routes of these families are taken in and not decided until {@link select} (RFC 4724 §4.1): neighbours
   * are told nothing of them, not even End-of-RIB. Before the first session; families of one table together.
   */
  defer(families: FamilySet): void {
    this.#deferral.hold(families);
  }

  /** Route selection of deferred families begins. */
  select(families: FamilySet): void {
    this.#deferral.release(families);
    this.#wake();
  }

  /** Families that are deferred, or whose selection has not come to its end: what was there is not in the FIB. */
  get selecting(): FamilySet {
    return this.#deferral.pending;
  }

  /** How routes of others are passed on may be another thing now: see Transit. */
  retell(): void {
    this.adjOut.retell();
    this.#wake();
  }

  /** The label of a route that is passed on may be ready now. */
  tellAgain(family: FamilyId, net: NetId): void {
    const table = this.core.nets.of(family);
    if (!table.isLive(net)) return;
    table.markTouched(net);
    this.#wake();
  }

  /** The export rules may answer otherwise for this route of a VRF. `prefix`: host bits zero. */
  exportAgain(vrf: number, family: FamilyId, prefix: Uint8Array, length: number): void {
    const table = this.core.nets.of(family);
    const net = table.find(scopeOf(vrf, family), length, prefix, 0, prefix.length);
    if (net === 0) return;
    table.markTouched(net);
    this.#wake();
  }

  // ---- Next hops, and what a FibSink asks ----

  /** The tracker has found something out. */
  nextHopChanged(id: number, state: NextHopState): void {
    const before = this.core.hops.state(id);
    if (!this.core.hops.change(id, state)) return;
    // Only what comparison can see needs a new decision.
    if (before.usable || state.usable) this.#sweeper.hopChanged(id);
    if (before.usable !== state.usable) {
      this.#sweeper.passedOn(id);
      for (const plain of this.adjOut.plainOf(id)) this.#sweeper.passedOn(plain);
    }
    this.#wake();
  }

  nextHop(id: number): NextHopKey | undefined {
    return this.core.hops.key(id);
  }

  attributes(id: number): PathAttributes {
    return this.core.attributes.decoded(id);
  }

  /** Names of the rules by which a VRF exports a prefix of its own; a FibSink may ask of what it is told of. */
  exportedBy(
    vrf: number,
    family: FamilyId,
    prefix: Uint8Array,
    length: number,
  ): ReadonlySet<string> {
    return this.#exports.exporting(vrf, family, prefix, length);
  }

  labels(word: number): readonly number[] {
    return this.core.labels.labels(word);
  }

  // ---- Work ----

  /** Nothing is waiting to be decided, swept or sent (to those who can take it). */
  get idle(): boolean {
    return !this.#scheduled;
  }

  /** Nothing is left to do, and neighbours that are up have been sent everything, slow ones included. */
  get toldAll(): boolean {
    return this.idle && this.adjOut.toldAll;
  }

  #wake(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#ports.scheduler.soon(() => {
      this.#slice();
    });
  }

  /** A slice: decisions, then walks, then what is to be sent; each leaves time to the next. */
  #slice(): void {
    const { clock } = this.#ports;
    const begin = clock.now();
    this.core.tick();
    this.#life.sendRequests();
    const budget = this.core.options.sliceMs;
    const until = (share: number) => (): boolean => clock.now() - begin >= budget * share;
    let more = this.#selector.run(until(0.5));
    more = this.#sweeper.run(until(0.75)) || more;
    this.#fib.flush();
    more = this.adjOut.run(until(1)) || more;
    more = more || this.#selector.waiting > 0 || this.#sweeper.busy;
    if (this.#deferral.pending !== 0) more = this.#settle() || more;
    this.#scheduled = false;
    if (more) this.#wake();
  }

  /** What was deferred has been decided to the last net: now neighbours may hear that this is all. */
  #settle(): boolean {
    if (this.#selector.waiting > 0 || this.#sweeper.busy) return false;
    const families = this.#deferral.settled();
    if (families === 0) return false;
    this.adjOut.fill(families);
    return true;
  }

  #decided(table: NetTable, net: NetId): void {
    const scope = table.scope(net);
    const family = familyOfScope(scope);
    if (isForwarded(family)) {
      this.#fib.change(table, net);
      if (vrfOfScope(scope) !== CORE) this.#exports.decided(table, net);
    }
    const labelled = family === FAMILY.ipv4Labelled || family === FAMILY.ipv6Labelled;
    if (labelled) this.#ports.labelled?.(labelledRoute(this.core, table, net));
    this.adjOut.decided(table, net);
    this.watcher?.(table, net);
  }

  #endOfRib(peer: Peer, family: FamilyId): void {
    this.#life.endOfRib(peer, family);
    if (family === FAMILY.routeTarget) this.adjOut.routeTargets.complete(peer);
  }

  /** Imports, exports and route targets follow the VRF's definition. */
  #vrfChanged(id: number): void {
    this.core.tick();
    this.#exports.rulesChanged(id);
    this.#sweeper.reimport();
    this.#sweeper.exportsChanged(id);
    for (const family of unicastFamilies) {
      const table = this.core.nets.of(family);
      this.#sweeper.walk(table, scopeOf(id, family), (net) => {
        table.markTouched(net);
      });
    }
    this.#local.setRouteTargets([...this.#imports.targets()]);
    this.#wake();
  }

  /** Routes nobody wanted have been dropped and may be wanted now. */
  #askAgain(): void {
    if (this.core.options.retainVpn) return;
    for (const peer of this.core.peers) {
      if (peer !== undefined) this.#life.requestRefresh(peer, 'vpn');
    }
  }

  /** Of a neighbour with a session or routes; undefined: it has neither. */
  peerCounts(id: PeerId): PeerCounts | undefined {
    const peer = this.core.peers[id];
    return peer && peerCounts(peer, this.adjOut.told(peer));
  }

  /** Counters for `show` and tests. */
  counts(): RibCounts {
    const { core } = this;
    return {
      nets: core.nets.all.reduce((sum, table) => sum + table.live, 0),
      paths: core.paths.live,
      imports: this.#imports.imported,
      attributeSets: core.attributes.live,
      addresses: core.attributes.addresses.live,
      vpnKeys: core.attributes.vpnKeys.live,
      nextHops: core.hops.live,
      labelStacks: core.labels.live,
      unwanted: this.#in.unwanted,
      decisions: this.#selector.decisions,
      fibChanges: this.#fib.changes,
      waiting: this.#selector.waiting,
      bytes:
        core.paths.bytes +
        core.attributes.bytes +
        core.nets.all.reduce((sum, table) => sum + table.bytes, 0) +
        this.adjOut.bytes,
    };
  }
}

function takePorts(core: Core, { exportLabels, swapLabels, isForeignAs }: RibPorts): void {
  if (exportLabels !== undefined) core.exportLabels = exportLabels;
  if (swapLabels !== undefined) core.swapLabels = swapLabels;
  if (isForeignAs !== undefined) core.isForeignAs = isForeignAs;
}

const isClient = ({ routeReflectorClient }: NeighbourRib): boolean => routeReflectorClient === true;

export interface RibCounts {
  readonly nets: number;
  readonly paths: number;
  readonly imports: number;
  readonly attributeSets: number;
  readonly addresses: number;
  readonly vpnKeys: number;
  readonly nextHops: number;
  readonly labelStacks: number;
  /** VPN routes received that no VRF takes, since the start. */
  readonly unwanted: number;
  readonly decisions: number;
  readonly fibChanges: number;
  /** Nets waiting for a decision. */
  readonly waiting: number;
  readonly bytes: number;
}
