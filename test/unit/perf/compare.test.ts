// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { compare, readCommitted, type Committed } from '../../../perf/compare.js';
import type { Result } from '../../../perf/result.js';

type Ratios = readonly [ratio: number, least: number, most: number];

function result(rows: Readonly<Record<string, Ratios>>, machine = 'm'): Result & Committed {
  return {
    bench: 'b',
    machine,
    runs: 3,
    rows: Object.entries(rows).map(([name, [ratio, least, most]]) => ({
      case: name,
      ours: ratio,
      unit: 'ns',
      reference: 'raw',
      referenceValue: 1,
      ratio,
      ratioRange: [least, most] as [number, number],
    })),
  };
}

test('a ratio is worse when every run of it is worse than every run before', () => {
  const before = result({ a: [2, 1.9, 2.1], b: [2, 1.9, 2.1], c: [2, 1.9, 2.1], d: [2, 1.9, 2.1] });
  const after = result({
    a: [2.2, 2.11, 2.3],
    b: [2.2, 2.09, 2.3],
    c: [1.7, 1.6, 1.89],
    d: [1.7, 1.6, 1.91],
  });
  expect(compare(before, after)).toEqual({
    worse: ['a, beside raw: 2.2 (2.11 to 2.3), was 2 (1.9 to 2.1)'],
    better: 1,
    judged: 4,
    otherMachine: undefined,
  });
});

test('rows without a known noise, new ones and those beside another reference are not judged', () => {
  const before = result({ single: [2, 2, 2], gone: [1, 0.9, 1.1], other: [1, 0.9, 1.1] });
  const after = result({ single: [9, 8, 10], fresh: [9, 8, 10], other: [9, 8, 10] });
  const beside = {
    ...after,
    rows: after.rows.map((r) => (r.case === 'other' ? { ...r, reference: 'cooked' } : r)),
  };
  expect(compare(before, beside)).toMatchObject({ worse: [], judged: 0 });
});

test('says that the machine was another', () => {
  expect(compare(result({}, 'old'), result({}, 'new')).otherMachine).toBe('old');
});

test('every committed result can be read', () => {
  const files = readdirSync('perf/results').filter((f) => f.endsWith('.json'));
  expect(files.length).toBeGreaterThan(4);
  for (const file of files) {
    const committed = readCommitted(`perf/results/${file}`);
    expect(committed?.rows.length).toBeGreaterThan(0);
  }
});

test('no file is no result, and another file is an error', () => {
  const dir = mkdtempSync(join(tmpdir(), 'sealane-compare-'));
  try {
    expect(readCommitted(`${dir}/none.json`)).toBeUndefined();
    writeFileSync(`${dir}/bad.json`, '{"bench":"b"}');
    expect(() => readCommitted(`${dir}/bad.json`)).toThrow(/rows/);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
