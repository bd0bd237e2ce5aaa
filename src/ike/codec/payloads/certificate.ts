// SPDX-License-Identifier: Apache-2.0
/**
 * Certificate payload (RFC 7296 §3.6):
 *
 *                         1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    | Cert Encoding |                                               |
 *    +-+-+-+-+-+-+-+-+                                               ~
 *    ~                       Certificate Data                        |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */
import { u8 } from '../../../lib/octets.js';
import { invalidSyntax } from '../fault.js';
import { inOctet, must, type PayloadCodec } from '../payload-codec.js';

export interface Certificate {
  readonly encoding: number;
  /** DER for encoding 4 (X.509 Certificate - Signature). */
  readonly data: Uint8Array;
}

export const certificate: PayloadCodec<Certificate> = {
  type: 37,
  decode(bytes, start, end) {
    if (end === start) return invalidSyntax(start, 'empty CERT payload');
    return { encoding: u8(bytes, start), data: bytes.subarray(start + 1, end) };
  },
  encode({ encoding, data }, writer) {
    must(inOctet(encoding), 'certificate encoding');
    writer.u8(encoding);
    writer.copy(data);
  },
};
