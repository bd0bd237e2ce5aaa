// SPDX-License-Identifier: Apache-2.0
/** What time, traffic and silence do to an IKE SA and its child SAs; and a restart of the supervisor. */
import { describe, expect, it } from 'vitest';
import type { ChildPolicy, Lifetimes } from '../../../../src/ike/child/types.js';
import { NOTIFY } from '../../../../src/ike/codec/names/notify.js';
import { notify } from '../../../../src/ike/exchange/notifies.js';
import type { IkeSaState } from '../../../../src/ike/sa/api.js';
import { createIkeSas } from '../../../../src/ike/sa/ike-sas.js';
import { must, type Name, restart, SaBench, type Settings, type Side } from './bench.js';
import { LIFETIMES, policyOf } from './plane.js';

/** Child SAs with these lifetimes. */
const children = (lifetimes: Partial<Lifetimes>) => ({
  children: (local: Uint8Array, remote: Uint8Array): ChildPolicy[] => [
    policyOf(local, remote, { lifetimes: { ...LIFETIMES, ...lifetimes } }),
  ],
});
const rekeys = ({ told }: Side): number => told.filter((word) => word.startsWith('rekeyed')).length;

describe('rekeying loses nothing', () => {
  it.each([
    ['A', ['a']],
    ['B', ['b']],
    ['both at once', ['a', 'b']],
  ] as [string, Name[]][])('100 times by %s', async (_, who) => {
    const bench = new SaBench();
    bench.weather = { loss: 0, doubling: 0, delay: 30 };
    await bench.child();
    const losses = bench.watchLosses();
    for (let i = 0; i < 100; i++) {
      const made = who.map((name) => {
        const { sa } = bench[name];
        return sa.rekeyChild(sa.children[0]!.inboundSpi);
      });
      await bench.time.pass(20_000);
      for (const outcome of await Promise.all(made)) expect(outcome.ok).toBe(true);
    }
    expect(losses).toEqual([]);
    expect([rekeys(bench.a), rekeys(bench.b)]).toEqual([100, 100]);
    for (const { plane, rows } of [bench.a, bench.b]) {
      expect([plane.inbound.size, plane.reserved.size, rows.length]).toEqual([1, 1, 1]);
      const keys = plane.ever.flatMap(({ inboundKeys, outboundKeys }) => [
        inboundKeys,
        outboundKeys,
      ]);
      expect(new Set(keys).size).toBe(keys.length); // policy-model 22: no key twice
    }
  });
});

