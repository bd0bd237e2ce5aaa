// SPDX-License-Identifier: Apache-2.0
/**
 * PEs with whole managers, the real machines below them and planes without packets; between them a network that
 * loses, doubles, delays and swallows, and time that is only counted.
 */
import { createAuthenticator } from '../../../../src/ike/auth/authenticator.js';
import type { ChildInstall, ChildPolicy } from '../../../../src/ike/child/types.js';
import type { IkeCounter } from '../../../../src/ike/counters.js';
import { perform } from '../../../../src/ike/crypto/jobs.js';
import { createNodeCrypto } from '../../../../src/ike/crypto/node-crypto.js';
import type { IkeManager, WantedState } from '../../../../src/ike/manager/api.js';
import type { DebugKeys } from '../../../../src/supervisor/debug-keys.js';
import { createIkeCounters, createIkeManager } from '../../../../src/ike/manager/manager.js';
import { realParts } from '../../../../src/ike/manager/parts.js';
import type { SaStore } from '../../../../src/ike/manager/persist.js';
import type { IkePolicy, PeerPolicy } from '../../../../src/ike/policy.js';
import type { Datagram, IkeEnvironment, Outcome, Path, Timers } from '../../../../src/ike/types.js';
import { formatAddress, parseAddress, parsePrefix } from '../../../../src/lib/ip.js';
import { createLogger } from '../../../../src/lib/log.js';
import { randomFrom, settled } from '../channel/bench.js';
import { proposalOf, setupOf, X25519 } from '../open/bench.js';
import { LIFETIMES, Plane, policyOf } from '../sa/plane.js';

/** Time for thousands of timers: those of one moment run together, and promises have their turn behind them. */
export class Clock implements Timers {
  #now = 1_000_000;
  readonly #due = new Map<number, Set<() => void>>();
  /** A binary heap of the moments in #due. */
  readonly #heap: number[] = [];
  pending = 0;

  now(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): () => void {
    const at = this.#now + Math.max(0, ms);
    let runs = this.#due.get(at);
    if (runs === undefined) {
      runs = new Set();
      this.#due.set(at, runs);
      this.#push(at);
    }
    const entry = (): void => {
      run();
    };
    const set = runs.add(entry);
    this.pending++;
    return () => {
      if (set.delete(entry)) this.pending--;
    };
  }

  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await settled();
      const [at] = this.#heap;
      if (at === undefined || at > end) break;
      this.#now = Math.max(this.#now, at);
      const runs = this.#due.get(at) ?? new Set();
      const all = [...runs];
      for (const run of all) {
        if (!runs.delete(run)) continue;
        this.pending--;
        run();
      }
      if (runs.size === 0) {
        this.#due.delete(at);
        this.#pop();
      }
    }
    this.#now = end;
  }

  #push(at: number): void {
    const heap = this.#heap;
    let i = heap.push(at) - 1;
    while (i > 0) {
      const up = (i - 1) >> 1;
      if ((heap[up] ?? 0) <= at) break;
      heap[i] = heap[up] ?? 0;
      i = up;
    }
    heap[i] = at;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (heap.length === 0 || last === undefined) return;
    let i = 0;
    for (;;) {
      let down = 2 * i + 1;
      if (down >= heap.length) break;
      if ((heap[down + 1] ?? Infinity) < (heap[down] ?? Infinity)) down++;
      if ((heap[down] ?? Infinity) >= last) break;
      heap[i] = heap[down] ?? 0;
      i = down;
    }
    heap[i] = last;
  }
}

export function address(text: string): Uint8Array {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`no address: ${text}`);
  return parsed;
}
const everybody = parsePrefix('10.0.0.0/8') ?? {
  family: 4,
  address: address('10.0.0.0'),
  length: 8,
};
export const SETUP = setupOf('one secret', {
  ranges: [everybody],
  psks: [{ name: 'shared', prefix: everybody, key: Buffer.from('one secret') }],
});

/** A plane that outlives the supervisor: what nobody adopts afterwards ends. */
export class LivingPlane extends Plane {
  #unclaimed = new Set<number>();
  readonly #debugKeys: DebugKeys | undefined;

  constructor(timers: Timers, firstSpi: number, debugKeys: DebugKeys | undefined) {
    super(timers, firstSpi);
    this.#debugKeys = debugKeys;
  }

