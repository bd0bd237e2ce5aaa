// SPDX-License-Identifier: Apache-2.0
/**
 * BGP of one PE: sessions, RIB and the tables, held together by the configuration in force. Everything runs
 * on the event loop, bulk work in slices; what is learnt is written as it is decided.
 *
 *   neighbours ──UPDATEs──► RIB ──decisions──► VpnFibWriter ──rows of owner BGP──► tables
 *                            ▲  │
 *      VRFs' own routes ─────┘  └─next hops─► Tracker ◄── tunnels, adjacencies (overlay)
 */
import { capabilityOf } from './capability.js';
import { identityOf, ribOptions, routerIdOf, spOfRemotes } from './identity.js';
import { Ingress } from './ingress.js';
import { labelUser } from './label-user.js';
import { NeighbourBfd } from './bfd.js';
import type { Monitoring } from './monitoring.js';
import { LabelledUnicast } from './labelled.js';
import { LspTeller } from './lsp-teller.js';
import { neighbourRib, neighbours, type Neighbour } from './neighbours.js';
import { Passing } from './passing.js';
import { OwnRoutes } from './own-routes.js';
import type { BgpDeps, InForce } from './service-deps.js';
import { tellingOthers } from './session-events.js';
import { awaited, DEFERRED, goesByOldRoutes } from './restart.js';
import { RestartDriver } from './restart-driver.js';
import { type DumpedFile, dumpTables, type TableDumpOptions } from './table-dumps.js';
import { Tracker } from './tracker.js';
import { explainImport } from './explain.js';
import { changeoverOf, fibLookups } from './fib-lookups.js';
import { VpnFibWriter } from './fib-writer.js';
import { type BgpView, wayWords } from './view.js';
import { applyMonitoring, monitoringOf, type Watched } from './watched.js';
import { vrfRib } from './vrfs.js';
import { ipsecCommunityFormat } from '../../bgp/codec/communities/ipsec.js';
import { PolicyCompiler } from '../../bgp/policy/compile.js';
import type { ExportQuestion } from '../../bgp/rib/api.js';
import type { NextHopState } from '../../bgp/rib/next-hops.js';
import type { NeighbourRib } from '../../bgp/rib/peers.js';
import { Rib } from '../../bgp/rib/rib.js';
import type { EstablishedPeer } from '../../bgp/types.js';
import type { RestartState } from '../../bgp/session/fsm-types.js';
import type { BgpSpeaker } from '../../bgp/session/speaker.js';
import { type SpNumbers, spNumbers } from '../../config/sp-numbers.js';
import type { Bgp } from '../../config/types.js';
import type { GatewayModel, LspModel } from '../../forwarding/model.js';
import { CORE_VRF, type DesiredNexthop } from '../../forwarding/rows.js';
import { timingOf } from '../export-book.js';
import { routeClasses } from './route-classes.js';
import { swapClasses } from './swap-classes.js';

/** Families whose forwarding outlives the supervisor: all but route target memberships. */
const FORWARDED = DEFERRED;

/** Selection_Deferral_Timer (RFC 4724 §4.1), s. */
const SELECTION_DEFERRAL = 360;

/** Made anew when the speaker's own identity changes, which is a change of everything. */
interface Running {
  readonly identity: string;
  readonly rib: Rib;
  readonly speaker: BgpSpeaker;
  readonly fib: VpnFibWriter;
  readonly tracker: Tracker;
}

export class BgpService {
  readonly #deps: BgpDeps;
  #running: Running | undefined;
  #inForce: InForce | undefined;
  #neighbours: ReadonlyMap<string, Neighbour> = new Map();
  #policies = new PolicyCompiler({}, ipsecCommunityFormat());
  #ingress: Ingress | undefined;
  #spNumbers: SpNumbers = { own: undefined, of: () => undefined, isForeignAs: () => false };
  readonly #passing: Passing;
  readonly #own = new OwnRoutes();
  readonly #labelled = new LabelledUnicast();
  #spOf: (remote: string) => string | undefined = () => undefined;
  readonly #lsps: LspTeller;
  #vrfs = new Map<number, string>();
  /** Tables that forwarded before our start do so still; gone for good once they were emptied. */
  #survived: boolean;
  readonly #restart: RestartDriver;
  readonly #bfd: NeighbourBfd;
  readonly #watched: Watched;
  readonly #monitoring: Monitoring;

