// SPDX-License-Identifier: Apache-2.0
/** How the cryptography answers: expected failures are values, mistakes of the program throw. */

export type CryptoErrorCode =
  | 'LENGTH' // a public value, payload or signature of a length that the algorithm does not have
  | 'PUBLIC_VALUE' // not an element of the group, or one that gives the secret away (RFC 6989)
  | 'INTEGRITY' // the ICV is wrong
  | 'PADDING' // the pad length is longer than the payload; said only after the ICV was right
  | 'SIGNATURE' // does not verify
  | 'KEY' // not a key of the kind or size that the scheme takes
  | 'EXHAUSTED' // a key has used up its IVs: rekey
  | 'BUSY' // the pool's queue is full: drop the request, the peer sends it again
  | 'CANCELLED'
  | 'WORKER'; // the thread died, or the pool was closed

/** `message` is one of a fixed set of words: nothing secret and nothing a peer sent is in it. */
export interface CryptoError {
  readonly code: CryptoErrorCode;
  readonly message: string;
}

export type Result<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: CryptoError };

export const ok = <T>(value: T): Result<T> => ({ ok: true, value });

export const fail = (code: CryptoErrorCode, message: string): Result<never> => ({
  ok: false,
  error: { code, message },
});
