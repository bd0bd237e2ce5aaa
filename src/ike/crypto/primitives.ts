// SPDX-License-Identifier: Apache-2.0
/**
 * HMAC, prf+, AEADs and X25519: by node:crypto, or by the addon, which gives the same answers in less time and without
 * objects that have to be collected. A process chooses once, before it has any IKE SA; tests take node:crypto.
 */
import {
  type CipherChaCha20Poly1305,
  type CipherGCM,
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  type DecipherChaCha20Poly1305,
  type DecipherGCM,
  diffieHellman,
  type KeyObject,
} from 'node:crypto';
import type { AeadName, HmacHash, NativeCrypto } from '../../lib/native-crypto.js';
import { wipe } from './secret.js';

const TAG = { authTagLength: 16 } as const;

export const nodePrimitives: NativeCrypto = {
  hmac(hash, key, parts, to) {
    const block = hmacOf(hash, key, parts);
    to.set(block);
    wipe(block);
  },
  sha1(octets, to) {
    to.set(createHash('sha1').update(octets).digest());
  },
  prfPlus(hash, key, seed, to) {
    let last: Buffer = Buffer.alloc(0);
    for (let [at, n] = [0, 1]; at < to.length; n++) {
      const block = hmacOf(hash, key, [last, ...seed, Uint8Array.of(n)]);
      wipe(last);
      to.set(block.subarray(0, to.length - at), at);
      at += block.length;
      last = block;
    }
    wipe(last);
  },
  seal(cipher, keyNonce, associated, plaintext, to) {
    const sealing = aeadEncrypt(cipher, ...apart(keyNonce));
    sealing.setAAD(associated, { plaintextLength: plaintext.length });
    to.set(sealing.update(plaintext));
    sealing.final();
    to.set(sealing.getAuthTag(), plaintext.length);
  },
  open(cipher, keyNonce, associated, sealed, to) {
    const opening = aeadDecrypt(cipher, ...apart(keyNonce));
    opening.setAAD(associated, { plaintextLength: to.length });
    opening.setAuthTag(sealed.subarray(to.length));
    const plaintext = opening.update(sealed.subarray(0, to.length));
    try {
      opening.final();
      to.set(plaintext);
      return true;
    } catch {
      to.fill(0);
      return false;
    } finally {
      wipe(plaintext);
    }
  },
  x25519Public(secret, to) {
    const { x } = createPublicKey(x25519Key(secret)).export({ format: 'jwk' });
    if (x === undefined) throw new TypeError('an X25519 key without x');
    to.set(Buffer.from(x, 'base64url'));
  },
  x25519Shared(secret, _own, peer, to) {
    const x = textOf(peer);
    const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x }, format: 'jwk' });
    try {
      const shared = diffieHellman({ privateKey: x25519Key(secret), publicKey });
      to.set(shared);
      const isUsable = shared.some((octet) => octet !== 0);
      wipe(shared);
      return isUsable;
    } catch {
      return false; // OpenSSL finds the zero by itself
    }
  },
};

let current: NativeCrypto = nodePrimitives;

/** Those of this thread. */
export const primitives = (): NativeCrypto => current;

export function usePrimitives(by: NativeCrypto): void {
  current = by;
}

function hmacOf(hash: HmacHash, key: Uint8Array, parts: readonly Uint8Array[]): Buffer {
  const hmac = createHmac(hash, key);
  for (const part of parts) hmac.update(part);
  return hmac.digest();
}

const textOf = ({ buffer, byteOffset, length }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, length).toString('base64url');

/**
 * The octets by way of JWK: 0.05 ms with the public value, where PKCS#8 takes 0.45 ms in OpenSSL's decoders. Its
 * price is a string that cannot be zeroed (ADR 11). `x` has to be there and is not looked at: OpenSSL computes it.
 */
const x25519Key = (secret: Uint8Array): KeyObject =>
  createPrivateKey({
    key: { kty: 'OKP', crv: 'X25519', d: textOf(secret), x: '' },
    format: 'jwk',
  });

const NONCE_BYTES = 12;
const apart = (keyNonce: Uint8Array): readonly [key: Uint8Array, nonce: Uint8Array] => [
  keyNonce.subarray(0, keyNonce.length - NONCE_BYTES),
  keyNonce.subarray(keyNonce.length - NONCE_BYTES),
];

// Node types its AEADs one by one; they take the same calls.
const aeadEncrypt = (
  cipher: AeadName,
  key: Uint8Array,
  nonce: Uint8Array,
): CipherGCM | CipherChaCha20Poly1305 =>
  cipher === 'chacha20-poly1305'
    ? createCipheriv(cipher, key, nonce, TAG)
    : createCipheriv(cipher, key, nonce, TAG);

const aeadDecrypt = (
  cipher: AeadName,
  key: Uint8Array,
  nonce: Uint8Array,
): DecipherGCM | DecipherChaCha20Poly1305 =>
  cipher === 'chacha20-poly1305'
    ? createDecipheriv(cipher, key, nonce, TAG)
    : createDecipheriv(cipher, key, nonce, TAG);
