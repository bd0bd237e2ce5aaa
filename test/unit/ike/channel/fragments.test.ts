// SPDX-License-Identifier: Apache-2.0
/** Fragmentation (RFC 7383) and what IntAuth covers (RFC 9242 §3.3.2). */
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { isFault } from '../../../../src/ike/codec/fault.js';
import { decodeMessage, encodeMessage } from '../../../../src/ike/codec/message.js';
import { EXCHANGE } from '../../../../src/ike/codec/names/registries.js';
import type { Payload } from '../../../../src/ike/codec/payload.js';
import { REASSEMBLY_MS } from '../../../../src/ike/channel/reassembly.js';
import { createSealer } from '../../../../src/ike/crypto/protect.js';
import { Bench, filler, keysOf, type Side, SPI, SUITES, watch } from './bench.js';

const { gcm, cbc } = SUITES;
/** Headers, IV, pad length and tag of a GCM message. */
const WHOLE = 28 + 4 + 8 + 1 + 16;

/** The initiator's datagrams of one request, none of which arrives. */
async function cut(bench: Bench, payloads: readonly Payload[], fragmentBytes?: number) {
  const { channel, sent } = bench.initiator;
  const old = channel.fragmentBytes;
  const { tamper } = bench;
  const before = sent.length;
  bench.tamper = () => [];
  channel.fragmentBytes = fragmentBytes;
  void channel.request(EXCHANGE.informational, payloads);
  await bench.time.pass(0);
  bench.tamper = tamper;
  channel.fragmentBytes = old;
  return sent.slice(before);
}

const received = ({ requests }: Side) =>
  requests.map((request) => {
    if (request.fault !== undefined) throw new Error(request.fault.reason);
    return request.message;
  });

/** Deliberate fragments, sealed by hand. */
function forge(
  pieces: readonly { number: number; total: number; piece: Uint8Array; first?: number }[],
  { exchange = 37, messageId = 0, firstIv = 1n << 40n } = {},
): readonly Uint8Array[] {
  const { suite, send } = keysOf(gcm).initiator;
  const random = (length: number) => Buffer.alloc(length);
  const sealer = createSealer(suite, send, { random, firstIv });
  return pieces.map(({ number, total, piece, first = 0 }) => {
    const { octets } = encodeMessage(
      {
        ...{ initiatorSpi: SPI.initiator, responderSpi: SPI.responder, exchange, messageId },
        ...{ initiator: true, response: false },
      },
      [
        {
          ...{ kind: 'SKF', firstInner: first, number, total },
          body: new Uint8Array(sealer.sealedLength(piece.length)),
        },
      ],
    );
    const sealed = sealer.seal(octets.subarray(0, 36), piece);
    if (!sealed.ok) throw new Error(sealed.error.code);
    octets.set(sealed.value, 36);
    return octets;
  });
}

describe('sending', () => {
  it.each([
    ['gcm', gcm],
    ['cbc', cbc],
  ] as const)(
    '%s: messages of every size around each limit come as they went',
    async (_, suite) => {
      const bench = new Bench(2, { jitter: 0 }).protect(suite).echo();
      const { initiator: i, responder: r } = bench;
      i.channel.fragmentBytes = 300;
      r.channel.fragmentBytes = 300;
      for (let size = 4; size < 900; size += size % 200 > 120 ? 1 : 13) {
        const before = i.sent.length;
        const seen = watch(i.channel.request(EXCHANGE.informational, [filler(size, size)]));
        await bench.time.pass(0);
        const payloads = seen.answer?.ok === true ? seen.answer.response.payloads : undefined;
        expect(isDeepStrictEqual(payloads, [filler(size, size)]), `${size} octets`).toBe(true);
        const sizes = i.sent.slice(before).map(({ length }) => length);
        // IPv4 and UDP headers and the non-ESP marker are in the packet as well.
        expect(Math.max(...sizes)).toBeLessThanOrEqual(300 - 20 - 8 - 4);
        expect(new Set(sizes.slice(0, -1)).size).toBeLessThanOrEqual(1);
      }
      expect([bench.counts('initiator'), bench.counts('responder')]).toEqual([{}, {}]);
    },
  );

  it('whole as long as it fits, and no octet longer', async () => {
    const bench = new Bench(1, { jitter: 0 }).protect(gcm);
    const room = 576 - 20 - 8 - 4;
    expect(await cut(bench, [filler(room - WHOLE)], 576)).toHaveLength(1);
    bench.initiator.channel.peerWindow = 2;
    const fragments = await cut(bench, [filler(room - WHOLE + 1)], 576);
    expect(fragments.map(({ length }) => length)).toEqual([room, 28 + 8 + 8 + 1 + 16 + 5]);
    const read = fragments.map((octets) => decodeMessage(octets, 0, octets.length));
    const last = read.map((message) => (isFault(message) ? undefined : message.payloads.at(-1)));
    expect(last).toMatchObject([
      { kind: 'SKF', firstInner: 43, number: 1, total: 2 },
      { kind: 'SKF', firstInner: 0, number: 2, total: 2 },
    ]);
  });

  it('IPv6 takes 20 octets more; packets too small for anything are a mistake', () => {
    const bench = new Bench().protect(gcm);
    const { channel, sent } = bench.initiator;
    const [local, remote] = [1, 2].map((last) => ({
      address: new Uint8Array(16).fill(last),
      port: 500,
    }));
    if (local === undefined || remote === undefined) throw new Error('no path');
    channel.path = { local, remote };
    channel.fragmentBytes = 1280;
    void channel.request(EXCHANGE.informational, [filler(1280)]);
    expect(sent[0]).toHaveLength(1280 - 40 - 8 - 4);
    expect(() => (channel.fragmentBytes = 255)).toThrow(RangeError);
  });
});

