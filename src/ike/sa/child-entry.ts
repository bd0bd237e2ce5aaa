// SPDX-License-Identifier: Apache-2.0
/** A child SA in its IKE SA: where it is between being set up and being deleted. */
import type { ChildSa } from '../child/child-sa.js';
import type { ChildUsage, Lifetimes } from '../child/types.js';
import type { IkeEnvironment } from '../types.js';

/**
 * live       may carry traffic; several of one service only until they are settled
 * rekeying   the same, with a rekeying of ours under way
 * replaced   another one is to carry its traffic, or does; waits to be deleted
 * redundant  the peer's, and one of two; the peer deletes it (RFC 7296 §2.8.1)
 * deleting   we have told the peer, or are about to
 */
export type ChildPhase = 'live' | 'rekeying' | 'replaced' | 'redundant' | 'deleting';

export interface ChildEntry {
  readonly child: ChildSa;
  /** Service and resource: there is to be one live child SA of each. */
  readonly key: string;
  phase: ChildPhase;
  /** Traffic leaves by it. */
  isActive: boolean;
  /** The peer is known to have it: it was ours, or what the peer did since shows that it got our answer. */
  isProven: boolean;
  /** Proven, or so old that we go by it: traffic may leave by it. */
  isConfirmed: boolean;
  /** When a peer that says nothing is taken to have it, ms. */
  readonly confirmAt: number;
  /** Of one that is replaced, and of one whose rekeying by the peer is done while ours is under way. */
  successor: ChildEntry | undefined;
  /** Of one that is replaced: who tells the other. */
  deleter: 'us' | 'peer';
  /** One of two that were made for the same, rather than what was rekeyed: its creator deletes it. */
  isDuplicate: boolean;
  /** Its owner knows of it. */
  isSaid: boolean;
  /** Its owner knows that another one carries its traffic. */
  isReplacementSaid: boolean;
  /** When it was made, ms of timers.now(). */
  readonly createdMs: number;
  /** When it got into the phase that it is in, ms. */
  since: number;
  readonly limits: Limits;
  /** Rekeyings that failed in a row. */
  failures: number;
  /** Not to be rekeyed before, ms. */
  retryAt: number;
}

/** Lifetimes of one SA, jitter taken off: ms of timers.now(), octets, packets. undefined: no such limit. */
export interface Limits {
  readonly softAt: number | undefined;
  readonly hardAt: number | undefined;
  readonly softBytes: bigint | undefined;
  readonly hardBytes: bigint | undefined;
  readonly softPackets: bigint | undefined;
  readonly hardPackets: bigint | undefined;
}

const SCALE = 1_000_000;

/** A random number of 0 to 1. */
export const fraction = ({ crypto }: Pick<IkeEnvironment, 'crypto'>): number =>
  crypto.random(4).readUInt32BE(0) / 2 ** 32;

export function limitsOf(env: IkeEnvironment, lifetimes: Lifetimes): Limits {
  const { jitter } = lifetimes;
  const share = jitter === 0 ? 1 : 1 - jitter * fraction(env);
  const now = env.timers.now();
  const at = (seconds: number, part: number): number | undefined =>
    seconds === 0 ? undefined : now + seconds * 1000 * part;
  const soft = (count: bigint): bigint | undefined =>
    count === 0n ? undefined : (count * BigInt(Math.round(share * SCALE))) / BigInt(SCALE);
  const hard = (count: bigint): bigint | undefined => (count === 0n ? undefined : count);
  return {
    softAt: at(lifetimes.softSeconds, share),
    hardAt: at(lifetimes.hardSeconds, 1),
    softBytes: soft(lifetimes.softBytes),
    hardBytes: hard(lifetimes.hardBytes),
    softPackets: soft(lifetimes.softPackets),
    hardPackets: hard(lifetimes.hardPackets),
  };
}

export const countsTraffic = (limits: Limits): boolean =>
  [limits.softBytes, limits.hardBytes, limits.softPackets, limits.hardPackets].some(
    (limit) => limit !== undefined,
  );

const reached = (limit: bigint | undefined, ...counts: readonly bigint[]): boolean =>
  limit !== undefined && counts.some((count) => count >= limit);

/** Either direction counts: each has its own key (RFC 4301 §4.4.2.1). */
export function isSpent(
  limits: Limits,
  kind: 'soft' | 'hard',
  now: number,
  usage: ChildUsage | undefined,
): boolean {
  const at = kind === 'soft' ? limits.softAt : limits.hardAt;
  if (at !== undefined && now >= at) return true;
  if (usage === undefined) return false;
  const bytes = kind === 'soft' ? limits.softBytes : limits.hardBytes;
  const packets = kind === 'soft' ? limits.softPackets : limits.hardPackets;
  return (
    reached(bytes, usage.inboundBytes, usage.outboundBytes) ||
    reached(packets, usage.inboundPackets, usage.outboundPackets)
  );
}

/** The lower of the two nonces of its exchange, octet by octet (RFC 7296 §2.8.1). */
export const leastNonce = ([one, other]: ChildSa['nonces']): Uint8Array =>
  Buffer.compare(one, other) < 0 ? one : other;

export const keyOf = (service: string, resource: number): string => `${service}#${resource}`;
