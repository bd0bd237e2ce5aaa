// SPDX-License-Identifier: Apache-2.0
/** AS paths as policies see them. */
import type { AsSegment } from '../codec/types.js';

const AS_SET = 1;
const AS_SEQUENCE = 2;
/** A segment counts its AS numbers in one octet (RFC 4271 §4.3). */
const LONGEST_SEGMENT = 255;

/**
 * The path from the neighbour's AS to the origin's: an AS of a sequence is a step of one, a set is one
 * step of all its members. Confederation segments are no part of it (RFC 5065 §5.3).
 */
export function pathSteps(path: readonly AsSegment[]): readonly (readonly number[])[] {
  return path.flatMap(({ type, asns }) => {
    if (type === AS_SEQUENCE) return asns.map((asn) => [asn]);
    return type === AS_SET ? [asns] : [];
  });
}

/** Hops as the decision process counts them (RFC 4271 §9.1.2.2 a, RFC 5065 §5.3). */
export function pathLength(path: readonly AsSegment[]): number {
  return path.reduce(
    (sum, { type, asns }) => sum + (type === AS_SEQUENCE ? asns.length : type === AS_SET ? 1 : 0),
    0,
  );
}

/** RFC 4271 §5.1.2: in front of the first segment if it is a sequence with room, else a new one. */
export function prepend(
  path: readonly AsSegment[],
  asn: number,
  times: number,
): readonly AsSegment[] {
  if (times === 0) return path;
  const [first, ...rest] = path;
  const added = Array<number>(times).fill(asn);
  if (first?.type !== AS_SEQUENCE) return [{ type: AS_SEQUENCE, asns: added }, ...path];
  if (first.asns.length + times <= LONGEST_SEGMENT) {
    return [{ type: AS_SEQUENCE, asns: [...added, ...first.asns] }, ...rest];
  }
  return [{ type: AS_SEQUENCE, asns: added }, ...path];
}

/** "65001 65002 {65003 65004}"; confederation segments in parentheses. */
export function formatPath(path: readonly AsSegment[]): string {
  return path
    .map(({ type, asns }) => {
      const list = asns.join(' ');
      if (type === AS_SEQUENCE) return list;
      if (type === AS_SET) return `{${list}}`;
      return type === 3 ? `(${list})` : `({${list}})`;
    })
    .join(' ');
}

/** What {@link formatPath} prints for paths without confederation segments. undefined: malformed. */
export function parsePath(text: string): readonly AsSegment[] | undefined {
  const segments: { type: 1 | 2; asns: number[] }[] = [];
  for (const [word] of text.matchAll(/\{[^}]*\}|\S+/g)) {
    const set = /^\{(.*)\}$/.exec(word);
    const parts = set === null ? [word] : (set[1] ?? '').trim().split(/[\s,]+/);
    const asns: number[] = [];
    for (const part of parts) {
      if (!/^(0|[1-9][0-9]{0,9})$/.test(part) || Number(part) > 0xffff_ffff) return undefined;
      asns.push(Number(part));
    }
    const last = segments.at(-1);
    if (set !== null) {
      segments.push({ type: AS_SET, asns });
    } else if (last?.type === AS_SEQUENCE && last.asns.length < LONGEST_SEGMENT) {
      last.asns.push(...asns);
    } else {
      segments.push({ type: AS_SEQUENCE, asns });
    }
  }
  return segments;
}