describe('lifetimes of child SAs', () => {
  it('by time, with jitter, each side by its own', async () => {
    const times: number[] = [];
    for (const seed of [1, 2, 3]) {
      const bench = new SaBench({
        seed,
        policies: { a: children({ softSeconds: 1000, jitter: 0.2 }) },
      });
      await bench.child();
      const start = bench.time.now();
      for (let i = 0; i < 1100 && rekeys(bench.a) === 0; i++) await bench.time.pass(1000);
      times.push(bench.time.now() - start);
      expect(bench.b.sa.row().children[0]!.rekeyAt).toBeUndefined();
    }
    for (const time of times) expect(time).toBeGreaterThanOrEqual(799_000);
    for (const time of times) expect(time).toBeLessThanOrEqual(1_002_000);
    expect(new Set(times.map((time) => Math.round(time / 1000))).size).toBeGreaterThan(1);
  });

  it('by octets and by packets, of either direction', async () => {
    for (const [limits, inbound, outbound] of [
      [{ softPackets: 1000n }, 1000n, 0n],
      [{ softPackets: 1000n }, 0n, 1000n],
      [{ softBytes: 5000n }, 0n, 50n],
      [{ softBytes: 5000n }, 50n, 0n],
    ] as const) {
      const bench = new SaBench({ policies: { a: children(limits) } });
      await bench.child();
      bench.a.plane.carry(
        0x1000,
        inbound - (inbound > 0n ? 1n : 0n),
        outbound - (outbound > 0n ? 1n : 0n),
      );
      await bench.time.pass(10_000);
      expect(rekeys(bench.a)).toBe(0);
      bench.a.plane.carry(0x1000, inbound, outbound);
      await bench.time.pass(10_000);
      expect(rekeys(bench.a)).toBe(1);
    }
  });

  it('both sides with the same: one SA, again and again', async () => {
    const bench = new SaBench({ policy: children({ softSeconds: 100, jitter: 0 }) });
    bench.weather = { loss: 0, doubling: 0, delay: 20 };
    await bench.child();
    const losses = bench.watchLosses();
    await bench.time.pass(3_600_000);
    expect(losses).toEqual([]);
    expect(rekeys(bench.a)).toBeGreaterThan(30);
    expect([bench.a.rows.length, bench.b.rows.length]).toEqual([1, 1]);
  });

  it('the hard one ends it, also when the peer refuses to rekey', async () => {
    const bench = new SaBench({
      policies: { a: children({ softSeconds: 100, hardSeconds: 200 }) },
    });
    await bench.child();
    const { a, b } = bench;
    const { policy } = b.sa.open;
    b.sa.setPolicy({
      ...policy,
      children: () => [
        { ...bench.policyOf('b'), service: 'other', mode: 'transport', local: [], remote: [] },
      ],
    });
    await bench.time.pass(150_000);
    expect(a.rows).toEqual(['1000 live']); // refused, tried again later
    await bench.time.pass(60_000);
    expect([a.rows, b.rows]).toEqual([[], []]);
    expect(a.told.at(-1)).toBe('down 1000 POLICY');
    expect(b.told.at(-1)).toBe('down 2000 CLOSED');
    expect(a.plane.active.size).toBe(0);
  });
});

describe('lifetimes of the IKE SA', () => {
  const lifetimes = (more: Partial<Lifetimes>): Settings => ({
    policies: { a: { lifetimes: { ...LIFETIMES, ...more } } },
  });

  it('it is rekeyed in time, again and again, with its child SAs', async () => {
    const bench = new SaBench(lifetimes({ softSeconds: 1000, hardSeconds: 2000, jitter: 0.1 }));
    await bench.child();
    const losses = bench.watchLosses();
    await bench.time.pass(10_000_000);
    expect(bench.a.count('ike_sas_rekeyed')).toBeGreaterThan(8);
    expect([bench.a.rows, bench.b.rows]).toEqual([['1000 live'], ['2000 live']]);
    expect(losses).toEqual([]);
    expect([bench.a.known.size, bench.b.known.size]).toEqual([1, 1]);
  });

  it('the hard one ends it', async () => {
    const bench = new SaBench(lifetimes({ hardSeconds: 1000 }));
    await bench.child();
    await bench.time.pass(1_010_000);
    expect(bench.a.told.slice(-2)).toEqual(['down 1000 POLICY', 'closed POLICY']);
    expect(bench.b.told.slice(-2)).toEqual(['down 2000 CLOSED', 'closed CLOSED']);
  });
});

