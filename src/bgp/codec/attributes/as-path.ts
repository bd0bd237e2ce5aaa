// SPDX-License-Identifier: Apache-2.0
/**
 * AS_PATH (RFC 4271 §4.3) and AS4_PATH (RFC 6793 §3): segments, one after the other.
 *
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-
 *     | Type          | Count of ASes | AS numbers, 2 or 4 octets each
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-
 *
 * Between speakers of which one is old AS_PATH has 2-octet numbers with AS_TRANS for those that do not fit,
 * and AS4_PATH has them all; AS4_PATH has no confederation segments.
 */
import { asn, type ByteWriter, u8 } from '../bytes.js';
import { UPDATE_ERROR } from '../notification-codes.js';
import type { AsSegment } from '../types.js';
import {
  type AttributeCodec,
  type AttributeScan,
  type ScanVerdict,
  setSpan,
  type Span,
  TYPE,
} from './types.js';

export const AS_TRANS = 23456;
const SET = 1;
const SEQUENCE = 2;
const CONFED_SET = 4;

/** What `measure` found; one object for all calls. */
const path = { hops: 0, first: 0, last: 0, confederation: false };

/** Checks segments (RFC 7606 §7.2, RFC 7607: no AS 0) and measures them into `path`. */
function measure(bytes: Uint8Array, at: number, length: number, width: 2 | 4): ScanVerdict {
  path.hops = 0;
  path.first = 0;
  path.last = 0;
  path.confederation = false;
  let begun = false;
  const end = at + length;
  for (let p = at; p < end;) {
    if (end - p < 2) return UPDATE_ERROR.malformedAsPath;
    const type = u8(bytes, p);
    const count = u8(bytes, p + 1);
    const next = p + 2 + width * count;
    if (type < SET || type > CONFED_SET || count === 0 || next > end) {
      return UPDATE_ERROR.malformedAsPath;
    }
    for (let i = p + 2; i < next; i += width) {
      if (asn(bytes, i, width) === 0) return UPDATE_ERROR.malformedAsPath;
    }
    if (type > SEQUENCE) {
      path.confederation = true;
    } else {
      const sequence = type === SEQUENCE;
      if (!begun) path.first = sequence ? asn(bytes, p + 2, width) : 0;
      begun = true;
      path.last = sequence ? asn(bytes, next - width, width) : 0;
      path.hops += sequence ? count : 1;
    }
    p = next;
  }
  return 0;
}

/** How often an AS number stands in checked segments. */
function countIn(bytes: Uint8Array, span: Span, width: 2 | 4, wanted: number): number {
  let found = 0;
  const end = span.at + span.length;
  for (let p = span.at; p >= 0 && p < end;) {
    const next = p + 2 + width * u8(bytes, p + 1);
    for (let i = p + 2; i < next; i += width) {
      if (asn(bytes, i, width) === wanted) found++;
    }
    p = next;
  }
  return found;
}

/**
 * How often `wanted` stands in the path (RFC 4271 §9.1.2: a loop). For a 2-octet peer both paths are searched
 * and the larger count is taken: the numbers of AS4_PATH are in AS_PATH too, if only as AS_TRANS.
 */
export function countAsn(bytes: Uint8Array, scan: AttributeScan, wanted: number): number {
  const inPath = countIn(bytes, scan.asPath, scan.asWidth, wanted);
  return Math.max(inPath, countIn(bytes, scan.as4Path, 4, wanted));
}

function segmentsOf(bytes: Uint8Array, span: Span, width: 2 | 4): AsSegment[] {
  const segments: AsSegment[] = [];
  const end = span.at + span.length;
  for (let p = span.at; p >= 0 && p < end;) {
    const count = u8(bytes, p + 1);
    const asns = Array.from({ length: count }, (_, i) => asn(bytes, p + 2 + width * i, width));
    segments.push({ type: segmentType(u8(bytes, p)), asns });
    p += 2 + width * count;
  }
  return segments;
}

function segmentType(value: number): AsSegment['type'] {
  return value === 1 || value === 2 || value === 3 ? value : 4;
}

const hopsOf = (segment: AsSegment): number =>
  segment.type === SET ? 1 : segment.type === SEQUENCE ? segment.asns.length : 0;

/**
 * RFC 6793 §4.2.3: the leading part of AS_PATH that AS4_PATH does not cover, and then AS4_PATH.
 * Confederation segments within or next to that part are kept. `path4` has no more hops than `path2`.
 */
