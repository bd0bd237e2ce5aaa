// SPDX-License-Identifier: Apache-2.0
/** Rekeying and deleting the IKE SA, also from both ends at once (RFC 7296 §2.8.2, §2.18, §2.25.2). */
import { describe, expect, it } from 'vitest';
import type { IkeSa } from '../../../../src/ike/sa/api.js';
import type { Outcome } from '../../../../src/ike/types.js';
import { nonce, SaBench, spiOf } from './bench.js';

/** With a key exchange nonces and private values are both of 32 octets; the nonce is drawn first. */
async function pair(): Promise<SaBench> {
  const bench = new SaBench();
  bench.mode = 'hand';
  await bench.child();
  return bench;
}

const hex = (sa: IkeSa): string => spiOf(sa).toString(16);
const spis = ({ a, b }: SaBench): string[] => [hex(a.sa), hex(b.sa)];
const spiOfMade = (outcome: Outcome<IkeSa>): string =>
  outcome.ok ? hex(outcome.value) : outcome.failure.code;

/** The same IKE SA on both sides, with the child SA, and nothing left over. */
async function expectOne(bench: SaBench, losses: readonly string[] = []): Promise<void> {
  const { a, b } = bench;
  for (let i = 0; i < 60; i++) {
    await bench.calm();
    await bench.time.pass(2000);
  }
  await bench.calm();
  expect([a.known.size, b.known.size]).toEqual([1, 1]);
  expect(a.sa.open.initiatorSpi).toBe(b.sa.open.initiatorSpi);
  expect(a.sa.open.responderSpi).toBe(b.sa.open.responderSpi);
  expect(a.sa.open.skD).toEqual(b.sa.open.skD);
  expect([a.sa.phase, b.sa.phase]).toEqual(['established', 'established']);
  expect([a.sa.children.length, b.sa.children.length]).toEqual([1, 1]);
  expect([a.isClosed, b.isClosed]).toEqual([false, false]);
  expect(losses).toEqual([]);
  // It works, and its keys for child SAs are the same.
  const made = b.sa.rekeyChild(b.sa.children[0]!.inboundSpi);
  await bench.calm();
  expect((await made).ok).toBe(true);
  expect(bench.losses).toEqual([]);
}

describe('the IKE SA is rekeyed', () => {
  it.each(['a', 'b'] as const)('by %s', async (who) => {
    const bench = await pair();
    const losses = bench.watchLosses();
    const [one, other] = who === 'a' ? [bench.a, bench.b] : [bench.b, bench.a];
    const before = { one: one.sa, other: other.sa };
    const made = one.sa.rekeyIke();
    await bench.rest();
    // one                              other
    // CREATE_CHILD_SA {SA Ni KEi}  -->
    await bench.deliver(one.name);
    expect(before.other.phase).toBe('replaced');
    expect(other.told.at(-1)).toBe(`ike ${hex(other.sa)}`);
    expect([before.other.children.length, other.sa.children.length]).toEqual([0, 1]);
    //                              <-- {SA Nr KEr}
    await bench.deliver(other.name);
    expect(before.one.phase).toBe('deleting');
    expect(one.sa.open).toMatchObject({ role: 'initiator', openedAt: one.env.wallClock() });
    expect(other.sa.open.role).toBe('responder');
    expect(await made).toMatchObject({ ok: true });
    expect(spis(bench)).toEqual(['a100', 'b100']);
    expect([one.known.size, other.known.size]).toEqual([2, 2]);
    // INFORMATIONAL {D} in the old one -->
    await bench.deliver(one.name);
    expect(before.other.phase).toBe('closed');
    //                              <-- {}
    await bench.deliver(other.name);
    expect(before.one.phase).toBe('closed');
    expect(before.one.open.skD.every((octet) => octet === 0)).toBe(true);
    expect(one.known.size).toBe(1);
    await expectOne(bench, losses);
    expect(one.count('ike_sas_rekeyed')).toBe(1);
    // Message IDs begin with 0.
    expect(new DataView(bench.sent.at(-1)!.octets.buffer).getUint32(20)).toBeLessThan(3);
  });

  it('what waits is done in the new one', async () => {
    const bench = await pair();
    const { a } = bench;
    void a.sa.rekeyIke();
    const child = a.sa.rekeyChild(0x1000);
    const again = a.sa.rekeyIke();
    const gone = a.sa.closeChild(0x1000);
    await bench.calm();
    // The delete came last, but was begun as soon as it was asked for.
    expect(await child).toMatchObject({ ok: false });
    expect(await gone).toMatchObject({ ok: true });
    expect(spiOfMade(await again)).toBe('a100');
    expect([a.rows, bench.b.rows]).toEqual([[], []]);
  });

  it('a peer that never gets the answer: both end, none hangs', async () => {
    const bench = await pair();
    const { a, b } = bench;
    const made = a.sa.rekeyIke();
    await bench.rest();
    await bench.deliver('a');
    for (let i = 0; i < 100; i++) {
      bench.wire.length = 0; // everything is lost from now on
      await bench.time.pass(5000);
    }
    expect(spiOfMade(await made)).toBe('TIMEOUT');
    expect(a.told.slice(-2)).toEqual(['down 1000 TIMEOUT', 'closed TIMEOUT']);
    expect(a.known.size).toBe(0);
    expect(a.count('peers_dead')).toBe(1);
    expect(a.plane.inbound.size).toBe(0);
    expect(b.known.size).toBe(1); // the new one; nothing has asked yet whether A lives
    void b.sa.rekeyChild(0x2000);
    for (let i = 0; i < 50; i++) {
      bench.wire.length = 0;
      await bench.time.pass(5000);
    }
    expect(b.told.slice(-2)).toEqual(['down 2000 TIMEOUT', 'closed TIMEOUT']);
    expect(b.known.size).toBe(0);
  });
});