describe('reauthentication is asked for once', () => {
  const asked = ({ told }: Side): string[] => told.filter((word) => word.startsWith('reauth'));

  it('by our policy: the initiator a little earlier', async () => {
    const bench = new SaBench({ policy: { reauthSeconds: 1000 } });
    await bench.time.pass(890_000);
    expect([asked(bench.a), asked(bench.b)]).toEqual([[], []]);
    expect(bench.a.sa.row().reauthAt).toBeDefined();
    await bench.time.pass(20_000);
    expect([asked(bench.a), asked(bench.b)]).toEqual([['reauthenticate policy'], []]);
    await bench.time.pass(200_000);
    expect([asked(bench.a), asked(bench.b)]).toEqual([
      ['reauthenticate policy'],
      ['reauthenticate policy'],
    ]);
  });

  it('by the peer, in IKE_AUTH or later (RFC 4478); rekeying does not put it off', async () => {
    const bench = new SaBench({ open: { peerAuthLifetime: 1000 } });
    const made = bench.a.sa.rekeyIke();
    await bench.time.pass(500_000);
    expect((await made).ok).toBe(true);
    void bench.b.sa.open.channel.request(37, [
      notify(NOTIFY.AUTH_LIFETIME, Buffer.of(0, 0, 0, 100)),
    ]);
    await bench.time.pass(80_000);
    expect(asked(bench.a)).toEqual([]);
    await bench.time.pass(20_000);
    expect(asked(bench.a)).toEqual(['reauthenticate peer-lifetime']);
    expect(asked(bench.b)).toEqual([]);
    await bench.time.pass(400_000);
    expect(asked(bench.a)).toHaveLength(1);
    expect(asked(bench.b)).toEqual(['reauthenticate peer-lifetime']);
  });

  it('before a certificate expires', async () => {
    const settings = new SaBench().a.sa.open.identity;
    const bench = new SaBench({ open: { identity: { ...settings, validUntil: 1_002_000 } } });
    await bench.time.pass(1_600_000);
    expect(asked(bench.a)).toEqual([]);
    await bench.time.pass(200_000);
    expect(asked(bench.a)).toEqual(['reauthenticate certificate-expires']);
  });
});

describe('a silent peer', () => {
  const settings: Settings = { policy: { dpdMs: 30_000 } };
  const probes = ({ sent }: SaBench, side: Name): number =>
    sent.filter(
      ({ from, octets }) => from === side && octets[18] === 37 && (octets[19]! & 0x20) === 0,
    ).length;

  it('is asked, and lives', async () => {
    const bench = new SaBench({ policies: { a: { dpdMs: 30_000 } } });
    await bench.time.pass(95_000);
    expect(probes(bench, 'a')).toBe(3);
    expect(bench.a.told).toEqual([]);
    expect(bench.a.sa.row().lastHeardMs).toBeLessThan(30_000);
  });

  it('is not asked while traffic comes from it', async () => {
    const bench = new SaBench(settings);
    await bench.child();
    for (let i = 1n; i < 40n; i++) {
      bench.a.plane.carry(0x1000, i);
      bench.b.plane.carry(0x2000, i);
      await bench.time.pass(10_000);
    }
    expect([probes(bench, 'a'), probes(bench, 'b')]).toEqual([0, 0]);
    expect(bench.a.sa.lastAlive).toBeGreaterThan(300_000);
    // Then there is no traffic any more.
    await bench.time.pass(600_000);
    expect(probes(bench, 'a')).toBeGreaterThan(15);
    expect(probes(bench, 'b')).toBeGreaterThan(15);
    expect([bench.a.isClosed, bench.b.isClosed]).toEqual([false, false]);
  });

  it('that does not answer is dead', async () => {
    const bench = new SaBench(settings);
    await bench.child();
    bench.weather = { loss: 1, doubling: 0, delay: 0 };
    await bench.time.pass(120_000);
    for (const { told, count, plane, known } of [bench.a, bench.b].map((side) => ({
      ...{ told: side.told, plane: side.plane, known: side.known },
      count: side.count('peers_dead'),
    }))) {
      expect(told.slice(-1)).toEqual(['closed TIMEOUT']);
      expect(count).toBe(1);
      expect(plane.inbound.size).toBe(0);
      expect(known.size).toBe(0);
    }
  });
});

