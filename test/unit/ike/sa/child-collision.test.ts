// SPDX-License-Identifier: Apache-2.0
/**
 * Both ends do something with the same child SA at the same time (RFC 7296 §2.8.1, §2.25.1), in every order in which
 * the messages can come. `s1` and `s2` below are the SPIs 1000 and 2000 of the child SA that is there.
 */
import { describe, expect, it } from 'vitest';
import { must, nonce, SaBench } from './bench.js';

async function pair(): Promise<SaBench> {
  const bench = new SaBench();
  bench.mode = 'hand';
  await bench.child();
  expect([bench.a.rows, bench.b.rows]).toEqual([['1000 live'], ['2000 live']]);
  return bench;
}

/** Nonces: [A's request, A's answer], [B's request, B's answer]. */
const draw = ({ a, b }: SaBench, ofA: [number, number], ofB: [number, number]): void => {
  a.nonces.push(...ofA.map(nonce));
  b.nonces.push(...ofB.map(nonce));
};

/** One of each side that fits the other, no packet lost, nothing left over. */
async function expectOne(bench: SaBench, losses: readonly string[]): Promise<void> {
  const { a, b } = bench;
  for (let i = 0; i < 40; i++) {
    await bench.calm();
    await bench.time.pass(2000);
  }
  await bench.calm();
  expect(bench.wire).toEqual([]);
  const [ofA, ofB] = [a.sa.children, b.sa.children];
  expect([ofA.length, ofB.length]).toEqual([1, 1]);
  expect([ofA[0]!.inboundSpi, ofA[0]!.outboundSpi]).toEqual([
    ofB[0]!.outboundSpi,
    ofB[0]!.inboundSpi,
  ]);
  expect([a.rows.length, b.rows.length]).toEqual([1, 1]);
  expect([a.plane.inbound.size, b.plane.inbound.size]).toEqual([1, 1]);
  expect([a.plane.reserved.size, b.plane.reserved.size]).toEqual([1, 1]);
  expect(losses).toEqual([]);
}