describe('both rekey the IKE SA', () => {
  it.each([
    ['lowest is Ni of A: B keeps', [0x10, 0x50], [0x30, 0x40], 'b'],
    ['lowest is Nr of A, of the exchange of B: A keeps', [0x50, 0x10], [0x30, 0x40], 'a'],
    ['lowest is Ni of B: A keeps', [0x30, 0x40], [0x10, 0x50], 'a'],
    ['lowest is Nr of B, of the exchange of A: B keeps', [0x30, 0x40], [0x50, 0x10], 'b'],
  ] as [string, [number, number], [number, number], 'a' | 'b'][])(
    'requests cross; %s',
    async (_, ofA, ofB, keeps) => {
      const bench = await pair();
      const { a, b } = bench;
      const losses = bench.watchLosses();
      const old = [a.sa, b.sa];
      // Drawn in this order: nonce, then private value, of the request and of the answer.
      for (const [side, [ours, theirs]] of [
        [a, ofA],
        [b, ofB],
      ] as const) {
        side.nonces.push(nonce(ours), nonce(0x77), nonce(theirs), nonce(0x78));
      }
      const made = [a.sa.rekeyIke(), b.sa.rekeyIke()];
      await bench.rest();
      // A                                 B
      // CREATE_CHILD_SA {SA Ni KEi} -->
      //                             <-- CREATE_CHILD_SA {SA Ni KEi}
      await bench.deliver('a');
      await bench.deliver('b');
      expect(old.map(({ phase }) => phase)).toEqual(['rekeying', 'rekeying']);
      expect(old.map(({ children }) => children.length)).toEqual([1, 1]); // not decided yet
      //                             <-- {SA Nr KEr}
      await bench.deliver('b');
      // {SA Nr KEr}                 -->
      await bench.deliver('a');
      expect(old.map(({ phase }) => phase)).toEqual(
        keeps === 'a' ? ['deleting', 'replaced'] : ['replaced', 'deleting'],
      );
      expect(spis(bench)).toEqual(keeps === 'a' ? ['a100', 'b101'] : ['a101', 'b100']);
      // who keeps                      who gives way
      // INFORMATIONAL {D}, old      -->
      //                             <-- INFORMATIONAL {D}, its redundant one
      await expectOne(bench, losses);
      expect((await Promise.all(made)).map(spiOfMade)).toEqual(spis(bench));
      for (const { told } of [a, b]) {
        expect(told.filter((word) => word.startsWith('ike'))).toHaveLength(1);
        expect(told.some((word) => word.startsWith('closed'))).toBe(false);
      }
    },
  );

  it('the request of A comes when B is done', async () => {
    const bench = await pair();
    const { a, b } = bench;
    const made = [a.sa.rekeyIke(), b.sa.rekeyIke()];
    await bench.rest();
    // CREATE_CHILD_SA {SA Ni KEi} --> (late)
    const late = bench.wire.splice(0, 1);
    //                             <-- CREATE_CHILD_SA {SA Ni KEi}
    await bench.deliver('b');
    // {SA Nr KEr}                 -->
    await bench.deliver('a');
    const [, old] = [...b.known.values()];
    expect(old?.phase).toBe('established');
    // CREATE_CHILD_SA {SA Ni KEi} --> (it comes)
    //                             <-- CREATE_CHILD_SA {N(TEMPORARY_FAILURE)}
    bench.wire.unshift(...late);
    await expectOne(bench);
    expect((await Promise.all(made)).map(spiOfMade)).toEqual(spis(bench));
  });

  it('B uses the new one before A has the answer of its own', async () => {
    const bench = await pair();
    const { a, b } = bench;
    a.nonces.push(nonce(0x10), nonce(0x77), nonce(0x50), nonce(0x78)); // B keeps
    b.nonces.push(nonce(0x30), nonce(0x77), nonce(0x40), nonce(0x78));
    const made = [a.sa.rekeyIke(), b.sa.rekeyIke()];
    const oldA = a.sa;
    await bench.rest();
    // CREATE_CHILD_SA {SA Ni KEi} -->
    await bench.deliver('a');
    //                             <-- CREATE_CHILD_SA {SA Ni KEi}
    await bench.deliver('b');
    //                             <-- {SA Nr KEr} (late)
    const late = bench.wire.splice(
      bench.wire.findIndex(({ from }) => from === 'b'),
      1,
    );
    // {SA Nr KEr}                 -->
    await bench.deliver('a');
    expect(hex(b.sa)).toBe('b100');
    //                             <-- INFORMATIONAL {D}, old (late)
    late.push(...bench.wire.splice(0));
    //                             <-- CREATE_CHILD_SA {N(REKEY_SA)}, new
    void b.sa.rekeyChild(0x2000);
    await bench.rest();
    await bench.deliver('b');
    expect(oldA.phase).toBe('replaced');
    expect(a.rows).toEqual(['1000 replaced', '1001 live']);
    //                             <-- {SA Nr KEr} (it comes): redundant
    bench.wire.push(...late);
    await bench.calm();
    await expectOne(bench);
    expect((await Promise.all(made)).map(spiOfMade)).toEqual(spis(bench));
  });

  it('B deletes the old one before A has the answer of its own', async () => {
    const bench = await pair();
    const { a, b } = bench;
    a.nonces.push(nonce(0x10), nonce(0x77), nonce(0x50), nonce(0x78)); // B keeps
    b.nonces.push(nonce(0x30), nonce(0x77), nonce(0x40), nonce(0x78));
    const made = [a.sa.rekeyIke(), b.sa.rekeyIke()];
    await bench.rest();
    await bench.deliver('a');
    await bench.deliver('b');
    //                             <-- {SA Nr KEr} (lost)
    bench.drop('b');
    await bench.deliver('a');
    //                             <-- INFORMATIONAL {D}, old
    await bench.deliver('b');
    expect(hex(a.sa)).toBe('a101');
    // {}, old                     -->
    // The one of A that only B knows of is given up by it soon after: A comes to make it at once or never.
    for (let i = 0; i < 16; i++) {
      await bench.calm();
      await bench.time.pass(2000);
    }
    expect([a.known.size, b.known.size]).toEqual([1, 1]);
    await expectOne(bench);
    expect((await Promise.all(made)).map(spiOfMade)).toEqual(['a101', 'b100']);
  });
});

