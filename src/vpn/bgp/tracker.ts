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
import type { ForwardingModel, InterfaceModel, VrfModel } from '../../forwarding/model.js';
import { gatewayOf, type GatewayModel } from '../../forwarding/model.js';
import * as names from '../../forwarding/names.js';
import type { DesiredNexthop } from '../../forwarding/rows.js';
import {
  bitsOf,
  equalBytes,
  formatAddress,
  isLinkLocal,
  lastAddress,
  networkOf,
} from '../../lib/ip.js';
import type { TunnelKind, TunnelSet } from '../tunnel-set.js';
import { CHOICES, type Ingress, type TunnelChoice } from './ingress.js';

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
  /** Tunnel that is there for it. */
  held?: TunnelKind;
}

type Tunnels = Pick<TunnelSet, 'hold' | 'release' | 'find' | 'why' | 'rooms'>;

/**
 * Next hops on one interface that routes may have. Each is a row and a neighbour that the kernel keeps asking
 * for, and a CE may name any address of the subnet: of a /64 it would never come to an end.
 */
export const MOST_GATEWAYS = 4096;

export class Tracker implements NextHopTracker {
  readonly #watched = new Map<number, Watched>();
  /** Next hops that ask for a tunnel, by its far end in text. */
  readonly #byRemote = new Map<string, Set<number>>();
  /** Rows of the next hops that are within the bound, by interface. */
  readonly #admitted = new Map<string, Set<string>>();
  readonly #events: TrackerEvents;
  readonly #watchCore: WatchCore;
  readonly #tunnels: Tunnels;
  /** Next hops for whose tunnel there was no room, and since which of {@link TunnelSet.rooms} all of them have none. */
  readonly #refused = new Set<number>();
  #rooms = 0;
  /** By address in text. */
  readonly #core = new Map<string, CoreWay>();
  #ways: Ways | undefined;

  constructor(events: TrackerEvents, watchCore: WatchCore, tunnels: Tunnels) {
    this.#events = events;
    this.#watchCore = watchCore;
    this.#tunnels = tunnels;
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
    this.#admit(key);
    const watched: Watched = { key, state: UNUSABLE };
    this.#watched.set(id, watched);
    this.#index(id, key);
    this.#hold(id, watched);
    const state = this.#state(key);
    watched.state = state;
    if (isGateway(key)) this.#events.gatewaysChanged();
    return state;
  }

