// SPDX-License-Identifier: Apache-2.0
/**
 * What the kernel of one namespace has: links, addresses and neighbours, kept current by netlink.
 *
 * Routes are not kept: routes.ts asks the kernel, which knows rules, metrics and next-hop objects;
 * here is only said that they changed. After lost notifications everything is read again; what has
 * vanished meanwhile is reported as removed, so listeners need no special case.
 */
import { formatAddress } from '../lib/ip.js';
import type { Kernel } from '../lib/kernel-api.js';
import { decodeAddress, encodeGetAddresses, type InterfaceAddress } from './codec/address.js';
import { RTM, RTNLGRP } from './codec/constants.js';
import { decodeLink, encodeGetLink, type Link } from './codec/link.js';
import type { NetlinkMessage } from './codec/message.js';
import { decodeNeighbour, encodeGetNeighbours, type Neighbour } from './codec/neighbour.js';
import { decodeRoute, type Route } from './codec/route.js';
import { KernelPartError } from './errors.js';
import { Netlink } from './netlink.js';

/** Listeners get the entry as it is now, or as it was last when `removed`. */
export interface MonitorListener {
  readonly link?: (link: Link, removed: boolean) => void;
  readonly address?: (address: InterfaceAddress, removed: boolean) => void;
  readonly neighbour?: (neighbour: Neighbour, removed: boolean) => void;
  /** One route came or went; undefined: any may have (rules, next-hop objects, lost notifications). */
  readonly route?: (route: Route | undefined) => void;
  /** Monitoring has ended: the socket failed. Nothing is current any more. */
  readonly closed?: (reason: string) => void;
}

const GROUPS = [
  ...[RTNLGRP.LINK, RTNLGRP.NEIGH, RTNLGRP.IPV4_IFADDR, RTNLGRP.IPV6_IFADDR],
  ...[RTNLGRP.IPV4_ROUTE, RTNLGRP.IPV6_ROUTE, RTNLGRP.IPV4_RULE, RTNLGRP.IPV6_RULE],
  RTNLGRP.NEXTHOP,
];

/** A table of the kernel's and which synchronisation last saw each entry. */
class Table<T> {
  readonly entries = new Map<string, { value: T; seen: number }>();
  readonly #key: (value: T) => string;
  readonly #notify: (value: T, removed: boolean) => void;

  constructor(key: (value: T) => string, notify: (value: T, removed: boolean) => void) {
    this.#key = key;
    this.#notify = notify;
  }

  put(value: T, generation: number): void {
    this.entries.set(this.#key(value), { value, seen: generation });
    this.#notify(value, false);
  }

  remove(value: T): void {
    if (this.entries.delete(this.#key(value))) this.#notify(value, true);
  }

  /** Removes what the synchronisation `generation` has not seen. */
  sweep(generation: number): void {
    for (const { value, seen } of [...this.entries.values()]) {
      if (seen !== generation) this.remove(value);
    }
  }
}

const neighbourKey = (index: number, address: Uint8Array): string =>
  `${index}|${formatAddress(address)}`;

export class NamespaceMonitor {
  readonly netlink: Netlink;
  readonly #listeners = new Set<MonitorListener>();
  readonly #links = new Table<Link>(
    (link) => String(link.index),
    (link, removed) => {
      this.#tell((listener) => listener.link?.(link, removed));
    },
  );
  readonly #addresses = new Table<InterfaceAddress>(
    ({ index, prefix }) => `${index}|${formatAddress(prefix.address)}/${prefix.length}`,
    (address, removed) => {
      this.#tell((listener) => listener.address?.(address, removed));
    },
  );
  readonly #neighbours = new Table<Neighbour>(
    ({ index, address }) => neighbourKey(index, address),
    (neighbour, removed) => {
      this.#tell((listener) => listener.neighbour?.(neighbour, removed));
    },
  );
  #generation = 0;
  #running: Promise<void> | undefined;
  /** How often a synchronisation has been asked for. */
  #wanted = 0;

  private constructor(kernel: Kernel, netns: number) {
    this.netlink = new Netlink(kernel, netns, GROUPS, {
      onEvent: (message) => {
        this.#apply(message);
      },
      onOverrun: () => {
        // A failure shows as onClose, or in what the next caller of resync() gets.
        this.resync().catch(() => undefined);
      },
      onClose: (reason) => {
        this.#tell((listener) => listener.closed?.(reason));
      },
    });
  }

