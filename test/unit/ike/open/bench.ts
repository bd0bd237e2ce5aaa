// SPDX-License-Identifier: Apache-2.0
/**
 * Hosts that open IKE SAs with each other, a network between them that loses, doubles, delays and changes, and time
 * that is only counted. Each host does what the manager does: it finds the channel of a datagram, asks for cookies,
 * screens IKE_SA_INIT requests.
 */
import { createAuthenticator } from '../../../../src/ike/auth/authenticator.js';
import type { AuthSetup } from '../../../../src/ike/auth/setup.js';
import type { Channel, Request, Retransmission } from '../../../../src/ike/channel/api.js';
import { createChannel } from '../../../../src/ike/channel/channel.js';
import { createChildAgreement } from '../../../../src/ike/child/agreement.js';
import type { ChildPolicy } from '../../../../src/ike/child/types.js';
import { isFault } from '../../../../src/ike/codec/fault.js';
import { decodeHeader } from '../../../../src/ike/codec/header.js';
import { decodeMessage, encodeMessage } from '../../../../src/ike/codec/message.js';
import type { Payload } from '../../../../src/ike/codec/payload.js';
import type { IkeCounter } from '../../../../src/ike/counters.js';
import { CIPHERS, type KeMethodId, PRFS } from '../../../../src/ike/crypto/algorithms.js';
import type { IkeCrypto } from '../../../../src/ike/crypto/api.js';
import type { IkeKeys } from '../../../../src/ike/crypto/kdf.js';
import { type Job, type Output, perform, secretsOf } from '../../../../src/ike/crypto/jobs.js';
import { createNodeCrypto } from '../../../../src/ike/crypto/node-crypto.js';
import { fail, type Result } from '../../../../src/ike/crypto/result.js';
import { join, wipe } from '../../../../src/ike/crypto/secret.js';
import { cookieChallenge } from '../../../../src/ike/exchange/ike-sa-init-answers.js';
import { CookieJar } from '../../../../src/ike/exchange/ike-sa-init-cookies.js';
import { screenInit } from '../../../../src/ike/exchange/ike-sa-init-responder.js';
import type { IkeProposal } from '../../../../src/ike/negotiation/types.js';
import { openAsInitiator } from '../../../../src/ike/open/initiator.js';
import { openAsResponder } from '../../../../src/ike/open/responder.js';
import type {
  OpenEnvironment,
  OpeningIkeSa,
  OpenIkeSa,
  OpenRequest,
} from '../../../../src/ike/open/types.js';
import type { PeerPolicy } from '../../../../src/ike/policy.js';
import type { IkeFailure, Outcome, Path } from '../../../../src/ike/types.js';
import { parsePrefix } from '../../../../src/lib/ip.js';
import type { CertificateLibrary } from '../../../../src/lib/certificate-api.js';
import { createLogger } from '../../../../src/lib/log.js';
import { certificates } from '../auth/peers.js';
import { randomFrom, VirtualTime } from '../channel/bench.js';
import { LIFETIMES, Plane, policyOf as childPolicyOf } from '../sa/plane.js';

export type Name = 'a' | 'b';
export const ADDRESSES: Readonly<Record<Name, Uint8Array>> = {
  a: Uint8Array.of(192, 0, 2, 1),
  b: Uint8Array.of(192, 0, 2, 2),
};
export const ADDRESSES6: typeof ADDRESSES = {
  a: Uint8Array.from([0x20, 1, 0x0d, 0xb8, ...new Uint8Array(11), 1]),
  b: Uint8Array.from([0x20, 1, 0x0d, 0xb8, ...new Uint8Array(11), 2]),
};
export const other = (name: Name): Name => (name === 'a' ? 'b' : 'a');

export const RETRANSMISSION: Retransmission = { firstMs: 500, factor: 2, tries: 6, jitter: 0 };

/** AES-128-GCM, SHA-256; methods by ID: one of the first, then what is additional. */
export const proposalOf = (
  ke: readonly KeMethodId[],
  additional: IkeProposal['additional'] = [],
): IkeProposal => ({
  ...{ ciphers: [CIPHERS['aes-128-gcm']], prfs: [PRFS.sha256], integrity: [] },
  ...{ ke, additional },
});
export const [MODP2048, P256, X25519, MLKEM512, MLKEM768] = [14, 19, 31, 35, 36] as const;

