// SPDX-License-Identifier: Apache-2.0
/**
 * The message layer of one IKE SA: message IDs, windows, retransmission, replays of requests, protection,
 * fragmentation. Above it are payloads, below it datagrams.
 */
import type { IkeHeader } from '../codec/header.js';
import type { IkeFault } from '../codec/fault.js';
import type { Payload } from '../codec/payload.js';
import type { Suite } from '../crypto/algorithms.js';
import type { DirectionKeys } from '../crypto/protect.js';
import type { IkeEnvironment, IkeFailure, Path, Role } from '../types.js';

/** RFC 9242 §3.3.2: what IntAuth is computed over, as if the message had not been fragmented. */
export interface IntermediateParts {
  /** From the IKE header to the end of the SK payload's generic header, lengths adjusted. */
  readonly a: Uint8Array;
  /** The payloads inside SK, in clear. */
  readonly p: Uint8Array;
}

export interface Received {
  readonly header: IkeHeader;
  /** Of a protected message those inside SK; payloads in front of SK are not taken. */
  readonly payloads: readonly Payload[];
  /** Whole message, of one that came in clear (IKE_SA_INIT): AUTH covers it. */
  readonly octets: Uint8Array;
  readonly isProtected: boolean;
  /** Of IKE_INTERMEDIATE. */
  readonly intermediate?: IntermediateParts;
  readonly path: Path;
}

export interface Sent {
  /** Of a message in clear: as it was sent. Empty otherwise. */
  readonly octets: Uint8Array;
  readonly intermediate?: IntermediateParts;
}

/**
 * A request of the peer, once. `fault`: it was authentic but cannot be read; it has to be answered by the notify
 * of the fault and ends the IKE SA (RFC 7296 §2.21.3).
 */
export type Request =
  | { readonly message: Received; readonly fault?: undefined }
  | { readonly message: Pick<Received, 'header' | 'path'>; readonly fault: IkeFault };

export type Answered =
  | { readonly ok: true; readonly response: Received; readonly sent: Sent }
  /** 'TIMEOUT', 'CLOSED', or the fault of a response that cannot be read; 'INTERNAL' when IVs are spent. */
  | { readonly ok: false; readonly failure: IkeFailure };

export interface ChannelKeys {
  readonly suite: Suite;
  /** SK_e and SK_a of what we send and of what the peer sends. Copied. */
  readonly send: DirectionKeys;
  readonly receive: DirectionKeys;
}

/** RFC 7296 §2.4: seconds between transmissions of a request grow; after the last the peer is dead. */
export interface Retransmission {
  /** Until the first retransmission. */
  readonly firstMs: number;
  /** Each further wait is so much longer. */
  readonly factor: number;
  readonly tries: number;
  /** Share of each wait that is random, 0..1. */
  readonly jitter: number;
}

export interface ChannelOptions {
  readonly env: IkeEnvironment;
  readonly role: Role;
  readonly initiatorSpi: bigint;
  /** 0n: not known yet. */
  readonly responderSpi: bigint;
  readonly path: Path;
  readonly retransmission: Retransmission;
  readonly send: (path: Path, octets: Uint8Array) => void;
  /** A new request, in the order of arrival; answer it with {@link Channel.respond}, now or later. */
  readonly onRequest: (request: Request) => void;
  /** A protected message that was authentic and new came: the peer lives. */
  readonly onAlive?: () => void;
}

/** What a restarted supervisor needs to go on. Secret: `send`, `receive`. */
export interface ChannelState {
  readonly keys: ChannelKeys;
  /** Above every IV that was used. */
  readonly nextIv: bigint;
  readonly nextRequestId: number;
  readonly nextPeerRequestId: number;
  readonly peerWindow: number;
  readonly fragmentBytes: number | undefined;
  /** Datagrams of our unanswered request and of our last response. */
  readonly pending: readonly Uint8Array[];
  readonly lastResponse: readonly Uint8Array[];
}

export interface Channel {
  path: Path;
  responderSpi: bigint;
  /** Takes another handler of requests: the opening hands over to the SA that it opened. */
  onRequest: ChannelOptions['onRequest'];
  onAlive: (() => void) | undefined;
  /** From now on messages are SK; before, they are in clear. Again after each IKE_INTERMEDIATE. */
  protect(keys: ChannelKeys): void;
  /** RFC 7383: both sides support it; the largest IP packet we send, octets. undefined: whole messages. */
  fragmentBytes: number | undefined;
  /** Requests that the peer takes at once (SET_WINDOW_SIZE), default 1. */
  peerWindow: number;
  /** Our own window, as we announce it. */
  ownWindow: number;
  /**
   * Sends a request and waits for its response; waits for its turn while the window is full. In clear the message
   * ID is 0 each time (IKE_SA_INIT with a cookie or another group is sent anew, RFC 7296 §2.6). `accepts` judges
   * responses in clear, which anybody can send: while it says no the request goes on waiting (§2.21.1).
   */
  request(
    exchange: number,
    payloads: readonly Payload[],
    accepts?: (response: Received) => boolean,
  ): Promise<Answered>;
  /** The response to a request, which is kept for when the request comes again. */
  respond(request: Pick<Request['message'], 'header'>, payloads: readonly Payload[]): Sent;
  /** A datagram with this SA's SPIs. */
  receive(octets: Uint8Array, path: Path): void;
  /** No request of ours is unanswered. */
  readonly isIdle: boolean;
  /** Milliseconds of timers.now() when the peer last proved to be alive. */
  readonly lastHeard: number;
  state(): ChannelState;
  /** Stops timers, ends waiting requests with 'CLOSED', wipes keys. Replies to replays no more. */
  close(): void;
}
