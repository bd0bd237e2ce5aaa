// SPDX-License-Identifier: Apache-2.0
/**
 * Which of several IKE SAs of one peer stays. RFC 7296 §2.8.1 has a rule for simultaneous rekeying (the lowest of
 * four nonces loses) and none for simultaneous opening; this is ours, of what both ends know:
 *
 * - One whose opening began after another was up is meant to replace it (reauthentication, a restarted peer).
 * - Of two that were opened at the same time the one of the lower initiator's SPI stays.
 *
 * Whoever opened the one that stays closes the other: it had the last message of that opening, so it knows that
 * both ends have it. The other end only does so when that never comes.
 */
import { formatAddress } from '../../lib/ip.js';
import type { Logger } from '../../lib/log.js';
import type { ChildPolicy, ChildSink } from '../child/types.js';
import type { IkeCounter } from '../counters.js';
import type { IkeSa } from '../sa/api.js';
import type { Timers } from '../types.js';

/** An IKE SA, and how it came to be; rekeying keeps it, so that both ends judge alike meanwhile. */
export interface Lineage {
  readonly openedBy: 'us' | 'peer';
  /** The initiator's SPI with which it was opened. */
  readonly firstSpi: bigint;
  /** Milliseconds of timers.now(): the response of its IKE_SA_INIT, and when it was authenticated. */
  readonly startedAt: number;
  readonly openedAt: number;
}

function stays(a: Lineage, b: Lineage): boolean {
  if (a.startedAt > b.openedAt) return true;
  if (b.startedAt > a.openedAt) return false;
  return a.firstSpi < b.firstSpi;
}

/** Those that may be asked for something. */
export const isUsable = ({ phase }: IkeSa): boolean =>
  phase === 'established' || phase === 'rekeying';

export function theOneThatStays(sas: ReadonlyMap<IkeSa, Lineage>): IkeSa | undefined {
  let best: IkeSa | undefined;
  let of: Lineage | undefined;
  for (const [sa, lineage] of sas) {
    if (!isUsable(sa) || (of !== undefined && !stays(lineage, of))) continue;
    best = sa;
    of = lineage;
  }
  return best;
}

/** Between two looks: long enough for the last message of an opening to come, or come again. */
const SETTLE_MS = 2_000;
/** How often the end that should not close waits longer than the other. */
const PATIENCE = 3;
/** Until the one that stays is asked again for a child SA that the other has and it was refused. */
const REFUSED_MS = 60_000;

export interface DuplicatesDeps {
  readonly timers: Timers;
  readonly log: Logger;
  readonly count: (counter: IkeCounter) => void;
  readonly sink: Pick<ChildSink, 'activate'>;
  readonly sas: ReadonlyMap<IkeSa, Lineage>;
}

/** Closes what another IKE SA of the same peer replaces, when that one carries all that it carries. */
export class Duplicates {
  readonly #deps: DuplicatesDeps;
  // Made when there is a second IKE SA: most peers never have one.
  /** When nothing was left that only it carries. */
  #redundantSince: WeakMap<IkeSa, number> | undefined;
  #notBefore: WeakMap<IkeSa, number> | undefined;
  #cancel: (() => void) | undefined;

  constructor(deps: DuplicatesDeps) {
    this.#deps = deps;
  }

  /** After each change of the IKE SAs. */
  check(): void {
    const { sas, timers } = this.#deps;
    let usable = 0;
    for (const sa of sas.keys()) if (isUsable(sa)) usable++;
    if (usable < 2) {
      this.close();
      return;
    }
    this.#cancel ??= timers.after(SETTLE_MS, () => {
      this.#cancel = undefined;
      this.#settle();
      this.check();
    });
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #settle(): void {
    const { sas } = this.#deps;
    const winner = theOneThatStays(sas);
    if (winner === undefined) return;
    const isOurs = sas.get(winner)?.openedBy === 'us';
    for (const loser of [...sas.keys()]) {
      if (loser === winner || !isUsable(loser)) continue;
      const missing = loser.children.find(
        ({ policy }) => !winner.children.some((child) => child.policy.service === policy.service),
      );
      if (missing === undefined) this.#retire(winner, loser, isOurs);
      else {
        this.#redundantSince?.delete(loser);
        if (isOurs) this.#move(winner, missing.policy);
      }
    }
  }

  /** Make before break. Who refuses it keeps both: it may mean them for two things. */
  #move(winner: IkeSa, policy: ChildPolicy): void {
    const { timers } = this.#deps;
    const now = timers.now();
    if (now < (this.#notBefore?.get(winner) ?? 0)) return;
    this.#notBefore ??= new WeakMap();
    this.#notBefore.set(winner, now + REFUSED_MS);
    void winner.want(policy, 0).then((outcome) => {
      if (outcome.ok) this.#notBefore?.delete(winner);
    });
  }

  #retire(winner: IkeSa, loser: IkeSa, isOurs: boolean): void {
    const { timers, sink, count, log } = this.#deps;
    const now = timers.now();
    const since = this.#redundantSince?.get(loser);
    if (since === undefined) {
      this.#redundantSince ??= new WeakMap();
      this.#redundantSince.set(loser, now);
      for (const { inboundSpi } of winner.children) void sink.activate(inboundSpi);
      return;
    }
    if (now - since < (isOurs ? SETTLE_MS : PATIENCE * SETTLE_MS)) return;
    count('duplicates_closed');
    log.info('closing a redundant IKE SA', { peer: formatAddress(loser.open.path.remote.address) });
    void loser.close('another IKE SA serves the same');
  }
}
