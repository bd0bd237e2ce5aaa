// SPDX-License-Identifier: Apache-2.0
/** The ways by which one update group passes routes on with ourselves as next hop (see transit.ts). */
import { unmapped } from './attribute-codec.js';
import type { Core } from './core.js';
import type { PathId } from './path-store.js';
import { CORE } from './scope.js';
import type { Transit, TransitQuestion } from './transit.js';

const NO_ADDRESS = new Uint8Array(0);

export function transitQuestion(core: Core, path: PathId): TransitQuestion {
  const { paths, attributes, peers } = core;
  const { extendedCommunities, tunnelEncapsulation, nextHop } = attributes.decoded(
    paths.attributes(path),
  );
  return {
    extendedCommunities: extendedCommunities ?? [],
    tunnelEncapsulation: tunnelEncapsulation ?? [],
    nextHop: unmapped(nextHop ?? NO_ADDRESS),
    insideOwnSp: core.isInsideOwnSp(path),
    from: peers[paths.peer(path)]?.info,
  };
}

/**
 * The ways of one update group. They are kept as next hops for as long as routes have the next hop in question, whether
 * or not they can be used: that is how we hear that one can be used again.
 */
export class TransitWays {
  readonly #core: Core;
  readonly #transit: Transit;
  /** By next hop of VPN routes as such, then by what else is asked. */
  readonly #choices = new Map<number, Map<string, number | undefined>>();
  /** By the same, then by choice: the next hop that packets take. */
  readonly #hops = new Map<number, Map<number, number>>();
  /** And back. */
  readonly #plain = new Map<number, number>();
  /** Since {@link begin}. */
  #asked: Set<number> | undefined;

  constructor(core: Core, transit: Transit) {
    this.#core = core;
    this.#transit = transit;
  }

  /** Number of the next hop that packets for a path of a neighbour take; undefined: none, or it cannot be used now. */
  hop(path: PathId): number | undefined {
    const { paths, hops } = this.#core;
    const plain = paths.hop(path);
    const choice = plain === 0 ? undefined : this.#choice(plain, path);
    if (choice === undefined) return undefined;
    const hop = choice === 0 ? plain : this.#hop(plain, path, choice);
    this.#asked?.add(hop);
    return hops.isUsable(hop) ? hop : undefined;
  }

  #choice(plain: number, path: PathId): number | undefined {
    const { paths, attributes } = this.#core;
    const keys = attributes.vpnKeys;
    const serial = keys.serial(attributes.vpnKey(paths.attributes(path)));
    const place = `${serial} ${paths.peer(path)} ${String(this.#core.isInsideOwnSp(path))}`;
    const known = this.#choices.get(plain) ?? new Map<string, number | undefined>();
    if (known.has(place)) return known.get(place);
    if (known.size >= MOST_CHOICES) known.clear();
    const choice = this.#transit.way(transitQuestion(this.#core, path));
    known.set(place, choice);
    this.#choices.set(plain, known);
    return choice;
  }

  #hop(plain: number, path: PathId, choice: number): number {
    const hops = this.#hops.get(plain) ?? new Map<number, number>();
    this.#hops.set(plain, hops);
    const known = hops.get(choice);
    if (known !== undefined) return known;
    const hop = this.#core.acquireHop(CORE, this.#core.paths.attributes(path), choice);
    hops.set(choice, hop);
    this.#plain.set(hop, plain);
    return hop;
  }

  /** The next hop, as routes have it, of the one that packets take; undefined: it is none of ours. */
  plainOf(hop: number): number | undefined {
    return this.#plain.get(hop);
  }

  /** No route has this next hop any more. */
  freed(plain: number): void {
    this.#choices.delete(plain);
    const hops = this.#hops.get(plain);
    this.#hops.delete(plain);
    for (const hop of hops?.values() ?? []) this.#release(hop);
  }

  /** Choices depend on the neighbour that a route came from, whose number may be another's now. */
  newSource(): void {
    this.#choices.clear();
  }

  /** All choices are to be made again. */
  begin(): void {
    this.#choices.clear();
    this.#asked = new Set();
  }

  /** They have been: what was not chosen again is let go. */
  end(): void {
    const asked = this.#asked;
    this.#asked = undefined;
    if (asked === undefined) return;
    for (const hops of this.#hops.values()) {
      for (const [choice, hop] of hops) {
        if (asked.has(hop)) continue;
        hops.delete(choice);
        this.#release(hop);
      }
    }
  }

  clear(): void {
    for (const plain of [...this.#hops.keys()]) this.freed(plain);
    this.#choices.clear();
  }

  #release(hop: number): void {
    this.#plain.delete(hop);
    this.#core.hops.release(hop);
  }
}

/** Remembered of one next hop; then it starts over. */
const MOST_CHOICES = 4096;
