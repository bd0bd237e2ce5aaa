// SPDX-License-Identifier: Apache-2.0
/** Two channels, a network between them that loses, doubles, delays and reorders, and time that is only counted. */
import type {
  Answered,
  Channel,
  ChannelKeys,
  ChannelOptions,
  ChannelState,
  Request,
  Retransmission,
} from '../../../../src/ike/channel/api.js';
import { createChannel, restoreChannel } from '../../../../src/ike/channel/channel.js';
import type { IkeCounter } from '../../../../src/ike/counters.js';
import {
  CIPHERS,
  encryptionBytes,
  INTEGRITY,
  integrityBytes,
  PRFS,
  type Suite,
} from '../../../../src/ike/crypto/algorithms.js';
import { createNodeCrypto } from '../../../../src/ike/crypto/node-crypto.js';
import { fail } from '../../../../src/ike/crypto/result.js';
import type { IkeEnvironment, Path, Role, Timers } from '../../../../src/ike/types.js';
import type { Payload } from '../../../../src/ike/codec/payload.js';
import { createLogger } from '../../../../src/lib/log.js';

export const SUITES = {
  gcm: { prf: PRFS.sha256, cipher: CIPHERS['aes-128-gcm'] },
  chacha: { prf: PRFS.sha256, cipher: CIPHERS['chacha20-poly1305'] },
  cbc: { prf: PRFS.sha256, cipher: CIPHERS['aes-256-cbc'], integrity: INTEGRITY.sha512 },
} as const satisfies Record<string, Suite>;

/** Time that passes when told to. */
export class VirtualTime implements Timers {
  #now = 1000;
  #order = 0;
  readonly #waiting: { at: number; order: number; run: () => void }[] = [];
  readonly #work = new Set<Promise<unknown>>();

