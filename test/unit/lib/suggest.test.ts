// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { editDistance, nearest, suggest } from '../../../src/lib/suggest.js';

describe('editDistance', () => {
  it.each([
    ['', '', 0],
    ['abc', '', 3],
    ['abc', 'abc', 0],
    ['kitten', 'sitting', 3],
    ['vlna', 'vlan', 1],
    ['tunel', 'tunnel', 1],
  ])('%s -> %s: %i', (a, b, distance) => {
    expect(editDistance(a, b)).toBe(distance);
    expect(editDistance(b, a)).toBe(distance);
  });
});

describe('nearest', () => {
  it('finds a mistyped name, whatever its case', () => {
    expect(nearest('adresses', ['device', 'addresses'])).toBe('addresses');
    expect(nearest('MTU', ['mtu', 'mpls'])).toBe('mtu');
  });
  it('does not guess wildly', () => {
    expect(nearest('colour', ['mtu', 'vlan', 'role'])).toBeUndefined();
    expect(nearest('x'.repeat(200), ['x'.repeat(199)])).toBeUndefined();
  });
});

describe('suggest', () => {
  it('says what there is', () => {
    expect(suggest('pe3', ['pe2', 'pe4'], 'tunnels')).toBe(
      'did you mean "pe2"? known tunnels: pe2, pe4',
    );
    expect(suggest('zzz', ['one'], 'VRFs')).toBe('known VRFs: one');
    expect(suggest('a', [], 'VRFs')).toBe('there are no VRFs');
    expect(suggest('none', Array.from('123456789'), 'VRFs')).toBe(
      'known VRFs: 1, 2, 3, 4, 5, 6, 7, 8, ...',
    );
  });
});
