// SPDX-License-Identifier: Apache-2.0
/**
 * The session with one peer as a pure state machine (RFC 4271 §8): inputs in, outputs out, no I/O, the
 * clock handed in and randomness injected.
 *
 * RFC 4271 makes one machine per connection and compares them in collisions (§6.8). Here one machine
 * holds all connections with the peer, and the one that got furthest says the state:
 *
 *     stopped, or waiting after a failure                    Idle
 *     no connection, or none that is up                      Connect (we are trying), Active (not now)
 *     OPEN sent | OPEN of the peer seen | KEEPALIVE seen     OpenSent | OpenConfirm | Established
 *
 * Decided where the RFC leaves it open: no DelayOpen; a refused connection leads from Connect to
 * Active, as with DelayOpen, not to Idle, so that the peer can reach us meanwhile; every session that
 * failed waits in Idle (DampPeerOscillations), longer each time.
 *
 * A collision is decided as soon as one OPEN has named the peer. The loser goes only when the winner
 * has shown its OPEN too; until then a loser's KEEPALIVE waits. So it cannot happen that each side
 * closes the connection that the other one keeps.
 */
import { notification } from '../codec/notification.js';
import { ERROR, FSM_ERROR } from '../codec/notification-codes.js';
import type { Notification } from '../codec/types.js';
import type { ResolvedNeighbor } from './config.js';
import type {
  ConnectionId,
  ConnectionInput,
  SessionEnvironment,
  OpenFacts,
  OutgoingMessage,
  SessionInput,
  SessionOutput,
  SessionState,
  TimerName,
} from './fsm-types.js';
import {
  asSent,
  collision,
  type EndCause,
  isNotification,
  negotiate,
  NO_REDUCTION,
  ourOpen,
  type Reduction,
  sessionEnd,
} from './negotiate.js';
import { type Connection, ConnectionSet } from './connections.js';
import { isVersionFault, reductionAfter } from './reduce.js';
import * as timing from './timing.js';

/** An undecided collision is decided by this time: the winner shows its OPEN, or goes. */
const COLLISION_MS = 10_000;

export class SessionMachine {
  /** May become another one with the same foundation: its timers hold from the next time they are set. */
  neighbor: ResolvedNeighbor;
  readonly #environment: SessionEnvironment;
  readonly #connections = new ConnectionSet();
  #mode: 'stopped' | 'waiting' | 'running' = 'stopped';
  #retryArmed = false;
  #state: SessionState = 'idle';
  #reduction: Reduction = NO_REDUCTION;
  #failures = 0;
  #establishedAt = 0;
  #connectionCount = 0;
  #now = 0;
  #reason = '';
  #out: SessionOutput[] = [];

  constructor(neighbor: ResolvedNeighbor, environment: SessionEnvironment) {
    this.neighbor = neighbor;
    this.#environment = environment;
  }

  get state(): SessionState {
    return this.#state;
  }

  /** The number for a connection that the peer has made. */
  nextConnection(): ConnectionId {
    return ++this.#connectionCount;
  }

  /**
   * The hot path's way to say that octets came, that UPDATEs went out (they serve as keepalives, RFC
   * 4271 §8.2.2), or that the kernel took some of the blocked output. Nothing is re-armed: timers look
   * when they fire.
   */
  note(id: ConnectionId, what: 'heardAt' | 'sentAt' | 'progressAt', now: number): void {
    const connection = this.#connections.get(id);
    if (connection !== undefined) connection[what] = now;
  }

  process(input: SessionInput, now: number): SessionOutput[] {
    this.#now = now;
    this.#out = [];
    this.#reason = '';
    this.#dispatch(input);
    this.#settle();
    return this.#out;
  }

  #dispatch(input: SessionInput): void {
    switch (input.kind) {
      case 'start':
        if (this.#mode === 'running') return;
        this.#renew();
        this.#run('started');
        return;
      case 'stop':
        this.#endAll(input.notification);
        this.#rest('stopped', input.notification.reason);
        return;
      case 'close':
        this.#close(input.notification, input.idleFor);
        return;
      case 'timer':
        this.#onTimer(input.timer, input.connection);
        return;
      case 'incoming':
        this.#onIncoming(input.connection);
        return;
      default: {
        const connection = this.#connections.get(input.connection);
        // What a connection still says after its end concerns nobody.
        if (connection !== undefined) this.#onConnection(connection, input);
      }
    }
  }