describe('the IKE SA is rekeyed while the other end', () => {
  it('makes a child SA: one of them is put off', async () => {
    const bench = new SaBench();
    bench.mode = 'hand';
    const { a, b } = bench;
    const ike = a.sa.rekeyIke();
    const child = b.sa.want(bench.policyOf('b'), 0);
    await bench.rest();
    // CREATE_CHILD_SA {SA Ni KEi} -->
    //                             <-- CREATE_CHILD_SA {SA Ni TS}
    await bench.deliver('a');
    await bench.deliver('b');
    expect([...a.known.values()].map(({ phase }) => phase)).toEqual(['rekeying']);
    expect(a.rows).toEqual([]);
    //                             <-- {N(TEMPORARY_FAILURE)}
    // {N(TEMPORARY_FAILURE)}      -->
    for (let i = 0; i < 20; i++) {
      await bench.calm();
      await bench.time.pass(500);
    }
    expect([(await ike).ok, (await child).ok]).toEqual([true, true]);
    await expectOne(bench);
  });

  it('deletes a child SA: it is deleted', async () => {
    const bench = await pair();
    const { a, b } = bench;
    const gone = b.sa.closeChild(0x2000);
    await bench.rest();
    // (later)                     <-- INFORMATIONAL {D(s2)}
    const late = bench.wire.splice(0, 1);
    const ike = a.sa.rekeyIke();
    await bench.rest();
    // CREATE_CHILD_SA {SA Ni KEi} -->
    //                             <-- {N(TEMPORARY_FAILURE)}, since a child SA is being closed
    await bench.deliver('a');
    // INFORMATIONAL {D(s1)}       -->
    bench.wire.unshift(...late);
    await bench.deliver('b');
    for (let i = 0; i < 10; i++) {
      await bench.calm();
      await bench.time.pass(500);
    }
    expect([(await ike).ok, (await gone).ok]).toEqual([true, true]);
    expect([a.rows, b.rows]).toEqual([[], []]);
  });

  it('deletes it: answered as usual, and our own forgotten', async () => {
    const bench = await pair();
    const { a, b } = bench;
    const made = a.sa.rekeyIke();
    const closed = b.sa.close('test');
    await bench.rest();
    // CREATE_CHILD_SA {SA Ni KEi} -->
    //                             <-- INFORMATIONAL {D}
    await bench.deliver('a');
    await bench.deliver('b');
    expect(a.told.slice(-2)).toEqual(['down 1000 CLOSED', 'closed CLOSED']);
    //                             <-- {N(TEMPORARY_FAILURE)}
    // {}                          -->
    await bench.calm();
    await closed;
    await bench.time.pass(60_000);
    expect(spiOfMade(await made)).toBe('CLOSED');
    expect([a.known.size, b.known.size]).toEqual([0, 0]);
    expect([a.plane.inbound.size, b.plane.inbound.size]).toEqual([0, 0]);
  });
});

