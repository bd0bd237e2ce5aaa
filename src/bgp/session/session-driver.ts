// SPDX-License-Identifier: Apache-2.0
/** Runs one neighbour's machine: its timers, its connections, and the way of messages to the RIB. */
import { formatAddress, parseAddress } from '../../lib/ip.js';
import type { Kernel, TcpMd5Key, TcpAoKey } from '../../lib/kernel-api.js';
import type { Logger } from '../../lib/log.js';
import { hasFamily } from '../codec/families.js';
import { encodeKeepalive, HEADER_LENGTH, MESSAGE, type MessageType } from '../codec/message.js';
import { cease, decodeNotification, encodeNotification } from '../codec/notification.js';
import { decodeOpen, encodeOpen } from '../codec/open.js';
import { openFrom, summarizeOpen } from '../codec/open-summary.js';
import {
  decodeRouteRefresh,
  encodeRouteRefresh,
  isRefreshSubtype,
} from '../codec/route-refresh.js';
import type { FamilyId, Notification } from '../codec/types.js';
import type { EstablishedPeer, PeerId, RouteSink } from '../types.js';
import type { ResolvedNeighbor } from './config.js';
import { TcpConnection } from './connection-driver.js';
import { SessionMachine } from './fsm.js';
import { isBare } from './negotiate.js';
import type {
  Agreement,
  ConnectionId,
  OutgoingMessage,
  SessionEnvironment,
  SessionInput,
  SessionOutput,
  SessionState,
  TimerName,
} from './fsm-types.js';
import { SessionTimers } from './timer-driver.js';
import { countMessages, MessageCounter, SessionHistory } from './stats.js';

/** What a neighbour's TCP connections need; read once when the neighbour is set up. */
export interface Keys {
  readonly md5: TcpMd5Key | undefined;
  readonly ao: TcpAoKey | undefined;
}

/**
 * Whole messages, headers included: bytes[start..end), the caller's again after the call; one that was received,
 * before anything writes to it, or some that are sent.
 */
export type MessageTap = (
  peer: PeerId,
  direction: 'in' | 'out',
  bytes: Uint8Array,
  start: number,
  end: number,
) => void;

export interface SessionDeps {
  readonly kernel: Kernel;
  /** Descriptor of the namespace the neighbour is reached in. */
  readonly netns: () => number;
  readonly environment: SessionEnvironment;
  readonly sink: RouteSink;
  readonly log: Logger;
  readonly keys: Keys;
  /** Every message, for monitoring (RFC 7854, RFC 6396). */
  readonly tap?: MessageTap;
}

const KEEPALIVE = encodeKeepalive();

/** TTL of what is sent and least TTL accepted (RFC 5082 §3; EBGP to a direct neighbour sends 1). */
export function hopsOf(neighbor: ResolvedNeighbor): { ttl: number; minTtl?: number } {
  const { ttlSecurity, multihop } = neighbor;
  return ttlSecurity === undefined ? { ttl: multihop } : { ttl: 255, minTtl: 256 - ttlSecurity };
}

export class NeighborSession {
  readonly id: PeerId;
  readonly address: Uint8Array;
  readonly name: string;
  readonly history = new SessionHistory();
  readonly received = new MessageCounter();
  readonly sent = new MessageCounter();
  readonly #deps: SessionDeps;
  readonly #machine: SessionMachine;
  readonly #connections = new Map<ConnectionId, TcpConnection>();
  readonly #timers: SessionTimers;
  #live: ConnectionId | undefined;
  #agreement: Agreement | undefined;
  #establishedAt: number | undefined;
  #writable = true;
  /** Closed until further notice. */
  #held = false;
  #shutDown = false;
  #neighbor: ResolvedNeighbor;
  /** Told after every change of state. */
  onState: () => void = () => undefined;

