// SPDX-License-Identifier: Apache-2.0
/**
 * The body of SK payloads. Known answers: RFC 7634 Appendix B (an IKE message), AES-CBC of RFC 3602,
 * and AES-GCM of its specification, NIST's cases 4 and 16: behind their plaintext we seal the pad
 * length, so the ciphertext is the same and the tag another.
 */
import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { CIPHERS, INTEGRITY, PRFS, type Suite } from '../../../../src/ike/crypto/algorithms.js';
import { createOpener, createSealer } from '../../../../src/ike/crypto/protect.js';
import { hex } from './hex.js';

const prf = PRFS.sha256;
const none = new Uint8Array(0);
const random = (length: number) => Buffer.alloc(length, 0xa5);
const value = <T>(result: { ok: true; value: T } | { ok: false; error: { code: string } }): T => {
  if (!result.ok) throw new Error(result.error.code);
  return result.value;
};

describe('known answers', () => {
  it('ChaCha20-Poly1305: the IKE message of RFC 7634 Appendix B', () => {
    const suite: Suite = { prf, cipher: CIPHERS['chacha20-poly1305'] };
    const encryption = hex(
      `808182838485868788898a8b8c8d8e8f 909192939495969798999a9b9c9d9e9f a0a1a2a3`,
    );
    const keys = { encryption, integrity: none };
    const associated = hex('c0c1c2c3c4c5c6c7d0d1d2d3d4d5d6d7 2e202500 00000009 00000045 29000029');
    const body = hex(`1011121314151617 61039470 1f8d017f 7c129248 89
      6b71bfe2 5236efd7 cdc67066 906315b2`);
    const payloads = hex('0000000c 00004001 0000000a');
    const sealer = createSealer(suite, keys, { random, firstIv: 0x1011121314151617n });
    expect(sealer.sealedLength(payloads.length)).toBe(body.length);
    expect(value(sealer.seal(associated, payloads))).toEqual(body);
    expect(value(createOpener(suite, keys).open(associated, body))).toEqual(payloads);
  });

  it.each([
    [
      'aes-128-gcm',
      'feffe9928665731c6d6a8f9467308308',
      `42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e
       21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091`,
    ],
    [
      'aes-256-gcm',
      'feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308',
      `522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa
       8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662`,
    ],
  ] as const)(
    '%s: ciphertext of the GCM specification, cases 4 and 16',
    (name, key, ciphertext) => {
      const suite: Suite = { prf, cipher: CIPHERS[name] };
      const keys = { encryption: hex(`${key} cafebabe`), integrity: none };
      const associated = hex('feedfacedeadbeeffeedfacedeadbeefabaddad2');
      const payloads = hex(`d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72
      1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39`);
      const sealer = createSealer(suite, keys, { random, firstIv: 0xfacedbaddecaf888n });
      const body = value(sealer.seal(associated, payloads));
      expect(body.subarray(0, 8)).toEqual(hex('facedbaddecaf888'));
      expect(body.subarray(8, 68)).toEqual(hex(ciphertext));
      expect(value(createOpener(suite, keys).open(associated, body))).toEqual(payloads);
    },
  );

  it('AES-CBC: RFC 3602 case 4 under HMAC-SHA2-256-128 (RFC 4868)', () => {
    const integrity = INTEGRITY.sha256;
    const suite: Suite = { prf, cipher: CIPHERS['aes-128-cbc'], integrity };
    const keys = {
      encryption: hex('56e47a38c5598974bc46903dba290349'),
      integrity: Buffer.alloc(32, 7),
    };
    const iv = hex('8ce82eefbea0da3c44699ed7db51b7d9');
    const payloads = hex(`a0a1a2a3a4a5a6a7a8a9aaabacadaeaf b0b1b2b3b4b5b6b7b8b9babbbcbdbebf
      c0c1c2c3c4c5c6c7c8c9cacbcccdcecf d0d1d2d3d4d5d6d7d8d9dadbdcdddedf`);
    const body = value(createSealer(suite, keys, { random: () => iv }).seal(ASSOCIATED, payloads));
    expect(body.subarray(0, 16)).toEqual(iv);
    expect(body.subarray(16, 80)).toEqual(
      hex(`c30e32ffedc0774e6aff6af0869f71aa 0f3af07a9a31a9c684db207eb0ef8e4e
        35907aa632c3ffdf868bb7b29d3d46ad 83ce9f9a102ee99d49a53e87f4c3da55`),
    );
    const tag = createHmac('sha256', keys.integrity)
      .update(ASSOCIATED)
      .update(body.subarray(0, 96));
    expect(body.subarray(96)).toEqual(tag.digest().subarray(0, 16));
    expect(value(createOpener(suite, keys).open(ASSOCIATED, body))).toEqual(payloads);
  });
});

const ASSOCIATED = Buffer.from('header of the message and of the payload');
const cbc = (name: 'aes-128-cbc' | 'aes-256-cbc', hash: 'sha256' | 'sha384' | 'sha512'): Suite => ({
  ...{ prf, cipher: CIPHERS[name], integrity: INTEGRITY[hash] },
});
const SUITES: readonly (readonly [string, Suite])[] = [
  ['AES-GCM-128', { prf, cipher: CIPHERS['aes-128-gcm'] }],
  ['AES-GCM-256', { prf, cipher: CIPHERS['aes-256-gcm'] }],
  ['ChaCha20-Poly1305', { prf, cipher: CIPHERS['chacha20-poly1305'] }],
  ['AES-CBC-128, SHA2-256', cbc('aes-128-cbc', 'sha256')],
  ['AES-CBC-256, SHA2-384', cbc('aes-256-cbc', 'sha384')],
  ['AES-CBC-256, SHA2-512', cbc('aes-256-cbc', 'sha512')],
];

