// SPDX-License-Identifier: Apache-2.0
/**
 * Nonce payload, Ni and Nr (RFC 7296 §3.9): the body is the nonce, 16 to 256 octets.
 *
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    ~                            Nonce Data                         ~
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */
import { invalidSyntax } from '../fault.js';
import { must, type PayloadCodec } from '../payload-codec.js';

export interface Nonce {
  readonly data: Uint8Array;
}

const sizeFits = (size: number): boolean => size >= 16 && size <= 256;

export const nonce: PayloadCodec<Nonce> = {
  type: 40,
  decode(bytes, start, end) {
    if (!sizeFits(end - start)) return invalidSyntax(start, `nonce of ${end - start} octets`);
    return { data: bytes.subarray(start, end) };
  },
  encode({ data }, writer) {
    must(sizeFits(data.length), 'size of the nonce');
    writer.copy(data);
  },
};
