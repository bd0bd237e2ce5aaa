// SPDX-License-Identifier: Apache-2.0
/**
 * Known answers: HMAC of RFC 4231; SKEYSEED, prf+ and rekey of NIST's CAVS samples for IKEv2 (those
 * that NSS's tests quote too). For what has no published vector (child SAs, RFC 8784, 9370, 9242) the
 * expectation is written out from the RFC's formula with HMAC calls of its own.
 */
import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { CIPHERS, INTEGRITY, PRFS, type Suite } from '../../../../src/ike/crypto/algorithms.js';
import { intAuth, pskAuth, sameAuth, signedOctets } from '../../../../src/ike/crypto/auth.js';
import {
  childKeys,
  ikeKeys,
  initialSkeyseed,
  mixPpk,
  nextSkeyseed,
  prf,
  prfPlus,
  wipeChildKeys,
  wipeIkeKeys,
} from '../../../../src/ike/crypto/kdf.js';
import { hex } from './hex.js';

const sha256 = (key: Uint8Array, ...data: readonly Uint8Array[]) =>
  createHmac('sha256', key).update(Buffer.concat(data)).digest();

describe('HMAC-SHA2 (RFC 4231 §4.3)', () => {
  const key = Buffer.from('Jefe');
  const data = Buffer.from('what do ya want for nothing?');
  it.each([
    ['sha256', '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843'],
    [
      'sha384',
      'af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649',
    ],
    [
      'sha512',
      '164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554' +
        '9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737',
    ],
  ] as const)('%s', (name, expected) => {
    expect(prf(PRFS[name], key, data.subarray(0, 5), data.subarray(5)).toString('hex')).toBe(
      expected,
    );
  });
});

interface Sample {
  readonly prf: 'sha256' | 'sha384';
  readonly ni: string;
  readonly nr: string;
  readonly gir: string;
  readonly girNew: string;
  readonly spiI: string;
  readonly spiR: string;
  readonly skeyseed: string;
  readonly dkm: string;
  readonly rekeyed: string;
}
const SAMPLES: readonly Sample[] = [
  {
    prf: 'sha256',
    ni: '3f302be1abcb28e1',
    nr: '8c332ee006064c9b',
    gir: '0f4d257d7a58fc4545c7d7a88119eee5d5c9690c5b4c989171d3abbfd99d1d29',
    girNew: '25f3b12d6f282739256e39bf54eda53b60ffcf379bb7bcc90c27b4c4c578616c',
    spiI: '40dac39e1e1a8640',
    spiR: '8619a1cf9a6e4c07',
    skeyseed: '5f00d1bd2c58ec224b1e6b71fa0f19a1faa7a193952c444411b47c1a9d8ba6fe',
    dkm: `0b137d669b0947d7d026d593f0305ad401ff0c471357d695778a9c7f4b4869ece98aca531
      188d16041b3bb936d2dbb3b4993a6e768a809160de45d0283f273a6cdf6854379e31be72b
      8d3d1fa990cf9c5b015ca9f918a7df6253c958114a09d4e1c19bdcd4db14b29d98db1a74a
      d405c588662c14a04d0d36aa4ab55e90f8986d12d4aad`,
    rekeyed: '2d63f6debc92048b4fef3889c4c99ca67d6496e0fac14a2bca9a2d6566ff2398',
  },
  {
    prf: 'sha384',
    ni: 'fd1b572a8e735591',
    nr: '6013b0ef88dacd3d',
    gir: 'd3288cd87565101e88fe3bad918f31939d8dd26ff1071f8b2d7f447524e58d7c',
    girNew: '3358f620539473aee8d07e779764c4c6a9aabddc79a28e136b3bac021dbde44a',
    spiI: '2116ad07ce61f749',
    spiR: '24880e55f11a65b7',
    skeyseed: `69fe7a1ac94adaeb711295f5fe004b1a8d6a0b65d05692758ce8ad2f7a45f59d7d0b596f5
      1f7dfcf3330061888f6a94f`,
    dkm: `4f904c2025c90c817ea5ff9b662a6fdb445a73b57cdf09eacd379b95e1f03cacb04cd6dee
      da4f952191dd9bc1f7a9502471a648d74dc06d38112de48a42501f6b1a3ad55c2099cd9a6
      48e5f17e5bf3e34bf9b5953decb768a34f875fe2b78dca0c2fcca81ec1a412006dfaed38f
      a06882e61f4c148105fb8e231fdb33c4d484c001721d4`,
    rekeyed: `e0548c1682e13bce454026b3b1bdf42985b24e4e7408095a7c529de38c3d1fcb04c9fe686
      8042a34c9614c6c99e3fcea`,
  },
];