export function mergePaths(path2: readonly AsSegment[], path4: readonly AsSegment[]): AsSegment[] {
  const clean4 = path4.filter(({ type }) => type <= SEQUENCE);
  const total = (segments: readonly AsSegment[]): number =>
    segments.reduce((sum, segment) => sum + hopsOf(segment), 0);
  let missing = total(path2) - total(clean4);
  const leading: AsSegment[] = [];
  for (const segment of path2) {
    const hops = hopsOf(segment);
    if (hops > 0 && missing === 0) break;
    if (hops <= missing) leading.push(segment);
    else leading.push({ type: segment.type, asns: segment.asns.slice(0, missing) });
    if (hops > missing) break;
    missing -= hops;
  }
  const last = leading.at(-1);
  const first = clean4[0];
  // A sequence that was cut in two is one again.
  if (last?.type === SEQUENCE && first?.type === SEQUENCE) {
    const joined = { type: last.type, asns: [...last.asns, ...first.asns] };
    return [...leading.slice(0, -1), joined, ...clean4.slice(1)];
  }
  return [...leading, ...clean4];
}

function writeSegments(segments: readonly AsSegment[], width: 2 | 4, out: ByteWriter): void {
  for (const { type, asns } of segments) {
    // The count is one octet: longer segments become several.
    for (let from = 0; from < asns.length; from += 255) {
      const part = asns.slice(from, from + 255);
      out.u8(type);
      out.u8(part.length);
      for (const one of part) out.asn(width === 2 && one > 0xffff ? AS_TRANS : one, width);
    }
  }
}

const needs4 = (segments: readonly AsSegment[]): boolean =>
  segments.some(({ asns }) => asns.some((one) => one > 0xffff));

export const asPath: AttributeCodec = {
  type: TYPE.asPath,
  name: 'AS_PATH',
  flags: 0x40,
  malformed: 'withdraw',
  scan(bytes, at, length, { context }, out) {
    const verdict = measure(bytes, at, length, out.asWidth);
    if (verdict !== 0) return verdict;
    // RFC 5065 §5: confederation segments never come from outside of the confederation.
    if (path.confederation && !context.ibgp) return UPDATE_ERROR.malformedAsPath;
    setSpan(out.asPath, at, length);
    out.asPathHops = path.hops;
    out.neighbourAs = path.first;
    out.originAs = path.last;
    return 0;
  },
  decode(bytes, scan, into) {
    const own = segmentsOf(bytes, scan.asPath, scan.asWidth);
    into.asPath = scan.as4Path.at < 0 ? own : mergePaths(own, segmentsOf(bytes, scan.as4Path, 4));
  },
  encode(attributes, context, out) {
    writeSegments(attributes.asPath, context.as4 ? 4 : 2, out);
    return true;
  },
};

export const as4Path: AttributeCodec = {
  type: TYPE.as4Path,
  name: 'AS4_PATH',
  flags: 0xc0,
  malformed: 'discard',
  wrongFlags: 'discard',
  scan(bytes, at, length, { context }, out) {
    // RFC 6793 §4.1, §6: nothing a new speaker sends to another one.
    if (context.as4 || length === 0) return UPDATE_ERROR.optionalAttribute;
    if (measure(bytes, at, length, 4) !== 0) return UPDATE_ERROR.optionalAttribute;
    setSpan(out.as4Path, at, length);
    out.as4PathHops = path.hops;
    return 0;
  },
  decode() {
    // asPath.decode merges it.
  },
  encode(attributes, context, out) {
    if (context.as4 || !needs4(attributes.asPath)) return false;
    writeSegments(
      attributes.asPath.filter(({ type }) => type <= SEQUENCE),
      4,
      out,
    );
    return true;
  },
};

/**
 * After all attributes of a 2-octet peer: whether AS4_PATH is merged (RFC 6793 §4.2.3), and then what the
 * merged path begins and ends with. Its hops are those of AS_PATH.
 */
export function settleAs4Path(bytes: Uint8Array, scan: AttributeScan): void {
  const { at, length } = scan.as4Path;
  if (at < 0) return;
  measure(bytes, at, length, 4);
  if (path.hops > scan.asPathHops || path.hops === 0 || scan.asPath.at < 0) {
    setSpan(scan.as4Path, -1, 0);
    return;
  }
  if (path.hops === scan.asPathHops) scan.neighbourAs = path.first;
  scan.originAs = path.last;
}
