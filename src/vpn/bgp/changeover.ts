// SPDX-License-Identifier: Apache-2.0
/**
 * Make before break where the protection of a route changes (policy-model 11, 24): a route that is being forwarded
 * stays on the tunnel it has until that of the new choice is up. What was signalled decides how:
 *
 *   the egress takes the old protection too   the old tunnel with the label the route has now
 *   it does not, and the old protection is    the old tunnel with the old label, which the egress keeps for a
 *   no weaker than what it asks for           while ({@link OLD_LABEL_MS})
 *   anything else                             the new tunnel, which holds or drops until it is up
 *
 * This is no way back: a route that is not forwarded by the old tunnel at this moment never gets there, a tunnel whose
 * SA cannot be had makes the route unusable as ever (policy-model 8), and each stay is bounded.
 */
import type { NextHopKey } from '../../bgp/rib/next-hops.js';
import type { TunnelChoice } from './ingress.js';

/** How long a route stays on a weaker tunnel at most. Shorter than tunnels outlive their last route. */
export const STAY_MS = 50_000;
/** How long it stays with a label that the egress tells no more: what we ourselves keep any label for. */
export const OLD_LABEL_MS = 10_000;
const LOOK_MS = 500;

export interface ChangingRoute {
  /** Number of the VRF. */
  readonly vrf: number;
  readonly family: 4 | 6;
  /** 4 or 16 octets, host bits zero. */
  readonly prefix: Uint8Array;
  readonly length: number;
}

/** A row of the tables, and the label sent with it. */
export interface Hop {
  readonly row: number;
  readonly label: number;
}

export interface ChangeoverDeps {
  /** Monotonic, ms. */
  readonly now: () => number;
  readonly after: (delayMs: number, action: () => void) => () => void;
  /** What BGP has in the tables for exactly this prefix, if it is one way. */
  readonly installed: (route: ChangingRoute) => Hop | undefined;
  /** Tunnels to an address by which packets can leave now, with their rows. */
  readonly tunnels: (address: Uint8Array) => Iterable<TunnelChoice & { readonly row: number }>;
  /** See Ingress.whileWaiting. */
  readonly whileWaiting: (
    choice: number,
    old: TunnelChoice,
  ) => 'new label' | 'old label' | undefined;
  /** Whether the way of a next hop is still to come. */
  readonly isWaiting: (key: NextHopKey) => boolean;
  /** The route is to be written again. */
  readonly again: (route: ChangingRoute) => void;
}

interface Stay {
  readonly route: ChangingRoute;
  readonly key: NextHopKey;
  readonly old: number;
  readonly until: number;
}

export class Changeover {
  readonly #deps: ChangeoverDeps;
  readonly #stays = new Map<string, Stay>();
  #timer: (() => void) | undefined;

  constructor(deps: ChangeoverDeps) {
    this.#deps = deps;
  }

  /** Routes that stay on an old tunnel now. */
  get size(): number {
    return this.#stays.size;
  }

  /**
   * By what a route is to be sent whose chosen way is not up; undefined: by that way all the same. `chosen`: its row,
   * and the label the route has now.
   */
  instead(route: ChangingRoute, key: NextHopKey, chosen: Hop): Hop | undefined {
    const id = idOf(route);
    const before = this.#stays.get(id);
    const installed = this.#deps.installed(route);
    const found = installed && this.#tunnelOf(key, installed.row);
    const how = found && this.#deps.whileWaiting(key.protection, found);
    if (installed === undefined || how === undefined || installed.row === chosen.row) {
      this.#stays.delete(id);
      return undefined;
    }
    const longest = how === 'new label' ? STAY_MS : OLD_LABEL_MS;
    // However often what is asked for changes meanwhile, the time on one old tunnel does not begin again.
    const latest = this.#deps.now() + longest;
    const until = before?.old === installed.row ? Math.min(before.until, latest) : latest;
    if (until <= this.#deps.now()) {
      this.#stays.delete(id);
      return undefined;
    }
    const kept = { ...route, prefix: route.prefix.slice() };
    this.#stays.set(id, { route: kept, key, old: installed.row, until });
    this.#watch();
    return { row: installed.row, label: how === 'new label' ? chosen.label : installed.label };
  }

  #tunnelOf(key: NextHopKey, row: number): TunnelChoice | undefined {
    for (const tunnel of this.#deps.tunnels(key.address)) if (tunnel.row === row) return tunnel;
    return undefined;
  }

  /** Tunnels may have come up or gone: routes that waited for them go there. */
  look(): void {
    for (const { route, key, old, until } of [...this.#stays.values()]) {
      const inTime = until > this.#deps.now();
      if (inTime && this.#deps.isWaiting(key) && this.#tunnelOf(key, old) !== undefined) continue;
      // It stays among those that stay until it is written, so that its time does not begin again.
      this.#deps.again(route);
    }
  }

  #watch(): void {
    this.#timer ??= this.#deps.after(LOOK_MS, () => {
      this.#timer = undefined;
      this.look();
      if (this.#stays.size > 0) this.#watch();
    });
  }

  /** The route is sent as it was decided. */
  over(route: ChangingRoute): void {
    if (this.#stays.size > 0) this.#stays.delete(idOf(route));
  }

  close(): void {
    this.#timer?.();
    this.#timer = undefined;
    this.#stays.clear();
  }
}

const idOf = ({ vrf, length, prefix }: ChangingRoute): string =>
  `${vrf} ${length} ${String.fromCharCode(...prefix)}`;
