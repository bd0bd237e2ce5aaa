// SPDX-License-Identifier: Apache-2.0
/** What closes a test run: what was run once more counts as it went then, and is named. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Summary } from '../../reporter.js';

const SCRIPT = join(import.meta.dirname, '../../../scripts/lib/test-summary.mjs');
const directory = mkdtempSync(join(tmpdir(), 'sealane-summary-'));
afterAll(() => {
  rmSync(directory, { recursive: true });
});

const [ROUTES, CODEC] = ['test/system/routes.test.ts', 'test/unit/codec.test.ts'];

function write(name: string, summary: Partial<Summary>): string {
  const path = join(directory, name);
  writeFileSync(
    path,
    JSON.stringify({ passed: 0, passedIn: {}, failed: [], skipped: [], ...summary }),
  );
  return path;
}

const run = (...args: string[]): { lines: string[]; status: number | null } => {
  const { stdout, status } = spawnSync('node', [SCRIPT, ...args], { encoding: 'utf8' });
  return { lines: stdout.trim().split('\n').filter(Boolean), status };
};

const failedIn = (file: string, name: string) => ({
  name: `${file}: ${name}`,
  reason: 'lost 1\n+ 1',
  file,
});

const first = write('first.json', {
  passed: 7,
  passedIn: { [ROUTES]: 2, [CODEC]: 5 },
  failed: [failedIn(ROUTES, 'a'), failedIn(ROUTES, 'b')],
});

test('files with failed tests are named for another run, those of unit tests are not', () => {
  const mixed = write('mixed.json', {
    failed: [failedIn(ROUTES, 'a'), failedIn(ROUTES, 'b'), failedIn(CODEC, 'c')],
  });
  expect(run('--failed', mixed)).toEqual({ lines: [ROUTES], status: 0 });
});

test('what passes in the other run counts as passed, and is named', () => {
  const again = write('again.json', { passed: 4, passedIn: { [ROUTES]: 4 } });
  const { lines, status } = run(`${first}:${again}`);
  expect(lines).toEqual([
    'Failed at first, passed when their files were run again:',
    ...[`  ${ROUTES}: a`, '      lost 1', `  ${ROUTES}: b`, '      lost 1'],
    '9 passed, 0 failed',
  ]);
  expect(status).toBe(0);
});

test('what fails in both has failed', () => {
  const again = write('twice.json', {
    passed: 3,
    passedIn: { [ROUTES]: 3 },
    failed: [failedIn(ROUTES, 'b')],
  });
  const { lines, status } = run(`${first}:${again}`);
  expect(lines.slice(-3)).toEqual([`  ${ROUTES}: b`, '      lost 1', '8 passed, 1 failed']);
  expect(lines).toContain(`  ${ROUTES}: a`);
  expect(status).toBe(1);
});

test('a failed unit test has no second run', () => {
  const unit = write('unit.json', { passed: 1, failed: [failedIn(CODEC, 'c')] });
  const again = write('none.json', { passed: 1 });
  expect(run(`${unit}:${again}`).lines.at(-1)).toBe('2 passed, 1 failed');
});

test('a run without result has failed', () => {
  expect(run(`${first}:${join(directory, 'missing.json')}`)).toMatchObject({ status: 1 });
  expect(run(join(directory, 'missing.json'))).toMatchObject({ status: 1 });
});
