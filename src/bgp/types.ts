// SPDX-License-Identifier: Apache-2.0
/** Between the parts of the speaker: sessions, RIB and policy know each other by these alone. */
import type {
  FamilyId,
  FamilySet,
  Notification,
  PathAttributes,
  UpdateContext,
} from './codec/types.js';

/** A neighbour's small number while it is configured; 0 is ourselves. Reused after its routes are gone. */
export type PeerId = number;

/** What an established session is, for the RIB. */
export interface EstablishedPeer {
  readonly id: PeerId;
  readonly name: string; // its address, with %VRF inside a VRF
  /** What the configuration names it by: its address or the prefix it connects from, with %VRF. */
  readonly configured: string;
  readonly vrf: string | undefined;
  readonly address: Uint8Array;
  readonly localAddress: Uint8Array;
  readonly asn: number;
  readonly localAsn: number;
  readonly routerId: number;
  readonly kind: 'ibgp' | 'ebgp';
  readonly context: UpdateContext;
  readonly routeRefresh: boolean;
  readonly enhancedRefresh: boolean;
  /** Families in whose restart the peer kept its forwarding state (RFC 4724 F bit): stale routes stay. */
  readonly forwardingKept: FamilySet;
  /** It will send End-of-RIB for these, and does not wait for ours itself (RFC 4724 §4.1). */
  readonly awaitEndOfRib: FamilySet;
  /** Of a peer that has restarted itself: families whose End-of-RIB it will send, but maybe only after ours. */
  readonly laterEndOfRib?: FamilySet;
  /** Families of the peer's long-lived graceful restart capability (RFC 9494); default none. */
  readonly longLived?: FamilySet;
  /** Of the TCP connection; for monitoring. */
  readonly ports?: { readonly local: number; readonly remote: number };
}

/** How a session ended, for what becomes of its routes. */
export interface SessionEnd {
  /** Routes of these families are kept, marked stale (RFC 4724, 8538). */
  readonly keepStale: FamilySet;
  /** Seconds until stale routes go; then those of `longLived` stay for their own time (RFC 9494). */
  readonly restartTime: number;
  readonly longLived: readonly { readonly family: FamilyId; readonly seconds: number }[];
  readonly reason: string;
}

/** The RIB as sessions see it. Called from the event loop's turn in which the message came. */
export interface RouteSink {
  established(peer: EstablishedPeer): void;
  /** The body of an UPDATE: bytes[start..end), the caller's again after the call; may be written to. */
  update(peer: PeerId, bytes: Uint8Array, start: number, end: number): UpdateOutcome;
  /** ROUTE-REFRESH (RFC 2918, 7313): subtype 0 request, 1 BoRR, 2 EoRR. */
  refresh(peer: PeerId, family: FamilyId, subtype: 0 | 1 | 2): void;
  ended(peer: PeerId, end: SessionEnd): void;
  /** The session can take messages again after `send` said false. */
  writable(peer: PeerId): void;
}

export type UpdateOutcome =
  | { readonly kind: 'ok' }
  /** RFC 7606: the session goes on; counted and shown. */
  | { readonly kind: 'tolerated'; readonly fault: Notification }
  | { readonly kind: 'reset'; readonly notification: Notification };

/** Sessions as the RIB sees them. */
export interface SessionPort {
  /** Whole messages, header included. false: buffers are full, wait for `writable`; it was still taken. */
  send(peer: PeerId, messages: Uint8Array): boolean;
  /** Closes it with a NOTIFICATION, e.g. Cease / Maximum Number of Prefixes Reached. */
  close(peer: PeerId, notification: Notification): void;
  requestRefresh(peer: PeerId, family: FamilyId): void;
}

/** A route on its way through a policy. */
export interface PolicyRoute {
  readonly family: FamilyId;
  /** Prefix without RD: 4 or 16 octets, host bits zero. */
  readonly prefix: Uint8Array;
  readonly length: number;
  readonly rd: bigint | undefined;
  readonly attributes: PathAttributes;
  /** Who it came from; undefined: ourselves. */
  readonly from: { readonly asn: number; readonly address: Uint8Array } | undefined;
}

/** A policy ready to run. Pure: equal routes give equal answers. */
export interface Policy {
  /**
   * Looks at more of a route than its attributes (prefix, RD, family, neighbour): else the answer may be
   * cached per attribute set.
   */
  readonly usesPrefix: boolean;
  /** The attributes as changed (the same object when nothing was), undefined when rejected. */
  apply(route: PolicyRoute): PathAttributes | undefined;
}