  constructor(deps: BgpDeps) {
    this.#deps = deps;
    this.#passing = new Passing(deps.labels, (key) => this.#running?.tracker.way(key));
    this.#lsps = new LspTeller({
      ...{ scheduler: deps.scheduler, clock: deps.clock, work: () => this.#lspWork() },
      tell: deps.lsps,
    });
    this.#survived = deps.forwarded;
    this.#restart = new RestartDriver({
      ...{ tables: deps.tables, clock: deps.clock, scheduler: deps.scheduler, log: deps.log },
      neighbours: () => this.#neighbours,
      pending: () => this.#running?.tracker.pending ?? false,
      over: () => {
        deps.labels.settled();
        deps.bfd.removeOthers();
        this.#lsps.changed();
      },
    });
    const failed = (neighbour: string, independent: boolean): void => {
      this.#pathFailed(neighbour, independent);
    };
    this.#bfd = new NeighbourBfd(deps.bfd, { failed }, deps.log);
    this.#watched = {
      running: () => this.#running,
      vrfs: () => this.#vrfs,
      config: () => this.#inForce?.config,
    };
    this.#monitoring = monitoringOf(this.#watched, {
      ...{ log: deps.log, now: deps.wallClock, random: deps.random },
      after: (delayMs, action) => deps.scheduler.after(delayMs, action),
      dumpTables: async (options) => this.dumpTables(options),
    });
  }

  get rib(): Rib | undefined {
    return this.#running?.rib;
  }
  get fib(): VpnFibWriter | undefined {
    return this.#running?.fib;
  }
  get neighbours(): ReadonlyMap<string, Neighbour> {
    return this.#neighbours;
  }

  /** For `show`; undefined: BGP is not configured. */
  view(): BgpView | undefined {
    const running = this.#running;
    if (running === undefined) return undefined;
    const { rib, speaker, tracker } = running;
    const nexthop = (name: string): DesiredNexthop | undefined => this.#inForce?.nexthop(name);
    const { config } = this.#inForce ?? {};
    const ipsec = ipsecCommunityFormat(config?.bgp?.ipsecCommunitySubType);
    const ingress = this.#ingress;
    return {
      ...{ rib, speaker, vrfs: this.#vrfs, ipsec },
      explainImport: (vrf, route) =>
        config && ingress && explainImport({ config, ingress, ipsec }, vrf, route),
      bfd: (neighbour) => this.#bfd.state(neighbour),
      way: (hop) => wayWords(tracker, nexthop, hop),
    };
  }

  /** Until the next restart or change of the configuration. `shutdown`: a text, or start again. */
  setNeighbour(name: string, shutdown: string | undefined): readonly string[] {
    const { speaker } = this.#running ?? {};
    if (shutdown === undefined) return speaker?.startNeighbor(name) ?? [];
    return speaker?.shutdown(name, shutdown) ?? [];
  }

  /** Writes files of all tables; none when BGP is not configured. */
  async dumpTables(options: TableDumpOptions): Promise<readonly DumpedFile[]> {
    const { bgp } = this.#inForce?.config ?? {};
    if (this.#running === undefined || bgp === undefined) return [];
    const { wallClock: now, clock, scheduler, log } = this.#deps;
    const own = { asn: bgp.asn, routerId: routerIdOf(bgp) };
    const { rib } = this.#running;
    const vrfs = this.#vrfs;
    return dumpTables({ rib, vrfs, now, clock, scheduler, log, ...own }, options);
  }

  /** Routes of before our start may still come again. */
  get restarting(): boolean {
    return this.#restart.active;
  }

  /** Addresses, with %VRF behind them inside a VRF, on which neighbours cannot connect to us now. */
  notListening(): readonly string[] {
    return this.#running?.speaker.notListening() ?? [];
  }

  /** CEs that routes of BGP lead to: the kernel is to keep them resolved. */
  gateways(): readonly GatewayModel[] {
    const learnt = this.#running?.tracker.gateways() ?? [];
    return [...learnt, ...this.#own.gateways(), ...this.#deps.labels.gateways()];
  }

  /** Brings everything to the configuration in force. */
  apply(inForce: InForce): void {
    const { bgp } = inForce.config;
    this.#inForce = inForce;
    if (bgp === undefined) {
      this.stop({ text: 'BGP is no longer configured' });
      this.#deps.labels.keepVrfs(new Set());
      this.#deps.bfd.removeOthers();
      return;
    }
    const identity = identityOf(bgp);
    if (this.#running !== undefined && this.#running.identity !== identity) {
      this.stop({ text: 'the speaker itself is configured anew' });
    }
    this.#policies = new PolicyCompiler(bgp, ipsecCommunityFormat(bgp.ipsecCommunitySubType));
    for (const { policy, rule, name } of this.#policies.weakenings) {
      this.#deps.log.warning('a policy may weaken protection', { policy, rule: name ?? rule });
    }
    this.#ingress = new Ingress(capabilityOf(inForce.config, inForce.model.tunnels.values()));
    this.#spNumbers = spNumbers(inForce.config);
    this.#spOf = spOfRemotes(inForce.config);
    this.#neighbours = neighbours(inForce.config);
    this.#passing.apply(inForce, this.#ingress, this.#spNumbers, this.#neighbours);
    this.#deps.vrfs(new Set(Object.keys(inForce.config.vrfs ?? {})));
    const running = (this.#running ??= this.#start(bgp, identity));
    this.#updateTracker(running);
    this.#updateVrfs(running, inForce, this.#ingress);
    if (this.#own.update(running.rib, inForce, this.#policies)) this.#deps.gatewaysChanged();
    const speaker = { asn: bgp.asn, routerId: routerIdOf(bgp) };
    running.speaker.apply(
      speaker,
      [...this.#neighbours.values()].map(({ session }) => session),
    );
    this.#reconfigurePeers(running);
    const { tunnelAddresses } = inForce.model;
    this.#labelled.update(running.rib, bgp.labelledUnicast ?? {}, tunnelAddresses);
    this.#lsps.changed();
    running.rib.reimport();
    running.rib.retell();
    this.#bfd.apply(this.#neighbours);
    applyMonitoring(this.#monitoring, this.#watched, bgp);
    // What an earlier supervisor left is somebody's whose session is not up again yet, until it is late.
    if (!this.#restart.active) this.#deps.bfd.removeOthers();
  }

  #pathFailed(neighbour: string, independent: boolean): void {
    const { speaker, rib } = this.#running ?? {};
    const restarting = speaker?.bfdDown(neighbour) ?? [];
    if (independent) for (const peer of restarting) rib?.forwardingLost(peer);
  }

  /**
   * Whoever forwards by our routes has been told everything: none of them is away with what an earlier session told,
   * and nothing is held back after a restart.
   */
  get told(): boolean {
    const { rib } = this.#running ?? {};
    if (rib === undefined) return true;
    if (this.#restart.active || !rib.toldAll) return false;
    return !goesByOldRoutes(awaited(this.#neighbours, rib.core.peers));
  }

  /** Tunnels, adjacencies or routes of the kernel have changed. */
  refresh(): void {
    if (this.#running === undefined || this.#inForce === undefined) return;
    this.#updateTracker(this.#running);
    this.#running.fib.look();
    const changed = this.#own.updateKernel(this.#running.rib, this.#inForce);
    if (changed) this.#deps.gatewaysChanged();
  }

  /** As {@link BgpService.refresh}, when nothing but tunnels to these far ends, in text, has changed. */
  tunnelsChanged(remotes: Iterable<string>): void {
    this.#running?.tracker.lookAt(remotes);
    this.#running?.fib.look();
  }

  /**
   * 'restart': neighbours keep our routes, because forwarding goes on without us; else they are told this, and
   * what was learnt goes from the tables.
   */
  stop(how: 'restart' | { readonly text: string }): void {
    const running = this.#running;
    this.#running = undefined;
    this.#own.clear();
    this.#labelled.clear();
    if (how !== 'restart') this.#lsps.changed();
    this.#vrfs.clear();
    this.#deps.labels.serve(undefined);
    if (how === 'restart') this.#bfd.abandon();
    else this.#bfd.removeAll();
    running?.fib.close();
    running?.tracker.close();
    running?.speaker.stop(how);
    this.#monitoring.close();
    this.#restart.cancel();
    if (how === 'restart') return;
    if (running !== undefined || this.#survived) {
      for (const version of [4, 6] as const) this.#restart.sweep(version, false);
    }
    this.#survived = false;
  }

  /** Resolves when the tables have no rows of BGP any more; behind a stop that is no restart. */
  emptied(): Promise<void> {
    return this.#restart.swept();
  }

  /** Nothing is written or sent from now on; neighbours see the connections close. */
  abandon(): void {
    this.stop('restart');
    this.#lsps.close();
    this.#restart.close();
  }

  #newTracker(): Tracker {
    const { gatewaysChanged, watchCore } = this.#deps;
    const events = {
      changed: (id: number, state: NextHopState) => this.#running?.rib.nextHopChanged(id, state),
      gatewaysChanged,
    };
    return new Tracker(events, watchCore, this.#deps.tunnels);
  }

  #newFib(tracker: Tracker): VpnFibWriter {
    const { tables, nexthopRow, clock, scheduler } = this.#deps;
    const common = { tracker, tables, nexthopRow, rib: () => this.#running?.rib };
    const changeover = changeoverOf({
      ...common,
      now: () => clock.now(),
      after: (delayMs, action) => scheduler.after(delayMs, action),
    });
    const lookups = fibLookups({
      ...{ ...common, changeover },
      inForce: () => this.#inForce,
      vrfName: (id) => this.#vrfs.get(id),
    });
    return new VpnFibWriter(tables, lookups);
  }

  #start(bgp: Bgp, identity: string): Running {
    const { deps } = { deps: this.#deps };
    const tracker = this.#newTracker();
    const fib = this.#newFib(tracker);
    const made: { speaker?: BgpSpeaker } = {};
    const need = (): BgpSpeaker => {
      if (made.speaker === undefined) throw new Error('the speaker is used before it is made');
      return made.speaker;
    };
    const rib = new Rib(ribOptions(bgp), {
      sessions: {
        send: (peer, messages) => need().send(peer, messages),
        close: (peer, notification) => {
          need().close(peer, notification);
        },
        requestRefresh: (peer, family) => {
          need().requestRefresh(peer, family);
        },
      },
      ...{ clock: deps.clock, scheduler: deps.scheduler, log: deps.log, nextHops: tracker, fib },
      exportLabels: deps.labels,
      swapLabels: deps.labels,
      labelled: (route) => {
        if (this.#labelled.decided(route, this.#spOf)) this.#lsps.changed();
      },
      isForeignAs: (asn) => this.#spNumbers.isForeignAs(asn),
      neighbour: (peer) => this.#neighbourRib(peer),
      forgotten: (peer) => {
        this.#bfd.forgotten(peer);
        this.#monitoring.forgotten(peer);
        need().release(peer);
      },
    });
    const speaker = deps.speaker({
      sink: tellingOthers(rib, {
        established: (peer) => {
          this.#monitoring.established(peer);
          this.#established(peer);
        },
        ended: (peer) => {
          this.#monitoring.ended(peer);
        },
      }),
      tap: (peer, direction, bytes, start, end) => {
        this.#monitoring.tap(peer, direction, bytes, start, end);
      },
      restart: (known) => this.#restartState(known),
      ...(bgp.port !== undefined && { port: bgp.port }),
    });
    made.speaker = speaker;
    deps.labels.serve(labelUser(rib, deps.gatewaysChanged, () => this.told));
    const running = { identity, rib, speaker, fib, tracker };
    const { selectionDeferral = SELECTION_DEFERRAL } = bgp;
    if (this.#survived) this.#restart.begin(rib, selectionDeferral * 1000);
    else deps.labels.settled();
    return running;
  }

  /** The F bit only if tables and labels survived: our start, or the end of a session in our life. */
  #restartState(known: boolean): RestartState {
    return {
      restarting: this.#restart.active,
      forwarding: this.#survived || known ? FORWARDED : 0,
    };
  }

  #neighbourRib(peer: EstablishedPeer): NeighbourRib {
    const { bgp, ownSp = '' } = this.#inForce?.config ?? {};
    const neighbour = this.#neighbours.get(peer.configured);
    if (bgp === undefined || neighbour === undefined) {
      throw new Error(`session of ${peer.name}, which is not configured`);
    }
    const numbers = this.#spNumbers;
    return neighbourRib(
      { bgp, ownSp, numbers, transit: this.#passing.transit },
      neighbour.options,
      peer,
      this.#policies,
    );
  }

  /** The LSPs of labelled routes, by what is in force; after a restart those of before stay until all is told again. */
  #lspWork(): Generator<LspModel | undefined> | undefined {
    const { model, config } = this.#inForce ?? {};
    if (model === undefined || this.#restart.active) return undefined;
    return this.#labelled.working(model, config?.bgp?.labelledUnicast?.forIp ?? false);
  }

  #reconfigurePeers({ rib }: Running): void {
    for (const peer of rib.core.peers) {
      if (peer?.up !== true || !this.#neighbours.has(peer.info.configured)) continue;
      rib.reconfigure(peer.id, this.#neighbourRib(peer.info));
      this.#established(peer.info);
    }
  }

  #established(peer: EstablishedPeer): void {
    const neighbour = this.#neighbours.get(peer.configured);
    if (neighbour !== undefined) this.#bfd.established(peer, neighbour);
  }

  #updateTracker({ tracker }: Running): void {
    const inForce = this.#inForce;
    const ingress = this.#ingress;
    if (inForce === undefined || ingress === undefined) return;
    tracker.update({
      ...{ model: inForce.model, ingress, nexthop: inForce.nexthop },
      vrfName: (id) => this.#vrfs.get(id),
    });
  }

  #updateVrfs({ rib }: Running, inForce: InForce, ingress: Ingress): void {
    const { config } = inForce;
    const context = {
      ...{ config, labels: inForce.labels, policies: this.#policies, ingress },
      ...{ sps: inForce.sps, states: inForce.states, routeLabels: this.#deps.labels },
      gateway: (vrf: string, route: ExportQuestion) => this.#own.gateway(vrf, route),
      ipsec: ipsecCommunityFormat(config.bgp?.ipsecCommunitySubType),
      nextHop: inForce.model.tunnelAddresses[0] ?? new Uint8Array(4),
    };
    const wanted = new Map<number, string>();
    for (const [name, { bgp }] of Object.entries(config.vrfs ?? {})) {
      const id = inForce.vrfRow(name);
      if (id !== undefined && bgp !== undefined) wanted.set(id, name);
    }
    for (const id of this.#vrfs.keys()) if (!wanted.has(id)) rib.removeVrf(id);
    this.#vrfs = wanted;
    this.#deps.labels.keepVrfs(new Set([...wanted.values(), CORE_VRF]));
    const { told, leaving } = routeClasses(inForce);
    this.#deps.labels.keepClasses(told, leaving);
    this.#deps.labels.keepSwaps(swapClasses(config, inForce.sps), timingOf(config));
    for (const [id, name] of wanted) rib.setVrf(vrfRib(context, id, name));
  }
}
