// SPDX-License-Identifier: Apache-2.0
/**
 * Routes that others put into a namespace's main table: routing daemons and administrators.
 *
 * The table is read whole after a change: which of several routes of a prefix is left, and what a replaced,
 * appended or silently withdrawn one leaves behind, is the kernel's business. Bursts are one reading, and
 * readings take a tenth of the time at most, so that a large table in motion does not hold up anything else.
 */
import { formatPrefix, type Prefix } from '../lib/ip.js';
import { RT_TABLE, RTN } from './codec/constants.js';
import type { Route } from './codec/route.js';
import { readRoutes } from './device.js';
import type { NamespaceMonitor } from './monitor.js';
import { liveHop } from './routes.js';

export interface LearntRoute {
  /** Host bits zero. */
  readonly prefix: Prefix;
  /** Device by name. */
  readonly interface: string;
  /** Of the prefix's family, perhaps link-local. */
  readonly gateway: Uint8Array;
}

export interface LearntRouteOptions {
  /** Routes by these devices are our own. */
  readonly ownDevices: readonly string[];
  readonly onChange: () => void;
  readonly onError: (error: unknown) => void;
}

/** linux/rtnetlink.h: REDIRECT, KERNEL (connected subnets and the like) and RA are not routes of a daemon. */
const RTPROT_KERNEL_MADE: ReadonlySet<number> = new Set([1, 2, 9]);
/** A burst is over when nothing has come for so long, ms. */
const BURST_MS = 10;
/** Readings wait so many times as long as the last one took. */
const SPACING = 9;
const FAMILIES = [4, 6] as const;

export class LearntRoutes {
  readonly #monitor: NamespaceMonitor;
  readonly #options: LearntRouteOptions;
  readonly #stopListening: () => void;
  #current: readonly LearntRoute[] = [];
  #text = '';
  #timer: NodeJS.Timeout | undefined;
  #reading = false;
  /** Something has changed since the reading began. */
  #stale = false;
  #spacing = 0;
  #closed = false;

  private constructor(monitor: NamespaceMonitor, options: LearntRouteOptions) {
    this.#monitor = monitor;
    this.#options = options;
    const changed = (): void => {
      this.#changed();
    };
    // IPv4 routes go with links and addresses without a notification of their own.
    this.#stopListening = monitor.listen({ route: changed, link: changed, address: changed });
  }

  /** Resolves when the table has been read once. */
  static async open(monitor: NamespaceMonitor, options: LearntRouteOptions): Promise<LearntRoutes> {
    const routes = new LearntRoutes(monitor, options);
    await routes.#read();
    return routes;
  }

  /** One for each prefix, in no order. The same array while nothing changes. */
  current(): readonly LearntRoute[] {
    return this.#current;
  }

  close(): void {
    this.#closed = true;
    this.#stopListening();
    clearTimeout(this.#timer);
  }

  #changed(): void {
    this.#stale = true;
    if (this.#reading || this.#closed || this.#timer !== undefined) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        void this.#read();
      },
      Math.max(BURST_MS, this.#spacing),
    );
  }

  async #read(): Promise<void> {
    this.#reading = true;
    this.#stale = false;
    const begin = performance.now();
    try {
      const all: (readonly Route[])[] = [];
      for (const family of FAMILIES) all.push(await readRoutes(this.#monitor.netlink, family));
      // A table may have any number of routes: too many for the arguments of one call.
      this.#take(all.flat());
    } catch (error) {
      if (!this.#closed) this.#options.onError(error);
    } finally {
      this.#spacing = SPACING * (performance.now() - begin);
      this.#reading = false;
      if (this.#isStale()) this.#changed();
    }
  }

  #isStale(): boolean {
    return this.#stale;
  }

  #take(all: readonly Route[]): void {
    if (this.#closed) return;
    const best = new Map<string, Route>();
    for (const route of all) {
      if (route.table !== RT_TABLE.MAIN) continue;
      const key = formatPrefix(route.destination);
      const known = best.get(key);
      if (known === undefined || route.metric < known.metric) best.set(key, route);
    }
    const found = [...best.values()].flatMap((route) => this.#learnt(route));
    const text = found
      .map(
        ({ prefix, interface: name, gateway }) =>
          `${formatPrefix(prefix)} ${name} ${gateway.join('.')}`,
      )
      .sort()
      .join('\n');
    if (text === this.#text) return;
    this.#text = text;
    this.#current = found;
    this.#options.onChange();
  }

  /** Only what the kernel itself would use counts: a route hidden by one of ours is none. */
  #learnt(route: Route): LearntRoute[] {
    if (route.type !== RTN.UNICAST || RTPROT_KERNEL_MADE.has(route.protocol)) return [];
    const hop = liveHop(this.#monitor, route);
    const { destination: prefix } = route;
    if (hop === undefined || this.#options.ownDevices.includes(hop.link.name)) return [];
    const { gateway } = hop.hop;
    // An IPv6 gateway of an IPv4 route (RFC 8950) is no neighbour that the packet path could name.
    if (gateway?.length !== prefix.address.length) return [];
    return [{ prefix, interface: hop.link.name, gateway }];
  }
}
