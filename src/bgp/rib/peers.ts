// SPDX-License-Identifier: Apache-2.0
/**
 * Neighbours as the RIB knows them, and which of their routes still count.
 *
 * Routes carry the epoch in which they were last announced, 0..15 for each peer and family. Losing a
 * session, the beginning of an enhanced refresh and the end of stale times change a few bits here, and every
 * route's state with them, at once; a sweep then takes dead routes out, slice by slice:
 *
 *   fresh       announced in the present epoch
 *   stale       kept over a restart (RFC 4724) or awaiting its refresh (RFC 7313): used as before
 *   long-lived  kept for longer (RFC 9494): the last choice
 *   dead        not used any more, to be swept
 */
import type { FamilyId, FamilySet } from '../codec/types.js';
import type { EstablishedPeer, PeerId, Policy } from '../types.js';
import type { Transit } from './transit.js';
import type { VpnMatter } from './vpn-communities.js';

const FAMILY_COUNT = 7;
const EPOCHS = 16;

export interface PrefixLimit {
  readonly routes: number;
  /** Percent of `routes` at which a warning is logged. Default 75. */
  readonly warnAt?: number;
  /** What happens above: the session is closed, or it is only logged. Default 'close'. */
  readonly action?: 'close' | 'warn';
}

/** What the configuration says of a neighbour, as far as the RIB goes. */
export interface NeighbourRib {
  /** undefined: every route passes unchanged. */
  readonly policyIn: Policy | undefined;
  readonly policyOut: Policy | undefined;
  /** Equal strings mean equal `policyIn`: what the neighbour sent need not be asked for again. */
  readonly policyInKey?: string;
  /** Equal strings mean equal `policyOut`: such neighbours can share their encoded messages. */
  readonly policyOutKey: string;
  readonly routeReflectorClient?: boolean;
  /** Our address instead of the route's: by default on EBGP sessions, not on IBGP ones. */
  readonly nextHop?: 'self' | 'unchanged';
  /** Replaces the neighbour's AS in the path by ours, so that its sites hear each other (RFC 4364 §7.2). */
  readonly asOverride?: boolean;
  /** How often our AS may be in a received path; default 0. */
  readonly allowAsIn?: number;
  /** Site of Origin, an extended community: put on what comes in, and what has it does not go out. */
  readonly siteOfOrigin?: bigint;
  /** Private AS numbers (RFC 6996) are taken out of what is sent by EBGP, or become ours. */
  readonly removePrivateAs?: 'remove' | 'replace';
  /** The first AS of a path from an EBGP neighbour must be its own (RFC 4271 §6.3); default yes. */
  readonly enforceFirstAs?: boolean;
  readonly prefixLimits?: Partial<Record<FamilyId, PrefixLimit>>;
  /** Most paths of a net that are sent, with ADD-PATH, by family; default all. */
  readonly addPathLimits?: Partial<Record<FamilyId, number>>;
  /** Least time between two rounds of UPDATEs, ms; default 0. */
  readonly advertisementIntervalMs?: number;
  /** Refused routes are kept for `show` and counted against the limit. */
  readonly keepRejected?: boolean;
  /** SP of an external neighbour: of our exports it is told those to that SP alone. undefined: all. */
  readonly sp?: string;
  /**
   * Of others' VPN routes it is told those that say so, as its SP is another than ours; undefined: all. `unmarked`:
   * also those that do not say to whom they are exported.
   */
  readonly otherSp?: { readonly number: number | undefined; readonly unmarked: boolean };
  /** How VPN routes are passed on where we become next hop; undefined: only those of our own are told there. */
  readonly transit?: Transit;
  /** VPN routes keep their next hop (RFC 4364 §10 c), whatever `nextHop` says. */
  readonly vpnNextHopUnchanged?: boolean;
  /** Let through from and to a CE although they are VPN matters (policy-model 13). */
  readonly passVpn?: readonly VpnMatter[];
}

/** Whether routes of a neighbour would come in as they did: nothing between it and the table is another. */
export function sameInbound(a: NeighbourRib, b: NeighbourRib): boolean {
  if (a.policyInKey === undefined || a.policyInKey !== b.policyInKey) return false;
  const rest = ({ allowAsIn, siteOfOrigin, enforceFirstAs, keepRejected, passVpn }: NeighbourRib) =>
    JSON.stringify([
      ...[allowAsIn ?? 0, String(siteOfOrigin ?? ''), enforceFirstAs ?? true],
      ...[keepRejected ?? false, [...(passVpn ?? [])].sort()],
    ]);
  return rest(a) === rest(b);
}

