// SPDX-License-Identifier: Apache-2.0
/** Which way the core's kernel sends to each tunnel's far end, and its next hops kept resolved. */
import type { CoreRoute } from '../forwarding/overlay.js';
import type { CoreRoutes, Resolution } from '../kernel/routes.js';
import type { NeighbourWatcher } from '../kernel/neighbours.js';
import { formatAddress } from '../lib/ip.js';
import type { TunnelModel } from '../forwarding/model.js';

/** The first answers come within milliseconds; a kernel that gives none must not hold up a start. */
const FIRST_ANSWER_MS = 3_000;

interface Tracked {
  readonly remote: string;
  readonly stop: () => void;
  resolution: Resolution | undefined;
}

export class CorePaths {
  readonly #routes: CoreRoutes;
  readonly #neighbours: NeighbourWatcher;
  readonly #onChange: () => void;
  readonly #tracked = new Map<string, Tracked>();
  /** Next hops kept resolved, by interface and address, with the tunnels that use them. */
  readonly #held = new Map<string, { interface: string; address: Uint8Array }>();

  constructor(routes: CoreRoutes, neighbours: NeighbourWatcher, onChange: () => void) {
    this.#routes = routes;
    this.#neighbours = neighbours;
    this.#onChange = onChange;
  }

  /** Follows exactly these tunnels; resolves when each has been looked up once. */
  async follow(tunnels: ReadonlyMap<string, TunnelModel>): Promise<void> {
    for (const [name, tracked] of [...this.#tracked]) {
      const wanted = tunnels.get(name);
      if (wanted !== undefined && formatAddress(wanted.remote) === tracked.remote) continue;
      tracked.stop();
      this.#tracked.delete(name);
    }
    const first: Promise<void>[] = [];
    for (const [name, { remote }] of tunnels) {
      if (!this.#tracked.has(name)) first.push(this.#track(name, remote));
    }
    await Promise.all(first);
    this.#holdNextHops();
  }

  async #track(name: string, remote: Uint8Array): Promise<void> {
    return new Promise((answered) => {
      const timer = setTimeout(answered, FIRST_ANSWER_MS);
      const stop = this.#routes.track(remote, (resolution) => {
        tracked.resolution = resolution;
        clearTimeout(timer);
        answered();
        this.#holdNextHops();
        this.#onChange();
      });
      const tracked: Tracked = { remote: formatAddress(remote), stop, resolution: undefined };
      this.#tracked.set(name, tracked);
    });
  }

  #holdNextHops(): void {
    const wanted = new Map<string, { interface: string; address: Uint8Array }>();
    for (const { resolution } of this.#tracked.values()) {
      if (resolution?.kind !== 'reachable') continue;
      const { interface: name, nextHop: address } = resolution;
      wanted.set(`${name} ${formatAddress(address)}`, { interface: name, address });
    }
    for (const [key, hop] of wanted) {
      if (this.#held.has(key)) continue;
      this.#neighbours.manage(hop.interface, hop.address);
      this.#held.set(key, hop);
    }
    for (const [key, hop] of [...this.#held]) {
      if (wanted.has(key)) continue;
      this.#neighbours.unmanage(hop.interface, hop.address);
      this.#held.delete(key);
    }
  }

  /** By tunnel name; what has no answer yet is missing. */
  current(): ReadonlyMap<string, CoreRoute> {
    const routes = new Map<string, CoreRoute>();
    for (const [name, { remote, resolution }] of this.#tracked) {
      if (resolution !== undefined) routes.set(name, coreRoute(remote, resolution));
    }
    return routes;
  }

  close(): void {
    for (const { stop } of this.#tracked.values()) stop();
    this.#routes.close();
  }
}

function coreRoute(remote: string, resolution: Resolution): CoreRoute {
  switch (resolution.kind) {
    case 'reachable':
      return {
        ...{ interface: resolution.interface, nextHop: resolution.nextHop },
        metric: resolution.metric,
      };
    case 'local':
      return { unreachable: `${remote} is an address of this machine` };
    case 'unreachable':
      return { unreachable: `no way to ${remote}: ${resolution.reason}` };
  }
}
