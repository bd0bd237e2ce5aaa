// SPDX-License-Identifier: Apache-2.0
/** What must have no effect: each is dropped and counted by its name, and the exchange goes on. */
import { describe, expect, it } from 'vitest';
import type { IkeCounter } from '../../../../src/ike/counters.js';
import { encodeMessage } from '../../../../src/ike/codec/message.js';
import { EXCHANGE } from '../../../../src/ike/codec/names/registries.js';
import { Bench, filler, randomFrom, SPI, SUITES, watch } from './bench.js';

const { gcm, cbc } = SUITES;

const HEADER = {
  ...{ initiatorSpi: SPI.initiator, responderSpi: SPI.responder, exchange: 37, messageId: 0 },
  ...{ initiator: true, response: false },
};
const clear = (change: Partial<typeof HEADER>) =>
  encodeMessage({ ...HEADER, ...change }, [filler(20)]).octets;
const at = (octets: Uint8Array, index: number, value: number) => {
  const copy = octets.slice();
  copy[index < 0 ? copy.length + index : index] = value;
  return copy;
};
const flip = (octets: Uint8Array, index: number) =>
  at(octets, index, (octets.at(index) ?? 0) ^ 0x40);

/** From a request that would be taken. */
const CASES: readonly (readonly [string, IkeCounter, (good: Uint8Array) => Uint8Array])[] = [
  ['a wrong tag', 'rx_integrity', (good) => flip(good, -1)],
  ['a wrong ciphertext', 'rx_integrity', (good) => flip(good, 45)],
  ['a wrong IV', 'rx_integrity', (good) => flip(good, 33)],
  ['another Next Payload', 'rx_integrity', (good) => flip(good, 28)],
  ['another exchange', 'rx_integrity', (good) => at(good, 18, 36)],
  ['a reserved flag', 'rx_integrity', (good) => at(good, 19, 0x48)],
  ['no room for IV and tag', 'rx_integrity', (good) => cutTo(good, 40)],
  ['another version', 'rx_wrong_version', (good) => at(good, 17, 0x30)],
  ['a wrong length', 'rx_malformed', (good) => at(good, 27, 3)],
  ['no header', 'rx_malformed', (good) => good.subarray(0, 20)],
  ['nothing', 'rx_malformed', () => new Uint8Array()],
  ["another initiator's SPI", 'rx_unknown_spi', (good) => flip(good, 0)],
  ["another responder's SPI", 'rx_unknown_spi', (good) => flip(good, 8)],
  ['a later message ID', 'rx_out_of_window', (good) => at(good, 23, 1)],
  [
    'the last message ID',
    'rx_out_of_window',
    (good) => good.map((o, i) => (i >= 20 && i < 24 ? 255 : o)),
  ],
  ['a response that nobody waits for', 'rx_out_of_window', (good) => at(good, 19, 0x28)],
  ['one of our own', 'rx_reflected', (good) => at(good, 19, 0)],
  ['our own response', 'rx_reflected', (good) => at(good, 19, 0x20)],
  ['a request in clear', 'rx_unprotected', () => clear({})],
  ['IKE_SA_INIT, late', 'rx_unprotected', () => clear({ exchange: 34, responderSpi: 0n })],
  ['a response in clear', 'rx_unprotected', () => clear({ response: true })],
];

function cutTo(octets: Uint8Array, length: number): Uint8Array {
  const short = octets.slice(0, length);
  const view = new DataView(short.buffer);
  view.setUint32(24, length);
  view.setUint16(30, length - 28);
  return short;
}