describe('both rekey', () => {
  it.each([
    ['lowest is Ni of A: B keeps', [0x10, 0x50], [0x30, 0x40], 'b'],
    ["lowest is Nr of A, in B's exchange: A keeps", [0x50, 0x10], [0x30, 0x40], 'a'],
    ['lowest is Ni of B: A keeps', [0x30, 0x40], [0x10, 0x50], 'a'],
    ["lowest is Nr of B, in A's exchange: B keeps", [0x30, 0x40], [0x50, 0x10], 'b'],
  ] as [string, [number, number], [number, number], 'a' | 'b'][])(
    'requests cross; %s',
    async (_, ofA, ofB, keeps) => {
      const bench = await pair();
      const { a, b } = bench;
      const losses = bench.watchLosses();
      draw(bench, ofA, ofB);
      const made = [a.sa.rekeyChild(0x1000), b.sa.rekeyChild(0x2000)];
      await bench.rest();
      // A                                     B
      // CREATE_CHILD_SA {N(REKEY_SA)(s1)} -->
      //                                   <-- CREATE_CHILD_SA {N(REKEY_SA)(s2)}
      expect(bench.underWay).toEqual({ a: 1, b: 1 });
      await bench.deliver('a');
      expect(b.rows).toEqual(['2000 rekeying', '2002 live']);
      await bench.deliver('b');
      expect(a.rows).toEqual(['1000 rekeying', '1002 live']);
      //                                   <-- CREATE_CHILD_SA {SA} (2002)
      await bench.deliver('b');
      // CREATE_CHILD_SA {SA} (1002)       -->
      await bench.deliver('a');
      // Either knows all four nonces now; of 1001/2002, A's, and 1002/2001, B's, one goes.
      if (keeps === 'a') {
        expect(a.rows).toEqual(['1000 deleting', '1001 live', '1002 redundant']);
        expect(b.rows).toEqual(['2000 replaced', '2001 replaced', '2002 live']);
      } else {
        expect(a.rows).toEqual(['1000 replaced', '1001 replaced', '1002 live']);
        expect(b.rows).toEqual(['2000 deleting', '2001 live', '2002 redundant']);
      }
      expect(a.count('collisions') + b.count('collisions')).toBe(2);
      // who keeps                                who gives way
      // INFORMATIONAL {D(s)}              -->
      //                                   <-- INFORMATIONAL {D(s)}, which now has traffic on the other one
      await expectOne(bench, losses);
      const spi = (await Promise.all(made)).map((outcome) => must(outcome).inboundSpi);
      expect(spi).toEqual(keeps === 'a' ? [0x1001, 0x2002] : [0x1002, 0x2001]);
      expect(a.told).toEqual(['up 1000', `rekeyed 1000 ${spi[0]!.toString(16)}`]);
      expect(b.told).toEqual(['up 2000', `rekeyed 2000 ${spi[1]!.toString(16)}`]);
    },
  );

  it('the request of A comes when B is done: B is about to delete, so not now', async () => {
    const bench = await pair();
    const { a, b } = bench;
    const losses = bench.watchLosses();
    const made = [a.sa.rekeyChild(0x1000), b.sa.rekeyChild(0x2000)];
    await bench.rest();
    // CREATE_CHILD_SA {N(REKEY_SA)(s1)} --> (late)
    //                                   <-- CREATE_CHILD_SA {N(REKEY_SA)(s2)}
    await bench.deliver('b');
    expect(a.rows).toEqual(['1000 rekeying', '1002 live']);
    // CREATE_CHILD_SA {SA} (1002)       -->
    const late = bench.wire.splice(0, 1);
    await bench.deliver('a');
    expect(b.rows).toEqual(['2000 deleting', '2001 live']);
    // CREATE_CHILD_SA {N(REKEY_SA)(s1)} --> (it comes)
    //                                   <-- CREATE_CHILD_SA {N(TEMPORARY_FAILURE)}
    bench.wire.unshift(...late);
    await bench.deliver('a');
    expect(b.rows).toEqual(['2000 deleting', '2001 live']);
    await bench.deliver('b'); // INFORMATIONAL {D(s2)}
    await expectOne(bench, losses);
    expect((await Promise.all(made)).map(({ ok }) => ok)).toEqual([true, true]);
    expect(a.told.at(-1)).toBe('rekeyed 1000 1002');
  });

  it('the request of A comes when B has deleted: it is not there any more', async () => {
    const bench = await pair();
    const { a, b } = bench;
    const losses = bench.watchLosses();
    const made = [a.sa.rekeyChild(0x1000), b.sa.rekeyChild(0x2000)];
    await bench.rest();
    // CREATE_CHILD_SA {N(REKEY_SA)(s1)} --> (late)
    const late = bench.wire.splice(0, 1);
    //                                   <-- CREATE_CHILD_SA {N(REKEY_SA)(s2)}
    await bench.deliver('b');
    // CREATE_CHILD_SA {SA} (1002)       -->
    await bench.deliver('a');
    //                                   <-- INFORMATIONAL {D(s2)}
    await bench.deliver('b');
    expect(a.rows).toEqual(['1002 live']);
    // INFORMATIONAL {D(s1)}             -->
    await bench.deliver('a');
    expect(b.rows).toEqual(['2001 live']);
    // CREATE_CHILD_SA {N(REKEY_SA)(s1)} --> (it comes)
    //                                   <-- CREATE_CHILD_SA {N(CHILD_SA_NOT_FOUND)}
    bench.wire.unshift(...late);
    await expectOne(bench, losses);
    expect((await Promise.all(made)).map(({ ok }) => ok)).toEqual([true, true]);
    expect(b.rows).toEqual(['2001 live']);
  });

  it('the answer of B comes last: A has answered and been told to delete by then', async () => {
    const bench = await pair();
    const { a, b } = bench;
    const losses = bench.watchLosses();
    draw(bench, [0x10, 0x50], [0x30, 0x40]); // B keeps
    void a.sa.rekeyChild(0x1000);
    void b.sa.rekeyChild(0x2000);
    await bench.rest();
    // CREATE_CHILD_SA {N(REKEY_SA)(s1)} -->
    await bench.deliver('a');
    //                                   <-- CREATE_CHILD_SA {N(REKEY_SA)(s2)}
    await bench.deliver('b');
    //                                   <-- CREATE_CHILD_SA {SA} (2002, late)
    const late = bench.wire.splice(
      bench.wire.findIndex(({ from }) => from === 'b'),
      1,
    );
    // CREATE_CHILD_SA {SA} (1002)       -->
    await bench.deliver('a');
    expect(b.rows).toEqual(['2000 deleting', '2001 live', '2002 redundant']);
    //                                   <-- INFORMATIONAL {D(s2)}
    await bench.deliver('b');
    expect(a.rows).toEqual(['1002 live']);
    //                                   <-- CREATE_CHILD_SA {SA} (it comes)
    bench.wire.push(...late);
    await bench.deliver('b');
    expect(a.rows).toEqual(['1001 deleting', '1002 live']);
    // INFORMATIONAL {D(1001)}           -->
    await expectOne(bench, losses);
    expect(a.rows).toEqual(['1002 live']);
  });
});