describe('reassembly', () => {
  it('in any order, duplicates ignored, before and after', async () => {
    const bench = new Bench(1, { jitter: 0 }).protect(gcm).echo();
    const r = bench.responder;
    const all = await cut(bench, [filler(1500, 7)], 576);
    expect(all).toHaveLength(4);
    const order = [3, 3, 1, 0, 1, 0].map((at) => all[at] ?? new Uint8Array());
    for (const octets of order) bench.deliver('initiator', octets);
    expect(r.requests).toHaveLength(0);
    bench.deliver('initiator', all[2] ?? new Uint8Array());
    expect(received(r)).toMatchObject([{ payloads: [filler(1500, 7)], isProtected: true }]);
    expect(r.sent).toHaveLength(1);
    // i --- again, 2 to 4 --> r: nothing (RFC 7383 §2.6.1)
    for (const octets of all.slice(1)) bench.deliver('initiator', octets);
    expect(r.sent).toHaveLength(1);
    // i --- again, 1 --> r, i <-- the same response --- r
    bench.deliver('initiator', all[0] ?? new Uint8Array());
    expect(r.sent).toHaveLength(2);
    expect(r.sent[1]).toBe(r.sent[0]);
    expect([r.requests.length, r.alive]).toEqual([1, 1]);
    expect(bench.counts('responder')).toEqual({ rx_retransmitted: 1 });
    expect(bench.time.pending).toBe(3); // two responses, the initiator's retransmission, no reassembly
  });

  it('a larger total begins anew, a smaller one is dropped, sizes never mix', () => {
    const bench = new Bench().protect(gcm).echo();
    const r = bench.responder;
    const piece = (text: string) => new Uint8Array(Buffer.from(text, 'hex'));
    const [a, b, c, d, e, f] = forge([
      { number: 1, total: 2, piece: piece('0000'), first: 43 }, // of a V payload of 8 octets
      { number: 2, total: 3, piece: piece('0008aa') },
      { number: 2, total: 2, piece: piece('0008bbbbbbbb') }, // late, of the first cut
      { number: 1, total: 3, piece: piece('0000'), first: 43 },
      { number: 3, total: 3, piece: piece('aaaaaa') },
      { number: 1, total: 4, piece: piece('0000'), first: 43 }, // smaller still, when it is all there
    ]);
    for (const octets of [a, b, c, d]) bench.deliver('initiator', octets ?? new Uint8Array());
    expect(r.requests).toHaveLength(0);
    expect(bench.counts('responder')).toEqual({ rx_fragments_dropped: 1 });
    bench.deliver('initiator', e ?? new Uint8Array());
    expect(received(r)).toMatchObject([{ payloads: [filler(8, 0xaa)] }]);
    bench.deliver('initiator', f ?? new Uint8Array());
    expect(r.sent).toHaveLength(2); // authentic and fragment 1: it asks for the response
    expect(bench.counts('responder')).toEqual({ rx_fragments_dropped: 1, rx_retransmitted: 1 });
  });

  it('whole after all: the pieces go', async () => {
    const bench = new Bench(1, { jitter: 0 }).protect(gcm).echo();
    const [first] = forge([{ number: 1, total: 2, piece: new Uint8Array(9), first: 43 }]);
    bench.deliver('initiator', first ?? new Uint8Array());
    expect(bench.time.pending).toBe(1);
    const [whole] = await cut(bench, [filler(1500, 7)]);
    bench.deliver('initiator', whole ?? new Uint8Array());
    expect(received(bench.responder)).toMatchObject([{ payloads: [filler(1500, 7)] }]);
    await bench.time.pass(REASSEMBLY_MS);
    expect(bench.counts('responder')).toEqual({});
  });

  it('forged fragments, and pieces without an end, have no effect', async () => {
    const bench = new Bench(1, { jitter: 0 }).protect(gcm).echo();
    const r = bench.responder;
    const all = await cut(bench, [filler(1500, 7)], 576);
    // A greater total, forged, does not throw away what is there.
    bench.deliver('initiator', all[0] ?? new Uint8Array());
    const forged = forge([{ number: 1, total: 9, piece: new Uint8Array(3), first: 43 }])[0];
    forged?.fill(0, forged.length - 16);
    bench.deliver('initiator', forged ?? new Uint8Array());
    for (const octets of all.slice(1)) bench.deliver('initiator', octets);
    expect(r.requests).toHaveLength(1);
    expect(bench.counts('responder')).toEqual({ rx_integrity: 1 });
    // Half a message: forgotten after a while, and then it may come again.
    const [one, two] = forge(
      [
        { number: 1, total: 2, piece: new Uint8Array([0, 0, 0, 8]), first: 43 },
        { number: 2, total: 2, piece: new Uint8Array(4) },
      ],
      { messageId: 1 },
    );
    bench.deliver('initiator', one ?? new Uint8Array());
    await bench.time.pass(REASSEMBLY_MS + 1);
    bench.deliver('initiator', two ?? new Uint8Array());
    expect(r.requests).toHaveLength(1);
    bench.deliver('initiator', one ?? new Uint8Array());
    expect(r.requests).toHaveLength(2);
    expect(bench.counts('responder')).toEqual({ rx_integrity: 1, rx_fragments_dropped: 1 });
  });

  it('bounded: octets, fragments, and messages by the window', () => {
    const bench = new Bench().protect(gcm).echo();
    const r = bench.responder;
    const piece = new Uint8Array(20_000);
    const large = [1, 2, 3, 4].map((number) => ({ number, total: 5, piece }));
    for (const octets of forge(large)) bench.deliver('initiator', octets);
    expect(bench.counts('responder')).toEqual({ rx_fragments_dropped: 1 });
    expect(bench.time.pending).toBe(0);
    for (const octets of forge([{ number: 2, total: 1025, piece: new Uint8Array(3) }])) {
      bench.deliver('initiator', octets);
    }
    expect(bench.counts('responder')).toEqual({ rx_fragments_dropped: 2 });
    const ahead = [{ number: 1, total: 2, piece: new Uint8Array(9), first: 43 }];
    for (const octets of forge(ahead, { messageId: 1 })) bench.deliver('initiator', octets);
    expect(bench.counts('responder')).toMatchObject({ rx_out_of_window: 1 });
    expect([r.requests.length, bench.time.pending]).toEqual([0, 0]);
    // Two exchanges in the fragments of one message.
    const [one] = forge([{ number: 1, total: 2, piece, first: 43 }]);
    const [, two] = forge([...ahead, { number: 2, total: 2, piece }], { exchange: 36 });
    for (const octets of [one, two]) bench.deliver('initiator', octets ?? new Uint8Array());
    expect(bench.counts('responder')).toMatchObject({ rx_fragments_dropped: 3 });
    expect(r.requests).toHaveLength(0);
  });
});

