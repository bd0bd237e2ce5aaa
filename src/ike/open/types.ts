// SPDX-License-Identifier: Apache-2.0
/**
 * Opening an IKE SA: IKE_SA_INIT, IKE_INTERMEDIATE, IKE_AUTH. What comes of it is handed to the IKE SA proper
 * (src/ike/sa), which owns the channel from then on.
 */
import type { Authenticator, PeerIdentity } from '../auth/api.js';
import type { Channel, ChannelOptions } from '../channel/api.js';
import type { ChildSa } from '../child/child-sa.js';
import type { ChildPolicy, ChildSink } from '../child/types.js';
import type { Suite } from '../crypto/algorithms.js';
import type { PeerPolicy } from '../policy.js';
import type { IkeEnvironment, IkeFailure, Outcome, Path, Role } from '../types.js';

/** What the peer said it can do. */
export interface PeerFeatures {
  /** RFC 7383, 9242, 6023 (of the responder), 9611. */
  readonly fragmentation: boolean;
  readonly intermediate: boolean;
  readonly childless: boolean;
  /** Understands the notify of docs/ike-vpn-id.md. */
  readonly vpnId: boolean;
  /** Answers the notify of docs/adr/0032-path-mtu-probes.md. */
  readonly pathProbes: boolean;
  readonly window: number;
  /** A NAT was found, on either side: UDP encapsulation and keepalives. */
  readonly natLocal: boolean;
  readonly natRemote: boolean;
  /** RFC 6290 token of the peer: whoever shows it has lost the SA. */
  readonly qcdToken: Uint8Array | undefined;
}

/** An authenticated IKE SA. Secret: `skD`, its owner wipes it. */
export interface OpenIkeSa {
  /** Who began: its SPI is the first in each header. */
  readonly role: Role;
  readonly channel: Channel;
  readonly initiatorSpi: bigint;
  readonly responderSpi: bigint;
  readonly path: Path;
  readonly suite: Suite;
  /** Names of the key exchange methods that were used, in order, for `show`. */
  readonly keyExchanges: readonly string[];
  readonly skD: Buffer;
  readonly identity: PeerIdentity;
  readonly features: PeerFeatures;
  readonly policy: PeerPolicy;
  /**
   * Milliseconds of timers.now() when the IKE_SA_INIT response left or came, so that both ends put their IKE SAs in
   * the same order, however often the request had to be sent. Only of what was opened here and now.
   */
  readonly initAt?: number;
  /** Wall clock, seconds. */
  readonly openedAt: number;
  /** Peer's AUTH_LIFETIME (RFC 4478), seconds; undefined: it said none. */
  readonly peerAuthLifetime: number | undefined;
  readonly isPpkUsed: boolean;
  /** INITIAL_CONTACT came: other IKE SAs with this identity are gone (RFC 7296 §2.4). */
  readonly isInitialContact: boolean;
  /** The child SA of IKE_AUTH, installed and in use; undefined: childless, or it was refused. */
  readonly child: ChildSa | undefined;
  /** Why there is no child SA although one was asked for; the IKE SA is up without (RFC 7296 §1.2). */
  readonly childFailure?: IkeFailure | undefined;
}

export interface OpenEnvironment extends IkeEnvironment {
  readonly authenticator: Authenticator;
  readonly sink: ChildSink;
  readonly send: (path: Path, octets: Uint8Array) => void;
  readonly createChannel: (options: ChannelOptions) => Channel;
  /** RFC 6290: our token for an IKE SA, from a secret that survives restarts. */
  readonly qcdToken: (initiatorSpi: bigint, responderSpi: bigint) => Uint8Array;
}

/**
 * An IKE SA on its way. Its datagrams go to `channel` from the beginning; when `result` is good the channel is the
 * new owner's, else it is closed and all secrets are wiped. `result` never rejects.
 */
export interface OpeningIkeSa {
  readonly initiatorSpi: bigint;
  /** 0n: not known yet. */
  readonly responderSpi: bigint;
  readonly channel: Channel;
  readonly result: Promise<Outcome<OpenIkeSa>>;
  /** Ends it, if it has not come to an end: `result` fails with 'CLOSED'. */
  readonly close: () => void;
}

/** What an initiator wants. */
export interface OpenRequest {
  readonly path: Path;
  readonly policy: PeerPolicy;
  /** undefined: childless where the peer supports it (RFC 6023), else the first of the policy's. */
  readonly child: ChildPolicy | undefined;
  /** Asked when IKE_AUTH leaves: another IKE SA with the peer may have come up meanwhile, of the peer's making. */
  readonly initialContact: () => boolean;
  /** Drawn by the manager, which has to find the SA by it. */
  readonly initiatorSpi: bigint;
}
