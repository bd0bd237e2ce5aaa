// SPDX-License-Identifier: Apache-2.0
/**
 * Valid messages changed at every offset, cut, grown and spliced, and random octets. Asserted for each: no
 * throw; not one octet read or written outside of the body, which lies inside a guarded array; an outcome of
 * RFC 7606; and what is read as routes stays within the message.
 */
import { describe, expect, it } from 'vitest';
import { decodeAttributes } from '../../../../src/bgp/codec/attributes/decode.js';
import { encodeAttributes } from '../../../../src/bgp/codec/attributes/encode.js';
import { scanAttributes, severityOf } from '../../../../src/bgp/codec/attributes/scan.js';
import { newAttributeScan } from '../../../../src/bgp/codec/attributes/types.js';
import { splitMessages } from '../../../../src/bgp/codec/framing.js';
import { newNlri, nlriFault, readNlri } from '../../../../src/bgp/codec/nlri/reader.js';
import { decodeNotification } from '../../../../src/bgp/codec/notification.js';
import { decodeOpen, encodeOpen } from '../../../../src/bgp/codec/open.js';
import { summarizeOpen } from '../../../../src/bgp/codec/open-summary.js';
import { decodeRouteRefresh } from '../../../../src/bgp/codec/route-refresh.js';
import type { UpdateContext } from '../../../../src/bgp/codec/types.js';
import {
  attributesLength,
  copyAttributes,
  isNotification,
  splitUpdate,
} from '../../../../src/bgp/codec/update-split.js';
import { CONTEXT } from './build.js';
import { CONTEXTS, ofType, random } from './corpus.js';
import { readUpdate } from './read.js';

/** Before and behind the body: a decoder that looks there sees, or changes, these. */
const GUARD = 8;

interface Guarded {
  /** The body between guards; a proxy that notes every index outside of it. */
  readonly view: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly outside: string[];
}

/**
 * The octets as a Uint8Array whose every indexed read and write is checked. Reading behind the end of a plain
 * array gives undefined and no error, so that only this shows it.
 */