  override install(child: ChildInstall): Promise<Outcome<void>> {
    this.#debugKeys?.child(child);
    return super.install(child);
  }

  restarted(graceMs: number): void {
    this.#unclaimed = new Set(this.reserved);
    this.timers.after(graceMs, () => {
      for (const spi of this.#unclaimed) {
        if (this.inbound.has(spi)) this.remove(spi, 0);
        else this.reserved.delete(spi);
      }
    });
  }

  adopt(inboundSpi: number): boolean {
    this.#unclaimed.delete(inboundSpi);
    return this.inbound.has(inboundSpi);
  }
}

/** A store that outlives a PE's manager. */
export class MemoryStore implements SaStore {
  readonly epoch: string;
  readonly files = new Map<bigint, Uint8Array>();
  writes = 0;

  constructor(epoch = 'epoch one') {
    this.epoch = epoch;
  }
  /** Not in the order in which they came, as a directory has them. */
  load(): readonly Uint8Array[] {
    const bySpi = [...this.files].sort(([a], [b]) => (a < b ? -1 : 1));
    return bySpi.map(([, octets]) => octets.slice());
  }
  put(ownSpi: bigint, octets: Uint8Array): void {
    this.writes++;
    this.files.set(ownSpi, octets.slice());
  }
  remove(ownSpi: bigint): void {
    this.files.delete(ownSpi);
  }
}

export interface PeOptions {
  readonly policy?: Partial<PeerPolicy>;
  readonly halfOpen?: Partial<IkePolicy['halfOpen']>;
  readonly services?: readonly (Partial<ChildPolicy> & { readonly protocol?: number })[];
  readonly psk?: string;
  readonly segmentsWereLost?: boolean;
  readonly store?: SaStore;
  readonly debugKeys?: DebugKeys;
}

export class Pe {
  readonly name: string;
  readonly address: Uint8Array;
  readonly options: PeOptions;
  plane: LivingPlane;
  counters = createIkeCounters();
  readonly lines: string[] = [];
  manager: IkeManager;
  readonly #net: Net;
  readonly #random: (length: number) => Buffer;
  /** The next manager's; a dead one sends nothing. */
  #generation = 0;
  #readings = 0;

  constructor(net: Net, name: string, options: PeOptions) {
    this.#net = net;
    this.name = name;
    this.address = address(name);
    this.options = options;
    const next = randomFrom((net.seed + this.address.reduce((n, each) => n * 31 + each, 7)) * 7919);
    this.#random = (length) => Buffer.from(Array.from({ length }, () => Math.floor(next() * 256)));
    this.plane = this.#newPlane();
    this.manager = this.#start(options.segmentsWereLost ?? false);
  }

  /** Its process ends without a word, and another one begins. `kept`: the data plane and the store live on. */
  restart(kept: boolean): void {
    if (!kept) {
      this.plane = this.#newPlane();
      if (this.options.store instanceof MemoryStore) this.options.store.files.clear();
    }
    this.plane.restarted(60_000);
    this.counters = createIkeCounters();
    this.manager = this.#start(!kept);
  }

  /** Nobody is there. */
  kill(): void {
    this.#generation++;
  }

