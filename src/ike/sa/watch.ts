// SPDX-License-Identifier: Apache-2.0
/**
 * What becomes due in an IKE SA: lifetimes of it and of its child SAs, reauthentication, a peer that is silent, and
 * peers that do not do what they should (a delete that never comes). One timer, set to what is due first.
 */
import { bad, type IkeFailure } from '../types.js';
import { type ChildEntry, countsTraffic, isSpent, type Limits } from './child-entry.js';
import type { ChildTable } from './child-table.js';
import { patienceMs, type SaContext } from './context.js';
import type { OwnExchanges } from './own-exchanges.js';

/** Limits in octets and packets are looked at so often: the data plane counts, nobody calls. */
const POLL_MS = 1000;
/** And whether traffic proves that the peer has a new child SA. */
const CONFIRM_POLL_MS = 50;

export interface WatchHost extends SaContext {
  readonly table: ChildTable;
  readonly own: OwnExchanges;
  readonly limits: Limits;
  /** It exists in full: not being replaced, deleted or closed. */
  readonly isEstablished: boolean;
  /** Milliseconds; undefined: never. */
  readonly reauthenticateAt: number | undefined;
  /** Milliseconds; what the peer proved is too old then. undefined: never. */
  readonly unauthenticatedAt: number | undefined;
  readonly lastAlive: number;
  trafficSeen(): void;
  /** Is only heard the first time. */
  wantReauthentication(): void;
  childDown(entry: ChildEntry['child'], failure: IkeFailure): void;
  expire(failure: IkeFailure): void;
}

const nothing = (): void => undefined;

export class Watch {
  readonly #host: WatchHost;
  #cancel: () => void = nothing;
  /** Packets received by all child SAs when they were counted last. */
  #received = 0n;
  #isStopped = false;
  /** A failed rekeying of the IKE SA is not tried again before. */
  retryAt = 0;

  constructor(host: WatchHost) {
    this.#host = host;
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  /** After every change of what there is to wait for. */
  arm(): void {
    this.#cancel();
    if (this.#isStopped || !this.#host.isEstablished) return;
    const now = this.#host.env.timers.now();
    const at = Math.min(...this.#dueTimes(now));
    if (at === Number.POSITIVE_INFINITY) return;
    this.#cancel = this.#host.env.timers.after(Math.max(1, at - now), () => {
      this.#tick();
    });
  }

  #dueTimes(now: number): number[] {
    const { table, limits, own, policy, lastAlive, open } = this.#host;
    const { reauthenticateAt, unauthenticatedAt } = this.#host;
    const times = table.all.flatMap((entry) => this.#dueOf(entry, now));
    if (!own.has('rekeyIke') && limits.softAt !== undefined) {
      times.push(Math.max(limits.softAt, this.retryAt));
    }
    if (limits.hardAt !== undefined) times.push(limits.hardAt);
    const proofMs = this.#proofMs();
    if (proofMs !== undefined) times.push(now + Math.max(0, proofMs));
    if (reauthenticateAt !== undefined) times.push(reauthenticateAt);
    if (unauthenticatedAt !== undefined) times.push(unauthenticatedAt);
    if (policy.dpdMs > 0 && own.running === undefined) {
      const at = lastAlive + policy.dpdMs;
      // Something that is asked without us proves as much, but does not say when it is over.
      times.push(open.channel.isIdle ? at : Math.max(at, now + POLL_MS));
    }
    return times;
  }

  #dueOf(entry: ChildEntry, now: number): number[] {
    const { limits, phase } = entry;
    const times: number[] = [];
    if (!entry.isConfirmed && phase === 'live') {
      times.push(Math.min(entry.confirmAt, now + CONFIRM_POLL_MS));
    }
    if (phase === 'replaced' || phase === 'redundant') times.push(entry.since + this.#patience());
    if (phase === 'live' && !this.#host.own.hasFor(entry)) {
      if (limits.softAt !== undefined) times.push(Math.max(limits.softAt, entry.retryAt));
      if (countsTraffic(limits)) times.push(now + POLL_MS);
    }
    if (phase !== 'deleting' && limits.hardAt !== undefined) times.push(limits.hardAt);
    return times;
  }

  #patience(): number {
    return patienceMs(this.#host.policy.retransmission);
  }

  #tick(): void {
    const host = this.#host;
    const now = host.env.timers.now();
    for (const entry of host.table.all) this.#look(entry, now);
    if (host.isEstablished) this.#lookAtIke(now);
    if (host.isEstablished) this.#lookAtPeer(now);
    this.arm();
  }

