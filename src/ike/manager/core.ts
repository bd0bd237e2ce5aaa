// SPDX-License-Identifier: Apache-2.0
/** What the parts of the manager share: who is where, and what the machines below are given. */
import { formatAddress } from '../../lib/ip.js';
import type { ChildPolicy } from '../child/types.js';
import { isFault } from '../codec/fault.js';
import { decodeHeader } from '../codec/header.js';
import { wipe } from '../crypto/secret.js';
import type { OpeningIkeSa } from '../open/types.js';
import type { IkePolicy, PeerPolicy } from '../policy.js';
import type { IkeSa, IkeSaEvents, IkeSas } from '../sa/api.js';
import { bad, good, type IkeEnvironment, type Path } from '../types.js';
import { isAllowed } from './allowed.js';
import { Attempt, type Begun } from './attempt.js';
import type { ManagerDeps, Openings } from './deps.js';
import type { Lineage } from './duplicates.js';
import { Keepalives } from './keepalives.js';
import { Slices, Slots } from './pace.js';
import { Peer, type PeerContext } from './peer.js';
import { Saver } from './persist.js';
import { qcdToken } from './qcd.js';
import { ownSpiOf, pairKey, SaTables } from './tables.js';

/** Openings of ours that may be in flight; one that is not answered in this time makes room for another. */
const SLOTS = 64;
const SLOT_MS = 1_000;
const PORT = 500;

export class Core {
  readonly deps: ManagerDeps;
  readonly env: IkeEnvironment;
  readonly tables: SaTables;
  readonly slices: Slices;
  readonly slots: Slots;
  readonly openings: Openings;
  readonly sas: IkeSas;
  readonly peers = new Map<string, Peer>();
  policy: IkePolicy;
  saver: Saver | undefined;
  isOver = false;
  readonly #peerOf = new WeakMap<IkeSa, Peer>();
  /** Those that have had an IKE SA with this process: INITIAL_CONTACT is not for them. */
  readonly #contacted = new Set<string>();
  readonly #keepalives: Keepalives;
  readonly #qcdSecret: Buffer;
  readonly #context: PeerContext;

