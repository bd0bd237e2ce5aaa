// SPDX-License-Identifier: Apache-2.0
/**
 * What each IKE SA takes many of, in calls that make no object of their own: node:crypto makes a stream for each HMAC
 * and each message, and a key object of each key. The addon implements it with its OpenSSL; src/ike/crypto has the same
 * by node:crypto, which the addon's answers are compared with.
 *
 * Results are written into arrays of just their length, which may not overlap what they are made of. What has another
 * length than it must have throws BAD_ARGUMENT.
 */
export interface NativeCrypto {
  /** HMAC of the parts, one after the other. */
  hmac(hash: HmacHash, key: Uint8Array, parts: readonly Uint8Array[], to: Uint8Array): void;
  /** What NAT detection hashes with (RFC 7296 §2.23): 20 octets. */
  sha1(octets: Uint8Array, to: Uint8Array): void;
  /** RFC 7296 §2.13: prf+(key, seed), cut to the length of `to`, at most 255 blocks. */
  prfPlus(hash: HmacHash, key: Uint8Array, seed: readonly Uint8Array[], to: Uint8Array): void;
  /** Ciphertext and a tag of 16 octets. `keyNonce`: the key, and a nonce of 12 octets behind it. */
  seal(
    cipher: AeadName,
    keyNonce: Uint8Array,
    associated: Uint8Array,
    plaintext: Uint8Array,
    to: Uint8Array,
  ): void;
  /** Of ciphertext and tag; false, and zeros: it is not authentic. */
  open(
    cipher: AeadName,
    keyNonce: Uint8Array,
    associated: Uint8Array,
    sealed: Uint8Array,
    to: Uint8Array,
  ): boolean;
  /** RFC 7748: 32 octets each. */
  x25519Public(secret: Uint8Array, to: Uint8Array): void;
  /** `own`: the public value of `secret`. false: the result would be zero. */
  x25519Shared(secret: Uint8Array, own: Uint8Array, peer: Uint8Array, to: Uint8Array): boolean;
}

/** As node:crypto calls them. */
export type HmacHash = 'sha256' | 'sha384' | 'sha512';
export type AeadName = 'aes-128-gcm' | 'aes-256-gcm' | 'chacha20-poly1305';
