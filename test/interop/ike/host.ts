// SPDX-License-Identifier: Apache-2.0
/** Our IKE in a namespace, run by the test process: sockets and manager, and a data plane that remembers. */
import { randomBytes } from 'node:crypto';
import { eventually } from '../../../scripts/lib/lab.js';
import { loadAddon } from '../../../src/forwarding/addon/load.js';
import { createAuthenticator } from '../../../src/ike/auth/authenticator.js';
import type { AuthSetup } from '../../../src/ike/auth/setup.js';
import type { IkeCounter } from '../../../src/ike/counters.js';
import { createNodeCrypto } from '../../../src/ike/crypto/node-crypto.js';
import { CryptoPool } from '../../../src/ike/crypto/pool-driver.js';
import { usePrimitives } from '../../../src/ike/crypto/primitives.js';
import { portioned } from '../../../src/ike/crypto/random.js';
import type { IkeManager, IkeSaRow, WantedState } from '../../../src/ike/manager/api.js';
import { createIkeCounters, createIkeManager } from '../../../src/ike/manager/manager.js';
import { realParts } from '../../../src/ike/manager/parts.js';
import type { IkePolicy, PeerPolicy } from '../../../src/ike/policy.js';
import { IkeTransport } from '../../../src/ike/transport/transport.js';
import type { IkeEnvironment, Outcome } from '../../../src/ike/types.js';
import { createLogger } from '../../../src/lib/log.js';
import { DebugKeys } from '../../../src/supervisor/debug-keys.js';
import { TIMERS as timers } from '../../../src/supervisor/ike-timers.js';
import { ip, kernel } from '../../system/kernel/support.js';
import { OURS, OURS6, THEIRS } from './bed.js';
import { RecordingSink } from './recording-sink.js';

export interface HostOptions {
  readonly netns: string;
  readonly policy: PeerPolicy;
  readonly auth: AuthSetup;
  /** Where it listens; default {@link OURS} and {@link OURS6}. */
  readonly addresses?: readonly string[];
  readonly halfOpen?: Partial<IkePolicy['halfOpen']>;
  /** Wireshark's tables are written into this folder. */
  readonly debugKeys?: string;
  /** A data plane that goes on from another host. */
  readonly sink?: RecordingSink;
}

export class IkeHost {
  readonly sink: RecordingSink;
  readonly manager: IkeManager;
  /** Lines of the log. */
  readonly lines: string[] = [];
  readonly #netns: number;
  readonly #pool = new CryptoPool({ threads: 1, queue: 100 });
  readonly #transport: IkeTransport;
  readonly #close: () => void;

  constructor({ netns, policy, auth, halfOpen, ...options }: HostOptions) {
    this.sink = options.sink ?? new RecordingSink();
    this.#netns = kernel.openNetns(`/run/netns/${netns}`);
    const counters = createIkeCounters();
    const { certificates, crypto: native } = loadAddon();
    usePrimitives(native);
    const plain = createNodeCrypto(this.#pool, portioned(randomBytes));
    const { debugKeys } = options;
    const crypto = debugKeys === undefined ? plain : new DebugKeys(debugKeys).watch(plain);
    const env: IkeEnvironment = {
      ...{ crypto, timers, count: counters.count },
      wallClock: () => Math.floor(Date.now() / 1000),
      log: createLogger({
        write: (line) => this.lines.push(line),
        now: () => new Date().toISOString(),
      }),
    };
    const transport = new IkeTransport({
      ...{ sockets: kernel, netns: this.#netns, timers, log: env.log, count: counters.count },
      onDatagram: (datagram) => {
        this.manager.receive(datagram);
      },
    });
    this.#transport = transport;
    const authenticator = createAuthenticator(auth, env, certificates);
    this.manager = createIkeManager({
      ...{
        env,
        counters,
        parts: realParts,
        authenticator,
        sink: this.sink,
        segmentsWereLost: true,
      },
      ...{ qcdSecret: undefined, store: undefined },
      policy: {
        forPeer: () => policy,
        halfOpen: {
          ...{ cookieAbove: 1000, most: 2000, mostPerPeer: 100, expireMs: 30_000 },
          ...halfOpen,
        },
      },
      send: (path, octets) => {
        transport.send(path, octets);
      },
      keepalive: (path) => {
        transport.keepalive(path);
      },
    });
    this.#close = () => {
      authenticator.close();
    };
    transport.apply((options.addresses ?? [OURS, OURS6]).map(ip));
  }

  /** Opens an IKE SA, without a child SA where the peer can do so. */
  initiate(local = OURS, remote = THEIRS): Promise<Outcome<number>> {
    return this.manager.initiate({ local: ip(local), remote: ip(remote) });
  }

  count(counter: IkeCounter): number {
    return this.manager.counters()[counter];
  }

  rows(): readonly IkeSaRow[] {
    return this.manager.rows(undefined, 1000);
  }

  /** IKE SAs that are up and not about to go. */
  established(): readonly IkeSaRow[] {
    return this.rows().filter(({ state }) => state === 'established');
  }

  /** Waits until `good` holds for its rows, and returns them. */
  async until(
    what: string,
    good: (rows: readonly IkeSaRow[]) => boolean,
    timeoutMs = 30_000,
  ): Promise<readonly IkeSaRow[]> {
    try {
      return await eventually(
        `we: ${what}`,
        () => {
          const rows = this.rows();
          return good(rows) ? rows : undefined;
        },
        timeoutMs,
      );
    } catch (error) {
      throw new Error(`${String(error)}\n${this.report()}`, { cause: error });
    }
  }

  /** The IKE SA that is up, when there is one and no other. */
  async opened(timeoutMs = 20_000): Promise<IkeSaRow> {
    const [row] = await this.until(
      'one IKE SA',
      () => this.established().length === 1,
      timeoutMs,
    ).then(() => this.established());
    if (row === undefined) throw new Error('unreachable');
    return row;
  }

  /** Wants a child SA; what is known of it, and how not to want it any more. */
  want(service: string, policy: PeerPolicy, local = OURS, remote = THEIRS): WantedChild {
    const [here, there] = [ip(local), ip(remote)];
    const child = policy.children(here, there).find((each) => each.service === service);
    if (child === undefined) throw new Error(`no service ${service}`);
    const wanted: WantedChild = { states: [], end: () => undefined };
    wanted.end = this.manager.want({ local: here, remote: there, policy: child }, (state) => {
      wanted.states.push(state);
    });
    return wanted;
  }

  /** What helps to understand a failure. */
  report(): string {
    const counted = Object.entries(this.manager.counters()).filter(([, count]) => count > 0);
    const counters = counted.map(([name, count]) => `${name} ${String(count)}`).join(', ');
    const shown = JSON.stringify(this.rows(), (_, value: unknown) =>
      typeof value === 'bigint' ? value.toString(16) : value,
    );
    return [shown, counters, ...this.sink.faults, ...this.lines.slice(-40)].join('\n');
  }

  /** Deletes its IKE SAs at the peers, and is no more. */
  async stop(): Promise<void> {
    await this.manager.stop(5000);
    await this.#end();
  }

  /** Is no more, without a word to the peers: as if the machine had lost its power. */
  async vanish(): Promise<void> {
    this.#transport.close();
    this.manager.detach();
    await this.#end();
  }

  async #end(): Promise<void> {
    this.#transport.close();
    this.#close();
    await this.#pool.close();
    kernel.closeDescriptor(this.#netns);
  }
}

export interface WantedChild {
  readonly states: WantedState[];
  end: () => void;
}
