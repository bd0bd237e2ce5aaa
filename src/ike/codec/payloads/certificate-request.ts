// SPDX-License-Identifier: Apache-2.0
/**
 * Certificate Request payload (RFC 7296 §3.7):
 *
 *                         1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    | Cert Encoding |                                               |
 *    +-+-+-+-+-+-+-+-+                                               ~
 *    ~                    Certification Authority                    |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * For X.509 (4, 12, 13) the authorities are SHA-1 hashes of their SubjectPublicKeyInfo, 20 octets each, one
 * behind the other; for OCSP Content (14) those of the responders (RFC 4806 §3.1), of which there may be none.
 */
import { u8 } from '../../../lib/octets.js';
import { invalidSyntax } from '../fault.js';
import { inOctet, must, type PayloadCodec } from '../payload-codec.js';

export interface CertificateRequest {
  readonly encoding: number;
  readonly authorities: Uint8Array;
}

const HASH = 20;
const HASHED: ReadonlySet<number> = new Set([4, 12, 13, 14]);

const sizeFits = (encoding: number, size: number): boolean =>
  !HASHED.has(encoding) || size % HASH === 0;

/** The hashes of a request of an encoding that has them, as views of it; else none. */
export function authorityHashes({ encoding, authorities }: CertificateRequest): Uint8Array[] {
  if (!HASHED.has(encoding)) return [];
  return Array.from({ length: Math.floor(authorities.length / HASH) }, (_, i) =>
    authorities.subarray(HASH * i, HASH * (i + 1)),
  );
}

export const certificateRequest: PayloadCodec<CertificateRequest> = {
  type: 38,
  decode(bytes, start, end) {
    if (end === start) return invalidSyntax(start, 'empty CERTREQ payload');
    const encoding = u8(bytes, start);
    const size = end - start - 1;
    if (!sizeFits(encoding, size)) return invalidSyntax(start + 1, `hashes of ${size} octets`);
    return { encoding, authorities: bytes.subarray(start + 1, end) };
  },
  encode({ encoding, authorities }, writer) {
    must(inOctet(encoding) && sizeFits(encoding, authorities.length), 'certificate request');
    writer.u8(encoding);
    writer.copy(authorities);
  },
};
