// SPDX-License-Identifier: Apache-2.0
/** The committed configuration: what a crash leaves, what a damaged file is worth. */
import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { configDigestHex } from '../../../src/config/canonical.js';
import { CommittedStore, StoreError } from '../../../src/config/store.js';
import { good, type Draft } from './good.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'd1-store-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const numbered = (ttl: number): Draft => {
  const draft = good();
  draft.tunnels['pe3']!.ttl = ttl;
  return draft;
};
const from = { committedAt: '2026-01-02T03:04:05.000Z', configFile: '/etc/pe1.ts' };

async function failure(promise: Promise<unknown>): Promise<StoreError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(StoreError);
  return error as StoreError;
}

describe('CommittedStore', () => {
  it('is empty at first', async () => {
    const store = new CommittedStore(join(folder, 'not', 'there'));
    expect(await store.load()).toBeUndefined();
    expect(await store.loadPrevious()).toBeUndefined();
  });

  it('gives back what was committed last, and the one before', async () => {
    const state = join(folder, 'var', 'pe1');
    const store = new CommittedStore(state);
    for (const ttl of [1, 2, 3]) await store.commit(numbered(ttl), from);
    const committed = { ...from, config: numbered(3), digest: configDigestHex(numbered(3)) };
    expect(await new CommittedStore(state).load()).toEqual(committed);
    expect((await store.loadPrevious())?.config).toEqual(numbered(2));
    expect((await readdir(state)).sort()).toEqual(['committed.json', 'committed.previous.json']);
  });

  it('is for its owner alone', async () => {
    const state = join(folder, 'state');
    const store = new CommittedStore(state);
    await store.commit(numbered(1), from);
    await store.commit(numbered(2), from);
    expect((await stat(state)).mode & 0o777).toBe(0o700);
    for (const name of await readdir(state)) {
      expect((await stat(join(state, name))).mode & 0o777, name).toBe(0o600);
    }
  });

  it('keeps the previous one when the same is committed again', async () => {
    const store = new CommittedStore(folder);
    await store.commit(numbered(1), from);
    await store.commit(numbered(2), from);
    await store.commit(numbered(2), { ...from, configFile: '/other' });
    expect((await store.loadPrevious())?.config).toEqual(numbered(1));
    expect((await store.load())?.configFile).toBe('/other');
  });

  it('says when the folder cannot be written', async () => {
    await writeFile(join(folder, 'file'), '');
    const store = new CommittedStore(join(folder, 'file', 'x'));
    const error = await failure(store.commit(numbered(1), from));
    expect([error.code, error.remedy]).toEqual([
      'SYSTEM',
      'check the folder, its permissions and free space',
    ]);
  });
});

describe('a crash', () => {
  it('at any step leaves the old or the new one, and nothing that disturbs the next', async () => {
    const left: string[] = [];
    const state = join(folder, 'state');
    let steps = 0;
    const store = new CommittedStore(state, async () => {
      const copy = join(folder, `crash-${steps++}`);
      await cp(state, copy, { recursive: true });
      left.push(copy);
    });
    await store.commit(numbered(1), from);
    const first = left.length;
    await store.commit(numbered(2), from);
    expect(left.length - first).toBe(5); // opened, written, linked, previous kept, renamed
    const found: unknown[] = [];
    for (const copy of left.slice(first)) {
      const after = new CommittedStore(copy);
      found.push((await after.load())?.config.tunnels?.['pe3']?.ttl);
      // The successor commits as if nothing had been.
      await after.commit(numbered(3), from);
      expect((await after.load())?.config).toEqual(numbered(3));
      expect((await readdir(copy)).sort()).toEqual(
        expect.arrayContaining(['committed.json', 'committed.previous.json']),
      );
    }
    expect(found).toEqual([1, 1, 1, 1, 2]);
  });

  it('in the middle of the first commit leaves none', async () => {
    const left: string[] = [];
    const state = join(folder, 'state');
    const store = new CommittedStore(state, async (step) => {
      const copy = join(folder, step);
      await cp(state, copy, { recursive: true });
      left.push(copy);
    });
    await store.commit(numbered(1), from);
    expect(left).toHaveLength(3);
    expect(await new CommittedStore(left[0]!).load()).toBeUndefined();
    expect(await new CommittedStore(left[1]!).load()).toBeUndefined();
    expect((await new CommittedStore(left[2]!).load())?.config).toEqual(numbered(1));
  });
});

describe('a damaged file', () => {
  const damage: [string, (text: string) => string][] = [
    ['cut off', (text) => text.slice(0, text.length / 2)],
    ['empty', () => ''],
    ['edited', (text) => text.replace('"encrypt"', '"authenticate"')],
    ['of another format', (text) => text.replace('sealane-committed-1', 'sealane-committed-9')],
    ['without configuration', (text) => text.replace('"config":', '"konfig":')],
    ['with another digest', (text) => text.replace(/"digest":"../, '"digest":"zz')],
  ];
  it.each(damage)('%s is not used', async (_, spoil) => {
    const store = new CommittedStore(folder);
    await store.commit(numbered(1), from);
    await store.commit(numbered(2), from);
    const path = join(folder, 'committed.json');
    await writeFile(path, spoil(await readFile(path, 'utf8')));
    const error = await failure(store.load());
    expect(error.code).toBe('CORRUPT');
    expect(error.message).toBe(`${path} is damaged or was edited`);
    // The one before is still there for going back by hand, and a new one can be committed.
    expect((await store.loadPrevious())?.config).toEqual(numbered(1));
    await store.commit(numbered(3), from);
    expect((await store.load())?.config).toEqual(numbered(3));
  });

  it('that this version does not accept is told apart', async () => {
    const config = { ...good(), colour: 'red' };
    const stored = {
      ...{ format: 'sealane-committed-1', digest: configDigestHex(config), ...from, config },
    };
    await writeFile(join(folder, 'committed.json'), JSON.stringify(stored));
    const error = await failure(new CommittedStore(folder).load());
    expect(error.code).toBe('INVALID');
    expect(error.message).toContain('has 1 mistake(s) for this version: colour: unknown key');
  });
});
