// SPDX-License-Identifier: Apache-2.0
/**
 * How peers prove who they are: what goes into IKE_SA_INIT and IKE_AUTH for it, and the judgement of what came
 * (policy-model 14 and 15: outer address, identity and SP are one thing).
 */
import type { Payload } from '../codec/payload.js';
import type { Prf } from '../crypto/algorithms.js';
import type { Outcome, Role } from '../types.js';

/** Who the other end is, proven. */
export interface PeerIdentity {
  /** Tunnel address: that of its ID, of its certificate and of its outer header. */
  readonly address: Uint8Array;
  readonly sp: string;
  readonly method: 'psk' | 'rsa' | 'ecdsa' | 'ed25519';
  /** Subject of the certificate, RFC 4514; '' with a preshared key. */
  readonly subject: string;
  /** Name of the trust anchor's configuration entry, or of the preshared key's. */
  readonly anchor: string;
  /** Seconds since 1970 when the proof ends: the first certificate of the path to expire. undefined: never. */
  readonly validUntil: number | undefined;
}

/** What the peer said about how it can be convinced. */
export interface PeerAuthHints {
  /** CERTREQ payloads (RFC 7296 §3.7), OCSP ones included (RFC 4806). */
  readonly certificateRequests: readonly Extract<Payload, { kind: 'CERTREQ' }>[];
  /** SIGNATURE_HASH_ALGORITHMS (RFC 7427 §4), empty: method 14 is not to be used. */
  readonly hashes: readonly number[];
  /** SUPPORTED_AUTH_METHODS (RFC 9593) notification data, parts joined; undefined: not sent. */
  readonly methods: Uint8Array | undefined;
}

/** One side's part of what AUTH covers (RFC 7296 §2.15). */
export interface AuthInput {
  /** Who sends this AUTH. */
  readonly role: Role;
  readonly prf: Prf;
  /** The sender's IKE_SA_INIT message, and the nonce of its peer. */
  readonly message: Uint8Array;
  readonly peerNonce: Uint8Array;
  /** SK_pi or SK_pr of the sender. Not kept. */
  readonly skP: Uint8Array;
  /** IntAuth_i | IntAuth_r | message ID of IKE_AUTH (RFC 9242), when there was an IKE_INTERMEDIATE. */
  readonly intAuth: Uint8Array | undefined;
}

export interface Addresses {
  readonly local: Uint8Array;
  readonly remote: Uint8Array;
}

export interface Authenticator {
  /** Whether IKE SAs between these two addresses are allowed at all; says the SP. */
  admits(addresses: Addresses): Outcome<{ readonly sp: string }>;
  /** Both roles, in IKE_SA_INIT: SIGNATURE_HASH_ALGORITHMS. */
  initNotifies(addresses: Addresses): readonly Payload[];
  /**
   * The responder's IKE_SA_INIT response, the initiator's IKE_AUTH request: CERTREQ of the anchors for this address,
   * OCSP's (RFC 4806), SUPPORTED_AUTH_METHODS (RFC 9593 §3.1: the responder speaks first, so it cannot know whether the
   * initiator understands it; who does not ignores it).
   */
  requests(addresses: Addresses): readonly Payload[];
  /** Our ID, CERTs and AUTH. 'POLICY' when nothing of ours fits what the peer takes. */
  prove(
    addresses: Addresses,
    input: AuthInput,
    hints: PeerAuthHints,
  ): Promise<Outcome<readonly Payload[]>>;
  /**
   * Judges the peer's IDi or IDr, CERT and AUTH payloads. Counts and logs the reason; the peer is only ever told
   * AUTHENTICATION_FAILED.
   */
  verify(
    addresses: Addresses,
    input: AuthInput,
    payloads: readonly Payload[],
  ): Promise<Outcome<PeerIdentity>>;
}