function guarded(body: Uint8Array): Guarded {
  const memory = new Uint8Array(body.length + 2 * GUARD).fill(0xa5);
  memory.set(body, GUARD);
  const [start, end] = [GUARD, GUARD + body.length];
  const outside: string[] = [];
  const check = (how: string, key: string | symbol): void => {
    if (typeof key !== 'string' || !/^-?\d+$/.test(key)) return;
    if (Number(key) < start || Number(key) >= end) outside.push(`${how} ${key}`);
  };
  const view = new Proxy(memory, {
    get(target, key) {
      check('read', key);
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
    set(target, key, value) {
      check('write', key);
      return Reflect.set(target, key, value, target);
    },
  });
  return { view, start, end, outside };
}

const OUTCOMES = ['ok', 'discard', 'withdraw', 'reset'];

/** Reads an UPDATE as the RIB does, in guarded memory. Returns the outcome. */
function readGuarded(body: Uint8Array, context: UpdateContext): string {
  const { view, start, end, outside } = guarded(body);
  const split = splitUpdate(view, start, end, context);
  let outcome = 'reset';
  if (!isNotification(split)) {
    const faults = [...split.faults];
    const nlri = newNlri();
    for (const run of [...split.withdrawn, ...split.announced]) {
      expect(run.start).toBeGreaterThanOrEqual(start);
      expect(run.end).toBeLessThanOrEqual(end);
      for (let at = run.start; at < run.end;) {
        const next = readNlri(run, view, at, nlri);
        if (next < 0) {
          faults.push({ severity: 'reset', type: 0, notification: nlriFault(run, body, 0) });
          break;
        }
        expect(next).toBeGreaterThan(at);
        expect(nlri.keyAt + nlri.keyBytes).toBe(next);
        at = next;
      }
    }
    const length = attributesLength(split);
    expect(length).toBeGreaterThanOrEqual(0);
    const octets = new Uint8Array(length);
    expect(copyAttributes(split, octets, 0)).toBe(length);
    const list = guarded(octets);
    const [run] = split.announced;
    if (run !== undefined) {
      const environment = { context, classic: run.classic };
      const scan = newAttributeScan();
      faults.push(...scanAttributes(list.view, list.start, list.end, environment, scan));
      // Of an unusable list, too: whoever shows a fault may decode what there is.
      decodeAttributes(list.view, list.start, list.end, environment);
    }
    expect(list.outside).toEqual([]);
    outcome = severityOf(faults);
  } else {
    expect([1, 2, 3]).toContain(split.code);
  }
  expect(outside).toEqual([]);
  return outcome;
}

describe('UPDATE', () => {
  const updates = ofType(2);

  it('changed at every offset', () => {
    const seen = new Set<string>();
    const any = random(0x5ea1a4e);
    for (const body of updates) {
      for (let at = 0; at < body.length; at++) {
        for (const value of [0, 0xff, (body[at] ?? 0) ^ (1 << any(8)), any(256)]) {
          const changed = body.slice();
          changed[at] = value;
          seen.add(readGuarded(changed, CONTEXTS[any(CONTEXTS.length)]!));
        }
      }
    }
    // All classes came up, and no other.
    expect([...seen].sort()).toEqual([...OUTCOMES].sort());
  });

  it('cut at every offset, with lengths as they were', () => {
    for (const body of updates) {
      for (let end = 0; end < body.length; end++) {
        const outcome = readGuarded(body.slice(0, end), CONTEXT);
        // NLRI at the end may be cut between two routes; attributes cannot.
        if (end < 4) expect(outcome).toBe('reset');
        expect(OUTCOMES).toContain(outcome);
      }
    }
  });

  it('with an attribute list cut at every offset, its length with it', () => {
    for (const body of updates) {
      const [high = 0, low = 0] = body.subarray(2, 4);
      if (body[0] !== 0 || body[1] !== 0) continue;
      const length = high * 256 + low;
      for (let cut = 1; cut < length; cut++) {
        const changed = new Uint8Array([
          ...[0, 0, cut >> 8, cut & 255],
          ...body.subarray(4, 4 + cut),
          ...body.subarray(4 + length),
        ]);
        expect(OUTCOMES).toContain(readGuarded(changed, CONTEXT));
      }
    }
  });

  it('spliced from two, and random', () => {
    const any = random(20261122);
    for (let round = 0; round < 4000; round++) {
      const one = updates[any(updates.length)]!;
      const two = updates[any(updates.length)]!;
      const spliced = new Uint8Array([
        ...one.subarray(0, any(one.length + 1)),
        ...two.subarray(any(two.length + 1)),
      ]);
      readGuarded(spliced, CONTEXTS[any(CONTEXTS.length)]!);
      const noise = Uint8Array.from({ length: any(64) }, () => any(256));
      readGuarded(noise, CONTEXTS[any(CONTEXTS.length)]!);
    }
  });

  it('of attributes alone, every value of every octet behind the flags and type', () => {
    // Type and length of each attribute known, with values of all small lengths.
    const any = random(77);
    for (let type = 0; type < 256; type++) {
      for (const flags of [0x40, 0x80, 0xc0, 0xd0]) {
        for (let size = 0; size <= 24; size++) {
          const value = Uint8Array.from({ length: size }, () => (any(3) === 0 ? any(5) : any(256)));
          const head = (flags & 0x10) === 0 ? [flags, type, size] : [flags, type, 0, size];
          const list = [...head, ...value, 0x40, 1, 1, 0, 0x40, 2, 0, 0x40, 3, 4, 192, 0, 2, 1];
          const body = new Uint8Array([0, 0, 0, list.length, ...list, 8, 10]);
          readGuarded(body, CONTEXTS[any(CONTEXTS.length)]!);
        }
      }
    }
  });

  it('that is usable is encoded to what is read as the same', () => {
    const any = random(99);
    let compared = 0;
    for (const body of updates) {
      for (let at = 4; at < body.length; at++) {
        const changed = body.slice();
        changed[at] = any(256);
        const read = readUpdate(changed, CONTEXT);
        const { attributes } = read;
        if (attributes === undefined || !['ok', 'discard'].includes(read.outcome)) continue;
        const octets = encodeAttributes(attributes, CONTEXT);
        const scan = newAttributeScan();
        const environment = { context: CONTEXT, classic: false, routeless: true } as const;
        expect(scanAttributes(octets, 0, octets.length, environment, scan)).toEqual([]);
        const again = decodeAttributes(octets, 0, octets.length, environment);
        // The next hop is written with the routes.
        const nextHops = { nextHop: undefined, linkLocalNextHop: undefined };
        expect({ ...again, ...nextHops }).toEqual({ ...attributes, ...nextHops });
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(1000);
  });
});

describe('the other messages', () => {
  const decoders = [
    [1, decodeOpen],
    [3, decodeNotification],
    [5, decodeRouteRefresh],
  ] as const;

  it.each(decoders)('of type %i changed and cut at every offset', (type, decode) => {
    const any = random(1000 + type);
    for (const body of ofType(type)) {
      for (let at = 0; at <= body.length; at++) {
        for (const value of [0, 1, 255, any(256), any(256)]) {
          const changed = body.slice(0, any(4) === 0 ? at : body.length);
          if (at < changed.length) changed[at] = value;
          const { view, start, end, outside } = guarded(changed);
          // What a header's length forbids never comes here (framing.ts).
          const least = type === 1 ? 10 : type === 3 ? 2 : 4;
          if (end - start < least) continue;
          const answer = decode(view, start, end);
          expect(outside).toEqual([]);
          if ('capabilities' in answer) {
            summarizeOpen(answer);
            encodeOpen(answer);
          }
        }
      }
    }
  });

  it('random streams', () => {
    const any = random(4711);
    for (let round = 0; round < 3000; round++) {
      const stream = Uint8Array.from({ length: any(80) }, (_, i) => (i < 16 ? 255 : any(256)));
      const { view, start, end, outside } = guarded(stream);
      let last = start;
      const result = splitMessages(view, start, end, 4096, (_type, from, to) => {
        expect(from).toBe(last + 19);
        expect(to).toBeLessThanOrEqual(end);
        last = to;
        return true;
      });
      expect(result.consumed).toBe(last - start);
      expect(outside).toEqual([]);
    }
  });
});
