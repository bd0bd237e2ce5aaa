// SPDX-License-Identifier: Apache-2.0
/**
 * Core routing: which way the kernel of the core's namespace would send to an address.
 *
 * The kernel is asked (RTM_GETROUTE, RTM_F_FIB_MATCH) rather than imitated: rules, tables, metrics and
 * next-hop objects are its business. Of several next hops of equal cost the one with the lowest
 * (interface name, gateway) is taken, dead ones aside: a tunnel's packets share outer addresses anyway, and every
 * restart finds the same path.
 *
 * What is tracked is asked for again when a route that covers it, a link, an address, a rule or a
 * next-hop object changes. Link and address changes count because the kernel withdraws IPv4 routes
 * with them without saying so.
 */
import { covers, equalBytes, formatAddress, hostPrefix, type Prefix } from '../lib/ip.js';
import { RTM, RTN, RTNH_F } from './codec/constants.js';
import type { Link } from './codec/link.js';
import { decodeRoute, encodeMatchRoute, type Route, type RouteNextHop } from './codec/route.js';
import { errnoOf } from './errors.js';
import type { NamespaceMonitor } from './monitor.js';

export type Resolution =
  | {
      readonly kind: 'reachable';
      /** Output device by name and index. */
      readonly interface: string;
      readonly index: number;
      /** Address whose link address is needed: the gateway, or the destination when it is on the link. */
      readonly nextHop: Uint8Array;
      /** The route's: lower is nearer. Routes of other protocols' daemons carry theirs. */
      readonly metric: number;
      /** The route's preferred source, where it has one. */
      readonly source?: Uint8Array;
      /** The route's own MTU, where it has one; else the interface's counts. */
      readonly mtu?: number;
    }
  | { readonly kind: 'local' }
  | { readonly kind: 'unreachable'; readonly reason: string };

interface Tracked {
  readonly destination: Uint8Array;
  readonly host: Prefix;
  readonly onChange: (resolution: Resolution) => void;
  last: Resolution | undefined;
  /** Asked, and a change has come since: ask once more. */
  asking: boolean;
  stale: boolean;
}

export class CoreRoutes {
  readonly #monitor: NamespaceMonitor;
  readonly #onError: (error: unknown) => void;
  readonly #tracked = new Set<Tracked>();
  readonly #stopListening: () => void;
  #scheduled = false;

  constructor(monitor: NamespaceMonitor, options: { onError: (error: unknown) => void }) {
    this.#monitor = monitor;
    this.#onError = options.onError;
    const all = (): void => {
      this.#invalidate();
    };
    this.#stopListening = monitor.listen({
      route: (route) => {
        this.#invalidate(route?.destination);
      },
      link: all,
      address: all,
    });
  }

  /** Asks once. `destination` is 4 or 16 bytes. Rejects only when netlink itself fails. */
  async resolve(destination: Uint8Array): Promise<Resolution> {
    const what = `find a route to ${formatAddress(destination)}`;
    try {
      const query = encodeMatchRoute(destination);
      const answer = await this.#monitor.netlink.get(RTM.GETROUTE, query, what);
      const route = answer && decodeRoute(answer.payload);
      if (route === undefined) return unreachable('the kernel gave no route');
      return this.#interpret(route, destination);
    } catch (error) {
      const reason = refusals.get(errnoOf(error) ?? '');
      if (reason === undefined) throw error;
      return unreachable(reason);
    }
  }

  /**
   * Reports the way to a destination now and whenever it becomes another. Returns a function that ends it.
   */
  track(destination: Uint8Array, onChange: (resolution: Resolution) => void): () => void {
    const host = hostPrefix(destination);
    if (host === undefined) throw new RangeError('an address has 4 or 16 bytes');
    const tracked: Tracked = {
      ...{ destination, host, onChange },
      ...{ last: undefined, asking: false, stale: true },
    };
    this.#tracked.add(tracked);
    this.#schedule();
    return () => this.#tracked.delete(tracked);
  }

  close(): void {
    this.#tracked.clear();
    this.#stopListening();
  }

  #interpret(route: Route, destination: Uint8Array): Resolution {
    if (route.type === RTN.LOCAL) return { kind: 'local' };
    if (route.type !== RTN.UNICAST) {
      return unreachable(typeNames.get(route.type) ?? `route of type ${route.type}`);
    }
    const chosen = liveHop(this.#monitor, route);
    if (chosen === undefined) return unreachable('every next hop is down');
    const { source, mtu, metric } = route;
    return {
      kind: 'reachable',
      interface: chosen.link.name,
      index: chosen.link.index,
      nextHop: chosen.hop.gateway ?? destination,
      metric,
      ...(source === undefined ? {} : { source }),
      ...(mtu === undefined ? {} : { mtu }),
    };
  }

  #invalidate(changed?: Prefix): void {
    for (const tracked of this.#tracked) {
      if (changed === undefined || covers(changed, tracked.host)) tracked.stale = true;
    }
    this.#schedule();
  }

  /** Changes come in bursts: one round of questions follows a whole burst. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      for (const tracked of this.#tracked) {
        if (tracked.stale && !tracked.asking) void this.#ask(tracked);
      }
    });
  }

  async #ask(tracked: Tracked): Promise<void> {
    tracked.asking = true;
    tracked.stale = false;
    try {
      const resolution = await this.resolve(tracked.destination);
      if (!this.#tracked.has(tracked)) return;
      if (tracked.last === undefined || !sameResolution(tracked.last, resolution)) {
        tracked.last = resolution;
        tracked.onChange(resolution);
      }
    } catch (error) {
      if (this.#tracked.has(tracked)) this.#onError(error);
    } finally {
      tracked.asking = false;
      this.#again(tracked);
    }
  }

  /** A round that came while it was asked for has passed it over; each of the others has its round to come. */
  #again(tracked: Tracked): void {
    if (tracked.stale && this.#tracked.has(tracked)) this.#schedule();
  }
}

