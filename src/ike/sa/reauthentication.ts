// SPDX-License-Identifier: Apache-2.0
/**
 * When the peers of an IKE SA have to prove anew who they are (RFC 4478): by our policy, by the peer's, or since a
 * certificate expires. Rekeying does not put it off. It is done by opening another IKE SA, which is its owner's; when
 * the time that our policy allows is over, and a grace time with it, the IKE SA ends (RFC 4478 §2).
 */
import type { ReauthenticationReason } from './api.js';
import type { SaContext } from './context.js';

/** The share of a lifetime after which it is renewed. */
const EARLY = 0.9;
/** A certificate that expires: time enough to open another IKE SA, and to try again. */
const BEFORE_EXPIRY_S = 300;
/**
 * An IKE SA lives so long before it is replaced, ms, whatever the peer or its certificate says: each that replaces it
 * would be replaced at once as well.
 */
const LEAST_MS = 10_000;

/** Beyond the lifetime by our policy, for who began in time and must try again: a share, and seconds at least. */
const GRACE = { share: 0.1, leastSeconds: 60 } as const;

interface Plan {
  /** Milliseconds of timers.now(). */
  readonly at: number;
  readonly reason: ReauthenticationReason;
}

export class Reauthentication {
  #plan: Plan | undefined;
  #isAsked: boolean;
  /** Then the IKE SA ends, milliseconds of timers.now(); undefined: never. */
  readonly endsAt: number | undefined;

  constructor(plan?: Plan, isAsked = false, endsAt?: number) {
    this.#plan = plan;
    this.#isAsked = isAsked;
    this.endsAt = endsAt;
  }

  get plan(): Plan | undefined {
    return this.#plan;
  }

  get isAsked(): boolean {
    return this.#isAsked;
  }

  /** undefined: never, or asked for already. */
  get dueAt(): number | undefined {
    return this.#isAsked ? undefined : this.#plan?.at;
  }

  /** Whichever is first counts; not before `least`. */
  atMost(wanted: number, reason: ReauthenticationReason, least = wanted): void {
    const at = Math.max(wanted, least);
    if (this.#plan === undefined || at < this.#plan.at) this.#plan = { at, reason };
  }

  /** Asked for once: the reason, the first time. */
  ask(): ReauthenticationReason | undefined {
    if (this.#isAsked) return undefined;
    this.#isAsked = true;
    return this.#plan?.reason;
  }

  /** RFC 4478: the peer says how long it will let the IKE SA live. */
  limitByPeer(now: number, seconds: number): void {
    this.atMost(now + seconds * EARLY * 1000, 'peer-lifetime', now + LEAST_MS);
  }
}

const allowedMs = (seconds: number): number =>
  (seconds + Math.max(seconds * GRACE.share, GRACE.leastSeconds)) * 1000;

/** Of an IKE SA that was just authenticated, or longer ago. */
export function planReauthentication({
  env,
  open,
  policy,
}: Pick<SaContext, 'env' | 'open' | 'policy'>): Reauthentication {
  const [now, wall] = [env.timers.now(), env.wallClock()];
  const openedAt = now - (wall - open.openedAt) * 1000;
  const { validUntil } = open.identity;
  const isLimited = policy.reauthSeconds > 0;
  const planned = new Reauthentication(
    undefined,
    false,
    isLimited ? openedAt + allowedMs(policy.reauthSeconds) : undefined,
  );
  if (isLimited) {
    // Whoever was the initiator begins, with time left to try again.
    const share = open.role === 'initiator' ? EARLY : 1;
    planned.atMost(openedAt + policy.reauthSeconds * share * 1000, 'policy');
  }
  if (open.peerAuthLifetime !== undefined) planned.limitByPeer(openedAt, open.peerAuthLifetime);
  if (validUntil !== undefined) {
    const at = now + (validUntil - wall - BEFORE_EXPIRY_S) * 1000;
    planned.atMost(at, 'certificate-expires', now + LEAST_MS);
  }
  return planned;
}
