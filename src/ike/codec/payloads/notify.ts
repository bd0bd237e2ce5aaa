// SPDX-License-Identifier: Apache-2.0
/**
 * Notify payload (RFC 7296 §3.10):
 *
 *                         1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |  Protocol ID  |   SPI Size    |      Notify Message Type      |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    ~                Security Parameter Index (SPI)                 ~
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    ~                       Notification Data                       ~
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */
import { u16, u8 } from '../../../lib/octets.js';
import { invalidSyntax } from '../fault.js';
import { inOctet, inTwoOctets, must, type PayloadCodec } from '../payload-codec.js';

export interface Notify {
  /** To be ignored without an SPI. */
  readonly protocol: number;
  readonly spi: Uint8Array;
  /** names/notify.ts. */
  readonly notify: number;
  /** Its size and meaning are the type's. */
  readonly data: Uint8Array;
}

export const notify: PayloadCodec<Notify> = {
  type: 41,
  decode(bytes, start, end) {
    if (end - start < 4) return invalidSyntax(start, `Notify payload of ${end - start} octets`);
    const dataAt = start + 4 + u8(bytes, start + 1);
    if (dataAt > end) return invalidSyntax(start + 1, `SPI of ${u8(bytes, start + 1)} octets`);
    return {
      protocol: u8(bytes, start),
      spi: bytes.subarray(start + 4, dataAt),
      notify: u16(bytes, start + 2),
      data: bytes.subarray(dataAt, end),
    };
  },
  encode({ protocol, spi, notify: type, data }, writer) {
    must(inOctet(protocol) && inOctet(spi.length) && inTwoOctets(type), 'notify');
    writer.u8(protocol);
    writer.u8(spi.length);
    writer.u16(type);
    writer.copy(spi);
    writer.copy(data);
  },
};
