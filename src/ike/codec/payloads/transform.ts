// SPDX-License-Identifier: Apache-2.0
/**
 * Transforms of a proposal (RFC 7296 §3.3.2), one behind the other, each
 *
 *                         1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    | Last Substruc |   RESERVED    |        Transform Length       |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |Transform Type |   RESERVED    |          Transform ID         |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    ~                      Transform Attributes                     ~
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * Last Substruc is 0 for the last and 3 for the others. An attribute (§3.3.5) is
 *
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |A|       Attribute Type        |    AF=0  Attribute Length     |
 *    |F|                             |    AF=1  Attribute Value      |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    ~                   AF=0  Attribute Value                       ~
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * where the length does not count its four octets.
 */
import { type ByteWriter, u16, u8 } from '../../../lib/octets.js';
import { type IkeFault, invalidSyntax, isFault } from '../fault.js';
import { LIMITS } from '../limits.js';
import { inOctet, inTwoOctets, must } from '../payload-codec.js';

/** An attribute that is not Key Length: a number in two octets (AF=1) or an octet string (AF=0). */
export interface TransformAttribute {
  readonly type: number;
  readonly value: number | Uint8Array;
}

export interface Transform {
  /** ENCR 1, PRF 2, INTEG 3, KE 4, ESN 5, ADDKE1..7 6..12 (RFC 9370): names/transforms.ts. */
  readonly type: number;
  readonly id: number;
  /** In bits. */
  readonly keyLength?: number;
  /** All others. A transform with one that is not understood must not be chosen (RFC 7296 §3.3.6). */
  readonly attributes: readonly TransformAttribute[];
}

const TRANSFORM_HEADER = 8;
const ATTRIBUTE_HEADER = 4;
const AF = 0x8000;
const KEY_LENGTH = 14;
const LAST = 0;
const MORE = 3;

type Attributes = Pick<Transform, 'keyLength' | 'attributes'>;

function decodeAttributes(bytes: Uint8Array, start: number, end: number): Attributes | IkeFault {
  const attributes: TransformAttribute[] = [];
  let keyLength: number | undefined;
  for (let at = start; at < end;) {
    if (attributes.length === LIMITS.attributes) return invalidSyntax(at, 'too many attributes');
    if (end - at < ATTRIBUTE_HEADER) return invalidSyntax(at, 'attribute cut off');
    const type = u16(bytes, at) & ~AF;
    const isNumber = (u16(bytes, at) & AF) !== 0;
    const word = u16(bytes, at + 2);
    const size = isNumber ? 0 : word;
    if (size > end - at - ATTRIBUTE_HEADER) {
      return invalidSyntax(at + 2, `attribute of ${size} octets`);
    }
    if (type === KEY_LENGTH) {
      // Of fixed length, so never the long form (§3.3.5); two of them would leave open which is meant.
      if (!isNumber || keyLength !== undefined) return invalidSyntax(at, 'Key Length attribute');
      keyLength = word;
    } else {
      const valueAt = at + ATTRIBUTE_HEADER;
      attributes.push({ type, value: isNumber ? word : bytes.subarray(valueAt, valueAt + size) });
    }
    at += ATTRIBUTE_HEADER + size;
  }
  return { attributes, ...(keyLength === undefined ? {} : { keyLength }) };
}

/** The transforms in bytes[start..end), which must be `count`. */
export function decodeTransforms(
  bytes: Uint8Array,
  start: number,
  end: number,
  count: number,
): Transform[] | IkeFault {
  const transforms: Transform[] = [];
  for (let at = start; at < end;) {
    if (transforms.length === count) return invalidSyntax(at, `more than ${count} transforms`);
    if (end - at < TRANSFORM_HEADER) return invalidSyntax(at, 'transform cut off');
    const length = u16(bytes, at + 2);
    if (length < TRANSFORM_HEADER || length > end - at) {
      return invalidSyntax(at + 2, `transform of ${length} octets`);
    }
    const lastSubstruc = u8(bytes, at);
    if (lastSubstruc !== (length === end - at ? LAST : MORE)) {
      return invalidSyntax(at, `Last Substruc ${lastSubstruc} of a transform`);
    }
    const attributes = decodeAttributes(bytes, at + TRANSFORM_HEADER, at + length);
    if (isFault(attributes)) return attributes;
    transforms.push({ type: u8(bytes, at + 4), id: u16(bytes, at + 6), ...attributes });
    at += length;
  }
  if (transforms.length === count) return transforms;
  return invalidSyntax(start, `${transforms.length} transforms of ${count}`);
}

function encodeAttribute({ type, value }: TransformAttribute, writer: ByteWriter): void {
  must(inTwoOctets(type) && type < AF && type !== KEY_LENGTH, 'attribute type');
  if (typeof value === 'number') {
    must(inTwoOctets(value), 'attribute value');
    writer.u16(AF | type);
    writer.u16(value);
  } else {
    must(value.length <= 0xffff, 'attribute of more than 65535 octets');
    writer.u16(type);
    writer.u16(value.length);
    writer.copy(value);
  }
}

/** Key Length first, the other attributes in their order. */
export function encodeTransform(transform: Transform, last: boolean, writer: ByteWriter): void {
  const { type, id, keyLength, attributes } = transform;
  must(inOctet(type) && inTwoOctets(id), 'transform type or id');
  must(attributes.length <= LIMITS.attributes, 'number of attributes');
  const at = writer.length;
  writer.u8(last ? LAST : MORE);
  writer.u8(0);
  writer.u16(0);
  writer.u8(type);
  writer.u8(0);
  writer.u16(id);
  if (keyLength !== undefined) {
    must(inTwoOctets(keyLength), 'key length');
    writer.u16(AF | KEY_LENGTH);
    writer.u16(keyLength);
  }
  for (const attribute of attributes) encodeAttribute(attribute, writer);
  must(writer.length - at <= 0xffff, 'transform of more than 65535 octets');
  writer.setU16(at + 2, writer.length - at);
}