  /** Starts monitoring; resolves when everything has been read once. `netns` stays the caller's. */
  static async open(kernel: Kernel, netns: number): Promise<NamespaceMonitor> {
    const monitor = new NamespaceMonitor(kernel, netns);
    try {
      await monitor.resync();
    } catch (error) {
      monitor.close();
      throw error;
    }
    return monitor;
  }

  /** Returns a function that ends the listening. Present entries are not repeated. */
  listen(listener: MonitorListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  links(): readonly Link[] {
    return values(this.#links);
  }

  link(key: string | number): Link | undefined {
    if (typeof key === 'number') return this.#links.entries.get(String(key))?.value;
    for (const { value } of this.#links.entries.values()) if (value.name === key) return value;
    return undefined;
  }

  /** The device of that name; throws NO_INTERFACE. */
  mustLink(name: string): Link {
    const link = this.link(name);
    if (link === undefined) {
      throw new KernelPartError('NO_INTERFACE', `no network interface ${name} in this namespace`);
    }
    return link;
  }

  addresses(index: number): readonly InterfaceAddress[] {
    return values(this.#addresses).filter((address) => address.index === index);
  }

  neighbours(): readonly Neighbour[] {
    return values(this.#neighbours);
  }

  neighbour(index: number, address: Uint8Array): Neighbour | undefined {
    return this.#neighbours.entries.get(neighbourKey(index, address))?.value;
  }

  /** Reads everything again. Calls during a run have one more run follow it. */
  async resync(): Promise<void> {
    this.#wanted += 1;
    this.#running ??= this.#syncUntilStill();
    return this.#running;
  }

  close(): void {
    this.#listeners.clear();
    this.netlink.close();
  }

  async #syncUntilStill(): Promise<void> {
    try {
      for (let done = 0; done < this.#wanted;) {
        done = this.#wanted;
        await this.#sync();
      }
    } finally {
      this.#running = undefined;
    }
  }

  async #sync(): Promise<void> {
    const restart = (): void => {
      this.#generation += 1;
    };
    const handler = {
      onMessage: (message: NetlinkMessage): void => {
        this.#apply(message);
      },
      onRestart: restart,
    };
    restart();
    await this.netlink.dump(RTM.GETLINK, encodeGetLink(), 'read interfaces', handler);
    this.#links.sweep(this.#generation);
    restart();
    await this.netlink.dump(RTM.GETADDR, encodeGetAddresses(), 'read addresses', handler);
    this.#addresses.sweep(this.#generation);
    restart();
    await this.netlink.dump(RTM.GETNEIGH, encodeGetNeighbours(), 'read neighbours', handler);
    this.#neighbours.sweep(this.#generation);
    this.#tell((listener) => listener.route?.(undefined));
  }

  #apply({ type, payload }: NetlinkMessage): void {
    switch (type) {
      case RTM.NEWLINK:
      case RTM.DELLINK:
        apply(this.#links, decodeLink(payload), type === RTM.DELLINK, this.#generation);
        return;
      case RTM.NEWADDR:
      case RTM.DELADDR:
        apply(this.#addresses, decodeAddress(payload), type === RTM.DELADDR, this.#generation);
        return;
      case RTM.NEWNEIGH:
      case RTM.DELNEIGH:
        apply(this.#neighbours, decodeNeighbour(payload), type === RTM.DELNEIGH, this.#generation);
        return;
      case RTM.NEWROUTE:
      case RTM.DELROUTE: {
        const route = decodeRoute(payload);
        if (route) this.#tell((listener) => listener.route?.(route));
        return;
      }
      default: // rules and next-hop objects
        this.#tell((listener) => listener.route?.(undefined));
    }
  }

  #tell(what: (listener: MonitorListener) => void): void {
    for (const listener of [...this.#listeners]) what(listener);
  }
}

function values<T>(table: Table<T>): T[] {
  return [...table.entries.values()].map(({ value }) => value);
}

function apply<T>(
  table: Table<T>,
  value: T | undefined,
  removed: boolean,
  generation: number,
): void {
  if (value === undefined) return;
  if (removed) table.remove(value);
  else table.put(value, generation);
}
