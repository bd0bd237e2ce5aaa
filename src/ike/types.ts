// SPDX-License-Identifier: Apache-2.0
/** Words that all of src/ike shares. Addresses are 4 or 16 octets in network order, IPv4-mapped ones unmapped. */
import type { Logger } from '../lib/log.js';
import type { IkeCrypto } from './crypto/api.js';
import type { IkeCounter } from './counters.js';

/** Of a peer in an IKE SA (the original one, who chose SPIi), or in one exchange. */
export type Role = 'initiator' | 'responder';

export interface Endpoint {
  readonly address: Uint8Array;
  /** UDP port: 500, 4500, or what a NAT made of it. */
  readonly port: number;
}

/** Where datagrams of an IKE SA go from and to. On port 4500 the transport adds the non-ESP marker (RFC 3948 §2.2). */
export interface Path {
  readonly local: Endpoint;
  readonly remote: Endpoint;
}

/** A UDP datagram, the non-ESP marker already removed. */
export interface Datagram extends Path {
  readonly octets: Uint8Array;
}

/** Injected time. */
export interface Timers {
  /** Milliseconds on a clock that only goes forward. */
  now(): number;
  /** Calls `run` once after so many milliseconds; the answer takes it back (no harm when it has run). */
  after(ms: number, run: () => void): () => void;
}

/** What every part of IKE is given. */
export interface IkeEnvironment {
  readonly crypto: IkeCrypto;
  readonly timers: Timers;
  /** Seconds since 1970, for validity periods and rows. */
  readonly wallClock: () => number;
  readonly log: Logger;
  /** Adds 1 to a counter of `sealane show ike`. */
  readonly count: (counter: IkeCounter) => void;
}

/** Why an exchange, an IKE SA or a child SA came to nothing. */
export interface IkeFailure {
  /**
   * The notify that says it, sent or received (names/notify.ts), or one of ours: 'TIMEOUT' no answer, 'CLOSED' the SA
   * was closed meanwhile, 'BUSY' no room here, 'INTERNAL' crypto or the data plane failed, 'POLICY' our own rules
   * forbid it and the peer is not told why.
   */
  readonly code: string;
  readonly by: 'us' | 'peer';
  /** One line, without secrets. */
  readonly reason: string;
  /** Notification data that belong to the code: of INVALID_KE_PAYLOAD the group that is wanted, 2 octets. */
  readonly data?: Uint8Array;
}

export type Outcome<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: IkeFailure };

export const good = <T>(value: T): Outcome<T> => ({ ok: true, value });

export const bad = (
  code: string,
  by: IkeFailure['by'],
  reason: string,
): { readonly ok: false; readonly failure: IkeFailure } => ({
  ok: false,
  failure: { code, by, reason },
});