  now(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): () => void {
    const entry = { at: this.#now + ms, order: this.#order++, run };
    this.#waiting.push(entry);
    return () => {
      const i = this.#waiting.indexOf(entry);
      if (i >= 0) this.#waiting.splice(i, 1);
    };
  }

  get pending(): number {
    return this.#waiting.length;
  }

  /** Work of other threads: this clock stands still until it is done. */
  async during<T>(work: Promise<T>): Promise<T> {
    this.#work.add(work);
    return work.finally(() => this.#work.delete(work));
  }

  async #settled(): Promise<void> {
    await settled();
    while (this.#work.size > 0) {
      await Promise.allSettled(this.#work);
      await settled();
    }
  }

  /** Runs what is due within so many ms; promises have their turn after each. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await this.#settled();
      this.#waiting.sort((a, b) => a.at - b.at || a.order - b.order);
      const next = this.#waiting[0];
      if (next === undefined || next.at > end) break;
      this.#waiting.shift();
      this.#now = Math.max(this.#now, next.at);
      next.run();
    }
    this.#now = end;
  }
}

/** All promises that can go on have done so. */
export const settled = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

/** xorshift32: a fixed seed gives the same run everywhere. */
export function randomFrom(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

export const RETRANSMISSION: Retransmission = { firstMs: 500, factor: 2, tries: 6, jitter: 0.25 };
export const SPI = { initiator: 0x1122334455667788n, responder: 0x99aabbccddeeff00n };
const endpoint = (last: number) => ({ address: Uint8Array.of(192, 0, 2, last), port: 500 });
const PATHS: Readonly<Record<Role, Path>> = {
  initiator: { local: endpoint(1), remote: endpoint(2) },
  responder: { local: endpoint(2), remote: endpoint(1) },
};

export function keysOf(suite: Suite, seed = 1): Readonly<Record<Role, ChannelKeys>> {
  const key = (fill: number) => ({
    encryption: Buffer.alloc(encryptionBytes(suite), fill),
    integrity: Buffer.alloc(integrityBytes(suite), fill + 1),
  });
  const [i, r] = [key(seed * 4), key(seed * 4 + 2)];
  return {
    initiator: { suite, send: i, receive: r },
    responder: { suite, send: r, receive: i },
  };
}

/** What happens to datagrams: shares of 1, and the most delay in ms. */
export interface Weather {
  readonly loss: number;
  readonly doubling: number;
  readonly delay: number;
}
export const FINE: Weather = { loss: 0, doubling: 0, delay: 0 };

export interface Side {
  readonly role: Role;
  channel: Channel;
  readonly env: IkeEnvironment;
  readonly options: ChannelOptions;
  readonly counts: Map<IkeCounter, number>;
  /** Everything it sent, in order. */
  readonly sent: Uint8Array[];
  readonly requests: Request[];
  alive: number;
}

export class Bench {
  readonly time = new VirtualTime();
  weather = FINE;
  /** Looks at, changes or (undefined) swallows what is under way. */
  tamper: (from: Role, octets: Uint8Array) => readonly Uint8Array[] = (_, octets) => [octets];
  readonly initiator: Side;
  readonly responder: Side;
  readonly #random: () => number;

  constructor(seed = 1, retransmission: Partial<Retransmission> = {}) {
    this.#random = randomFrom(seed * 2_654_435_761);
    const all = { ...RETRANSMISSION, ...retransmission };
    this.initiator = this.#side('initiator', all);
    this.responder = this.#side('responder', all);
  }

  #side(role: Role, retransmission: Retransmission): Side {
    const counts = new Map<IkeCounter, number>();
    const [sent, requests]: [Uint8Array[], Request[]] = [[], []];
    const pool = { run: () => Promise.resolve(fail('WORKER', 'none')) };
    const random = (length: number) =>
      Buffer.from(Array.from({ length }, () => Math.floor(this.#random() * 256)));
    const env: IkeEnvironment = {
      crypto: createNodeCrypto(pool, random),
      timers: this.time,
      wallClock: () => 0,
      log: createLogger({ write: () => undefined, now: () => '' }),
      count: (counter) => counts.set(counter, (counts.get(counter) ?? 0) + 1),
    };
    const options: ChannelOptions = {
      ...{ env, role, retransmission, path: PATHS[role], initiatorSpi: SPI.initiator },
      responderSpi: role === 'initiator' ? 0n : SPI.responder,
      send: (_, octets) => {
        sent.push(octets);
        this.#carry(role, octets);
      },
      onRequest: (request) => requests.push(request),
      onAlive: () => {
        this.side(role).alive += 1;
      },
    };
    return {
      ...{ role, env, options, counts, sent, requests },
      alive: 0,
      channel: createChannel(options),
    };
  }

  side(role: Role): Side {
    return role === 'initiator' ? this.initiator : this.responder;
  }

  #carry(from: Role, octets: Uint8Array): void {
    const { loss, doubling, delay } = this.weather;
    for (const datagram of this.tamper(from, octets)) {
      const copies = this.#random() < doubling ? 2 : 1;
      for (let i = 0; i < copies; i++) {
        if (this.#random() < loss) continue;
        this.time.after(this.#random() * delay, () => {
          this.deliver(from, datagram);
        });
      }
    }
  }

  /** What `from` is said to have sent reaches the other one now. */
  deliver(from: Role, octets: Uint8Array): void {
    const to = this.side(from === 'initiator' ? 'responder' : 'initiator');
    // Somewhere in memory that is used for something else afterwards, as a transport may have it.
    const batch = Buffer.alloc(octets.length + 24, 0xa5);
    batch.set(octets, 16);
    to.channel.receive(batch.subarray(16, 16 + octets.length), PATHS[to.role]);
    batch.fill(0x5a);
  }

  /** Both have the keys, as an IKE SA has that replaces another one: message IDs begin with 0. */
  protect(suite: Suite, seed = 1): this {
    const keys = keysOf(suite, seed);
    this.initiator.channel.responderSpi = SPI.responder;
    this.initiator.channel.protect(keys.initiator);
    this.responder.channel.protect(keys.responder);
    return this;
  }

  /** Both answer each request at once, with the payloads that it had. */
  echo(): this {
    for (const { channel, requests } of [this.initiator, this.responder]) {
      channel.onRequest = (request) => {
        requests.push(request);
        const { message } = request;
        channel.respond(message, 'payloads' in message ? message.payloads : []);
      };
    }
    return this;
  }

  /** The process of `role` dies and another one goes on. */
  restart(role: Role, state: ChannelState): Channel {
    const side = this.side(role);
    side.channel.close();
    const { responderSpi } = side.channel;
    side.channel = restoreChannel({ ...side.options, responderSpi }, state);
    return side.channel;
  }

  counts(role: Role): Partial<Record<IkeCounter, number>> {
    return Object.fromEntries(this.side(role).counts);
  }
}

/** A payload of so many octets in all, told apart by `mark`. */
export const filler = (octets: number, mark = 0): Payload => ({
  kind: 'V',
  data: new Uint8Array(octets - 4).fill(mark & 0xff),
});

/** What a promise gave so far. */
export function watch(promise: Promise<Answered>): { answer: Answered | undefined } {
  const seen: { answer: Answered | undefined } = { answer: undefined };
  void promise.then((answer) => {
    seen.answer = answer;
  });
  return seen;
}
