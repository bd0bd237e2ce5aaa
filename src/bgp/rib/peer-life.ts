// SPDX-License-Identifier: Apache-2.0
/**
 * Neighbours coming and going, and what becomes of their routes: graceful restart (RFC 4724, 8538), long-lived
 * graceful restart (RFC 9494), enhanced route refresh (RFC 7313).
 */
import { FAMILY_IDS, familiesOf, familyBit, hasFamily } from '../codec/families.js';
import { FAMILY, type FamilyId, type FamilySet } from '../codec/types.js';
import type { EstablishedPeer, PeerId, SessionEnd } from '../types.js';
import type { RibPorts } from './api.js';
import type { AttributeReader } from './attribute-codec.js';
import type { Core } from './core.js';
import { Inbound } from './inbound.js';
import { type NeighbourRib, Peer } from './peers.js';
import type { Sender } from './rib-in.js';
import { CORE } from './scope.js';
import type { Sweeper } from './sweeper.js';

/** Longest time stale routes wait for End-of-RIB or EoRR once the session is back. */
const STALE_PATH_MS = 360_000;
/** What timers of Node can wait for; RFC 9494 allows 2^24 - 1 seconds. */
const MOST_MS = 2 ** 31 - 1;
const VPN = familyBit(FAMILY.vpnv4) | familyBit(FAMILY.vpnv6);

export interface LifeSurroundings {
  readonly sweeper: Sweeper;
  readonly vrfOf: (name: string) => number | undefined;
  readonly wake: () => void;
}

export class PeerLife {
  readonly #core: Core;
  readonly #reader: AttributeReader;
  readonly #ports: RibPorts;
  readonly #around: LifeSurroundings;
  readonly #senders: (Sender | undefined)[] = [];
  /** Families that are to be asked for again. */
  readonly #asking = new Map<Peer, FamilySet>();
  /** By peer * 8 + family: takes back the timer that ends the stale routes' time. */
  readonly #timers = new Map<number, () => void>();

  constructor(core: Core, reader: AttributeReader, ports: RibPorts, around: LifeSurroundings) {
    this.#core = core;
    this.#reader = reader;
    this.#ports = ports;
    this.#around = around;
  }

  /** Throws for a number that is no neighbour's: sessions must not outlive `forgotten`. */
  sender(id: PeerId): Sender {
    const sender = this.#senders[id];
    if (sender === undefined) throw new Error(`no neighbour has number ${String(id)}`);
    return sender;
  }

  established(info: EstablishedPeer): Peer {
    if (info.id < 1 || info.id > 0xffff) throw new RangeError('peer numbers are 1 to 65535');
    const vrf = info.vrf === undefined ? CORE : this.#around.vrfOf(info.vrf);
    if (vrf === undefined) throw new Error(`no VRF is called ${info.vrf ?? ''}`);
    if (this.#core.peers[info.id]?.up === true) throw new Error(`${info.name} is up already`);
    const config = this.#ports.neighbour(info);
    const known = this.#core.peers[info.id];
    const peer = known ?? new Peer(info, config);
    if (known === undefined) this.#core.peers[info.id] = peer;
    else this.#back(peer, info);
    peer.info = info;
    peer.config = config;
    peer.up = true;
    peer.endOfRib = 0;
    peer.refreshing = 0;
    this.#senders[info.id]?.inbound.clear();
    this.#senders[info.id] = { peer, inbound: new Inbound(this.#core, this.#reader, peer), vrf };
    return peer;
  }

  /** The restarted neighbour is back: what it forwards no more goes, the rest waits for End-of-RIB. */
  #back(peer: Peer, info: EstablishedPeer): void {
    for (const family of FAMILY_IDS) {
      this.#cancel(peer, family);
      if (!peer.hasStale(family)) continue;
      const waits =
        hasFamily(info.forwardingKept, family) && hasFamily(info.context.families, family);
      if (waits) this.#expireAfter(peer, family, STALE_PATH_MS);
      else this.#killStale(peer, family);
    }
  }

  ended(peer: Peer, end: SessionEnd): void {
    peer.up = false;
    this.#asking.delete(peer);
    peer.refreshing = 0;
    for (const family of FAMILY_IDS) {
      this.#cancel(peer, family);
      // RFC 4724 §4.2: what was stale already does not survive another restart.
      if (peer.hasStale(family)) this.#killStale(peer, family);
      if (!hasFamily(end.keepStale, family)) {
        this.#leave(peer, family, 'dead');
        this.#around.sweeper.bury(peer, family);
        continue;
      }
      this.#leave(peer, family, 'stale');
      const longLived = end.longLived.find((one) => one.family === family)?.seconds ?? 0;
      this.#restartTimer(peer, family, end.restartTime * 1000, longLived * 1000);
    }
  }

  /** A neighbour without session forwards no more (RFC 5882 §4.3): what is kept over its restart goes. */
  forwardingLost(id: PeerId): void {
    const peer = this.#senders[id]?.peer;
    if (peer === undefined || peer.up) return;
    for (const family of FAMILY_IDS) {
      if (!peer.hasStale(family)) continue;
      this.#cancel(peer, family);
      this.#killStale(peer, family);
    }
  }

