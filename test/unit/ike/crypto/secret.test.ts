// SPDX-License-Identifier: Apache-2.0
/** Memory of key material: where it lies, and that it is zeros afterwards. */
import { expect, it } from 'vitest';
import { CIPHERS, INTEGRITY, PRFS, type Suite } from '../../../../src/ike/crypto/algorithms.js';
import { createOpener, createSealer } from '../../../../src/ike/crypto/protect.js';
import { join, keep, ownMemory, wipe } from '../../../../src/ike/crypto/secret.js';

it('is outside the heap of the garbage collector, which leaves copies of what it moves', () => {
  const before = process.memoryUsage().arrayBuffers;
  const all = Array.from({ length: 4000 }, () => [ownMemory(32), join(Buffer.alloc(32))]);
  expect(process.memoryUsage().arrayBuffers - before).toBeGreaterThan(200_000);
  expect(all.flat().every(({ buffer }) => buffer.byteLength === 32)).toBe(true);
});

it('kept keys share memory, and are the same as before until they are wiped, each alone', () => {
  const value = (i: number): Buffer => Buffer.alloc(1 + (i % 64), 1 + (i % 100));
  const kept = Array.from({ length: 500 }, (_, i) =>
    keep(value(i).subarray(0, 1), value(i).subarray(1)),
  );
  expect(kept.map((one, i) => one.equals(value(i)))).not.toContain(false);
  expect(new Set(kept.map(({ buffer }) => buffer)).size).toBeLessThan(20);
  wipe(...kept.filter((_, i) => i % 2 === 0));
  const wanted = (i: number): Buffer => (i % 2 === 0 ? Buffer.alloc(1 + (i % 64)) : value(i));
  expect(kept.map((one, i) => one.equals(wanted(i)))).not.toContain(false);
  // What was wiped is given to nobody else, who would then use a key of another IKE SA.
  expect(keep(value(7)).equals(value(7))).toBe(true);
  expect(kept[0]?.equals(Buffer.alloc(1))).toBe(true);
});

it('a key longer than what is shared has memory of its own', () => {
  const long = Buffer.alloc(5000, 7);
  expect(keep(long).equals(long)).toBe(true);
});

const prf = PRFS.sha256;
it.each<[string, Suite]>([
  ['AEAD', { prf, cipher: CIPHERS['aes-128-gcm'] }],
  ['CBC', { prf, cipher: CIPHERS['aes-128-cbc'], integrity: INTEGRITY.sha256 }],
])('%s: sealer and opener leave no octet of their keys behind', (_, suite) => {
  const integrity = Buffer.alloc('integrity' in suite ? suite.integrity.keyBytes : 0, 0xff);
  const encryption = Buffer.alloc(suite.cipher.keyBytes + suite.cipher.saltBytes, 0xff);
  // The next one kept lies behind theirs, in the same memory unless a new piece was begun.
  const first = keep(Uint8Array.of(1));
  const random = (length: number): Buffer => Buffer.alloc(length);
  const sealer = createSealer(suite, { encryption, integrity }, { random });
  const opener = createOpener(suite, { encryption, integrity });
  const last = keep(Uint8Array.of(1));
  const count = (): number =>
    [...new Set([first.buffer, last.buffer])]
      .flatMap((buffer) => [...new Uint8Array(buffer)])
      .filter((octet) => octet === 0xff).length;
  expect(count()).toBe(2 * (encryption.length + integrity.length));
  sealer.wipe();
  expect(count()).toBe(encryption.length + integrity.length);
  opener.wipe();
  expect(count()).toBe(0);
});
