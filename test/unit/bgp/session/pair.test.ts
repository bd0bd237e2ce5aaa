// SPDX-License-Identifier: Apache-2.0
/** Two machines against each other: coming up, collisions in any order, restarts. */
import { describe, expect, test } from 'vitest';
import { cease } from '../../../../src/bgp/codec/notification.js';
import { machine, ID, pair, random, Bench } from './bench.js';

const start = (bench: Bench, ...sides: (0 | 1)[]): void => {
  for (const side of sides) bench.input(side, { kind: 'start' });
};

describe('coming up', () => {
  test('one connects, the other waits', () => {
    const bench = pair({}, { passive: true });
    start(bench, 1, 0);
    expect(bench.machines.map(({ state }) => state)).toEqual(['connect', 'active']);
    bench.run();
    expect(bench.joined()).toBe(true);
    expect(bench.wires).toHaveLength(1);
    expect(bench.established[0]).toMatchObject({ asn: 65002, kind: 'ebgp', holdTime: 90 });
    expect(bench.established[1]).toMatchObject({ asn: 65001, routerId: ID.low });
  });

  test('who is not started refuses, the other tries again later and later', () => {
    const bench = pair({ timers: { connectRetry: 4, connectRetryMax: 20 } }, {});
    start(bench, 0);
    const times: number[] = [];
    for (let count = 0; bench.wires.length < 7;) {
      bench.pass(100);
      if (bench.wires.length > count) times.push(bench.now);
      count = bench.wires.length;
    }
    const gaps = times.slice(1).map((time, i) => time - times[i]!);
    // It was accepted and closed, a failure each time: 4 s doubled up to 20 s, of which jitter leaves 75 to 100 %.
    for (const [i, most] of [8, 16, 20, 20, 20].entries()) {
      expect(gaps[i]).toBeGreaterThanOrEqual(750 * most - 200);
      expect(gaps[i]).toBeLessThanOrEqual(1000 * most + 200);
    }
    start(bench, 1);
    bench.pass(25_000);
    expect(bench.joined()).toBe(true);
  });

  test('it stays up by keepalives alone, and ends when the peer falls silent', () => {
    const bench = pair({ timers: { hold: 9 } }, { passive: true });
    start(bench, 1, 0);
    bench.pass(60_000);
    expect(bench.joined()).toBe(true);
    expect(bench.ends[0]).toHaveLength(0);
    bench.deaf = 0; // nothing reaches the first any more
    bench.pass(12_000);
    bench.deaf = undefined;
    bench.run();
    expect(bench.ends[0][0]?.reason).toMatch(/nothing heard for 9 s/);
    expect(bench.ends[1][0]?.reason).toMatch(/^received: nothing heard/);
  });

  test('hold time 0 on one side: no keepalives, no end', () => {
    const bench = pair({ timers: { hold: 0 } }, { passive: true });
    start(bench, 1, 0);
    bench.run();
    const count = bench.sent[0].length;
    bench.pass(3_600_000);
    expect(bench.joined()).toBe(true);
    expect(bench.sent[0]).toHaveLength(count);
  });
});

describe('collision (RFC 4271 §6.8)', () => {
  /** Every order of the first `depth` choices, then the first possible. */
  const orders = (bench: () => Bench, depth: number, check: (bench: Bench) => void): number => {
    let runs = 0;
    const prefix: number[] = [];
    for (;;) {
      const widths: number[] = [];
      const tested = bench();
      start(tested, 0, 1);
      tested.run((count) => {
        const level = widths.length;
        widths.push(count);
        return level < prefix.length ? prefix[level]! : 0;
      });
      check(tested);
      runs++;
      const taken = widths.slice(0, depth).map((_, level) => prefix[level] ?? 0);
      let level = taken.length - 1;
      while (level >= 0 && taken[level]! + 1 >= widths[level]!) level--;
      if (level < 0) return runs;
      prefix.length = 0;
      prefix.push(...taken.slice(0, level), taken[level]! + 1);
    }
  };

  test.each([
    ['higher identifier on the second', [ID.low, ID.high]],
    ['higher identifier on the first', [ID.high, ID.low]],
    ['equal identifiers: the higher AS (RFC 6286)', [ID.low, ID.low]],
  ] as const)('every order of events leaves one session: %s', (_, ids) => {
    let together = 0;
    const runs = orders(
      () => pair({}, {}, ids),
      9,
      (bench) => {
        expect(bench.joined()).toBe(true);
        const open = bench.wires.filter(({ closed }) => !closed[0] && !closed[1]);
        expect(open).toHaveLength(1);
        if (bench.wires.length === 2) together++;
      },
    );
    expect(runs).toBeGreaterThan(300);
    expect(together).toBeGreaterThan(runs / 2);
  });

  test('random orders, over and over with connections cut in between', () => {
    const next = random(7);
    const pick = (count: number): number => Math.floor(next() * count);
    for (let round = 0; round < 300; round++) {
      const bench = pair({}, {}, round % 2 === 0 ? [ID.low, ID.high] : [ID.high, ID.low]);
      start(bench, 0, 1);
      for (let step = pick(30); step > 0; step--) {
        const choices = bench.choices();
        if (choices.length > 0) bench.deliver(choices[pick(choices.length)]!);
      }
      bench.cut();
      bench.pass(60_000, pick);
      expect(bench.joined()).toBe(true);
    }
  });

  test('a winner that never shows its OPEN does not keep the loser waiting for ever', () => {
    const bench = pair({}, {});
    start(bench, 0, 1);
    // The second's identifier is higher, so its connection, the second wire, wins: let it hang there.
    const hung = bench.wires[1]!;
    for (let i = 0; i < 3; i++) {
      const choice = bench.choices().find(({ wire, side }) => wire === 1 && side === 0);
      if (choice !== undefined && hung.ids[0] === undefined) bench.deliver(choice);
    }
    const rest = (): void => {
      for (let i = 0; i < 100; i++) {
        const choice = bench.choices().find(({ wire }) => wire !== 1);
        if (choice === undefined) return;
        bench.deliver(choice);
      }
    };
    rest();
    expect(bench.machines[0].state).toBe('openConfirm');
    for (const queue of hung.queues) queue.length = 0;
    for (let i = 0; i < 12; i++) {
      bench.pass(1000);
      for (const queue of hung.queues) queue.length = 0;
    }
    expect(bench.machines[0].state).toBe('established');
  });
});