describe('a restart of the supervisor', () => {
  it.each(['a', 'b'] as const)('of %s: the same SAs, keys and message IDs go on', async (side) => {
    const bench = new SaBench({
      policy: {
        ...children({ softSeconds: 1000 }),
        lifetimes: { ...LIFETIMES, softSeconds: 5000 },
      },
    });
    await bench.child();
    await bench.time.pass(100_000);
    const before = bench[side].sa.row();
    const told = [...bench[side].told];
    restart(bench, side);
    expect(bench[side].sa.row()).toEqual({ ...before, lastHeardMs: 0 });
    expect(bench[side].told).toEqual(told); // nobody is told, nothing installed again
    expect(bench[side].plane.ever).toHaveLength(1);
    const losses = bench.watchLosses();
    for (const who of ['a', 'b'] as const) {
      const { sa } = bench[who];
      const made = sa.rekeyChild(sa.children[0]!.inboundSpi);
      await bench.time.pass(10_000);
      expect((await made).ok).toBe(true);
      const ike = sa.rekeyIke();
      await bench.time.pass(10_000);
      expect((await ike).ok).toBe(true);
      restart(bench, side);
    }
    await bench.time.pass(10_000_000);
    expect(losses).toEqual([]);
    expect([bench.a.rows.length, bench.b.rows.length]).toEqual([1, 1]);
    expect(bench.a.sa.open.skD).toEqual(bench.b.sa.open.skD);
  });

  it('in the middle of an exchange of ours: not gone on with, unless it asked for life', async () => {
    const bench = new SaBench({ policies: { a: { dpdMs: 30_000 } } });
    bench.mode = 'hand';
    await bench.child();
    const { a } = bench;
    void a.sa.rekeyChild(0x1000);
    await bench.rest();
    const state = a.sa.state();
    expect(state?.pending).toBe('exchange');
    expect(createIkeSas(a.env, a.events).restore(state!, a.sa.open.policy)).toBe('reopen');
    await bench.calm();
    for (let i = 0; i < 60 && bench.wire.length === 0; i++) await bench.time.pass(1000);
    const asking = a.sa.state();
    expect(asking?.pending).toBe('liveness');
    bench.drop('a');
    restart(bench, 'a', asking);
    await bench.time.pass(2000);
    await bench.calm();
    const made = a.sa.rekeyChild(a.sa.children[0]!.inboundSpi);
    for (let i = 0; i < 10; i++) {
      await bench.time.pass(500);
      await bench.calm();
    }
    expect((await made).ok).toBe(true);
  });

  it('with a child SA that is replaced and waits for its delete', async () => {
    const bench = new SaBench();
    bench.mode = 'hand';
    await bench.child();
    const { a, b } = bench;
    const losses = bench.watchLosses();
    void a.sa.rekeyChild(0x1000);
    await bench.rest();
    await bench.deliver('a');
    expect(b.rows).toEqual(['2000 replaced', '2001 live']);
    restart(bench, 'b');
    expect(b.rows).toEqual(['2000 replaced', '2001 live']);
    await bench.deliver('b');
    await bench.calm();
    await bench.time.pass(10_000);
    expect(b.rows).toEqual(['2001 live']);
    expect(losses).toEqual([]);
  });

  it('what is given on is plain data, and there is none of an SA that ends', async () => {
    const bench = new SaBench();
    await bench.child();
    const state: IkeSaState = structuredClone(bench.a.sa.state()!);
    expect(state.children.map(({ child }) => child.inboundSpi)).toEqual([0x1000]);
    const closed = bench.a.sa.close('test');
    expect(bench.a.sa.state()).toBeUndefined();
    await bench.time.pass(1000);
    await closed;
    expect(must(await Promise.resolve({ ok: true, value: bench.a.sa.phase }))).toBe('closed');
  });

  it('handing over and giving up say nothing to the peer', async () => {
    for (const keepChildren of [true, false]) {
      const bench = new SaBench();
      await bench.child();
      const count = bench.sent.length;
      bench.a.sa.abandon('test', keepChildren);
      await bench.time.pass(60_000);
      expect(bench.sent).toHaveLength(count);
      expect(bench.a.plane.inbound.size).toBe(keepChildren ? 1 : 0);
      expect(bench.a.known.size).toBe(0);
      expect(bench.a.told.includes('down 1000 CLOSED')).toBe(!keepChildren);
    }
  });
});
