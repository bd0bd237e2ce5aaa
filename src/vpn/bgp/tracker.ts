// SPDX-License-Identifier: Apache-2.0
/**
 * Whether next hops can be used, and at what cost: of imported VPN routes by the tunnel chosen for them and
 * the core's way to its end, of a CE's routes by the interface that reaches it, in the core by the kernel's
 * routes there, whoever put them there (RFC 4271 §9.1.2.1). A default route is a way like any other. VPN
 * routes as such, which are told on to others, need no way (see Core.isUsable), but have its cost.
 */
import {
  type NextHopKey,
  type NextHopState,
  type NextHopTracker,
  sameState,
} from '../../bgp/rib/next-hops.js';
import type { ForwardingModel } from '../../forwarding/model.js';
import { gatewayOf, type GatewayModel } from '../../forwarding/model.js';
import * as names from '../../forwarding/names.js';
import type { DesiredNexthop } from '../../forwarding/rows.js';
import { formatAddress, isLinkLocal } from '../../lib/ip.js';
import type { Ingress } from './ingress.js';

/** What is in force, as far as next hops go. */
export interface Ways {
  readonly model: ForwardingModel;
  readonly ingress: Ingress;
  /** VRF name by its number in the RIB. */
  readonly vrfName: (id: number) => string | undefined;
  /** Tunnels and adjacencies by row name. */
  readonly nexthop: (name: string) => DesiredNexthop | undefined;
}

/** How a next hop is reached, or why not. */
export type Way =
  | {
      readonly kind: 'tunnel';
      readonly row: string;
      readonly rank: number;
      readonly strength: number;
    }
  | { readonly kind: 'gateway'; readonly row: string; readonly gateway: GatewayModel }
  | { readonly kind: 'core'; readonly interface: string; readonly metric: number }
  | { readonly kind: 'none'; readonly why: string };

/** The kernel's way through the core, or why there is none. */
export type CoreWay =
  { readonly interface: string; readonly metric: number } | { readonly unreachable: string };

/** Follows the way to an address in the core; `onChange` is never called from within. The answer ends it. */
export type WatchCore = (address: Uint8Array, onChange: (way: CoreWay) => void) => () => void;

export interface TrackerEvents {
  changed(id: number, state: NextHopState): void;
  /** {@link Tracker.gateways} are others now. */
  gatewaysChanged(): void;
}

/** As far away as can be: of VPN routes, which are used all the same, one that can be reached is nearer. */
const UNREACHABLE = 0xffff_ffff;
export const UNUSABLE: NextHopState = { usable: false, metric: UNREACHABLE, rank: 0 };

interface Watched {
  readonly key: NextHopKey;
  state: NextHopState;
  /** Of a next hop in the core. */
  readonly stop?: () => void;
}

export class Tracker implements NextHopTracker {
  readonly #watched = new Map<number, Watched>();
  readonly #events: TrackerEvents;
  readonly #watchCore: WatchCore;
  /** By address in text. */
  readonly #core = new Map<string, CoreWay>();
  #ways: Ways | undefined;

  constructor(events: TrackerEvents, watchCore: WatchCore) {
    this.#events = events;
    this.#watchCore = watchCore;
  }

