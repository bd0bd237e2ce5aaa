// SPDX-License-Identifier: Apache-2.0
/**
 * Configuration payload CP (RFC 7296 §3.15):
 *
 *                         1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |   CFG Type    |                    RESERVED                   |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * and attributes one behind the other, each
 *
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |R|         Attribute Type      |            Length             |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    ~                             Value                             ~
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */
import { type ByteWriter, u16, u8 } from '../../../lib/octets.js';
import { type IkeFault, invalidSyntax } from '../fault.js';
import { LIMITS } from '../limits.js';
import { inOctet, inTwoOctets, must, type PayloadCodec } from '../payload-codec.js';

export interface ConfigurationAttribute {
  /** 15 bits; the R bit is ignored. */
  readonly type: number;
  readonly value: Uint8Array;
}

export interface Configuration {
  readonly cfgType: number;
  readonly attributes: readonly ConfigurationAttribute[];
}

const TYPE = 0x7fff;

function decode(bytes: Uint8Array, start: number, end: number): Configuration | IkeFault {
  if (end - start < 4) return invalidSyntax(start, `CP payload of ${end - start} octets`);
  const attributes: ConfigurationAttribute[] = [];
  for (let at = start + 4; at < end;) {
    if (attributes.length === LIMITS.configurationAttributes) {
      return invalidSyntax(at, 'too many configuration attributes');
    }
    if (end - at < 4) return invalidSyntax(at, 'configuration attribute cut off');
    const size = u16(bytes, at + 2);
    if (size > end - at - 4) return invalidSyntax(at + 2, `attribute of ${size} octets`);
    attributes.push({ type: u16(bytes, at) & TYPE, value: bytes.subarray(at + 4, at + 4 + size) });
    at += 4 + size;
  }
  return { cfgType: u8(bytes, start), attributes };
}

function encode({ cfgType, attributes }: Configuration, writer: ByteWriter): void {
  must(inOctet(cfgType), 'CFG type');
  must(attributes.length <= LIMITS.configurationAttributes, 'number of attributes');
  writer.u8(cfgType);
  writer.u24(0);
  for (const { type, value } of attributes) {
    must(inTwoOctets(type) && type <= TYPE && inTwoOctets(value.length), 'attribute');
    writer.u16(type);
    writer.u16(value.length);
    writer.copy(value);
  }
}

export const configuration: PayloadCodec<Configuration> = { type: 47, decode, encode };
