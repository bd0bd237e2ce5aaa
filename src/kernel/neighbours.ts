// SPDX-License-Identifier: Apache-2.0
/**
 * Neighbours of a namespace: which link address each (interface, address) has, and keeping those
 * resolved that next hops need.
 *
 * The fast path refreshes nothing, so the kernel must: a *managed* neighbour (NTF_EXT_MANAGED, Linux 5.16)
 * is probed every interval_probe_time_ms, in use or not. An older kernel ignores the flag without a word; it
 * is then asked to resolve again at the same pace. A *permanent* one is an operator's, and left alone: to be asked for it would
 * make the kernel forget that it is permanent.
 */
import { equalBytes, formatAddress } from '../lib/ip.js';
import { NLM_F, NUD, RTM } from './codec/constants.js';
import {
  decodeNeighbour,
  encodeDeleteNeighbour,
  encodeGetNeighbour,
  encodeResolve,
  isUsable,
  type Neighbour,
} from './codec/neighbour.js';
import type { Link } from './codec/link.js';
import { errnoOf } from './errors.js';
import type { NamespaceMonitor } from './monitor.js';

export interface NeighbourEntry {
  readonly interface: string;
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  /** Present when the address may be sent to. */
  readonly mac?: Uint8Array;
  /** "reachable", "stale", "failed" and so on, for people. */
  readonly state: string;
}

export interface NeighbourWatcherOptions {
  /** The link address of an entry, or whether it has a usable one, has changed. */
  readonly onChange: (entry: NeighbourEntry) => void;
  /** A request failed for a reason that does not pass by itself. */
  readonly onError: (error: unknown) => void;
  /** How often entries are seen to that the kernel does not manage. Default 5000. */
  readonly refreshMs?: number;
}

interface Managed {
  readonly interface: string;
  readonly address: Uint8Array;
  /** The kernel has confirmed that it manages the entry, or somebody has made it a permanent one. */
  managed: boolean;
  /** When it was last asked for, ms. */
  asked: number;
}

/** An entry that vanishes right after it was asked for waits for the next round. */
const ASK_AGAIN_MS = 1000;

const stateNames = new Map<number, string>(
  Object.entries(NUD).map(([name, bit]) => [bit, name.toLowerCase()]),
);
const PERMANENT = stateNames.get(NUD.PERMANENT);
const keyOf = (name: string, address: Uint8Array): string => `${name}|${formatAddress(address)}`;

export class NeighbourWatcher {
  readonly #monitor: NamespaceMonitor;
  readonly #options: NeighbourWatcherOptions;
  readonly #managed = new Map<string, Managed>();
  /** Link addresses as last reported. */
  readonly #reported = new Map<string, NeighbourEntry>();
  readonly #links = new Map<number, { readonly name: string; readonly ready: boolean }>();
  readonly #stopListening: () => void;
  readonly #timer: NodeJS.Timeout;
  #closed = false;

