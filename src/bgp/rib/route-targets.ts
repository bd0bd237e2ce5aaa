// SPDX-License-Identifier: Apache-2.0
/**
 * Route target constraint (RFC 4684): which VPN routes a neighbour wants, by the route target memberships it
 * announced. One that did not negotiate the family wants all.
 */
import { hasFamily } from '../codec/families.js';
import { FAMILY } from '../codec/types.js';
import type { AttributeStore } from './attribute-store.js';
import type { Core } from './core.js';
import { FILTERED, ZOMBIE } from './path-store.js';
import type { Peer } from './peers.js';

/** A membership shorter than a whole target: the upper `bits` of it count. */
interface Partial {
  readonly value: bigint;
  readonly bits: number;
}

const VERDICTS_MOST = 65_536;

/** What one neighbour wants. Never changed: another set of memberships is another object. */
export class Membership {
  readonly exact: ReadonlySet<bigint>;
  readonly partial: readonly Partial[];
  /** By serial number of the extended communities. */
  readonly #verdicts = new Map<number, boolean>();

  constructor(exact: ReadonlySet<bigint>, partial: readonly Partial[]) {
    this.exact = exact;
    this.partial = partial;
  }

  wants(attributes: AttributeStore, set: number): boolean {
    const key = attributes.vpnKey(set);
    const serial = attributes.vpnKeys.serial(key);
    const known = this.#verdicts.get(serial);
    if (known !== undefined) return known;
    const verdict = attributes.routeTargets(set).some((target) => this.#wantsTarget(target));
    if (this.#verdicts.size >= VERDICTS_MOST) this.#verdicts.clear();
    this.#verdicts.set(serial, verdict);
    return verdict;
  }

  equals(other: Membership): boolean {
    const same =
      this.exact.size === other.exact.size && this.partial.length === other.partial.length;
    if (!same) return false;
    for (const target of this.exact) if (!other.exact.has(target)) return false;
    return this.partial.every(({ value, bits }) =>
      other.partial.some((one) => one.value === value && one.bits === bits),
    );
  }

  #wantsTarget(target: bigint): boolean {
    if (this.exact.has(target)) return true;
    return this.partial.some(({ value, bits }) => {
      const shift = BigInt(64 - bits);
      return target >> shift === value >> shift;
    });
  }
}

const NOTHING = new Membership(new Set(), []);

export class RouteTargets {
  readonly #core: Core;
  readonly #memberships = new Map<Peer, Membership>();
  readonly #changed = new Set<Peer>();
  readonly #complete = new Set<Peer>();
  /** A neighbour wants other routes than before. */
  readonly #onChange: (peer: Peer, before: Membership) => void;
  readonly #onComplete: (peer: Peer) => void;

  constructor(
    core: Core,
    onChange: (peer: Peer, before: Membership) => void,
    onComplete: (peer: Peer) => void,
  ) {
    this.#core = core;
    this.#onChange = onChange;
    this.#onComplete = onComplete;
  }

  established(peer: Peer): void {
    this.#complete.delete(peer);
    if (hasFamily(peer.info.context.families, FAMILY.routeTarget)) {
      this.#memberships.set(peer, NOTHING);
      this.#changed.add(peer);
    } else this.#memberships.delete(peer);
  }

  ended(peer: Peer): void {
    this.#memberships.delete(peer);
    this.#changed.delete(peer);
    this.#complete.delete(peer);
  }

  /** Memberships of a neighbour have come or gone. */
  changed(peer: Peer): void {
    if (this.#memberships.has(peer)) this.#changed.add(peer);
  }

  /** Its memberships are all there, or have been waited for long enough. */
  complete(peer: Peer): void {
    if (!this.#memberships.has(peer) || this.#complete.has(peer)) return;
    this.#complete.add(peer);
    this.#changed.add(peer);
  }

  /** Whether VPN routes must wait for the neighbour's memberships (RFC 4684 §6). */
  isAwaited(peer: Peer): boolean {
    return this.#memberships.has(peer) && !this.#complete.has(peer);
  }

  /** undefined: everything is wanted. */
  of(peer: Peer): Membership | undefined {
    return this.#memberships.get(peer);
  }

  /** Works out what has changed: one walk over the memberships of all. */
  run(): void {
    if (this.#changed.size === 0) return;
    const found = new Map<Peer, { exact: Set<bigint>; partial: Partial[] }>();
    for (const peer of this.#changed) found.set(peer, { exact: new Set(), partial: [] });
    const { paths, peers } = this.#core;
    const table = this.#core.nets.routeTargets;
    for (let net = 1; net < table.limit; net++) {
      if (!table.isLive(net)) continue;
      for (let path = table.firstPath(net); path !== 0; path = paths.next(path)) {
        const peer = peers[paths.peer(path)];
        const into = peer && found.get(peer);
        if (peer === undefined || into === undefined || paths.has(path, FILTERED | ZOMBIE)) {
          continue;
        }
        if (peer.isDead(FAMILY.routeTarget, paths.epoch(path))) continue;
        // The key is origin AS, then the target; only the target matters here.
        const value = (BigInt(table.keyWord(net, 1)) << 32n) | BigInt(table.keyWord(net, 2));
        const bits = Math.max(0, table.length(net) - 32);
        if (bits === 64) into.exact.add(value);
        else into.partial.push({ value, bits });
      }
    }
    this.#changed.clear();
    for (const [peer, { exact, partial }] of found) {
      this.#take(peer, new Membership(exact, partial));
    }
  }

  #take(peer: Peer, membership: Membership): void {
    const before = this.#memberships.get(peer);
    if (before === undefined) return;
    if (!membership.equals(before)) {
      this.#memberships.set(peer, membership);
      this.#onChange(peer, before);
    }
    if (this.#complete.has(peer)) this.#onComplete(peer);
  }
}
