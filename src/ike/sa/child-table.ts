// SPDX-License-Identifier: Apache-2.0
/**
 * The child SAs of an IKE SA, and which of them carries the traffic of a service.
 *
 * Simultaneous rekeyings and simultaneous creations are the same problem: two child SAs for one service. Both sides know
 * the four nonces, so both take the same one: the SA whose exchange had the lowest nonce goes, deleted by whoever
 * created it (RFC 7296 §2.8.1). What was rekeyed is deleted by the initiator of the exchange that replaces it. Nothing is
 * decided while an exchange of ours for the service is under way: its outcome is part of the decision.
 *
 * Traffic moves to an SA when the peer is known to have it, and only then is anything deleted.
 */
import type { ChildSa } from '../child/child-sa.js';
import type { SaEnvironment } from './api.js';
import { type ChildEntry, keyOf, leastNonce, limitsOf } from './child-entry.js';

/** After a child SA was deleted packets of it may still be on their way. */
export const GRACE_MS = 5000;

/** The IKE SA itself: functions made for each would take as much memory as its keys. */
export interface ChildTableHost {
  readonly env: SaEnvironment;
  readonly own: {
    /** An exchange of ours that makes a child SA for the service is under way. */
    isBusy(key: string): boolean;
    /** The peer is to be told that it is deleted; it is in phase 'deleting'. */
    delete(entry: ChildEntry): Promise<unknown>;
  };
  /** There may be something else to wait for. */
  changed(): void;
  childUp(child: ChildSa): void;
  childRekeyed(old: ChildSa, child: ChildSa): void;
}

/** Never written to. */
const NONE = new Map<number, ChildEntry>();

export class ChildTable {
  /** Made with the first child SA. */
  #byInbound = NONE;
  #byOutbound = NONE;
  readonly #host: ChildTableHost;

  constructor(host: ChildTableHost) {
    this.#host = host;
  }

  get size(): number {
    return this.#byInbound.size;
  }

