// SPDX-License-Identifier: Apache-2.0
/** What is mirrored of sessions: MRT files and BMP stations listen to these alone. */
import type { FamilyId, FamilySet } from './codec/types.js';
import type { PeerId } from './types.js';

/** Microseconds since 1970; exact as a number until the year 2255. */
export type WallClock = () => number;

/** An established session, for whoever watches it. */
export interface MonitoredPeer {
  readonly id: PeerId;
  readonly vrf: string | undefined;
  /** Route distinguisher of the VRF; undefined: the core's routing table. */
  readonly rd: bigint | undefined;
  readonly address: Uint8Array; // 4 or 16 octets, as localAddress
  readonly localAddress: Uint8Array;
  readonly port: number;
  readonly localPort: number;
  readonly asn: number;
  readonly localAsn: number;
  readonly routerId: number; // the peer's
  /** AS_PATH has 4 octets per AS number (RFC 6793). */
  readonly as4: boolean;
  readonly addPathReceive: FamilySet;
  readonly addPathSend: FamilySet;
  /** Families agreed upon. */
  readonly families: FamilySet;
}

/** Why a session ended; messages are whole, header included. */
export type PeerDown =
  | { readonly kind: 'local-notification'; readonly message: Uint8Array }
  /** Event of RFC 4271 §8.1 by its number, 0: none. */
  | { readonly kind: 'local'; readonly event: number }
  | { readonly kind: 'remote-notification'; readonly message: Uint8Array }
  | { readonly kind: 'remote' }
  /** It goes on, or never was of interest: it is watched no longer. */
  | { readonly kind: 'unmonitored' };

/** States of RFC 4271 §8.2.2 by their numbers in MRT: 1 Idle to 6 Established. */
export type SessionState = 1 | 2 | 3 | 4 | 5 | 6;

export interface Monitor {
  /** Both OPENs whole, header included. */
  peerUp(peer: MonitoredPeer, sent: Uint8Array, received: Uint8Array): void;
  peerDown(peer: MonitoredPeer, down: PeerDown): void;
  /**
   * A whole message, header included, as it was received (before anything wrote to it) or sent. The
   * octets are the caller's again after the call.
   */
  message(peer: MonitoredPeer, direction: 'in' | 'out', message: Uint8Array): void;
}

/** What a snapshot of a table consists of. */
export interface TablePath {
  readonly peer: PeerId;
  /** Seconds since 1970 when it was received. */
  readonly originated: number;
  readonly pathId: number;
  /** As in MP_REACH_NLRI: with its zero RD for VPN families. */
  readonly nextHop: Uint8Array;
  /** Path attributes as on the wire with 4-octet AS numbers, without NEXT_HOP and MP_REACH_NLRI. */
  readonly attributes: Uint8Array;
}

/** A route of a table: one NLRI, with its labels but without path identifier, and who sent it. */
export interface TableRoute {
  readonly family: FamilyId;
  readonly nlri: Uint8Array;
  /** Path identifiers mean something. */
  readonly addPath: boolean;
  readonly paths: readonly TablePath[];
}
