// SPDX-License-Identifier: Apache-2.0
/**
 * Payloads whose body is one octet string to the codec:
 *
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    ~    Vendor ID (RFC 7296 §3.12)  or  EAP message (§3.16)        ~
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * EAP is no method of authentication here: the payload is kept, so that it can be refused by its name.
 */
import type { PayloadCodec } from '../payload-codec.js';

export interface Opaque {
  readonly data: Uint8Array;
}

const codecOf = (type: number): PayloadCodec<Opaque> => ({
  type,
  decode: (bytes, start, end) => ({ data: bytes.subarray(start, end) }),
  encode({ data }, writer) {
    writer.copy(data);
  },
});

export const vendorId = codecOf(43);
export const eap = codecOf(48);
