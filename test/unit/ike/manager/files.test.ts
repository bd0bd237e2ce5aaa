// SPDX-License-Identifier: Apache-2.0
/** Files of IKE SAs. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openFileStore } from '../../../../src/ike/manager/persist-driver.js';
import { createLogger } from '../../../../src/lib/log.js';
import { Net } from './bench.js';

let folder: string;
const lines: string[] = [];
const log = createLogger({ write: (line) => lines.push(line), now: () => '' });

beforeEach(() => {
  // A file system that is memory, as the store wants it.
  folder = mkdtempSync('/dev/shm/sealane-ike-');
  lines.length = 0;
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const modeOf = (path: string): number => statSync(path).mode & 0o777;

test('a file per IKE SA, for our eyes alone, whole or not there', () => {
  const directory = join(folder, 'sas');
  const store = openFileStore({ directory, epoch: 'one', log });
  store.put(0x1234n, Uint8Array.of(1, 2, 3));
  store.put(0xffffffffffffffffn, Uint8Array.of(4));
  store.put(0x1234n, Uint8Array.of(5, 6));
  expect(readdirSync(directory).sort()).toEqual(['0000000000001234.sa', 'ffffffffffffffff.sa']);
  expect([modeOf(directory), modeOf(join(directory, '0000000000001234.sa'))]).toEqual([
    0o700, 0o600,
  ]);
  const again = openFileStore({ directory, epoch: 'one', log });
  expect(again.load().map((octets) => [...octets])).toEqual([[5, 6], [4]]);
  again.remove(0x1234n);
  again.remove(0x1234n);
  expect(again.load()).toHaveLength(1);
});

test('what others could have put there is removed, not read', () => {
  const directory = join(folder, 'sas');
  const store = openFileStore({ directory, epoch: 'one', log });
  const foreign = join(folder, 'foreign');
  writeFileSync(foreign, 'x');
  symlinkSync(foreign, join(directory, '0000000000000001.sa'));
  writeFileSync(join(directory, '0000000000000002.sa'), 'x', { mode: 0o644 });
  chmodSync(join(directory, '0000000000000002.sa'), 0o644);
  writeFileSync(join(directory, '0000000000000003.sa.new'), 'x', { mode: 0o600 });
  writeFileSync(join(directory, '0000000000000004.sa'), Buffer.alloc((1 << 20) + 1), {
    mode: 0o600,
  });
  mkdirSync(join(directory, '0000000000000005.sa'));
  writeFileSync(join(directory, '0000000000000006.sa'), 'good', { mode: 0o600 });
  expect(store.load().map((octets) => Buffer.from(octets).toString())).toEqual(['good']);
  expect(readdirSync(directory)).toEqual(['0000000000000006.sa']);
  expect(readFileSync(foreign, 'latin1')).toBe('x');
});

test('never on a disk, never in a directory of others', () => {
  const open = (directory: string) => () => openFileStore({ directory, epoch: 'one', log });
  const wide = join(folder, 'wide');
  mkdirSync(wide);
  chmodSync(wide, 0o755);
  expect(open(wide)).toThrow(/0700/);
  const link = join(folder, 'link');
  symlinkSync(wide, link);
  expect(open(link)).toThrow(/0700/);
  const onDisk = mkdtempSync(join(process.cwd(), 'build', 'ike-disk-'));
  try {
    // A checkout on a tmpfs has no disk to try it with.
    if (statfsSync(onDisk).type !== 0x0102_1994) expect(open(onDisk)).toThrow(/tmpfs/);
  } finally {
    rmSync(onDisk, { recursive: true });
  }
  expect(open('/proc/self/net')).toThrow(/0700|tmpfs/);
});

test('without room the old file goes: nobody goes on from what is not true any more', () => {
  const directory = join(folder, 'sas');
  const store = openFileStore({ directory, epoch: 'one', log });
  store.put(1n, Uint8Array.of(1));
  // A directory in its way is what a full file system looks like from here.
  mkdirSync(join(directory, '0000000000000001.sa.new'));
  writeFileSync(join(directory, '0000000000000001.sa.new', 'x'), '');
  expect(() => {
    store.put(1n, Uint8Array.of(2));
  }).not.toThrow();
  expect(existsSync(join(directory, '0000000000000001.sa'))).toBe(false);
  expect(lines.filter((line) => line.includes('will not outlive'))).toHaveLength(1);
  // There is room again.
  store.put(1n, Uint8Array.of(3));
  expect(store.load().map((octets) => [...octets])).toEqual([[3]]);
});

test('a supervisor goes on from real files; a closed IKE SA leaves none', async () => {
  const directory = join(folder, 'sas');
  const net = new Net();
  const store = openFileStore({ directory, epoch: 'one', log });
  const [a, b] = [net.pe('10.0.0.1', { store }), net.pe('10.0.0.2')];
  a.want(b);
  await net.pass(1000);
  expect(readdirSync(directory)).toHaveLength(1);
  a.restart(true);
  expect(a.rows).toEqual(['initiator of 10.0.0.2 established: encrypt/gre live']);
  const rekeyed = a.manager.rekey({}, 'ike');
  await net.pass(5000);
  expect(await rekeyed).toEqual({ ok: true, value: 1 });
  expect(readdirSync(directory)).toHaveLength(1);
  void a.manager.stop(1000);
  await net.pass(1000);
  expect(readdirSync(directory)).toEqual([]);
});
