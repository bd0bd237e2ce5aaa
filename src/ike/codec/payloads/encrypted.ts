// SPDX-License-Identifier: Apache-2.0
/**
 * Encrypted and Authenticated payload SK (RFC 7296 §3.14), behind its generic header:
 *
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |     Initialization Vector  (length is block size, or 8: RFC 5282)
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    ~                    Encrypted IKE Payloads                     ~
 *    +               +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |               |             Padding (0-255 octets)            |
 *    +-+-+-+-+-+-+-+-+                               +-+-+-+-+-+-+-+-+
 *    |                                               |  Pad Length   |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    ~                    Integrity Checksum Data                    ~
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * All of it is opaque here: where it lies in the message is said by the message (chain.ts).
 */
import type { PayloadCodec } from '../payload-codec.js';

export interface Encrypted {
  /** Type of the first payload inside; 0 when there is none. */
  readonly firstInner: number;
  /** IV to checksum. */
  readonly body: Uint8Array;
}

export const encrypted: PayloadCodec<Encrypted> = {
  type: 46,
  decode: (bytes, start, end, firstInner) => ({ firstInner, body: bytes.subarray(start, end) }),
  encode({ body }, writer) {
    writer.copy(body);
  },
  last: { next: ({ firstInner }) => firstInner, lead: 0 },
};
