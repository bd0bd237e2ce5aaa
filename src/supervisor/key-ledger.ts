// SPDX-License-Identifier: Apache-2.0
/**
 * Which key was counted for where (policy-model 22). Under one key an IV must never come twice; what
 * knows how far the counter got is the SA's row in the shared segments, whose `epoch` changes when
 * they are lost. So a key that may have encrypted is good for the row it lives in and for nothing
 * else: not for a second row, not after its row was removed, not after a reboot.
 *
 * Keys are recorded by SHA-256 of keying material. An entry goes through two phases, each on disk
 * before the step it allows: `reserved` before the SA row is written, `used` before anything may
 * refer to that row. A supervisor killed in between leaves a key that has encrypted nothing.
 */
import { isRecord, readState, writeState } from './state-file.js';

export interface LedgerEntry {
  /** Segment epoch, hex. */
  readonly epoch: string;
  /** Name of the SA, for messages. */
  readonly sa: string;
  readonly used: boolean;
}
/** By SHA-256 of key and salt, hex. */
export type Ledger = Readonly<Record<string, LedgerEntry>>;

export type KeyVerdict =
  | { readonly ok: true; readonly action: 'keep' | 'add' }
  | { readonly ok: false; readonly reason: string };

/**
 * `live`: the segments hold a live row of this SA with this key. `epoch`: the segments' now.
 */
export function judgeKey(ledger: Ledger, digest: string, epoch: string, live: boolean): KeyVerdict {
  if (live) return { ok: true, action: 'keep' };
  const entry = Object.hasOwn(ledger, digest) ? ledger[digest] : undefined;
  if (entry?.used !== true) return { ok: true, action: 'add' };
  const reason =
    entry.epoch === epoch
      ? `its key has been used before, by SA ${entry.sa}, and belongs to that SA as it was`
      : `its key has been used before, by SA ${entry.sa}, and the segments that counted for it are gone`;
  return { ok: false, reason };
}

/** Ledger with entries of these keys in this phase. */
export function record(
  ledger: Ledger,
  keys: readonly { readonly digest: string; readonly sa: string }[],
  epoch: string,
  used: boolean,
): Ledger {
  const entries = keys.map(({ digest, sa }) => [digest, { epoch, sa, used }] as const);
  return { ...ledger, ...Object.fromEntries(entries) };
}

/** The ledger on disk; `write` returns when it is there. */
export function ledgerFile(path: string): {
  readonly read: () => Ledger;
  readonly write: (ledger: Ledger) => void;
} {
  return {
    read: () => readState(path, checkLedger) ?? {},
    write: (ledger) => {
      writeState(path, ledger);
    },
  };
}

/** A ledger read from disk; undefined when it is none. */
export function checkLedger(value: unknown): Ledger | undefined {
  if (!isRecord(value)) return undefined;
  const ledger: Record<string, LedgerEntry> = {};
  for (const [digest, entry] of Object.entries(value)) {
    if (!isRecord(entry)) return undefined;
    const { epoch, sa, used } = entry;
    if (typeof epoch !== 'string' || typeof sa !== 'string' || typeof used !== 'boolean') {
      return undefined;
    }
    ledger[digest] = { epoch, sa, used };
  }
  return ledger;
}
