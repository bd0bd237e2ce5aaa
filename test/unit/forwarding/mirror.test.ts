// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { LiveNexthops } from '../../../src/forwarding/mirror.js';
import { tunnel, tunnelOf } from '../../../src/forwarding/names.js';

it('next hops are found by their row, without a look at any other', () => {
  const live = new LiveNexthops();
  for (let id = 0; id < 10_000; id++) live.set(tunnel(`t${id}`), { id, version: undefined });
  let looks = 0;
  live.forEach =
    live.entries =
    live.values =
    live.keys =
      (): never => {
        looks++;
        throw new Error('all are looked at');
      };
  expect(live.nameOf(9_999)).toBe('tunnel/t9999');
  expect(tunnelOf(live.nameOf(9_999)!)).toBe('t9999');
  expect(tunnelOf('ce/A/if/10.0.0.1')).toBeUndefined();
  expect(live.nameOf(10_000)).toBeUndefined();
  // Another version, another row, a row that goes to another name.
  live.set('tunnel/t1', { id: 1, version: 'x' });
  expect(live.nameOf(1)).toBe('tunnel/t1');
  live.set('tunnel/t1', { id: 20_000, version: 'x' });
  expect([live.nameOf(1), live.nameOf(20_000)]).toEqual([undefined, 'tunnel/t1']);
  live.set('tunnel/t2', { id: 1, version: 'x' });
  live.delete('tunnel/t1');
  expect([live.nameOf(1), live.nameOf(20_000)]).toEqual(['tunnel/t2', undefined]);
  live.set('tunnel/t3', { id: 1, version: 'x' });
  live.delete('tunnel/t2');
  expect(live.nameOf(1)).toBe('tunnel/t3');
  expect(looks).toBe(0);
});