  #look(entry: ChildEntry, now: number): void {
    const { table, own, env } = this.#host;
    if (!table.has(entry) || entry.phase === 'deleting') return;
    const usage = env.sink.usage(entry.child.inboundSpi);
    if (!entry.isConfirmed && entry.phase === 'live') {
      if ((usage?.inboundPackets ?? 0n) > 0n) table.prove(entry);
      else if (now >= entry.confirmAt) table.confirm(entry);
    }
    const isStale = entry.phase === 'replaced' || entry.phase === 'redundant';
    if (isSpent(entry.limits, 'hard', now, usage)) {
      this.#endChild(entry);
    } else if (isStale && now >= entry.since + this.#patience()) {
      // Its deleter forgot it, or never knew of it.
      table.delete(entry);
    } else if (this.#mayRekey(entry, now) && isSpent(entry.limits, 'soft', now, usage)) {
      void own.rekey(entry);
    }
  }

  #mayRekey(entry: ChildEntry, now: number): boolean {
    return entry.phase === 'live' && now >= entry.retryAt && !this.#host.own.hasFor(entry);
  }

  /** Nothing is sent with it any more, whether the peer can be told or not. */
  #endChild(entry: ChildEntry): void {
    const { table, own, env } = this.#host;
    const { failure } = bad('POLICY', 'us', 'its lifetime is over');
    env.log.notice('child SA at the end of its life', { spi: entry.child.inboundSpi });
    const spis = [entry.child.inboundSpi];
    if (table.remove(entry, 0)) this.#host.childDown(entry.child, failure);
    own.tell([{ kind: 'D', protocol: 3, spis }], false);
  }

  #lookAtIke(now: number): void {
    const { limits, own, env, reauthenticateAt, unauthenticatedAt } = this.#host;
    if (isSpent(limits, 'hard', now, undefined)) {
      this.#host.expire(bad('POLICY', 'us', 'the lifetime of the IKE SA is over').failure);
      return;
    }
    if ((this.#proofMs() ?? 1) <= 0) {
      this.#host.expire(bad('POLICY', 'us', "the peer's certificate has expired").failure);
      return;
    }
    if (unauthenticatedAt !== undefined && now >= unauthenticatedAt) {
      env.count('auth_overdue');
      this.#host.expire(bad('POLICY', 'us', 'the peer did not authenticate anew in time').failure);
      return;
    }
    if (isSpent(limits, 'soft', now, undefined) && now >= this.retryAt && !own.has('rekeyIke')) {
      this.retryAt = now + this.#patience();
      void own.rekeyIke();
    }
    if (reauthenticateAt !== undefined && now >= reauthenticateAt) {
      this.#host.wantReauthentication();
    }
  }

  /** Until what the peer has shown of itself is no proof any more; undefined: never. */
  #proofMs(): number | undefined {
    const { open, env } = this.#host;
    const { validUntil } = open.identity;
    return validUntil === undefined ? undefined : (validUntil - env.wallClock()) * 1000;
  }

  /** RFC 7296 §2.4: silence is no death while packets come; an answer to anything is life. */
  #lookAtPeer(now: number): void {
    const { policy, table, own, env, open } = this.#host;
    if (policy.dpdMs === 0 || now < this.#host.lastAlive + policy.dpdMs) return;
    const received = table.all
      .map(({ child }) => env.sink.usage(child.inboundSpi)?.inboundPackets ?? 0n)
      .reduce((sum, count) => sum + count, 0n);
    const hasCome = received > this.#received;
    this.#received = received;
    if (hasCome) this.#host.trafficSeen();
    else if (open.channel.isIdle && own.running === undefined) own.tell([], true);
  }
}
