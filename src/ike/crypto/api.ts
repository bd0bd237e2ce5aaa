// SPDX-License-Identifier: Apache-2.0
/**
 * The cryptography of IKEv2 as its state machines see it. They get an IkeCrypto; node-crypto.ts makes
 * the real one, tests may give another. What may take long gives promises, which never reject.
 *
 * Whoever gets key material wipes it when done (secret.ts); what is said to be taken over is wiped
 * by the callee.
 */
import type { KeyObject } from 'node:crypto';
import type { KeMethodId, Suite } from './algorithms.js';
import type * as auth from './auth.js';
import type { Answer, Offer } from './groups.js';
import type * as kdf from './kdf.js';
import type { DirectionKeys, Opener, Sealer } from './protect.js';
import type { Result } from './result.js';
import type { SchemeName } from './signatures.js';

/** What of an AbortSignal is used: whoever has no need of the rest can do with less. */
export interface Cancellation {
  readonly aborted: boolean;
  addEventListener(type: 'abort', listener: () => void, options?: { readonly once: true }): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

export interface IkeCrypto {
  /** Unpredictable octets: nonces, SPIs, IVs. */
  random(length: number): Buffer;
  readonly exchanges: KeyExchanges;
  readonly signatures: Signatures;
  readonly kdf: Kdf;
  /** `firstIv` is another than 0 only for a key that has sealed before (Sealer.nextIv). */
  sealer(suite: Suite, keys: DirectionKeys, firstIv?: bigint): Sealer;
  opener(suite: Suite, keys: DirectionKeys): Opener;
}

/**
 * Diffie-Hellman or KEM, the same for both (RFC 9370). 'LENGTH' and 'PUBLIC_VALUE' for the peer's
 * data, 'BUSY', 'CANCELLED' and 'WORKER' for what went wrong here.
 */
export interface KeyExchanges {
  /** Initiator: what to send, and the secret to keep for `finish`. */
  start(method: KeMethodId, signal?: Cancellation): Promise<Result<Offer>>;
  /** Initiator, with the responder's data: the shared secret. Takes `secret` over. */
  finish(
    method: KeMethodId,
    secret: Uint8Array,
    data: Uint8Array,
    signal?: Cancellation,
  ): Promise<Result<Buffer>>;
  /** Responder, with the initiator's data: what to send, and the shared secret. */
  respond(method: KeMethodId, data: Uint8Array, signal?: Cancellation): Promise<Result<Answer>>;
}

/** Signature values; see signatures.ts for what is around them. 'SIGNATURE', 'KEY', and as above. */
export interface Signatures {
  sign(
    scheme: SchemeName,
    key: KeyObject,
    octets: Uint8Array,
    signal?: Cancellation,
  ): Promise<Result<Buffer>>;
  verify(
    scheme: SchemeName,
    key: KeyObject,
    octets: Uint8Array,
    signature: Uint8Array,
    signal?: Cancellation,
  ): Promise<Result<true>>;
}

/** Quick, so without promises. */
export type Kdf = Pick<
  typeof kdf & typeof auth,
  | 'initialSkeyseed'
  | 'nextSkeyseed'
  | 'ikeKeys'
  | 'mixPpk'
  | 'childKeys'
  | 'signedOctets'
  | 'intAuth'
  | 'pskAuth'
>;
