// SPDX-License-Identifier: Apache-2.0
/** An authenticated peer that means harm: it makes us keep things, or do things, again and again. */
import { expect, it } from 'vitest';
import { NOTIFY } from '../../../../src/ike/codec/names/notify.js';
import { EXCHANGE } from '../../../../src/ike/codec/names/registries.js';
import { notify } from '../../../../src/ike/exchange/notifies.js';
import { must, SaBench, type Side } from './bench.js';

const asked = ({ told }: Side): string[] => told.filter((word) => word.startsWith('reauth'));

it('rekeys the IKE SA without end and deletes none: what is kept is bounded', async () => {
  const bench = new SaBench();
  const { a, b } = bench;
  bench.mode = 'hand';
  let refused = 0;
  for (let i = 0; i < 80; i++) {
    const made = a.sa.rekeyIke();
    await bench.rest();
    await bench.deliver('a');
    await bench.deliver('b');
    // A's delete of the old one never leaves, and neither does its next try.
    bench.wire.length = 0;
    const before = a.sa;
    await bench.rest();
    if (b.told.length <= i) {
      refused += 1;
      a.sa.abandon('enough', true);
      break;
    }
    expect((await made).ok).toBe(true);
    expect(before.phase).toBe('established');
  }
  expect(refused).toBe(1);
  expect(b.known.size).toBeLessThanOrEqual(64);
  // Time makes room again.
  await bench.time.pass(600_000);
  expect(b.known.size).toBeLessThanOrEqual(1);
});

it('rekeys a child SA without end and deletes none: what is kept is bounded', async () => {
  const bench = new SaBench();
  const { a, b } = bench;
  await bench.child();
  // B never hears that anything is deleted: it is to wait for that.
  const ask = a.sa.open.channel.request.bind(a.sa.open.channel);
  a.sa.open.channel.request = (exchange, payloads, accepts) =>
    ask(exchange, exchange === EXCHANGE.informational ? [] : payloads, accepts);
  for (let i = 0; i < 200; i++) {
    const [child] = a.sa.children;
    if (child === undefined) break;
    const made = a.sa.rekeyChild(child.inboundSpi);
    await bench.time.pass(20);
    await Promise.race([made, bench.rest()]);
  }
  expect(b.plane.ever.length).toBeGreaterThan(100);
  expect(b.rows.length).toBeLessThanOrEqual(128);
  expect(b.plane.inbound.size).toBeLessThanOrEqual(128);
});

it('wants to be authenticated anew at once, each time: not more often than each ten seconds', async () => {
  const bench = new SaBench({ open: { peerAuthLifetime: 0 } });
  await bench.time.pass(9_000);
  expect(asked(bench.a)).toEqual([]);
  await bench.time.pass(2_000);
  expect(asked(bench.a)).toEqual(['reauthenticate peer-lifetime']);
  const other = new SaBench();
  void other.b.sa.open.channel.request(EXCHANGE.informational, [
    notify(NOTIFY.AUTH_LIFETIME, Buffer.alloc(4)),
  ]);
  await other.time.pass(9_000);
  expect(asked(other.a)).toEqual([]);
  // A certificate that is about to expire
  const { identity } = bench.a.sa.open;
  const third = new SaBench({ open: { identity: { ...identity, validUntil: 1_000_100 } } });
  await third.time.pass(9_000);
  expect(asked(third.a)).toEqual([]);
  await third.time.pass(2_000);
  expect(asked(third.a)).toEqual(['reauthenticate certificate-expires']);
});

it('lets its certificate expire and is not authenticated anew: the IKE SA ends, rekeyed or not', async () => {
  const { identity } = new SaBench().a.sa.open;
  const bench = new SaBench({ open: { identity: { ...identity, validUntil: 1_002_000 } } });
  await bench.child();
  must(await Promise.all([bench.a.sa.rekeyIke(), bench.time.pass(10_000)]).then(([made]) => made));
  await bench.time.pass(1_980_000);
  expect([bench.a.isClosed, bench.b.isClosed]).toEqual([false, false]);
  await bench.time.pass(30_000);
  expect([bench.a.isClosed, bench.b.isClosed]).toEqual([true, true]);
  expect([bench.a.plane.active.size, bench.b.plane.active.size]).toEqual([0, 0]);
});

it('is silent while something else is asked of it: looked at now and then, not all the time', async () => {
  const bench = new SaBench({ policy: { dpdMs: 1000 } });
  bench.mode = 'hand';
  // As after a restart: a request that nobody here waits for, and a peer that is gone.
  void bench.a.sa.open.channel.request(EXCHANGE.informational, []);
  const { time } = bench;
  const after = time.after.bind(time);
  let timers = 0;
  time.after = (ms, run) => {
    timers += 1;
    return after(ms, run);
  };
  await time.pass(10_000);
  expect(timers).toBeLessThan(100);
  await time.pass(60_000);
  expect(bench.a.told).toEqual(['closed TIMEOUT']);
});

it('gives a token that anybody could guess: it is none (RFC 6290 §4.1)', async () => {
  const bench = new SaBench();
  for (const [length, is] of [
    [0, undefined],
    [15, undefined],
    [16, 16],
    [129, 16],
  ] as const) {
    void bench.b.sa.open.channel.request(EXCHANGE.informational, [
      notify(NOTIFY.QUICK_CRASH_DETECTION, Buffer.alloc(length, 7)),
    ]);
    await bench.time.pass(1000);
    expect(bench.a.sa.qcdToken?.length).toBe(is);
  }
});

it('finds a mistake of ours: it ends the IKE SA, and nothing else', async () => {
  const bench = new SaBench();
  const { a, b } = bench;
  b.plane.allocateSpi = () => {
    throw new RangeError('no SPI is left');
  };
  const made = a.sa.want(bench.policyOf('a'), 0);
  await bench.time.pass(1000);
  expect(b.told).toEqual(['closed INTERNAL']);
  await bench.time.pass(600_000);
  expect((await made).ok).toBe(false);
  expect([a.known.size, b.known.size]).toEqual([0, 0]);
  const asking = new SaBench();
  asking.a.plane.allocateSpi = () => {
    throw new RangeError('no SPI is left');
  };
  void asking.a.sa.want(asking.policyOf('a'), 0);
  await asking.time.pass(1000);
  expect(asking.a.told).toEqual(['closed INTERNAL']);
});