describe.each(SAMPLES)('NIST CAVS, IKEv2 with $prf', (sample) => {
  const algorithm = PRFS[sample.prf];
  const nonces = { initiator: hex(sample.ni), responder: hex(sample.nr) };
  const skeyseed = hex(sample.skeyseed);
  const seed = [hex(sample.ni), hex(sample.nr), hex(sample.spiI), hex(sample.spiR)];

  it('SKEYSEED of IKE_SA_INIT', () => {
    expect(initialSkeyseed(algorithm, nonces, hex(sample.gir))).toEqual(skeyseed);
  });

  it('prf+, whole and cut short', () => {
    expect(prfPlus(algorithm, skeyseed, 132, ...seed)).toEqual(hex(sample.dkm));
    expect(prfPlus(algorithm, skeyseed, 15, ...seed)).toEqual(hex(sample.dkm).subarray(0, 15));
  });

  it('SKEYSEED of a rekeyed IKE SA', () => {
    const skD = hex(sample.dkm).subarray(0, algorithm.bytes);
    expect(nextSkeyseed(algorithm, skD, nonces, hex(sample.girNew))).toEqual(hex(sample.rekeyed));
  });
});

it('NIST CAVS with sha512: prf(Ni | Nr, g^ir)', () => {
  const nonces = { initiator: hex('acadc6314a69cfcd'), responder: hex('4e4ad17718fea7ce') };
  const gir = hex('b15a9cfce8c8d7eab879d6243029d40188d3b740875a6ac62f56cac4377e2edd');
  expect(initialSkeyseed(PRFS.sha512, nonces, gir).toString('hex')).toBe(
    'f05aa036dfce45a558d40418dea98096e519bc7841e3db3dd93658d118c3e83b' +
      '502f398ecb1361ec77d38a8855efff407f6f772e5d65b58eb1134096e8478d2b',
  );
});

const nonces = { initiator: Buffer.alloc(32, 1), responder: Buffer.alloc(24, 2) };
const spis = { initiator: Buffer.alloc(8, 3), responder: Buffer.alloc(8, 4) };
const skD = Buffer.alloc(32, 5);
const [ke0, ke1, ke2] = [Buffer.alloc(32, 6), Buffer.alloc(32, 7), Buffer.alloc(32, 8)] as const;
const { initiator: ni, responder: nr } = nonces;