describe('graceful restart', () => {
  const family = { families: { 'vpnv4-unicast': {}, 'ipv4-unicast': {} } } as const;
  const up = (a: object = {}, b: object = {}): Bench => {
    const bench = pair({ ...family, ...a }, { ...family, passive: true, ...b });
    start(bench, 1, 0);
    bench.run();
    expect(bench.joined()).toBe(true);
    return bench;
  };
  const both = 0b101;

  test('a lost connection keeps the peer’s routes, and the session comes back', () => {
    const bench = up({}, { gracefulRestart: { restartTime: 77 } });
    bench.cut();
    expect(bench.ends[0]).toEqual([
      { keepStale: both, restartTime: 77, longLived: [], reason: 'connection reset' },
    ]);
    bench.pass(10_000);
    expect(bench.joined()).toBe(true);
    expect(bench.established[0]?.awaitEndOfRib).toBe(both);
  });

  test.each([
    ['neither offers it', { gracefulRestart: false }, { gracefulRestart: false }],
    ['we do not', { gracefulRestart: false }, {}],
    ['the peer does not', {}, { gracefulRestart: false }],
    ['the peer only helps', {}, { gracefulRestart: { restartTime: 0 } }],
  ] as const)('without it nothing is kept: %s', (_, a, b) => {
    const bench = up(a, b);
    bench.cut();
    expect(bench.ends[0][0]).toMatchObject({ keepStale: 0, restartTime: 0 });
  });

  test('a NOTIFICATION ends it for good, unless the N bit was agreed (RFC 8538)', () => {
    for (const [a, kept] of [
      [{ gracefulRestart: { notification: false } }, 0],
      [{}, both],
    ] as const) {
      const bench = up(a);
      const connection = bench.live[0]!;
      bench.input(0, { kind: 'fault', connection, notification: cease('outOfResources') });
      bench.run();
      expect(bench.ends[0][0]?.keepStale).toBe(kept);
      expect(bench.ends[1][0]?.keepStale).toBe(kept);
    }
  });

  test('what ends forwarding too is sent as a Hard Reset', () => {
    const bench = up();
    bench.input(0, { kind: 'stop', notification: cease('administrativeShutdown', 'bye') });
    bench.run();
    const last = bench.sent[0].at(-1)!;
    expect(last).toMatchObject({ notification: { code: 6, subcode: 9 } });
    expect(last.type === 'notification' && [...last.notification.data]).toEqual([
      ...[6, 2, 3],
      ...Buffer.from('bye'),
    ]);
    expect(bench.ends.map(([end]) => end?.keepStale)).toEqual([0, 0]);
    expect(bench.machines[0].state).toBe('idle');
  });

  test('a peer that restarted comes in beside its dead connection', () => {
    const bench = up();
    bench.pass(15_000);
    const fresh = new Bench(
      bench.machines[0],
      machine({ ...family, address: '10.0.0.1', asn: 65001 }, ID.high, 65002, {
        restarting: true,
        forwarding: 0b100,
      }),
    );
    fresh.now = bench.now;
    fresh.input(1, { kind: 'start' });
    fresh.run();
    expect(fresh.machines.map(({ state }) => state)).toEqual(['established', 'established']);
    expect(fresh.ends[0]).toMatchObject([{ keepStale: both }]);
    expect(fresh.established[0]?.forwardingKept).toBe(0b100);
    // RFC 4724 §4.1: it waits for our End-of-RIB, and nobody for its own.
    expect(fresh.established.map((agreed) => agreed?.awaitEndOfRib)).toEqual([0, both]);
  });

  test('without graceful restart the new connection is refused', () => {
    const bench = up({ gracefulRestart: false });
    const fresh = new Bench(
      bench.machines[0],
      machine({ ...family, address: '10.0.0.1', asn: 65001 }, ID.high, 65002),
    );
    fresh.input(1, { kind: 'start' });
    fresh.run();
    expect(fresh.sent[0]).toMatchObject([{ notification: { code: 6, subcode: 7 } }]);
    expect(bench.machines[0].state).toBe('established');
    expect(fresh.ends[0]).toHaveLength(0);
  });

  test('long-lived: for families of both, for the shorter time (RFC 9494)', () => {
    const long = (staleTime: number) => ({ longLived: { staleTime } });
    const bench = up({ ...long(500), families: { 'vpnv4-unicast': {} } }, long(9000));
    expect(bench.established.map((agreed) => agreed?.longLivedOffered)).toEqual([1 << 2, 1 << 2]);
    bench.cut();
    expect(bench.ends[0][0]?.longLived).toEqual([{ family: 2, seconds: 500 }]);
    const none = up(long(500), {});
    expect(none.established[0]?.longLivedOffered).toBe(0);
    none.cut();
    expect(none.ends[0][0]?.longLived).toEqual([]);
  });
});
