// SPDX-License-Identifier: Apache-2.0
/** LSPs that are there again after a restart: those that tunnels went by, in the state that was told last. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import type { LspModel } from '../../../src/forwarding/model.js';
import { parsePrefix } from '../../../src/lib/ip.js';
import { createLogger } from '../../../src/lib/log.js';
import { LearntLsps } from '../../../src/supervisor/learnt-lsps.js';

const folder = mkdtempSync(join(tmpdir(), 'sealane-lsps-'));
const file = join(folder, 'lsps.json');
const logged: string[] = [];
const log = createLogger({ write: (line) => void logged.push(line), now: () => '' });
const make = (): LearntLsps => new LearntLsps(file, log);

beforeEach(() => {
  rmSync(file, { force: true });
  logged.length = 0;
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function lsp(text: string, ...labels: number[]): LspModel {
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw new Error(text);
  const via = Uint8Array.of(198, 51, 100, 9);
  return { prefix, interface: 'core0', via, labels, forIp: prefix.family === 6 };
}
const far = (last: number): Uint8Array => Uint8Array.of(192, 0, 2, last);
const FAR6 = parsePrefix('2001:db8::7/128')?.address ?? new Uint8Array(16);

const restored = (): readonly LspModel[] => {
  const next = make();
  next.restore();
  return next.all;
};

test('those that tunnels go by are there again, whichever came first', () => {
  const lsps = [
    ...[lsp('192.0.2.2/32', 1002), lsp('192.0.2.0/24', 1000, 77), lsp('10.0.0.0/8', 5)],
    lsp('2001:db8::7/128'),
  ];
  const before = make();
  before.set(lsps);
  expect(restored()).toEqual([]);
  before.follow([far(2), far(3), FAR6]);
  expect(restored()).toEqual([lsps[0], lsps[1], lsps[3]]);
  before.set(lsps.slice(1));
  expect(restored()).toEqual([lsps[1], lsps[3]]);
  before.follow([]);
  expect(restored()).toEqual([]);
});

test('what was restored stays until BGP tells something, and is kept meanwhile', () => {
  const before = make();
  before.set([lsp('192.0.2.2/32', 1002)]);
  before.follow([far(2)]);
  const next = make();
  next.restore();
  next.follow([far(2)]);
  expect(restored()).toEqual([lsp('192.0.2.2/32', 1002)]);
  next.set([]);
  expect(restored()).toEqual([]);
});

test('the file is written when something differs, and only then', () => {
  const lsps = make();
  lsps.follow([far(2)]);
  lsps.set([lsp('192.0.2.2/32', 1002)]);
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, '');
  lsps.set([lsp('192.0.2.2/32', 1002), lsp('10.0.0.0/8', 5)]);
  expect(readFileSync(file, 'utf8')).toBe('');
  lsps.set([lsp('192.0.2.2/32', 1003)]);
  expect(readFileSync(file, 'utf8')).toBe(text.replace('1002', '1003'));
});

test.each([
  ['cut off', '[{"prefix": "192.0.2.2/32"'],
  ['no list', '{}'],
  [
    'no prefix',
    '[{"prefix":"192.0.2.2/33","interface":"a","via":"10.0.0.1","labels":[],"forIp":true}]',
  ],
  [
    'no label',
    '[{"prefix":"192.0.2.2/32","interface":"a","via":"10.0.0.1","labels":["x"],"forIp":true}]',
  ],
  ['no way', '[{"prefix":"192.0.2.2/32","interface":"a","labels":[],"forIp":true}]'],
])('a file that is %s is said so, and none of it is used', (_, text) => {
  writeFileSync(file, text);
  expect(restored()).toEqual([]);
  expect(logged.join()).toContain('BGP has to tell them first');
});

test('none are kept when nobody forwards any more', () => {
  const lsps = make();
  lsps.set([lsp('192.0.2.2/32', 1002)]);
  lsps.follow([far(2)]);
  lsps.forget();
  expect(existsSync(file)).toBe(false);
  expect(restored()).toEqual([]);
  expect(logged).toEqual([]);
});
