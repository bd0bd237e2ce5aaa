// SPDX-License-Identifier: Apache-2.0
/**
 * BFD for BGP neighbours (RFC 5882 §10.2): a session for each neighbour that wants one, between the addresses
 * that its BGP session has found. It stays while BGP is down, and the worker keeps it while there is no
 * supervisor: it says whether packets get through, not whether somebody speaks BGP.
 *
 * A failure ends the BGP session with Cease/BFD Down (RFC 9384), and the routes with it: whoever would go on
 * using them would send into a hole. While a neighbour restarts (its session is down, its routes are kept,
 * RFC 4724) a failure counts only if its BFD does not share the fate of its control plane (RFC 5882 §4.3).
 */
import type { EstablishedPeer, PeerId } from '../../bgp/types.js';
import type { BgpBfd, BgpNeighbourOptions } from '../../config/types.js';
import { kindOf } from '../../lib/ip-kind.js';
import { equalBytes } from '../../lib/ip.js';
import type { Logger } from '../../lib/log.js';
import type { Neighbour } from './neighbours.js';

export interface BfdTarget {
  /** undefined: the core. */
  readonly vrf: string | undefined;
  readonly local: Uint8Array;
  readonly remote: Uint8Array;
  /** RFC 5883; else RFC 5881. */
  readonly multihop: boolean;
  /** Of a link-local neighbour. */
  readonly interface?: string;
}

/** Microseconds. */
export interface BfdTerms {
  readonly desiredMinTxUs: number;
  readonly requiredMinRxUs: number;
  readonly detectMult: number;
}

export interface BfdNews {
  readonly state: string;
  /** The path failed since the last news; it may be up again by now. */
  readonly failed: boolean;
  /** The peer's C bit: its BFD outlives its control plane. */
  readonly remoteIndependent: boolean;
  /** Why there is no session; undefined: there is one. */
  readonly problem: string | undefined;
}

/** One session. */
export interface BfdHandle {
  change(terms: BfdTerms): void;
  remove(): void;
}

/** Who runs the sessions. */
export interface BfdPort {
  /** Throws when there is one between these addresses already. */
  add(target: BfdTarget, terms: BfdTerms, onNews: (news: BfdNews) => void): BfdHandle;
  /** Ends what an earlier supervisor left and nobody has added since. */
  removeOthers(): void;
}

export interface NeighbourBfdEvents {
  /** `independent`: forwarding has failed, whatever the neighbour's control plane does. */
  failed(neighbour: string, independent: boolean): void;
}

interface Watched {
  /** Name of the configuration, as in EstablishedPeer. */
  readonly configured: string;
  /** One that is configured comes back to the same session; others are gone when they are gone. */
  readonly dynamic: boolean;
  peer: PeerId;
  readonly target: BfdTarget;
  readonly handle: BfdHandle;
  terms: BfdTerms;
  state: string;
}

const DEFAULTS = { minTx: 300, minRx: 300, multiplier: 3 } as const;

function termsOf(bfd: BgpNeighbourOptions['bfd'] = false): BfdTerms | undefined {
  if (bfd === false) return undefined;
  const given: BgpBfd = bfd === true ? {} : bfd;
  const { minTx, minRx, multiplier } = { ...DEFAULTS, ...given };
  return { desiredMinTxUs: minTx * 1000, requiredMinRxUs: minRx * 1000, detectMult: multiplier };
}

const sameTerms = (a: BfdTerms, b: BfdTerms): boolean =>
  a.desiredMinTxUs === b.desiredMinTxUs &&
  a.requiredMinRxUs === b.requiredMinRxUs &&
  a.detectMult === b.detectMult;

const sameTarget = (a: BfdTarget, b: BfdTarget): boolean =>
  a.vrf === b.vrf &&
  a.multihop === b.multihop &&
  a.interface === b.interface &&
  equalBytes(a.local, b.local) &&
  equalBytes(a.remote, b.remote);

