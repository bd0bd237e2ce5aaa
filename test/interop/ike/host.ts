// SPDX-License-Identifier: Apache-2.0
/** Our IKE in a namespace, run by the test process: its sockets, its IKE SAs, and a data plane that remembers. */
import { randomBytes } from 'node:crypto';
import { eventually } from '../../../scripts/lib/lab.js';
import { createAuthenticator } from '../../../src/ike/auth/authenticator.js';
import type { AuthSetup } from '../../../src/ike/auth/setup.js';
import { createChannel } from '../../../src/ike/channel/channel.js';
import { IKE_COUNTERS, type IkeCounter } from '../../../src/ike/counters.js';
import { createNodeCrypto } from '../../../src/ike/crypto/node-crypto.js';
import { CryptoPool } from '../../../src/ike/crypto/pool-driver.js';
import { openAsInitiator } from '../../../src/ike/open/initiator.js';
import { openAsResponder } from '../../../src/ike/open/responder.js';
import { screenInit } from '../../../src/ike/exchange/ike-sa-init-responder.js';
import { createChildAgreement } from '../../../src/ike/child/agreement.js';
import type { OpenEnvironment, OpeningIkeSa, OpenIkeSa } from '../../../src/ike/open/types.js';
import type { PeerPolicy } from '../../../src/ike/policy.js';
import { IkeTransport } from '../../../src/ike/transport/transport.js';
import type { Datagram, IkeEnvironment, IkeFailure } from '../../../src/ike/types.js';
import { createLogger } from '../../../src/lib/log.js';
import { ip, kernel } from '../../system/kernel/support.js';
import { OURS, OURS6 } from './bed.js';
import { RecordingSink } from './recording-sink.js';

export class IkeHost {
  readonly sink = new RecordingSink();
  readonly lines: string[] = [];
  readonly counters = Object.fromEntries(
    Object.keys(IKE_COUNTERS).map((name) => [name, 0]),
  ) as Record<IkeCounter, number>;
  readonly open: OpenIkeSa[] = [];
  readonly failures: IkeFailure[] = [];
  readonly #netns: number;
  readonly #pool = new CryptoPool({ threads: 1, queue: 100 });
  readonly #transport: IkeTransport;
  readonly #policy: PeerPolicy;
  readonly #open: OpenEnvironment;
  readonly #authenticator: ReturnType<typeof createAuthenticator>;
  readonly #bySpi = new Map<bigint, OpeningIkeSa>();
  readonly #env: IkeEnvironment;
  readonly #end = new AbortController();

  constructor(netns: string, policy: PeerPolicy, auth: AuthSetup, addresses = [OURS, OURS6]) {
    this.#netns = kernel.openNetns(`/run/netns/${netns}`);
    this.#policy = policy;
    const env: IkeEnvironment = {
      crypto: createNodeCrypto(this.#pool, randomBytes),
      timers: {
        now: () => performance.now(),
        after: (ms, run) => {
          const timer = setTimeout(run, ms);
          return () => {
            clearTimeout(timer);
          };
        },
      },
      wallClock: () => Math.floor(Date.now() / 1000),
      log: createLogger({
        write: (line) => this.lines.push(line),
        now: () => new Date().toISOString(),
      }),
      count: (counter) => {
        this.counters[counter]++;
      },
    };
    this.#env = env;
    this.#transport = new IkeTransport({
      ...{ sockets: kernel, netns: this.#netns, timers: env.timers, log: env.log },
      count: env.count,
      onDatagram: (datagram) => {
        this.#received(datagram);
      },
    });
    this.#authenticator = createAuthenticator(auth, env);
    this.#open = {
      ...env,
      ...{ authenticator: this.#authenticator, sink: this.sink, createChannel },
      send: (path, octets) => {
        this.#transport.send(path, octets);
      },
      qcdToken: () => Buffer.alloc(16),
    };
    this.#transport.apply(addresses.map(ip));
  }

  #received({ octets, ...path }: Datagram): void {
    const header = Buffer.from(octets);
    if (header.length < 28) return;
    const [initiatorSpi, responderSpi] = [header.readBigUInt64BE(0), header.readBigUInt64BE(8)];
    const fromInitiator = ((header[19] ?? 0) & 8) !== 0;
    const known = this.#bySpi.get(fromInitiator ? responderSpi : initiatorSpi);
    if (known !== undefined) known.channel.receive(header, path);
    else if (responderSpi === 0n) {
      const screened = screenInit(this.#env, this.#policy, header, path);
      if (screened.verdict === 'answer') this.#transport.send(path, screened.octets);
      if (screened.verdict !== 'open') return;
      const spi = randomBytes(8).readBigUInt64BE();
      this.#follow(
        spi,
        openAsResponder(
          this.#open,
          { init: screened.init, responderSpi: spi, expireMs: 30_000 },
          createChildAgreement(this.#env),
        ),
      );
    }
  }

  #follow(spi: bigint, opening: OpeningIkeSa): void {
    this.#bySpi.set(spi, opening);
    void opening.result.then((result) => {
      if (result.ok) this.open.push(result.value);
      else this.failures.push(result.failure);
    });
  }

  initiate(local: string, remote: string, initialContact = false): void {
    const spi = randomBytes(8).readBigUInt64BE();
    const path = {
      local: { address: ip(local), port: 500 },
      remote: { address: ip(remote), port: 500 },
    };
    const policy = this.#policy;
    const [child] = policy.children(path.local.address, path.remote.address);
    this.#follow(
      spi,
      openAsInitiator(
        this.#open,
        { path, policy, child, initialContact, initiatorSpi: spi },
        createChildAgreement(this.#env),
        this.#end.signal,
      ),
    );
  }

  async opened(count = 1): Promise<OpenIkeSa> {
    try {
      return await eventually('an IKE SA', () => this.open[count - 1], 20_000);
    } catch (error) {
      throw new Error(`${String(error)}\n${this.report()}`, { cause: error });
    }
  }

  /** The first opening that came to nothing. */
  failed(): Promise<IkeFailure> {
    return eventually('a failure', () => this.failures[0], 30_000);
  }

  /** What helps to understand a failure. */
  report(): string {
    const counted = Object.entries(this.counters).filter(([, count]) => count > 0);
    const counters = counted.map(([name, count]) => `${name} ${String(count)}`).join(', ');
    return [JSON.stringify(this.failures), counters, ...this.lines].join('\n');
  }

  async close(): Promise<void> {
    for (const opening of this.#bySpi.values()) {
      opening.close();
      opening.channel.close();
    }
    this.#transport.close();
    this.#authenticator.close();
    await this.#pool.close();
    kernel.closeDescriptor(this.#netns);
  }
}
