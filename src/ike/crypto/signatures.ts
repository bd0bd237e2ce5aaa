// SPDX-License-Identifier: Apache-2.0
/**
 * Signatures of AUTH payloads (RFC 7296 §3.8). Authentication methods:
 *
 *    1  RSA Digital Signature: PKCS#1 v1.5, here never with SHA-1 (RFC 8247 §3.1)
 *    9  ECDSA with SHA-256 on P-256      signature is r | s, each as long as the order (RFC 4754 §7)
 *   10  ECDSA with SHA-384 on P-384
 *   11  ECDSA with SHA-512 on P-521
 *   14  Digital Signature (RFC 7427 §3), Ed25519 as RFC 8420 has it:
 *
 *     +---------------+-----------------------------------------------+
 *     | ASN.1 Length  | AlgorithmIdentifier object (DER)              |
 *     +---------------+-----------------------------------------------+
 *     | Signature value (ECDSA: DER of r and s)                       |
 *     +---------------------------------------------------------------+
 */
import { constants, sign, verify, type KeyObject } from 'node:crypto';
import type { HashName } from './algorithms.js';
import { fail, ok, type Result } from './result.js';
import { join } from './secret.js';

export const AUTH_METHOD = {
  rsa: 1,
  sharedKey: 2,
  ecdsa256: 9,
  ecdsa384: 10,
  ecdsa521: 11,
  digitalSignature: 14,
} as const;

/** IANA "IKEv2 Hash Algorithms", of SIGNATURE_HASH_ALGORITHMS (RFC 7427 §7, RFC 8420 §3). */
export const HASH_ID = { sha256: 2, sha384: 3, sha512: 4, identity: 5 } as const;

export type SchemeName = keyof typeof SCHEMES;

interface Scheme {
  readonly method: 1 | 9 | 10 | 11 | 14;
  readonly kind: 'pkcs1' | 'pss' | 'ecdsa' | 'ed25519';
  /** What is hashed with; none for Ed25519, which hashes by itself. */
  readonly hash: HashName | undefined;
  /** The only curve, where the method names it. */
  readonly curve?: string;
  /** DER of AlgorithmIdentifier as we send it, method 14. */
  readonly identifier?: Buffer;
}

const der = (hex: string): Buffer => Buffer.from(hex, 'hex');

/** RFC 7427 Appendix A.1 and A.3: PKCS#1 v1.5 with NULL parameters, ECDSA without. */
const PKCS1_ID = { sha256: '0b', sha384: '0c', sha512: '0d' } as const;
const pkcs1Id = (hash: HashName): Buffer => der(`300d06092a864886f70d0101${PKCS1_ID[hash]}0500`);
const ECDSA_ID = { sha256: '02', sha384: '03', sha512: '04' } as const;
const ecdsaId = (hash: HashName): Buffer => der(`300a06082a8648ce3d0403${ECDSA_ID[hash]}`);

/**
 * RFC 7427 Appendix A.4: RSASSA-PSS with one hash in both places and a salt of its length. Written
 * in two ways by others: the hash's parameters NULL or absent (RFC 4055 §2.1: take both), the
 * trailer field left out as DER wants or written as in the RFC's examples.
 */
function pssId(hash: HashName, nulls: boolean, trailer: boolean): Buffer {
  const oid = { sha256: '01', sha384: '02', sha512: '03' }[hash];
  const salt = { sha256: '20', sha384: '30', sha512: '40' }[hash];
  const algorithm = sequence(der(`06096086480165030402${oid}${nulls ? '0500' : ''}`));
  const mgf1 = sequence(der('06092a864886f70d010108'), algorithm);
  const fields = [tagged(0xa0, algorithm), tagged(0xa1, mgf1), tagged(0xa2, der(`0201${salt}`))];
  if (trailer) fields.push(tagged(0xa3, der('020101')));
  return sequence(der('06092a864886f70d01010a'), sequence(...fields));
}
/** DER of a tag and contents of at most 127 octets. */
const tagged = (tag: number, ...contents: readonly Buffer[]): Buffer => {
  const inside = join(...contents);
  return join(Uint8Array.of(tag, inside.length), inside);
};
const sequence = (...contents: readonly Buffer[]): Buffer => tagged(0x30, ...contents);

