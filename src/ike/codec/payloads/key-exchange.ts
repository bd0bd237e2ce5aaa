// SPDX-License-Identifier: Apache-2.0
/**
 * Key Exchange payload (RFC 7296 §3.4), also of IKE_FOLLOWUP_KE and IKE_INTERMEDIATE (RFC 9370):
 *
 *                         1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |      Key Exchange Method      |           RESERVED            |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    ~                       Key Exchange Data                       ~
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */
import { u16 } from '../../../lib/octets.js';
import { invalidSyntax } from '../fault.js';
import { inTwoOctets, must, type PayloadCodec } from '../payload-codec.js';

export interface KeyExchange {
  /** A transform id of type KE. */
  readonly method: number;
  /** Its size and meaning are the method's. */
  readonly data: Uint8Array;
}

export const keyExchange: PayloadCodec<KeyExchange> = {
  type: 34,
  decode(bytes, start, end) {
    if (end - start < 4) return invalidSyntax(start, `KE payload of ${end - start} octets`);
    return { method: u16(bytes, start), data: bytes.subarray(start + 4, end) };
  },
  encode({ method, data }, writer) {
    must(inTwoOctets(method), 'key exchange method');
    writer.u16(method);
    writer.u16(0);
    writer.copy(data);
  },
};