describe('IKE_INTERMEDIATE', () => {
  it.each([
    ['whole', undefined],
    ['in fragments', 576],
  ])('%s: both sides see the same parts, with the lengths of the plaintext', async (_, size) => {
    const bench = new Bench(1, { jitter: 0 }).protect(cbc).echo();
    const { initiator: i, responder: r } = bench;
    r.channel.onRequest = (request) => {
      r.requests.push(request);
      const { intermediate } = r.channel.respond(request.message, [filler(1201, 5)]);
      answered = intermediate;
    };
    let answered: unknown;
    i.channel.fragmentBytes = size;
    r.channel.fragmentBytes = size;
    const seen = watch(i.channel.request(EXCHANGE.ikeIntermediate, [filler(1184, 4)]));
    await bench.time.pass(0);
    expect(i.sent.length > 1).toBe(size !== undefined);
    if (seen.answer?.ok !== true) throw new Error('no answer');
    const header = Buffer.from(
      `${SPI.initiator.toString(16)}${SPI.responder.toString(16)} 2e 20 2b 08 00000000 000004c0`.replace(
        / /g,
        '',
      ),
      'hex',
    );
    const request = {
      a: new Uint8Array([...header, 43, 0, 0x04, 0xa4]),
      p: new Uint8Array([0, 0, 0x04, 0xa0, ...new Uint8Array(1180).fill(4)]),
    };
    expect(seen.answer.sent.intermediate).toEqual(request);
    expect(received(r)[0]?.intermediate).toEqual(request);
    expect(seen.answer.response.intermediate).toEqual(answered);
    expect(answered).toMatchObject({ p: { length: 1201 } });
  });

  it('of an exchange without payloads, and of no other exchange', async () => {
    const bench = new Bench(1, { jitter: 0 }).protect(gcm).echo();
    const seen = watch(bench.initiator.channel.request(EXCHANGE.ikeIntermediate, []));
    await bench.time.pass(0);
    if (seen.answer?.ok !== true) throw new Error('no answer');
    expect(seen.answer.response.intermediate).toMatchObject({
      a: { length: 32 },
      p: { length: 0 },
    });
    const other = watch(bench.initiator.channel.request(EXCHANGE.informational, []));
    await bench.time.pass(0);
    if (other.answer?.ok !== true) throw new Error('no answer');
    expect(other.answer.response.intermediate).toBeUndefined();
    expect(other.answer.sent.intermediate).toBeUndefined();
  });
});
