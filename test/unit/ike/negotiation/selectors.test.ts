// SPDX-License-Identifier: Apache-2.0
/** Narrowing of traffic selectors, against a model that asks packet by packet. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type {
  RangeSelector,
  TrafficSelectors,
} from '../../../../src/ike/codec/payloads/traffic-selectors.js';
import {
  concludePair,
  contains,
  fromTrafficSelectors,
  intersect,
  narrow,
  narrowPair,
  selectorOf,
  toTrafficSelectors,
} from '../../../../src/ike/negotiation/selectors.js';
import type { Selector } from '../../../../src/ike/negotiation/types.js';

const v4 = (last: number): Uint8Array => Uint8Array.of(192, 0, 2, last);
const v6 = (last: number): Uint8Array =>
  Uint8Array.of(0x20, 1, 0xd, 0xb8, ...Array<number>(11).fill(0), last);
const range = (from: number, to: number, more: Partial<Selector> = {}): Selector => ({
  ...{ start: v4(from), end: v4(to), protocol: 0, startPort: 0, endPort: 65_535 },
  ...more,
});
const OPAQUE = { startPort: 65_535, endPort: 0 };

/** A packet: address, protocol, port; undefined: none to be seen. */
interface Packet {
  readonly address: Uint8Array;
  readonly protocol: number;
  readonly port: number | undefined;
}
/** RFC 4301 §4.4.1.1, literally. */
function matches(selector: Selector, { address, protocol, port }: Packet): boolean {
  const { start, end, startPort, endPort } = selector;
  if (start.length !== address.length) return false;
  if (Buffer.compare(address, start) < 0 || Buffer.compare(address, end) > 0) return false;
  if (selector.protocol !== 0 && selector.protocol !== protocol) return false;
  if (startPort === 0 && endPort === 65_535) return true;
  if (port === undefined) return startPort === 65_535 && endPort === 0;
  return port >= startPort && port <= endPort;
}

const protocols = fc.constantFrom(0, 1, 6, 17, 47, 137);
const ports = fc.oneof(
  fc.constant({ startPort: 0, endPort: 65_535 }),
  fc.constant(OPAQUE),
  fc.record({ startPort: fc.nat({ max: 6 }), endPort: fc.nat({ max: 6 }) }),
);
const addresses = fc.oneof(fc.nat({ max: 4 }).map(v4), fc.nat({ max: 4 }).map(v6));
const selectors = fc
  .record({ start: addresses, end: addresses, protocol: protocols, ports })
  .filter(({ start, end }) => start.length === end.length)
  .map(({ start, end, protocol, ports: both }): Selector => ({ start, end, protocol, ...both }));
const lists = fc.array(selectors, { minLength: 1, maxLength: 4 });
const WITH_PORTS = [1, 6, 17];
const packets = fc
  .record({
    address: addresses,
    protocol: protocols.filter((p) => p !== 0),
    port: fc.option(fc.nat({ max: 6 }), { nil: undefined }),
  })
  .map((p): Packet => (WITH_PORTS.includes(p.protocol) ? p : { ...p, port: undefined }));

