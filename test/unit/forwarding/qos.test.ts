// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { classNumbers, classTable } from '../../../src/forwarding/qos.js';

const FREE = ['default', '', '', '', '', '', '', ''];

describe('numbers of classes', () => {
  it('are given in order', () => {
    expect([...classNumbers(FREE, ['b', 'a'])]).toEqual([
      ['default', 0],
      ['b', 1],
      ['a', 2],
    ]);
  });

  it('stay with their names, and are free again when those are gone', () => {
    const before = ['default', 'b', 'a', 'c', '', '', '', ''];
    expect(Object.fromEntries(classNumbers(before, ['d', 'c', 'b', 'e']))).toEqual({
      ...{ default: 0, b: 1, d: 2, c: 3, e: 4 },
    });
  });

  it('are in a segment that has none yet as in one that has', () => {
    expect(
      classNumbers(
        Array.from({ length: 8 }, () => ''),
        ['a'],
      ).get('a'),
    ).toBe(1);
  });

  it('are seven beside the default', () => {
    const seven = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    expect(new Set(classNumbers(FREE, seven).values()).size).toBe(8);
    expect(() => classNumbers(FREE, [...seven, 'h'])).toThrow('more than 8 classes');
  });
});

it('the table of classes has the default where nobody else is', () => {
  const numbers = classNumbers(FREE, ['voice', 'bulk']);
  const table = classTable(numbers, { voice: { dscp: ['ef', 44] }, bulk: { dscp: [1] } });
  const classes: number[] = Array.from({ length: 64 }, () => 0);
  classes[46] = classes[44] = 1;
  classes[1] = 2;
  expect([...table.classOfDscp]).toEqual(classes);
  expect(table.names).toEqual(['default', 'voice', 'bulk', '', '', '', '', '']);
});
