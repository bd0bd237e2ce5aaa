import { expect, it } from 'vitest';
import { NO_SP_TABLES, SpTables } from '../../../src/vpn/sp-tables.js';

it('gives the own SP table 1 and others stable numbers', () => {
  const first = SpTables.assign(NO_SP_TABLES, 'own', ['x', 'y'])!;
  expect([first.table('own'), first.table('x'), first.table('y')]).toEqual([1, 2, 3]);
  const second = SpTables.assign(first.state, 'own', ['y', 'z', 'x'])!;
  expect([second.table('x'), second.table('y'), second.table('z')]).toEqual([2, 3, 4]);
  expect(second.name(3)).toBe('y');
  expect(second.name(9)).toBeUndefined();
});

it('does not give the number of an SP that leaves to one that comes, and reuses oldest first', () => {
  const first = SpTables.assign(NO_SP_TABLES, 'own', ['x', 'y'])!;
  const second = SpTables.assign(first.state, 'own', ['y', 'z'])!;
  expect(second.table('z')).toBe(4);
  expect(second.table('x')).toBeUndefined();
  let state = second.state;
  // All 62 numbers but the two in use are given out before 2 comes again.
  for (let i = 0; i < 59; i++) {
    const next = SpTables.assign(state, 'own', ['y', 'z', `other${i}`])!;
    expect(next.table(`other${i}`)).toBe(5 + i);
    state = next.state;
  }
  expect(SpTables.assign(state, 'own', ['y', 'z', 'again'])!.table('again')).toBe(2);
});

it('refuses more SPs than tables', () => {
  const names = Array.from({ length: 63 }, (_, i) => `sp${i}`);
  expect(SpTables.assign(NO_SP_TABLES, 'own', names.slice(1))).toBeDefined();
  expect(SpTables.assign(NO_SP_TABLES, 'own', names)).toBeUndefined();
});

it('keeps a number of one SP only', () => {
  const tables = SpTables.assign(NO_SP_TABLES, 'own', ['x', 'y', 'own', 'x'])!;
  const numbers = Object.values(tables.state.assigned);
  expect(new Set(numbers).size).toBe(numbers.length);
  const renamed = SpTables.assign(tables.state, 'x', ['own', 'y'])!;
  expect(renamed.table('x')).toBe(1);
  expect(renamed.table('y')).toBe(tables.table('y'));
  expect(renamed.table('own')).not.toBe(1);
});
