// SPDX-License-Identifier: Apache-2.0
/** Reads a list of path attributes into an object. */
import { u8 } from '../bytes.js';
import type { PathAttributes, RawAttribute } from '../types.js';
import { scanAttributes } from './scan.js';
import { ATTRIBUTE_BY_TYPE, ATTRIBUTES } from './table.js';
import {
  FLAG,
  type MutableAttributes,
  newAttributeScan,
  type ScanEnvironment,
  TYPE,
} from './types.js';
import { headLength, valueLength } from './walk.js';

const scan = newAttributeScan();

/**
 * The attributes in bytes[start..end), which hold no NLRI (copyAttributes makes such a list). For lists that
 * scanAttributes finds usable; of others what is malformed or missing is left out, and the rest is as it is
 * for an UPDATE without routes: ORIGIN IGP, an empty AS_PATH. Nothing refers to `bytes` afterwards.
 */
export function decodeAttributes(
  bytes: Uint8Array,
  start: number,
  end: number,
  environment: ScanEnvironment,
): PathAttributes {
  scanAttributes(bytes, start, end, environment, scan);
  const into: MutableAttributes = { origin: 0, asPath: [] };
  for (const codec of ATTRIBUTES) codec.decode(bytes, scan, into);
  readRaw(bytes, start, end, into);
  return into;
}

/** Attributes kept as they came, and which of the others are partial. */
function readRaw(bytes: Uint8Array, start: number, end: number, into: MutableAttributes): void {
  const others: RawAttribute[] = [];
  const partial: number[] = [];
  const seen = new Set<number>();
  for (let at = start; at < end;) {
    const head = headLength(bytes, at, end);
    if (head === 0) break;
    const flags = u8(bytes, at);
    const type = u8(bytes, at + 1);
    const value = at + head;
    const next = value + valueLength(bytes, at, head);
    if (next > end) break;
    at = next;
    if (seen.has(type)) continue;
    seen.add(type);
    const codec = ATTRIBUTE_BY_TYPE[type];
    const transitive = (flags & (FLAG.optional | FLAG.transitive)) === 0xc0;
    if (!transitive) continue;
    if (codec === undefined || type === TYPE.ipv6ExtendedCommunities) {
      // Who does not understand an attribute says so by the Partial bit (RFC 4271 §5).
      const kept = codec === undefined ? flags | FLAG.partial : flags;
      others.push({ flags: kept & ~FLAG.extended, type, value: bytes.slice(value, next) });
    } else if ((flags & FLAG.partial) !== 0 && codec.flags === 0xc0) {
      partial.push(type);
    }
  }
  const byNumber = (a: number, b: number): number => a - b;
  if (others.length > 0) into.others = others.sort((a, b) => byNumber(a.type, b.type));
  if (partial.length > 0) into.partial = partial.sort(byNumber);
}