describe('narrowing', () => {
  it('lets a packet pass exactly when both sides would', () => {
    fc.assert(
      fc.property(lists, lists, packets, (theirs, ours, packet) => {
        const offered = fromTrafficSelectors(toTrafficSelectors(theirs));
        const common = narrow(offered, ours);
        // A range of ports without a protocol that has them means nothing (RFC 7296 §3.13.1).
        const sound = (list: readonly Selector[]): readonly Selector[] =>
          list.filter((s) => intersect(s, s) !== undefined);
        const both = [sound(theirs), sound(ours)].every((list) =>
          list.some((selector) => matches(selector, packet)),
        );
        expect(common.some((selector) => matches(selector, packet))).toBe(both);
      }),
      { numRuns: 3000 },
    );
  });

  it('keeps the first selector first, which may be of the packet that all is for', () => {
    fc.assert(
      fc.property(lists, lists, (theirs, ours) => {
        const offered = fromTrafficSelectors(toTrafficSelectors(theirs));
        const [first] = offered;
        if (first === undefined) return;
        const hit = ours.some((one) => intersect(first, one) !== undefined);
        const [answered] = narrow(offered, ours);
        if (hit) expect(answered !== undefined && contains(first, answered)).toBe(true);
      }),
    );
  });

  it('gives what the initiator takes', () => {
    fc.assert(
      fc.property(lists, lists, lists, lists, (tsi, tsr, ourLocal, ourRemote) => {
        const offered = {
          local: fromTrafficSelectors(toTrafficSelectors(tsr)),
          remote: fromTrafficSelectors(toTrafficSelectors(tsi)),
        };
        const pair = narrowPair(offered, { local: ourLocal, remote: ourRemote });
        if (!pair.ok) {
          expect(pair.failure.code).toBe('TS_UNACCEPTABLE');
          return;
        }
        const { local, remote } = pair.value;
        const answer = { local: toTrafficSelectors(remote), remote: toTrafficSelectors(local) };
        expect(concludePair(answer, { local: tsi, remote: tsr })).toStrictEqual({
          ok: true,
          value: { local: remote, remote: local },
        });
      }),
    );
  });

  it('does the two tunnel addresses of a service, for IPv4 and IPv6', () => {
    for (const address of [v4, v6]) {
      const a = selectorOf(address(1), 47);
      const b = selectorOf(address(2), 47);
      const any = (last: number): Selector => selectorOf(address(last), 0);
      expect(narrowPair({ local: [b], remote: [a] }, { local: [b], remote: [a] })).toStrictEqual({
        ok: true,
        value: { local: [b], remote: [a] },
      });
      expect(
        narrowPair({ local: [any(2)], remote: [any(1)] }, { local: [b], remote: [a] }),
      ).toStrictEqual({
        ok: true,
        value: { local: [b], remote: [a] },
      });
      for (const wrong of [selectorOf(address(1), 6), selectorOf(address(3), 47)]) {
        expect(
          narrowPair({ local: [b], remote: [wrong] }, { local: [b], remote: [a] }),
        ).toMatchObject({
          failure: { code: 'TS_UNACCEPTABLE', by: 'us' },
        });
      }
    }
  });

  it('leaves out selectors whose protocol the other side has not', () => {
    const offered = {
      local: [range(1, 1, { protocol: 6 }), range(1, 1, { protocol: 47 })],
      remote: [range(2, 2, { protocol: 47 })],
    };
    const pair = narrowPair(offered, { local: [range(0, 9)], remote: [range(0, 9)] });
    expect(pair).toStrictEqual({
      ok: true,
      value: { local: [offered.local[1]], remote: offered.remote },
    });
  });

  it('knows ANY, OPAQUE, ICMP types and ranges of nothing', () => {
    const port = (startPort: number, endPort: number, protocol = 6): Selector =>
      range(1, 1, { protocol, startPort, endPort });
    const any = port(0, 65_535);
    const opaque = port(65_535, 0);
    expect(intersect(any, opaque)).toStrictEqual(opaque);
    expect(intersect(opaque, any)).toStrictEqual(opaque);
    expect(intersect(opaque, opaque)).toStrictEqual(opaque);
    expect(intersect(port(0, 80), opaque)).toBeUndefined();
    expect(intersect(port(0, 80), port(80, 90))).toStrictEqual(port(80, 80));
    expect(intersect(port(0, 80), port(81, 90))).toBeUndefined();
    // Echo request (8) of any code, and only code 0 of it.
    expect(intersect(port(0x800, 0x8ff, 1), port(0x800, 0x800, 1))).toStrictEqual(
      port(0x800, 0x800, 1),
    );
    // GRE has no ports.
    expect(fromTrafficSelectors(toTrafficSelectors([port(5, 10, 47)]))).toStrictEqual([]);
    expect(fromTrafficSelectors(toTrafficSelectors([range(9, 1), port(7, 3)]))).toStrictEqual([]);
    expect(intersect(any, { ...any, start: v6(1), end: v6(1) })).toBeUndefined();
  });

  it('skips selectors of unknown types', () => {
    const label = { tsType: 10, second: 0, data: Uint8Array.of(1, 2, 3) };
    const known = toTrafficSelectors([range(1, 1)]);
    const payload: TrafficSelectors = { selectors: [label, ...known.selectors] };
    expect(fromTrafficSelectors(payload)).toStrictEqual([range(1, 1)]);
    expect(fromTrafficSelectors({ selectors: [label] })).toStrictEqual([]);
  });

  it('copies addresses: a selector outlives the datagram', () => {
    const payload = toTrafficSelectors([range(1, 1)]);
    const read = fromTrafficSelectors(payload);
    (payload.selectors[0] as RangeSelector).startAddress.fill(0);
    expect(read[0]?.start).toStrictEqual(v4(1));
  });

  it('is bounded: 255 of 255 each, and no more is answered', () => {
    const many = Array.from({ length: 255 }, (_, i) => range(i, i));
    const ours = Array.from({ length: 200 }, (_, i) => range(0, 255, { protocol: i + 1 }));
    expect(narrow(many, ours)).toHaveLength(255);
  });
});

describe('the answer to selectors', () => {
  const offered = { local: [range(1, 1)], remote: [range(2, 2, { protocol: 47 })] };
  const answer = (local: Selector[], remote: Selector[]): ReturnType<typeof concludePair> =>
    concludePair({ local: toTrafficSelectors(local), remote: toTrafficSelectors(remote) }, offered);

  it('may be less than what was offered', () => {
    expect(answer([range(1, 1, { protocol: 47 })], [range(2, 2, { protocol: 47 })]).ok).toBe(true);
  });

  it.each<[string, Selector[], Selector[]]>([
    ['another address', [range(1, 2)], [range(2, 2, { protocol: 47 })]],
    ['more protocols', [range(1, 1)], [range(2, 2)]],
    ['one more', [range(1, 1), range(3, 3)], [range(2, 2, { protocol: 47 })]],
    ['nothing that matches', [range(2, 1)], [range(2, 2, { protocol: 47 })]],
  ])('must not have %s', (_, local, remote) => {
    expect(answer(local, remote)).toMatchObject({ failure: { code: 'TS_UNACCEPTABLE', by: 'us' } });
  });

  it('must not have selectors of a type that was not offered', () => {
    const other = { tsType: 10, second: 0, data: new Uint8Array(2) };
    const local = toTrafficSelectors(offered.local).selectors;
    const remote = toTrafficSelectors(offered.remote);
    expect(concludePair({ local: { selectors: [...local, other] }, remote }, offered).ok).toBe(
      false,
    );
  });
});
