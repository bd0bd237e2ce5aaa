// SPDX-License-Identifier: Apache-2.0
/** What both roles of IKE_SA_INIT have in common. */
import type { ChosenIke } from '../negotiation/types.js';
import type { Announced } from '../open/announcements.js';
import type { KeySchedule } from '../open/keys.js';
import type { NatFound } from '../open/nat-detection.js';

/** Octets of our nonces: half the key of the largest PRF at least (RFC 7296 §2.10). */
export const NONCE_BYTES = 32;

/** What both roles have after IKE_SA_INIT. */
export interface InitDone {
  readonly chosen: ChosenIke;
  readonly keys: KeySchedule;
  readonly said: Announced;
  readonly responderSpi: bigint;
  readonly nat: NatFound | undefined;
  /** The messages, whole: AUTH covers them. */
  readonly request: Uint8Array;
  readonly response: Uint8Array;
  /** Milliseconds of timers.now(), of the response. */
  readonly at: number;
}

/** Enough of a nonce for the PRF: half its key (RFC 7296 §2.10); the codec has checked 16 to 256 octets. */
export const isNonceFor = (nonce: Uint8Array, { suite }: ChosenIke): boolean =>
  2 * nonce.length >= suite.prf.bytes;