describe.each(SUITES)('%s', (_name, suite) => {
  const { keyBytes, saltBytes } = suite.cipher;
  const keys = {
    encryption: Buffer.alloc(keyBytes + saltBytes, 0x11),
    integrity: Buffer.alloc('integrity' in suite ? suite.integrity.keyBytes : 0, 0x22),
  };

  it('opens what it sealed, of any length, with the length that it foretold', () => {
    const sealer = createSealer(suite, keys, { random });
    const opener = createOpener(suite, keys);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (payloads) => {
        const body = value(sealer.seal(ASSOCIATED, payloads));
        expect(body).toHaveLength(sealer.sealedLength(payloads.length));
        expect(value(opener.open(ASSOCIATED, body))).toEqual(Buffer.from(payloads));
      }),
    );
  });

  it('refuses whatever has one bit changed, in the body or before it', () => {
    const body = value(createSealer(suite, keys, { random }).seal(ASSOCIATED, Buffer.alloc(20, 9)));
    const opener = createOpener(suite, keys);
    for (let at = 0; at < body.length; at++) {
      const changed = Buffer.from(body);
      changed[at]! ^= 1 << (at % 8);
      expect(opener.open(ASSOCIATED, changed)).toMatchObject({ error: { code: 'INTEGRITY' } });
    }
    const other = Buffer.concat([ASSOCIATED, Buffer.from([0])]);
    expect(opener.open(other, body)).toMatchObject({ error: { code: 'INTEGRITY' } });
  });

  it('refuses every shorter body', () => {
    const body = value(createSealer(suite, keys, { random }).seal(ASSOCIATED, none));
    const opener = createOpener(suite, keys);
    for (let length = 0; length < body.length; length++) {
      const { ok } = opener.open(ASSOCIATED, body.subarray(0, length));
      expect(ok).toBe(false);
    }
  });

  it('keeps keys of its own, and seals nothing once they are wiped', () => {
    const given = {
      encryption: Buffer.from(keys.encryption),
      integrity: Buffer.from(keys.integrity),
    };
    const sealer = createSealer(suite, given, { random });
    given.encryption.fill(0);
    given.integrity.fill(0);
    const body = value(sealer.seal(ASSOCIATED, none));
    expect(value(createOpener(suite, keys).open(ASSOCIATED, body))).toEqual(Buffer.alloc(0));
    sealer.wipe();
    expect(sealer.seal(ASSOCIATED, none)).toMatchObject({ error: { code: 'EXHAUSTED' } });
  });

  it('takes only keys of its length', () => {
    const short = { ...keys, encryption: keys.encryption.subarray(1) };
    expect(() => createSealer(suite, short, { random })).toThrow(RangeError);
    expect(() => createOpener(suite, short)).toThrow(RangeError);
  });
});

describe('AEAD IVs', () => {
  const suite: Suite = { prf, cipher: CIPHERS['aes-128-gcm'] };
  const keys = { encryption: Buffer.alloc(20, 1), integrity: none };

  it('count up and are never used twice', () => {
    const sealer = createSealer(suite, keys, { random, firstIv: 255n });
    const ivs = [1, 2, 3].map(() => value(sealer.seal(none, none)).subarray(0, 8).toString('hex'));
    expect(ivs).toEqual(['00000000000000ff', '0000000000000100', '0000000000000101']);
    expect(sealer.nextIv).toBe(258n);
  });

  it('end: then the key is used up', () => {
    const sealer = createSealer(suite, keys, { random, firstIv: (1n << 64n) - 1n });
    expect(value(sealer.seal(none, none)).subarray(0, 8)).toEqual(Buffer.alloc(8, 0xff));
    expect(sealer.seal(none, none)).toMatchObject({ error: { code: 'EXHAUSTED' } });
  });
});

describe('padding', () => {
  it('a pad length beyond the payload is refused, though authenticated', () => {
    const suite = cbc('aes-128-cbc', 'sha256');
    const keys = { encryption: Buffer.alloc(16, 1), integrity: Buffer.alloc(32, 2) };
    const sealed = value(createSealer(suite, keys, { random }).seal(none, Buffer.alloc(15, 3)));
    // CBC: a bit flipped in the IV flips the same bit of the first block, here the pad length.
    const forged = Buffer.from(sealed.subarray(0, 32));
    forged[15]! ^= 200;
    const tag = createHmac('sha256', keys.integrity).update(forged).digest().subarray(0, 16);
    const opener = createOpener(suite, keys);
    const answer = opener.open(none, Buffer.concat([forged, tag]));
    expect(answer).toMatchObject({ error: { code: 'PADDING' } });
    forged[15]! ^= 200 ^ 15; // fifteen octets of padding, whatever they hold: nothing is left
    const good = createHmac('sha256', keys.integrity).update(forged).digest().subarray(0, 16);
    expect(value(opener.open(none, Buffer.concat([forged, good])))).toEqual(Buffer.alloc(0));
  });
});