describe('keys of an IKE SA (RFC 7296 §2.14)', () => {
  const gcm: Suite = { prf: PRFS.sha256, cipher: CIPHERS['aes-256-gcm'] };
  const { sha512: integrity } = INTEGRITY;
  const cbc: Suite = { prf: PRFS.sha256, cipher: CIPHERS['aes-128-cbc'], integrity };

  it('are cut in order; an AEAD has a salt and no SK_a', () => {
    const keys = ikeKeys(gcm, ke0, nonces, spis);
    const lengths = Object.values(keys).map((key: Buffer) => key.length);
    expect(lengths).toEqual([32, 0, 0, 36, 36, 32, 32]);
    const stream = prfPlus(PRFS.sha256, ke0, 168, ni, nr, spis.initiator, spis.responder);
    expect(Buffer.concat(Object.values(keys))).toEqual(stream);
  });

  it('CBC has SK_a', () => {
    const { d, ai, ar, ei, er, pi, pr } = ikeKeys(cbc, ke0, nonces, spis);
    const lengths = [d, ai, ar, ei, er, pi, pr].map((key) => key.length);
    expect(lengths).toEqual([32, 64, 64, 16, 16, 32, 32]);
  });

  it('RFC 8784: SK_d, SK_pi and SK_pr are mixed with the PPK, the others kept, nothing shared', () => {
    const keys = ikeKeys(cbc, ke0, nonces, spis);
    const ppk = Buffer.alloc(40, 9);
    const mixed = mixPpk(PRFS.sha256, keys, ppk);
    const mix = (key: Buffer) => sha256(ppk, key, Uint8Array.of(1));
    expect(mixed).toEqual({ ...keys, d: mix(keys.d), pi: mix(keys.pi), pr: mix(keys.pr) });
    wipeIkeKeys(keys);
    expect(Object.values(keys).every((key: Buffer) => key.every((octet) => octet === 0))).toBe(
      true,
    );
    expect(mixed.ei.some((octet) => octet !== 0)).toBe(true);
  });

  it('RFC 9370: SKEYSEED(n) after IKE_INTERMEDIATE, and of a rekey with more exchanges', () => {
    expect(nextSkeyseed(PRFS.sha256, skD, nonces, ke1)).toEqual(sha256(skD, ke1, ni, nr));
    expect(nextSkeyseed(PRFS.sha256, skD, nonces, ke0, [ke1, ke2])).toEqual(
      sha256(skD, ke0, ni, nr, ke1, ke2),
    );
  });

  it('prf+ is defined for 255 blocks', () => {
    expect(prfPlus(PRFS.sha256, skD, 255 * 32, ni)).toHaveLength(8160);
    expect(() => prfPlus(PRFS.sha256, skD, 255 * 32 + 1, ni)).toThrow(RangeError);
  });
});

describe('keys of a child SA (RFC 7296 §2.17, RFC 9370 §2.2.4)', () => {
  it.each([
    ['without PFS', [], [ni, nr]],
    ['with PFS', [ke0], [ke0, ni, nr]],
    ['with more exchanges', [ke0, ke1, ke2], [ke0, ni, nr, ke1, ke2]],
  ])('%s', (_name, exchanges, seed) => {
    const lengths = { encryption: 20, integrity: 16 };
    const keys = childKeys(PRFS.sha256, skD, nonces, lengths, exchanges);
    const t1 = sha256(skD, ...seed, Uint8Array.of(1));
    const t2 = sha256(skD, t1, ...seed, Uint8Array.of(2));
    const t3 = sha256(skD, t2, ...seed, Uint8Array.of(3));
    const keymat = Buffer.concat([t1, t2, t3]);
    expect(keys).toEqual({
      initiator: { encryption: keymat.subarray(0, 20), integrity: keymat.subarray(20, 36) },
      responder: { encryption: keymat.subarray(36, 56), integrity: keymat.subarray(56, 72) },
    });
    wipeChildKeys(keys);
    expect(keys.responder.encryption).toEqual(Buffer.alloc(20));
  });
});

describe('AUTH', () => {
  it('of a preshared key (RFC 7296 §2.15)', () => {
    const signer = {
      ...{ message: Buffer.from('message'), peerNonce: nr, skP: skD },
      identity: hex('01000000 c0000201'),
    };
    const octets = signedOctets(PRFS.sha256, signer);
    expect(octets).toEqual(Buffer.concat([signer.message, nr, sha256(skD, signer.identity)]));
    const psk = Buffer.from('a secret');
    const auth = pskAuth(PRFS.sha256, psk, octets);
    expect(auth).toEqual(sha256(sha256(psk, Buffer.from('Key Pad for IKEv2')), octets));
    expect(sameAuth(auth, Buffer.from(auth))).toBe(true);
    expect(sameAuth(auth, pskAuth(PRFS.sha256, Buffer.from('another'), octets))).toBe(false);
    expect(sameAuth(auth, auth.subarray(1))).toBe(false);
    expect(signedOctets(PRFS.sha256, { ...signer, intAuth: ke1 })).toEqual(
      Buffer.concat([octets, ke1]),
    );
  });

  it('of IKE_INTERMEDIATE (RFC 9242 §3.3.2)', () => {
    const first = intAuth(PRFS.sha256, skD, undefined, ke0, ke1);
    expect(first).toEqual(sha256(skD, ke0, ke1));
    expect(intAuth(PRFS.sha256, ke2, first, ke0, ke1)).toEqual(sha256(ke2, first, ke0, ke1));
  });
});
