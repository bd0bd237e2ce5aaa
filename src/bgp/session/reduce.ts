// SPDX-License-Identifier: Apache-2.0
/** What to leave out of the next OPEN after the peer refused this one (RFC 5492 §3, §5). */
import { CAPABILITY } from '../codec/capabilities.js';
import { ERROR, OPEN_ERROR } from '../codec/notification-codes.js';
import { FAMILY, type FamilySet, type Notification } from '../codec/types.js';
import type { Reduction } from './negotiate.js';

/** Codes in the data of Unsupported Capability: | code 1 | length 1 | value |, as in an OPEN. */
function refusedCodes(data: Uint8Array): number[] {
  const codes: number[] = [];
  for (let at = 0; at + 2 <= data.length; at += 2 + (data[at + 1] ?? 0)) codes.push(data[at] ?? 0);
  return codes;
}

/**
 * What to leave out from now on; undefined when the notification asks for nothing that may be left out.
 * Families stay: without them there would be a session that does not do what it is for.
 */
export function reductionAfter(
  current: Reduction,
  { code, subcode, data }: Notification,
  families: FamilySet,
): Reduction | undefined {
  if (code !== ERROR.open) return undefined;
  if (subcode === OPEN_ERROR.unsupportedParameter) {
    const plain = families === 1 << FAMILY.ipv4Unicast;
    return plain && !current.all ? { ...current, all: true } : undefined;
  }
  if (subcode !== OPEN_ERROR.unsupportedCapability) return undefined;
  const fresh = refusedCodes(data).filter(
    (each) => each !== CAPABILITY.multiprotocol && !current.codes.has(each),
  );
  if (fresh.length === 0) return undefined;
  return { ...current, codes: new Set([...current.codes, ...fresh]) };
}

/** Event 24 of RFC 4271 §8.1.5. We speak version 4 alone, so there is nothing to fall back to. */
export const isVersionFault = ({ code, subcode }: Notification): boolean =>
  code === ERROR.open && subcode === OPEN_ERROR.unsupportedVersion;
