// SPDX-License-Identifier: Apache-2.0
/** A supervisor that ends without a word, and the one after it (ADR 13, policy-model 25, RFC 6290). */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { EXCHANGE } from '../../../../src/ike/codec/names/registries.js';
import { lost } from '../sa/plane.js';
import { MemoryStore, Net, type Pe, type PeOptions } from './bench.js';

const [A, B] = ['10.0.0.1', '10.0.0.2'];

interface Two {
  readonly net: Net;
  readonly a: Pe;
  readonly b: Pe;
  readonly store: MemoryStore;
}

/** A wants a child SA of B, and has it. */
async function up(options: PeOptions = {}, seed = 1): Promise<Two> {
  const net = new Net(seed);
  const store = new MemoryStore();
  const [a, b] = [net.pe(A, { ...options, store }), net.pe(B, options)];
  a.want(b);
  await net.pass(1000);
  expect(a.rows).toEqual([`initiator of ${B} established: encrypt/gre live`]);
  return { net, a, b, store };
}

const lostBetween = (a: Pe, b: Pe): string[] => [
  ...lost(a.plane, b.plane),
  ...lost(b.plane, a.plane),
];

const exchanges = (net: Net, from: number): number[] =>
  net.wire.slice(from).map(({ octets }) => octets[18] ?? 0);

test('goes on with its IKE SA: nothing is sent, and rekeying works afterwards', async () => {
  const { net, a, b, store } = await up();
  const sent = net.wire.length;
  a.restart(true);
  const { told } = a.want(b);
  await net.pass(5000);
  expect(net.wire).toHaveLength(sent);
  expect(told.at(-1)?.state).toBe('up');
  // Each direction takes requests of the other: message IDs and keys are those of before.
  const rekeyed = a.manager.rekey({}, 'child');
  await net.pass(1000);
  const byPeer = b.manager.rekey({}, 'ike');
  await net.pass(3000);
  expect([await rekeyed, await byPeer]).toEqual([
    { ok: true, value: 1 },
    { ok: true, value: 1 },
  ]);
  expect(lostBetween(a, b)).toEqual([]);
  expect(store.files.size).toBe(1);
  // And once more, from what was kept of the rekeyed one.
  a.restart(true);
  await net.pass(35_000);
  expect(a.rows).toEqual([`responder of ${B} established: encrypt/gre live`]);
  expect([a.count('exchange_timeouts'), b.count('exchange_timeouts')]).toEqual([0, 0]);
  expect([a.count('rx_integrity'), b.count('rx_integrity')]).toEqual([0, 0]);
});

test('ends at any moment of an exchange: never two child SAs for long, never traffic that is dropped', async () => {
  for (const what of ['ike', 'child'] as const) {
    for (let cut = 0; cut < 8; cut++) {
      const { net, a, b } = await up({}, cut + 1);
      void (cut % 2 === 0 ? a : b).manager.rekey({}, what);
      // The process ends behind so many datagrams.
      const before = net.wire.length;
      for (let step = 0; step < 400 && net.wire.length < before + (cut >> 1); step++) {
        await net.pass(1);
      }
      a.restart(true);
      const { told } = a.want(b);
      for (let step = 0; step < 200; step++) {
        await net.pass(500);
        expect(lostBetween(a, b)).toEqual([]);
        expect([a.plane.active.size, b.plane.active.size]).toEqual([1, 1]);
      }
      expect(told.at(-1)?.state).toBe('up');
      expect(told.map(({ state }) => state)).not.toContain('failed');
      expect([a.rows.length, b.rows.length]).toEqual([1, 1]);
      expect([a.plane.live.length, b.plane.live.length]).toEqual([1, 1]);
    }
  }
}, 300_000);

test('segments are lost: INITIAL_CONTACT, and the peer forgets what was before', async () => {
  const { net, a, b } = await up();
  a.restart(false);
  const { told } = a.want(b);
  // A: IKE_AUTH with INITIAL_CONTACT --> B: closes the old IKE SA without a word
  await net.pass(500);
  expect(told.at(-1)?.state).toBe('up');
  expect(b.rows).toEqual([`responder of ${A} established: encrypt/gre live`]);
  expect(lostBetween(a, b)).toEqual([]);
  await net.pass(60_000);
  expect(b.plane.live).toHaveLength(1);
  // The next time it knows the peer.
  const sent = net.wire.length;
  const ended = a.manager.terminate({});
  await net.pass(3000);
  expect(await ended).toEqual({ ok: true, value: 1 });
  expect(exchanges(net, sent)).toContain(EXCHANGE.ikeSaInit);
  expect(a.rows.length).toBe(1);
});

test('states of other segments are not gone on with', async () => {
  const { net, a, b, store } = await up();
  const other = new MemoryStore('epoch two');
  for (const [spi, octets] of store.files) other.put(spi, octets);
  const again = net.pe(A, { store: other });
  expect(again.rows).toEqual([]);
  const spoiled = new MemoryStore();
  for (const [spi, octets] of store.files) {
    spoiled.put(
      spi,
      octets.map((each, i) => (i === 200 ? each ^ 1 : each)),
    );
  }
  expect(net.pe(A, { store: spoiled }).rows).toEqual([]);
  const cut = new MemoryStore();
  for (const [spi, octets] of store.files) cut.put(spi, octets.subarray(0, 30));
  expect(net.pe(A, { store: cut }).rows).toEqual([]);
  // As another version of V8 would find it: whole, and unreadable.
  const unreadable = new MemoryStore();
  const body = Buffer.from([0xff, 0x7f, 1, 2, 3]);
  const digest = createHash('sha256').update(body).digest();
  unreadable.put(1n, Buffer.concat([Buffer.from('SLIKESA\x01', 'latin1'), digest, body]));
  expect(net.pe(A, { store: unreadable }).rows).toEqual([]);
  a.kill();
  b.kill();
});

