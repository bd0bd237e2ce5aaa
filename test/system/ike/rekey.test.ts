// SPDX-License-Identifier: Apache-2.0
/** No packet is lost in 100 rekeys, whoever starts them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { End } from '../supervisor/two-pes.js';
import { IkePes } from './ike-pes.js';
import { type Delivered, Stream } from './traffic.js';

let pes: IkePes;
beforeAll(async () => {
  pes = await IkePes.open('ikrk', { proof: 'psk' });
  await pes.up();
});
afterAll(async () => {
  await pes.close();
});

/**
 * Runs so many rekeys while packets go both ways, some of them during each: none may be lost, and none dropped by
 * either worker.
 */
async function underTraffic(count: number, work: () => Promise<void>): Promise<void> {
  const { net } = pes;
  const before = { 1: await net.drops(1), 2: await net.drops(2) };
  const streams = [await Stream.start(net, 1), await Stream.start(net, 2)];
  // Both end whatever happens: the next ones use the same port.
  const ends = async (): Promise<Delivered[]> =>
    Promise.all(streams.map(async (one) => one.stop()));
  await work().catch(async (error: unknown) => {
    await ends();
    throw error;
  });
  for (const { sent, received, twice } of await ends()) {
    expect(sent).toBeGreaterThan(5 * count);
    expect({ lost: sent - received, twice }).toEqual({ lost: 0, twice: 0 });
  }
  for (const end of [1, 2] as const) {
    const risen = [...(await net.drops(end))].filter(
      ([reason, packets]) => packets > (before[end].get(reason) ?? 0n),
    );
    expect([end, risen]).toEqual([end, []]);
  }
}

async function spis(): Promise<string> {
  await pes.settled();
  return JSON.stringify((await pes.children(1)).map((row) => [row.inboundSpi, row.outboundSpi]));
}

/** The initiator's SPI of the one IKE SA that is in use: one that was replaced may wait for its delete. */
async function ikeSpi(): Promise<unknown> {
  return eventually('one IKE SA in use', async () => {
    const used = (await pes.sas(1)).filter(({ state }) => state === 'established');
    return used.length === 1 ? used[0]?.initiatorSpi : undefined;
  });
}

/** So many of this kind, started by these ends at once; each gives another child SA, or IKE SA. */
async function rekeys(count: number, ends: readonly End[], what: 'ike' | 'child'): Promise<void> {
  for (let i = 0; i < count; i++) {
    const before = await (what === 'child' ? spis() : ikeSpi());
    const met = await Promise.all(ends.map(async (end) => pes.rekey(end, what)));
    expect(met.every((number) => number > 0)).toBe(true);
    const after = await (what === 'child' ? spis() : ikeSpi());
    expect(after).not.toBe(before);
  }
}

describe('rekeys under traffic lose nothing', () => {
  it('35 child SAs by one end', async () => {
    await underTraffic(35, async () => rekeys(35, [1], 'child'));
  });
  it('35 child SAs by the other', async () => {
    await underTraffic(35, async () => rekeys(35, [2], 'child'));
  });
  it('20 child SAs by both at once', async () => {
    await underTraffic(20, async () => rekeys(20, [1, 2], 'child'));
  });
  it('10 IKE SAs, by either and by both at once', async () => {
    await underTraffic(10, async () => {
      await rekeys(3, [1], 'ike');
      await rekeys(3, [2], 'ike');
      await rekeys(4, [1, 2], 'ike');
    });
    await pes.settled();
  });
  it('leaves one IKE SA with one child, and no row of those before', async () => {
    await pes.settled();
    for (const end of [1, 2] as const) {
      await expect.poll(async () => (await pes.sas(end)).length, { timeout: 60_000 }).toBe(1);
      await expect
        .poll(async () => (await pes.net.show(end, 'sas')).length, { timeout: 60_000 })
        .toBe(2);
    }
  });
});
