// SPDX-License-Identifier: Apache-2.0
/**
 * Diffie-Hellman groups and KEMs, as pure functions of their randomness. Key Exchange Data on the
 * wire (RFC 7296 §3.4), all numbers big-endian:
 *
 *   MODP     the public value, left-padded to the length of the modulus; so is the shared secret
 *   ECP      x | y, each of the length of the field; the shared secret is x (RFC 5903 §7)
 *   X25519   32 octets, little-endian as RFC 7748 has them (RFC 8031 §3.1)
 *   ML-KEM   encapsulation key from the initiator, ciphertext from the responder (FIPS 203 §7)
 *
 * RFC 6989's checks are made on every value received: range (MODP), point on the curve with both
 * coordinates below p (ECP), and X25519's result must not be zero (RFC 8031 §5). Our MODP groups are
 * of safe primes, where the range check suffices (RFC 6989 §2.1).
 */
import { createDiffieHellman, createECDH, getDiffieHellman } from 'node:crypto';
import { ml_kem1024, ml_kem512, ml_kem768 } from '@noble/post-quantum/ml-kem.js';
import type { EcpMethod, KeMethod, KemMethod, ModpMethod } from './algorithms.js';
import { primitives } from './primitives.js';
import { fail, ok, type Result } from './result.js';
import { join, ownMemory, wipe } from './secret.js';

/** What the initiator sends, and what it keeps until the answer comes. Secret: `secret`. */
export interface Offer {
  readonly publicData: Buffer;
  readonly secret: Buffer;
}
/** What the responder sends, and what both then know. Secret: `shared`. */
export interface Answer {
  readonly publicData: Buffer;
  readonly shared: Buffer;
}

/** Octets of randomness that `offer` takes: a private value, or d | z of FIPS 203. */
export const offerSeedBytes = (method: KeMethod): number =>
  method.kind === 'kem' ? 64 : method.privateBytes;

/** Octets of randomness that `answer` takes: a private value, or m of FIPS 203. */
export const answerSeedBytes = (method: KeMethod): number =>
  method.kind === 'kem' ? 32 : method.privateBytes;

/**
 * Whether the octets can be a private value: not 0 and, on a curve, below its order. Those that are
 * not are drawn again, which keeps the rest uniform. X25519 and KEMs take any.
 */
export function isPrivateValue(method: KeMethod, seed: Uint8Array): boolean {
  if (method.kind === 'kem' || method.kind === 'x25519') return true;
  if (seed.every((octet) => octet === 0)) return false;
  return method.kind === 'modp' || Buffer.compare(seed, ORDERS[method.curve]) < 0;
}

/** P-521's order has 521 bits, its octets 528: without this most draws would be too large. */
export function clampSeed(method: KeMethod, seed: Buffer): void {
  if (method.id === 21) seed.writeUInt8(seed.readUInt8(0) & 1, 0);
}

/** The initiator's first half. Throws when `seed` cannot be a private value. */
export function offer(method: KeMethod, seed: Uint8Array): Offer {
  if (method.kind === 'kem') {
    const { publicKey, secretKey } = KEMS[method.parameterSet].keygen(seed);
    const kept = join(secretKey);
    wipe(secretKey);
    return { publicData: join(publicKey), secret: kept };
  }
  const secret = join(seed);
  return { publicData: publicOf(method, secret), secret };
}

/** The initiator's second half: 'LENGTH' or 'PUBLIC_VALUE' for data that it must not use. */
export function agree(method: KeMethod, secret: Uint8Array, data: Uint8Array): Result<Buffer> {
  if (data.length !== method.responderBytes) return wrongLength();
  return method.kind === 'kem' ? decapsulate(method, secret, data) : combine(method, secret, data);
}

/** The responder: both halves at once. */
export function answer(method: KeMethod, seed: Uint8Array, data: Uint8Array): Result<Answer> {
  if (data.length !== method.initiatorBytes) return wrongLength();
  if (method.kind === 'kem') return encapsulate(method, seed, data);
  const secret = join(seed);
  // Data that is refused should not cost an exponentiation; of X25519 the costly part is shared.
  const early = method.kind === 'x25519' ? publicX25519(secret) : undefined;
  const shared = combine(method, secret, data);
  const both = shared.ok
    ? ok({ publicData: early ?? publicOf(method, secret), shared: shared.value })
    : shared;
  wipe(secret);
  return both;
}

type DhMethod = Exclude<KeMethod, KemMethod>;

function publicOf(method: DhMethod, secret: Uint8Array): Buffer {
  switch (method.kind) {
    case 'modp':
      return padded(modp(method, secret).generateKeys(), method.initiatorBytes);
    case 'ecp':
      return join(ecp(method, secret).getPublicKey().subarray(1));
    case 'x25519':
      return publicX25519(secret);
  }
}

function combine(method: DhMethod, secret: Uint8Array, data: Uint8Array): Result<Buffer> {
  switch (method.kind) {
    case 'modp':
      return combineModp(method, secret, data);
    case 'ecp':
      return combineEcp(method, secret, data);
    case 'x25519':
      return combineX25519(secret, data);
  }
}

