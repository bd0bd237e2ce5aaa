// SPDX-License-Identifier: Apache-2.0
/** One exchange after the other: IKE_SA_INIT in clear, keys, retransmission, replays, windows, faults, closing. */
import { describe, expect, it } from 'vitest';
import type { Request } from '../../../../src/ike/channel/api.js';
import { encodeMessage } from '../../../../src/ike/codec/message.js';
import { EXCHANGE } from '../../../../src/ike/codec/names/registries.js';
import type { Payload } from '../../../../src/ike/codec/payload.js';
import { createSealer } from '../../../../src/ike/crypto/protect.js';
import { Bench, filler, keysOf, RETRANSMISSION, SPI, SUITES, watch } from './bench.js';

const { gcm } = SUITES;
const bench = (): Bench => new Bench(1, { jitter: 0 });

describe('in clear', () => {
  it('IKE_SA_INIT, then protected messages with ID 1 and our own with ID 0', async () => {
    const b = bench();
    const { initiator: i, responder: r } = b;
    // i --- IKE_SA_INIT, ID 0 --> r
    const init = watch(i.channel.request(EXCHANGE.ikeSaInit, [filler(100, 1)]));
    await b.time.pass(0);
    expect(r.requests).toHaveLength(1);
    const [request] = r.requests;
    if (request?.fault !== undefined || request === undefined) throw new Error('no request');
    expect(request.message.header).toMatchObject({ messageId: 0, responderSpi: 0n });
    expect(request.message.octets).toEqual(i.sent[0]);
    // i <-- IKE_SA_INIT, ID 0 --- r
    const sent = r.channel.respond(request.message, [filler(90, 2)]);
    expect(sent.octets).toBe(r.sent[0]);
    await b.time.pass(0);
    if (init.answer?.ok !== true) throw new Error('no answer');
    expect(init.answer.response).toMatchObject({ isProtected: false, octets: r.sent[0] });
    expect(init.answer.response.header.responderSpi).toBe(SPI.responder);
    expect(init.answer.sent.octets).toEqual(i.sent[0]);
    b.protect(gcm).echo();
    // i --- IKE_AUTH, ID 1 --> r, and back
    const auth = watch(i.channel.request(EXCHANGE.ikeAuth, [filler(50, 3)]));
    await b.time.pass(0);
    expect(auth.answer).toMatchObject({
      ok: true,
      response: { header: { messageId: 1 }, payloads: [filler(50, 3)], isProtected: true },
    });
    // i <-- INFORMATIONAL, ID 0 --- r, and back
    const own = watch(r.channel.request(EXCHANGE.informational, []));
    await b.time.pass(0);
    expect(own.answer).toMatchObject({ ok: true, response: { header: { messageId: 0 } } });
    expect([b.counts('initiator'), b.counts('responder')]).toEqual([{}, {}]);
    expect([i.alive, r.alive]).toEqual([2, 2]);
  });
});

describe('retransmission', () => {
  it('octet for octet, at growing intervals, then the peer is dead', async () => {
    const b = bench().protect(gcm);
    b.weather = { loss: 1, doubling: 0, delay: 0 };
    const times: number[] = [];
    b.tamper = () => {
      times.push(b.time.now() - 1000);
      return [];
    };
    const { channel, sent } = b.initiator;
    const one = watch(channel.request(EXCHANGE.informational, [filler(40)]));
    const queued = watch(channel.request(EXCHANGE.informational, []));
    await b.time.pass(100_000);
    expect(times).toEqual([0, 500, 1500, 3500, 7500, 15500]);
    expect(sent).toHaveLength(RETRANSMISSION.tries);
    expect(new Set(sent.map((octets) => Buffer.from(octets).toString('hex'))).size).toBe(1);
    for (const { answer } of [one, queued]) {
      expect(answer).toMatchObject({ ok: false, failure: { code: 'TIMEOUT', by: 'us' } });
    }
    expect(await channel.request(EXCHANGE.informational, [])).toMatchObject({ ok: false });
    expect(b.counts('initiator')).toEqual({ tx_retransmissions: 5, exchange_timeouts: 1 });
    expect(channel.isIdle).toBe(true);
    expect(b.time.pending).toBe(0);
  });

  it('jitter makes waits shorter, by no more than its share', async () => {
    const b = new Bench(3, { jitter: 0.5, tries: 3 }).protect(gcm);
    const times: number[] = [];
    b.tamper = () => {
      times.push(b.time.now() - 1000);
      return [];
    };
    void b.initiator.channel.request(EXCHANGE.informational, []);
    await b.time.pass(100_000);
    const [first = 0, second = 0] = times.slice(1);
    expect(first).toBeGreaterThan(250);
    expect(first).toBeLessThan(500);
    expect(second - first).toBeGreaterThan(500);
    expect(second - first).toBeLessThan(1000);
  });

  it('IKE_SA_INIT without an answer may be tried again, with a cookie too', async () => {
    const b = bench();
    const { channel, sent } = b.initiator;
    b.tamper = () => [];
    const lost = watch(channel.request(EXCHANGE.ikeSaInit, [filler(40, 1)]));
    await b.time.pass(100_000);
    expect(lost.answer).toMatchObject({ failure: { code: 'TIMEOUT' } });
    b.tamper = (_, octets) => [octets];
    b.echo();
    const seen = watch(channel.request(EXCHANGE.ikeSaInit, [filler(40, 2)]));
    await b.time.pass(0);
    expect(seen.answer).toMatchObject({ ok: true, response: { header: { messageId: 0 } } });
    expect(sent.at(-1)).not.toEqual(sent[0]);
  });

  it('only requests: a lost response is sent when the request comes again', async () => {
    const b = bench().protect(gcm).echo();
    let lost = 0;
    b.tamper = (from, octets) => (from === 'responder' && lost++ < 2 ? [] : [octets]);
    const seen = watch(b.initiator.channel.request(EXCHANGE.informational, [filler(30, 9)]));
    await b.time.pass(400);
    expect([b.responder.sent.length, seen.answer]).toEqual([1, undefined]);
    await b.time.pass(60_000);
    expect(seen.answer).toMatchObject({ ok: true, response: { payloads: [filler(30, 9)] } });
    const { sent, requests } = b.responder;
    expect([sent.length, requests.length]).toEqual([3, 1]);
    expect(new Set(sent).size).toBe(1);
    expect(b.counts('responder')).toEqual({ rx_retransmitted: 2 });
  });
});

