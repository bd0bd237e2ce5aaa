// SPDX-License-Identifier: Apache-2.0
/** Steps through a list of attributes (layout: types.ts) without reading behind its end. */
import { u16, u8 } from '../bytes.js';
import { FLAG } from './types.js';

/** Octets before the value of the attribute at `at`, 3 or 4; 0: fewer than that are left (RFC 7606 §4). */
export function headLength(bytes: Uint8Array, at: number, end: number): 0 | 3 | 4 {
  if (end - at < 3) return 0;
  if ((u8(bytes, at) & FLAG.extended) === 0) return 3;
  return end - at < 4 ? 0 : 4;
}

/** Length of the value of an attribute whose head has been found whole. */
export const valueLength = (bytes: Uint8Array, at: number, head: 3 | 4): number =>
  head === 4 ? u16(bytes, at + 2) : u8(bytes, at + 2);
