// SPDX-License-Identifier: Apache-2.0
/**
 * The life of an authenticated IKE SA (RFC 7296 §1.3, §1.4, §2.8, §2.25): its child SAs, rekeying, liveness, its end.
 *
 * A rekeyed IKE SA is another object: it has the children, and other SPIs. Both are reachable for a while:
 *
 *   added(new)          datagrams with its SPIs may come from now on
 *   rekeyed(old, new)   the children are the new one's; `old` is no more to be asked for anything
 *   forgotten(old)      no datagram with its SPIs is of interest any more
 *
 * Of a simultaneous rekeying two new ones are added; of the redundant one nothing else is said than that it is
 * forgotten. Only an IKE SA that ends without a successor is said to be closed; it is forgotten some time later.
 */
import type { Channel, ChannelOptions, ChannelState } from '../channel/api.js';
import type { ChildAgreement } from '../child/api.js';
import type { ChildSa } from '../child/child-sa.js';
import type { PathProbe } from '../child/path-probe.js';
import type { ChildPolicy, ChildSink } from '../child/types.js';
import type { IkeSaRow } from '../manager/api.js';
import type { OpenIkeSa } from '../open/types.js';
import type { PeerPolicy } from '../policy.js';
import type { Datagram, IkeEnvironment, IkeFailure, Outcome, Path } from '../types.js';

export interface SaEnvironment extends IkeEnvironment {
  readonly sink: ChildSink;
  readonly agreement: ChildAgreement;
  readonly send: (path: Path, octets: Uint8Array) => void;
  readonly createChannel: (options: ChannelOptions) => Channel;
  /** A channel that goes on where the one of that state ended. */
  readonly restoreChannel: (options: ChannelOptions, state: ChannelState) => Channel;
  /** An SPI of ours for an IKE SA, unpredictable, not 0 and not in use. */
  readonly drawSpi: () => bigint;
  /** RFC 6290: our token for an IKE SA; undefined: none is given. */
  readonly qcdToken: ((initiatorSpi: bigint, responderSpi: bigint) => Uint8Array) | undefined;
}

/** Why an IKE SA should be authenticated anew. */
export type ReauthenticationReason =
  'policy' | 'peer-lifetime' | 'certificate-expires' | 'sa-lifetime';

/** Calls of the owner; none is made from within a method of IkeSa that the owner calls, but for `close`. */
export interface IkeSaEvents {
  added(sa: IkeSa): void;
  rekeyed(old: IkeSa, sa: IkeSa): void;
  /** Installed and in use, whoever asked for it; not said of `open.child`, nor of what replaces another one. */
  childUp(sa: IkeSa, child: ChildSa): void;
  /** `child` carries the traffic of `old` from now on, which is about to be deleted: rekeyed, or a duplicate. */
  childRekeyed(sa: IkeSa, old: ChildSa, child: ChildSa): void;
  /** It carries nothing any more; not said of what was replaced or never came into use. */
  childDown(sa: IkeSa, child: ChildSa, failure: IkeFailure): void;
  /** Every child it had is down, and it was said of each. */
  closed(sa: IkeSa, failure: IkeFailure): void;
  /** Its answers to replays are not wanted any more either: its SPIs are free. Last of all calls. */
  forgotten(sa: IkeSa): void;
  /** The owner opens another IKE SA with the peer and then closes this one; said once. */
  wantsReauthentication(sa: IkeSa, reason: ReauthenticationReason): void;
}

/** established; rekeying: ours is on its way; replaced: waits for its delete; deleting; closed. */
export type IkeSaPhase = 'established' | 'rekeying' | 'replaced' | 'deleting' | 'closed';

export interface IkeSa {
  /** As it was opened; of a rekeyed one with its own SPIs, suite and time. */
  readonly open: OpenIkeSa;
  readonly phase: IkeSaPhase;
  /** Live child SAs: neither rekeyed nor being deleted. */
  readonly children: readonly ChildSa[];
  /** We are behind a NAT: whoever owns the socket sends keepalives on `open.channel.path` (RFC 3948 §2.3). */
  readonly needsKeepalive: boolean;
  /** RFC 6290: of the peer; whoever shows it has lost this IKE SA. */
  readonly qcdToken: Uint8Array | undefined;
  /** Milliseconds of timers.now() when the peer last proved to be alive, by a message or by traffic. */
  readonly lastAlive: number;

