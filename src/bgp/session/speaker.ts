// SPDX-License-Identifier: Apache-2.0
/**
 * All sessions of the router: neighbours as configured, those that come out of a prefix, the sockets
 * that listen for them. The RIB's `SessionPort`.
 *
 * A neighbour is known by its address or prefix and VRF; {@link BgpSpeaker.apply} compares with what
 * there is, and resets a session only when something that it depends on has changed.
 */
import { equalBytes, formatAddress, networkOf } from '../../lib/ip.js';
import type { Kernel, TcpConnection, TcpMd5Key } from '../../lib/kernel-api.js';
import type { Logger } from '../../lib/log.js';
import { cease } from '../codec/notification.js';
import { CEASE, ERROR } from '../codec/notification-codes.js';
import type { FamilyId, Notification } from '../codec/types.js';
import type { PeerId, RouteSink, SessionEnd, SessionPort } from '../types.js';
import {
  foundationOf,
  type NeighborConfig,
  type ResolvedNeighbor,
  resolveNeighbor,
  type SpeakerIdentity,
} from './config.js';
import type { RestartState } from './fsm-types.js';
import { type ListenPlace, listenPlaces, neighborFor, serves } from './listen-plan.js';
import { Listeners } from './listener-driver.js';
import { readSecret } from './secret.js';
import { type Keys, type MessageTap, NeighborSession } from './session-driver.js';
import { after } from './timer-driver.js';
import { type SessionView, viewOf } from './view.js';

export interface SpeakerDeps {
  readonly kernel: Kernel;
  /** Descriptor of the namespace of a VRF, or of the core; the supervisor's, open while it runs. */
  readonly netnsOf: (vrf: string | undefined) => number;
  readonly sink: RouteSink;
  readonly log: Logger;
  /** What OPENs tell of our own restart; `known`: to a peer that had a session with this speaker. */
  readonly restart: (known: boolean) => RestartState;
  /** Uniform in 0..1. */
  readonly random: () => number;
  /** Default 179. */
  readonly port?: number;
  /** Every message, for BMP and MRT. */
  readonly tap?: MessageTap;
}

interface Neighbor {
  resolved: ResolvedNeighbor;
  /** What a session stands on, and all of the configuration: to see changes. */
  readonly foundation: string;
  text: string;
  readonly keys: Keys;
  /** An operator's word. */
  shutDown: boolean;
  /** Of the session to be made, when there was one before. */
  number?: PeerId | undefined;
  /** One; for a prefix one per peer there is. */
  readonly sessions: Map<string, NeighborSession>;
}

/** A peer out of a prefix is forgotten so long after its session ended, unless routes wait longer. */
const DYNAMIC_LINGER_MS = 30_000;

/** Numbers of peers are 1..65535: the RIB keeps them in two octets. */
const MOST_PEERS = 0xffff;

export class BgpSpeaker implements SessionPort {
  readonly #deps: SpeakerDeps;
  readonly #listeners: Listeners;
  readonly #neighbors = new Map<string, Neighbor>();
  readonly #sessions = new Map<PeerId, NeighborSession>();
  readonly #free: PeerId[] = [];
  /** Each calls off the forgetting of a peer out of a prefix. */
  readonly #goodbyes = new Map<PeerId, () => void>();
  #highest: PeerId = 0;
  /** Peers that the RIB knows: their numbers are not free before {@link BgpSpeaker.release}. */
  readonly #known = new Set<PeerId>();