describe('one rekeys, the other deletes', () => {
  it('the delete is on its way: the rekeying is put off, and has nothing to do then', async () => {
    const bench = await pair();
    const { a, b } = bench;
    const made = a.sa.rekeyChild(0x1000);
    const gone = b.sa.closeChild(0x2000);
    await bench.rest();
    // CREATE_CHILD_SA {N(REKEY_SA)(s1)} -->
    //                                   <-- INFORMATIONAL {D(s2)}
    await bench.deliver('a');
    expect(b.rows).toEqual(['2000 deleting']);
    await bench.deliver('b');
    expect(a.rows).toEqual([]);
    //                                   <-- CREATE_CHILD_SA {N(TEMPORARY_FAILURE)}
    // INFORMATIONAL {D(s1)}             -->
    await bench.calm();
    expect(await made).toMatchObject({ ok: false, failure: { code: 'CHILD_SA_NOT_FOUND' } });
    expect((await gone).ok).toBe(true);
    expect([a.rows, b.rows]).toEqual([[], []]);
    expect([a.told.at(-1), b.told.at(-1)]).toEqual(['down 1000 CLOSED', 'down 2000 CLOSED']);
    await bench.time.pass(60_000);
    expect([a.plane.inbound.size, b.plane.inbound.size, bench.wire.length]).toEqual([0, 0, 0]);
  });

  it('the rekeying was answered: what was asked to be deleted is, what replaces it stays', async () => {
    const bench = await pair();
    const { a, b } = bench;
    const made = a.sa.rekeyChild(0x1000);
    await bench.rest();
    // CREATE_CHILD_SA {N(REKEY_SA)(s1)} -->
    await bench.deliver('a');
    expect(b.rows).toEqual(['2000 replaced', '2001 live']);
    //                                   <-- CREATE_CHILD_SA {SA} (late)
    //                                   <-- INFORMATIONAL {D(s2)}
    void b.sa.closeChild(0x2000);
    await bench.rest();
    await bench.deliver('b');
    await bench.calm();
    expect((await made).ok).toBe(true);
    await expectOne(bench, []);
    expect([a.rows, b.rows]).toEqual([['1001 live'], ['2001 live']]);
  });

  it('the delete comes first', async () => {
    const bench = await pair();
    const { a, b } = bench;
    const made = a.sa.rekeyChild(0x1000);
    await bench.rest();
    const late = bench.wire.splice(0, 1);
    void b.sa.closeChild(0x2000);
    await bench.rest();
    //                                   <-- INFORMATIONAL {D(s2)}
    await bench.deliver('b');
    expect(a.rows).toEqual([]);
    // INFORMATIONAL {D(s1)}             -->
    await bench.deliver('a');
    // CREATE_CHILD_SA {N(REKEY_SA)(s1)} --> (sent before)
    bench.wire.push(...late);
    //                                   <-- CREATE_CHILD_SA {N(CHILD_SA_NOT_FOUND)}
    await bench.calm();
    expect(await made).toMatchObject({ ok: false, failure: { code: 'CHILD_SA_NOT_FOUND' } });
    expect([a.rows, b.rows]).toEqual([[], []]);
  });
});

