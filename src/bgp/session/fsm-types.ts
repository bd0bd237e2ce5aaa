// SPDX-License-Identifier: Apache-2.0
/** What goes into and comes out of a session's state machine. Times are milliseconds. */
import type { OpenSummary } from '../codec/open-summary.js';
import type { FamilySet, Notification, UpdateContext } from '../codec/types.js';
import type { SessionEnd } from '../types.js';
import type { Random } from './timing.js';

/** RFC 4271 §8.2.2. Of several connections the one that got furthest says the state. */
export type SessionState =
  'idle' | 'connect' | 'active' | 'openSent' | 'openConfirm' | 'established';

/** Numbers a TCP connection within a session, never used again. */
export type ConnectionId = number;

/** What an OPEN says, capabilities taken together. */
export type OpenFacts = OpenSummary;

/** What of our own state an OPEN tells (RFC 4724 §4.1). */
export interface RestartState {
  /** We have restarted and not yet sent every End-of-RIB: R bit. */
  readonly restarting: boolean;
  /** Families whose forwarding survived our restart: F bits. */
  readonly forwarding: FamilySet;
}

/** What two OPENs came to. */
export interface Agreement {
  readonly asn: number;
  readonly routerId: number;
  readonly kind: 'ibgp' | 'ebgp';
  /** Seconds; 0: neither keepalives nor a hold timer. */
  readonly holdTime: number;
  readonly context: UpdateContext;
  readonly routeRefresh: boolean;
  readonly enhancedRefresh: boolean;
  /** Both have the N bit (RFC 8538 §2). */
  readonly notificationRestart: boolean;
  /** Families whose routes stay when the peer restarts, and for how many seconds. */
  readonly restartFamilies: FamilySet;
  readonly restartTime: number;
  readonly longLived: SessionEnd['longLived'];
  /** Families in which the peer knows long-lived stale routes, and may be told of them (RFC 9494 §4.3). */
  readonly longLivedOffered: FamilySet;
  readonly forwardingKept: FamilySet;
  readonly awaitEndOfRib: FamilySet;
  /** Of a peer that has restarted itself: families whose End-of-RIB it will send, but maybe only after ours. */
  readonly laterEndOfRib?: FamilySet;
}

/** `connection` undefined: the timer is the session's. */
export type TimerName = 'connectRetry' | 'idleHold' | 'hold' | 'keepalive' | 'sendHold';

/** Event numbers of RFC 4271 §8.1 behind each. */
export type SessionInput =
  /** Begin (1, 3, 4, 5), also after `close` had it stay down. */
  | { readonly kind: 'start' }
  /** End and stay down (2, 8). */
  | { readonly kind: 'stop'; readonly notification: Notification }
  /** End and begin again, at once unless `idleFor` says when; 'started': by the next `start` alone. */
  | {
      readonly kind: 'close';
      readonly notification: Notification;
      readonly idleFor?: number | 'started';
    }
  /** 9, 10, 11, 13, and RFC 9687's. */
  | { readonly kind: 'timer'; readonly timer: TimerName; readonly connection?: ConnectionId }
  /** The peer has connected to us (17). The number comes from {@link SessionMachine.nextConnection}. */
  | { readonly kind: 'incoming'; readonly connection: ConnectionId }
  /** Our own connection is up (16). */
  | { readonly kind: 'connected'; readonly connection: ConnectionId }
  /** It could not be made, or has ended (18). */
  | { readonly kind: 'lost'; readonly connection: ConnectionId; readonly reason: string }
  /** 19. */
  | { readonly kind: 'open'; readonly connection: ConnectionId; readonly open: OpenFacts }
  /** 26. */
  | { readonly kind: 'keepalive'; readonly connection: ConnectionId }
  /** 24, 25. */
  | {
      readonly kind: 'notification';
      readonly connection: ConnectionId;
      readonly notification: Notification;
    }
  /** UPDATE or ROUTE-REFRESH (27): outside Established an error of the peer. */
  | { readonly kind: 'routes'; readonly connection: ConnectionId }
  /** What came cannot be right (21, 22, 28). */
  | {
      readonly kind: 'fault';
      readonly connection: ConnectionId;
      readonly notification: Notification;
    }
  /** The kernel takes no more output; it took some; it took all. */
  | { readonly kind: 'blocked' | 'drained'; readonly connection: ConnectionId };

export type OutgoingMessage =
  | { readonly type: 'open'; readonly open: OpenFacts }
  | { readonly type: 'keepalive' }
  | { readonly type: 'notification'; readonly notification: Notification };

export type SessionOutput =
  | { readonly kind: 'connect'; readonly connection: ConnectionId }
  | {
      readonly kind: 'send';
      readonly connection: ConnectionId;
      readonly message: OutgoingMessage;
    }
  /** Close it behind what was sent; no input of it is expected any more. */
  | { readonly kind: 'disconnect'; readonly connection: ConnectionId }
  /** (Re)start; the same timer of the same connection is replaced. */
  | {
      readonly kind: 'setTimer';
      readonly timer: TimerName;
      readonly connection?: ConnectionId;
      readonly ms: number;
    }
  | {
      readonly kind: 'clearTimer';
      readonly timer: TimerName;
      readonly connection?: ConnectionId;
    }
  | {
      readonly kind: 'state';
      readonly from: SessionState;
      readonly to: SessionState;
      readonly reason: string;
    }
  | {
      readonly kind: 'established';
      readonly connection: ConnectionId;
      readonly agreement: Agreement;
    }
  | { readonly kind: 'ended'; readonly end: SessionEnd };

/** Inputs of a connection that is known. */
export type ConnectionInput = Exclude<
  SessionInput,
  { kind: 'start' | 'stop' | 'close' | 'timer' | 'incoming' }
>;

export interface SessionEnvironment {
  readonly routerId: number;
  readonly random: Random;
  /** Asked when an OPEN is made. */
  readonly restart: () => RestartState;
}
