// SPDX-License-Identifier: Apache-2.0
/**
 * Netlink messages, linux/netlink.h, host byte order. A datagram holds one or more of them:
 *
 *  +---------------------------------------------------------------+
 *  | nlmsg_len: header and payload                                 |
 *  +-------------------------------+-------------------------------+
 *  | nlmsg_type                    | nlmsg_flags                   |
 *  +-------------------------------+-------------------------------+
 *  | nlmsg_seq: echoed in answers                                  |
 *  +---------------------------------------------------------------+
 *  | nlmsg_pid: port of the requester, 0 = the kernel's own doing  |
 *  +---------------------------------------------------------------+
 *  | payload, then zeros up to a multiple of 4                     |
 *  +---------------------------------------------------------------+
 */
import { align4, attributeString, decodeAttributes, viewOf } from './attribute.js';
import { NLM_F } from './constants.js';

export const MESSAGE_HEADER = 16;
/** Attributes of an extended ack. */
const NLMSGERR_ATTR_MSG = 1;

export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly port: number;
  readonly payload: Uint8Array;
}

export function encodeMessage(message: Omit<NetlinkMessage, 'port'>): Uint8Array {
  const length = MESSAGE_HEADER + message.payload.length;
  const bytes = new Uint8Array(align4(length));
  const view = viewOf(bytes);
  view.setUint32(0, length, true);
  view.setUint16(4, message.type, true);
  view.setUint16(6, message.flags, true);
  view.setUint32(8, message.sequence, true);
  bytes.set(message.payload, MESSAGE_HEADER);
  return bytes;
}

/** The messages of a datagram, payloads as views; undefined when a length does not fit. */
export function decodeMessages(datagram: Uint8Array): readonly NetlinkMessage[] | undefined {
  const view = viewOf(datagram);
  const result: NetlinkMessage[] = [];
  let at = 0;
  while (at < datagram.length) {
    if (datagram.length - at < MESSAGE_HEADER) return undefined;
    const length = view.getUint32(at, true);
    if (length < MESSAGE_HEADER || length > datagram.length - at) return undefined;
    result.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      port: view.getUint32(at + 12, true),
      payload: datagram.subarray(at + MESSAGE_HEADER, at + length),
    });
    at += align4(length);
  }
  return result;
}

/** What NLMSG_ERROR or the end of a dump says. */
export interface Acknowledgement {
  /** 0 = done, else a positive errno. */
  readonly errno: number;
  /** The kernel's own words (extended ack), when it has any. */
  readonly text?: string;
}

/**
 * NLMSG_ERROR: the negative errno, the header of the request it answers (the whole request when it
 * failed and CAPPED is not set), then with ACK_TLVS attributes.
 */
export function decodeError(message: NetlinkMessage): Acknowledgement | undefined {
  const { payload } = message;
  if (payload.length < 4 + MESSAGE_HEADER) return undefined;
  const view = viewOf(payload);
  const errno = 0 - view.getInt32(0, true);
  const capped = errno === 0 || (message.flags & NLM_F.CAPPED) !== 0;
  const echoed = capped ? MESSAGE_HEADER : align4(view.getUint32(4, true));
  return withText(errno, message, 4 + echoed);
}

/** NLMSG_DONE: the negative errno of the dump, then with ACK_TLVS attributes. Some senders omit it. */
export function decodeDone(message: NetlinkMessage): Acknowledgement {
  if (message.payload.length < 4) return { errno: 0 };
  return withText(0 - viewOf(message.payload).getInt32(0, true), message, 4);
}

function withText(errno: number, message: NetlinkMessage, offset: number): Acknowledgement {
  if ((message.flags & NLM_F.ACK_TLVS) === 0) return { errno };
  const attributes = decodeAttributes(message.payload, offset);
  const text = attributes && attributeString(attributes, NLMSGERR_ATTR_MSG);
  return text === undefined ? { errno } : { errno, text };
}
