// SPDX-License-Identifier: Apache-2.0
/** A channel that another process goes on with. */
import { describe, expect, it } from 'vitest';
import { EXCHANGE } from '../../../../src/ike/codec/names/registries.js';
import { Bench, filler, keysOf, SUITES, watch } from './bench.js';

const { gcm, cbc } = SUITES;
const IV_AT = 32;
const ivOf = (octets: Uint8Array | undefined) =>
  new DataView((octets ?? new Uint8Array()).slice().buffer).getBigUint64(IV_AT);

describe.each([
  ['gcm', gcm],
  ['cbc', cbc],
] as const)('%s', (_, suite) => {
  it('goes on both ways, replays answered, the unanswered request sent again', async () => {
    const b = new Bench(1, { jitter: 0 }).protect(suite).echo();
    const { initiator: i, responder: r } = b;
    for (const side of [i, r]) side.channel.fragmentBytes = 400;
    // i --> r and back; r --> i and back; i --> r lost
    void i.channel.request(EXCHANGE.informational, [filler(900, 1)]);
    void r.channel.request(EXCHANGE.informational, [filler(30, 2)]);
    await b.time.pass(0);
    const echoed = i.sent.slice();
    b.tamper = () => [];
    void i.channel.request(EXCHANGE.informational, [filler(900, 3)]);
    const lost = i.sent.slice(echoed.length);
    b.tamper = (__, octets) => [octets];
    const states = { i: i.channel.state(), r: r.channel.state() };
    expect(states.i).toMatchObject({ nextRequestId: 2, nextPeerRequestId: 1, fragmentBytes: 400 });
    expect(states.r).toMatchObject({ nextRequestId: 1, nextPeerRequestId: 1, pending: [] });
    b.restart('initiator', states.i);
    b.restart('responder', states.r);
    b.echo();
    const before = r.requests.length;
    expect(i.channel.isIdle).toBe(false);
    await b.time.pass(0);
    expect(i.sent.slice(-lost.length)).toEqual(lost);
    expect(r.requests).toHaveLength(before + 1);
    expect(i.channel.isIdle).toBe(true);
    // The first request again: the other process has its response no more. The peer has gone on.
    for (const octets of echoed) b.deliver('initiator', octets);
    expect(r.requests).toHaveLength(before + 1);
    const seen = [i, r].map(({ channel }) =>
      watch(channel.request(EXCHANGE.informational, [filler(500, 4)])),
    );
    await b.time.pass(0);
    for (const { answer } of seen) {
      expect(answer).toMatchObject({ ok: true, response: { payloads: [filler(500, 4)] } });
    }
  });

  it('answers replays of what the process before has answered, whole or in fragments', async () => {
    for (const size of [undefined, 400]) {
      const b = new Bench(1, { jitter: 0 }).protect(suite).echo();
      const { initiator: i, responder: r } = b;
      i.channel.fragmentBytes = size;
      r.channel.fragmentBytes = size;
      void i.channel.request(EXCHANGE.informational, [filler(900, 1)]);
      await b.time.pass(0);
      const [requests, responses] = [i.sent.slice(), r.sent.slice()];
      b.restart('responder', r.channel.state());
      const forged = requests[0]?.slice() ?? new Uint8Array();
      forged.fill(0, forged.length - 8);
      for (const octets of [forged, ...requests]) b.deliver('initiator', octets);
      expect(r.sent).toEqual([...responses, ...responses]);
      expect(r.requests).toHaveLength(1);
      expect(b.counts('responder')).toEqual({ rx_integrity: 1, rx_retransmitted: 1 });
    }
  });
});

it('no IV is used twice, whatever is sent after the state was taken', async () => {
  const b = new Bench(1, { jitter: 0 }).protect(gcm).echo();
  const { initiator: i } = b;
  const state = i.channel.state();
  const send = async (): Promise<void> => {
    void i.channel.request(EXCHANGE.informational, []);
    await b.time.pass(0);
  };
  for (let n = 0; n < 20; n++) await send();
  const used = i.sent.map(ivOf);
  // The state of the start again, as after a crash; the message IDs would be wrong, the IVs are not.
  b.restart('initiator', state);
  await send();
  const again = ivOf(i.sent.at(-1));
  expect(again).toBe(state.nextIv);
  expect(used.every((iv) => iv < again)).toBe(true);
  expect(i.channel.state().nextIv).toBeGreaterThan(state.nextIv);
});

it('keys in and out are copies, and IVs that are spent fail the request', async () => {
  const b = new Bench(1, { jitter: 0 }).protect(gcm).echo();
  const state = b.initiator.channel.state();
  const { send } = keysOf(gcm).initiator;
  expect(state.keys.send).toEqual(send);
  b.restart('initiator', { ...state, nextIv: (1n << 64n) - 1n });
  state.keys.send.encryption.fill(0);
  const answers = [1, 2].map(() => watch(b.initiator.channel.request(EXCHANGE.informational, [])));
  await b.time.pass(0);
  expect(answers[0]?.answer).toMatchObject({ ok: true });
  expect(answers[1]?.answer).toMatchObject({ ok: false, failure: { code: 'INTERNAL' } });
});