  watch(id: number, key: NextHopKey): NextHopState {
    if (isCore(key) && !isLinkLocal(key.address)) {
      // Until the kernel has answered, which takes milliseconds, there is no way.
      const stop = this.#watchCore(key.address, (way) => {
        this.#core.set(formatAddress(key.address), way);
        this.#look(id);
      });
      this.#watched.set(id, { key, state: UNUSABLE, stop });
      return UNUSABLE;
    }
    const state = this.#state(key);
    this.#watched.set(id, { key, state });
    if (isGateway(key)) this.#events.gatewaysChanged();
    return state;
  }

  unwatch(id: number): void {
    const { key, stop } = this.#watched.get(id) ?? {};
    this.#watched.delete(id);
    if (key === undefined) return;
    stop?.();
    if (isCore(key)) this.#core.delete(formatAddress(key.address));
    if (isGateway(key)) this.#events.gatewaysChanged();
  }

  /** Nothing is followed any more. */
  close(): void {
    for (const { stop } of this.#watched.values()) stop?.();
    this.#watched.clear();
  }

  /** The CEs among the next hops that some route has. */
  gateways(): GatewayModel[] {
    const found = new Map<string, GatewayModel>();
    for (const { key } of this.#watched.values()) {
      if (!isGateway(key)) continue;
      const way = this.way(key);
      if (way.kind === 'gateway') found.set(way.row, way.gateway);
    }
    return [...found.values()];
  }

  /** Another configuration, or tunnels that went up or down: tells what differs. */
  update(ways: Ways): void {
    this.#ways = ways;
    for (const [id, { key }] of this.#watched) if (!isCore(key)) this.#look(id);
  }

  #look(id: number): void {
    const watched = this.#watched.get(id);
    if (watched === undefined) return;
    const state = this.#state(watched.key);
    if (sameState(watched.state, state)) return;
    watched.state = state;
    this.#events.changed(id, state);
  }

  way(key: NextHopKey): Way {
    if (isCore(key)) return this.#coreWay(key.address);
    const ways = this.#ways;
    if (ways === undefined) return { kind: 'none', why: 'no configuration is in force yet' };
    if (key.protection !== 0) return tunnelWay(ways, key);
    const vrf = ways.vrfName(key.vrf) ?? '';
    const interfaces = ways.model.vrfs.get(vrf)?.interfaces ?? [];
    const out = gatewayOf(interfaces, key.address, undefined);
    if (out === undefined) {
      return {
        kind: 'none',
        why: `no interface of VRF ${vrf} reaches ${formatAddress(key.address)}`,
      };
    }
    const gateway = { vrf, interface: out.name, address: key.address };
    return { kind: 'gateway', row: names.adjacency(gateway), gateway };
  }

  #coreWay(address: Uint8Array): Way {
    // On the link of the neighbour that told it: its session says that it is there.
    if (isLinkLocal(address)) return { kind: 'core', interface: '', metric: 0 };
    const way = this.#core.get(formatAddress(address));
    if (way === undefined) return { kind: 'none', why: 'not looked up yet' };
    return 'unreachable' in way
      ? { kind: 'none', why: way.unreachable }
      : { kind: 'core', interface: way.interface, metric: way.metric };
  }

  #state(key: NextHopKey): NextHopState {
    const way = this.way(key);
    if (way.kind === 'none') return UNUSABLE;
    if (way.kind === 'gateway') return { usable: true, metric: 0, rank: 0 };
    if (way.kind === 'core') return { usable: true, metric: way.metric, rank: 0 };
    const row = this.#ways?.nexthop(way.row);
    const metric = row?.metric ?? UNREACHABLE;
    return { usable: row?.version !== undefined, metric, rank: way.rank, strength: way.strength };
  }
}

/** In the core's own table, not the far end of a tunnel. */
const isCore = (key: NextHopKey): boolean => key.vrf === 0 && key.protection === 0;

/** A neighbour inside a VRF, as opposed to the core or the far end of a tunnel. */
const isGateway = (key: NextHopKey): boolean => key.vrf !== 0 && key.protection === 0;

function tunnelWay(ways: Ways, { address, protection }: NextHopKey): Way {
  const why = ways.ingress.why(protection);
  if (why !== undefined) return { kind: 'none', why };
  const tunnel = ways.ingress.tunnel(address, protection);
  if (tunnel === undefined) return { kind: 'none', why: 'its tunnel is not configured any more' };
  return {
    ...{ kind: 'tunnel', row: names.tunnel(tunnel.name) },
    rank: ways.ingress.rank(protection),
    strength: ways.ingress.strength(protection),
  };
}
