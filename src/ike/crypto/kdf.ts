// SPDX-License-Identifier: Apache-2.0
/**
 * Key derivation: from nonces and key exchanges to the keys of IKE SAs and child SAs. `|` is
 * concatenation; all numbers are big-endian. Callers wipe what they give and what they get.
 */
import { encryptionBytes, integrityBytes, type Prf, type Suite } from './algorithms.js';
import { primitives } from './primitives.js';
import { join, ownMemory, wipe } from './secret.js';

/** prf(key, data), data in parts. */
export function prf(algorithm: Prf, key: Uint8Array, ...data: readonly Uint8Array[]): Buffer {
  const to = ownMemory(algorithm.bytes);
  primitives().hmac(algorithm.hash, key, data, to);
  return to;
}

/**
 * RFC 7296 §2.13: prf+ (K,S) = T1 | T2 | ..., Tn = prf (K, Tn-1 | S | n), n one octet.
 * Throws RangeError for more than 255 blocks: the function is not defined there.
 */
export function prfPlus(
  algorithm: Prf,
  key: Uint8Array,
  length: number,
  ...seed: readonly Uint8Array[]
): Buffer {
  const blocks = Math.ceil(length / algorithm.bytes);
  if (blocks > 255) throw new RangeError(`prf+ of ${length} octets`);
  const to = ownMemory(length);
  primitives().prfPlus(algorithm.hash, key, seed, to);
  return to;
}

/** Ni and Nr: the nonces alone, without payload headers. */
export interface Nonces {
  readonly initiator: Uint8Array;
  readonly responder: Uint8Array;
}
/** SPIs of the IKE SA, 8 octets each. */
export interface Spis {
  readonly initiator: Uint8Array;
  readonly responder: Uint8Array;
}

/** RFC 7296 §2.14: SKEYSEED = prf(Ni | Nr, g^ir), of IKE_SA_INIT. */
export function initialSkeyseed(algorithm: Prf, nonces: Nonces, shared: Uint8Array): Buffer {
  return prf(algorithm, join(nonces.initiator, nonces.responder), shared);
}

/**
 * prf(SK_d, SK(0) | Ni | Nr | SK(1) | ... SK(n)), with the SK_d and the PRF of the SA it comes from:
 *
 *   IKE SA rekeyed   RFC 7296 §2.18: n = 0; RFC 9370 §2.2.4: with additional key exchanges
 *   SKEYSEED(n)      RFC 9370 §2.2.2, after each IKE_INTERMEDIATE: prf(SK_d(n-1), SK(n) | Ni | Nr)
 *
 * @param shared SK(0) of a rekey, SK(n) of an IKE_INTERMEDIATE
 */
export function nextSkeyseed(
  algorithm: Prf,
  skD: Uint8Array,
  nonces: Nonces,
  shared: Uint8Array,
  additional: readonly Uint8Array[] = [],
): Buffer {
  return prf(algorithm, skD, shared, nonces.initiator, nonces.responder, ...additional);
}

/** In the order in which they are cut from the prf+ stream (RFC 7296 §2.14), whose memory they may share. */
export interface IkeKeys {
  /** Child SAs and rekeys derive from it. */
  readonly d: Buffer;
  /** Integrity; empty with an AEAD. */
  readonly ai: Buffer;
  readonly ar: Buffer;
  /** Encryption, salt included. */
  readonly ei: Buffer;
  readonly er: Buffer;
  /** AUTH payloads. */
  readonly pi: Buffer;
  readonly pr: Buffer;
}

/** {SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr} = prf+(SKEYSEED, Ni | Nr | SPIi | SPIr). */
export function ikeKeys(suite: Suite, skeyseed: Uint8Array, nonces: Nonces, spis: Spis): IkeKeys {
  const p = suite.prf.bytes;
  const a = integrityBytes(suite);
  const e = encryptionBytes(suite);
  const seed = [nonces.initiator, nonces.responder, spis.initiator, spis.responder];
  const stream = prfPlus(suite.prf, skeyseed, 3 * p + 2 * a + 2 * e, ...seed);
  const cut = cutter(stream);
  return {
    d: cut(p),
    ai: cut(a),
    ar: cut(a),
    ei: cut(e),
    er: cut(e),
    pi: cut(p),
    pr: cut(p),
  };
}

/**
 * RFC 8784 §3: SK_d, SK_pi and SK_pr mixed with a postquantum preshared key, SK_x = prf+(PPK, SK_x').
 * The result shares no memory with `keys`: without the PPK (NO_PPK_AUTH) those are still wanted.
 */
export function mixPpk(algorithm: Prf, keys: IkeKeys, ppk: Uint8Array): IkeKeys {
  const mix = (key: Buffer): Buffer => prfPlus(algorithm, ppk, algorithm.bytes, key);
  const { ai, ar, ei, er } = keys;
  return {
    ...{ d: mix(keys.d), pi: mix(keys.pi), pr: mix(keys.pr) },
    ...{ ai: join(ai), ar: join(ar), ei: join(ei), er: join(er) },
  };
}

export function wipeIkeKeys(keys: IkeKeys): void {
  wipe(keys.d, keys.ai, keys.ar, keys.ei, keys.er, keys.pi, keys.pr);
}

/** Key lengths of a child SA in octets: `encryption` with the salt, `integrity` 0 for an AEAD. */
export interface ChildLengths {
  readonly encryption: number;
  readonly integrity: number;
}
/** One direction of a child SA. */
export interface ChildDirection {
  readonly encryption: Buffer;
  readonly integrity: Buffer;
}
export interface ChildKeys {
  /** What the initiator of the exchange sends with (RFC 7296 §2.17). */
  readonly initiator: ChildDirection;
  readonly responder: ChildDirection;
}

/**
 * RFC 7296 §2.17, RFC 9370 §2.2.4: KEYMAT = prf+(SK_d, [SK(0) |] Ni | Nr [| SK(1) | ... SK(n)]).
 * @param exchanges SK(0), ... SK(n) of the CREATE_CHILD_SA exchange; empty without PFS and for the
 *   child of IKE_AUTH
 */
export function childKeys(
  algorithm: Prf,
  skD: Uint8Array,
  nonces: Nonces,
  lengths: ChildLengths,
  exchanges: readonly Uint8Array[] = [],
): ChildKeys {
  const seed = [
    ...exchanges.slice(0, 1),
    nonces.initiator,
    nonces.responder,
    ...exchanges.slice(1),
  ];
  const length = 2 * (lengths.encryption + lengths.integrity);
  const stream = prfPlus(algorithm, skD, length, ...seed);
  const cut = cutter(stream);
  const direction = (): ChildDirection => ({
    encryption: cut(lengths.encryption),
    integrity: cut(lengths.integrity),
  });
  return { initiator: direction(), responder: direction() };
}

export function wipeChildKeys({ initiator, responder }: ChildKeys): void {
  wipe(initiator.encryption, initiator.integrity, responder.encryption, responder.integrity);
}

function cutter(stream: Buffer): (length: number) => Buffer {
  let at = 0;
  return (length) => {
    at += length;
    return stream.subarray(at - length, at);
  };
}
