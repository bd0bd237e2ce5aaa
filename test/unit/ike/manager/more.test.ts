// SPDX-License-Identifier: Apache-2.0
/** Collisions between two managers, several child SAs of one service (RFC 9611), and the parts on their own. */
import { expect, test } from 'vitest';
import { Keepalives } from '../../../../src/ike/manager/keepalives.js';
import { Backoff, Rate, Slices, Slots } from '../../../../src/ike/manager/pace.js';
import { qcdToken, showsToken, unknownSpiAnswer } from '../../../../src/ike/manager/qcd.js';
import { decodeHeader } from '../../../../src/ike/codec/header.js';
import { isFault } from '../../../../src/ike/codec/fault.js';
import type { IkeSa } from '../../../../src/ike/sa/api.js';
import { lost } from '../sa/plane.js';
import { Clock, Net } from './bench.js';

const [A, B] = ['10.0.0.1', '10.0.0.2'];
const SERVICES = [{}, { service: 'encrypt/137', protocol: 137 }];

test('both ask for the same child SA of one IKE SA: one pair stays', async () => {
  for (let seed = 1; seed <= 4; seed++) {
    const net = new Net(seed);
    const [a, b] = [net.pe(A, { services: SERVICES }), net.pe(B, { services: SERVICES })];
    a.want(b);
    await net.pass(1000);
    // A --> CREATE_CHILD_SA <-- B
    const [ofA, ofB] = [a.want(b, 1), b.want(a, 1)];
    await net.pass(30_000);
    expect([a.rows.length, b.rows.length]).toEqual([1, 1]);
    expect([a.plane.live.length, b.plane.live.length]).toEqual([2, 2]);
    expect([lost(a.plane, b.plane), lost(b.plane, a.plane)]).toEqual([[], []]);
    for (const [pe, { told }] of [
      [a, ofA],
      [b, ofB],
    ] as const) {
      const active = [...pe.plane.active.values()].find(
        ({ policy }) => policy.service !== 'encrypt/gre',
      );
      expect(told.at(-1)).toEqual({ state: 'up', inboundSpi: active?.inboundSpi });
    }
  }
});

test('both have lost everything and open at once: INITIAL_CONTACT of neither ends the other', async () => {
  const net = new Net(2);
  const lostAll = { segmentsWereLost: true };
  const [a, b] = [net.pe(A, lostAll), net.pe(B, lostAll)];
  const wants = [a.want(b), b.want(a)];
  await net.pass(100);
  expect([a.rows.length, b.rows.length]).toEqual([2, 2]);
  await net.pass(60_000);
  expect([a.rows.length, b.rows.length]).toEqual([1, 1]);
  expect(
    wants.map(({ told }) => told.map(({ state }) => state).filter((state) => state !== 'up')),
  ).toEqual([['pending'], ['pending']]);
});

test('one whose IKE_SA_INIT was long on its way: both ends put the two in the same order, and lose nothing', async () => {
  for (let seed = 1; seed <= 6; seed++) {
    const net = new Net(seed);
    const lostAll = { segmentsWereLost: true };
    const [a, b] = [net.pe(A, lostAll), net.pe(B, lostAll)];
    // A <-- IKE_SA_INIT -- B, lost twice: A does not listen yet
    net.tamper = (carried) =>
      carried.octets[18] === 34 && net.clock.now() < 1_001_000 ? [] : [carried];
    const ofB = b.want(a);
    await net.pass(1200);
    // A -- IKE_SA_INIT, IKE_AUTH --> B
    const ofA = a.want(b);
    await net.pass(200);
    expect([a.rows.length, b.rows.length]).toEqual([1, 2]); // B's own attempt goes on
    // A <-- IKE_SA_INIT once more, IKE_AUTH -- B: the first IKE SA stays usable until this one has replaced it
    for (let at = 0; at < 15_000; at += 100) {
      await net.pass(100);
      expect([lost(a.plane, b.plane), lost(b.plane, a.plane)]).toEqual([[], []]);
      expect([a.plane.active.size, b.plane.active.size]).toEqual([1, 1]);
    }
    expect([a.rows.length, b.rows.length]).toEqual([1, 1]);
    expect(a.count('duplicates_closed') + b.count('duplicates_closed')).toBe(1);
    expect(a.manager.rows(undefined, 1)[0]?.initiatorSpi).toBe(
      b.manager.rows(undefined, 1)[0]?.initiatorSpi,
    );
    for (const { told } of [ofA, ofB]) {
      expect(told.map(({ state }) => state)).not.toContain('failed');
      expect(told.at(-1)?.state).toBe('up');
    }
  }
});

test('RFC 9611: as many child SAs of a service as are wanted, each of its own resource', async () => {
  const net = new Net();
  const options = { services: [{ resources: 3 }] };
  const [a, b] = [net.pe(A, options), net.pe(B, options)];
  const { told } = a.want(b);
  await net.pass(2000);
  expect(told.at(-1)?.state).toBe('up');
  const resources = a.manager.rows(undefined, 1)[0]?.children.map(({ resource }) => resource);
  expect([...(resources ?? [])].sort()).toEqual([0, 1, 2]);
  expect(b.plane.active.size).toBe(3);
  // A peer that has one only is not asked over and over.
  const c = net.pe('10.0.0.3', { services: [{ resources: 1 }] });
  a.want(c);
  const sent = net.wire.length;
  await net.pass(60_000);
  const asked = net.wire
    .slice(sent)
    .filter(({ octets, remote }) => octets[18] === 36 && remote.address[3] === 3);
  expect(asked.length).toBeLessThanOrEqual(8);
  expect(c.plane.live.length).toBeLessThanOrEqual(1);
});

