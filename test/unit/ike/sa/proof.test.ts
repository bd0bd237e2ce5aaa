// SPDX-License-Identifier: Apache-2.0
/** What a peer has proved counts for a time, and then the IKE SA ends. */
import { describe, expect, it } from 'vitest';
import { restart, SaBench } from './bench.js';

describe('a peer that does not authenticate anew (RFC 4478)', () => {
  it.each(['as it was opened', 'rekeyed meanwhile', 'after a restart'])(
    'is left, a grace time after the lifetime that it was told: %s',
    async (how) => {
      const bench = new SaBench({ policies: { b: { reauthSeconds: 1000 } } });
      await bench.child();
      if (how === 'rekeyed meanwhile') {
        const made = bench.a.sa.rekeyIke();
        await bench.time.pass(500);
        expect((await made).ok).toBe(true);
      }
      if (how === 'after a restart') {
        await bench.time.pass(500_000);
        restart(bench, 'b');
      }
      await bench.time.pass(1_097_000 - (how === 'after a restart' ? 500_000 : 0));
      expect([bench.a.rows.length, bench.b.rows.length]).toEqual([1, 1]);
      // B                                A
      // INFORMATIONAL {D(IKE SA)}   -->
      //                             <--  {}
      await bench.time.pass(4_000);
      expect([bench.a.rows, bench.b.rows]).toEqual([[], []]);
      expect(bench.b.told.at(-1)).toBe('closed POLICY');
      expect(bench.a.told.at(-1)).toBe('closed CLOSED');
      expect(bench.b.count('auth_overdue')).toBe(1);
    },
  );

  it('nobody, without such a policy', async () => {
    const bench = new SaBench();
    await bench.child();
    await bench.time.pass(100_000_000);
    expect([bench.a.rows.length, bench.b.rows.length]).toEqual([1, 1]);
  });
});

it('a peer whose certificate has expired is left, rekeyed meanwhile or not', async () => {
  const { identity } = new SaBench().a.sa.open;
  const bench = new SaBench({ open: { identity: { ...identity, validUntil: 1_002_000 } } });
  await bench.child();
  const made = bench.a.sa.rekeyIke();
  await bench.time.pass(1_990_000);
  expect((await made).ok).toBe(true);
  expect([bench.a.rows.length, bench.b.rows.length]).toEqual([1, 1]);
  await bench.time.pass(20_000);
  expect([bench.a.rows, bench.b.rows]).toEqual([[], []]);
});
