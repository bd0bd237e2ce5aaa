// SPDX-License-Identifier: Apache-2.0
/**
 * Valid messages changed at every offset, cut at every length, spliced, and random octets. Asserted for each: no
 * throw; not one octet read or written outside of the message, which lies inside a guarded array; every view in
 * the answer lies in it; and what is accepted is encoded to what is read as the same.
 */
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { type Chain, decodeChain, encodeChain } from '../../../../src/ike/codec/chain.js';
import { FAULT, type IkeFault, isFault } from '../../../../src/ike/codec/fault.js';
import { decodeMessage, encodeMessage } from '../../../../src/ike/codec/message.js';
import { PAYLOADS } from '../../../../src/ike/codec/payload.js';
import { bytes, EVERYTHING, HEADER, scapy, strongswan } from './samples.js';

const messages = [
  ...strongswan.map(({ octets }) => bytes(octets)),
  ...Object.values(scapy.messages).map(bytes),
  encodeMessage(HEADER, EVERYTHING).octets,
  encodeMessage(HEADER, [
    { kind: 'unknown', type: 200, critical: false, data: bytes('0102') },
    { kind: 'N', protocol: 0, spi: bytes(''), notify: 16384, data: bytes('') },
  ]).octets,
];
/** What is in SK, whose first payload has this type. */
const chains = strongswan.flatMap(({ octets, inner }) =>
  inner === undefined ? [] : [{ first: bytes(octets)[28] ?? 0, octets: bytes(inner) }],
);

/** xorshift32: a fixed seed gives the same run everywhere. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** In front of and behind the message: a decoder that looks there is found out. */
const GUARD = 8;

interface Guarded {
  readonly view: Uint8Array;
  readonly memory: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly outside: string[];
}