export const setupOf = (key: string, more: Partial<AuthSetup['sps'][0]> = {}): AuthSetup => {
  const range = parsePrefix('192.0.2.0/24');
  if (range === undefined) throw new Error('no prefix');
  return {
    sps: [
      {
        ...{ sp: 'sp-a', ranges: [range], anchors: [], intermediates: [] },
        psks: [{ name: 'shared', prefix: range, key: Buffer.from(key) }],
        revocation: { mode: 'if-available', crls: [], askOcsp: false, ocspMaxAge: 0 },
        methods: ['psk'],
        ...more,
      },
    ],
    credentials: [],
  };
};

/** Validations run on threads of their own. */
const certificatesIn = (time: VirtualTime): CertificateLibrary => ({
  ...certificates,
  openStore: (trust) => {
    const store = certificates.openStore(trust);
    return { validate: async (question) => time.during(store.validate(question)) };
  },
});

export interface HostOptions {
  readonly policy?: Partial<PeerPolicy>;
  readonly setup?: AuthSetup;
  /** Always asks for a cookie. */
  readonly wantsCookies?: boolean;
  readonly expireMs?: number;
  readonly addresses?: typeof ADDRESSES;
  /** So many times its threads have no room. */
  readonly busy?: number;
  /** What it says in place of the payloads that it should, and protects well. */
  readonly says?: (exchange: number, payloads: readonly Payload[]) => readonly Payload[];
}

/** What is known of an opening. */
export interface Watched {
  readonly opening: OpeningIkeSa;
  outcome: Outcome<OpenIkeSa> | undefined;
}

export class Host {
  readonly name: Name;
  readonly plane: Plane;
  readonly counts = new Map<IkeCounter, number>();
  readonly lines: string[] = [];
  readonly env: OpenEnvironment;
  readonly policy: PeerPolicy;
  /** Openings as responder, in order. */
  readonly responded: Watched[] = [];
  /** Requests that came to open IKE SAs; all are answered by nothing. */
  readonly requests: Request[] = [];
  /** All keys that were derived: copies. */
  readonly derived: IkeKeys[] = [];
  wantsCookies: boolean;
  refusedJobs = 0;
  readonly #options: HostOptions;
  readonly #channels = new Map<bigint, Channel>();
  /** Half-open ones by initiator's SPI. */
  readonly #begun = new Map<bigint, OpeningIkeSa>();
  readonly #jar: CookieJar;

  constructor(
    name: Name,
    time: VirtualTime,
    random: () => number,
    send: (path: Path, octets: Uint8Array) => void,
    options: HostOptions,
  ) {
    this.name = name;
    this.#options = options;
    this.wantsCookies = options.wantsCookies ?? false;
    this.plane = new Plane(time, name === 'a' ? 0xa0000001 : 0xb0000001);
    const crypto = this.#recorded(
      createNodeCrypto({ run: (job) => Promise.resolve(this.#run(job)) }, (length) =>
        Buffer.from(Array.from({ length }, () => Math.floor(random() * 256))),
      ),
    );
    const write = (line: string) => this.lines.push(line);
    const base = {
      ...{ crypto, timers: time, wallClock: () => 1_800_000_000 },
      log: createLogger({ write, now: () => '' }, 'debug'),
      count: (counter: IkeCounter) => {
        this.counts.set(counter, (this.counts.get(counter) ?? 0) + 1);
      },
    };
    this.env = {
      ...{ ...base, sink: this.plane, send },
      createChannel: (given) => this.#saying(createChannel(given)),
      authenticator: createAuthenticator(
        options.setup ?? setupOf('one secret'),
        base,
        certificatesIn(time),
      ),
      qcdToken: (i, r) => Buffer.from(`${name} token of ${i} and ${r}`.slice(0, 64)),
    };
    this.policy = {
      ...{ sp: 'sp-a', proposals: [proposalOf([X25519])], ppk: undefined, nat: 'refuse' },
      ...{ retransmission: RETRANSMISSION, fragmentBytes: 1280, dpdMs: 0, reauthSeconds: 0 },
      ...{ lifetimes: LIFETIMES, window: 1 },
      children: (local, remote) => [childPolicyOf(local, remote)],
      ...options.policy,
    };
    this.#jar = new CookieJar(crypto, time);
  }

  #run(job: Job): Result<Output> {
    if (this.refusedJobs === (this.#options.busy ?? 0)) return perform(job);
    this.refusedJobs += 1;
    wipe(...secretsOf(job)); // as the pool does
    return fail('BUSY', 'no room');
  }

  /** Keys as they are derived, for oracles. */
  #recorded(crypto: IkeCrypto): IkeCrypto {
    const { kdf } = crypto;
    const ikeKeys: typeof kdf.ikeKeys = (...given) => {
      const keys = kdf.ikeKeys(...given);
      const { d, ai, ar, ei, er, pi, pr } = keys;
      this.derived.push({
        ...{ d: join(d), ai: join(ai), ar: join(ar), ei: join(ei), er: join(er) },
        ...{ pi: join(pi), pr: join(pr) },
      });
      return keys;
    };
    return { ...crypto, kdf: { ...kdf, ikeKeys } };
  }

  #saying(channel: Channel): Channel {
    const asItShould: NonNullable<HostOptions['says']> = (_, payloads) => payloads;
    const { says = asItShould } = this.#options;
    const request = channel.request.bind(channel);
    const respond = channel.respond.bind(channel);
    const changed: Pick<Channel, 'request' | 'respond'> = {
      request: (exchange, payloads, accepts) =>
        request(exchange, says(exchange, payloads), accepts),
      respond: (to, payloads) => respond(to, says(to.header.exchange, payloads)),
    };
    return Object.assign(channel, changed);
  }

