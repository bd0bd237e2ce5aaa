// SPDX-License-Identifier: Apache-2.0
/**
 * The IKE header (RFC 7296 §3.1):
 *
 *                         1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |                       IKE SA Initiator's SPI                  |
 *    |                                                               |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |                       IKE SA Responder's SPI                  |
 *    |                                                               |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |  Next Payload | MjVer | MnVer | Exchange Type |X|X|R|V|I|X|X|X|
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |                          Message ID                           |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |                            Length                             |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * The non-ESP marker of port 4500 (RFC 7296 §3.1) is the transport's: it is not part of a message here.
 */
import { type ByteWriter, u32, u64, u8 } from '../../lib/octets.js';
import { type IkeFault, invalidMajorVersion, invalidSyntax } from './fault.js';
import { LIMITS } from './limits.js';

export const HEADER_LENGTH = 28;

const RESPONSE = 0x20;
const HIGHER_VERSION = 0x10;
const INITIATOR = 0x08;

/** What a sender says in a header; the rest follows from the message. */
export interface HeaderFields {
  readonly initiatorSpi: bigint;
  /** 0 in the first message of an IKE SA. */
  readonly responderSpi: bigint;
  readonly exchange: number;
  /** I: from the original initiator of the IKE SA. */
  readonly initiator: boolean;
  /** R. */
  readonly response: boolean;
  readonly messageId: number;
}

export interface IkeHeader extends HeaderFields {
  readonly firstPayload: number;
  readonly major: number;
  readonly minor: number;
  /** V: the sender could speak a higher major version; to be ignored (RFC 7296 §3.1). */
  readonly higherVersion: boolean;
  /** Octets of the message as it says itself. */
  readonly length: number;
}

/**
 * The header of the datagram bytes[start..end): as it is, unchecked but for its size, so that an answer can
 * be addressed whatever is wrong; see {@link headerFault}.
 */
export function decodeHeader(bytes: Uint8Array, start: number, end: number): IkeHeader | IkeFault {
  if (end - start < HEADER_LENGTH) return invalidSyntax(start, `${end - start} octets of a header`);
  const version = u8(bytes, start + 17);
  const flags = u8(bytes, start + 19);
  return {
    initiatorSpi: u64(bytes, start),
    responderSpi: u64(bytes, start + 8),
    firstPayload: u8(bytes, start + 16),
    major: version >>> 4,
    minor: version & 0x0f,
    exchange: u8(bytes, start + 18),
    initiator: (flags & INITIATOR) !== 0,
    response: (flags & RESPONSE) !== 0,
    higherVersion: (flags & HIGHER_VERSION) !== 0,
    messageId: u32(bytes, start + 20),
    length: u32(bytes, start + 24),
  };
}

/**
 * What forbids to read on behind a header at `start` of a datagram of `size` octets. The version comes first:
 * another one may mean something else by the other fields. A minor version changes nothing (RFC 7296 §2.5).
 */
export function headerFault(header: IkeHeader, start: number, size: number): IkeFault | undefined {
  if (header.major !== 2) return invalidMajorVersion(start + 17, header.major);
  if (header.length !== size) {
    return invalidSyntax(start + 24, `length ${header.length} in a datagram of ${size} octets`);
  }
  if (size > LIMITS.octets) return invalidSyntax(start + 24, `message of ${size} octets`);
  if (header.initiatorSpi === 0n) return invalidSyntax(start, "initiator's SPI 0");
  return undefined;
}

/** Writes a header of version 2.0; the first payload and the length are set when they are known. */
export function encodeHeader(header: HeaderFields, writer: ByteWriter): void {
  writer.u64(header.initiatorSpi);
  writer.u64(header.responderSpi);
  writer.u8(0);
  writer.u8(0x20);
  writer.u8(header.exchange);
  writer.u8((header.response ? RESPONSE : 0) | (header.initiator ? INITIATOR : 0));
  writer.u32(header.messageId);
  writer.u32(0);
}
