// SPDX-License-Identifier: Apache-2.0
/**
 * Authentication payload (RFC 7296 §3.8):
 *
 *                         1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    | Auth Method   |                RESERVED                       |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    ~                      Authentication Data                      ~
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * whose data begins for method 14, Digital Signature (RFC 7427 §3), with
 *
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    | ASN.1 Length  | AlgorithmIdentifier ASN.1 object              |
 *    +-+-+-+-+-+-+-+-+                                               ~
 *    ~                        Signature Value                        ~
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */
import { type ByteWriter, u8 } from '../../../lib/octets.js';
import { type IkeFault, invalidSyntax } from '../fault.js';
import { inOctet, must, type PayloadCodec } from '../payload-codec.js';

export interface Authentication {
  readonly method: number;
  /** DER of the AlgorithmIdentifier: of method 14, and of no other. */
  readonly algorithm?: Uint8Array;
  /** Authentication Data; for method 14 the Signature Value alone. */
  readonly data: Uint8Array;
}

const DIGITAL_SIGNATURE = 14;
const SEQUENCE = 0x30;

/** Whether bytes[start..end) are framed as one DER SEQUENCE of at most 255 octets in all. */
function isSequence(bytes: Uint8Array, start: number, end: number): boolean {
  const size = end - start;
  if (size < 2 || u8(bytes, start) !== SEQUENCE) return false;
  const short = u8(bytes, start + 1);
  if (short < 0x80) return size === 2 + short;
  // 0x81: one octet of length follows, which DER allows from 128 on only.
  return short === 0x81 && size >= 131 && size === 3 + u8(bytes, start + 2);
}

function decode(bytes: Uint8Array, start: number, end: number): Authentication | IkeFault {
  if (end - start < 4) return invalidSyntax(start, `AUTH payload of ${end - start} octets`);
  const method = u8(bytes, start);
  const dataAt = start + 4;
  if (method !== DIGITAL_SIGNATURE) return { method, data: bytes.subarray(dataAt, end) };
  if (dataAt === end) return invalidSyntax(dataAt, 'no ASN.1 Length');
  const signatureAt = dataAt + 1 + u8(bytes, dataAt);
  if (signatureAt > end || !isSequence(bytes, dataAt + 1, signatureAt)) {
    return invalidSyntax(dataAt, 'AlgorithmIdentifier');
  }
  const algorithm = bytes.subarray(dataAt + 1, signatureAt);
  return { method, algorithm, data: bytes.subarray(signatureAt, end) };
}

function encode({ method, algorithm, data }: Authentication, writer: ByteWriter): void {
  must(inOctet(method), 'authentication method');
  must((method === DIGITAL_SIGNATURE) === (algorithm !== undefined), 'AlgorithmIdentifier');
  writer.u8(method);
  writer.u24(0);
  if (algorithm !== undefined) {
    const fits = algorithm.length <= 0xff && isSequence(algorithm, 0, algorithm.length);
    must(fits, 'AlgorithmIdentifier is no DER SEQUENCE');
    writer.u8(algorithm.length);
    writer.copy(algorithm);
  }
  writer.copy(data);
}

export const authentication: PayloadCodec<Authentication> = { type: 39, decode, encode };