  /** Our path to the other host. */
  get path(): Path {
    const { addresses = ADDRESSES } = this.#options;
    return {
      local: { address: addresses[this.name], port: 500 },
      remote: { address: addresses[other(this.name)], port: 500 },
    };
  }

  get child(): ChildPolicy {
    const { local, remote } = this.path;
    const [policy] = this.policy.children(local.address, remote.address);
    if (policy === undefined) throw new Error('no child policy');
    return policy;
  }

  #agreement(): ReturnType<typeof createChildAgreement> {
    return createChildAgreement(this.env);
  }

  /** An SPI of ours: random, with our letter in front, so that failures are readable. */
  #spi(): bigint {
    const letter = this.name === 'a' ? 0xaan : 0xbbn;
    return (letter << 56n) | (this.env.crypto.random(8).readBigUInt64BE() >> 8n);
  }

  open(more: Partial<OpenRequest> = {}, signal = new AbortController().signal): Watched {
    const request: OpenRequest = {
      ...{ path: this.path, policy: this.policy, child: this.child, initialContact: () => false },
      ...{ initiatorSpi: this.#spi(), ...more },
    };
    const opening = openAsInitiator(this.env, request, this.#agreement(), signal);
    return this.#watch(opening, request.initiatorSpi);
  }

  #watch(opening: OpeningIkeSa, ours: bigint): Watched {
    const watched: Watched = { opening, outcome: undefined };
    const { channel } = opening;
    this.#channels.set(ours, channel);
    void opening.result.then((outcome) => {
      watched.outcome = outcome;
      if (!outcome.ok) {
        this.#channels.delete(ours);
        this.#begun.delete(opening.initiatorSpi);
        return;
      }
      channel.onRequest = (request) => {
        this.requests.push(request);
        channel.respond(request.message, []);
      };
    });
    return watched;
  }

  receive(octets: Uint8Array, path: Path): void {
    const header = decodeHeader(octets, 0, octets.length);
    if (isFault(header)) {
      this.env.count('rx_malformed');
      return;
    }
    const ours = header.initiator ? header.responderSpi : header.initiatorSpi;
    const channel =
      ours === 0n ? this.#begun.get(header.initiatorSpi)?.channel : this.#channels.get(ours);
    if (channel !== undefined) channel.receive(octets, path);
    else if (ours === 0n) this.#receiveInit(octets, path);
    else this.env.count('rx_unknown_spi');
  }

  #receiveInit(octets: Uint8Array, path: Path): void {
    const header = decodeHeader(octets, 0, octets.length);
    if (isFault(header)) return;
    if (this.wantsCookies) {
      const shown = this.#jar.check(octets, header, path.remote.address);
      if (shown === 'wrong') this.env.count('init_cookies_wrong');
      if (shown === 'wrong' || shown === 'none') {
        const cookie = this.#jar.make(octets, header, path.remote.address);
        const answer = cookie === undefined ? undefined : cookieChallenge(header, cookie);
        if (answer !== undefined) {
          this.env.count('init_cookies_sent');
          this.env.send(path, answer);
        }
        return;
      }
    }
    const screened = screenInit(this.env, this.policy, octets, path);
    if (screened.verdict === 'answer') this.env.send(path, screened.octets);
    if (screened.verdict !== 'open') return;
    const responderSpi = this.#spi();
    const { init } = screened;
    const { expireMs = 30_000 } = this.#options;
    const request = { init, responderSpi, expireMs };
    const opening = openAsResponder(this.env, request, this.#agreement());
    this.#begun.set(opening.initiatorSpi, opening);
    this.responded.push(this.#watch(opening, responderSpi));
  }

  counted(): Partial<Record<IkeCounter, number>> {
    return Object.fromEntries(this.counts);
  }
}

export interface Weather {
  readonly loss: number;
  readonly doubling: number;
  /** The most, ms. */
  readonly delay: number;
}

/** A datagram that was sent. */
export interface Carried {
  readonly from: Name;
  readonly path: Path;
  readonly octets: Uint8Array;
}

export class World {
  readonly time = new VirtualTime();
  readonly a: Host;
  readonly b: Host;
  weather: Weather = { loss: 0, doubling: 0, delay: 0 };
  /** Everything that was sent, in order. */
  readonly wire: Carried[] = [];
  /** Looks at, changes or (undefined) swallows what is under way; the number counts from 0. */
  tamper: (carried: Carried, number: number) => readonly Carried[] = (carried) => [carried];
  readonly #random: () => number;

  constructor(a: HostOptions = {}, b: HostOptions = {}, seed = 1) {
    this.#random = randomFrom(seed * 2_654_435_761);
    const host = (name: Name, options: HostOptions): Host =>
      new Host(
        name,
        this.time,
        this.#random,
        (path, octets) => {
          this.#carry({ from: name, path, octets });
        },
        options,
      );
    this.a = host('a', a);
    this.b = host('b', b);
  }

  host(name: Name): Host {
    return name === 'a' ? this.a : this.b;
  }

  #carry(sent: Carried): void {
    const { loss, doubling, delay } = this.weather;
    const number = this.wire.push(sent) - 1;
    for (const carried of this.tamper(sent, number)) {
      const copies = this.#random() < doubling ? 2 : 1;
      for (let i = 0; i < copies; i++) {
        if (this.#random() < loss) continue;
        this.time.after(this.#random() * delay, () => {
          this.deliver(carried);
        });
      }
    }
  }

  deliver({ from, path, octets }: Carried): void {
    const { local, remote } = path;
    this.host(other(from)).receive(octets, { local: remote, remote: local });
  }
}

