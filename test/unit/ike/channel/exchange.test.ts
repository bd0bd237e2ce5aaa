// SPDX-License-Identifier: Apache-2.0
/** One exchange after the other: IKE_SA_INIT in clear, keys, retransmission, replays, time-outs, closing. */
import { describe, expect, it } from 'vitest';
import { encodeMessage } from '../../../../src/ike/codec/message.js';
import { EXCHANGE } from '../../../../src/ike/codec/names/registries.js';
import { Bench, filler, RETRANSMISSION, SPI, SUITES, watch } from './bench.js';

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
});

describe('a response in clear that is not accepted', () => {
  it('leaves the request waiting: retransmitted, until one is accepted or the tries end', async () => {
    const b = bench();
    const { initiator: i, responder: r } = b;
    const judged: number[] = [];
    const init = watch(
      i.channel.request(EXCHANGE.ikeSaInit, [filler(100, 1)], ({ payloads }) => {
        judged.push(payloads.length);
        return payloads.length > 1;
      }),
    );
    await b.time.pass(0);
    // i <-- a response of one payload, by whomever --- r: put aside
    const [request] = r.requests;
    if (request?.fault !== undefined || request === undefined) throw new Error('no request');
    r.channel.respond(request.message, [filler(90, 2)]);
    await b.time.pass(0);
    expect(init.answer).toBeUndefined();
    // i --- again --> r, i <-- the same answer --- r
    await b.time.pass(500);
    expect(judged).toEqual([1, 1]);
    expect(b.counts('initiator')).toEqual({ tx_retransmissions: 1 });
    // i <-- a response of two payloads: taken
    const { header } = request.message;
    const { octets } = encodeMessage(
      { ...header, responderSpi: SPI.responder, initiator: false, response: true },
      [filler(90, 2), filler(40, 3)],
    );
    b.deliver('responder', octets);
    await b.time.pass(0);
    expect(init.answer).toMatchObject({ ok: true, response: { octets } });
    expect(b.time.pending).toBe(0);
  });
});