describe('replays', () => {
  it('of IKE_SA_INIT and of older keys are answered until the peer has gone on', async () => {
    const b = bench().echo();
    const { initiator: i, responder: r } = b;
    const replay = async (octets: Uint8Array | undefined): Promise<number> => {
      const before = r.sent.length;
      b.deliver('initiator', octets ?? new Uint8Array());
      await b.time.pass(0);
      return r.sent.length - before;
    };
    // i --- IKE_SA_INIT --> r and back, and again
    void i.channel.request(EXCHANGE.ikeSaInit, [filler(40, 1)]);
    await b.time.pass(0);
    expect(await replay(i.sent[0])).toBe(1);
    const other = encodeMessage(
      {
        ...{ initiatorSpi: SPI.initiator, responderSpi: 0n, exchange: 34, initiator: true },
        ...{ response: false, messageId: 0 },
      },
      [filler(40, 2)],
    ).octets;
    expect(await replay(other)).toBe(0);
    b.protect(gcm);
    expect(await replay(i.sent[0])).toBe(1);
    // i --- IKE_INTERMEDIATE --> r and back, new keys, and again
    void i.channel.request(EXCHANGE.ikeIntermediate, [filler(40, 3)]);
    await b.time.pass(0);
    b.protect(gcm, 2);
    expect(await replay(i.sent[1])).toBe(1);
    expect(r.sent.at(-1)).toBe(r.sent.at(-2));
    const changed = i.sent[1]?.slice() ?? new Uint8Array();
    changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
    expect(await replay(changed)).toBe(0);
    expect(await replay(i.sent[0])).toBe(0); // the peer has that response, or it had not gone on
    // i --- IKE_AUTH --> r: what was before is forgotten
    void i.channel.request(EXCHANGE.ikeAuth, []);
    await b.time.pass(0);
    expect(await replay(i.sent[1])).toBe(0);
    expect([r.requests.length, await replay(i.sent[2])]).toEqual([3, 1]);
    expect(b.counts('responder')).toEqual({
      ...{ rx_retransmitted: 4, rx_out_of_window: 2, rx_integrity: 1, rx_unprotected: 1 },
    });
    expect(b.counts('initiator')).toMatchObject({});
  });

  it('while the request is being worked on: nothing', async () => {
    const b = bench().protect(gcm);
    const { initiator: i, responder: r } = b;
    void i.channel.request(EXCHANGE.informational, []);
    await b.time.pass(600);
    expect([i.sent.length, r.requests.length, r.sent.length]).toEqual([2, 1, 0]);
    expect(b.counts('responder')).toEqual({});
    // The answer goes once; it cannot be given twice.
    const { message } = r.requests[0] ?? {};
    if (message === undefined) throw new Error('no request');
    r.channel.respond(message, []);
    expect(() => r.channel.respond(message, [])).toThrow(RangeError);
    expect(r.sent).toHaveLength(1);
  });
});