  endOfRib(peer: Peer, family: FamilyId): void {
    peer.endOfRib |= 1 << family;
    if (hasFamily(peer.refreshing, family) || !peer.hasStale(family)) return;
    this.#cancel(peer, family);
    this.#killStale(peer, family);
  }

  /**
   * A neighbour may begin as often as it likes: where no epoch is free, what it has announced since an earlier
   * beginning counts for this one too, instead of a sweep in the middle of a message.
   */
  beginRefresh(peer: Peer, family: FamilyId): void {
    peer.refreshing |= 1 << family;
    peer.beginStale(family);
    this.#expireAfter(peer, family, STALE_PATH_MS);
  }

  endRefresh(peer: Peer, family: FamilyId): void {
    if (!hasFamily(peer.refreshing, family)) return;
    peer.refreshing &= ~(1 << family);
    this.#cancel(peer, family);
    this.#killStale(peer, family);
  }

  /** What it had before, and the neighbour; undefined: it is not known. */
  reconfigure(id: PeerId, config: NeighbourRib): { peer: Peer; before: NeighbourRib } | undefined {
    const sender = this.#senders[id];
    if (sender === undefined) return undefined;
    const { peer, inbound } = sender;
    const before = peer.config;
    peer.config = config;
    inbound.clear();
    return { peer, before };
  }

  /** What it sent is wanted again; asked for by the next {@link sendRequests}, once for all reasons. */
  requestRefresh(peer: Peer, which: 'all' | 'vpn'): void {
    if (!peer.up) return;
    const wanted = which === 'all' ? peer.info.context.families : VPN & peer.info.context.families;
    if (peer.info.routeRefresh) this.#asking.set(peer, (this.#asking.get(peer) ?? 0) | wanted);
    else if (wanted !== 0) {
      this.#ports.log.notice(
        'routes of a neighbour are judged anew only when it sends them again',
        {
          ...{
            peer: peer.info.name,
            reason: 'it has no route refresh',
            remedy: 'clear the session',
          },
        },
      );
    }
  }

  sendRequests(): void {
    for (const [peer, families] of this.#asking) {
      if (!peer.up) continue;
      for (const family of familiesOf(families)) {
        this.#ports.sessions.requestRefresh(peer.id, family);
      }
    }
    this.#asking.clear();
  }

  /** A neighbour without session and without routes is no more. */
  forgetIfEmpty(peer: Peer): void {
    const held = FAMILY_IDS.some(
      (id) => (peer.routes[id] ?? 0) + (peer.rejected[id] ?? 0) > 0 || peer.deadEpochs(id) !== 0,
    );
    if (peer.up || held || this.#core.peers[peer.id] !== peer) return;
    for (const family of FAMILY_IDS) this.#cancel(peer, family);
    this.#senders[peer.id]?.inbound.clear();
    this.#senders[peer.id] = undefined;
    this.#core.peers[peer.id] = undefined;
    this.#ports.forgotten?.(peer.id);
  }

  #restartTimer(peer: Peer, family: FamilyId, restartMs: number, longLivedMs: number): void {
    const over = (): void => {
      if (longLivedMs === 0) {
        this.#killStale(peer, family);
        return;
      }
      peer.prolong(family);
      this.#around.sweeper.prolong(peer, family);
      this.#expireAfter(peer, family, longLivedMs);
      this.#around.wake();
    };
    if (restartMs === 0) over();
    else this.#after(peer, family, restartMs, over);
  }

  #expireAfter(peer: Peer, family: FamilyId, ms: number): void {
    this.#after(peer, family, ms, () => {
      peer.refreshing &= ~(1 << family);
      this.#killStale(peer, family);
    });
  }

  #after(peer: Peer, family: FamilyId, ms: number, action: () => void): void {
    this.#cancel(peer, family);
    const key = peer.id * 8 + family;
    const first = Math.min(ms, MOST_MS);
    const timer = this.#ports.scheduler.after(first, () => {
      this.#timers.delete(key);
      if (ms > first) this.#after(peer, family, ms - first, action);
      else action();
    });
    this.#timers.set(key, timer);
  }

  #cancel(peer: Peer, family: FamilyId): void {
    const key = peer.id * 8 + family;
    this.#timers.get(key)?.();
    this.#timers.delete(key);
  }

  #killStale(peer: Peer, family: FamilyId): void {
    peer.killStale(family);
    this.#around.sweeper.bury(peer, family);
    this.#around.wake();
  }

  /** A session's end begins an epoch. Only a neighbour that flaps faster than it is swept runs out of them. */
  #leave(peer: Peer, family: FamilyId, as: 'stale' | 'dead'): void {
    const leave = (): boolean => (as === 'stale' ? peer.beginStale(family) : peer.killAll(family));
    if (leave()) return;
    this.#around.sweeper.bury(peer, family);
    this.#around.sweeper.finish();
    if (!leave()) throw new Error('no epoch is free after a sweep');
  }
}
