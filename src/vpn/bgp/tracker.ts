// SPDX-License-Identifier: Apache-2.0
/**
 * Whether next hops can be used: of VPN routes by the tunnel chosen for them, of a CE's routes by the
 * interface that reaches it. In the core every next hop counts as usable: routes of the core are told on,
 * not forwarded by.
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
import { formatAddress } from '../../lib/ip.js';
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
  | { readonly kind: 'none'; readonly why: string };

export interface TrackerEvents {
  changed(id: number, state: NextHopState): void;
  /** {@link Tracker.gateways} are others now. */
  gatewaysChanged(): void;
}

export const UNUSABLE: NextHopState = { usable: false, metric: 0, rank: 0 };

export class Tracker implements NextHopTracker {
  readonly #watched = new Map<number, { readonly key: NextHopKey; state: NextHopState }>();
  readonly #events: TrackerEvents;
  #ways: Ways | undefined;

  constructor(events: TrackerEvents) {
    this.#events = events;
  }

  watch(id: number, key: NextHopKey): NextHopState {
    const state = this.#state(key);
    this.#watched.set(id, { key, state });
    if (isGateway(key)) this.#events.gatewaysChanged();
    return state;
  }

  unwatch(id: number): void {
    const key = this.#watched.get(id)?.key;
    this.#watched.delete(id);
    if (key !== undefined && isGateway(key)) this.#events.gatewaysChanged();
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
    for (const [id, watched] of this.#watched) {
      const state = this.#state(watched.key);
      if (sameState(watched.state, state)) continue;
      watched.state = state;
      this.#events.changed(id, state);
    }
  }

  way(key: NextHopKey): Way {
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

  #state(key: NextHopKey): NextHopState {
    if (key.vrf === 0 && key.protection === 0) return { usable: true, metric: 0, rank: 0 };
    const way = this.way(key);
    if (way.kind === 'none') return UNUSABLE;
    if (way.kind === 'gateway') return { usable: true, metric: 0, rank: 0 };
    const up = this.#ways?.nexthop(way.row)?.version !== undefined;
    return { usable: up, metric: 0, rank: way.rank, strength: way.strength };
  }
}

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
