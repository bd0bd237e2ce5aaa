// SPDX-License-Identifier: Apache-2.0
/**
 * Two ends of an IKE SA that was authenticated a moment ago, each with a data plane, and a network between them that a
 * test holds in its hand or that loses, doubles and delays. Time passes when told to.
 */
import { createChildAgreement } from '../../../../src/ike/child/agreement.js';
import type { ChildSa } from '../../../../src/ike/child/child-sa.js';
import type { ChildPolicy } from '../../../../src/ike/child/types.js';
import { createChannel, restoreChannel } from '../../../../src/ike/channel/channel.js';
import type { IkeCounter } from '../../../../src/ike/counters.js';
import { KE_METHODS, PRFS, CIPHERS, type Suite } from '../../../../src/ike/crypto/algorithms.js';
import { perform } from '../../../../src/ike/crypto/jobs.js';
import { createNodeCrypto } from '../../../../src/ike/crypto/node-crypto.js';
import type { IkeProposal } from '../../../../src/ike/negotiation/types.js';
import type { OpenIkeSa, PeerFeatures } from '../../../../src/ike/open/types.js';
import type { PeerPolicy } from '../../../../src/ike/policy.js';
import type { IkeSa, IkeSaEvents, SaEnvironment } from '../../../../src/ike/sa/api.js';
import { createIkeSas } from '../../../../src/ike/sa/ike-sas.js';
import type { IkeFailure, Outcome, Path, Role } from '../../../../src/ike/types.js';
import { createLogger } from '../../../../src/lib/log.js';
import {
  keysOf,
  randomFrom,
  RETRANSMISSION,
  settled,
  VirtualTime,
  type Weather,
  FINE,
} from '../channel/bench.js';
import { ADDRESS, LIFETIMES, lost, Plane, policyOf } from './plane.js';

export const SUITE: Suite = { prf: PRFS.sha256, cipher: CIPHERS['aes-128-gcm'] };
export const IKE: IkeProposal = {
  ...{ ciphers: [CIPHERS['aes-128-gcm']], prfs: [PRFS.sha256], integrity: [] },
  ...{ ke: [31], additional: [] },
};
const FEATURES: PeerFeatures = {
  ...{
    fragmentation: true,
    intermediate: false,
    childless: true,
    vpnId: false,
    pathProbes: true,
    window: 1,
  },
  ...{ natLocal: false, natRemote: false, qcdToken: undefined },
};
const endpoint = (address: Uint8Array) => ({ address, port: 500 });
const PATHS: Readonly<Record<'a' | 'b', Path>> = {
  a: { local: endpoint(ADDRESS.a), remote: endpoint(ADDRESS.b) },
  b: { local: endpoint(ADDRESS.b), remote: endpoint(ADDRESS.a) },
};
const SPI = { initiator: 0xa1n, responder: 0xb1n };

export type Name = 'a' | 'b';
const OTHER: Readonly<Record<Name, Name>> = { a: 'b', b: 'a' };

export interface Datagram {
  readonly from: Name;
  readonly octets: Uint8Array;
}

export interface Settings {
  readonly seed?: number;
  /** Of both sides, or of each. */
  readonly policy?: Partial<PeerPolicy>;
  readonly policies?: Partial<Readonly<Record<Name, Partial<PeerPolicy>>>>;
  readonly open?: Partial<OpenIkeSa>;
  /** Requests that each takes at once. */
  readonly window?: number;
  /** More than "encrypt/gre". */
  readonly children?: readonly (Partial<ChildPolicy> & { readonly protocol?: number })[];
}

/** One end. */
export class Side {
  readonly name: Name;
  readonly plane: Plane;
  readonly env: SaEnvironment;
  readonly events: IkeSaEvents;
  readonly counts = new Map<IkeCounter, number>();
  /** What its owner was told: "up 1000", "rekeyed 1000 1001", "down 1001 CLOSED", "closed CLOSED". */
  readonly told: string[] = [];
  /** Those that take datagrams, by the SPI of ours. */
  readonly known = new Map<bigint, IkeSa>();
  /** The one in use. */
  sa!: IkeSa;
  isClosed = false;
  /** Drawn instead of what is drawn of this size: nonces, where there is no key exchange. */
  readonly nonces: Buffer[] = [];
  wallClock = 1_000_000;