  constructor(monitor: NamespaceMonitor, options: NeighbourWatcherOptions) {
    this.#monitor = monitor;
    this.#options = options;
    this.#stopListening = monitor.listen({
      neighbour: (neighbour, removed) => {
        this.#changed(neighbour, removed);
      },
      link: (link, removed) => {
        this.#linkChanged(link, removed);
      },
    });
    for (const link of monitor.links()) this.#linkChanged(link, false);
    for (const neighbour of monitor.neighbours()) this.#changed(neighbour, false);
    this.#timer = setInterval(() => {
      this.#refresh();
    }, options.refreshMs ?? 5000);
    this.#timer.unref();
  }

  /** Everything usable, and what has failed. */
  entries(): readonly NeighbourEntry[] {
    return [...this.#reported.values()];
  }

  lookup(interfaceName: string, address: Uint8Array): NeighbourEntry | undefined {
    return this.#reported.get(keyOf(interfaceName, address));
  }

  /** Has the kernel resolve the address now and keep it resolved, until {@link unmanage}. */
  manage(interfaceName: string, address: Uint8Array): void {
    const key = keyOf(interfaceName, address);
    if (this.#managed.has(key)) return;
    const entry: Managed = { interface: interfaceName, address, managed: false, asked: 0 };
    this.#managed.set(key, entry);
    this.#resolve(entry);
  }

  /** The kernel's entry goes too, but a permanent one: nobody is known to need it. */
  unmanage(interfaceName: string, address: Uint8Array): void {
    const link = this.#monitor.link(interfaceName);
    const wasManaged = this.#managed.delete(keyOf(interfaceName, address));
    if (!wasManaged || link === undefined || this.#isPermanent(interfaceName, address)) return;
    const payload = encodeDeleteNeighbour(link.index, address);
    this.#monitor.netlink
      .request(RTM.DELNEIGH, 0, payload, `delete neighbour ${formatAddress(address)}`)
      .catch((error: unknown) => {
        // Gone already, by itself or with its device, of which we have yet to hear.
        if (!['ENOENT', 'ENODEV'].includes(errnoOf(error) ?? '')) this.#failed(error);
      });
  }

  /** Resolve once, if it is not known: a packet met an on-link destination (ResolveNeighbour). */
  probe(interfaceName: string, address: Uint8Array): void {
    const managed = this.#managed.get(keyOf(interfaceName, address));
    if (this.lookup(interfaceName, address)?.mac !== undefined) return;
    if (managed) this.#resolve(managed);
    else this.#resolve({ interface: interfaceName, address, managed: false, asked: 0 }, true);
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#stopListening();
  }

  #failed(error: unknown): void {
    if (!this.#closed) this.#options.onError(error);
  }

  /** `once`: leave it to the kernel afterwards. */
  #resolve(entry: Managed, once = false): void {
    this.#tryResolve(entry, once).catch((error: unknown) => {
      // The device is down, has no address of that family, or went away: its next change tries again.
      const passing = ['ENETDOWN', 'ENODEV', 'EINVAL', 'ENOENT'];
      if (!passing.includes(errnoOf(error) ?? '')) this.#failed(error);
    });
  }

  async #tryResolve(entry: Managed, once: boolean): Promise<void> {
    const { netlink } = this.#monitor;
    const link = this.#monitor.link(entry.interface);
    if (link?.up !== true) return;
    if (this.#isPermanent(entry.interface, entry.address)) {
      entry.managed = true;
      return;
    }
    entry.asked = Date.now();
    const what = `resolve ${formatAddress(entry.address)} on ${entry.interface}`;
    const payload = encodeResolve(link.index, entry.address, !once);
    await netlink.request(RTM.NEWNEIGH, NLM_F.CREATE | NLM_F.REPLACE, payload, what);
    if (once) return;
    const question = encodeGetNeighbour(link.index, entry.address);
    const answer = await netlink.get(RTM.GETNEIGH, question, what);
    entry.managed = answer !== undefined && decodeNeighbour(answer.payload)?.managed === true;
  }

  #isPermanent(interfaceName: string, address: Uint8Array): boolean {
    return this.lookup(interfaceName, address)?.state === PERMANENT;
  }

  #refresh(): void {
    for (const entry of this.#managed.values()) if (!entry.managed) this.#resolve(entry);
  }

  #linkChanged(link: Link, removed: boolean): void {
    const before = this.#links.get(link.index);
    const ready = link.up && link.carrier;
    if (removed) this.#links.delete(link.index);
    else this.#links.set(link.index, { name: link.name, ready });
    // The notification of the link may come before those of its neighbours; a new name is a new link.
    if (before && (removed || before.name !== link.name)) this.#forget(before.name);
    if (removed || !ready || before?.ready === true) return;
    for (const entry of this.#managed.values()) {
      if (entry.interface === link.name) this.#resolve(entry);
    }
  }

  #forget(interfaceName: string): void {
    for (const [key, entry] of [...this.#reported]) {
      const gone = { interface: interfaceName, address: entry.address, state: 'gone' };
      if (entry.interface === interfaceName) this.#report(key, gone, true);
    }
  }

  #changed(neighbour: Neighbour, removed: boolean): void {
    const { address, state } = neighbour;
    const name = this.#monitor.link(neighbour.index)?.name;
    // Entries without resolution are multicast, broadcast and own addresses: nobody's next hop.
    if (name === undefined || (state & NUD.NOARP) !== 0) return;
    const key = keyOf(name, address);
    const usable = !removed && isUsable(neighbour);
    const entry: NeighbourEntry = {
      interface: name,
      address,
      ...(usable && neighbour.mac ? { mac: neighbour.mac } : {}),
      state: removed ? 'gone' : (stateNames.get(state) ?? `state ${state}`),
    };
    const managed = this.#managed.get(key);
    if (managed) {
      managed.managed = !removed && (neighbour.managed || entry.state === PERMANENT);
      if (removed && Date.now() - managed.asked >= ASK_AGAIN_MS) this.#resolve(managed);
    }
    this.#report(key, entry, removed);
  }

  #report(key: string, entry: NeighbourEntry, removed: boolean): void {
    const before = this.#reported.get(key);
    if (removed) this.#reported.delete(key);
    else this.#reported.set(key, entry);
    if (!sameMac(before?.mac, entry.mac)) this.#options.onChange(entry);
  }
}

function sameMac(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : equalBytes(a, b);
}