export function opened(watched: Watched | undefined): OpenIkeSa {
  if (watched?.outcome?.ok !== true) {
    throw new Error(`not open: ${JSON.stringify(watched?.outcome ?? 'nothing yet')}`);
  }
  return watched.outcome.value;
}

export function failed(watched: Watched | undefined): IkeFailure {
  if (watched?.outcome?.ok !== false) throw new Error('has not failed');
  return watched.outcome.failure;
}

/** A message in clear with other payloads, its lengths adjusted. */
export function rewritten(
  carried: Carried,
  change: (payloads: readonly Payload[]) => readonly Payload[],
): Carried {
  const message = decodeMessage(carried.octets, 0, carried.octets.length);
  if (isFault(message)) throw new Error(message.reason);
  return { ...carried, octets: encodeMessage(message.header, change(message.payloads)).octets };
}

/** Payloads of a message in clear. */
export function payloadsOf({ octets }: Carried): readonly Payload[] {
  const message = decodeMessage(octets, 0, octets.length);
  if (isFault(message)) throw new Error(message.reason);
  return message.payloads;
}

/** A response in clear to an IKE_SA_INIT request, by whomever. */
export function forged({ from, path, octets }: Carried, payloads: readonly Payload[]): Carried {
  const header = decodeHeader(octets, 0, octets.length);
  if (isFault(header)) throw new Error(header.reason);
  const { local, remote } = path;
  return {
    from: other(from),
    path: { local: remote, remote: local },
    octets: encodeMessage({ ...header, initiator: false, response: true }, payloads).octets,
  };
}

/** Types of the notifies in a message in clear. */
export const notifiesIn = (carried: Carried): readonly number[] =>
  payloadsOf(carried).flatMap((payload) => (payload.kind === 'N' ? [payload.notify] : []));