const refusals = new Map([
  ['ENETUNREACH', 'no route'],
  ['EHOSTUNREACH', 'unreachable route'],
  ['EACCES', 'prohibit route'],
  ['EINVAL', 'blackhole route'],
]);

const typeNames = new Map<number, string>([
  [RTN.BROADCAST, 'broadcast address'],
  [RTN.ANYCAST, 'anycast address'],
  [RTN.MULTICAST, 'multicast address'],
  [RTN.BLACKHOLE, 'blackhole route'],
  [RTN.UNREACHABLE, 'unreachable route'],
  [RTN.PROHIBIT, 'prohibit route'],
]);

function unreachable(reason: string): Resolution {
  return { kind: 'unreachable', reason };
}

/** Next hops that are not dead; of these the ones with a carrier, if there are any. */
function preferred(hops: readonly RouteNextHop[]): readonly RouteNextHop[] {
  const living = hops.filter(({ flags }) => (flags & RTNH_F.DEAD) === 0);
  const connected = living.filter(({ flags }) => (flags & RTNH_F.LINKDOWN) === 0);
  return connected.length > 0 ? connected : living;
}

interface Hop {
  readonly hop: RouteNextHop;
  readonly link: Link;
}

/** The next hop of a route that is used; undefined: none is alive. */
export function liveHop(monitor: NamespaceMonitor, route: Route): Hop | undefined {
  const hops = route.nextHops.flatMap((hop): Hop[] => {
    const link = monitor.link(hop.index);
    return link ? [{ hop, link }] : [];
  });
  const alive = preferred(hops.map(({ hop }) => hop));
  return hops.filter(({ hop }) => alive.includes(hop)).sort(compareHops)[0];
}

function compareHops(a: Hop, b: Hop): number {
  if (a.link.name !== b.link.name) return a.link.name < b.link.name ? -1 : 1;
  const none = new Uint8Array(0);
  return Buffer.compare(a.hop.gateway ?? none, b.hop.gateway ?? none);
}

function sameResolution(a: Resolution, b: Resolution): boolean {
  if (a.kind === 'reachable' && b.kind === 'reachable') {
    return (
      a.index === b.index &&
      a.interface === b.interface &&
      a.mtu === b.mtu &&
      a.metric === b.metric &&
      equalBytes(a.nextHop, b.nextHop) &&
      equalBytes(a.source ?? a.nextHop, b.source ?? b.nextHop) &&
      (a.source === undefined) === (b.source === undefined)
    );
  }
  if (a.kind === 'unreachable' && b.kind === 'unreachable') return a.reason === b.reason;
  return a.kind === b.kind;
}
