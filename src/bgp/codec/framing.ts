// SPDX-License-Identifier: Apache-2.0
/** Finds messages in a receive buffer, in place, and checks their headers (RFC 4271 §6.1). */
import { HEADER_LENGTH, headerLength, headerType, MESSAGE, type MessageType } from './message.js';
import { headerError } from './notification.js';
import type { Notification } from './types.js';

/** Body of one message: bytes[start..end). Returning false stops before the next one. */
export type MessageVisitor = (type: MessageType, start: number, end: number) => boolean;

export interface FramingResult {
  /** Octets of whole messages that were handed out; the rest stays for the next call. */
  readonly consumed: number;
  /** Set when the next header is wrong: nothing behind it can be read. */
  readonly fault?: Notification;
}

const MARKER_LENGTH = 16;

interface Limits {
  readonly type: MessageType;
  readonly shortest: number;
  /** Never extended by RFC 8654 §4: OPEN and KEEPALIVE. */
  readonly longest: number;
}

const LIMITS: readonly (Limits | undefined)[] = [
  undefined,
  { type: MESSAGE.open, shortest: 29, longest: 4096 },
  { type: MESSAGE.update, shortest: 23, longest: 65535 },
  { type: MESSAGE.notification, shortest: 21, longest: 65535 },
  { type: MESSAGE.keepalive, shortest: 19, longest: 19 },
  { type: MESSAGE.routeRefresh, shortest: 23, longest: 65535 },
];

/**
 * Hands out every whole message in bytes[start..end). A header is judged as soon as it is complete, its
 * marker octet by octet, so that garbage is refused without waiting for more of it. `maxMessage` is what
 * the peer may send (RFC 8654).
 */
export function splitMessages(
  bytes: Uint8Array,
  start: number,
  end: number,
  maxMessage: number,
  visit: MessageVisitor,
): FramingResult {
  let at = start;
  for (;;) {
    const marker = Math.min(at + MARKER_LENGTH, end);
    let ones = 0xff;
    for (let i = at; i < marker; i++) ones &= bytes[i] ?? 0;
    if (ones !== 0xff) {
      const fault = headerError('notSynchronized', 'the marker is not all ones');
      return { consumed: at - start, fault };
    }
    if (end - at < HEADER_LENGTH) return { consumed: at - start };
    const length = headerLength(bytes, at);
    const limits = LIMITS[headerType(bytes, at)];
    const fault = headerFault(bytes, at, limits, maxMessage);
    if (fault !== undefined || limits === undefined) {
      return { consumed: at - start, ...(fault === undefined ? {} : { fault }) };
    }
    if (end - at < length) return { consumed: at - start };
    const body = at + HEADER_LENGTH;
    at += length;
    if (!visit(limits.type, body, at)) return { consumed: at - start };
  }
}

/** What is wrong with a complete header; the length is judged before the type (RFC 4271 §6.1). */
function headerFault(
  bytes: Uint8Array,
  at: number,
  limits: Limits | undefined,
  maxMessage: number,
): Notification | undefined {
  const length = headerLength(bytes, at);
  const shortest = limits?.shortest ?? HEADER_LENGTH;
  const longest = Math.min(limits?.longest ?? maxMessage, maxMessage);
  if (length < shortest || length > longest) {
    return headerError(
      'badLength',
      `length ${length} of a message of type ${headerType(bytes, at)}`,
      bytes.slice(at + 16, at + 18),
    );
  }
  if (limits === undefined) {
    const type = headerType(bytes, at);
    return headerError('badType', `message type ${type}`, Uint8Array.of(type));
  }
  return undefined;
}