/** IBGP neighbours may be anywhere in the AS; EBGP ones are on the link unless `multihop` says otherwise. */
function targetOf(
  peer: EstablishedPeer,
  {
    multihop,
    interface: device,
  }: BgpNeighbourOptions & {
    readonly interface?: string;
  },
): BfdTarget {
  const linkLocal = kindOf(peer.address) === 'link-local';
  return {
    ...{ vrf: peer.vrf, local: peer.localAddress.slice(), remote: peer.address.slice() },
    multihop: !linkLocal && (peer.kind === 'ibgp' || (multihop ?? 1) > 1),
    ...(linkLocal && device !== undefined && { interface: device }),
  };
}

export class NeighbourBfd {
  readonly #port: BfdPort;
  readonly #events: NeighbourBfdEvents;
  readonly #log: Logger;
  /** By the neighbour's name. */
  readonly #watched = new Map<string, Watched>();

  constructor(port: BfdPort, events: NeighbourBfdEvents, log: Logger) {
    this.#port = port;
    this.#events = events;
    this.#log = log;
  }

  /** State of a neighbour's session; undefined: it has none. */
  state(name: string): string | undefined {
    return this.#watched.get(name)?.state;
  }

  /** A BGP session is up: its addresses are known. Also for one that has been up for long. */
  established(peer: EstablishedPeer, { options, session }: Neighbour): void {
    const terms = session.shutdown === undefined ? termsOf(options.bfd) : undefined;
    const known = this.#watched.get(peer.name);
    const target = targetOf(peer, options);
    if (known !== undefined && terms !== undefined && sameTarget(known.target, target)) {
      known.peer = peer.id;
      this.#change(known, terms);
      return;
    }
    this.#remove(peer.name);
    if (terms !== undefined) this.#add(peer, session.prefix !== undefined, target, terms);
  }

  /** Another configuration: sessions of neighbours that want none any more go. */
  apply(neighbours: ReadonlyMap<string, Neighbour>): void {
    for (const [name, known] of this.#watched) {
      const neighbour = neighbours.get(known.configured);
      const wanted = neighbour?.session.shutdown === undefined ? neighbour?.options.bfd : undefined;
      const terms = termsOf(wanted);
      if (terms === undefined) this.#remove(name);
      else this.#change(known, terms);
    }
  }

  /** Nothing is left of a neighbour whose session has ended. */
  forgotten(peer: PeerId): void {
    for (const [name, known] of this.#watched) {
      if (known.dynamic && known.peer === peer) this.#remove(name);
    }
  }

  removeAll(): void {
    for (const name of [...this.#watched.keys()]) this.#remove(name);
  }

  /** Nothing is told any more; the worker keeps its sessions for the next supervisor. */
  abandon(): void {
    this.#watched.clear();
  }

  #add(peer: EstablishedPeer, dynamic: boolean, target: BfdTarget, terms: BfdTerms): void {
    const { name, configured, id } = peer;
    const waiting: BfdNews[] = [];
    let watched: Watched | undefined;
    try {
      const handle = this.#port.add(target, terms, (news) => {
        if (watched === undefined) waiting.push(news);
        else this.#heard(name, watched, news);
      });
      watched = { configured, dynamic, peer: id, target, handle, terms, state: 'unknown' };
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#log.warning('no BFD for a neighbour', { peer: name, why });
      return;
    }
    this.#watched.set(name, watched);
    for (const news of waiting) this.#heard(name, watched, news);
  }

  #change(known: Watched, terms: BfdTerms): void {
    if (sameTerms(known.terms, terms)) return;
    known.terms = terms;
    known.handle.change(terms);
  }

  #remove(name: string): void {
    this.#watched.get(name)?.handle.remove();
    this.#watched.delete(name);
  }

  #heard(name: string, watched: Watched, news: BfdNews): void {
    if (this.#watched.get(name) !== watched) return;
    const { state, failed, remoteIndependent, problem } = news;
    if (state !== watched.state || failed) {
      const level = failed ? 'warning' : 'info';
      this.#log[level]('BFD state', {
        ...{ peer: name, from: watched.state, to: state, failed },
        ...(problem !== undefined && { problem }),
      });
    }
    watched.state = state;
    if (failed) this.#events.failed(name, remoteIndependent);
  }
}
