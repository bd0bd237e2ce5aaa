// SPDX-License-Identifier: Apache-2.0
/**
 * How long neighbours may go on using our routes when they hear nothing of us any more (policy-model 5): until
 * they notice, which takes the hold time, then as long as we have told them that we may be away (RFC 4724,
 * RFC 9494). A label that was freed meanwhile is not another's before that is over.
 *
 * A neighbour goes by what it was told when its session began, so that what was offered before counts as long as
 * somebody may still go by it. What others do with routes that came from us by somebody else, they do by what that
 * one has offered them.
 */
import { neighboursOf, type ConfiguredNeighbour } from '../config/bgp/resolve.js';
import type { Config } from '../config/types.js';

/** Seconds for which a freed value keeps its meaning at least. */
export const LABEL_QUARANTINE_SECONDS = 3600;

/** Of the session: see resolveNeighbor. Seconds. */
const HOLD = 90;
const RESTART_TIME = 120;

/** What is known of the times offered, for as long as one of them may count. Seconds. */
export interface Offers {
  /** By the configuration in force. */
  readonly offered: number;
  /** The longest of earlier ones that was longer, and until when (since 1970) somebody may go by it. */
  readonly earlier?: { readonly offered: number; readonly until: number };
}

function keptBy({ timers, gracefulRestart, longLived }: ConfiguredNeighbour): number {
  const hold = timers?.hold ?? HOLD;
  if (gracefulRestart === false) return hold;
  return hold + (gracefulRestart?.restartTime ?? RESTART_TIME) + (longLived?.staleTime ?? 0);
}

/** The longest that any neighbour of the core may keep our routes without us, seconds; CEs have no labels of ours. */
export const longestKept = (config: Config): number =>
  neighboursOf(config).reduce(
    (longest, one) => (one.vrf === undefined ? Math.max(longest, keptBy(one)) : longest),
    0,
  );

/** With another configuration. `now`: seconds since 1970. */
export function followOffers(before: Offers | undefined, offered: number, now: number): Offers {
  const earlier = before?.earlier;
  const live = [
    ...(earlier !== undefined && earlier.until > now ? [earlier] : []),
    ...(before !== undefined && before.offered > offered
      ? [{ offered: before.offered, until: now + before.offered }]
      : []),
  ].filter((one) => one.offered > offered);
  if (live.length === 0) return { offered };
  // Together, so that there is never more than one to remember.
  const longest = Math.max(...live.map((one) => one.offered));
  return { offered, earlier: { offered: longest, until: Math.max(...live.map((o) => o.until)) } };
}

/** Seconds for which a label that is freed now keeps its meaning. */
export function quarantineOf(
  { offered, earlier }: Offers,
  now: number,
  least = LABEL_QUARANTINE_SECONDS,
): number {
  const before = earlier !== undefined && earlier.until > now ? earlier.offered : 0;
  return Math.max(least, offered, before);
}