  constructor(deps: ManagerDeps) {
    const { counters, parts, authenticator, sink, store } = deps;
    this.deps = deps;
    this.env = { ...deps.env, count: counters.count };
    const { crypto, timers } = this.env;
    this.policy = deps.policy;
    this.tables = new SaTables(crypto);
    this.slices = new Slices(timers);
    this.slots = new Slots(timers, SLOTS, SLOT_MS);
    const lineageOf = (sa: IkeSa): Lineage | undefined => this.#peerOf.get(sa)?.sas.get(sa);
    this.saver = store === undefined ? undefined : new Saver(store, timers, lineageOf);
    this.#keepalives = new Keepalives(timers, deps.keepalive);
    this.#qcdSecret = Buffer.alloc(32);
    this.#qcdSecret.set(deps.qcdSecret?.subarray(0, 32) ?? crypto.random(32));
    const send = (path: Path, octets: Uint8Array): void => {
      this.send(path, octets);
    };
    const token = (i: bigint, r: bigint): Uint8Array => this.token(i, r);
    const shared = { ...this.env, sink, send, qcdToken: token };
    this.openings = parts.createOpenings({ ...shared, authenticator });
    this.sas = parts.createIkeSas(
      { ...shared, drawSpi: () => this.tables.drawSpi() },
      this.#events(),
    );
    this.#context = {
      ...{ env: this.env, sink, slots: this.slots },
      policyOf: (remote) => this.policyOf(remote),
      soon: (peer) => {
        this.soon(peer);
      },
      initiate: (peer, policy, child, isAlone) => this.initiate(peer, policy, child, isAlone),
    };
  }

  policyOf(remote: Uint8Array): PeerPolicy | undefined {
    return this.policy.forPeer(remote);
  }

  /** RFC 6290: what we show when the IKE SA of these SPIs is not here any more. */
  token(initiatorSpi: bigint, responderSpi: bigint): Uint8Array {
    return qcdToken(this.#qcdSecret, initiatorSpi, responderSpi);
  }

  /** The one of these addresses, which it keeps; made when there is none. */
  peer(local: Uint8Array, remote: Uint8Array): Peer {
    const key = pairKey(local, remote);
    let peer = this.peers.get(key);
    if (peer === undefined) {
      peer = new Peer(this.#context, local, remote);
      this.peers.set(key, peer);
    }
    return peer;
  }

  peerIfAny(local: Uint8Array, remote: Uint8Array): Peer | undefined {
    return this.peers.get(pairKey(local, remote));
  }

  soon(peer: Peer): void {
    if (peer.isDue || this.isOver) return;
    peer.isDue = true;
    this.slices.push(() => {
      peer.isDue = false;
      peer.reconcile();
      this.#dropEmpty(peer);
    });
  }

  #dropEmpty(peer: Peer): void {
    if (!peer.isEmpty || peer.isDue || this.peers.get(peer.key) !== peer) return;
    peer.close();
    this.peers.delete(peer.key);
  }

  /** Of an authenticated IKE SA only when its state, with this message, is kept. */
  send(path: Path, octets: Uint8Array): void {
    const { saver, tables, env, deps } = this;
    if (saver !== undefined) {
      const header = decodeHeader(octets, 0, octets.length);
      const spi = isFault(header)
        ? 0n
        : header.initiator
          ? header.initiatorSpi
          : header.responderSpi;
      const entry = tables.find(spi);
      if (entry?.kind === 'sa') saver.beforeSend(entry.sa, octets);
    }
    env.count('tx_datagrams');
    deps.send(path, octets);
  }

  initiate(
    peer: Peer,
    policy: PeerPolicy,
    child: ChildPolicy | undefined,
    isAlone: boolean,
  ): Attempt {
    const { local = PORT, remote = PORT } = this.deps.ports ?? {};
    const { key } = peer;
    const path = {
      local: { address: peer.local, port: local },
      remote: { address: peer.remote, port: remote },
    };
    const initialContact = (): boolean =>
      this.deps.segmentsWereLost && isAlone && !this.#contacted.has(key);
    const begin = (onHint?: () => void): Begun => {
      const initiatorSpi = this.tables.drawSpi();
      const startedAt = this.env.timers.now();
      const opening = this.openings.initiate({ path, policy, child, initialContact, initiatorSpi });
      const lineage = { openedBy: 'us', firstSpi: initiatorSpi, startedAt } as const;
      return { opening, result: this.follow(opening, peer, lineage, onHint) };
    };
    const { firstMs, factor } = policy.retransmission;
    // What is sent again is answered until then.
    return new Attempt({ env: this.env, waitMs: firstMs * factor, begin });
  }

  /** Finds it by its SPI from now on, and makes an IKE SA of it when it is open. */
  follow(
    opening: OpeningIkeSa,
    { local, remote }: Pick<Peer, 'local' | 'remote'>,
    lineage: Omit<Lineage, 'openedAt'>,
    onHint?: () => void,
  ): Begun['result'] {
    const { tables, env } = this;
    const { startedAt, openedBy, firstSpi } = lineage;
    const role = openedBy === 'us' ? 'initiator' : 'responder';
    const spi = openedBy === 'us' ? firstSpi : opening.responderSpi;
    const entry = { kind: 'opening', role, opening, local, remote, startedAt, onHint } as const;
    tables.put(spi, entry);
    return opening.result.then((outcome) => {
      if (!outcome.ok) {
        if (tables.find(spi) === entry) tables.remove(spi);
        return outcome;
      }
      const open = outcome.value;
      const sa = this.sas.take(open);
      const policy = this.policyOf(remote);
      // Rules may have changed meanwhile, and the SP is what the proof says.
      if (policy?.sp !== open.identity.sp || (policy !== open.policy && !isAllowed(policy, open))) {
        this.#register(sa, undefined);
        this.saver?.save(sa);
        void sa.close('the rules do not allow it');
        return bad('POLICY', 'us', `not allowed as a peer of ${open.identity.sp}`);
      }
      const openedAt = env.timers.now();
      const whole = { openedBy, firstSpi, startedAt: open.initAt ?? startedAt, openedAt };
      const peer = this.adopt(sa, whole, { local, remote });
      if (open.isInitialContact && open.role === 'responder') peer.forgetBefore(whole);
      return good(sa);
    });
  }

  /** An authenticated IKE SA, opened or restored. */
  adopt(sa: IkeSa, lineage: Lineage, { local, remote }: Pick<Peer, 'local' | 'remote'>): Peer {
    const peer = this.peer(local, remote);
    this.#contacted.add(peer.key);
    this.#register(sa, peer);
    const { role, identity } = sa.open;
    const { sp, method } = identity;
    this.env.log.info('IKE SA up', { peer: formatAddress(remote), sp, method, role });
    peer.adopt(sa, lineage);
    this.saver?.save(sa);
    return peer;
  }

  peerOf(sa: IkeSa): Peer {
    const { local, remote } = sa.open.path;
    return this.#peerOf.get(sa) ?? this.peer(local.address, remote.address);
  }

  /** Nobody opens anything any more; IKE SAs still hear their peers. */
  endPeers(): void {
    this.slices.close();
    for (const peer of this.peers.values()) peer.close();
    for (const [, entry] of [...this.tables.entries()]) {
      if (entry.kind === 'opening') entry.opening.close();
    }
  }

  close(): void {
    this.isOver = true;
    this.#keepalives.close();
  }

  wipe(): void {
    wipe(this.#qcdSecret);
  }

  #register(sa: IkeSa, peer: Peer | undefined): void {
    this.tables.put(ownSpiOf(sa.open), { kind: 'sa', sa });
    if (peer !== undefined) this.#peerOf.set(sa, peer);
    if (sa.needsKeepalive) this.#keepalives.add(sa);
  }

  #events(): IkeSaEvents {
    const changed = (sa: IkeSa): void => {
      this.saver?.changed(sa);
    };
    return {
      added: (sa) => {
        this.#register(sa, undefined);
        this.saver?.save(sa);
      },
      rekeyed: (old, sa) => {
        const peer = this.peerOf(old);
        this.#peerOf.set(sa, peer);
        peer.rekeyed(old, sa);
        this.#keepalives.delete(old);
        this.saver?.save(old);
        this.saver?.save(sa);
      },
      childUp: (sa, child) => {
        this.peerOf(sa).childUp(sa, child);
        this.saver?.save(sa);
      },
      childRekeyed: (sa, old, child) => {
        this.peerOf(sa).childRekeyed(sa, old, child);
        this.saver?.save(sa);
      },
      childDown: (sa, child) => {
        this.peerOf(sa).childDown(child);
        changed(sa);
      },
      closed: (sa, { code, by, reason }) => {
        const peer = formatAddress(sa.open.path.remote.address);
        this.env.log.info('IKE SA closed', { peer, code, by, reason });
        this.#keepalives.delete(sa);
        this.saver?.remove(ownSpiOf(sa.open));
        this.peerOf(sa).closed(sa);
      },
      forgotten: (sa) => {
        const spi = ownSpiOf(sa.open);
        this.#keepalives.delete(sa);
        const entry = this.tables.find(spi);
        if (entry?.kind === 'sa' && entry.sa === sa) this.tables.remove(spi);
        this.saver?.remove(spi);
      },
      wantsReauthentication: (sa, reason) => {
        this.peerOf(sa).reauthenticate(sa, reason);
      },
    };
  }
}