  constructor(name: Name, bench: SaBench, seed: number) {
    this.name = name;
    this.plane = new Plane(bench.time, name === 'a' ? 0x1000 : 0x2000);
    const next = randomFrom(seed);
    const random = (length: number): Buffer =>
      (length === 32 ? this.nonces.shift() : undefined) ??
      Buffer.from(Array.from({ length }, () => Math.floor(next() * 256)));
    const pool = { run: (job: Parameters<typeof perform>[0]) => Promise.resolve(perform(job)) };
    const common = {
      crypto: createNodeCrypto(pool, random),
      timers: bench.time,
      wallClock: () => this.wallClock + bench.time.now() / 1000,
      log: createLogger({ write: () => undefined, now: () => '' }),
      count: (counter: IkeCounter): void => {
        this.counts.set(counter, (this.counts.get(counter) ?? 0) + 1);
      },
    };
    let nextSpi = name === 'a' ? 0xa100n : 0xb100n;
    this.env = {
      ...common,
      sink: this.plane,
      agreement: createChildAgreement(common),
      send: (_, octets) => {
        bench.carry({ from: name, octets });
      },
      ...{ createChannel, restoreChannel, drawSpi: () => nextSpi++, qcdToken: undefined },
    };
    this.events = this.#listener();
  }

  #listener(): IkeSaEvents {
    const hex = ({ inboundSpi }: ChildSa): string => inboundSpi.toString(16);
    const say = (...words: string[]): void => {
      this.told.push(words.join(' '));
    };
    return {
      added: (sa) => {
        this.known.set(spiOf(sa), sa);
      },
      rekeyed: (_, sa) => {
        this.sa = sa;
        say('ike', spiOf(sa).toString(16));
      },
      childUp: (_, child) => {
        say('up', hex(child));
      },
      childRekeyed: (_, old, child) => {
        say('rekeyed', hex(old), hex(child));
      },
      childDown: (_, child, failure: IkeFailure) => {
        say('down', hex(child), failure.code);
      },
      closed: (_, failure) => {
        this.isClosed = true;
        say('closed', failure.code);
      },
      forgotten: (sa) => {
        this.known.delete(spiOf(sa));
      },
      wantsReauthentication: (_, reason) => {
        say('reauthenticate', reason);
      },
    };
  }

  take(open: OpenIkeSa): void {
    this.sa = createIkeSas(this.env, this.events).take(open);
    this.known.set(spiOf(this.sa), this.sa);
  }

  /** Child SAs and their states, as `show` says them: "1000 live". */
  get rows(): string[] {
    return this.sa
      .row()
      .children.map(({ inboundSpi, state }) => `${inboundSpi.toString(16)} ${state}`)
      .sort();
  }

  count(counter: IkeCounter): number {
    return this.counts.get(counter) ?? 0;
  }
}

export const spiOf = ({ open }: IkeSa): bigint =>
  open.role === 'initiator' ? open.initiatorSpi : open.responderSpi;

export class SaBench {
  readonly time = new VirtualTime();
  readonly a: Side;
  readonly b: Side;
  /** 'hand': datagrams wait in `wire` until a test delivers or drops them. */
  mode: 'hand' | 'weather' = 'weather';
  weather: Weather = FINE;
  readonly wire: Datagram[] = [];
  /** Everything that was ever sent. */
  readonly sent: Datagram[] = [];
  readonly #random: () => number;

  constructor(settings: Settings = {}) {
    const { seed = 1, policy = {}, policies = {}, open = {}, children = [], window = 1 } = settings;
    this.#random = randomFrom(seed * 2_654_435_761);
    this.a = new Side('a', this, seed * 7919);
    this.b = new Side('b', this, seed * 104_729 + 1);
    const kinds = [{}, ...children];
    for (const [name, role] of [
      ['a', 'initiator'],
      ['b', 'responder'],
    ] as const) {
      const all: PeerPolicy = {
        ...{ sp: 'one', proposals: [IKE], ppk: undefined, nat: 'refuse', window },
        ...{ retransmission: RETRANSMISSION, fragmentBytes: undefined, dpdMs: 0 },
        ...{ lifetimes: LIFETIMES, reauthSeconds: 0 },
        children: (local, remote) => kinds.map((kind) => policyOf(local, remote, kind)),
        ...{ ...policy, ...policies[name] },
      };
      this[name].take(this.#open(name, role, all, open));
    }
  }

  #open(name: Name, role: Role, policy: PeerPolicy, more: Partial<OpenIkeSa>): OpenIkeSa {
    const { env } = this[name];
    const path = PATHS[name];
    const channel = createChannel({
      ...{ env, role, path, send: env.send, retransmission: policy.retransmission },
      ...{ initiatorSpi: SPI.initiator, responderSpi: SPI.responder },
      onRequest: () => undefined,
    });
    channel.protect(keysOf(SUITE)[role]);
    channel.ownWindow = policy.window;
    channel.peerWindow = policy.window;
    const { initiator, responder } = SPI;
    return {
      ...{ role, channel, initiatorSpi: initiator, responderSpi: responder, path, suite: SUITE },
      ...{ keyExchanges: [KE_METHODS[31].name], skD: Buffer.alloc(32, 5), features: FEATURES },
      identity: {
        ...{ address: path.remote.address, sp: 'one', method: 'psk', subject: '' },
        ...{ anchor: 'test', validUntil: undefined },
      },
      ...{ policy, openedAt: env.wallClock(), peerAuthLifetime: undefined, isPpkUsed: false },
      ...{ isInitialContact: false, child: undefined, ...more },
    };
  }

