// SPDX-License-Identifier: Apache-2.0
/** Responses in clear that the initiator does not believe (RFC 7296 §2.21.1). */
import { describe, expect, it } from 'vitest';
import { encodeMessage } from '../../../../src/ike/codec/message.js';
import { EXCHANGE } from '../../../../src/ike/codec/names/registries.js';
import { Bench, filler, SPI, watch } from './bench.js';

const bench = (): Bench => new Bench(1, { jitter: 0 });

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