/** The octets as a Uint8Array whose every indexed access, and every view taken of it, is checked. */
function guarded(body: Uint8Array): Guarded {
  const memory = new Uint8Array(body.length + 2 * GUARD).fill(0xa5);
  memory.set(body, GUARD);
  const [start, end] = [GUARD, GUARD + body.length];
  const outside: string[] = [];
  const view = new Proxy(memory, {
    get(target, key) {
      if (typeof key === 'string' && /^-?\d+$/.test(key)) {
        if (Number(key) < start || Number(key) >= end) outside.push(`read ${key}`);
      }
      if (key === 'subarray') {
        return (from: number, to: number) => {
          if (!(from >= start && from <= to && to <= end)) outside.push(`view ${from}..${to}`);
          return target.subarray(from, to);
        };
      }
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
    set(_target, key) {
      outside.push(`write ${String(key)}`);
      return true;
    },
  });
  return { view, memory, start, end, outside };
}

const CODES = new Set<number>(Object.values(FAULT));

function checkFault(fault: IkeFault, { start, end }: Guarded): void {
  const data = fault.fault === FAULT.unsupportedCriticalPayload ? 1 : 0;
  const inside = fault.offset >= start && fault.offset <= end;
  const whole = CODES.has(fault.fault) && fault.reason !== '' && fault.data.length === data;
  if (!inside || !whole) expect(fault).toBe('a fault inside of the message');
}

function checkChain(chain: Chain, { start, end }: Guarded): void {
  if (chain.protection === undefined) return;
  const { headerAt, bodyAt, end: bodyEnd } = chain.protection;
  expect(headerAt).toBeGreaterThanOrEqual(start);
  expect(bodyAt).toBeGreaterThanOrEqual(headerAt + 4);
  expect(bodyAt).toBeLessThanOrEqual(bodyEnd);
  expect(bodyEnd).toBe(end);
}

/** As toEqual, which takes most of the time of a million comparisons, only when there is something to show. */
function expectSame(again: Chain | IkeFault, chain: Chain): void {
  if (isFault(again)) throw new Error(`refused by ourselves: ${again.reason}`);
  if (isDeepStrictEqual(again.payloads, chain.payloads)) return;
  expect(again.payloads).toEqual(chain.payloads);
  throw new Error('not the same');
}

/** Reads a message in guarded memory. Returns the fault's code, 0 for none. */
function readMessage(body: Uint8Array): number {
  const guard = guarded(body);
  const message = decodeMessage(guard.view, guard.start, guard.end);
  if (guard.outside.length > 0) expect(guard.outside).toEqual([]);
  if (isFault(message)) {
    checkFault(message, guard);
    return message.fault;
  }
  checkChain(message, guard);
  const again = encodeMessage(message.header, message.payloads).octets;
  // Whatever was reserved or ignored is gone, nothing else: not a length, not an order.
  expect(again).toHaveLength(body.length);
  expectSame(decodeMessage(again, 0, again.length), message);
  return 0;
}

/** The same of a chain alone. */
function readChain(body: Uint8Array, first: number): number {
  const guard = guarded(body);
  const chain = decodeChain(guard.view, first, guard.start, guard.end);
  if (guard.outside.length > 0) expect(guard.outside).toEqual([]);
  if (isFault(chain)) {
    checkFault(chain, guard);
    return chain.fault;
  }
  checkChain(chain, guard);
  const again = encodeChain(chain.payloads);
  expect(again.first).toBe(first);
  expectSame(decodeChain(again.octets, first, 0, again.octets.length), chain);
  return 0;
}

describe('messages', () => {
  it('changed at every offset', () => {
    const any = random(0x5ea1a4e);
    const seen = new Set<number>();
    for (const body of messages) {
      for (let at = 0; at < body.length; at++) {
        for (const value of [0, 0xff, (body[at] ?? 0) ^ (1 << any(8)), any(256)]) {
          const changed = body.slice();
          changed[at] = value;
          seen.add(readMessage(changed));
        }
      }
    }
    // Every class came up.
    expect([...seen].sort()).toEqual([0, ...CODES].sort());
  });

  it('cut at every length, the header as it was and put right', () => {
    for (const body of messages) {
      for (let size = 0; size < body.length; size++) {
        const cut = body.slice(0, size);
        expect(readMessage(cut)).toBe(FAULT.invalidSyntax);
        if (size < 28) continue;
        new DataView(cut.buffer).setUint32(24, size);
        // No cut falls between payloads in a way that is whole, as the last says which is next.
        expect(readMessage(cut)).toBe(FAULT.invalidSyntax);
      }
    }
  });

  it('with octets behind them', () => {
    for (const body of messages) {
      const grown = new Uint8Array(body.length + 1);
      grown.set(body);
      expect(readMessage(grown)).toBe(FAULT.invalidSyntax);
      new DataView(grown.buffer).setUint32(24, grown.length);
      expect(readMessage(grown)).toBe(FAULT.invalidSyntax);
    }
  });

  it('spliced from two, and random behind a header', () => {
    const any = random(20261122);
    for (let round = 0; round < 4000; round++) {
      const one = messages[any(messages.length)]!;
      const two = messages[any(messages.length)]!;
      const spliced = new Uint8Array([
        ...one.subarray(0, 28 + any(one.length - 27)),
        ...two.subarray(28 + any(two.length - 27)),
      ]);
      new DataView(spliced.buffer).setUint32(24, spliced.length);
      readMessage(spliced);
      const noise = Uint8Array.from({ length: any(100) }, () => any(256));
      readMessage(noise);
    }
  });
});

describe('chains', () => {
  it('changed at every offset and cut at every length', () => {
    const any = random(4711);
    for (const { first, octets } of chains) {
      for (let at = 0; at < octets.length; at++) {
        for (const value of [0, 0xff, any(256), any(256)]) {
          const changed = octets.slice();
          changed[at] = value;
          readChain(changed, first);
        }
        expect(readChain(octets.slice(0, at), first)).toBe(FAULT.invalidSyntax);
      }
    }
  });

  it.each(Object.entries(PAYLOADS).map(([kind, { type }]) => ({ kind, type })))(
    'one $kind of random octets, of every small size',
    ({ type }) => {
      const any = random(1000 + type);
      const seen = new Set<number>();
      for (let round = 0; round < 3000; round++) {
        const size = any(64);
        // Small numbers, so that lengths and counts inside are often plausible.
        const body = Uint8Array.from({ length: size }, () => (any(3) === 0 ? any(256) : any(9)));
        seen.add(readChain(new Uint8Array([0, 0, 0, 4 + size, ...body]), type));
      }
      expect([...seen].every((code) => code === 0 || code === FAULT.invalidSyntax)).toBe(true);
    },
  );

  it('of every type, critical and not', () => {
    const known = new Set(Object.values(PAYLOADS).map(({ type }) => type));
    for (let type = 1; type < 256; type++) {
      for (const critical of [0, 0x80]) {
        const answer = readChain(Uint8Array.of(0, critical, 0, 8, 1, 2, 3, 4), type);
        if (known.has(type)) expect([0, FAULT.invalidSyntax]).toContain(answer);
        else expect(answer).toBe(critical === 0 ? 0 : FAULT.unsupportedCriticalPayload);
      }
    }
  });
});
