// SPDX-License-Identifier: Apache-2.0
/** The machines of IKE with what they work on: cryptography, sockets in the core's namespace, a store, files. */
import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { createAuthenticator, type ReloadableAuthenticator } from '../ike/auth/authenticator.js';
import type { AuthSetup } from '../ike/auth/setup.js';
import type { ChildSink } from '../ike/child/types.js';
import { createNodeCrypto } from '../ike/crypto/node-crypto.js';
import { usePrimitives } from '../ike/crypto/primitives.js';
import { portioned } from '../ike/crypto/random.js';
import { CryptoPool } from '../ike/crypto/pool-driver.js';
import type { IkeManager } from '../ike/manager/api.js';
import { createIkeCounters, createIkeManager } from '../ike/manager/manager.js';
import { realParts } from '../ike/manager/parts.js';
import { openFileStore } from '../ike/manager/persist-driver.js';
import type { SaStore } from '../ike/manager/persist.js';
import { IkeTransport } from '../ike/transport/transport.js';
import type { IkeEnvironment, Timers } from '../ike/types.js';
import type { CertificateLibrary } from '../lib/certificate-api.js';
import type { Kernel } from '../lib/kernel-api.js';
import type { NativeCrypto } from '../lib/native-crypto.js';
import type { Logger } from '../lib/log.js';
import type { DebugKeys } from './debug-keys.js';
import { oneLine } from './errors.js';
import type { IkePlan } from './ike-plan.js';

/** Modular exponentiations, KEMs and RSA that may wait for a thread: some seconds of them. */
const POOL_QUEUE = 8192;
const MOST_THREADS = 4;

export interface IkeEngineDeps {
  readonly kernel: Pick<Kernel, 'udpSocket' | 'openNetns' | 'closeDescriptor'>;
  readonly certificates: CertificateLibrary;
  readonly crypto: NativeCrypto;
  /** Path of the core's namespace; undefined: our own. */
  readonly netns: string | undefined;
  readonly timers: Timers;
  readonly log: Logger;
  readonly sink: ChildSink;
  /** Folder on a tmpfs for IKE SAs that outlive this process, and the epoch of the segments they belong to. */
  readonly store: { readonly directory: string; readonly epoch: string };
  readonly segmentsWereLost: boolean;
  readonly qcdSecret: Uint8Array;
  readonly debugKeys: DebugKeys | undefined;
}

export class IkeEngine {
  readonly manager: IkeManager;
  readonly #deps: IkeEngineDeps;
  readonly #pool: CryptoPool;
  readonly #authenticator: ReloadableAuthenticator;
  readonly #netns: number;
  readonly #transport: IkeTransport;

  /** Takes over the secrets of the plan, and goes on with the IKE SAs that the store has. */
  constructor(deps: IkeEngineDeps, plan: IkePlan) {
    this.#deps = deps;
    const { kernel, timers, log } = deps;
    const threads = Math.max(1, Math.min(MOST_THREADS, availableParallelism() - 1));
    this.#pool = new CryptoPool({ threads, queue: POOL_QUEUE });
    usePrimitives(deps.crypto);
    const plain = createNodeCrypto(this.#pool, portioned(randomBytes));
    const counters = createIkeCounters();
    const wallClock = (): number => (performance.timeOrigin + performance.now()) / 1000;
    const env: IkeEnvironment = {
      ...{ crypto: deps.debugKeys?.watch(plain) ?? plain, timers, wallClock, log },
      count: counters.count,
    };
    this.#authenticator = createAuthenticator(plan.auth, env, deps.certificates);
    this.#netns = kernel.openNetns(deps.netns);
    this.#transport = new IkeTransport({
      ...{ sockets: kernel, netns: this.#netns, timers, log, count: counters.count },
      onDatagram: (datagram) => {
        this.manager.receive(datagram);
      },
    });
    this.manager = createIkeManager({
      ...{ env, counters, parts: realParts, authenticator: this.#authenticator, sink: deps.sink },
      ...{ policy: plan.policy, segmentsWereLost: deps.segmentsWereLost },
      ...{ qcdSecret: deps.qcdSecret, store: this.#store() },
      send: (path, octets) => {
        this.#transport.send(path, octets);
      },
      keepalive: (path) => {
        this.#transport.keepalive(path);
      },
    });
    this.#transport.apply(plan.addresses);
  }

  #store(): SaStore | undefined {
    const { store, log } = this.#deps;
    try {
      return openFileStore({ ...store, log });
    } catch (error) {
      log.warning('IKE SAs will not outlive a restart', { why: oneLine(error) });
      return undefined;
    }
  }

  /** Takes over the secrets of the plan. */
  apply(plan: IkePlan): void {
    this.#authenticator.reload(plan.auth);
    this.manager.setPolicy(plan.policy);
    this.#transport.apply(plan.addresses);
  }

  /** The same with newer CRLs and OCSP responses. Throws AuthSetupError, and stays as it was. */
  renewStatus(setup: AuthSetup): void {
    this.#authenticator.reload(setup);
  }

  /** Deletes all SAs at the peers, no longer than so. */
  async stop(withinMs: number): Promise<void> {
    await this.manager.stop(withinMs);
    this.#close();
  }

  /** Leaves everything to the next supervisor. */
  detach(): void {
    this.manager.detach();
    this.#close();
  }

  #close(): void {
    this.#transport.close();
    this.#deps.kernel.closeDescriptor(this.#netns);
    this.#authenticator.close();
    this.#pool.close().catch((error: unknown) => {
      this.#deps.log.warning('a thread of the cryptography stays', { why: oneLine(error) });
    });
  }
}
