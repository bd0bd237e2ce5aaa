// SPDX-License-Identifier: Apache-2.0
/** The addon's cryptography gives what node:crypto gives. */
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { loadAddon } from '../../../src/forwarding/addon/load.js';
import { nodePrimitives } from '../../../src/ike/crypto/primitives.js';
import type { NativeCrypto } from '../../../src/lib/native-crypto.js';

const addon = loadAddon().crypto;
const BAD = { code: 'BAD_ARGUMENT' };
const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
/** What a call writes; it begins with other octets, so that what is not written shows. */
function written(length: number, call: (to: Uint8Array) => void): string {
  const to = new Uint8Array(length).fill(0xa5);
  call(to);
  return Buffer.from(to).toString('hex');
}
const HASHES = { sha256: 32, sha384: 48, sha512: 64 } as const;
const CIPHERS = { 'aes-128-gcm': 16, 'aes-256-gcm': 32, 'chacha20-poly1305': 32 } as const;
const names = <Name extends string>(of: Readonly<Record<Name, number>>): readonly Name[] =>
  Object.keys(of).filter((name): name is Name => Object.hasOwn(of, name));

describe('HMAC and prf+', () => {
  test.each(names(HASHES))('%s: keys and parts of any length, none included', (hash) => {
    for (const keyBytes of [0, 1, 32, 64, 128, 129, 300]) {
      const key = randomBytes(keyBytes);
      const parts = Array.from({ length: randomInt(5) }, () => randomBytes(randomInt(200)));
      const made = (by: NativeCrypto): string =>
        written(HASHES[hash], (to) => {
          by.hmac(hash, key, parts, to);
        });
      expect(made(addon)).toBe(made(nodePrimitives));
      for (const length of [0, 1, HASHES[hash], HASHES[hash] + 1, 255 * HASHES[hash]]) {
        const stream = (by: NativeCrypto): string =>
          written(length, (to) => {
            by.prfPlus(hash, key, parts, to);
          });
        expect(stream(addon)).toBe(stream(nodePrimitives));
      }
    }
  });

  test('SHA-1', () => {
    for (const length of [0, 1, 30, 1000]) {
      const octets = randomBytes(length);
      const digest = written(20, (to) => {
        addon.sha1(octets, to);
      });
      expect(digest).toBe(createHash('sha1').update(octets).digest('hex'));
    }
  });

  test('RFC 4231 test case 2', () => {
    const key = Buffer.from('Jefe');
    const parts = [Buffer.from('what do ya want '), Buffer.from('for nothing?')];
    const mac = written(32, (to) => {
      addon.hmac('sha256', key, parts, to);
    });
    expect(mac).toBe('5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843');
  });

  test('refuse what does not fit', () => {
    const key = randomBytes(32);
    const hmac = (bytes: number) => () => {
      addon.hmac('sha256', key, [], new Uint8Array(bytes));
    };
    expect(hmac(31)).toThrow(expect.objectContaining(BAD));
    expect(hmac(33)).toThrow(expect.objectContaining(BAD));
    const tooLong = () => {
      addon.prfPlus('sha256', key, [], new Uint8Array(255 * 32 + 1));
    };
    expect(tooLong).toThrow(expect.objectContaining(BAD));
    const unknown = () => {
      Reflect.apply(Reflect.get(addon, 'hmac'), addon, ['md5', key, [], new Uint8Array(16)]);
    };
    expect(unknown).toThrow(expect.objectContaining(BAD));
  });
});

describe('AEADs', () => {
  test.each(names(CIPHERS))('%s: the same octets, and neither takes a forged one', (cipher) => {
    const keyNonce = randomBytes(CIPHERS[cipher] + 12);
    for (const length of [0, 1, 15, 16, 17, 1000]) {
      const [associated, plaintext] = [randomBytes(randomInt(100)), randomBytes(length)];
      const seal = (by: NativeCrypto): string =>
        written(length + 16, (to) => {
          by.seal(cipher, keyNonce, associated, plaintext, to);
        });
      const sealed = seal(addon);
      expect(sealed).toBe(seal(nodePrimitives));
      for (const by of [addon, nodePrimitives]) {
        const to = new Uint8Array(length);
        expect(by.open(cipher, keyNonce, associated, hex(sealed), to)).toBe(true);
        expect(Buffer.from(to).equals(plaintext)).toBe(true);
        const forged = hex(sealed);
        const at = randomInt(forged.length);
        forged[at] = (forged[at] ?? 0) ^ 1;
        expect(by.open(cipher, keyNonce, associated, forged, to)).toBe(false);
        expect(to.every((octet) => octet === 0)).toBe(true);
      }
    }
  });

  test('refuse keys, nonces and room of another length', () => {
    const [keyNonce, none] = [randomBytes(28), new Uint8Array(0)];
    const seal = (keys: Uint8Array, room: number) => () => {
      addon.seal('aes-128-gcm', keys, none, none, new Uint8Array(room));
    };
    expect(seal(keyNonce, 16)).not.toThrow();
    expect(seal(randomBytes(44), 16)).toThrow(expect.objectContaining(BAD));
    expect(seal(randomBytes(24), 16)).toThrow(expect.objectContaining(BAD));
    expect(seal(keyNonce, 15)).toThrow(expect.objectContaining(BAD));
    const short = () => addon.open('aes-128-gcm', keyNonce, none, randomBytes(15), none);
    expect(short).toThrow(expect.objectContaining(BAD));
  });
});

describe('X25519', () => {
  const publicOf = (by: NativeCrypto, secret: Uint8Array): string =>
    written(32, (to) => {
      by.x25519Public(secret, to);
    });
  const sharedOf = (by: NativeCrypto, secret: Uint8Array, peer: Uint8Array): string =>
    written(32, (to) => {
      expect(by.x25519Shared(secret, hex(publicOf(by, secret)), peer, to)).toBe(true);
    });

  test('the same public values and secrets', () => {
    for (let n = 0; n < 20; n++) {
      const [one, other] = [randomBytes(32), randomBytes(32)];
      const peer = publicOf(addon, other);
      expect(peer).toBe(publicOf(nodePrimitives, other));
      const shared = sharedOf(addon, one, hex(peer));
      expect(shared).toBe(sharedOf(nodePrimitives, one, hex(peer)));
      expect(shared).toBe(sharedOf(addon, other, hex(publicOf(addon, one))));
    }
  });

  test('points of small order give nothing', () => {
    const points = ['00'.repeat(32), `01${'00'.repeat(31)}`];
    for (const by of [addon, nodePrimitives]) {
      const secret = randomBytes(32);
      const own = hex(publicOf(by, secret));
      for (const point of points) {
        expect(by.x25519Shared(secret, own, hex(point), new Uint8Array(32))).toBe(false);
      }
    }
  });

  test('refuses numbers of another length', () => {
    const number = randomBytes(32);
    const short = () => {
      addon.x25519Public(number.subarray(1), new Uint8Array(32));
    };
    expect(short).toThrow(expect.objectContaining(BAD));
    const long = () => addon.x25519Shared(number, number, randomBytes(33), new Uint8Array(32));
    expect(long).toThrow(expect.objectContaining(BAD));
  });
});
