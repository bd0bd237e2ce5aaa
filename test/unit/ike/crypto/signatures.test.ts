// SPDX-License-Identifier: Apache-2.0
/**
 * Signatures. Verified known answers: RFC 6979 A.2.5 (ECDSA P-256, "sample"), RFC 8032 §7.1 test 2
 * (Ed25519); AlgorithmIdentifiers: RFC 7427 Appendix A.
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  verify,
  type KeyObject,
} from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  keyFits,
  SCHEMES,
  signOctets,
  unwrapSignature,
  verifyOctets,
  wrapSignature,
  type SchemeName,
} from '../../../../src/ike/crypto/signatures.js';
import { hex } from './hex.js';

interface Pair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}
const KEYS: Readonly<Record<string, Pair>> = {
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  p256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  p384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  p521: generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  ed25519: generateKeyPairSync('ed25519'),
};
const anyCurve = ['p256', 'p384', 'p521'];
const FITTING: Readonly<Record<SchemeName, readonly string[]>> = {
  ...{ 'rsa-sha256': ['rsa'], 'rsa-sha384': ['rsa'], 'rsa-sha512': ['rsa'] },
  ...{ 'ecdsa-256': ['p256'], 'ecdsa-384': ['p384'], 'ecdsa-521': ['p521'] },
  ...{ 'pkcs1-sha256': ['rsa'], 'pkcs1-sha384': ['rsa'], 'pkcs1-sha512': ['rsa'] },
  ...{ 'pss-sha256': ['rsa'], 'pss-sha384': ['rsa'], 'pss-sha512': ['rsa'] },
  ...{ 'ecdsa-sha256': anyCurve, 'ecdsa-sha384': anyCurve, 'ecdsa-sha512': anyCurve },
  ed25519: ['ed25519'],
};
const NAMES = Object.keys(SCHEMES) as SchemeName[];
const octets = Buffer.from('signed octets');

describe.each(NAMES)('%s', (scheme) => {
  it('signs and verifies with the keys that fit, and no others', () => {
    for (const [name, { publicKey, privateKey }] of Object.entries(KEYS)) {
      const fits = FITTING[scheme].includes(name);
      expect([name, keyFits(scheme, publicKey)]).toEqual([name, fits]);
      const signed = signOctets(scheme, privateKey, octets);
      if (!fits) {
        const wrong = { ok: false, error: { code: 'KEY' } };
        expect(signed).toMatchObject(wrong);
        expect(verifyOctets(scheme, publicKey, octets, Buffer.alloc(64))).toMatchObject(wrong);
        continue;
      }
      if (!signed.ok) throw new Error(signed.error.code);
      expect(verifyOctets(scheme, publicKey, octets, signed.value)).toEqual({
        ok: true,
        value: true,
      });
      const bad = { ok: false, error: { code: 'SIGNATURE' } };
      const other = Buffer.from('signed octetz');
      expect(verifyOctets(scheme, publicKey, other, signed.value)).toMatchObject(bad);
      const changed = Buffer.from(signed.value);
      changed[changed.length - 1]! ^= 1;
      expect(verifyOctets(scheme, publicKey, octets, changed)).toMatchObject(bad);
      for (const form of [Buffer.alloc(0), Buffer.alloc(signed.value.length), Buffer.alloc(2000)]) {
        expect(verifyOctets(scheme, publicKey, octets, form)).toMatchObject(bad);
      }
    }
  });

  it('public and private keys are not taken for each other', () => {
    const { publicKey, privateKey } = KEYS[FITTING[scheme][0]!]!;
    const wrong = { ok: false, error: { code: 'KEY' } };
    expect(signOctets(scheme, publicKey, octets)).toMatchObject(wrong);
    expect(verifyOctets(scheme, privateKey, octets, Buffer.alloc(64))).toMatchObject(wrong);
  });
});

describe('encodings', () => {
  it('methods 9 to 11 have r | s, method 14 DER (RFC 4754 §7, RFC 7427 §3)', () => {
    const raw = [
      ['ecdsa-256', 'p256', 64, 'sha256'],
      ['ecdsa-384', 'p384', 96, 'sha384'],
      ['ecdsa-521', 'p521', 132, 'sha512'],
    ] as const;
    for (const [scheme, name, length, hash] of raw) {
      const { privateKey, publicKey: key } = KEYS[name]!;
      const signed = signOctets(scheme, privateKey, octets);
      if (!signed.ok) throw new Error(signed.error.code);
      expect(signed.value).toHaveLength(length);
      expect(verify(hash, octets, { key, dsaEncoding: 'ieee-p1363' }, signed.value)).toBe(true);
      const asDer = signOctets(`ecdsa-${hash}`, privateKey, octets);
      if (!asDer.ok) throw new Error(asDer.error.code);
      expect(asDer.value[0]).toBe(0x30);
      expect(verify(hash, octets, { key, dsaEncoding: 'der' }, asDer.value)).toBe(true);
    }
  });

  it('AlgorithmIdentifiers as in RFC 7427 Appendix A and RFC 8420', () => {
    const head = (scheme: SchemeName) => wrapSignature(scheme, Buffer.alloc(0)).toString('hex');
    expect(head('pkcs1-sha256')).toBe('0f300d06092a864886f70d01010b0500');
    expect(head('pkcs1-sha512')).toBe('0f300d06092a864886f70d01010d0500');
    expect(head('ecdsa-sha256')).toBe('0c300a06082a8648ce3d040302');
    expect(head('ecdsa-sha384')).toBe('0c300a06082a8648ce3d040303');
    expect(head('ed25519')).toBe('07300506032b6570');
    expect(head('pss-sha256')).toBe(
      '43304106092a864886f70d01010a3034a00f300d06096086480165030402010500' +
        'a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120',
    );
  });

  it('are read again, PSS in the ways that others write it', () => {
    for (const scheme of NAMES.filter((name) => SCHEMES[name].method === 14)) {
      expect(unwrapSignature(wrapSignature(scheme, octets))).toEqual({ scheme, signature: octets });
    }
    // RFC 7427 A.4.3: with the trailer field.
    const trailer = hex(`48304606092a864886f70d01010a3039a00f300d06096086480165030402010500
      a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120a303020101 aabb`);
    expect(unwrapSignature(trailer)).toEqual({ scheme: 'pss-sha256', signature: hex('aabb') });
  });

  it('what is not one of ours is not read: SHA-1, PSS with another salt, cut short', () => {
    const sha1 = hex('0f300d06092a864886f70d0101050500 aabb');
    expect(unwrapSignature(sha1)).toBeUndefined();
    const salt = wrapSignature('pss-sha256', octets);
    salt[67]! ^= 1; // the last octet of the identifier is the salt's length
    expect(unwrapSignature(salt)).toBeUndefined();
    expect(unwrapSignature(hex('0f300d06092a'))).toBeUndefined();
    expect(unwrapSignature(Buffer.alloc(0))).toBeUndefined();
    expect(() => wrapSignature('rsa-sha256', octets)).toThrow(RangeError);
  });
});

describe('known answers', () => {
  it('ECDSA P-256 with SHA-256 (RFC 6979 A.2.5)', () => {
    const x = hex('60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6');
    const y = hex('7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299');
    const jwk = { kty: 'EC', crv: 'P-256', x: x.toString('base64url'), y: y.toString('base64url') };
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    const signature = hex(`EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716
      F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8`);
    expect(verifyOctets('ecdsa-256', key, Buffer.from('sample'), signature).ok).toBe(true);
    expect(verifyOctets('ecdsa-256', key, Buffer.from('taste'), signature).ok).toBe(false);
  });

  it('Ed25519 (RFC 8032 §7.1, test 2)', () => {
    const seed = hex('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb');
    const der = Buffer.concat([hex('302e020100300506032b657004220420'), seed]);
    const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
    expect(signOctets('ed25519', key, hex('72'))).toEqual({
      ok: true,
      value: hex(`92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da
        085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00`),
    });
  });
});

it('weak keys do not fit: RSA below 2048 bits or with an exponent of one, other curves', () => {
  const weak = [
    generateKeyPairSync('rsa', { modulusLength: 1024 }),
    generateKeyPairSync('ec', { namedCurve: 'secp224r1' }),
    generateKeyPairSync('ec', { namedCurve: 'secp256k1' }),
    generateKeyPairSync('ed448'),
  ];
  for (const { publicKey } of weak) {
    for (const scheme of NAMES) expect(keyFits(scheme, publicKey)).toBe(false);
  }
  const { n } = KEYS['rsa']!.publicKey.export({ format: 'jwk' });
  const key = { kty: 'RSA', n: n!, e: 'AQ' };
  expect(keyFits('pss-sha256', createPublicKey({ key, format: 'jwk' }))).toBe(false);
});
