// SPDX-License-Identifier: Apache-2.0
/** Which SA of its own a packet thread has beside the one that a next hop names (RFC 9611), as rows. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Tables, VpnSaRow } from '../../../src/forwarding/addon/api.js';
import { freshKey, inboundSa, outboundSa, refusal, Segments } from './helpers.js';

let segments: Segments;
let tables: Tables;
beforeEach(() => {
  segments = new Segments();
  tables = segments.open();
});
afterEach(() => {
  tables.close();
  segments.remove();
});

/** Closes and opens again, as a new supervisor does. */
function reopen(): void {
  tables.close();
  tables = segments.open();
}

const refused = (primary: number, shares: readonly number[]): string | undefined =>
  refusal(() => {
    tables.shareSa(primary, shares);
  });

const add = (spi: number, more: Partial<VpnSaRow> = {}): number =>
  tables.addSa('out', { ...(outboundSa(`sa${spi}`, spi) as VpnSaRow), ...more }, freshKey());

it('are kept by thread, cut behind the last one, and none at first', () => {
  const [primary, one, two] = [add(0x1000), add(0x1001), add(0x1002)];
  expect(tables.saShares(primary)).toEqual([]);
  tables.shareSa(primary, [0, one, 0, two, 0]);
  expect(tables.saShares(primary)).toEqual([0, one, 0, two]);
  expect(tables.saShares(one)).toEqual([]);
  tables.shareSa(primary, [two, 0, one]);
  expect(tables.saShares(primary)).toEqual([two, 0, one]);
  tables.shareSa(primary, []);
  expect(tables.saShares(primary)).toEqual([]);
});

it('an SA’s row says which of several it is', () => {
  add(0x1000, { resource: 3, worker: 2 });
  expect(tables.sas('out')).toMatchObject([{ resource: 3, worker: 2 }]);
  expect(refusal(() => add(0x1001, { resource: 32 }))).toBe('BAD_ARGUMENT');
});

it('need a template that fits both', () => {
  const primary = add(0x1000);
  const port = { source: 4500, destination: 4500 };
  const unlike: Partial<VpnSaRow>[] = [
    { algorithm: 'aes-gmac-128' },
    { encapsulation: 'ip' },
    { destination: Uint8Array.of(203, 0, 113, 9) },
    { source: Uint8Array.of(203, 0, 113, 9) },
    { udp: port },
  ];
  for (const [i, more] of unlike.entries()) {
    const other = add(0x2000 + i, more);
    expect([more, refused(primary, [0, other])]).toEqual([more, 'BAD_ARGUMENT']);
  }
  const fitting = add(0x3000, { worker: 1, resource: 1, byteLimit: 5n });
  expect(refused(primary, [primary])).toBe('BAD_ARGUMENT');
  expect(refused(primary, [99])).toBe('NOT_FOUND');
  expect(refused(99, [fitting])).toBe('NOT_FOUND');
  const threads = new Array<number>(33).fill(0);
  expect(refused(primary, threads)).toBe('BAD_ARGUMENT');
  const inbound = tables.addSa('in', inboundSa('in', 0x4000), freshKey());
  tables.removeSa('out', fitting);
  expect(refused(primary, [0, fitting])).toBe('NOT_FOUND');
  expect(inbound).toBe(1);
  // A refusal changes nothing.
  expect(tables.saShares(primary)).toEqual([]);
});

it('end with either SA: nobody is left with one that is gone', () => {
  const [primary, next, one, two] = [add(0x1000), add(0x1001), add(0x1002), add(0x1003)];
  for (const id of [primary, next]) tables.shareSa(id, [0, one, two]);
  tables.removeSa('out', one);
  expect([primary, next].map((id) => tables.saShares(id))).toEqual([
    [0, 0, two],
    [0, 0, two],
  ]);
  tables.removeSa('out', primary);
  expect(tables.saShares(primary)).toEqual([]);
  expect(tables.saShares(next)).toEqual([0, 0, two]);
  // An id that was used before begins without.
  tables.reclaim();
  const again = Array.from({ length: 4 }, (_, i) => add(0x2000 + i));
  expect(again).toContain(primary);
  for (const id of again) expect(tables.saShares(id)).toEqual([]);
});

it('are known to the next supervisor, who can take them back and end them', () => {
  const [primary, one] = [add(0x1000), add(0x1001)];
  tables.shareSa(primary, [0, one]);
  reopen();
  // No worker has ever counted under these keys: the SAs are lost, and what stood beside them.
  expect(tables.sas('out')).toEqual([]);
  expect(tables.saShares(primary)).toEqual([]);
});
