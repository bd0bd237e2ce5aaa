// SPDX-License-Identifier: Apache-2.0
/** Messages put together octet by octet for the codec's tests, with lengths counted here, not by the codec. */
import { familySet } from '../../../../src/bgp/codec/families.js';
import { FAMILY, type UpdateContext } from '../../../../src/bgp/codec/types.js';

export const bytes = (text: string) => new Uint8Array(Buffer.from(text.replace(/\s/g, ''), 'hex'));
export const text = (octets: Uint8Array) => Buffer.from(octets).toString('hex');

const size = (hex: string) => hex.replace(/\s/g, '').length / 2;
const word = (value: number, digits: number) => value.toString(16).padStart(digits, '0');

/** One attribute in hexadecimal; the length has two octets when the flags say so. */
export function attribute(flags: number, type: number, value: string): string {
  return `${word(flags, 2)}${word(type, 2)}${word(size(value), (flags & 0x10) === 0 ? 2 : 4)}${value}`;
}

export interface UpdateParts {
  readonly withdrawn?: string;
  readonly attributes?: readonly string[];
  readonly nlri?: string;
}

/** The body of an UPDATE, in memory of exactly its size. */
export function update({ withdrawn = '', attributes = [], nlri = '' }: UpdateParts): Uint8Array {
  const list = attributes.join('');
  return bytes(`${word(size(withdrawn), 4)}${withdrawn}${word(size(list), 4)}${list}${nlri}`);
}

export const CONTEXT: UpdateContext = {
  ibgp: true,
  as4: true,
  maxMessage: 4096,
  families: familySet([0, 1, 2, 3, 4, 5, 6]),
  addPathReceive: 0,
  addPathSend: 0,
  extendedNextHop: 0,
};

export const ONLY_IPV4 = familySet([FAMILY.ipv4Unicast]);

export const ORIGIN = attribute(0x40, 1, '00');
export const EMPTY_PATH = attribute(0x40, 2, '');
export const NEXT_HOP = attribute(0x40, 3, 'c0000201');
