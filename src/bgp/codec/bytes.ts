// SPDX-License-Identifier: Apache-2.0
/** Octets as BGP has them: those of every codec, and AS numbers of either width. */
import * as octets from '../../lib/octets.js';

export { hex, u16, u24, u32, u64, u8 } from '../../lib/octets.js';

/** An AS number of 2 or 4 octets. */
export const asn = (bytes: Uint8Array, at: number, width: 2 | 4): number =>
  width === 4 ? octets.u32(bytes, at) : octets.u16(bytes, at);

export class ByteWriter extends octets.ByteWriter {
  asn(value: number, width: 2 | 4): void {
    if (width === 4) this.u32(value);
    else this.u16(value);
  }
}