test('the peer lost the IKE SA: its token says so, and another one is opened at once (RFC 6290)', async () => {
  const { net, a, b } = await up();
  const { told } = a.want(b);
  b.restart(false);
  // A asks whether B lives; B: INVALID_IKE_SPI and the token
  await net.pass(32_000);
  expect(a.count('peers_dead')).toBe(1);
  expect(told.map(({ state }) => state)).toEqual(['up', 'pending', 'up']);
  expect(lostBetween(a, b)).toEqual([]);
  expect([a.count('exchange_timeouts'), a.rows.length, b.rows.length]).toEqual([0, 1, 1]);
});

test('a token of somebody else, or for another IKE SA, ends nothing', async () => {
  const { net, a, b } = await up();
  b.kill();
  const token = net.pe('10.0.0.9');
  // Whoever sees the SPIs but has not the secret
  net.tamper = (carried) => {
    const { local, remote, octets } = carried;
    if (local.address[3] === 1) token.manager.receive({ local: remote, remote: local, octets });
    return [carried];
  };
  await net.pass(34_000);
  const answers = net.wire.filter(({ octets }) => octets[16] === 41);
  expect(answers.length).toBeGreaterThan(0);
  expect(a.rows).toEqual([`initiator of ${B} established: encrypt/gre live`]);
  expect(a.count('peers_dead')).toBe(0);
});

test('handed over: nothing is said to anyone, and the next one goes on', async () => {
  const { net, a, b, store } = await up();
  const sent = net.wire.length;
  a.manager.detach();
  await net.pass(1000);
  expect(store.files.size).toBe(1);
  a.restart(true);
  await net.pass(1000);
  expect(net.wire).toHaveLength(sent);
  expect(a.rows).toEqual([`initiator of ${B} established: encrypt/gre live`]);
  expect(lostBetween(a, b)).toEqual([]);
  // Stopped, nothing is left of it.
  void a.manager.stop(1000);
  await net.pass(2000);
  expect(store.files.size).toBe(0);
});

test('the data plane has lost a child SA meanwhile: it is replaced', async () => {
  const { net, a, b } = await up();
  const [child] = a.plane.active.values();
  if (child === undefined) throw new Error('no child SA');
  a.plane.inbound.delete(child.inboundSpi);
  a.plane.active.clear();
  const removed = a.plane.remove.bind(a.plane);
  // As the tables do: one that is not there is no error.
  a.plane.remove = (spi, graceMs) => {
    if (a.plane.inbound.has(spi)) removed(spi, graceMs);
  };
  a.restart(true);
  await net.pass(2000);
  expect(lostBetween(a, b)).toEqual([]);
  expect([a.plane.active.size, b.plane.active.size]).toEqual([1, 1]);
  expect(a.rows).toEqual([`initiator of ${B} established: encrypt/gre live`]);
});

test('ends while two that were opened at once are there: what INITIAL_CONTACT said is not heard again', async () => {
  for (const after of [300, 1500, 2500, 4500, 6500]) {
    for (const seed of [1, 2, 3]) {
      const net = new Net(seed);
      const options = { segmentsWereLost: true };
      const a = net.pe(A, { ...options, store: new MemoryStore() });
      const b = net.pe(B, options);
      a.want(b);
      b.want(a);
      await net.pass(after);
      const opened = a.rows.length;
      if (after < 2000) expect(opened).toBe(2);
      a.restart(true);
      const { told } = a.want(b);
      expect(a.rows).toHaveLength(opened);
      for (let step = 0; step < 60; step++) {
        await net.pass(250);
        expect(lostBetween(a, b)).toEqual([]);
      }
      expect(new Set(told.map(({ state }) => state))).toEqual(new Set(['up']));
      expect([a.rows.length, b.rows.length]).toEqual([1, 1]);
      // Nobody had to open another one: it was agreed which stays.
      expect(net.wire.filter(({ octets }) => octets[18] === EXCHANGE.ikeSaInit)).toHaveLength(4);
    }
  }
});

test('ends while an IKE SA authenticates anew: both ends keep the newer one', async () => {
  const store = new MemoryStore();
  const net = new Net(5);
  const policy = { reauthSeconds: 60 };
  const [a, b] = [net.pe(A, { policy, store }), net.pe(B, { policy })];
  a.want(b);
  await net.pass(1000);
  let step = 0;
  while (a.rows.length < 2 && step++ < 2000) await net.pass(50);
  expect(a.rows).toHaveLength(2);
  a.restart(true);
  a.want(b);
  for (step = 0; step < 60; step++) {
    await net.pass(250);
    expect(lostBetween(a, b)).toEqual([]);
  }
  expect([a.rows.length, b.rows.length]).toEqual([1, 1]);
  expect(net.wire.filter(({ octets }) => octets[18] === EXCHANGE.ikeSaInit)).toHaveLength(4);
});
