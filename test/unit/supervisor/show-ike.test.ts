import { describe, expect, it } from 'vitest';
import { IKE_COUNTERS, type IkeCounter } from '../../../src/ike/counters.js';
import type { IkeSaRow } from '../../../src/ike/manager/api.js';
import { bad, good } from '../../../src/ike/types.js';
import { parseAddress } from '../../../src/lib/ip.js';
import {
  commandIke,
  ikeChildRows,
  ikeCounterRows,
  ikeSaRows,
} from '../../../src/supervisor/show-ike.js';

const sa = (spi: bigint): IkeSaRow => ({
  ...{ initiatorSpi: spi, responderSpi: 0n, role: 'initiator', state: 'established' },
  ...{ local: parseAddress('192.0.2.1')!, remote: parseAddress('192.0.2.2')! },
  ...{ localPort: 500, remotePort: 4500, sp: 'own', identity: 'CN=pe2', authentication: 'ecdsa' },
  ...{
    suite: 's',
    keyExchanges: ['x25519', 'mlkem768'],
    isPpkUsed: false,
    openedAt: 1_000_000_000,
  },
  ...{ rekeyAt: 1_000_003_600, reauthAt: undefined, lastHeardMs: 1.4 },
  children: [
    {
      ...{ service: 'encrypt/gre', state: 'up', inboundSpi: 0x100, outboundSpi: 0xdeadbeef },
      ...{ suite: 'e', keyExchanges: [], createdAt: 1_000_000_000, rekeyAt: undefined },
      resource: 0,
    },
  ],
});

/** So many SAs, in pages. */
function manager(many: number) {
  const all = Array.from({ length: many }, (_, i) => sa(BigInt(i + 1)));
  const pages: number[] = [];
  return {
    pages,
    rows: (after: bigint | undefined, most: number) => {
      pages.push(most);
      return all.filter(({ initiatorSpi }) => initiatorSpi > (after ?? 0n)).slice(0, most);
    },
    counters: () =>
      Object.fromEntries(Object.keys(IKE_COUNTERS).map((name, i) => [name, i])) as Readonly<
        Record<IkeCounter, number>
      >,
  };
}

describe('rows of IKE', () => {
  it('are made a page at a time, all of them, none twice', () => {
    for (const many of [0, 1, 127, 128, 129, 1000]) {
      const from = manager(many);
      const spis = [...ikeSaRows(from)].map(({ initiatorSpi }) => initiatorSpi);
      expect(new Set(spis).size).toBe(many);
      expect(Math.max(...from.pages)).toBe(128);
    }
    const from = manager(1000);
    const reading = ikeSaRows(from);
    for (let i = 0; i < 200; i++) reading.next();
    expect(from.pages).toHaveLength(2);
  });

  it('say times, SPIs and lists in words', () => {
    expect([...ikeSaRows(manager(1))]).toMatchObject([
      {
        ...{ initiatorSpi: '0x0000000000000001', responderSpi: '0x0000000000000000' },
        ...{ keyExchanges: 'x25519 mlkem768', openedAt: '2001-09-09T01:46:40.000Z' },
        ...{ rekeyAt: '2001-09-09T02:46:40.000Z', reauthAt: '', lastHeardMs: 1n, children: 1 },
      },
    ]);
    expect([...ikeChildRows(manager(2))]).toMatchObject([
      { inboundSpi: '0x00000100', outboundSpi: '0xdeadbeef', ikeSpi: '0x0000000000000001' },
      { ikeSpi: '0x0000000000000002', remote: '192.0.2.2' },
    ]);
    const counters = [...ikeCounterRows(manager(0))];
    expect(counters.map(({ name }) => name)).toEqual(Object.keys(IKE_COUNTERS));
    expect(counters[3]!.count).toBe(3n);
  });

  it('are none without IKE, and every counter is 0', () => {
    expect([...ikeSaRows(undefined), ...ikeChildRows(undefined)]).toEqual([]);
    expect([...ikeCounterRows(undefined)].every(({ count }) => count === 0n)).toBe(true);
  });
});

describe('commands of IKE', () => {
  const calls: unknown[] = [];
  const commanded = {
    initiate: async (selection: object) =>
      Promise.resolve(good(calls.push(['initiate', selection]))),
    terminate: async () => Promise.resolve(bad('TIMEOUT', 'peer', 'no answer')),
    rekey: async (selection: object, what: string) =>
      Promise.resolve(good(calls.push(['rekey', selection, what]))),
  };
  it('hand the selection on, and say how many or why not', async () => {
    expect(await commandIke(commanded, { action: 'initiate', what: 'child', spi: 5n })).toBe(1);
    expect(await commandIke(commanded, { action: 'rekey', what: 'ike' })).toBe(2);
    expect(calls).toEqual([
      ['initiate', { spi: 5n }],
      ['rekey', {}, 'ike'],
    ]);
    await expect(
      commandIke(commanded, { action: 'terminate', what: 'child' }),
    ).rejects.toMatchObject({
      code: 'APPLY_FAILED',
      message: expect.stringContaining('TIMEOUT: no answer') as string,
    });
    await expect(
      commandIke(undefined, { action: 'initiate', what: 'child' }),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
