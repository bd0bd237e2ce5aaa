// SPDX-License-Identifier: Apache-2.0
/**
 * BGP of one PE: sessions, RIB and the tables, held together by the configuration in force. Everything runs
 * on the event loop, bulk work in slices; what is learnt is written as it is decided.
 *
 *   neighbours ──UPDATEs──► RIB ──decisions──► VpnFibWriter ──rows of owner BGP──► tables
 *                            ▲  │
 *      VRFs' own routes ─────┘  └─next hops─► Tracker ◄── tunnels, adjacencies (overlay)
 */
import { Ingress } from './ingress.js';
import { NeighbourBfd, type BfdPort } from './bfd.js';
import { neighbourRib, neighbours, type Neighbour } from './neighbours.js';
import { ownRoutes, type OwnRoute } from './local-routes.js';
import { tellingOthers } from './session-events.js';
import { Tracker } from './tracker.js';
import { VpnFibWriter, type FibLookups } from './fib-writer.js';
import { type BgpView, wayWords } from './view.js';
import { vrfRib } from './vrfs.js';
import { ipsecCommunityFormat } from '../../bgp/codec/communities/ipsec.js';
import { FAMILY } from '../../bgp/codec/types.js';
import { PolicyCompiler } from '../../bgp/policy/compile.js';
import type { Clock, Scheduler } from '../../bgp/rib/api.js';
import type { NextHopKey } from '../../bgp/rib/next-hops.js';
import type { NeighbourRib } from '../../bgp/rib/peers.js';
import { DEFAULT_DECISION } from '../../bgp/rib/decision.js';
import { Rib } from '../../bgp/rib/rib.js';
import type { EstablishedPeer } from '../../bgp/types.js';
import type { RestartState } from '../../bgp/session/fsm-types.js';
import type { BgpSpeaker, SpeakerDeps } from '../../bgp/session/speaker.js';
import type { Bgp, Config } from '../../config/types.js';
import type { Tables } from '../../forwarding/addon/api.js';
import type { ForwardingModel, GatewayModel } from '../../forwarding/model.js';
import {
  prefixKey,
  type DesiredNexthop,
  type PlannedLabel,
  type VpnPolicy,
} from '../../forwarding/rows.js';
import { parseRouterId } from '../../lib/bgp-words.js';
import type { Prefix } from '../../lib/ip.js';
import type { Logger } from '../../lib/log.js';

/** Families whose forwarding outlives the supervisor. */
const FORWARDED =
  (1 << FAMILY.ipv4Unicast) | (1 << FAMILY.ipv6Unicast) | (1 << FAMILY.vpnv4) | (1 << FAMILY.vpnv6);

/** Work per slice; the event loop has other things to do (architecture: at most 10 ms). */
const SLICE_MS = 8;
const ROUTE_TARGET_WAIT_MS = 5_000;
/** How long routes of before a restart wait for their neighbours (RFC 4724 §4.2), s. */
const STALE_TIME = 120;
const STALE_CHECK_MS = 1_000;
const STALE_ROWS = 2_048;

/** What the rest of the supervisor has in force. */
export interface InForce {
  readonly config: Config;
  readonly model: ForwardingModel;
  readonly policy: VpnPolicy;
  readonly labels: readonly PlannedLabel[];
  /** Row of a VRF by name. */
  readonly vrfRow: (name: string) => number | undefined;
  /** Tunnels and adjacencies as they are now, by row name. */
  readonly nexthop: (name: string) => DesiredNexthop | undefined;
  /** Row by which a VRF reaches a prefix of its own; undefined: it has none. */
  readonly ownRow: (vrf: string, family: 4 | 6, key: string) => number | undefined;
}

