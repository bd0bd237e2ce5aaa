// SPDX-License-Identifier: Apache-2.0
/**
 * Netlink attributes, linux/netlink.h. Integers are in host byte order, which is little-endian on
 * x86-64, the one machine Sealane is built for; addresses are network order bytes.
 *
 *   0                   1                   2                   3
 *  +-------------------------------+-+-+---------------------------+
 *  | nla_len: header and value     |N|O| type (14 bits)            |
 *  +-------------------------------+-+-+---------------------------+
 *  | value, nla_len - 4 bytes, then zeros up to a multiple of 4    |
 *  +---------------------------------------------------------------+
 *   N: nested attributes follow    O: value in network byte order
 */

const HEADER = 4;
const TYPE_MASK = 0x3fff;
const NESTED = 0x8000;

export type Attributes = ReadonlyMap<number, Uint8Array>;

export function align4(length: number): number {
  // Not by bits: a 32-bit length of the peer's would come out negative.
  return Math.ceil(length / 4) * 4;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * Attributes from `offset` to the end of `bytes`, by type; of equal types the last counts.
 * Values are views, not copies. Returns undefined when a length does not fit.
 */
export function decodeAttributes(bytes: Uint8Array, offset = 0): Attributes | undefined {
  const view = viewOf(bytes);
  const result = new Map<number, Uint8Array>();
  let at = offset;
  if (at > bytes.length) return undefined;
  while (bytes.length - at >= HEADER) {
    const length = view.getUint16(at, true);
    if (length < HEADER || length > bytes.length - at) return undefined;
    result.set(view.getUint16(at + 2, true) & TYPE_MASK, bytes.subarray(at + HEADER, at + length));
    at += align4(length);
  }
  return result;
}

/** Nested attributes of one attribute: empty when it is absent, undefined when malformed. */
export function decodeNested(attributes: Attributes, type: number): Attributes | undefined {
  const value = attributes.get(type);
  return value === undefined ? new Map<number, Uint8Array>() : decodeAttributes(value);
}

export function attributeU8(attributes: Attributes, type: number): number | undefined {
  return attributes.get(type)?.[0];
}

export function attributeU32(attributes: Attributes, type: number): number | undefined {
  const value = attributes.get(type);
  return value !== undefined && value.length >= 4 ? viewOf(value).getUint32(0, true) : undefined;
}

/** A NUL-terminated string; what follows the NUL is ignored. */
export function attributeString(attributes: Attributes, type: number): string | undefined {
  const value = attributes.get(type);
  if (value === undefined) return undefined;
  const end = value.indexOf(0);
  return new TextDecoder().decode(end < 0 ? value : value.subarray(0, end));
}

/** A copy of an attribute of 4 or 16 bytes (an IP address), undefined for any other length. */
export function attributeAddress(attributes: Attributes, type: number): Uint8Array | undefined {
  const value = attributes.get(type);
  return value !== undefined && (value.length === 4 || value.length === 16)
    ? Uint8Array.from(value)
    : undefined;
}

/** Builds a fixed header followed by attributes. */
export class AttributeWriter {
  readonly #parts: Uint8Array[] = [];

  constructor(header: Uint8Array = new Uint8Array(0)) {
    this.#push(header);
  }

  bytes(type: number, value: Uint8Array): this {
    const header = new Uint8Array(HEADER);
    const view = viewOf(header);
    view.setUint16(0, HEADER + value.length, true);
    view.setUint16(2, type, true);
    this.#parts.push(header);
    this.#push(value);
    return this;
  }

  u8(type: number, value: number): this {
    return this.bytes(type, Uint8Array.of(value));
  }

  u32(type: number, value: number): this {
    const bytes = new Uint8Array(4);
    viewOf(bytes).setUint32(0, value, true);
    return this.bytes(type, bytes);
  }

  string(type: number, value: string): this {
    return this.bytes(type, new TextEncoder().encode(`${value}\0`));
  }

  nested(type: number, fill: (inner: AttributeWriter) => unknown): this {
    const inner = new AttributeWriter();
    fill(inner);
    return this.bytes(type | NESTED, inner.finish());
  }

  finish(): Uint8Array {
    const result = new Uint8Array(this.#parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of this.#parts) {
      result.set(part, at);
      at += part.length;
    }
    return result;
  }

  #push(value: Uint8Array): void {
    this.#parts.push(value);
    const padding = align4(value.length) - value.length;
    if (padding > 0) this.#parts.push(new Uint8Array(padding));
  }
}