const pkcs1 = (hash: HashName) =>
  ({ method: 14, kind: 'pkcs1', hash, identifier: pkcs1Id(hash) }) as const;
const pss = (hash: HashName) =>
  ({ method: 14, kind: 'pss', hash, identifier: pssId(hash, true, false) }) as const;
const ecdsa = (hash: HashName) =>
  ({ method: 14, kind: 'ecdsa', hash, identifier: ecdsaId(hash) }) as const;

/** All schemes; a KeyObject says whether it fits one (keyFits). */
export const SCHEMES = {
  'rsa-sha256': { method: 1, kind: 'pkcs1', hash: 'sha256' },
  'rsa-sha384': { method: 1, kind: 'pkcs1', hash: 'sha384' },
  'rsa-sha512': { method: 1, kind: 'pkcs1', hash: 'sha512' },
  'ecdsa-256': { method: 9, kind: 'ecdsa', hash: 'sha256', curve: 'prime256v1' },
  'ecdsa-384': { method: 10, kind: 'ecdsa', hash: 'sha384', curve: 'secp384r1' },
  'ecdsa-521': { method: 11, kind: 'ecdsa', hash: 'sha512', curve: 'secp521r1' },
  'pkcs1-sha256': pkcs1('sha256'),
  'pkcs1-sha384': pkcs1('sha384'),
  'pkcs1-sha512': pkcs1('sha512'),
  'pss-sha256': pss('sha256'),
  'pss-sha384': pss('sha384'),
  'pss-sha512': pss('sha512'),
  'ecdsa-sha256': ecdsa('sha256'),
  'ecdsa-sha384': ecdsa('sha384'),
  'ecdsa-sha512': ecdsa('sha512'),
  ed25519: { method: 14, kind: 'ed25519', hash: undefined, identifier: der('300506032b6570') },
} as const satisfies Record<string, Scheme>;

const CURVES: readonly (string | undefined)[] = ['prime256v1', 'secp384r1', 'secp521r1'];
/** RFC 8247 §4.1.1 wants 2048 bits; more than 8192 would let a certificate keep a thread busy. */
const RSA_BITS = { least: 2048, most: 8192 } as const;
const MOST_RSA_EXPONENT = 0xffffffffn;

/** Whether a key, public or private, is of the kind and strength that the scheme takes. */
export function keyFits(name: SchemeName, key: KeyObject): boolean {
  const scheme: Scheme = SCHEMES[name];
  const type = key.asymmetricKeyType;
  switch (scheme.kind) {
    case 'ed25519':
      return type === 'ed25519';
    case 'ecdsa': {
      const curve = key.asymmetricKeyDetails?.namedCurve;
      if (type !== 'ec' || !CURVES.includes(curve)) return false;
      return scheme.curve === undefined || scheme.curve === curve;
    }
    case 'pkcs1':
      return type === 'rsa' && isStrongRsa(key);
    case 'pss':
      return (type === 'rsa' || type === 'rsa-pss') && isStrongRsa(key);
  }
}

function isStrongRsa(key: KeyObject): boolean {
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (modulusLength < RSA_BITS.least || modulusLength > RSA_BITS.most) return false;
  return publicExponent >= 3n && publicExponent <= MOST_RSA_EXPONENT;
}

/** A signature value over `octets`; 'KEY' when the key does not fit. Blocks: RSA for milliseconds. */
export function signOctets(name: SchemeName, key: KeyObject, octets: Uint8Array): Result<Buffer> {
  if (key.type !== 'private' || !keyFits(name, key)) return wrongKey();
  const scheme: Scheme = SCHEMES[name];
  try {
    return ok(sign(scheme.hash, octets, { key, ...parameters(scheme) }));
  } catch {
    return wrongKey(); // a key that OpenSSL finds inconsistent
  }
}

