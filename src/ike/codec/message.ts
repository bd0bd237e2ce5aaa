// SPDX-License-Identifier: Apache-2.0
/**
 * Whole IKE messages (RFC 7296 §3): | header 28 | payloads, each behind its generic header |.
 *
 * A protected message is made in two steps: encoded with an SK body of the final size, so that its lengths are
 * what is authenticated, and then encrypted in place at {@link EncodedMessage.protection}.
 */
import { ByteWriter } from '../../lib/octets.js';
import { type Chain, decodeChain, type Protection, writeChain } from './chain.js';
import { type IkeFault, isFault } from './fault.js';
import {
  decodeHeader,
  encodeHeader,
  HEADER_LENGTH,
  headerFault,
  type HeaderFields,
  type IkeHeader,
} from './header.js';
import { LIMITS } from './limits.js';
import type { Payload } from './payload.js';
import { inFourOctets, inOctet, must } from './payload-codec.js';

export interface IkeMessage extends Chain {
  readonly header: IkeHeader;
}

export interface EncodedMessage {
  readonly octets: Uint8Array;
  /** Present when the last payload is SK or SKF. */
  readonly protection?: Protection;
}

/**
 * The message that fills bytes[start..end), without a non-ESP marker. Octet strings in the answer are views of
 * `bytes`; nothing outside of the range is read, and nothing thrown. Indices in it count as those of `bytes`.
 */
export function decodeMessage(
  bytes: Uint8Array,
  start: number,
  end: number,
): IkeMessage | IkeFault {
  const header = decodeHeader(bytes, start, end);
  if (isFault(header)) return header;
  const fault = headerFault(header, start, end - start);
  if (fault !== undefined) return fault;
  const chain = decodeChain(bytes, header.firstPayload, start + HEADER_LENGTH, end);
  return isFault(chain) ? chain : { header, ...chain };
}

/**
 * Reserved octets and bits are 0, the version is 2.0 and there is nothing between payloads, so that one message
 * has one encoding. Throws RangeError for what has no place on the wire or would be refused by our own decoder.
 */
export function encodeMessage(header: HeaderFields, payloads: readonly Payload[]): EncodedMessage {
  must(header.initiatorSpi > 0n && header.initiatorSpi < 1n << 64n, "initiator's SPI");
  must(header.responderSpi >= 0n && header.responderSpi < 1n << 64n, "responder's SPI");
  must(inOctet(header.exchange) && inFourOctets(header.messageId), 'exchange or message ID');
  const writer = new ByteWriter(512);
  encodeHeader(header, writer);
  const { first, protection } = writeChain(payloads, writer);
  must(writer.length <= LIMITS.octets, 'message of more than 65535 octets');
  const octets = writer.slice();
  octets[16] = first;
  new DataView(octets.buffer).setUint32(24, octets.length);
  return protection === undefined ? { octets } : { octets, protection };
}
