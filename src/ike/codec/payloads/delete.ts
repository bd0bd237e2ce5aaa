// SPDX-License-Identifier: Apache-2.0
/**
 * Delete payload (RFC 7296 §3.11):
 *
 *                         1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    | Protocol ID   |   SPI Size    |          Num of SPIs          |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    ~               Security Parameter Index(es) (SPI)              ~
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * The IKE SA itself (protocol 1) has SPI size 0 and no SPIs; every other protocol has four octets each.
 */
import { type ByteWriter, u16, u32, u8 } from '../../../lib/octets.js';
import { type IkeFault, invalidSyntax } from '../fault.js';
import { LIMITS } from '../limits.js';
import { inFourOctets, inOctet, must, type PayloadCodec } from '../payload-codec.js';

export interface Delete {
  readonly protocol: number;
  /** The sender's inbound SPIs; empty for the IKE SA. */
  readonly spis: readonly number[];
}

const IKE = 1;

function decode(bytes: Uint8Array, start: number, end: number): Delete | IkeFault {
  if (end - start < 4) return invalidSyntax(start, `Delete payload of ${end - start} octets`);
  const protocol = u8(bytes, start);
  const size = u8(bytes, start + 1);
  const count = u16(bytes, start + 2);
  if (size !== (protocol === IKE ? 0 : 4)) {
    return invalidSyntax(start + 1, `SPIs of ${size} octets for protocol ${protocol}`);
  }
  if (protocol === IKE && count !== 0) return invalidSyntax(start + 2, `${count} SPIs of IKE SAs`);
  if (size * count !== end - start - 4) {
    return invalidSyntax(start + 2, `${count} SPIs in ${end - start - 4} octets`);
  }
  if (count > LIMITS.spis) return invalidSyntax(start + 2, `${count} SPIs`);
  const spis = Array.from({ length: count }, (_, i) => u32(bytes, start + 4 + 4 * i));
  return { protocol, spis };
}

function encode({ protocol, spis }: Delete, writer: ByteWriter): void {
  must(inOctet(protocol), 'protocol');
  must(spis.length <= (protocol === IKE ? 0 : LIMITS.spis), 'number of SPIs');
  writer.u8(protocol);
  writer.u8(protocol === IKE ? 0 : 4);
  writer.u16(spis.length);
  for (const spi of spis) {
    must(inFourOctets(spi), 'SPI');
    writer.u32(spi);
  }
}

export const deletePayload: PayloadCodec<Delete> = { type: 42, decode, encode };