  carry(datagram: Datagram): void {
    this.sent.push(datagram);
    if (this.mode === 'hand') {
      this.wire.push(datagram);
      return;
    }
    const { loss, doubling, delay } = this.weather;
    const copies = this.#random() < doubling ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      if (this.#random() < loss) continue;
      this.time.after(this.#random() * delay, () => {
        this.hand(datagram);
      });
    }
  }

  /** It reaches the other side now. */
  hand({ from, octets }: Datagram): void {
    const to = this[OTHER[from]];
    const view = new DataView(octets.buffer, octets.byteOffset, 16);
    const spis = [view.getBigUint64(0), view.getBigUint64(8)];
    const sa = [...to.known.values()].find(
      ({ open }) => open.initiatorSpi === spis[0] && open.responderSpi === spis[1],
    );
    sa?.receive({ ...PATHS[to.name], octets });
  }

  /** The first datagram of that side that waits, delivered; what follows from it has happened. */
  async deliver(from: Name): Promise<void> {
    const at = this.wire.findIndex((datagram) => datagram.from === from);
    const [datagram] = at < 0 ? [] : this.wire.splice(at, 1);
    if (datagram === undefined) throw new Error(`nothing of ${from} is under way`);
    this.hand(datagram);
    await this.rest();
  }

  /** Loses the first datagram of that side. */
  drop(from: Name): void {
    const at = this.wire.findIndex((datagram) => datagram.from === from);
    if (at < 0) throw new Error(`nothing of ${from} is under way`);
    this.wire.splice(at, 1);
  }

  /** How many datagrams of each side are under way. */
  get underWay(): Readonly<Record<Name, number>> {
    const of = (name: Name): number => this.wire.filter(({ from }) => from === name).length;
    return { a: of('a'), b: of('b') };
  }

  /** Everything that needs no time and no datagram has happened. */
  async rest(): Promise<void> {
    for (let i = 0; i < 6; i++) await settled();
  }

  /** Delivers until nothing is under way. */
  async calm(): Promise<void> {
    await this.rest();
    for (let i = 0; i < 100 && this.wire.length > 0; i++) await this.deliver(this.wire[0]!.from);
    if (this.wire.length > 0) throw new Error('it does not come to rest');
  }

  /** Notes each moment in which packets would be lost. */
  watchLosses(): string[] {
    const seen: string[] = [];
    for (const { plane } of [this.a, this.b]) {
      plane.onChange = () => {
        seen.push(...this.losses.map((loss) => `${this.time.now()} ${loss}`));
      };
    }
    return seen;
  }

  /** Services whose packets would be lost now. */
  get losses(): string[] {
    return [
      ...lost(this.a.plane, this.b.plane).map((key) => `a ${key}`),
      ...lost(this.b.plane, this.a.plane).map((key) => `b ${key}`),
    ];
  }

  policyOf(side: Name, index = 0): ChildPolicy {
    const { local, remote } = PATHS[side];
    const all = this[side].sa.open.policy.children(local.address, remote.address);
    const policy = all[index];
    if (policy === undefined) throw new Error(`no policy ${index}`);
    return policy;
  }

  /** A child SA that `side` asks for, with nothing left to do. */
  async child(side: Name = 'a', index = 0, resource = 0): Promise<ChildSa> {
    const made = this[side].sa.want(this.policyOf(side, index), resource);
    if (this.mode === 'hand') await this.calm();
    await this.time.pass(1000);
    if (this.mode === 'hand') await this.calm();
    return must(await made);
  }
}

/** A nonce that begins with this octet: which of several is the lowest. */
export const nonce = (first: number): Buffer => Buffer.alloc(32, first);

export function must<T>(outcome: Outcome<T>): T {
  if (!outcome.ok) throw new Error(`${outcome.failure.code}: ${outcome.failure.reason}`);
  return outcome.value;
}

/** What a promise gave so far. */
export function watch<T>(promise: Promise<T>): { value: T | undefined } {
  const seen: { value: T | undefined } = { value: undefined };
  void promise.then((value) => {
    seen.value = value;
  });
  return seen;
}

/** The process of that side ends without a word, and another one goes on. */
export function restart(bench: SaBench, side: Name, state = bench[side].sa.state()): void {
  const { env, events, sa } = bench[side];
  sa.abandon('the process ends', true);
  bench[side].known.clear();
  const again = createIkeSas(env, events).restore(state!, sa.open.policy);
  if (again === 'reopen') throw new Error('nothing to go on with');
  bench[side].sa = again;
  bench[side].known.set(spiOf(again), again);
}
