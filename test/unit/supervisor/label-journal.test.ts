// SPDX-License-Identifier: Apache-2.0
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FileLabelJournal, readLabelJournal } from '../../../src/supervisor/label-journal.js';
import type { LabelRecord } from '../../../src/vpn/label-register.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(`${tmpdir()}/sealane-journal-`);
  path = `${folder}/state/route-labels.journal`;
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const used = (label: number): LabelRecord => ({ label, text: `prefix ${label}`, vrf: 'A' });

it('keeps records in their order, and adds to the file', async () => {
  expect(readLabelJournal(path)).toEqual([]);
  const journal = new FileLabelJournal(path);
  expect(journal.length).toBe(Infinity);
  await journal.replace([used(1), { next: 7 }]);
  expect(journal.length).toBe(2);
  await journal.append([used(2), { label: 1, freedAt: 100, quarantine: 86_400 }]);
  const ofSp = { ...used(3), source: 'y' };
  await journal.append([ofSp]);
  expect(journal.length).toBe(5);
  const freed = { label: 1, freedAt: 100, quarantine: 86_400 };
  const all = [used(1), { next: 7 }, used(2), freed, ofSp];
  expect(readLabelJournal(path)).toEqual(all);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  await journal.replace([used(9)]);
  expect(readLabelJournal(path)).toEqual([used(9)]);
});

it('leaves out a last line that was not finished, and never adds to such a file', async () => {
  await new FileLabelJournal(path).replace([used(1)]);
  appendFileSync(path, '{"label":2,"te');
  expect(readLabelJournal(path)).toEqual([used(1)]);
  // What opens it next begins with a file of its own.
  expect(new FileLabelJournal(path).length).toBe(Infinity);
});

it('is to be written anew after a write that failed', async () => {
  const journal = new FileLabelJournal(path);
  await journal.replace([used(1)]);
  rmSync(`${folder}/state`, { recursive: true });
  await expect(journal.append([used(2)])).rejects.toThrow(/ENOENT/);
  await journal.replace([used(1), used(2)]);
  expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(3);
});

it('refuses a file it cannot read: a label could get another meaning', async () => {
  await new FileLabelJournal(path).replace([used(1)]);
  const oddly = '{"label":1,"freedAt":2,"quarantine":"x"}';
  const lines = ['', '{}', '[1]', '{"label":1}', '{"label":-1,"freedAt":2}', '{"next":1.5}', oddly];
  for (const bad of lines) {
    writeFileSync(path, `${JSON.stringify(used(1))}\n${bad}\n${JSON.stringify(used(2))}\n`);
    expect(() => readLabelJournal(path), bad).toThrow(/route-labels\.journal.*line 2/);
  }
});