describe('windows', () => {
  it('of 3: three in flight, answered in any order; the fourth waits for the first', async () => {
    const b = bench().protect(gcm);
    const { initiator: i, responder: r } = b;
    i.channel.peerWindow = 3;
    r.channel.ownWindow = 3;
    const seen = [0, 1, 2, 3, 4].map((mark) =>
      watch(i.channel.request(EXCHANGE.informational, [filler(20, mark)])),
    );
    await b.time.pass(0);
    const answer = async (id: number): Promise<void> => {
      const request = r.requests.find(({ message }) => message.header.messageId === id);
      if (request === undefined) throw new Error(`no request ${id}`);
      r.channel.respond(request.message, []);
      await b.time.pass(0);
    };
    expect(r.requests).toHaveLength(3);
    await answer(1);
    await answer(2);
    expect(seen.map(({ answer: known }) => known?.ok)).toEqual([
      ...[undefined, true, true, undefined, undefined],
    ]);
    expect(r.requests).toHaveLength(3);
    await answer(0);
    expect(r.requests).toHaveLength(5);
    await answer(4);
    await answer(3);
    expect(seen.every(({ answer: known }) => known?.ok === true)).toBe(true);
    expect([b.counts('initiator'), b.counts('responder')]).toEqual([{}, {}]);
    expect(i.channel.isIdle).toBe(true);
  });

  it('a peer that sends more at once than we announced is not heard', async () => {
    const b = bench().protect(gcm);
    b.initiator.channel.peerWindow = 3;
    for (const mark of [0, 1, 2]) {
      void b.initiator.channel.request(EXCHANGE.informational, [filler(20, mark)]);
    }
    await b.time.pass(0);
    expect(b.responder.requests).toHaveLength(1);
    expect(b.counts('responder')).toEqual({ rx_out_of_window: 2 });
  });
});

/** A protected message of the initiator, or a response to it, with these octets inside. */
function sealed(
  firstInner: number,
  inner: Uint8Array,
  { response = false, exchange = 37 } = {},
): Uint8Array {
  const { suite, send } = keysOf(gcm)[response ? 'responder' : 'initiator'];
  const sealer = createSealer(suite, send, {
    random: (length) => Buffer.alloc(length),
    firstIv: 1n << 50n,
  });
  const body = new Uint8Array(sealer.sealedLength(inner.length));
  const { octets } = encodeMessage(
    {
      ...{ initiatorSpi: SPI.initiator, responderSpi: SPI.responder, exchange, messageId: 0 },
      ...{ initiator: !response, response },
    },
    [{ kind: 'SK', firstInner, body }],
  );
  const result = sealer.seal(octets.subarray(0, 32), inner);
  if (!result.ok) throw new Error(result.error.code);
  octets.set(result.value, 32);
  return octets;
}

const SYNTAX = new Uint8Array([0, 0, 0, 200]);
const CRITICAL = new Uint8Array([0, 0x80, 0, 4]);
const NESTED = new Uint8Array([0, 0, 0, 4]);

describe('authentic messages that cannot be read', () => {
  it.each([
    ['INVALID_SYNTAX', 43, SYNTAX, 7],
    ['UNSUPPORTED_CRITICAL_PAYLOAD', 200, CRITICAL, 1],
    ['INVALID_SYNTAX', 46, NESTED, 7],
  ])(
    '%s, type %d: as a fault to answer, and as the failure of a request',
    async (code, type, inner, fault) => {
      const b = bench().protect(gcm);
      const { initiator: i, responder: r } = b;
      const seen: Request[] = r.requests;
      b.deliver('initiator', sealed(type, inner));
      expect(seen).toMatchObject([{ message: { header: { messageId: 0 } }, fault: { fault } }]);
      const notify: Payload = {
        ...{ kind: 'N', protocol: 0, spi: new Uint8Array(), notify: fault },
        data: seen[0]?.fault?.data ?? new Uint8Array(9),
      };
      r.channel.respond(seen[0]?.message ?? fail(), [notify]);
      expect(r.sent).toHaveLength(1);
      const asked = watch(i.channel.request(EXCHANGE.informational, []));
      b.deliver('responder', sealed(type, inner, { response: true }));
      await b.time.pass(0);
      expect(asked.answer).toMatchObject({ ok: false, failure: { code, by: 'us' } });
      expect([i.alive, r.alive]).toEqual([1, 1]);
    },
  );

  it('a response of another exchange', async () => {
    const b = bench().protect(gcm);
    const asked = watch(b.initiator.channel.request(EXCHANGE.informational, []));
    b.deliver('responder', sealed(0, new Uint8Array(), { response: true, exchange: 36 }));
    await b.time.pass(0);
    expect(asked.answer).toMatchObject({ ok: false, failure: { code: 'INVALID_SYNTAX' } });
  });
});

const fail = (): never => {
  throw new Error('no request');
};

describe('closing', () => {
  it('ends what waits, answers nothing, leaves no timer', async () => {
    const b = bench().protect(gcm).echo();
    const { initiator: i, responder: r } = b;
    await Promise.all([i.channel.request(EXCHANGE.informational, []), b.time.pass(0)]);
    const waiting = [1, 2].map(() => watch(i.channel.request(EXCHANGE.informational, [])));
    i.channel.close();
    r.channel.close();
    await b.time.pass(0);
    for (const { answer } of waiting) {
      expect(answer).toMatchObject({ ok: false, failure: { code: 'CLOSED', by: 'us' } });
    }
    const later = await i.channel.request(EXCHANGE.informational, []);
    expect(later).toMatchObject({ ok: false, failure: { code: 'CLOSED' } });
    const before = r.sent.length;
    for (const octets of [...i.sent]) b.deliver('initiator', octets);
    r.channel.respond(r.requests[0]?.message ?? fail(), []);
    r.channel.protect(keysOf(gcm).responder);
    expect([r.sent.length, b.time.pending]).toEqual([before, 0]);
    expect(() => i.channel.state()).toThrow(TypeError);
  });
});
