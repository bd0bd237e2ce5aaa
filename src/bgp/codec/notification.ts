// SPDX-License-Identifier: Apache-2.0
/**
 * NOTIFICATION (RFC 4271 §4.5), behind the header:
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     | Error code    | Error subcode |   Data (variable)             |
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * Data of Cease / Administrative Shutdown and Reset (RFC 9003): | length 1 | UTF-8 text |.
 * Data of Cease / Hard Reset (RFC 8538 §3.1): | code 1 | subcode 1 | data of that |.
 */
import { hex, u8 } from './bytes.js';
import { encodeMessage, MESSAGE } from './message.js';
import {
  CEASE,
  describeCode,
  ERROR,
  HEADER_ERROR,
  OPEN_ERROR,
  UPDATE_ERROR,
} from './notification-codes.js';
import type { Notification } from './types.js';

const NOTHING = new Uint8Array(0);
/** What fits a 4096-octet message behind the header, code and subcode. */
const MOST_DATA = 4096 - 21;

/** A NOTIFICATION to send. `data` is copied and cut to what fits a message. */
export function notification(
  code: number,
  subcode: number,
  reason: string,
  data: Uint8Array = NOTHING,
): Notification {
  return { code, subcode, data: data.slice(0, MOST_DATA), reason };
}

export const headerError = (
  subcode: keyof typeof HEADER_ERROR,
  reason: string,
  data?: Uint8Array,
): Notification => notification(ERROR.header, HEADER_ERROR[subcode], reason, data);

export const openError = (
  subcode: keyof typeof OPEN_ERROR,
  reason: string,
  data?: Uint8Array,
): Notification => notification(ERROR.open, OPEN_ERROR[subcode], reason, data);

export const updateError = (
  subcode: keyof typeof UPDATE_ERROR,
  reason: string,
  data?: Uint8Array,
): Notification => notification(ERROR.update, UPDATE_ERROR[subcode], reason, data);

/** Cease, with a text for the peer's operator where RFC 9003 allows one. */
export function cease(subcode: keyof typeof CEASE, text = ''): Notification {
  const number = CEASE[subcode];
  const carries = SHUTDOWN_SUBCODES.has(number);
  const words = describeCode(ERROR.cease, number);
  return notification(
    ERROR.cease,
    number,
    text === '' ? words : `${words}: ${text}`,
    carries ? encodeShutdownText(text) : NOTHING,
  );
}

const SHUTDOWN_SUBCODES: ReadonlySet<number> = new Set([
  CEASE.administrativeShutdown,
  CEASE.administrativeReset,
]);

/**
 * Hard Reset (RFC 8538 §3.1): the session ends without graceful restart although the N bit was agreed;
 * what would have been said is inside.
 */
export function hardReset(inner: Notification): Notification {
  const data = new Uint8Array(2 + inner.data.length);
  data.set([inner.code, inner.subcode]);
  data.set(inner.data, 2);
  return notification(ERROR.cease, CEASE.hardReset, `Hard Reset: ${inner.reason}`, data);
}

/** The notification inside a Hard Reset; undefined when it is none or too short to hold one. */
export function hardResetInner(outer: Notification): Notification | undefined {
  if (outer.code !== ERROR.cease || outer.subcode !== CEASE.hardReset) return undefined;
  if (outer.data.length < 2) return undefined;
  return received(u8(outer.data, 0), u8(outer.data, 1), outer.data.slice(2));
}

/**
 * The data field with a shutdown text: cut to 255 octets (RFC 9003 §2) between characters. An empty text
 * gives an empty field.
 */
export function encodeShutdownText(text: string): Uint8Array {
  if (text === '') return NOTHING;
  const octets = new TextEncoder().encode(text);
  let size = Math.min(255, octets.length);
  // 10xxxxxx continues a character: never cut before one.
  while (size < octets.length && size > 0 && (u8(octets, size) & 0xc0) === 0x80) size--;
  const data = new Uint8Array(1 + size);
  data[0] = size;
  data.set(octets.subarray(0, size), 1);
  return data;
}

/**
 * The shutdown text of a received Cease; undefined when there is none. RFC 9003 §4: a bad length or bad
 * UTF-8 is to be logged, not answered; what is readable of it is given. Control characters are the log's
 * concern.
 */
export function decodeShutdownText(fault: Notification): string | undefined {
  if (fault.code !== ERROR.cease || !SHUTDOWN_SUBCODES.has(fault.subcode)) return undefined;
  const size = Math.min(u8(fault.data, 0), fault.data.length - 1);
  if (size <= 0) return undefined;
  return new TextDecoder('utf-8').decode(fault.data.subarray(1, 1 + size));
}

function received(code: number, subcode: number, data: Uint8Array): Notification {
  const bare = { code, subcode, data, reason: describeCode(code, subcode) };
  const inner = hardResetInner(bare);
  if (inner !== undefined) return { ...bare, reason: `${bare.reason}: ${inner.reason}` };
  const text = decodeShutdownText(bare);
  if (text !== undefined) return { ...bare, reason: `${bare.reason}: ${text}` };
  return data.length === 0 ? bare : { ...bare, reason: `${bare.reason} (data ${hex(data)})` };
}

/** The body of a NOTIFICATION: bytes[start..end), at least two octets (the framing has checked it). */
export function decodeNotification(bytes: Uint8Array, start: number, end: number): Notification {
  if (end - start < 2) return received(0, 0, NOTHING);
  return received(u8(bytes, start), u8(bytes, start + 1), bytes.slice(start + 2, end));
}

/** The whole message, header included. */
export function encodeNotification(fault: Notification): Uint8Array {
  const body = new Uint8Array(2 + Math.min(MOST_DATA, fault.data.length));
  body.set([fault.code, fault.subcode]);
  body.set(fault.data.subarray(0, MOST_DATA), 2);
  return encodeMessage(MESSAGE.notification, body);
}
