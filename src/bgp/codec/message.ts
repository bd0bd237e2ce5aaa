// SPDX-License-Identifier: Apache-2.0
/**
 * Message header (RFC 4271 §4.1):
 *
 *     +---------------------------------------------------------------+
 *     |                  Marker (16 octets, all ones)                 |
 *     +-------------------------------+---------------+---------------+
 *     | Length (of the whole message) | Type          |
 *     +-------------------------------+---------------+
 */
import { u16, u8 } from './bytes.js';

export const HEADER_LENGTH = 19;
export const MESSAGE = {
  open: 1,
  update: 2,
  notification: 3,
  keepalive: 4,
  routeRefresh: 5, // RFC 2918
} as const;
export type MessageType = (typeof MESSAGE)[keyof typeof MESSAGE];

/** Writes a header; `length` is that of the whole message. */
export function writeHeader(
  bytes: Uint8Array,
  at: number,
  type: MessageType,
  length: number,
): void {
  bytes.fill(0xff, at, at + 16);
  bytes[at + 16] = length >>> 8;
  bytes[at + 17] = length;
  bytes[at + 18] = type;
}

/** A message around its body. Throws RangeError when it would be longer than 65535 octets. */
export function encodeMessage(type: MessageType, body: Uint8Array): Uint8Array {
  const length = HEADER_LENGTH + body.length;
  if (length > 65535) throw new RangeError(`a BGP message of ${length} octets`);
  const message = new Uint8Array(length);
  writeHeader(message, 0, type, length);
  message.set(body, HEADER_LENGTH);
  return message;
}

/** KEEPALIVE is a header alone (RFC 4271 §4.4). */
export const encodeKeepalive = (): Uint8Array =>
  encodeMessage(MESSAGE.keepalive, new Uint8Array(0));

/** Type and length as a header has them, unchecked. */
export const headerType = (bytes: Uint8Array, at: number): number => u8(bytes, at + 18);
export const headerLength = (bytes: Uint8Array, at: number): number => u16(bytes, at + 16);
