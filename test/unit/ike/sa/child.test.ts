// SPDX-License-Identifier: Apache-2.0
/** Child SAs: made, rekeyed, deleted, and all of that at the same time from both ends. */
import { describe, expect, it } from 'vitest';
import { must, SaBench } from './bench.js';

describe('one at a time', () => {
  it('a new child SA', async () => {
    const bench = new SaBench();
    bench.mode = 'hand';
    const { a, b } = bench;
    const made = a.sa.want(bench.policyOf('a'), 0);
    await bench.rest();
    // A                              B
    // CREATE_CHILD_SA {SA Ni TS} -->
    await bench.deliver('a');
    expect(b.rows).toEqual(['2000 live']);
    expect(b.plane.active.size).toBe(0); // it is not known whether A has it
    //                            <--  {SA Nr TS}
    await bench.deliver('b');
    expect(must(await made)).toMatchObject({ inboundSpi: 0x1000, outboundSpi: 0x2000 });
    expect(a.rows).toEqual(['1000 live']);
    expect(a.told).toEqual(['up 1000']);
    await bench.time.pass(200);
    expect(b.told).toEqual(['up 2000']);
    expect(bench.losses).toEqual([]);
  });

  it('a child SA is rekeyed by either end, and no packet is lost', async () => {
    for (const who of ['a', 'b'] as const) {
      const bench = new SaBench();
      bench.mode = 'hand';
      await bench.child();
      const { a, b } = bench;
      const [one, other, first, second] =
        who === 'a' ? [a, b, '1000', '2000'] : [b, a, '2000', '1000'];
      const [next, last] = who === 'a' ? ['1001', '2001'] : ['2001', '1001'];
      const made = one.sa.rekeyChild(Number.parseInt(first, 16));
      await bench.rest();
      // one                                        other
      // CREATE_CHILD_SA {N(REKEY_SA) SA Ni TS} -->
      await bench.deliver(one.name);
      expect(other.rows).toEqual([`${second} replaced`, `${last} live`]);
      expect(bench.losses).toEqual([]);
      //                                        <-- {SA Nr TS}
      await bench.deliver(other.name);
      expect(one.rows).toEqual([`${first} deleting`, `${next} live`]);
      expect(must(await made).inboundSpi.toString(16)).toBe(next);
      expect(bench.losses).toEqual([]);
      // INFORMATIONAL {D(first)}               -->
      await bench.deliver(one.name);
      expect(other.rows).toEqual([`${last} live`]);
      expect(other.told.at(-1)).toBe(`rekeyed ${second} ${last}`);
      expect(bench.losses).toEqual([]);
      //                                        <-- {D(second)}
      await bench.deliver(other.name);
      expect(one.rows).toEqual([`${next} live`]);
      expect(one.told.at(-1)).toBe(`rekeyed ${first} ${next}`);
      expect(bench.losses).toEqual([]);
      await bench.time.pass(60_000);
      expect([one.plane.inbound.size, other.plane.inbound.size]).toEqual([1, 1]);
      expect(one.told.concat(other.told).some((word) => word.startsWith('down'))).toBe(false);
    }
  });
});