/** RFC 6989 §2.1: 1 < y < p - 1. */
function combineModp(method: ModpMethod, secret: Uint8Array, data: Uint8Array): Result<Buffer> {
  const { one, last } = MODULI[method.group]();
  if (Buffer.compare(data, one) <= 0 || Buffer.compare(data, last) >= 0) return outside();
  const dh = modp(method, secret);
  return ok(padded(dh.computeSecret(data), method.sharedBytes));
}

/** OpenSSL refuses coordinates of p and more and points that are not on the curve. */
function combineEcp(method: EcpMethod, secret: Uint8Array, data: Uint8Array): Result<Buffer> {
  const dh = ecp(method, secret);
  try {
    return ok(padded(dh.computeSecret(join(UNCOMPRESSED, data)), method.sharedBytes));
  } catch {
    return outside();
  }
}

/** Kept with its secret for the second half of the exchange. */
function publicX25519(secret: Uint8Array): Buffer {
  const own = ownMemory(X25519_BYTES);
  primitives().x25519Public(secret, own);
  publicValues.set(secret, own);
  return join(own);
}

function combineX25519(secret: Uint8Array, data: Uint8Array): Result<Buffer> {
  const known = publicValues.get(secret);
  publicValues.delete(secret);
  const own = known ?? ownMemory(X25519_BYTES);
  if (known === undefined) primitives().x25519Public(secret, own);
  const shared = ownMemory(X25519_BYTES);
  return primitives().x25519Shared(secret, own, data, shared) ? ok(shared) : outside();
}

/** FIPS 203 §7.2: an encapsulation key whose numbers are not below q is refused. */
function encapsulate(method: KemMethod, m: Uint8Array, data: Uint8Array): Result<Answer> {
  try {
    const { cipherText, sharedSecret } = KEMS[method.parameterSet].encapsulate(data, m);
    const shared = join(sharedSecret);
    wipe(sharedSecret);
    return ok({ publicData: join(cipherText), shared });
  } catch {
    return outside();
  }
}

/** A ciphertext that is not ours gives an unpredictable secret (implicit rejection), no error. */
function decapsulate(method: KemMethod, secret: Uint8Array, data: Uint8Array): Result<Buffer> {
  const sharedSecret = KEMS[method.parameterSet].decapsulate(data, secret);
  const shared = join(sharedSecret);
  wipe(sharedSecret);
  return ok(shared);
}

const KEMS = { 512: ml_kem512, 768: ml_kem768, 1024: ml_kem1024 } as const;
const UNCOMPRESSED = Uint8Array.of(4); // SEC 1 §2.3.3

/** Orders of the curves' base points (FIPS 186-4 D.1.2). */
const ORDERS = {
  prime256v1: Buffer.from(
    'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551',
    'hex',
  ),
  secp384r1: Buffer.from(
    'ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
    'hex',
  ),
  secp521r1: Buffer.from(
    '01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa' +
      '51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409',
    'hex',
  ),
} as const;

const X25519_BYTES = 32;

/** From the first half of an exchange to the second. An entry is used once, and goes with its secret. */
const publicValues = new WeakMap<Uint8Array, Buffer>();

function ecp({ curve }: EcpMethod, secret: Uint8Array): ReturnType<typeof createECDH> {
  const dh = createECDH(curve);
  dh.setPrivateKey(secret);
  return dh;
}

function modp({ group }: ModpMethod, secret: Uint8Array): ReturnType<typeof createDiffieHellman> {
  const dh = createDiffieHellman(MODULI[group]().prime, Uint8Array.of(2));
  dh.setPrivateKey(secret);
  return dh;
}

interface Modulus {
  readonly prime: Buffer;
  /** 1 and p - 1, as long as p. */
  readonly one: Buffer;
  readonly last: Buffer;
}

const modulus = (group: ModpMethod['group']): (() => Modulus) => {
  let known: Modulus | undefined;
  return () => {
    if (known !== undefined) return known;
    const prime = getDiffieHellman(group).getPrime();
    const one = Buffer.alloc(prime.length);
    one.writeUInt8(1, prime.length - 1);
    const last = join(prime); // p is odd
    last.writeUInt8(last.readUInt8(prime.length - 1) - 1, prime.length - 1);
    known = { prime, one, last };
    return known;
  };
};
const MODULI = {
  modp14: modulus('modp14'),
  modp15: modulus('modp15'),
  modp16: modulus('modp16'),
} as const;

/** A number left-padded with zeros, in memory of its own; the original is wiped. */
function padded(value: Buffer, length: number): Buffer {
  const whole = join(new Uint8Array(length - value.length), value);
  wipe(value);
  return whole;
}

const wrongLength = (): Result<never> => fail('LENGTH', 'key exchange data of a wrong length');
const outside = (): Result<never> => fail('PUBLIC_VALUE', 'not a usable element of the group');
