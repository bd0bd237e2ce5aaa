// SPDX-License-Identifier: Apache-2.0
/** Two thousand peers that come back at once, and weather. */
import { expect, test } from 'vitest';
import { lost } from '../sa/plane.js';
import { Net, type Pe } from './bench.js';

test('two thousand peers at once, a tenth of them dead: all others are up, half-open ones bounded', async () => {
  const net = new Net();
  net.keepsWire = false;
  const hub = net.pe('10.0.0.1', { halfOpen: { cookieAbove: 200, most: 400 } });
  const spokes: Pe[] = [];
  const told: { state: string }[][] = [];
  let most = 0;
  for (let i = 0; i < 2000; i++) {
    const name = `10.1.${i >> 8}.${i & 255}`;
    if (i % 10 === 0) {
      told.push(hub.want(name).told);
      continue;
    }
    const spoke = net.pe(name);
    spokes.push(spoke);
    // Half of them begin, the others are called.
    told.push(i % 2 === 0 ? spoke.want(hub).told : hub.want(spoke).told);
  }
  const look = (): void => {
    const rows = hub.manager.rows(undefined, 5000);
    most = Math.max(
      most,
      rows.filter(({ state, role }) => state === 'opening' && role === 'responder').length,
    );
  };
  for (let at = 0; at < 60_000; at += 100) {
    await net.pass(100);
    if (at < 5000) look();
  }
  expect(most).toBeLessThanOrEqual(400);
  const alive = told.filter((_, i) => i % 10 !== 0).map((each) => each.at(-1)?.state);
  expect(alive.filter((state) => state !== 'up')).toEqual([]);
  const dead = told.filter((_, i) => i % 10 === 0).map((each) => each.at(-1)?.state);
  expect(new Set(dead)).toEqual(new Set(['failed']));
  expect(spokes.flatMap((spoke) => lost(spoke.plane, hub.plane))).toEqual([]);
  expect(hub.plane.live).toHaveLength(1800);
  // The hub ends: all are told, within the time.
  let stopped = false;
  void hub.manager.stop(10_000).then(() => (stopped = true));
  await net.pass(2000);
  expect(stopped).toBe(true);
  expect(spokes.filter(({ plane }) => plane.active.size > 0)).toEqual([]);
}, 600_000);

test('any weather: one IKE SA and one child SA each in the end, with the same keys, and nothing is left over', async () => {
  for (let seed = 1; seed <= 12; seed++) {
    const net = new Net(seed);
    net.keepsWire = false;
    net.weather = { loss: 0.2, doubling: 0.2, delay: 400 };
    const options = { policy: { reauthSeconds: seed % 3 === 0 ? 300 : 0 } };
    const [a, b] = [net.pe('10.0.0.1', options), net.pe('10.0.0.2', options)];
    const wants = [a.want(b), b.want(a)];
    for (let round = 0; round < 6; round++) {
      await net.pass(20_000 + 5_000 * seed);
      void (round % 2 === 0 ? a : b).manager.rekey({}, round % 3 === 0 ? 'ike' : 'child');
      if (round === 3) void a.manager.terminate({});
    }
    net.weather = { loss: 0, doubling: 0, delay: 5 };
    await net.pass(250_000);
    // A reauthentication may be under way.
    for (let tries = 0; tries < 20 && a.rows.length !== 1; tries++) await net.pass(1000);
    expect([a.rows.length, b.rows.length]).toEqual([1, 1]);
    expect(wants.map(({ told }) => told.at(-1)?.state)).toEqual(['up', 'up']);
    expect([a.plane.active.size, b.plane.active.size]).toEqual([1, 1]);
    expect([lost(a.plane, b.plane), lost(b.plane, a.plane)]).toEqual([[], []]);
    expect([a.plane.live.length, b.plane.live.length]).toEqual([1, 1]);
  }
}, 600_000);