describe('both delete', () => {
  it('each answers without the other half, which is in its own request', async () => {
    const bench = await pair();
    const { a, b } = bench;
    const done = [a.sa.closeChild(0x1000), b.sa.closeChild(0x2000)];
    await bench.rest();
    // INFORMATIONAL {D(s1)} -->
    //                       <-- INFORMATIONAL {D(s2)}
    const sizes = bench.wire.map(({ octets }) => octets.length);
    await bench.deliver('a');
    await bench.deliver('b');
    //                       <-- INFORMATIONAL {}
    // INFORMATIONAL {}      -->
    expect(bench.wire.map(({ octets }) => octets.length)).toEqual(sizes.map((size) => size - 12));
    await bench.calm();
    expect((await Promise.all(done)).map(({ ok }) => ok)).toEqual([true, true]);
    expect([a.rows, b.rows]).toEqual([[], []]);
    expect([a.told.length, b.told.length]).toEqual([2, 2]);
  });

  it('a delete of what is not known is answered by nothing', async () => {
    const bench = await pair();
    const answer = bench.a.sa.open.channel.request(37, [{ kind: 'D', protocol: 3, spis: [7, 8] }]);
    await bench.calm();
    expect(await answer).toMatchObject({ ok: true, response: { payloads: [] } });
    expect(bench.b.rows).toEqual(['2000 live']);
  });
});

describe('both make one', () => {
  it.each([
    ['a', [0x20, 0x50], [0x10, 0x40]],
    ['b', [0x10, 0x50], [0x20, 0x40]],
  ] as ['a' | 'b', [number, number], [number, number]][])(
    '%s keeps its own',
    async (keeps, ofA, ofB) => {
      const bench = new SaBench();
      bench.mode = 'hand';
      const { a, b } = bench;
      draw(bench, ofA, ofB);
      const made = [a.sa.want(bench.policyOf('a'), 0), b.sa.want(bench.policyOf('b'), 0)];
      await bench.rest();
      // CREATE_CHILD_SA {SA Ni TS} -->
      //                            <-- CREATE_CHILD_SA {SA Ni TS}
      await bench.deliver('a');
      await bench.deliver('b');
      expect([a.rows, b.rows]).toEqual([['1001 live'], ['2001 live']]);
      //                            <-- CREATE_CHILD_SA {SA Nr TS}
      await bench.deliver('b');
      // CREATE_CHILD_SA {SA Nr TS} -->
      await bench.deliver('a');
      expect(a.rows).toEqual(
        keeps === 'a' ? ['1000 live', '1001 redundant'] : ['1000 replaced', '1001 live'],
      );
      await expectOne(bench, []);
      expect((await Promise.all(made)).map(({ ok }) => ok)).toEqual([true, true]);
      expect(a.rows).toEqual([keeps === 'a' ? '1000 live' : '1001 live']);
      expect(a.told.concat(b.told).some((word) => word.startsWith('down'))).toBe(false);
    },
  );

  it('one after the other has the same end', async () => {
    const bench = new SaBench();
    bench.mode = 'hand';
    const { a, b } = bench;
    draw(bench, [0x10, 0x50], [0x20, 0x40]); // B keeps
    void a.sa.want(bench.policyOf('a'), 0);
    void b.sa.want(bench.policyOf('b'), 0);
    await bench.rest();
    // CREATE_CHILD_SA {SA Ni TS} -->
    //                            <-- CREATE_CHILD_SA {SA Ni TS} (late)
    const late = bench.wire.splice(1, 1);
    await bench.deliver('a');
    //                            <-- CREATE_CHILD_SA {SA Nr TS}
    await bench.deliver('b');
    expect(a.rows).toEqual(['1000 live']);
    bench.wire.push(...late);
    await bench.deliver('b');
    expect(a.rows).toEqual(['1000 replaced', '1001 live']);
    expect([...a.plane.active.values()][0]!.inboundSpi).toBe(0x1000); // until B is known to have it
    await expectOne(bench, []);
    expect(a.rows).toEqual(['1001 live']);
  });
});