describe('protected', () => {
  it.each(CASES)('%s: %s', async (_, counter, change) => {
    const bench = new Bench(1, { jitter: 0 }).protect(gcm).echo();
    const { initiator: i, responder: r } = bench;
    let good = new Uint8Array();
    bench.tamper = (__, octets) => {
      good = octets.slice();
      return [];
    };
    const seen = watch(i.channel.request(EXCHANGE.informational, [filler(30, 1)]));
    const bad = change(good);
    bench.tamper = (__, octets) => [octets];
    const heard = r.channel.lastHeard;
    await bench.time.pass(100);
    bench.deliver('initiator', bad);
    await bench.time.pass(0);
    expect(bench.counts('responder')).toEqual({ [counter]: 1 });
    expect([r.requests.length, r.sent.length, r.alive]).toEqual([0, 0, 0]);
    expect([r.channel.lastHeard, r.channel.isIdle]).toEqual([heard, true]);
    await bench.time.pass(1000);
    expect(seen.answer?.ok).toBe(true);
    expect(r.channel.lastHeard).toBeGreaterThan(heard);
  });

  it('a request that was answered: changed it gets no answer, and an older one is not taken again', async () => {
    const bench = new Bench(1, { jitter: 0 }).protect(gcm).echo();
    const { initiator: i, responder: r } = bench;
    for (const mark of [1, 2]) {
      const seen = watch(i.channel.request(EXCHANGE.informational, [filler(30, mark)]));
      await bench.time.pass(100);
      expect(seen.answer?.ok).toBe(true);
    }
    const [first, second] = i.sent;
    if (first === undefined || second === undefined) throw new Error('two requests');
    // Whoever hears the second one can send it again; it is known by its checksum.
    bench.deliver('initiator', second);
    expect(r.sent).toHaveLength(3);
    for (const index of [-1, -8, -16]) bench.deliver('initiator', flip(second, index));
    expect(r.sent).toHaveLength(3);
    // What the initiator has the answer to is forgotten: it is as authentic as it ever was.
    bench.deliver('initiator', first);
    await bench.time.pass(100);
    expect([r.requests.length, r.sent.length]).toEqual([2, 3]);
    expect(bench.counts('responder')).toEqual({
      ...{ rx_retransmitted: 1, rx_integrity: 3, rx_out_of_window: 1 },
    });
  });

  it('a response forged, in clear, of another one, or reflected: the request goes on', async () => {
    const bench = new Bench(1, { jitter: 0 }).protect(cbc).echo();
    const { initiator: i } = bench;
    bench.tamper = (from, octets) =>
      from === 'initiator'
        ? [octets]
        : [
            ...[flip(octets, -1), at(octets, 23, 1), at(octets, 19, 0x28)],
            clear({ initiator: false, response: true }),
            octets,
          ];
    const seen = watch(i.channel.request(EXCHANGE.informational, [filler(30, 1)]));
    await bench.time.pass(0);
    expect(seen.answer?.ok).toBe(true);
    expect(bench.counts('initiator')).toEqual({
      ...{ rx_integrity: 1, rx_out_of_window: 1, rx_reflected: 1, rx_unprotected: 1 },
    });
  });
});

describe('before there are keys', () => {
  it.each([
    ['rx_unprotected', { exchange: 35, responderSpi: 0n }],
    ['rx_unprotected', { exchange: 34, response: true }],
    ['rx_out_of_window', { exchange: 34, responderSpi: 0n, messageId: 1 }],
    ['rx_reflected', { exchange: 34, responderSpi: 0n, initiator: false }],
    ['rx_unknown_spi', { exchange: 34, responderSpi: 0n, initiatorSpi: 5n }],
  ] as const)('%s: %o', (counter, change) => {
    const bench = new Bench();
    bench.deliver('initiator', clear(change));
    expect(bench.counts('responder')).toEqual({ [counter]: 1 });
    expect(bench.responder.requests).toHaveLength(0);
  });

  it('a protected one, and for an initiator: requests, and responses to nothing', () => {
    const bench = new Bench();
    const sk = encodeMessage(HEADER, [{ kind: 'SK', firstInner: 0, body: new Uint8Array(40) }]);
    bench.deliver('initiator', sk.octets);
    bench.deliver('responder', clear({ initiator: false, exchange: 34 }));
    bench.deliver('responder', clear({ initiator: false, exchange: 34, response: true }));
    expect(bench.counts('responder')).toEqual({ rx_out_of_window: 1 });
    expect(bench.counts('initiator')).toEqual({ rx_unprotected: 1, rx_out_of_window: 1 });
    expect([bench.initiator.requests, bench.responder.requests]).toEqual([[], []]);
  });
});

it('random changes of real messages: no throw, no effect, bounded memory', async () => {
  const random = randomFrom(20261122);
  const below = (most: number) => Math.floor(random() * most);
  const bench = new Bench(1, { jitter: 0 }).protect(gcm).echo();
  const { initiator: i, responder: r } = bench;
  i.channel.fragmentBytes = 400;
  r.channel.fragmentBytes = 400;
  let hostile = 0;
  bench.tamper = (_, octets) => {
    const changed = Array.from({ length: 40 }, () => {
      const copy = octets.slice(0, below(8) === 0 ? below(octets.length + 1) : octets.length);
      for (let n = below(4); n >= 0 && copy.length > 0; n--) copy[below(copy.length)] = below(256);
      if (copy.length >= 28 && below(2) === 0) new DataView(copy.buffer).setUint32(24, copy.length);
      return copy;
    }).filter((copy) => Buffer.compare(copy, octets) !== 0);
    hostile += changed.length;
    return [...changed.slice(0, 20), octets, ...changed.slice(20)];
  };
  for (let n = 0; n < 60; n++) {
    const seen = watch(i.channel.request(EXCHANGE.informational, [filler(20 + 20 * n, n)]));
    await bench.time.pass(0);
    expect(seen.answer).toMatchObject({
      ok: true,
      response: { payloads: [filler(20 + 20 * n, n)] },
    });
  }
  expect(r.requests).toHaveLength(60);
  expect(hostile).toBeGreaterThan(5000);
  expect(bench.time.pending).toBe(0);
});