export type RouteState = 'fresh' | 'stale' | 'long-lived' | 'dead';

export class Peer {
  readonly id: PeerId;
  info: EstablishedPeer;
  config: NeighbourRib;
  up = true;
  /** Bits of FamilySet: End-of-RIB has come in this session. */
  endOfRib: FamilySet = 0;
  /** Bits of FamilySet: an enhanced refresh is under way (RFC 7313). */
  refreshing: FamilySet = 0;
  /** Families whose limit has been reported, by percent. */
  readonly warned = new Set<FamilyId>();
  /** Routes held by family. */
  readonly routes = new Uint32Array(FAMILY_COUNT);
  readonly rejected = new Uint32Array(FAMILY_COUNT);
  /** Present epoch by family, and what became of the others: bit 1 << epoch. */
  readonly epochs = new Uint8Array(FAMILY_COUNT);
  readonly #stale = new Uint16Array(FAMILY_COUNT);
  readonly #longLived = new Uint16Array(FAMILY_COUNT);
  readonly #dead = new Uint16Array(FAMILY_COUNT);
  updates = 0;
  withdrawals = 0;
  announcements = 0;
  tolerated = 0;
  loops = 0;
  /** A sweep has begun: peers with the same id must wait for its end. */
  forgetting = false;

  constructor(info: EstablishedPeer, config: NeighbourRib) {
    this.id = info.id;
    this.info = info;
    this.config = config;
  }

  get external(): boolean {
    return this.info.kind === 'ebgp';
  }

  state(family: number, epoch: number): RouteState {
    const bit = 1 << epoch;
    if (((this.#dead[family] ?? 0) & bit) !== 0) return 'dead';
    if (((this.#longLived[family] ?? 0) & bit) !== 0) return 'long-lived';
    return ((this.#stale[family] ?? 0) & bit) !== 0 ? 'stale' : 'fresh';
  }

  isDead(family: number, epoch: number): boolean {
    return (((this.#dead[family] ?? 0) >> epoch) & 1) === 1;
  }

  isLongLived(family: number, epoch: number): boolean {
    return (((this.#longLived[family] ?? 0) >> epoch) & 1) === 1;
  }

  hasDead(family: FamilyId): boolean {
    return this.#dead[family] !== 0;
  }

  hasStale(family: FamilyId): boolean {
    return this.#stale[family] !== 0 || this.#longLived[family] !== 0;
  }

  /** What is fresh becomes stale. False when no epoch is free: the caller must finish a sweep first. */
  beginStale(family: FamilyId): boolean {
    return this.#leaveEpoch(family, this.#stale);
  }

  /** What is fresh, stale or long-lived is dead. False as in {@link beginStale}. */
  killAll(family: FamilyId): boolean {
    this.killStale(family);
    return this.#leaveEpoch(family, this.#dead);
  }

  /** What is stale or long-lived is dead. */
  killStale(family: FamilyId): void {
    const dead = this.#dead[family] ?? 0;
    this.#dead[family] = dead | (this.#stale[family] ?? 0) | (this.#longLived[family] ?? 0);
    this.#stale[family] = 0;
    this.#longLived[family] = 0;
  }

  /** What is stale is long-lived from now on. */
  prolong(family: FamilyId): void {
    this.#longLived[family] = (this.#longLived[family] ?? 0) | (this.#stale[family] ?? 0);
    this.#stale[family] = 0;
  }

  /** The sweep found the last dead route of these epochs. */
  deadGone(family: FamilyId, epochs: number): void {
    this.#dead[family] = (this.#dead[family] ?? 0) & ~epochs;
  }

  deadEpochs(family: FamilyId): number {
    return this.#dead[family] ?? 0;
  }

  /** `mask` takes the present epoch; a free one becomes the present. */
  #leaveEpoch(family: FamilyId, mask: Uint16Array): boolean {
    const present = this.epochs[family] ?? 0;
    const used =
      (this.#dead[family] ?? 0) |
      (this.#stale[family] ?? 0) |
      (this.#longLived[family] ?? 0) |
      (1 << present);
    for (let epoch = 0; epoch < EPOCHS; epoch++) {
      if (((used >> epoch) & 1) === 1) continue;
      mask[family] = (mask[family] ?? 0) | (1 << present);
      this.epochs[family] = epoch;
      return true;
    }
    return false;
  }
}