describe('the IKE SA is deleted', () => {
  it('by one end', async () => {
    const bench = await pair();
    const { a, b } = bench;
    const closed = a.sa.close('test');
    expect([...a.plane.active.keys()]).toEqual([]); // nothing is sent from now on
    await bench.rest();
    // INFORMATIONAL {D} -->
    await bench.deliver('a');
    expect(b.told.slice(-2)).toEqual(['down 2000 CLOSED', 'closed CLOSED']);
    //                   <-- {} (lost)
    bench.drop('b');
    // INFORMATIONAL {D} --> (again)
    await bench.time.pass(800);
    await bench.calm();
    await closed;
    expect(a.told.slice(-2)).toEqual(['down 1000 CLOSED', 'closed CLOSED']);
    expect(a.known.size).toBe(0);
    await bench.time.pass(60_000);
    expect(b.known.size).toBe(0);
    expect([a.plane.reserved.size, b.plane.reserved.size]).toEqual([0, 0]);
    for (const { open } of [a.sa, b.sa]) expect(open.skD.every((octet) => octet === 0)).toBe(true);
    expect(await a.sa.want(bench.policyOf('a'), 0)).toMatchObject({ ok: false });
  });

  it('by both at once', async () => {
    const bench = await pair();
    const { a, b } = bench;
    const closed = [a.sa.close('test'), b.sa.close('test')];
    await bench.rest();
    // INFORMATIONAL {D} -->
    //                   <-- INFORMATIONAL {D}
    await bench.deliver('a');
    await bench.deliver('b');
    // {}                -->
    //                   <-- {}
    await bench.calm();
    await Promise.all(closed);
    await bench.time.pass(60_000);
    expect([a.known.size, b.known.size]).toEqual([0, 0]);
    for (const { told } of [a, b]) {
      expect(told.filter((word) => word === 'closed CLOSED')).toHaveLength(1);
    }
  });

  it('while the other end rekeys a child SA', async () => {
    const bench = await pair();
    const { a, b } = bench;
    const made = a.sa.rekeyChild(0x1000);
    const closed = b.sa.close('test');
    await bench.rest();
    // CREATE_CHILD_SA {N(REKEY_SA)} -->
    //                               <-- INFORMATIONAL {D}
    await bench.deliver('b');
    expect(a.told.at(-1)).toBe('closed CLOSED');
    await bench.deliver('a');
    //                               <-- {N(TEMPORARY_FAILURE)}
    await bench.calm();
    await closed;
    await bench.time.pass(60_000);
    expect(await made).toMatchObject({ ok: false, failure: { code: 'CLOSED' } });
    expect([a.plane.inbound.size, b.plane.inbound.size]).toEqual([0, 0]);
    expect([a.plane.reserved.size, b.plane.reserved.size]).toEqual([0, 0]);
  });

  it('while its own rekeying is answered: the new one is deleted as well', async () => {
    const bench = await pair();
    const { a, b } = bench;
    const made = a.sa.rekeyIke();
    await bench.rest();
    // CREATE_CHILD_SA {SA Ni KEi} -->
    await bench.deliver('a');
    const closed = a.sa.close('test');
    //                             <-- {SA Nr KEr}
    // INFORMATIONAL {D}, new      -->
    // INFORMATIONAL {D}, old      -->
    await bench.calm();
    await closed;
    await bench.time.pass(60_000);
    await bench.calm();
    expect(spiOfMade(await made)).toBe('CLOSED');
    expect([a.known.size, b.known.size]).toEqual([0, 0]);
    expect(b.told.slice(-2)).toEqual(['down 2000 CLOSED', 'closed CLOSED']);
  });
});
