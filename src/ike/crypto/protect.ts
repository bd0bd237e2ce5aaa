// SPDX-License-Identifier: Apache-2.0
/**
 * The body of an Encrypted payload, SK or SKF (RFC 7296 §3.14, RFC 7383 §2.5):
 *
 *     +---------------------------------------------------------------+
 *     | Initialization Vector (8 octets with an AEAD, 16 with CBC)     |
 *     +---------------------------------------------------------------+
 *     | Encrypted:  payloads | Padding (0-255 octets) | Pad Length (1) |
 *     +---------------------------------------------------------------+
 *     | Integrity Checksum Data                                       |
 *     +---------------------------------------------------------------+
 *
 * Associated data are the octets before the IV: IKE header (with its final Length), unencrypted
 * payloads, header of the Encrypted payload, and the fragment numbers of SKF (RFC 5282 §5.1). An
 * AEAD takes them as such; HMAC runs over them, the IV and the ciphertext (RFC 7296 §3.14).
 */
import { createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto';
import type { AeadCipher, CbcCipher, Integrity, Suite } from './algorithms.js';
import { primitives } from './primitives.js';
import { fail, ok, type Result } from './result.js';
import { join, keep, ownMemory, wipe } from './secret.js';

/** SK_e and SK_a of one direction; both are copied. */
export interface DirectionKeys {
  readonly encryption: Uint8Array;
  readonly integrity: Uint8Array;
}

/** Protects the messages that one side sends with one set of keys. */
export interface Sealer {
  /** Length of the body around so many octets of payloads, to write the header before sealing. */
  sealedLength(payloads: number): number;
  /** IV, ciphertext and ICV. 'EXHAUSTED' when the IVs are used up. */
  seal(associated: Uint8Array, payloads: Uint8Array): Result<Buffer>;
  /** The next AEAD IV as a number: the next sealer of the same key must start there. */
  readonly nextIv: bigint;
  /** As they were given; the receiver wipes them. */
  copyKeys(): DirectionKeys;
  wipe(): void;
}

/** Reads what the other side protected. */
export interface Opener {
  /** The payloads, without padding; 'LENGTH', 'INTEGRITY' or 'PADDING' (after the ICV was right). */
  open(associated: Uint8Array, body: Uint8Array): Result<Buffer>;
  /** As they were given; the receiver wipes them. */
  copyKeys(): DirectionKeys;
  wipe(): void;
}

export interface SealerOptions {
  /** Unpredictable octets, for CBC (RFC 7296 §3.14: chosen randomly). */
  readonly random: (length: number) => Buffer;
  /** First IV of an AEAD; another than 0 only for a key that has sealed before. */
  readonly firstIv?: bigint;
}

const IV_END = 1n << 64n;
/** Where the IV of the next message will be. */
const NO_IV = new Uint8Array(16);

export function createSealer(suite: Suite, keys: DirectionKeys, options: SealerOptions): Sealer {
  return 'integrity' in suite
    ? new CbcSealer(suite.cipher, suite.integrity, keys, options.random)
    : new AeadSealer(suite.cipher, keys, options.firstIv ?? 0n);
}

export function createOpener(suite: Suite, keys: DirectionKeys): Opener {
  return 'integrity' in suite
    ? new CbcOpener(suite.cipher, suite.integrity, keys)
    : new AeadOpener(suite.cipher, keys);
}

class AeadSealer implements Sealer {
  readonly #cipher: AeadCipher;
  /** Key, then the nonce: the salt, which stays, and the IV, which is written before each use. */
  readonly #keys: Buffer;
  #iv: bigint;

  constructor(cipher: AeadCipher, keys: DirectionKeys, firstIv: bigint) {
    checkKey(keys.encryption, cipher.keyBytes + cipher.saltBytes);
    this.#cipher = cipher;
    this.#keys = keep(keys.encryption, NO_IV.subarray(0, cipher.ivBytes));
    this.#iv = firstIv;
  }

  get nextIv(): bigint {
    return this.#iv;
  }

  sealedLength(payloads: number): number {
    return this.#cipher.ivBytes + payloads + 1 + this.#cipher.tagBytes;
  }

  /** RFC 5282 §3.1: IVs are unique per key, a counter is enough; §3: no padding is needed. */
  seal(associated: Uint8Array, payloads: Uint8Array): Result<Buffer> {
    if (this.#iv >= IV_END) return fail('EXHAUSTED', 'no IVs are left for this key');
    const { cipher, keyBytes, saltBytes, ivBytes } = this.#cipher;
    const ivAt = keyBytes + saltBytes;
    this.#keys.writeBigUInt64BE(this.#iv, ivAt);
    this.#iv += 1n;
    const plaintext = join(payloads, NO_PADDING);
    const body = ownMemory(this.sealedLength(payloads.length));
    this.#keys.copy(body, 0, ivAt);
    primitives().seal(cipher, this.#keys, associated, plaintext, body.subarray(ivBytes));
    return ok(body);
  }

  copyKeys(): DirectionKeys {
    const { keyBytes, saltBytes } = this.#cipher;
    return { encryption: join(this.#keys.subarray(0, keyBytes + saltBytes)), integrity: join() };
  }

  wipe(): void {
    wipe(this.#keys);
    this.#iv = IV_END; // a wiped key seals nothing more
  }
}

/** The Pad Length of no padding. */
const NO_PADDING = Uint8Array.of(0);

class AeadOpener implements Opener {
  readonly #cipher: AeadCipher;
  /** Key, then salt. */
  readonly #keys: Buffer;

  constructor(cipher: AeadCipher, keys: DirectionKeys) {
    checkKey(keys.encryption, cipher.keyBytes + cipher.saltBytes);
    this.#cipher = cipher;
    this.#keys = keep(keys.encryption);
  }

  open(associated: Uint8Array, body: Uint8Array): Result<Buffer> {
    const { cipher, ivBytes, tagBytes } = this.#cipher;
    const length = body.length - ivBytes - tagBytes;
    if (length < 1) return tooShort();
    const keyNonce = join(this.#keys, body.subarray(0, ivBytes));
    const padded = ownMemory(length);
    const sealed = body.subarray(ivBytes);
    const isAuthentic = primitives().open(cipher, keyNonce, associated, sealed, padded);
    wipe(keyNonce);
    return isAuthentic ? unpad(padded) : wrongIcv();
  }

  copyKeys(): DirectionKeys {
    return { encryption: join(this.#keys), integrity: join() };
  }

  wipe(): void {
    wipe(this.#keys);
  }
}

class CbcSealer implements Sealer {
  readonly nextIv = 0n;
  readonly #cipher: CbcCipher;
  readonly #integrity: Integrity;
  readonly #keys: { readonly encryption: Buffer; readonly integrity: Buffer };
  readonly #random: (length: number) => Buffer;
  #wiped = false;

  constructor(
    cipher: CbcCipher,
    integrity: Integrity,
    keys: DirectionKeys,
    random: (length: number) => Buffer,
  ) {
    this.#keys = cbcKeys(cipher, integrity, keys);
    this.#cipher = cipher;
    this.#integrity = integrity;
    this.#random = random;
  }

  sealedLength(payloads: number): number {
    const { ivBytes, blockBytes } = this.#cipher;
    const padded = Math.ceil((payloads + 1) / blockBytes) * blockBytes;
    return ivBytes + padded + this.#integrity.tagBytes;
  }

  seal(associated: Uint8Array, payloads: Uint8Array): Result<Buffer> {
    if (this.#wiped) return fail('EXHAUSTED', 'the key was wiped');
    const { cipher, ivBytes, blockBytes } = this.#cipher;
    const iv = this.#random(ivBytes);
    const padding = Buffer.alloc(blockBytes - (payloads.length % blockBytes));
    padding[padding.length - 1] = padding.length - 1;
    const encryption = createCipheriv(cipher, this.#keys.encryption, iv).setAutoPadding(false);
    const sealed = [iv, encryption.update(payloads), encryption.update(padding)];
    sealed.push(encryption.final());
    return ok(join(...sealed, icv(this.#integrity, this.#keys.integrity, associated, ...sealed)));
  }

  copyKeys(): DirectionKeys {
    return copied(this.#keys);
  }

  wipe(): void {
    wipe(this.#keys.encryption, this.#keys.integrity);
    this.#wiped = true;
  }
}

class CbcOpener implements Opener {
  readonly #cipher: CbcCipher;
  readonly #integrity: Integrity;
  readonly #keys: { readonly encryption: Buffer; readonly integrity: Buffer };

  constructor(cipher: CbcCipher, integrity: Integrity, keys: DirectionKeys) {
    this.#keys = cbcKeys(cipher, integrity, keys);
    this.#cipher = cipher;
    this.#integrity = integrity;
  }

  open(associated: Uint8Array, body: Uint8Array): Result<Buffer> {
    const { cipher, ivBytes, blockBytes } = this.#cipher;
    const end = body.length - this.#integrity.tagBytes;
    if (end < ivBytes + blockBytes) return tooShort();
    if ((end - ivBytes) % blockBytes !== 0) return fail('LENGTH', 'not whole cipher blocks');
    const expected = icv(this.#integrity, this.#keys.integrity, associated, body.subarray(0, end));
    if (!timingSafeEqual(expected, body.subarray(end))) return wrongIcv();
    const iv = body.subarray(0, ivBytes);
    const decipher = createDecipheriv(cipher, this.#keys.encryption, iv).setAutoPadding(false);
    return unpad(join(decipher.update(body.subarray(ivBytes, end)), decipher.final()));
  }

  copyKeys(): DirectionKeys {
    return copied(this.#keys);
  }

  wipe(): void {
    wipe(this.#keys.encryption, this.#keys.integrity);
  }
}

const copied = ({ encryption, integrity }: DirectionKeys): DirectionKeys => ({
  encryption: join(encryption),
  integrity: join(integrity),
});

const tooShort = (): Result<never> => fail('LENGTH', 'shorter than IV, pad length and ICV');
const wrongIcv = (): Result<never> => fail('INTEGRITY', 'the ICV is wrong');

/** What the padding octets hold is not checked (RFC 7296 §3.14: any value). */
function unpad(padded: Buffer): Result<Buffer> {
  const length = padded.length - 1 - padded.readUInt8(padded.length - 1);
  if (length >= 0) return ok(padded.subarray(0, length));
  wipe(padded);
  return fail('PADDING', 'the pad length is longer than the payload');
}

/** RFC 4868 §2.3: the first octets of the HMAC. */
function icv(integrity: Integrity, key: Buffer, ...data: readonly Uint8Array[]): Buffer {
  const hmac = createHmac(integrity.hash, key);
  for (const part of data) hmac.update(part);
  return hmac.digest().subarray(0, integrity.tagBytes);
}

function cbcKeys(
  cipher: CbcCipher,
  integrity: Integrity,
  keys: DirectionKeys,
): { readonly encryption: Buffer; readonly integrity: Buffer } {
  checkKey(keys.encryption, cipher.keyBytes);
  checkKey(keys.integrity, integrity.keyBytes);
  return { encryption: keep(keys.encryption), integrity: keep(keys.integrity) };
}

function checkKey(key: Uint8Array, bytes: number): void {
  if (key.length !== bytes) throw new RangeError(`a key of ${key.length} octets, not ${bytes}`);
}