  receive(datagram: Datagram): void;
  /** A live child SA of this policy's service and resource: the one that is there, or a new one. */
  want(policy: ChildPolicy, resource: number): Promise<Outcome<ChildSa>>;
  closeChild(inboundSpi: number): Promise<Outcome<void>>;
  /**
   * Octets of the largest packet of a path MTU probe that the peer got by its child SA of this SPI, 0: of none. undefined:
   * it does not say, or is not asked because it would not know.
   */
  askProbe(probe: PathProbe): Promise<number | undefined>;
  /** The child SA that replaces it, whoever's exchange made it. */
  rekeyChild(inboundSpi: number): Promise<Outcome<ChildSa>>;
  /** The IKE SA that replaces this one, whoever's exchange made it. */
  rekeyIke(): Promise<Outcome<IkeSa>>;
  /** A new configuration. SAs that it does not allow are the owner's to close. */
  setPolicy(policy: PeerPolicy): void;
  /** Deletes it at the peer; resolves when it answered or never will. Children end at once. */
  close(reason: string): Promise<void>;
  /** Ends without a message. `keepChildren`: the data plane goes on with them (hand-over), and it is only forgotten. */
  abandon(reason: string, keepChildren: boolean): void;
  row(): IkeSaRow;
  /** undefined while there is nothing to go on with: being replaced, deleted or closed. */
  state(): IkeSaState | undefined;
}

/** A child SA as the next supervisor needs it; the data plane still has its keys. See child-entry.ts. */
export interface ChildSaState {
  readonly child: ChildSa;
  readonly phase: 'live' | 'replaced' | 'redundant' | 'deleting';
  readonly isActive: boolean;
  readonly isProven: boolean;
  /** Milliseconds of life left until it is replaced and until it ends; undefined: not by time. */
  readonly softMs: number | undefined;
  readonly hardMs: number | undefined;
  /** Inbound SPI of the one that takes its place. */
  readonly replacedBy: number | undefined;
  readonly deleter: 'us' | 'peer';
  readonly isDuplicate: boolean;
  readonly isSaid: boolean;
  readonly isReplacementSaid: boolean;
}

/** What a restarted supervisor needs to go on with an IKE SA. Plain data. Secret: `skD`, `channel.keys`. */
export interface IkeSaState {
  readonly open: Omit<OpenIkeSa, 'channel' | 'policy' | 'child' | 'skD'>;
  readonly skD: Uint8Array;
  readonly channel: ChannelState;
  /** Requests that we take at once. */
  readonly ownWindow: number;
  readonly children: readonly ChildSaState[];
  readonly rekeyMs: number | undefined;
  readonly hardMs: number | undefined;
  readonly reauthenticateMs: number | undefined;
  readonly reauthenticationReason: ReauthenticationReason | undefined;
  readonly wasReauthenticationAsked: boolean;
  /** Until it ends because the peer did not authenticate anew. */
  readonly unauthenticatedMs: number | undefined;
  /** What was being asked of the peer: anything but 'liveness' cannot be gone on with. */
  readonly pending: 'nothing' | 'liveness' | 'exchange';
}

export interface IkeSas {
  /** Takes over channel and SK_d of what was opened. */
  take(open: OpenIkeSa): IkeSa;
  /**
   * Goes on with an IKE SA of another process; its children are not installed again. 'reopen': its exchange with
   * the peer was interrupted; a new IKE SA has to be opened, without INITIAL_CONTACT while the data plane lives.
   */
  restore(state: IkeSaState, policy: PeerPolicy): IkeSa | 'reopen';
}

export type CreateIkeSas = (env: SaEnvironment, events: IkeSaEvents) => IkeSas;