  constructor(deps: SpeakerDeps) {
    this.#deps = deps;
    this.#listeners = new Listeners({
      ...{ kernel: deps.kernel, netnsOf: deps.netnsOf, log: deps.log },
      port: deps.port ?? 179,
      onConnection: (place, connection) => {
        this.#onConnection(place, connection);
      },
    });
  }

  /**
   * Makes the sessions what the configuration says. Throws {@link SecretError} for a key file that cannot
   * be used, and then has changed nothing.
   */
  apply(identity: SpeakerIdentity, configs: readonly NeighborConfig[]): void {
    const wanted = new Map<string, Neighbor>();
    for (const config of configs) {
      const neighbor = this.#prepare(identity, config);
      wanted.set(neighbor.resolved.name, neighbor);
    }
    for (const [name, old] of this.#neighbors) {
      const next = wanted.get(name);
      if (next === undefined) this.#retire(name, old, cease('peerDeconfigured'));
      else if (next.foundation !== old.foundation || !sameKeys(next.keys, old.keys)) {
        this.#replace(name, old, next);
      } else this.#amend(old, next);
    }
    for (const [name, neighbor] of wanted) {
      if (!this.#neighbors.has(name)) this.#neighbors.set(name, neighbor);
    }
    // Keys are on the listeners before anybody is called.
    this.#listen();
    for (const neighbor of this.#neighbors.values()) {
      const { address, shutdown } = neighbor.resolved;
      if (address === undefined || neighbor.sessions.size > 0) continue;
      const session = this.#open(neighbor, address);
      if (shutdown === undefined) session.start();
    }
  }

  // ---- SessionPort ---------------------------------------------------------------------------------

  send(peer: PeerId, messages: Uint8Array): boolean {
    return this.#sessions.get(peer)?.send(messages) ?? true;
  }

  close(peer: PeerId, notification: Notification): void {
    const session = this.#sessions.get(peer);
    if (session === undefined) return;
    const full =
      notification.code === ERROR.cease && notification.subcode === CEASE.maximumPrefixes;
    session.close(notification, full ? restartAfter(session.neighbor) : undefined);
  }

  requestRefresh(peer: PeerId, family: FamilyId): void {
    this.#sessions.get(peer)?.requestRefresh(family);
  }

  // ---- Operators -----------------------------------------------------------------------------------

  /** Ends the sessions of a neighbour, or of one peer out of a prefix, and begins again. False: none such. */
  clear(name: string, text?: string): boolean {
    const sessions = this.#named(name);
    for (const session of sessions) session.clear(cease('administrativeReset', text));
    return sessions.length > 0;
  }

  /** Asks for all routes of the families anew (RFC 2918). Names of peers that cannot. */
  clearSoft(name: string, families?: readonly FamilyId[]): readonly string[] {
    const deaf: string[] = [];
    for (const session of this.#named(name)) {
      const wanted = families ?? [...session.neighbor.families.keys()];
      const asked = wanted.filter((family) => session.requestRefresh(family));
      if (asked.length === 0) deaf.push(session.name);
    }
    return deaf;
  }

  /**
   * BFD has found that packets do not get through to a neighbour (RFC 9384). Returns peers that had no session
   * up: what is still kept of theirs is the caller's to judge.
   */
  bfdDown(name: string): readonly PeerId[] {
    const sessions = this.#named(name);
    const up = sessions.filter(({ state }) => state === 'established');
    for (const session of up) session.close(cease('bfdDown'));
    return sessions.filter((session) => !up.includes(session)).map(({ id }) => id);
  }

  /**
   * Ends a neighbour's sessions until {@link startNeighbor} or another configuration (RFC 9003); peers out of
   * a prefix that was named stay out. Names of the sessions.
   */
  shutdown(name: string, text = ''): readonly string[] {
    const neighbor = this.#neighbors.get(name);
    if (neighbor !== undefined) neighbor.shutDown = true;
    const sessions = this.#named(name);
    for (const session of sessions) session.shutDown(cease('administrativeShutdown', text));
    return sessions.map((session) => session.name);
  }

  /** Those that the configuration keeps down stay so. Names of the others. */
  startNeighbor(name: string): readonly string[] {
    const neighbor = this.#neighbors.get(name);
    if (neighbor !== undefined) neighbor.shutDown = false;
    const sessions = this.#named(name).filter((session) => session.neighbor.shutdown === undefined);
    for (const session of sessions) this.#startAgain(session);
    return sessions.map((session) => session.name);
  }

  #startAgain(session: NeighborSession): void {
    session.start();
    const configured = this.#neighbors.get(session.neighbor.name);
    if (session.neighbor.prefix !== undefined && configured !== undefined) {
      this.#forgetLater(configured, session.id);
    }
  }

  show(): SessionView[] {
    return [...this.#sessions.values()].map(viewOf);
  }

  /** Listening sockets that cannot be opened now. */
  notListening(): readonly string[] {
    return this.#listeners.failing();
  }

  /**
   * Ends everything. With a text the peers are told that we shut down; without a word connections are cut,
   * so that peers that know graceful restart keep our routes (RFC 4724 §4.1).
   */
  stop(mode: { readonly text: string } | 'restart'): void {
    this.#listeners.close();
    for (const cancel of this.#goodbyes.values()) cancel();
    for (const session of this.#sessions.values()) {
      if (mode !== 'restart') session.stop(cease('administrativeShutdown', mode.text));
      session.destroy(mode === 'restart');
    }
    this.#sessions.clear();
    this.#neighbors.clear();
  }

  /** The RIB holds nothing of this removed peer any more: its number may be used again. */
  release(peer: PeerId): void {
    if (this.#known.delete(peer) && !this.#sessions.has(peer)) this.#free.push(peer);
  }

  // ---- Neighbours ----------------------------------------------------------------------------------

  #prepare(identity: SpeakerIdentity, config: NeighborConfig): Neighbor {
    const resolved = resolveNeighbor(config, identity);
    return {
      resolved,
      foundation: JSON.stringify([identity.asn, identity.routerId, foundationOf(config)]),
      text: JSON.stringify(config),
      keys: keysOf(resolved, this.#deps.kernel),
      shutDown: false,
      sessions: new Map(),
    };
  }

  #open(neighbor: Neighbor, address: Uint8Array): NeighborSession {
    const { kernel, netnsOf, log, restart, random, tap } = this.#deps;
    const id = neighbor.number ?? this.#free.shift() ?? ++this.#highest;
    const known = (): boolean => session.history.establishedCount > 0;
    const session: NeighborSession = new NeighborSession(id, neighbor.resolved, address, {
      ...{ kernel, log, keys: neighbor.keys },
      netns: () => netnsOf(neighbor.resolved.vrf),
      environment: {
        ...{ routerId: neighbor.resolved.routerId, random },
        restart: () => restart(known()),
      },
      sink: this.#watching(neighbor),
      ...(tap === undefined ? {} : { tap }),
    });
    this.#sessions.set(id, session);
    neighbor.sessions.set(formatAddress(address), session);
    return session;
  }

  /**
   * Its sessions end. A neighbour keeps its number, by which the RIB knows the routes that stay over this:
   * they are stale until it has said all again.
   */
  #replace(name: string, old: Neighbor, next: Neighbor): void {
    const [id] = [...old.sessions.values()].map((session) => session.id);
    const { prefix, shutdown } = next.resolved;
    const ends = prefix !== undefined && shutdown === undefined;
    this.#retire(name, old, ends ? cease('administrativeReset') : whyEnded(next.resolved));
    if (prefix === undefined && id !== undefined && this.#known.has(id)) next.number = id;
  }

  /** What no session stands on has changed, or nothing: those that are up stay. */
  #amend(neighbor: Neighbor, next: Neighbor): void {
    const changed = next.text !== neighbor.text;
    Object.assign(neighbor, { resolved: next.resolved, text: next.text, shutDown: false });
    const { shutdown, prefix } = next.resolved;
    for (const session of [...neighbor.sessions.values()]) {
      if (changed) session.amend(next.resolved);
      const down = shutdown !== undefined;
      if (down && prefix !== undefined) this.#drop(neighbor, session, whyEnded(next.resolved));
      else if (down) session.stop(whyEnded(next.resolved));
      // One that is still trying begins anew, by its new timers.
      else if (changed && session.state !== 'established') session.restart();
      else if (session.isShutDown) this.#startAgain(session);
    }
  }

  #retire(name: string, neighbor: Neighbor, notification: Notification): void {
    for (const session of neighbor.sessions.values()) this.#drop(neighbor, session, notification);
    this.#neighbors.delete(name);
  }

  #drop(neighbor: Neighbor, session: NeighborSession, notification: Notification): void {
    session.stop(notification);
    session.destroy(false);
    // Its end has set a last one: the number may be another's by then.
    this.#goodbyes.get(session.id)?.();
    this.#goodbyes.delete(session.id);
    neighbor.sessions.delete(formatAddress(session.address));
    this.#sessions.delete(session.id);
    // Of one that never came up nobody else will ever speak again.
    if (!this.#known.has(session.id)) this.#free.push(session.id);
  }

  #named(name: string): NeighborSession[] {
    const configured = this.#neighbors.get(name);
    if (configured !== undefined) return [...configured.sessions.values()];
    return [...this.#sessions.values()].filter((session) => session.name === name);
  }

  // ---- Peers out of a prefix -----------------------------------------------------------------------

  /** The sink, watched for whom the RIB knows, and for sessions that exist only while their peer does. */
  #watching(neighbor: Neighbor): RouteSink {
    const { sink } = this.#deps;
    return {
      established: (peer) => {
        this.#goodbyes.get(peer.id)?.();
        this.#goodbyes.delete(peer.id);
        this.#known.add(peer.id);
        sink.established(peer);
      },
      update: (peer, bytes, start, end) => sink.update(peer, bytes, start, end),
      refresh: (peer, family, subtype) => {
        sink.refresh(peer, family, subtype);
      },
      ended: (peer, end) => {
        sink.ended(peer, end);
        if (neighbor.resolved.prefix !== undefined) this.#forgetLater(neighbor, peer, end);
      },
      writable: (peer) => {
        sink.writable(peer);
      },
    };
  }

  #forgetLater(neighbor: Neighbor, peer: PeerId, end?: SessionEnd): void {
    const kept = end === undefined || end.keepStale === 0 ? 0 : 1000 * end.restartTime;
    this.#goodbyes.get(peer)?.();
    const goodbye = after(Math.max(DYNAMIC_LINGER_MS, kept), () => {
      const session = this.#sessions.get(peer);
      if (session === undefined || session.state === 'established' || session.isShutDown) return;
      this.#drop(neighbor, session, cease('peerDeconfigured'));
    });
    this.#goodbyes.set(peer, goodbye);
  }

  // ---- Listening -----------------------------------------------------------------------------------

  #listen(): void {
    const neighbors = [...this.#neighbors.values()];
    const places = listenPlaces(neighbors.map(({ resolved }) => resolved));
    this.#listeners.apply(places, (place) =>
      neighbors.flatMap(({ resolved, keys }) =>
        keys.md5 !== undefined && serves(place, resolved) ? [keys.md5] : [],
      ),
    );
  }

  #onConnection(place: ListenPlace, connection: TcpConnection): void {
    const { vrf } = place;
    const { fd, remote, local, synTtl } = connection;
    const all = [...this.#neighbors.values()];
    const resolved = neighborFor(
      all.map((each) => each.resolved),
      { vrf, remote, local, synTtl },
    );
    const neighbor = all.find((each) => each.resolved === resolved);
    const session = neighbor && this.#sessionFor(neighbor, remote);
    if (session === undefined) {
      this.#deps.log.info('connection refused', { from: formatAddress(remote), vrf });
      this.#deps.kernel.closeDescriptor(fd);
      return;
    }
    session.accept(fd);
  }

  /** The session of this peer; one out of a prefix is made. undefined: it may not have one. */
  #sessionFor(neighbor: Neighbor, remote: Uint8Array): NeighborSession | undefined {
    const { prefix, prefixLimit, shutdown } = neighbor.resolved;
    const known = neighbor.sessions.get(formatAddress(remote));
    if (known !== undefined || prefix === undefined) return known;
    const closed = shutdown !== undefined || neighbor.shutDown;
    if (closed || neighbor.sessions.size >= prefixLimit) return undefined;
    if (this.#free.length === 0 && this.#highest >= MOST_PEERS) return undefined;
    const session = this.#open(neighbor, remote);
    session.start();
    // Until it is established it is there on trial.
    this.#forgetLater(neighbor, session.id);
    return session;
  }
}