  #onConnection(connection: Connection, input: ConnectionInput): void {
    switch (input.kind) {
      case 'connected':
        this.#disarmRetry();
        this.#begin(connection);
        this.#resolve();
        return;
      case 'lost':
        this.#drop(connection, { kind: 'lost', reason: input.reason });
        return;
      case 'open':
        this.#onOpen(connection, input.open);
        return;
      case 'keepalive':
        this.#onKeepalive(connection);
        return;
      case 'notification':
        this.#onNotification(connection, input.notification);
        return;
      case 'routes':
        connection.heardAt = this.#now;
        if (connection.stage !== 'established') this.#unexpected(connection, 'UPDATE');
        return;
      case 'fault':
        this.#refuse(connection, input.notification);
        return;
      case 'blocked':
        this.#onBlocked(connection);
        return;
      case 'drained':
        this.#clear('sendHold', connection);
        return;
    }
  }

  // ---- Beginning and resting -----------------------------------------------------------------------

  #renew(): void {
    this.#failures = 0;
    this.#reduction = NO_REDUCTION;
  }

  #run(reason: string): void {
    this.#mode = 'running';
    this.#reason = reason;
    this.#clear('idleHold');
    if (!this.neighbor.passive) this.#connect();
  }

  /** To Idle: until `start`, or for `ms`. */
  #rest(mode: 'stopped' | 'waiting', reason: string, ms = 0): void {
    this.#mode = mode;
    this.#reason = reason;
    this.#disarmRetry();
    if (mode === 'waiting') this.#set('idleHold', ms);
    else this.#clear('idleHold');
  }

  #close(reason: Notification, idleFor: number | 'started' | undefined): void {
    if (this.#mode === 'stopped') return;
    this.#endAll(reason);
    this.#renew();
    if (idleFor === 'started') this.#rest('stopped', reason.reason);
    else this.#rest('waiting', reason.reason, idleFor ?? this.#jitter(timing.FIRST_IDLE_MS));
  }

  /** A session has come to nothing: waits, each time longer, and tries again. */
  #fail(reason: string): void {
    for (const { id } of this.#connections.all()) this.#disconnect(id);
    const wait = this.#failures === 0 ? timing.FIRST_IDLE_MS : this.#backOff(this.#failures - 1);
    this.#failures += 1;
    this.#rest('waiting', reason, this.#jitter(wait));
  }

  #endAll(reason: Notification): void {
    for (const connection of this.#connections.all()) {
      this.#sayWhy(connection, reason);
      this.#remove(connection, { kind: 'sent', notification: reason });
    }
  }

  // ---- Timers --------------------------------------------------------------------------------------

  #onTimer(timer: TimerName, id: ConnectionId | undefined): void {
    if (timer === 'idleHold') {
      if (this.#mode === 'waiting') this.#run('idle hold time over');
      return;
    }
    if (timer === 'connectRetry') {
      this.#retryArmed = false;
      if (this.#mode === 'running' && !this.neighbor.passive) this.#retry();
      return;
    }
    const connection = id === undefined ? undefined : this.#connections.get(id);
    if (connection === undefined) return;
    const { stage, agreement } = connection;
    if (timer === 'hold') this.#onHold(connection);
    else if (timer === 'keepalive' && agreement) this.#onKeepaliveTimer(connection);
    else if (timer === 'sendHold' && stage === 'established') this.#onSendHold(connection);
  }

  #retry(): void {
    for (const connection of this.#connections.all()) {
      if (connection.stage !== 'connecting') return; // the peer was faster
      this.#disconnect(connection.id);
      this.#drop(connection, { kind: 'lost', reason: 'no answer' });
    }
    this.#reason = 'connect retry time over';
    this.#connect();
  }

  #onHold(connection: Connection): void {
    if (connection.holdMs === 0) return;
    const found = timing.overdue(connection.holdMs, connection.heardAt, this.#now);
    if ('again' in found) this.#set('hold', found.again, connection);
    else {
      const reason = `nothing heard for ${found.seconds} s`;
      this.#refuse(connection, notification(ERROR.holdTimer, 0, reason));
    }
  }

  #onKeepaliveTimer(connection: Connection): void {
    const interval = this.#keepaliveMs(connection);
    const quiet = this.#now - connection.sentAt;
    // An UPDATE since has done a KEEPALIVE's work.
    const due = quiet >= 0.7 * interval;
    if (due) this.#send(connection.id, { type: 'keepalive' });
    this.#armKeepalive(connection, due ? 0 : quiet);
  }

  #keepaliveMs({ agreement }: Connection): number {
    return timing.keepaliveMs(agreement?.holdTime ?? 0, this.neighbor.timers.keepalive);
  }

  #armKeepalive(connection: Connection, quiet: number): void {
    const interval = this.#keepaliveMs(connection);
    if (interval === 0) return;
    this.#set('keepalive', Math.max(1, this.#jitter(interval) - quiet), connection);
  }

  #sendHoldMs(connection: Connection): number {
    return timing.sendHoldMs(connection.agreement?.holdTime ?? 0, this.neighbor.timers.sendHold);
  }

  #onBlocked(connection: Connection): void {
    connection.progressAt = this.#now;
    const limit = this.#sendHoldMs(connection);
    if (connection.stage === 'established' && limit > 0) this.#set('sendHold', limit, connection);
  }

  #onSendHold(connection: Connection): void {
    const found = timing.overdue(this.#sendHoldMs(connection), connection.progressAt, this.#now);
    if ('again' in found) this.#set('sendHold', found.again, connection);
    else {
      const reason = `the peer has taken nothing for ${found.seconds} s`;
      this.#refuse(connection, notification(ERROR.sendHoldTimer, 0, reason));
    }
  }

  // ---- Connections ---------------------------------------------------------------------------------

  #connect(): void {
    const connection = this.nextConnection();
    this.#connections.add(connection, 'out', this.#now);
    this.#out.push({ kind: 'connect', connection });
    this.#armRetry();
  }

  #onIncoming(id: ConnectionId): void {
    if (this.#mode !== 'running') {
      this.#disconnect(id);
      return;
    }
    const established = this.#connections.at('established')[0];
    if (established !== undefined && !this.#mayReplace(established)) {
      this.#send(id, { type: 'notification', notification: collision() });
      this.#disconnect(id);
      return;
    }
    this.#disarmRetry();
    const before = this.#connections.at('openSent', 'openConfirm');
    this.#begin(this.#connections.add(id, 'in', this.#now));
    // Two from the peer: it has given the older one up.
    for (const older of before) if (older.direction === 'in') this.#refuse(older, collision());
    this.#resolve();
  }

  /**
   * RFC 4724 §4.2: a peer that has restarted comes back before its old connection is seen to be dead. Soon
   * after Established it is rather the other half of a collision, and is refused without our OPEN.
   */
  #mayReplace({ agreement }: Connection): boolean {
    const old = this.#now - this.#establishedAt >= COLLISION_MS;
    return old && agreement !== undefined && agreement.restartFamilies !== 0;
  }

  /** TCP is up: OPEN goes out (RFC 4271 events 16, 17). */
  #begin(connection: Connection): void {
    if (connection.stage !== 'connecting') throw new Error('a connection is made once');
    const { routerId, restart } = this.#environment;
    const open = ourOpen(this.neighbor, routerId, restart(), this.#reduction);
    connection.ours = open;
    connection.stage = 'openSent';
    connection.heardAt = connection.progressAt = this.#now;
    this.#send(connection.id, { type: 'open', open });
    this.#hold(connection, 1000 * this.neighbor.timers.open);
  }

  #onOpen(connection: Connection, theirs: OpenFacts): void {
    const { ours } = connection;
    if (connection.stage !== 'openSent' || ours === undefined) {
      this.#unexpected(connection, 'OPEN');
      return;
    }
    const agreement = negotiate(this.neighbor, ours, theirs);
    if (isNotification(agreement)) {
      this.#refuse(connection, agreement);
      return;
    }
    for (const old of this.#connections.at('established')) {
      this.#disconnect(old.id);
      this.#remove(old, { kind: 'lost', reason: 'the peer came back by a new connection' });
    }
    connection.agreement = agreement;
    connection.stage = 'openConfirm';
    connection.heardAt = this.#now;
    this.#send(connection.id, { type: 'keepalive' });
    this.#hold(connection, 1000 * agreement.holdTime);
    this.#armKeepalive(connection, 0);
    this.#resolve();
  }

  #onKeepalive(connection: Connection): void {
    connection.heardAt = this.#now;
    if (connection.stage === 'openSent') this.#unexpected(connection, 'KEEPALIVE');
    if (connection.stage !== 'openConfirm') return;
    connection.confirmed = true;
    this.#confirm();
  }

  #onNotification(connection: Connection, received: Notification): void {
    this.#disconnect(connection.id);
    const reduced = reductionAfter(this.#reduction, received, this.neighbor.familySet);
    const failures = this.#failures;
    this.#drop(connection, { kind: 'received', notification: received });
    // Event 24 does not count, nor does what the next OPEN makes good.
    if (isVersionFault(received) || reduced !== undefined) this.#failures = failures;
    if (reduced !== undefined) this.#reduction = reduced;
  }

  #unexpected(connection: Connection, what: string): void {
    if (connection.stage === 'connecting') return;
    const subcode = FSM_ERROR[connection.stage];
    const reason = `${what} in state ${connection.stage}`;
    this.#refuse(connection, notification(ERROR.fsm, subcode, reason));
  }

  // ---- Collisions ----------------------------------------------------------------------------------

  /** RFC 4271 §6.8: the loser goes when the winner has shown its OPEN. */
  #resolve(): void {
    const found = this.#connections.collision();
    if (found === undefined) return;
    if (found.decided) for (const loser of found.losers) this.#refuse(loser, collision());
    else this.#hold(found.winner, Math.min(found.winner.holdMs, COLLISION_MS));
  }

  /** Establishes what is confirmed and has no rival that may yet win. */
  #confirm(): void {
    const connection = this.#connections.ready();
    const { agreement } = connection ?? {};
    if (connection === undefined || agreement === undefined) return;
    connection.stage = 'established';
    this.#establishedAt = this.#now;
    this.#disarmRetry();
    for (const other of this.#connections.all()) {
      if (other === connection) continue;
      if (other.stage === 'connecting') this.#disconnect(other.id);
      else this.#refuse(other, collision());
    }
    this.#out.push({ kind: 'established', connection: connection.id, agreement });
  }

  // ---- Ends ----------------------------------------------------------------------------------------

  /** Answers what is wrong by a NOTIFICATION, and ends the connection. */
  #refuse(connection: Connection, reason: Notification): void {
    this.#sayWhy(connection, reason);
    this.#drop(connection, { kind: 'sent', notification: reason });
  }

  #sayWhy(connection: Connection, reason: Notification): void {
    if (connection.stage !== 'connecting') {
      const sent = asSent(reason, connection.agreement);
      this.#send(connection.id, { type: 'notification', notification: sent });
    }
    this.#disconnect(connection.id);
  }

  #disconnect(id: ConnectionId): void {
    this.#connections.delete(id);
    this.#out.push({ kind: 'disconnect', connection: id });
  }

  /** Forgets the connection; tells the RIB when it was the session. */
  #remove(connection: Connection, cause: EndCause): void {
    this.#connections.delete(connection.id);
    if (connection.stage !== 'established' || connection.agreement === undefined) return;
    if (this.#now - this.#establishedAt >= timing.STABLE_MS) this.#failures = 0;
    this.#out.push({ kind: 'ended', end: sessionEnd(connection.agreement, cause) });
  }

  /** A connection is gone: another may go on, else the session waits. */
  #drop(connection: Connection, cause: EndCause): void {
    this.#remove(connection, cause);
    this.#reason = cause.kind === 'lost' ? cause.reason : cause.notification.reason;
    const others = this.#connections.all().some((each) => each.stage !== 'connecting');
    if (others) this.#confirm();
    else if (cause.kind === 'lost' && connection.agreement === undefined) this.#failures += 1;
    else this.#fail(this.#reason);
  }

  // ---- Helpers -------------------------------------------------------------------------------------

  #send(id: ConnectionId, message: OutgoingMessage): void {
    this.note(id, 'sentAt', this.#now);
    this.#out.push({ kind: 'send', connection: id, message });
  }

  #hold(connection: Connection, ms: number): void {
    connection.holdMs = ms;
    if (ms > 0) this.#set('hold', ms, connection);
    else this.#clear('hold', connection);
  }

  #set(timer: TimerName, ms: number, connection?: Connection): void {
    const of = connection === undefined ? {} : { connection: connection.id };
    this.#out.push({ kind: 'setTimer', timer, ...of, ms });
  }

  #clear(timer: TimerName, connection?: Connection): void {
    const of = connection === undefined ? {} : { connection: connection.id };
    this.#out.push({ kind: 'clearTimer', timer, ...of });
  }

  #jitter(ms: number): number {
    return timing.jitter(ms, this.#environment.random);
  }

  #backOff(failures: number): number {
    const { connectRetry, connectRetryMax } = this.neighbor.timers;
    return timing.backOff(1000 * connectRetry, failures, 1000 * connectRetryMax);
  }

  #armRetry(): void {
    this.#retryArmed = true;
    this.#set('connectRetry', this.#jitter(this.#backOff(this.#failures)));
  }

  #disarmRetry(): void {
    this.#retryArmed = false;
    this.#clear('connectRetry');
  }

  /** After each input: nobody is left without a timer, and the state is what the connections say. */
  #settle(): void {
    const trying = this.#mode === 'running' && !this.neighbor.passive && !this.#retryArmed;
    const none = this.#connections.at('openSent', 'openConfirm', 'established').length === 0;
    if (trying && none) this.#armRetry();
    const to = this.#mode === 'running' ? this.#connections.state() : 'idle';
    if (to === this.#state) return;
    this.#out.push({ kind: 'state', from: this.#state, to, reason: this.#reason });
    this.#state = to;
  }
}