/** Whether a signature value is of the key's owner: 'SIGNATURE' when not, 'KEY' as above. */
export function verifyOctets(
  name: SchemeName,
  key: KeyObject,
  octets: Uint8Array,
  signature: Uint8Array,
): Result<true> {
  if (key.type !== 'public' || !keyFits(name, key)) return wrongKey();
  const scheme: Scheme = SCHEMES[name];
  try {
    return verify(scheme.hash, octets, { key, ...parameters(scheme) }, signature)
      ? ok(true)
      : wrongSignature();
  } catch {
    return wrongSignature(); // not even of the form of a signature
  }
}

/** As {@link signOctets}, on a thread of libuv's pool. */
export function signLater(
  name: SchemeName,
  key: KeyObject,
  octets: Uint8Array,
): Promise<Result<Buffer>> {
  if (key.type !== 'private' || !keyFits(name, key)) return Promise.resolve(wrongKey());
  const scheme: Scheme = SCHEMES[name];
  return new Promise((resolve) => {
    sign(scheme.hash, octets, { key, ...parameters(scheme) }, (error, signature) => {
      resolve(error === null ? ok(signature) : wrongKey());
    });
  });
}

/** As {@link verifyOctets}, on a thread of libuv's pool. */
export function verifyLater(
  name: SchemeName,
  key: KeyObject,
  octets: Uint8Array,
  signature: Uint8Array,
): Promise<Result<true>> {
  if (key.type !== 'public' || !keyFits(name, key)) return Promise.resolve(wrongKey());
  const scheme: Scheme = SCHEMES[name];
  return new Promise((resolve) => {
    verify(scheme.hash, octets, { key, ...parameters(scheme) }, signature, (error, isRight) => {
      resolve(error === null && isRight ? ok(true) : wrongSignature());
    });
  });
}

const wrongSignature = (): Result<never> => fail('SIGNATURE', 'the signature does not verify');
const wrongKey = (): Result<never> => fail('KEY', 'not a key for this scheme');

function parameters(scheme: Scheme): {
  readonly padding?: number;
  readonly saltLength?: number;
  readonly dsaEncoding?: 'der' | 'ieee-p1363';
} {
  switch (scheme.kind) {
    case 'pkcs1':
      return { padding: constants.RSA_PKCS1_PADDING };
    case 'pss': {
      const { RSA_PKCS1_PSS_PADDING: padding, RSA_PSS_SALTLEN_DIGEST: saltLength } = constants;
      return { padding, saltLength };
    }
    case 'ecdsa':
      return { dsaEncoding: scheme.method === 14 ? 'der' : 'ieee-p1363' };
    case 'ed25519':
      return {};
  }
}

/** Authentication Data of method 14 around a signature value. Throws for schemes of other methods. */
export function wrapSignature(name: SchemeName, signature: Uint8Array): Buffer {
  const { identifier }: Scheme = SCHEMES[name];
  if (identifier === undefined) throw new RangeError(`${name} is not of method 14`);
  return join(Uint8Array.of(identifier.length), identifier, signature);
}

/** Scheme and signature value of Authentication Data of method 14; undefined: not one of ours. */
export function unwrapSignature(
  data: Uint8Array,
): { readonly scheme: SchemeName; readonly signature: Buffer } | undefined {
  const [length] = data;
  if (length === undefined || data.length < 1 + length) return undefined;
  const scheme = IDENTIFIERS.get(Buffer.from(data.subarray(1, 1 + length)).toString('hex'));
  return scheme && { scheme, signature: join(data.subarray(1 + length)) };
}

const IDENTIFIERS: ReadonlyMap<string, SchemeName> = new Map([
  ...schemeNames()
    .filter((name) => SCHEMES[name].method === 14)
    .map((name) => [wrapSignature(name, Buffer.alloc(0)).toString('hex', 1), name] as const),
  ...(['sha256', 'sha384', 'sha512'] as const).flatMap((hash) =>
    [pssId(hash, true, true), pssId(hash, false, false), pssId(hash, false, true)].map(
      (identifier) => [identifier.toString('hex'), `pss-${hash}`] as const,
    ),
  ),
]);

function schemeNames(): readonly SchemeName[] {
  const isName = (name: string): name is SchemeName => Object.hasOwn(SCHEMES, name);
  return Object.keys(SCHEMES).filter(isName);
}
