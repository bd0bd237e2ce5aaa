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
}

export class CorePaths {
  readonly #routes: CoreRoutes;
  readonly #neighbours: NeighbourWatcher;
  readonly #onChange: () => void;
  readonly #tracked = new Map<string, Tracked>();
  #lsps = new PrefixIndex<LspModel>();
  /** Next hops kept resolved, by interface and address, with the tunnels that use them. */
  readonly #held = new Map<string, { interface: string; address: Uint8Array }>();

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
    this.#index(lsps);
    for (const [name, tracked] of [...this.#tracked]) {
      const wanted = tunnels.get(name);
      if (wanted !== undefined && formatAddress(wanted.remote) === tracked.remote) {
        tracked.tunnel = wanted;
        continue;
      }
      tracked.stop();
      this.#tracked.delete(name);
    }
    const first: Promise<void>[] = [];
    for (const [name, tunnel] of tunnels) {
      if (!this.#tracked.has(name)) first.push(this.#track(name, tunnel));
    }
    await Promise.all(first);
    this.#holdNextHops();
  }

  /** As those of {@link follow}, when they are others later. */
  setLsps(lsps: readonly LspModel[]): void {
    this.#index(lsps);
    this.#holdNextHops();
    this.#onChange();
  }

  #index(lsps: readonly LspModel[]): void {
    this.#lsps = new PrefixIndex();
    for (const lsp of lsps) this.#lsps.add(lsp.prefix, lsp);
  }

  async #track(name: string, tunnel: TunnelModel): Promise<void> {
    const { remote } = tunnel;
    return new Promise((answered) => {
      const timer = setTimeout(answered, FIRST_ANSWER_MS);
      const stop = this.#routes.track(remote, (resolution) => {
        tracked.resolution = resolution;
        clearTimeout(timer);
        answered();
        this.#holdNextHops();
        this.#onChange();
      });
      const text = formatAddress(remote);
      const tracked: Tracked = { tunnel, remote: text, stop, resolution: undefined };
      this.#tracked.set(name, tracked);
    });
  }

  #holdNextHops(): void {
    const wanted = new Map<string, { interface: string; address: Uint8Array }>();
    for (const route of this.current().values()) {
      if ('unreachable' in route) continue;
      const { interface: name, nextHop: address } = route;
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
    for (const [name, { tunnel, remote, resolution }] of this.#tracked) {
      if (resolution === undefined) continue;
      const lsp = this.#lspOf(tunnel);
      routes.set(name, lsp ? lspRoute(lsp, resolution) : coreRoute(remote, resolution));
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
