// SPDX-License-Identifier: Apache-2.0
/** What AUTH payloads are computed over, and the one of a preshared key (RFC 7296 §2.15). */
import { timingSafeEqual } from 'node:crypto';
import type { Prf } from './algorithms.js';
import { prf } from './kdf.js';
import { join, wipe } from './secret.js';

const KEY_PAD = Buffer.from('Key Pad for IKEv2', 'ascii');

/** Of one side: its IKE_SA_INIT message, the other's nonce, its own SK_p and identity. */
export interface Signer {
  /** The whole message from the first octet of the header; the last one sent, with the cookie. */
  readonly message: Uint8Array;
  /** The other side's nonce data. */
  readonly peerNonce: Uint8Array;
  /** SK_pi for the initiator, SK_pr for the responder. */
  readonly skP: Uint8Array;
  /** Body of the ID payload: type, three reserved octets, data. */
  readonly identity: Uint8Array;
  /** RFC 9242 §3.3.2: IntAuth_iN | IntAuth_rN | IKE_AUTH message id, after IKE_INTERMEDIATE. */
  readonly intAuth?: Uint8Array | undefined;
}

/** RFC 7296 §2.15: RealMessage | NonceData | prf(SK_p, RestOfIDPayload) [| IntAuth]. */
export function signedOctets(algorithm: Prf, signer: Signer): Buffer {
  const { message, peerNonce, skP, identity } = signer;
  const suffix = signer.intAuth ?? new Uint8Array(0);
  return join(message, peerNonce, prf(algorithm, skP, identity), suffix);
}

/**
 * RFC 9242 §3.3.2: IntAuth_n = prf(SK_p(n), [IntAuth_(n-1) |] A | P) of one direction.
 * @param skP the SK_p with which message n was protected
 * @param a the message from its header to the end of the SK payload's header, lengths adjusted
 * @param p the payloads inside SK, in clear
 */
export function intAuth(
  algorithm: Prf,
  skP: Uint8Array,
  previous: Uint8Array | undefined,
  a: Uint8Array,
  p: Uint8Array,
): Buffer {
  return prf(algorithm, skP, previous ?? new Uint8Array(0), a, p);
}

/** AUTH = prf(prf(Shared Secret, "Key Pad for IKEv2"), <octets>), authentication method 2. */
export function pskAuth(algorithm: Prf, psk: Uint8Array, octets: Uint8Array): Buffer {
  const key = prf(algorithm, psk, KEY_PAD);
  const auth = prf(algorithm, key, octets);
  wipe(key);
  return auth;
}

/** Whether a received AUTH is the one expected, in a time that depends on the lengths alone. */
export function sameAuth(expected: Uint8Array, received: Uint8Array): boolean {
  return expected.length === received.length && timingSafeEqual(expected, received);
}
