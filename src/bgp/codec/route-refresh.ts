// SPDX-License-Identifier: Apache-2.0
/**
 * ROUTE-REFRESH (RFC 2918, 7313), behind the header:
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     |              AFI              | Subtype       | SAFI          |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */
import { u16, u8 } from './bytes.js';
import { familyOf } from './families.js';
import { encodeMessage, HEADER_LENGTH, MESSAGE } from './message.js';
import { notification } from './notification.js';
import { ERROR, ROUTE_REFRESH_ERROR } from './notification-codes.js';
import { FAMILIES, type FamilyId, type Notification } from './types.js';

/** 0 request, 1 Beginning of Route Refresh, 2 End of Route Refresh. */
export type RefreshSubtype = 0 | 1 | 2;

export interface RouteRefresh {
  readonly afi: number;
  readonly safi: number;
  /** Absent: none of ours, to be ignored (RFC 2918 §4). */
  readonly family?: FamilyId;
  /** Others than 0..2 are to be ignored (RFC 7313 §5). */
  readonly subtype: number;
}

export const isRefreshSubtype = (value: number): value is RefreshSubtype =>
  value === 0 || value === 1 || value === 2;

/**
 * The body, bytes[start..end), at least four octets (the framing has checked it). A request may have more,
 * which is outbound route filtering (RFC 5291), never agreed to here. The others have four, or the session
 * ends (RFC 7313 §5).
 */
export function decodeRouteRefresh(
  bytes: Uint8Array,
  start: number,
  end: number,
): RouteRefresh | Notification {
  const subtype = u8(bytes, start + 2);
  if (end - start < 4 || (end - start !== 4 && (subtype === 1 || subtype === 2))) {
    const reason = `ROUTE-REFRESH of subtype ${subtype} with ${end - start} octets`;
    // The data is the whole message.
    const message = bytes.slice(Math.max(0, start - HEADER_LENGTH), end);
    return notification(ERROR.routeRefresh, ROUTE_REFRESH_ERROR.invalidLength, reason, message);
  }
  const afi = u16(bytes, start);
  const safi = u8(bytes, start + 3);
  const family = familyOf(afi, safi);
  return { afi, safi, subtype, ...(family === undefined ? {} : { family }) };
}

/** The whole message. */
export function encodeRouteRefresh(family: FamilyId, subtype: RefreshSubtype): Uint8Array {
  const { afi, safi } = FAMILIES[family];
  return encodeMessage(MESSAGE.routeRefresh, Uint8Array.of(0, afi, subtype, safi));
}
