// SPDX-License-Identifier: Apache-2.0
/** The documents say what is there: requirements and their tests, drop reasons. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { bgpSchema, vrfBgpSchema } from '../../../src/config/bgp/schema.js';
import { match, set } from '../../../src/config/index.js';
import { goodBgp } from '../config/bgp-good.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const text = readFileSync(join(root, 'docs/requirements.md'), 'utf8');

const P = Array.from({ length: 16 }, (_, i) => `P${String(i + 1)}`);
const V = [
  'V1',
  'V2',
  'V3',
  'V4',
  'V5',
  'V6.1',
  'V6.2',
  'V6.3',
  'V6.4',
  'V6.5',
  'V6.6',
  'V5.2.3',
  'V7',
  'V8',
];

/** Cells of the table rows that have `columns` columns, headings left out. */
function rows(columns: number): string[][] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| ---'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
    .filter((cells) => cells.length === columns && !['id', 'rule'].includes(cells[0] ?? ''));
}

/** Everything a file, or the files of a folder, say. */
function contents(path: string): string {
  const whole = join(root, path);
  if (!statSync(whole).isDirectory()) return readFileSync(whole, 'utf8');
  return readdirSync(whole, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
    .join('\n');
}

describe('docs/requirements.md', () => {
  it('has each requirement once, in order, with a state', () => {
    expect(rows(4).map(([id]) => id)).toEqual([...P, ...V]);
    for (const [, state] of rows(4)) expect(['proven', 'partial', 'missing']).toContain(state);
  });

  it('names a test for what is proven or partial, and says what is partial', () => {
    for (const [id, state, tests, note] of rows(4)) {
      expect([id, tests === '']).toEqual([id, state === 'missing']);
      if (state === 'partial') expect([id, note === '']).toEqual([id, false]);
    }
  });

  const cells = [...rows(4).map((row) => row[2] ?? ''), ...rows(2).map((row) => row[1] ?? '')];
  const named = cells.flatMap((cell) =>
    [...cell.matchAll(/((?:test|dpdk-app)\/[\w./-]*\w)((?:: `[^`]+`(?:, `[^`]+`)*)?)/g)].map(
      ([, path = '', names = '']) =>
        [path, [...names.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)] as const,
    ),
  );

  it.each(named)('%s exists and has its tests', (path, tests) => {
    expect(existsSync(join(root, path))).toBe(true);
    const all = contents(path);
    for (const test of tests) expect([test, all.includes(test)]).toEqual([test, true]);
  });

  it('names tests at all', () => {
    expect(named.length).toBeGreaterThan(20);
  });
});

describe('docs/packet-path.md', () => {
  it('names every drop reason', () => {
    const header = readFileSync(join(root, 'dpdk-app/include/sealane/drop_reasons.h'), 'utf8');
    const names = [...header.matchAll(/\bX\((\w+), "/g)].map(([, name = '']) => name);
    const page = readFileSync(join(root, 'docs/packet-path.md'), 'utf8');
    const missing = names.filter((name) => name !== 'none' && !page.includes(`\`${name}\``));
    expect(names.length).toBeGreaterThan(50);
    expect(missing).toEqual([]);
  });
});

describe('docs/configuration.md', () => {
  const page = readFileSync(join(root, 'docs/configuration.md'), 'utf8');

  /** Keys of the bgp sections; those of tables are names of the user's. */
  function keysOf(value: unknown, path: readonly string[] = []): string[] {
    if (typeof value !== 'object' || value === null) return [];
    if (Array.isArray(value)) return value.flatMap((each) => keysOf(each, path));
    const named = TABLES.has(path.at(-1) ?? '');
    return Object.entries(value).flatMap(([key, each]) => [
      ...(named ? [] : [key]),
      ...keysOf(each, [...path, key]),
    ]);
  }
  const TABLES = new Set([
    ...['prefixLists', 'policies', 'templates', 'neighbours', 'dynamicNeighbours', 'bmp', 'mrt'],
  ]);

  it('names every key of the bgp sections', () => {
    const { bgp, vrfs } = goodBgp();
    // The page shows conditions and actions by their builders.
    const builders = [...Object.keys(match), ...Object.keys(set), 'atMost', 'weaken'];
    const keys = new Set([
      ...Object.keys(bgpSchema.unwrap().shape),
      ...Object.keys(vrfBgpSchema.unwrap().shape),
      ...keysOf({ ...bgp, policies: {} }),
      ...keysOf(vrfs['a']?.bgp),
      ...builders,
    ]);
    const missing = [...keys].filter((key) => !new RegExp(`\\b${key}\\b`).test(page));
    expect(keys.size).toBeGreaterThan(100);
    expect(missing).toEqual([]);
  });
});