test('who no longer wants it stops asking; a child SA that is there stays with its IKE SA', async () => {
  const net = new Net();
  const [a, b] = [net.pe(A), net.pe(B)];
  const { told, end } = a.want('10.0.0.9');
  await net.pass(100);
  end();
  await net.pass(300_000);
  const tries = net.wire.length;
  await net.pass(600_000);
  expect(net.wire).toHaveLength(tries);
  expect([a.rows, told]).toEqual([[], [{ state: 'pending' }]]);
  const other = a.want(b);
  await net.pass(1000);
  other.end();
  await net.pass(60_000);
  expect(b.rows).toEqual([`responder of ${A} established: encrypt/gre live`]);
  // It is not opened again when the peer ends it.
  void b.manager.terminate({});
  await net.pass(60_000);
  expect([a.rows, b.rows]).toEqual([[], []]);
});

test('keepalives: each twenty seconds, of those behind a NAT alone, until they are gone', async () => {
  const clock = new Clock();
  const sent: string[] = [];
  const keepalives = new Keepalives(clock, ({ local }) => sent.push(String(local.port)));
  const sa = (port: number): IkeSa =>
    ({ open: { channel: { path: { local: { port } } } } }) as unknown as IkeSa;
  const [one, two] = [sa(1), sa(2)];
  keepalives.add(one);
  await clock.pass(20_000);
  keepalives.add(two);
  await clock.pass(20_000);
  keepalives.delete(one);
  await clock.pass(20_000);
  expect(sent).toEqual(['1', '1', '2', '2']);
  keepalives.delete(two);
  await clock.pass(60_000);
  expect([sent.length, clock.pending]).toEqual([4, 0]);
});

test('slices: jobs keep their order, and others have their turn between them', async () => {
  const clock = new Clock();
  const slices = new Slices(clock);
  const done: number[] = [];
  let turns = 0;
  for (let i = 0; i < 100; i++) slices.push(() => done.push(i));
  const turn = (): void => {
    turns++;
    if (done.length < 100) clock.after(0, turn);
  };
  clock.after(0, turn);
  await clock.pass(0);
  expect(done).toEqual(Array.from({ length: 100 }, (_, i) => i));
  expect(turns).toBeGreaterThanOrEqual(4);
  slices.push(() => done.push(-1));
  slices.close();
  await clock.pass(10);
  expect(done).toHaveLength(100);
});

test('slots: so many at once; who takes long makes room, and gives nothing back twice', async () => {
  const clock = new Clock();
  const slots = new Slots(clock, 2, 1000);
  const begun: string[] = [];
  const ask = (name: string): (() => void) => slots.ask(() => begun.push(name));
  const gone = [ask('a'), ask('b'), ask('c'), ask('d'), ask('e')];
  expect([begun, slots.waiting]).toEqual([['a', 'b'], 3]);
  gone[0]?.();
  gone[0]?.();
  expect([begun, slots.inUse]).toEqual([['a', 'b', 'c'], 2]);
  gone[3]?.(); // d does not want it any more
  await clock.pass(1000);
  expect([begun, slots.inUse, slots.waiting]).toEqual([['a', 'b', 'c', 'e'], 1, 0]);
  for (const each of gone) each();
  expect([slots.inUse, clock.pending]).toEqual([0, 0]);
});

test('back-off: doubles up to five minutes less a quarter at most; a rate refills', async () => {
  const clock = new Clock();
  let at = 0;
  const backoff = new Backoff(
    clock,
    { random: (n) => Buffer.alloc(n, 0x80) },
    () => (at = clock.now()),
  );
  const waits: number[] = [];
  for (let i = 0; i < 11; i++) {
    const from = clock.now();
    backoff.failed();
    expect(backoff.isWaiting).toBe(true);
    await clock.pass(300_000);
    waits.push(Math.round((at - from) / 100) / 10);
  }
  expect(waits.slice(0, 4)).toEqual([0.9, 1.7, 3.5, 7]);
  expect(waits.at(-1)).toBeCloseTo(262, 0);
  backoff.failed();
  backoff.succeeded();
  expect([backoff.isWaiting, clock.pending]).toEqual([false, 0]);
  const rate = new Rate(clock, 10);
  expect(Array.from({ length: 15 }, () => rate.take()).filter(Boolean)).toHaveLength(10);
  await clock.pass(500);
  expect(Array.from({ length: 15 }, () => rate.take()).filter(Boolean)).toHaveLength(5);
});

test('tokens: of both SPIs and of the secret; shown only in a response with INVALID_IKE_SPI', () => {
  const secret = Buffer.alloc(32, 1);
  const token = qcdToken(secret, 1n, 2n);
  const others = [
    qcdToken(secret, 2n, 1n),
    qcdToken(secret, 1n, 3n),
    qcdToken(Buffer.alloc(32, 2), 1n, 2n),
  ];
  for (const other of others) expect(other).not.toEqual(token);
  const request = new Uint8Array(28);
  request.set([46, 0x20, 37, 0x08], 16);
  request[7] = 1;
  request[15] = 2;
  const header = decodeHeader(request, 0, 28);
  if (isFault(header)) throw new Error(header.reason);
  const answer = unknownSpiAnswer(header, token);
  expect(showsToken(answer, token)).toBe(true);
  for (const other of others) expect(showsToken(answer, other)).toBe(false);
  expect(showsToken(unknownSpiAnswer(header, undefined), token)).toBe(false);
  const asRequest = answer.slice();
  asRequest[19] = 0;
  expect(showsToken(asRequest, token)).toBe(false);
  expect(showsToken(answer.subarray(0, 40), token)).toBe(false);
});
