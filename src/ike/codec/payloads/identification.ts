// SPDX-License-Identifier: Apache-2.0
/**
 * Identification payloads IDi and IDr (RFC 7296 §3.5):
 *
 *                         1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |   ID Type     |                 RESERVED                      |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    ~                   Identification Data                         ~
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * AUTH signs this body with its RESERVED octets as they came (RFC 7296 §2.15): they are kept.
 */
import { u24, u8 } from '../../../lib/octets.js';
import { invalidSyntax } from '../fault.js';
import { inOctet, must, type PayloadCodec } from '../payload-codec.js';

export interface Identification {
  readonly idType: number;
  /** Sent as 0; what a peer sends is ignored, but is part of what its AUTH covers. */
  readonly reserved: number;
  /** ID_IPV4_ADDR: four octets, ID_IPV6_ADDR: sixteen; others are not looked at. */
  readonly data: Uint8Array;
}

/** ID_IPV4_ADDR and ID_IPV6_ADDR have one size each. */
const SIZES: Readonly<Record<number, number>> = { 1: 4, 5: 16 };

const sizeFits = (idType: number, size: number): boolean => (SIZES[idType] ?? size) === size;

const codecOf = (type: number): PayloadCodec<Identification> => ({
  type,
  decode(bytes, start, end) {
    const size = end - start - 4;
    if (size < 0) return invalidSyntax(start, `ID payload of ${end - start} octets`);
    const idType = u8(bytes, start);
    if (!sizeFits(idType, size)) {
      return invalidSyntax(start, `identity of type ${idType} of ${size} octets`);
    }
    const reserved = u24(bytes, start + 1);
    return { idType, reserved, data: bytes.subarray(start + 4, end) };
  },
  encode({ idType, reserved, data }, writer) {
    must(inOctet(idType) && sizeFits(idType, data.length), 'identity');
    must(reserved >= 0 && reserved <= 0xffffff, 'reserved octets');
    writer.u8(idType);
    writer.u24(reserved);
    writer.copy(data);
  },
});

export const identificationInitiator = codecOf(35);
export const identificationResponder = codecOf(36);