export interface BgpDeps {
  readonly tables: Tables;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly log: Logger;
  readonly speaker: (rest: Pick<SpeakerDeps, 'sink' | 'restart' | 'port'>) => BgpSpeaker;
  /** These VRFs are all there are. */
  readonly vrfs: (names: ReadonlySet<string>) => void;
  /** Row of a next hop by name; made when it is not there. */
  readonly nexthopRow: (name: string) => number;
  /** The neighbours that are to be kept resolved are others now. */
  readonly gatewaysChanged: () => void;
  readonly bfd: BfdPort;
}

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
  #ingress = new Ingress([], () => '');
  #own = new Map<string, OwnRoute>();
  #vrfs = new Map<number, string>();
  #staleUntil: number | undefined;
  #closed = false;
  readonly #bfd: NeighbourBfd;

  constructor(deps: BgpDeps) {
    this.#deps = deps;
    const failed = (neighbour: string, independent: boolean): void => {
      this.#pathFailed(neighbour, independent);
    };
    this.#bfd = new NeighbourBfd(deps.bfd, { failed }, deps.log);
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
    return {
      ...{ rib, speaker, vrfs: this.#vrfs },
      ipsec: ipsecCommunityFormat(this.#inForce?.config.bgp?.ipsecCommunitySubType),
      bfd: (neighbour) => this.#bfd.state(neighbour),
      way: (hop) => wayWords(tracker, nexthop, hop),
    };
  }

  /** CEs that routes of BGP lead to: the kernel is to keep them resolved. */
  gateways(): readonly GatewayModel[] {
    return this.#running?.tracker.gateways() ?? [];
  }

  /** Brings everything to the configuration in force. */
  apply(inForce: InForce): void {
    const { bgp } = inForce.config;
    this.#inForce = inForce;
    if (bgp === undefined) {
      this.stop({ text: 'BGP is no longer configured' });
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
    this.#ingress = new Ingress(inForce.model.tunnels.values(), spOfRemotes(inForce.config));
    this.#neighbours = neighbours(inForce.config);
    this.#deps.vrfs(new Set(Object.keys(inForce.config.vrfs ?? {})));
    const running = (this.#running ??= this.#start(bgp, identity));
    this.#updateTracker(running);
    this.#updateVrfs(running, inForce);
    this.#updateOwn(running, inForce);
    const speaker = { asn: bgp.asn, routerId: routerIdOf(bgp) };
    running.speaker.apply(
      speaker,
      [...this.#neighbours.values()].map(({ session }) => session),
    );
    this.#reconfigurePeers(running);
    running.rib.reimport();
    this.#bfd.apply(this.#neighbours);
    // What an earlier supervisor left is somebody's whose session is not up again yet, until it is late.
    if (this.#staleUntil === undefined) this.#deps.bfd.removeOthers();
  }

  #pathFailed(neighbour: string, independent: boolean): void {
    const { speaker, rib } = this.#running ?? {};
    const restarting = speaker?.bfdDown(neighbour) ?? [];
    if (independent) for (const peer of restarting) rib?.forwardingLost(peer);
  }

  /** Tunnels or adjacencies have changed. */
  refresh(): void {
    if (this.#running !== undefined) this.#updateTracker(this.#running);
  }

  /**
   * 'restart': neighbours keep our routes, because forwarding goes on without us; else they are told this, and
   * what was learnt goes from the tables.
   */
  stop(how: 'restart' | { readonly text: string }): void {
    const running = this.#running;
    this.#running = undefined;
    this.#own.clear();
    this.#vrfs.clear();
    if (how === 'restart') this.#bfd.abandon();
    else this.#bfd.removeAll();
    if (running === undefined) return;
    running.fib.close();
    running.speaker.stop(how);
    if (how !== 'restart') this.#sweep(false);
  }

  /** Nothing is written or sent from now on; neighbours see the connections close. */
  abandon(): void {
    this.stop('restart');
    this.#closed = true;
  }

  #start(bgp: Bgp, identity: string): Running {
    const { deps } = { deps: this.#deps };
    const tracker = new Tracker({
      changed: (id, state) => this.#running?.rib.nextHopChanged(id, state),
      gatewaysChanged: deps.gatewaysChanged,
    });
    const fib = new VpnFibWriter(deps.tables, this.#lookups(tracker));
    const { ebgp = 1, ibgp = 1 } = bgp.maximumPaths ?? {};
    const made: { speaker?: BgpSpeaker } = {};
    const need = (): BgpSpeaker => {
      if (made.speaker === undefined) throw new Error('the speaker is used before it is made');
      return made.speaker;
    };
    const rib = new Rib(
      {
        ...{ asn: bgp.asn, routerId: routerIdOf(bgp) },
        clusterId: parseRouterId(bgp.clusterId ?? bgp.routerId) ?? routerIdOf(bgp),
        decision: {
          ...{ ...DEFAULT_DECISION, maximumPaths: { ebgp, ibgp } },
          alwaysCompareMed: bgp.alwaysCompareMed ?? false,
        },
        retainVpn: bgp.keepAllVpnRoutes ?? false,
        ...{ sliceMs: SLICE_MS, routeTargetWaitMs: ROUTE_TARGET_WAIT_MS },
      },
      {
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
        neighbour: (peer) => this.#neighbourRib(peer),
        forgotten: (peer) => {
          this.#bfd.forgotten(peer);
          need().release(peer);
        },
      },
    );
    const speaker = deps.speaker({
      sink: tellingOthers(rib, {
        established: (peer) => {
          this.#established(peer);
        },
        ended: () => undefined,
      }),
      restart: () => this.#restart(),
      ...(bgp.port !== undefined && { port: bgp.port }),
    });
    made.speaker = speaker;
    this.#staleUntil = deps.clock.now() + STALE_TIME * 1000;
    this.#watchStale();
    return { identity, rib, speaker, fib, tracker };
  }

  /** The F bit only if tables and labels survived, which they did when they were there already. */
  #restart(): RestartState {
    const survived = this.#deps.tables.attached === 'reattached';
    return {
      restarting: survived && this.#staleUntil !== undefined,
      forwarding: survived ? FORWARDED : 0,
    };
  }

  #lookups(tracker: Tracker): FibLookups {
    return {
      vrfRow: (vrf) => (this.#vrfs.has(vrf) ? vrf : undefined),
      key: (nextHop) => this.#running?.rib.nextHop(nextHop),
      nexthopRow: (key: NextHopKey) => {
        const way = tracker.way(key);
        return way.kind === 'none' ? undefined : this.#deps.nexthopRow(way.row);
      },
      accept: (vrf, family, prefix, length) => {
        const name = this.#vrfs.get(vrf);
        if (name === undefined || this.#inForce === undefined) return 0;
        const route = { family, address: prefix.slice(), length };
        const exported = (): ReadonlySet<string> => this.#exportedBy(vrf, route);
        return this.#deps.tables.acceptSet(this.#inForce.policy.acceptOf(name, route, exported));
      },
      ownRow: (vrf, family, prefix, length) => {
        const name = this.#vrfs.get(vrf);
        const key = prefixKey({ address: prefix, length });
        return name === undefined ? undefined : this.#inForce?.ownRow(name, family, key);
      },
    };
  }

  #exportedBy(vrf: number, { family, address, length }: Prefix): ReadonlySet<string> {
    const id = family === 4 ? FAMILY.ipv4Unicast : FAMILY.ipv6Unicast;
    return this.#running?.rib.exportedBy(vrf, id, address, length) ?? new Set();
  }

  #neighbourRib(peer: EstablishedPeer): NeighbourRib {
    const { bgp, ownSp = '' } = this.#inForce?.config ?? {};
    const neighbour = this.#neighbours.get(peer.configured);
    if (bgp === undefined || neighbour === undefined) {
      throw new Error(`session of ${peer.name}, which is not configured`);
    }
    return neighbourRib({ bgp, ownSp }, neighbour.options, peer, this.#policies);
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
    if (inForce === undefined) return;
    tracker.update({
      ...{ model: inForce.model, ingress: this.#ingress, nexthop: inForce.nexthop },
      vrfName: (id) => this.#vrfs.get(id),
    });
  }

  #updateVrfs({ rib }: Running, inForce: InForce): void {
    const { config } = inForce;
    const context = {
      ...{ config, labels: inForce.labels, policies: this.#policies, ingress: this.#ingress },
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
    for (const [id, name] of wanted) rib.setVrf(vrfRib(context, id, name));
  }

  #updateOwn({ rib }: Running, inForce: InForce): void {
    const wanted = ownRoutes(inForce.config, inForce.model, inForce.vrfRow, this.#policies);
    for (const [key, { route }] of this.#own) if (!wanted.has(key)) rib.retract(route);
    for (const { route, attributes } of wanted.values()) rib.originate(route, attributes);
    this.#own = wanted;
  }

  /** Rows of before a restart go once all neighbours have said all, or took too long. */
  #watchStale(): void {
    this.#deps.scheduler.after(STALE_CHECK_MS, () => {
      const running = this.#running;
      if (running === undefined || this.#staleUntil === undefined) return;
      if (this.#deps.clock.now() >= this.#staleUntil || this.#allHeard(running)) {
        this.#staleUntil = undefined;
        this.#sweep(true);
        this.#deps.bfd.removeOthers();
      } else {
        this.#watchStale();
      }
    });
  }

  #allHeard({ rib }: Running): boolean {
    const expected = [...this.#neighbours.values()].filter(
      ({ session }) => session.address !== undefined && session.shutdown === undefined,
    );
    const up = rib.core.peers.flatMap((peer) => (peer?.up === true ? [peer] : []));
    const heard = up.filter(({ endOfRib, info: { context } }) => {
      return (endOfRib & context.families) === context.families;
    });
    return rib.idle && heard.length === up.length && up.length >= expected.length;
  }

  #sweep(staleOnly: boolean): void {
    if (this.#closed) return;
    const { tables, scheduler } = this.#deps;
    for (const { id } of tables.vrfs()) {
      for (const family of [4, 6] as const) {
        if (tables.removeRoutes(id, family, 'bgp', staleOnly, STALE_ROWS) < STALE_ROWS) continue;
        scheduler.soon(() => {
          this.#sweep(staleOnly);
        });
        return;
      }
    }
  }
}

/** What speaker and RIB are made with, and cannot change while they run. */
function identityOf(bgp: Bgp): string {
  const { ebgp = 1, ibgp = 1 } = bgp.maximumPaths ?? {};
  return JSON.stringify([
    ...[bgp.asn, bgp.routerId, bgp.clusterId ?? '', bgp.port ?? 179],
    ...[bgp.keepAllVpnRoutes ?? false, bgp.alwaysCompareMed ?? false, ebgp, ibgp],
  ]);
}

const routerIdOf = (bgp: Bgp): number => parseRouterId(bgp.routerId) ?? 0;

/** Until certificates say so (policy-model 14): the SP of the manual SAs from there, else our own. */
function spOfRemotes(config: Config): (remote: string) => string {
  const sps = new Map<string, string>();
  for (const sa of Object.values(config.manualSas ?? {})) {
    if (sa.direction === 'in' && sa.sp !== undefined) sps.set(sa.remote, sa.sp);
  }
  return (remote) => sps.get(remote) ?? config.ownSp;
}
