// SPDX-License-Identifier: Apache-2.0
/** How long a session waits: jitter and back-off. Milliseconds. */

/** Uniform in 0..1, 1 not included. */
export type Random = () => number;

/** 75 to 100 % (RFC 4271 §10), so that peers that began together do not stay together. */
export const jitter = (ms: number, random: Random): number =>
  Math.round(ms * (0.75 + 0.25 * random()));

/** `first` doubled with each failure, at most `most`. */
export const backOff = (first: number, failures: number, most: number): number =>
  Math.min(first * 2 ** Math.min(failures, 30), Math.max(first, most));

/** A session that lived so long has not failed for the reason of the one before. */
export const STABLE_MS = 60_000;

/** The first wait in Idle: the peer has to notice the end, too. */
export const FIRST_IDLE_MS = 1_000;

/** RFC 9687 §4: the greater of eight minutes and twice the hold time. */
export const sendHoldMs = (holdSeconds: number, configured: number | undefined): number =>
  1000 * (configured ?? Math.max(480, 2 * holdSeconds));

/** The peer's word that it lives is due thrice per hold time (RFC 4271 §4.4). */
export const keepaliveMs = (holdSeconds: number, configured: number | undefined): number =>
  1000 * Math.min(configured ?? holdSeconds / 3, holdSeconds / 3);

/** What a timer that looks back finds: so long it is still to wait, or that its time is over. */
export type Overdue = { readonly again: number } | { readonly seconds: number };

/** A limit on the time since something happened; the timer was not moved each time it did. */
export function overdue(limitMs: number, since: number, now: number): Overdue {
  const passed = now - since;
  return passed < limitMs ? { again: limitMs - passed } : { seconds: Math.round(passed / 1000) };
}
