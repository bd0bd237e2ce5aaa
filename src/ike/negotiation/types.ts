// SPDX-License-Identifier: Apache-2.0
/** What may be negotiated, and what was: proposals (RFC 7296 §3.3) in terms of algorithms that exist here. */
import type { Cipher, Integrity, KeMethodId, Prf, Suite } from '../crypto/algorithms.js';

/** Transform ID of "no key exchange at this place" (RFC 9370 §2.2.1: NONE makes it optional). */
export const KE_NONE = 0;

/** One proposal for an IKE SA; every list is in order of preference and not empty, but for what is said. */
export interface IkeProposal {
  /** All AEAD, or all CBC. */
  readonly ciphers: readonly Cipher[];
  readonly prfs: readonly Prf[];
  /** Empty with AEADs. */
  readonly integrity: readonly Integrity[];
  readonly ke: readonly KeMethodId[];
  /** ADDKE1 to ADDKE7 (RFC 9370), as many as are used; KE_NONE among the methods of one makes it optional. */
  readonly additional: readonly (readonly (KeMethodId | typeof KE_NONE)[])[];
}

/** What an IKE SA will use. */
export interface ChosenIke {
  readonly suite: Suite;
  readonly ke: KeMethodId;
  /** In order; those chosen as NONE are left out, `place` says which ADDKE each is (1 to 7). */
  readonly additional: readonly { readonly place: number; readonly method: KeMethodId }[];
}

/** Encryption of ESP by transform ID and key length (IANA, RFC 8221). */
export interface EspCipher {
  readonly name: string;
  readonly id: number;
  readonly keyBits: number | undefined;
  /** Octets of KEYMAT: the key, and the salt behind it. */
  readonly keyBytes: number;
  readonly saltBytes: number;
  /** `aead`: no transform of type 3 beside it. GMAC (RFC 4543) is one that encrypts nothing. */
  readonly kind: 'aead' | 'cbc' | 'null';
  /** false: ENCR_NULL_AUTH_AES_GMAC and ENCR_NULL, only for `authenticate` (policy-model 16). */
  readonly encrypts: boolean;
}

export interface EspProposal {
  /** All encrypting or none; all AEAD or none. */
  readonly ciphers: readonly EspCipher[];
  /** Empty with AEADs. */
  readonly integrity: readonly Integrity[];
  /** Extended sequence numbers: `[true, false]` prefers them. */
  readonly esn: readonly boolean[];
  /** PFS groups of CREATE_CHILD_SA; empty: none. KE_NONE among them makes PFS optional. */
  readonly ke: readonly (KeMethodId | typeof KE_NONE)[];
  /** Behind KE, in CREATE_CHILD_SA only. */
  readonly additional: readonly (readonly (KeMethodId | typeof KE_NONE)[])[];
}

export interface EspSuite {
  readonly cipher: EspCipher;
  readonly integrity: Integrity | undefined;
  readonly esn: boolean;
}

export interface ChosenEsp {
  readonly suite: EspSuite;
  readonly ke: KeMethodId | undefined;
  readonly additional: ChosenIke['additional'];
  /** The offerer's SPI of the chosen proposal (ESP, 4 octets). */
  readonly spi: number;
}

/** A range of traffic (RFC 7296 §3.13.1), `protocol` 0 any; ports 0 to 65535 any. */
export interface Selector {
  readonly start: Uint8Array;
  readonly end: Uint8Array;
  readonly protocol: number;
  readonly startPort: number;
  readonly endPort: number;
}