const whyEnded = ({ shutdown }: ResolvedNeighbor): Notification =>
  shutdown === undefined
    ? cease('otherConfigurationChange')
    : cease('administrativeShutdown', shutdown);

/** When a session closed for too many prefixes starts again: the longest wait of its families. */
function restartAfter(neighbor: ResolvedNeighbor): number | 'started' {
  const limits = [...neighbor.families.values()].flatMap(({ maxPrefixes }) => maxPrefixes ?? []);
  const waits = limits.map((limit) => limit.restartAfter);
  const seconds = waits.map((wait) => wait ?? Infinity);
  const longest = seconds.length === 0 ? Infinity : Math.max(...seconds);
  return longest === Infinity ? 'started' : 1000 * longest;
}

function keysOf(neighbor: ResolvedNeighbor, kernel: Kernel): Keys {
  const { address, prefix, md5KeyFile, tcpAo } = neighbor;
  const network = prefix && networkOf(prefix);
  const peer = address ?? network?.address ?? new Uint8Array(4);
  const scope = { peer, prefixLength: network?.length ?? 8 * peer.length };
  const md5 = md5KeyFile === undefined ? undefined : { ...scope, key: readSecret(md5KeyFile) };
  if (tcpAo === undefined) return { md5, ao: undefined };
  if (!kernel.hasTcpAo()) {
    throw new Error('this kernel has no TCP-AO (Linux 6.7 with CONFIG_TCP_AO): use an MD5 key');
  }
  const { keyFile, algorithm, sendId, receiveId } = tcpAo;
  const name = algorithm === 'hmac-sha-1' ? 'hmac(sha1)' : 'cmac(aes)';
  return { md5, ao: { ...scope, key: readSecret(keyFile), algorithm: name, sendId, receiveId } };
}

const sameKey = (a: TcpMd5Key | undefined, b: TcpMd5Key | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && equalBytes(a.key, b.key));

const sameKeys = (a: Keys, b: Keys): boolean => sameKey(a.md5, b.md5) && sameKey(a.ao, b.ao);
