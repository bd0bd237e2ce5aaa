// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ALGORITHMS, ESP_SUITES, keyBytes } from '../../../src/lib/esp-suites.js';
import {
  generateKeyFile,
  KeyFileError,
  parseKeyFile,
  readKeyFile,
  writeKeyFile,
  type KeyFileErrorCode,
} from '../../../src/lib/key-file.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'd1-key-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const secret = `${'c0ffee'.repeat(5)}c0`;
const good = {
  format: 'sealane-key-1',
  algorithm: 'aes-gcm-128',
  run: '00112233445566778899aabbccddeeff',
  key: secret,
  salt: '01020304',
};

async function failure(promise: Promise<unknown>): Promise<KeyFileError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(KeyFileError);
  return error as KeyFileError;
}

describe('writeKeyFile and readKeyFile', () => {
  it.each(ALGORITHMS)('make and read a key for %s', async (algorithm) => {
    const path = join(folder, 'key');
    const run = await writeKeyFile(path, algorithm);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const key = await readKeyFile(path);
    expect(key.algorithm).toBe(algorithm);
    expect(key.run).toBe(run);
    expect(key.keying.length).toBe(keyBytes(algorithm) + ESP_SUITES[algorithm].salt);
    const text = JSON.parse(await readFile(path, 'utf8')) as typeof good;
    expect(Buffer.from(key.keying).toString('hex')).toBe(text.key + text.salt);
  });

  it('makes another key each time', () => {
    const runs = new Set<string>();
    const keys = new Set<string>();
    for (let i = 0; i < 20; i++) {
      const parsed = parseKeyFile(generateKeyFile('aes-gcm-256'));
      runs.add(parsed.run);
      keys.add(Buffer.from(parsed.keying).toString('hex'));
    }
    expect([runs.size, keys.size]).toEqual([20, 20]);
  });

  it('never overwrites', async () => {
    const path = join(folder, 'key');
    await writeFile(path, 'precious');
    expect((await failure(writeKeyFile(path, 'aes-gcm-128'))).code).toBe('EXISTS');
    expect(await readFile(path, 'utf8')).toBe('precious');
  });

  it('says when the folder is missing', async () => {
    const error = await failure(writeKeyFile(join(folder, 'no', 'key'), 'aes-gcm-128'));
    expect([error.code, error.message]).toEqual([
      'SYSTEM',
      `cannot make ${join(folder, 'no', 'key')} (ENOENT)`,
    ]);
  });
});

describe('readKeyFile refuses', () => {
  it.each([0o640, 0o604, 0o660, 0o601])('mode %o', async (mode) => {
    const path = join(folder, 'key');
    await writeKeyFile(path, 'aes-gcm-128');
    await chmod(path, mode);
    const error = await failure(readKeyFile(path));
    expect([error.code, error.message]).toEqual([
      'PERMISSIONS',
      `key file ${path} may be used by others`,
    ]);
  });

  it('a missing file, a link, a folder, a FIFO', async () => {
    const path = join(folder, 'key');
    const code = async (at: string): Promise<KeyFileErrorCode> =>
      (await failure(readKeyFile(at))).code;
    expect(await code(path)).toBe('NOT_FOUND');
    await writeKeyFile(path, 'aes-gcm-128');
    await symlink(path, join(folder, 'link'));
    expect(await code(join(folder, 'link'))).toBe('UNREADABLE');
    expect(await code(folder)).toBe('UNREADABLE');
    execFileSync('mkfifo', ['-m', '600', join(folder, 'fifo')]);
    expect(await code(join(folder, 'fifo'))).toBe('UNREADABLE');
  });

  it('a file that is far too long', async () => {
    const path = join(folder, 'key');
    await writeFile(path, JSON.stringify(good) + ' '.repeat(5000), { mode: 0o600 });
    expect((await failure(readKeyFile(path))).message).toContain('too long');
  });
});

describe('parseKeyFile', () => {
  const bad: [string, string, string][] = [
    ['not JSON', `{"key":"${secret}"`, 'it is not JSON'],
    ['no object', 'null', 'it is not a JSON object'],
    ['another format', JSON.stringify({ ...good, format: 'x' }), '"format" is not "sealane-key-1"'],
    ['short key', JSON.stringify({ ...good, key: secret.slice(2) }), '"key" is not 16 bytes'],
    ['key of 256 bits', JSON.stringify({ ...good, key: secret + secret }), '"key" is not 16 bytes'],
    ['no hex', JSON.stringify({ ...good, key: `zz${secret.slice(2)}` }), '"key" is not 16 bytes'],
    ['no salt', JSON.stringify({ ...good, salt: undefined }), '"salt" is not 4 bytes'],
    ['numeric run', JSON.stringify({ ...good, run: 5 }), '"run" is not 16 bytes'],
    ['algorithm', JSON.stringify({ ...good, algorithm: 'toString' }), 'unknown "algorithm"'],
  ];
  it.each(bad)('refuses %s without showing what it read', (_, text, reason) => {
    let error: unknown;
    try {
      parseKeyFile(text);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(KeyFileError);
    const { message, remedy, stack } = error as KeyFileError;
    expect(message).toContain(reason);
    expect(`${message}${remedy}${stack ?? ''}`).not.toContain('c0ffee');
  });

  it('gives key and salt in KEYMAT order', () => {
    const { keying } = parseKeyFile(JSON.stringify(good));
    expect(Buffer.from(keying).toString('hex')).toBe(`${secret}01020304`);
  });
});