  get all(): ChildEntry[] {
    return [...this.#byInbound.values()];
  }

  of(key: string): ChildEntry[] {
    return this.all.filter((entry) => entry.key === key);
  }

  /** By our SPI. */
  find(inboundSpi: number): ChildEntry | undefined {
    return this.#byInbound.get(inboundSpi);
  }

  /** By the peer's SPI. */
  findPeers(outboundSpi: number): ChildEntry | undefined {
    return this.#byOutbound.get(outboundSpi);
  }

  /** Resources (RFC 9611) of a service's child SAs, but for those that are going. */
  resources(service: string): ReadonlySet<number> {
    const those = [...this.all].filter(({ child, phase }) => {
      return child.policy.service === service && (phase === 'live' || phase === 'rekeying');
    });
    return new Set(those.map(({ child }) => child.resource));
  }

  has(entry: ChildEntry): boolean {
    return this.#byInbound.get(entry.child.inboundSpi) === entry;
  }

  /** The one that serves, or that will: live or rekeying. */
  serving(key: string): ChildEntry | undefined {
    const usable = this.of(key).filter(({ phase }) => phase === 'live' || phase === 'rekeying');
    return usable.find(({ isActive }) => isActive) ?? usable[0];
  }

  /** `confirmMs`: until a silent peer is taken to have it; 0: it is known to. */
  add(child: ChildSa, confirmMs: number): ChildEntry {
    const { env } = this.#host;
    const now = env.timers.now();
    const isProven = confirmMs === 0;
    const entry: ChildEntry = {
      child,
      key: keyOf(child.policy.service, child.resource),
      phase: 'live',
      isActive: false,
      isProven,
      isConfirmed: isProven,
      confirmAt: now + confirmMs,
      successor: undefined,
      deleter: 'peer',
      isDuplicate: false,
      isSaid: false,
      isReplacementSaid: false,
      createdMs: now,
      since: now,
      limits: limitsOf(env, child.policy.lifetimes),
      failures: 0,
      retryAt: 0,
    };
    this.insert(entry);
    return entry;
  }

  insert(entry: ChildEntry): void {
    if (this.#byInbound === NONE) this.#byInbound = new Map();
    if (this.#byOutbound === NONE) this.#byOutbound = new Map();
    this.#byInbound.set(entry.child.inboundSpi, entry);
    this.#byOutbound.set(entry.child.outboundSpi, entry);
    this.#host.changed();
  }

  /** Everything, for the IKE SA that replaces this one. */
  moveTo(other: ChildTable): void {
    for (const entry of this.all) other.insert(entry);
    this.#byInbound.clear();
    this.#byOutbound.clear();
  }

  setPhase(entry: ChildEntry, phase: ChildEntry['phase']): void {
    entry.phase = phase;
    entry.since = this.#host.env.timers.now();
    this.#host.changed();
  }

  /** `entry` was rekeyed by `successor`; while ours is under way it is only noted. */
  replace(entry: ChildEntry, successor: ChildEntry): void {
    entry.successor = successor;
    if (entry.phase !== 'live' && entry.phase !== 'redundant') return;
    this.setPhase(entry, 'replaced');
    entry.deleter = successor.child.isOurs ? 'us' : 'peer';
  }

  /** Our rekeying of it has ended. */
  endRekeying(entry: ChildEntry, child: ChildEntry | undefined): void {
    if (!this.has(entry) || entry.phase !== 'rekeying') return;
    this.setPhase(entry, 'live');
    const successor = entry.successor ?? child;
    if (successor !== undefined && this.has(successor)) this.replace(entry, successor);
    else entry.successor = undefined;
  }

  /** Decides which of several stays. Does nothing when there is nothing to decide or it is too early. */
  settle(key: string): void {
    const entries = this.of(key);
    const candidates = entries.filter(({ phase }) => phase === 'live' || phase === 'redundant');
    if (this.#host.own.isBusy(key) || entries.some(({ phase }) => phase === 'rekeying')) return;
    const winner = candidates.reduce<ChildEntry | undefined>(betterOf, undefined);
    if (winner === undefined) return;
    if (winner.phase === 'redundant') this.setPhase(winner, 'live');
    for (const entry of entries) {
      const { successor } = entry;
      if (entry.phase !== 'replaced' || entry.isDuplicate || successor === undefined) continue;
      if (!candidates.includes(successor)) continue;
      entry.successor = winner;
      entry.deleter = winner.child.isOurs ? 'us' : 'peer';
    }
    if (candidates.length > 1) this.#yield(candidates, winner);
    if (winner.isConfirmed) this.activate(winner);
  }

  #yield(candidates: readonly ChildEntry[], winner: ChildEntry): void {
    for (const loser of candidates) {
      if (loser === winner || loser.phase === 'redundant') continue;
      this.#host.env.count('collisions');
      if (loser.child.isOurs) {
        loser.successor = winner;
        loser.deleter = 'us';
        loser.isDuplicate = true;
        this.setPhase(loser, 'replaced');
      } else {
        this.setPhase(loser, 'redundant');
      }
    }
  }

  /** The peer has it installed. */
  prove(entry: ChildEntry): void {
    entry.isProven = true;
    this.confirm(entry);
  }

  /** It may be used. */
  confirm(entry: ChildEntry): void {
    if (entry.isConfirmed || !this.has(entry)) return;
    entry.isConfirmed = true;
    const isIdle = !this.of(entry.key).some(({ isActive }) => isActive);
    if (isIdle && entry.phase === 'live') this.activate(entry);
    else this.settle(entry.key);
  }

  /** Traffic leaves by it from now on; what it replaces may be deleted. */
  activate(entry: ChildEntry): void {
    const { env } = this.#host;
    if (!entry.isActive) {
      entry.isActive = true;
      entry.isConfirmed = true;
      void env.sink.activate(entry.child.inboundSpi);
    }
    for (const old of this.of(entry.key)) {
      if (old === entry) continue;
      old.isActive = false;
      if (final(old) !== entry) continue;
      this.#sayReplaced(old, entry);
      if (old.phase === 'replaced' && old.deleter === 'us') this.delete(old);
    }
    if (!entry.isSaid) this.#host.childUp(entry.child);
    entry.isSaid = true;
  }

  /** Once, and only of what the owner knows. */
  #sayReplaced(old: ChildEntry, entry: ChildEntry): void {
    if (old.isReplacementSaid) return;
    old.isReplacementSaid = true;
    this.#host.env.count(old.isDuplicate ? 'duplicates_closed' : 'child_sas_rekeyed');
    if (!old.isSaid) return;
    entry.isSaid = true;
    this.#host.childRekeyed(old.child, entry.child);
  }

  delete(entry: ChildEntry): void {
    if (entry.phase === 'deleting') return;
    this.setPhase(entry, 'deleting');
    void this.#host.own.delete(entry);
  }

  /**
   * It is no more. Those that it should have replaced come back to life; traffic that it carried goes on by the best
   * that is left. Says whether its owner has to be told, since nothing does.
   */
  remove(entry: ChildEntry, graceMs: number): boolean {
    if (!this.has(entry)) return false;
    const { env } = this.#host;
    const heir = this.#heirOf(entry);
    if (entry.isActive && heir !== undefined) {
      entry.successor = heir;
      this.activate(heir);
    }
    this.#byInbound.delete(entry.child.inboundSpi);
    if (this.findPeers(entry.child.outboundSpi) === entry) {
      this.#byOutbound.delete(entry.child.outboundSpi);
    }
    this.#unlink(entry);
    env.count('child_sas_closed');
    env.sink.remove(entry.child.inboundSpi, graceMs);
    this.settle(entry.key);
    return entry.isSaid && !entry.isReplacementSaid;
  }

  /** All at once, nothing is sent any more. Those that the owner has to be told of. */
  clear(graceMs: number): ChildSa[] {
    const entries = this.all;
    this.#byInbound.clear();
    this.#byOutbound.clear();
    const { env } = this.#host;
    for (const { child } of entries) {
      env.count('child_sas_closed');
      env.sink.remove(child.inboundSpi, graceMs);
    }
    return entries
      .filter((entry) => entry.isSaid && !entry.isReplacementSaid)
      .map(({ child }) => child);
  }

  /** As `clear`, but the data plane goes on with them. */
  forgetAll(): void {
    this.#byInbound.clear();
    this.#byOutbound.clear();
  }

  #heirOf(entry: ChildEntry): ChildEntry | undefined {
    const planned = final(entry);
    if (planned !== entry && this.has(planned) && planned.phase !== 'deleting') return planned;
    return this.of(entry.key).find(
      (other) => other !== entry && (other.phase === 'live' || other.phase === 'rekeying'),
    );
  }

  /** Nothing is replaced by it any more. */
  #unlink(entry: ChildEntry): void {
    const { successor } = entry;
    for (const other of this.of(entry.key)) {
      if (other.successor !== entry) continue;
      const isGone = successor === undefined || successor === other || !this.has(successor);
      other.successor = isGone ? undefined : successor;
      if (other.successor !== undefined || other.phase !== 'replaced') continue;
      this.setPhase(other, 'live');
      other.isDuplicate = false;
    }
  }
}

/** The one whose least nonce is higher. */
const betterOf = (best: ChildEntry | undefined, one: ChildEntry): ChildEntry =>
  best !== undefined &&
  Buffer.compare(leastNonce(best.child.nonces), leastNonce(one.child.nonces)) > 0
    ? best
    : one;

/** The end of the chain of those that replaced one another. */
export function final(entry: ChildEntry): ChildEntry {
  let last = entry;
  while (last.successor !== undefined && (last.phase === 'replaced' || last === entry)) {
    last = last.successor;
  }
  return last;
}