  #newPlane(): LivingPlane {
    const { debugKeys } = this.options;
    const firstSpi = (this.#random(4).readUInt32BE() | 0x100) >>> 0;
    return new LivingPlane(this.#net.clock, firstSpi, debugKeys);
  }

  #start(segmentsWereLost: boolean): IkeManager {
    this.#generation++;
    const generation = this.#generation;
    const alive = (): boolean => generation === this.#generation;
    const clock = this.#net.clock;
    const timers: Timers = {
      // No two readings of a real clock are the same.
      now: () => clock.now() + ++this.#readings * 1e-6,
      after: (ms, run) =>
        clock.after(ms, () => {
          if (alive()) run();
        }),
    };
    const plain = createNodeCrypto({ run: (job) => Promise.resolve(perform(job)) }, this.#random);
    const env: Omit<IkeEnvironment, 'count'> = {
      crypto: this.options.debugKeys?.watch(plain) ?? plain,
      timers,
      wallClock: () => 1_800_000_000 + clock.now() / 1000,
      log: createLogger({ write: (line) => this.lines.push(line), now: () => '' }, 'debug'),
    };
    const { store, psk } = this.options;
    const setup =
      psk === undefined
        ? SETUP
        : {
            ...SETUP,
            sps: setupOf(psk, {
              ranges: [everybody],
              psks: [{ name: 'other', prefix: everybody, key: Buffer.from(psk) }],
            }).sps,
          };
    return createIkeManager({
      ...{ env, counters: this.counters, parts: realParts, sink: this.plane, store },
      authenticator: createAuthenticator(setup, { ...env, count: this.counters.count }),
      policy: this.policy(),
      send: (path, octets) => {
        if (alive()) this.#net.carry(path, octets);
      },
      keepalive: () => undefined,
      segmentsWereLost,
      qcdSecret: Buffer.alloc(32, this.name),
    });
  }

  policy(more: Partial<PeerPolicy> = {}): IkePolicy {
    const { services = [{}] } = this.options;
    const peer: PeerPolicy = {
      ...{ sp: 'sp-a', proposals: [proposalOf([X25519])], ppk: undefined, nat: 'refuse' },
      retransmission: { firstMs: 500, factor: 2, tries: 5, jitter: 0 },
      ...{ fragmentBytes: 1280, dpdMs: 30_000, reauthSeconds: 0, lifetimes: LIFETIMES, window: 1 },
      children: (local, remote) => services.map((each) => policyOf(local, remote, each)),
      ...{ ...this.options.policy, ...more },
    };
    return {
      forPeer: (remote) => (remote[0] === 10 ? peer : undefined),
      halfOpen: {
        ...{ cookieAbove: 1000, most: 2000, mostPerPeer: 5, expireMs: 30_000 },
        ...this.options.halfOpen,
      },
    };
  }

  /** Wants the first service, or another one, and notes what it is told. */
  want(to: Pe | string, service = 0): { readonly told: WantedState[]; readonly end: () => void } {
    const remote = typeof to === 'string' ? address(to) : to.address;
    const policy = this.policy().forPeer(remote)?.children(this.address, remote)[service];
    if (policy === undefined) throw new Error('no such service');
    const told: WantedState[] = [];
    const end = this.manager.want({ local: this.address, remote, policy }, (state) => {
      told.push(state);
    });
    return { told, end };
  }

  count(counter: IkeCounter): number {
    return this.counters.read()[counter];
  }
  get rows(): readonly string[] {
    return this.manager
      .rows(undefined, 10_000)
      .map(({ state, role, remote, children }) => {
        const all = children.map((child) => `${child.service} ${child.state}`).join(', ');
        return `${role} of ${formatAddress(remote)} ${state}: ${all}`;
      })
      .sort();
  }
}

export interface Carried extends Path {
  readonly octets: Uint8Array;
}

export class Net {
  readonly clock = new Clock();
  readonly seed: number;
  readonly pes = new Map<string, Pe>();
  /** Everything that was sent. */
  readonly wire: Carried[] = [];
  keepsWire = true;
  weather = { loss: 0, doubling: 0, delay: 0 };
  /** What becomes of a datagram; an empty list swallows it. */
  tamper: (carried: Carried) => readonly Carried[] = (carried) => [carried];
  readonly #random: () => number;

  constructor(seed = 1) {
    this.seed = seed;
    this.#random = randomFrom(seed * 2_654_435_761);
  }

  pe(name: string, options: PeOptions = {}): Pe {
    const pe = new Pe(this, name, options);
    this.pes.set(name, pe);
    return pe;
  }

  pass(ms: number): Promise<void> {
    return this.clock.pass(ms);
  }

  carry(path: Path, octets: Uint8Array): void {
    const sent = { local: path.local, remote: path.remote, octets: octets.slice() };
    if (this.keepsWire) this.wire.push(sent);
    const { loss, doubling, delay } = this.weather;
    for (const carried of this.tamper(sent)) {
      const copies = this.#random() < doubling ? 2 : 1;
      for (let i = 0; i < copies; i++) {
        if (this.#random() < loss) continue;
        this.clock.after(5 + Math.floor(this.#random() * delay), () => {
          this.deliver(carried);
        });
      }
    }
  }

  deliver({ local, remote, octets }: Carried): void {
    const datagram: Datagram = { local: remote, remote: local, octets };
    this.pes.get(formatAddress(remote.address))?.manager.receive(datagram);
  }
}