  /** `address` is the peer's: the neighbour's own, or one out of its prefix. */
  constructor(id: PeerId, neighbor: ResolvedNeighbor, address: Uint8Array, deps: SessionDeps) {
    this.id = id;
    this.#neighbor = neighbor;
    this.address = address;
    const text = formatAddress(address);
    this.name = neighbor.vrf === undefined ? text : `${text}%${neighbor.vrf}`;
    this.#deps = deps;
    this.#machine = new SessionMachine(neighbor, deps.environment);
    this.#timers = new SessionTimers((timer, connection) => {
      this.#onTimer(timer, connection);
    });
  }

  get state(): SessionState {
    return this.#machine.state;
  }

  get agreement(): Agreement | undefined {
    return this.#agreement;
  }

  /** Milliseconds since 1970; undefined while down. */
  get establishedAt(): number | undefined {
    return this.#establishedAt;
  }

  get localAddress(): string | undefined {
    return this.#live === undefined ? undefined : this.#connections.get(this.#live)?.localAddress;
  }

  get neighbor(): ResolvedNeighbor {
    return this.#neighbor;
  }

  /** An operator has shut it down, as opposed to the configuration. */
  get isShutDown(): boolean {
    return this.#shutDown;
  }

  /** Another configuration of the same neighbour; what the session stands on is as it was. */
  amend(neighbor: ResolvedNeighbor): void {
    this.#neighbor = neighbor;
    this.#machine.neighbor = neighbor;
  }

  /** Ends what there is and begins anew at once, unless it is closed until further notice. */
  restart(): void {
    if (this.#held) return;
    this.stop(cease('otherConfigurationChange'));
    this.start();
  }

  /** Ends it until {@link start}, by an operator's word (RFC 9003). */
  shutDown(notification: Notification): void {
    this.stop(notification);
    this.#shutDown = true;
  }

  start(): void {
    this.#held = false;
    this.#shutDown = false;
    this.#input({ kind: 'start' });
  }

  /** Ends the session and keeps it down. */
  stop(notification: Notification): void {
    this.#held = false;
    this.#input({ kind: 'stop', notification });
  }

  /** Ends it and begins again; 'started': when {@link clear} or `start` says so. */
  close(notification: Notification, idleFor?: number | 'started'): void {
    this.#held = idleFor === 'started';
    const rest = idleFor === undefined ? {} : { idleFor };
    this.#input({ kind: 'close', notification, ...rest });
  }

  /** An operator's reset; one that was closed until further notice starts. Shut down ones stay so. */
  clear(notification: Notification): void {
    if (this.#held) this.start();
    else this.close(notification);
  }

  /** The peer has connected; the descriptor is taken over. */
  accept(fd: number): void {
    try {
      this.#deps.kernel.setTcpHops(fd, hopsOf(this.#neighbor));
    } catch (error) {
      this.#deps.kernel.closeDescriptor(fd);
      this.#deps.log.warning('cannot take a connection', {
        ...{ peer: this.name, reason: error instanceof Error ? error.message : String(error) },
      });
      return;
    }
    const id = this.#machine.nextConnection();
    this.#connections.set(id, this.#connection(id, fd, false));
    this.#input({ kind: 'incoming', connection: id });
  }

  /** See SessionPort. Outside Established what is sent is lost, and may go on. */
  send(messages: Uint8Array): boolean {
    const connection = this.#live === undefined ? undefined : this.#connections.get(this.#live);
    if (connection === undefined || this.#live === undefined) return true;
    this.#machine.note(this.#live, 'sentAt', performance.now());
    this.#write(connection, messages);
    return this.#writable;
  }

  requestRefresh(family: FamilyId, subtype: 0 | 1 | 2 = 0): boolean {
    const agreed = this.#agreement;
    if (agreed?.routeRefresh !== true || !hasFamily(agreed.context.families, family)) return false;
    this.send(encodeRouteRefresh(family, subtype));
    return true;
  }

  /**
   * The machine is not used any more. What has been told to the peers still goes out, unless connections
   * are to be cut: `abrupt`.
   */
  destroy(abrupt: boolean): void {
    this.#timers.clearAll();
    for (const connection of this.#connections.values()) {
      if (abrupt) connection.destroy();
      else connection.end();
    }
    this.#connections.clear();
  }

  // ---- The machine ---------------------------------------------------------------------------------

  #input(input: SessionInput): void {
    const { state } = this.#machine;
    for (const output of this.#machine.process(input, performance.now())) this.#carryOut(output);
    if (state !== this.#machine.state) this.onState();
  }

  #carryOut(output: SessionOutput): void {
    switch (output.kind) {
      case 'connect':
        this.#connect(output.connection);
        return;
      case 'send':
        this.#say(output.connection, output.message);
        return;
      case 'disconnect':
        this.#connections.get(output.connection)?.end();
        this.#forget(output.connection);
        return;
      case 'setTimer':
        this.#timers.set(output.timer, output.connection, output.ms);
        return;
      case 'clearTimer':
        this.#timers.clear(output.timer, output.connection);
        return;
      case 'state':
        this.#onStateChange(output.from, output.to, output.reason);
        return;
      case 'established':
        this.#established(output.connection, output.agreement);
        return;
      case 'ended':
        this.#live = undefined;
        this.#agreement = undefined;
        this.#establishedAt = undefined;
        this.#writable = true;
        this.#deps.sink.ended(this.id, output.end);
        return;
    }
  }

  #onStateChange(from: SessionState, to: SessionState, reason: string): void {
    this.history.change({ at: Date.now(), from, to, reason });
    this.#deps.log.info('session state', { peer: this.name, from, to, reason });
  }

  #established(connection: ConnectionId, agreement: Agreement): void {
    this.#live = connection;
    this.#agreement = agreement;
    this.#establishedAt = Date.now();
    this.history.establishedCount += 1;
    const { neighbor, address } = this;
    const local = parseAddress(this.localAddress ?? '') ?? new Uint8Array(address.length);
    const { context, routerId, asn, kind } = agreement;
    const peer: EstablishedPeer = {
      ...{ id: this.id, name: this.name, configured: neighbor.name, vrf: neighbor.vrf },
      ...{ address, localAddress: local },
      ...{ asn, localAsn: neighbor.localAsn, routerId, kind, context },
      ...{ routeRefresh: agreement.routeRefresh, enhancedRefresh: agreement.enhancedRefresh },
      ...{ forwardingKept: agreement.forwardingKept, awaitEndOfRib: agreement.awaitEndOfRib },
      ...(agreement.laterEndOfRib !== undefined && { laterEndOfRib: agreement.laterEndOfRib }),
      longLived: agreement.longLivedOffered,
      ports: this.#connections.get(connection)?.ports ?? { local: 0, remote: 0 },
    };
    this.#deps.sink.established(peer);
  }

  #onTimer(timer: TimerName, connection: ConnectionId | undefined): void {
    const behind = connection !== undefined && this.#connections.get(connection)?.behind === true;
    // Nobody is silent whose words we have not had the time to read.
    if (behind) this.#machine.note(connection, 'heardAt', performance.now());
    this.#input({ kind: 'timer', timer, ...(connection !== undefined && { connection }) });
  }

  #forget(id: ConnectionId): void {
    this.#connections.delete(id);
    for (const timer of ['hold', 'keepalive', 'sendHold'] as const) this.#timers.clear(timer, id);
  }

  // ---- Connections ---------------------------------------------------------------------------------

  #connect(id: ConnectionId): void {
    const { neighbor, address } = this;
    const { kernel, netns, keys } = this.#deps;
    let fd: number;
    try {
      fd = kernel.tcpSocket({
        ...{ netns: netns(), local: neighbor.localAddress ?? new Uint8Array(address.length) },
        ...hopsOf(neighbor),
        ...(neighbor.interface === undefined ? {} : { interface: neighbor.interface }),
        ...(neighbor.maxSegment === undefined ? {} : { maxSegment: neighbor.maxSegment }),
        md5Keys: keys.md5 === undefined ? [] : [keys.md5],
        aoKeys: keys.ao === undefined ? [] : [keys.ao],
      });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#deps.log.warning('cannot make a connection', { peer: this.name, reason });
      // Not from inside the machine's own turn.
      setImmediate(() => {
        this.#input({ kind: 'lost', connection: id, reason });
      });
      return;
    }
    this.#connections.set(id, this.#connection(id, fd, true));
  }

  #connection(id: ConnectionId, fd: number, connect: boolean): TcpConnection {
    const target = { address: formatAddress(this.address), port: this.#neighbor.port };
    const connection: TcpConnection = new TcpConnection(fd, connect ? target : undefined, {
      connected: () => {
        this.#input({ kind: 'connected', connection: id });
      },
      message: (type, start, end) => {
        this.#onMessage(id, connection, type, start, end);
        return true;
      },
      fault: (fault, octets) => {
        this.#fault(id, fault, octets);
      },
      heard: () => {
        this.#machine.note(id, 'heardAt', performance.now());
      },
      lost: (reason) => {
        this.#forget(id);
        this.#input({ kind: 'lost', connection: id, reason });
      },
      blocked: () => {
        this.#input({ kind: 'blocked', connection: id });
      },
      progress: () => {
        this.#machine.note(id, 'progressAt', performance.now());
      },
      drained: () => {
        this.#input({ kind: 'drained', connection: id });
      },
      writable: () => {
        if (id !== this.#live || this.#writable) return;
        this.#writable = true;
        this.#deps.sink.writable(this.id);
      },
    });
    return connection;
  }

  // ---- Messages ------------------------------------------------------------------------------------

  #onMessage(
    id: ConnectionId,
    connection: TcpConnection,
    type: MessageType,
    start: number,
    end: number,
  ): void {
    const { bytes } = connection;
    this.received.add(type);
    this.#deps.tap?.(this.id, 'in', bytes, start - HEADER_LENGTH, end);
    switch (type) {
      case MESSAGE.update:
        this.#onUpdate(id, bytes, start, end);
        return;
      case MESSAGE.keepalive:
        // `heard` has it; the machine need not know of each.
        if (id !== this.#live) this.#input({ kind: 'keepalive', connection: id });
        return;
      case MESSAGE.routeRefresh:
        this.#onRefresh(id, bytes, start, end);
        return;
      case MESSAGE.open: {
        const open = decodeOpen(bytes, start, end);
        if ('subcode' in open) this.#fault(id, open, bytes.subarray(start, end));
        else this.#input({ kind: 'open', connection: id, open: summarizeOpen(open) });
        return;
      }
      case MESSAGE.notification: {
        const notification = decodeNotification(bytes, start, end);
        this.history.error(Date.now(), 'peer', notification);
        this.#deps.log.notice('NOTIFICATION received', {
          ...{ peer: this.name, reason: notification.reason },
        });
        this.#input({ kind: 'notification', connection: id, notification });
        return;
      }
    }
  }

  #onUpdate(id: ConnectionId, bytes: Uint8Array, start: number, end: number): void {
    if (id !== this.#live) {
      this.#input({ kind: 'routes', connection: id });
      return;
    }
    // The RIB may write into the octets: what was wrong is shown as it then is.
    const outcome = this.#deps.sink.update(this.id, bytes, start, end);
    if (outcome.kind === 'ok') return;
    if (outcome.kind === 'tolerated') {
      this.history.tolerated += 1;
      this.history.error(Date.now(), 'us', outcome.fault, bytes.subarray(start, end));
    } else this.#fault(id, outcome.notification, bytes.subarray(start, end));
  }

  #onRefresh(id: ConnectionId, bytes: Uint8Array, start: number, end: number): void {
    const agreed = this.#agreement;
    if (id !== this.#live || agreed === undefined) {
      this.#input({ kind: 'routes', connection: id });
      return;
    }
    const refresh = decodeRouteRefresh(bytes, start, end);
    if ('code' in refresh) {
      this.#fault(id, refresh, bytes.subarray(start, end));
      return;
    }
    const { family, subtype } = refresh;
    // RFC 2918 §4, RFC 7313 §5: what was not agreed on is ignored.
    if (family === undefined || !hasFamily(agreed.context.families, family)) return;
    if (!isRefreshSubtype(subtype) || (subtype !== 0 && !agreed.enhancedRefresh)) return;
    this.#deps.sink.refresh(this.id, family, subtype);
  }

  #fault(id: ConnectionId, fault: Notification, octets: Uint8Array): void {
    this.history.error(Date.now(), 'us', fault, octets);
    this.#input({ kind: 'fault', connection: id, notification: fault });
  }

  #say(id: ConnectionId, message: OutgoingMessage): void {
    const connection = this.#connections.get(id);
    if (connection === undefined) return;
    switch (message.type) {
      case 'keepalive':
        this.#write(connection, KEEPALIVE);
        return;
      case 'open': {
        connection.maxMessage = message.open.extendedMessages ? 65535 : 4096;
        this.#write(connection, encodeOpen(openFrom(message.open, [], isBare(message.open))));
        return;
      }
      case 'notification': {
        const { notification } = message;
        this.history.error(Date.now(), 'us', notification);
        this.#deps.log.notice('NOTIFICATION sent', {
          ...{ peer: this.name, reason: notification.reason },
        });
        this.#write(connection, encodeNotification(notification));
        return;
      }
    }
  }

  #write(connection: TcpConnection, messages: Uint8Array): void {
    countMessages(messages, this.sent);
    this.#deps.tap?.(this.id, 'out', messages, 0, messages.length);
    this.#writable = connection.send(messages) && this.#writable;
  }
}