  #index(id: number, { address, protection }: NextHopKey): void {
    if (protection === 0) return;
    const remote = formatAddress(address);
    const ids = this.#byRemote.get(remote);
    if (ids === undefined) this.#byRemote.set(remote, new Set([id]));
    else ids.add(id);
  }

  #unindex(id: number, { address, protection }: NextHopKey): void {
    if (protection === 0) return;
    const remote = formatAddress(address);
    const ids = this.#byRemote.get(remote);
    ids?.delete(id);
    if (ids?.size === 0) this.#byRemote.delete(remote);
  }

  #hold(id: number, watched: Watched): void {
    const kind = this.#kindOf(watched.key);
    if (kind === undefined) return;
    if (this.#tunnels.hold(kind)) {
      watched.held = kind;
      this.#refused.delete(id);
    } else {
      this.#refused.add(id);
    }
  }

  /** Those that found no room may find some now, the longest waiting first. */
  #holdRefused(): void {
    const { rooms } = this.#tunnels;
    if (rooms === this.#rooms) return;
    this.#rooms = rooms;
    for (const id of [...this.#refused]) {
      const watched = this.#watched.get(id);
      if (watched !== undefined) this.#hold(id, watched);
    }
  }

  unwatch(id: number): void {
    this.#refused.delete(id);
    const { key, stop, held } = this.#watched.get(id) ?? {};
    this.#watched.delete(id);
    if (key === undefined) return;
    stop?.();
    this.#unindex(id, key);
    if (held !== undefined) this.#tunnels.release(held);
    if (isCore(key)) this.#core.delete(formatAddress(key.address));
    if (!isGateway(key)) return;
    const found = this.#gateway(key);
    if (typeof found !== 'string') this.#admitted.get(found.gateway.interface)?.delete(found.row);
    this.#events.gatewaysChanged();
  }

  /** Nothing is followed any more. */
  close(): void {
    for (const { stop, held } of this.#watched.values()) {
      stop?.();
      if (held !== undefined) this.#tunnels.release(held);
    }
    this.#watched.clear();
    this.#byRemote.clear();
    this.#refused.clear();
  }

  #admit(key: NextHopKey): void {
    const found = isGateway(key) ? this.#gateway(key) : '';
    if (typeof found === 'string') return;
    const { interface: name } = found.gateway;
    const rows = this.#admitted.get(name) ?? new Set<string>();
    this.#admitted.set(name, rows);
    if (rows.size < MOST_GATEWAYS) rows.add(found.row);
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
    // From the beginning: interfaces may be others now, and those that found no room may find some.
    this.#admitted.clear();
    for (const { key } of this.#watched.values()) this.#admit(key);
    this.#holdRefused();
    for (const [id, { key }] of this.#watched) if (!isCore(key)) this.#look(id);
  }

  /** Tunnels to these far ends, in text, went up or down, and nothing else has changed: tells what differs. */
  lookAt(remotes: Iterable<string>): void {
    for (const remote of remotes) {
      for (const id of this.#byRemote.get(remote) ?? []) this.#look(id);
    }
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
    if (key.protection !== 0) return this.#tunnelWay(ways, key);
    const found = this.#gateway(key);
    if (typeof found === 'string') return { kind: 'none', why: found };
    const { interface: name } = found.gateway;
    if (this.#admitted.get(name)?.has(found.row) === true) return found;
    const why = `routes have more than ${MOST_GATEWAYS} next hops on interface ${name}`;
    return { kind: 'none', why };
  }

  /** Or why there is none. */
  #gateway({ vrf: id, address }: NextHopKey): Extract<Way, { kind: 'gateway' }> | string {
    const name = this.#ways?.vrfName(id) ?? '';
    const vrf = this.#ways?.model.vrfs.get(name);
    const out = gatewayOf(vrf?.interfaces ?? [], address, undefined);
    const text = formatAddress(address);
    if (vrf === undefined || out === undefined) {
      return `no interface of VRF ${name} reaches ${text}`;
    }
    if (isOurs(vrf, address)) return `${text} is an address of our own`;
    if (isNoHost(out, address)) return `${text} is no host's address`;
    const gateway = { vrf: name, interface: out.name, address };
    return { kind: 'gateway', row: names.adjacency(gateway), gateway };
  }

  /** The tunnel that a next hop asks for; undefined: none, or there is no way. */
  #kindOf({ address, protection }: NextHopKey): TunnelKind | undefined {
    const meaning = protection === 0 ? undefined : this.#ways?.ingress.meaning(protection);
    return meaning && { remote: address, ...meaning };
  }

  #tunnelWay({ ingress }: Ways, key: NextHopKey): Way {
    const { protection } = key;
    const why = ingress.why(protection);
    if (why !== undefined) return { kind: 'none', why };
    const kind = this.#kindOf(key);
    const tunnel = kind && this.#tunnels.find(kind);
    if (kind === undefined || tunnel === undefined) {
      return { kind: 'none', why: kind ? this.#tunnels.why(kind) : 'no way is chosen' };
    }
    return {
      ...{ kind: 'tunnel', row: names.tunnel(tunnel.name) },
      ...{ rank: ingress.rank(protection), strength: ingress.strength(protection) },
    };
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
    // A tunnel that a route has just made is in no table yet: it is as one whose SA is still to come.
    const usable = row === undefined || isUsable(row);
    // Between ways of one strength that is up wins; a stronger one that comes up goes before all the same.
    const waits = usable && this.isWaiting(way.row);
    return { usable, metric, rank: waits ? way.rank - 0.5 : way.rank, strength: way.strength };
  }

  /** Whether a tunnel's SA, or the tunnel itself, is still to come. `row`: its row's name. */
  isWaiting(row: string): boolean {
    const found = this.#ways?.nexthop(row);
    return found === undefined || (found.sa !== undefined && found.sa !== 'up');
  }

  /** Whether some tunnel that routes lead to may still get an SA, or has yet to be made. */
  get pending(): boolean {
    for (const { key, held } of this.#watched.values()) {
      const way = held === undefined ? undefined : this.way(key);
      if (way?.kind !== 'tunnel') continue;
      if (this.isWaiting(way.row) && this.#ways?.nexthop(way.row)?.sa !== 'failed') return true;
    }
    return false;
  }

  /** Tunnels that there are to an address: what each is, and its row if packets can leave by it now. */
  *tunnelsTo(address: Uint8Array): Generator<TunnelChoice & { readonly row: string }> {
    for (const choice of CHOICES) {
      const tunnel = this.#tunnels.find({ remote: address, ...choice });
      const row = tunnel && names.tunnel(tunnel.name);
      if (row === undefined || this.isWaiting(row) || !isUsable(this.#ways?.nexthop(row))) continue;
      yield { ...choice, row };
    }
  }

  /** As {@link Ingress.whileWaiting}. */
  whileWaiting(choice: number, old: TunnelChoice): ReturnType<Ingress['whileWaiting']> {
    return this.#ways?.ingress.whileWaiting(choice, old);
  }
}

/** policy-model 11: a tunnel may be used while its SA is still to come, not when there is none to be had. */
export const isUsable = (row: DesiredNexthop | undefined): boolean =>
  row?.version !== undefined && row.sa !== 'failed';

/** In the core's own table, not the far end of a tunnel. */
const isCore = (key: NextHopKey): boolean => key.vrf === 0 && key.protection === 0;

/** A neighbour inside a VRF, as opposed to the core or the far end of a tunnel. */
const isGateway = (key: NextHopKey): boolean => key.vrf !== 0 && key.protection === 0;

/** RFC 4271 §5.1.3: a route that says to come back to us leads nowhere. */
const isOurs = (vrf: VrfModel, address: Uint8Array): boolean =>
  [...vrf.addresses, ...vrf.interfaces.flatMap(({ addresses }) => addresses)].some((own) =>
    equalBytes(own.address, address),
  );

/** The subnet's own address, or its broadcast address; not of /31 and /127 (RFC 3021, RFC 6164). */
function isNoHost({ addresses }: Pick<InterfaceModel, 'addresses'>, address: Uint8Array): boolean {
  return addresses.some((own) => {
    if (bitsOf(own.family) - own.length < 2) return false;
    const broadcast = own.family === 4 && equalBytes(lastAddress(own), address);
    return broadcast || equalBytes(networkOf(own).address, address);
  });
}
