// SPDX-License-Identifier: Apache-2.0
/**
 * Which way the core's kernel sends to each tunnel's far end, or by which LSP it goes, and the next hops kept
 * resolved.
 */
import type { CoreRoute } from '../forwarding/overlay.js';
import type { CoreRoutes, Resolution } from '../kernel/routes.js';
import type { NeighbourWatcher } from '../kernel/neighbours.js';
import { formatAddress } from '../lib/ip.js';
import type { LspModel, TunnelModel } from '../forwarding/model.js';
import { PrefixIndex } from '../config/prefix-index.js';

/** The first answers come within milliseconds; a kernel that gives none must not hold up a start. */
const FIRST_ANSWER_MS = 3_000;

interface Tracked {
  tunnel: TunnelModel;
  readonly remote: string;
  readonly stop: () => void;
  resolution: Resolution | undefined;
  /** Key of the next hop that it keeps resolved. */
  hop: string | undefined;
}

interface Hop {
  readonly interface: string;
  readonly address: Uint8Array;
  /** Tunnels that go by it. */
  uses: number;
}

export class CorePaths {
  readonly #routes: CoreRoutes;
  readonly #neighbours: NeighbourWatcher;
  readonly #onChange: () => void;
  readonly #tracked = new Map<string, Tracked>();
  #lsps = new PrefixIndex<LspModel>();
  #indexed: readonly LspModel[] = [];
  /** Next hops kept resolved, by interface and address. */
  readonly #held = new Map<string, Hop>();

  constructor(routes: CoreRoutes, neighbours: NeighbourWatcher, onChange: () => void) {
    this.#routes = routes;
    this.#neighbours = neighbours;
    this.#onChange = onChange;
  }

  /**
   * Follows exactly these tunnels; resolves when each has been looked up once. `lsps`: those there are, of equal
   * prefixes the first.
   */
  async follow(
    tunnels: ReadonlyMap<string, TunnelModel>,
    lsps: readonly LspModel[] = [],
  ): Promise<void> {
    const others = this.#index(lsps);
    const changed: Tracked[] = [];
    for (const [name, tracked] of [...this.#tracked]) {
      const wanted = tunnels.get(name);
      if (wanted === tracked.tunnel) continue;
      if (wanted !== undefined && formatAddress(wanted.remote) === tracked.remote) {
        tracked.tunnel = wanted;
        changed.push(tracked);
        continue;
      }
      tracked.stop();
      this.#tracked.delete(name);
      this.#letGo(tracked.hop);
    }
    const first: Promise<void>[] = [];
    for (const [name, tunnel] of tunnels) {
      if (!this.#tracked.has(name)) first.push(this.#track(name, tunnel));
    }
    await Promise.all(first);
    if (others) this.#holdAll();
    else for (const tracked of changed) this.#hold(tracked);
  }

  /** As those of {@link follow}, when they are others later. */
  setLsps(lsps: readonly LspModel[]): void {
    if (!this.#index(lsps)) return;
    this.#holdAll();
    this.#onChange();
  }

  /** True: they are others than before. */
  #index(lsps: readonly LspModel[]): boolean {
    const before = this.#indexed;
    if (lsps.length === before.length && lsps.every((lsp, i) => lsp === before[i])) return false;
    this.#indexed = lsps;
    this.#lsps = new PrefixIndex();
    for (const lsp of lsps) this.#lsps.add(lsp.prefix, lsp);
    return true;
  }

  async #track(name: string, tunnel: TunnelModel): Promise<void> {
    const { remote } = tunnel;
    return new Promise((answered) => {
      let isWaited = true;
      const timer = setTimeout(() => {
        isWaited = false;
        answered();
      }, FIRST_ANSWER_MS);
      const stop = this.#routes.track(remote, (resolution) => {
        tracked.resolution = resolution;
        clearTimeout(timer);
        this.#hold(tracked);
        // Who waits for the first answer looks at it then.
        if (!isWaited) this.#onChange();
        isWaited = false;
        answered();
      });
      const text = formatAddress(remote);
      const tracked: Tracked = {
        tunnel,
        remote: text,
        stop,
        resolution: undefined,
        hop: undefined,
      };
      this.#tracked.set(name, tracked);
    });
  }

  #holdAll(): void {
    for (const tracked of this.#tracked.values()) this.#hold(tracked);
  }

  /** Of each answer that comes one tunnel's next hop is looked at, however many tunnels there are. */
  #hold(tracked: Tracked): void {
    const route = this.#routeOf(tracked);
    const found = route === undefined || 'unreachable' in route ? undefined : route;
    const key = found && `${found.interface} ${formatAddress(found.nextHop)}`;
    if (key === tracked.hop) return;
    const before = tracked.hop;
    tracked.hop = key;
    if (found !== undefined && key !== undefined) {
      let hop = this.#held.get(key);
      if (hop === undefined) {
        hop = { interface: found.interface, address: found.nextHop, uses: 0 };
        this.#held.set(key, hop);
        this.#neighbours.manage(hop.interface, hop.address);
      }
      hop.uses++;
    }
    this.#letGo(before);
  }

  #letGo(key: string | undefined): void {
    const hop = key === undefined ? undefined : this.#held.get(key);
    if (key === undefined || hop === undefined || --hop.uses > 0) return;
    this.#held.delete(key);
    this.#neighbours.unmanage(hop.interface, hop.address);
  }

  #routeOf({ tunnel, remote, resolution }: Tracked): CoreRoute | undefined {
    if (resolution === undefined) return undefined;
    const lsp = this.#lspOf(tunnel);
    return lsp ? lspRoute(lsp, resolution) : coreRoute(remote, resolution);
  }

  /** As {@link CorePaths.current} has it of one tunnel. */
  routeOf(name: string): CoreRoute | undefined {
    const tracked = this.#tracked.get(name);
    return tracked && this.#routeOf(tracked);
  }

  /** By tunnel name; what has no answer yet is missing. */
  current(): ReadonlyMap<string, CoreRoute> {
    const routes = new Map<string, CoreRoute>();
    for (const [name, tracked] of this.#tracked) {
      const route = this.#routeOf(tracked);
      if (route !== undefined) routes.set(name, route);
    }
    return routes;
  }

  /** The LSP that a tunnel's packets go by, if any. */
  #lspOf({ remote, protection }: TunnelModel): LspModel | undefined {
    const lsp = this.#lsps.longest(remote);
    return protection === 'mpls' || lsp?.forIp === true ? lsp : undefined;
  }

  close(): void {
    for (const { stop } of this.#tracked.values()) stop();
    this.#routes.close();
  }
}

/** An LSP needs no IP route to its far end, only its own next hop; the route's metric counts where there is one. */
function lspRoute({ interface: out, via, labels }: LspModel, resolution: Resolution): CoreRoute {
  const metric = resolution.kind === 'reachable' ? resolution.metric : 0;
  return { interface: out, nextHop: via, metric, labels };
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
