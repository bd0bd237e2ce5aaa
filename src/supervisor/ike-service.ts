// SPDX-License-Identifier: Apache-2.0
/**
 * IKE put together: child SAs in the tables, what tunnels want of it, and the machines in between, which run as long
 * as the configuration has an `ike` section.
 */
import { randomBytes } from 'node:crypto';
import { type ProtectedPair, protectedPairs } from '../config/bgp/protect.js';
import type { ChildInstall } from '../ike/child/types.js';
import type { IkeManager } from '../ike/manager/api.js';
import type { IkePolicy } from '../ike/policy.js';
import type { Timers } from '../ike/types.js';
import type { Tables } from '../forwarding/addon/api.js';
import type { TunnelModel } from '../forwarding/model.js';
import type { TunnelSa } from '../forwarding/overlay.js';
import type { CertificateLibrary } from '../lib/certificate-api.js';
import type { Kernel } from '../lib/kernel-api.js';
import type { NativeCrypto } from '../lib/native-crypto.js';
import type { Logger } from '../lib/log.js';
import type { DebugKeys } from './debug-keys.js';
import { IkeBgp } from './ike-bgp.js';
import { IkeEngine } from './ike-engine.js';
import type { IkePlan } from './ike-plan.js';
import type { IkePort } from './ike-port.js';
import { ChildSas } from './ike-sas.js';
import { qcdSecret } from './ike-secret.js';
import { StatusFiles } from './ike-status-files.js';
import { IkeTunnels } from './ike-tunnels.js';
import type { InstancePaths } from './paths.js';
import type { Plan } from './plan.js';
import type { SaRows } from './sa-rows.js';

/** For the answers to our deletes. */
const STOP_MS = 3_000;

export interface IkeServiceDeps {
  readonly tables: Tables;
  readonly rows: SaRows;
  readonly kernel: Kernel;
  readonly certificates: CertificateLibrary;
  readonly crypto: NativeCrypto;
  readonly paths: InstancePaths;
  /** Path of the core's namespace; undefined: our own. */
  readonly netns: () => string | undefined;
  readonly log: Logger;
  readonly timers: Timers;
  /** Has the worker install rows, now or when it is back. */
  readonly installer: (out: readonly number[], inbound: readonly number[]) => Promise<void>;
  /** Brings what finds its SA by these keys to it; resolves when it is done. */
  readonly publish: (keys: readonly string[]) => Promise<void>;
  /** {@link IkeService.states} says something else now of tunnels that find their SA by this key. */
  readonly changed: (key: string) => void;
  readonly debugKeys: DebugKeys | undefined;
}

export class IkeService implements IkePort {
  readonly sas: ChildSas;
  readonly #deps: IkeServiceDeps;
  readonly #tunnels: IkeTunnels;
  readonly #status: StatusFiles;
  readonly #bgp = new IkeBgp();
  #plan: Plan | undefined;
  #policy: IkePolicy | undefined;
  #engine: IkeEngine | undefined;

  constructor(deps: IkeServiceDeps) {
    this.#deps = deps;
    const { tables, rows, timers, log, installer, publish, debugKeys } = deps;
    this.sas = new ChildSas({
      ...{ tables, rows, timers, log, installer, publish, random: randomBytes },
      spTable: (sp) => this.#plan?.sps.table(sp),
      ...(debugKeys && {
        debugKeys: (child: ChildInstall) => {
          debugKeys.child(child);
        },
      }),
    });
    this.#tunnels = new IkeTunnels({ sas: this.sas, changed: deps.changed });
    this.#status = new StatusFiles({
      ...{ timers, log, certificates: deps.certificates },
      changed: (setup) => this.#engine?.renewStatus(setup),
    });
    if (debugKeys === undefined) return;
    log.error('the keys of all SAs are written down', { folder: debugKeys.folder });
  }

  /** undefined: the configuration in force has no IKE. */
  get manager(): IkeManager | undefined {
    return this.#engine?.manager;
  }

  async apply(plan: Plan, ike: IkePlan | undefined, tunnels: Iterable<TunnelModel>): Promise<void> {
    this.#plan = plan;
    this.#policy = ike?.policy;
    if (ike === undefined || plan.config.ike === undefined) {
      await this.#end();
      return;
    }
    if (this.#engine === undefined) {
      this.#engine = this.#begin(ike);
    } else {
      this.#engine.apply(ike);
    }
    this.#status.begin(plan.config.ike, ike);
    this.want(tunnels);
    this.#bgp.apply(protectedPairs(plan.config), this.#engine.manager, ike.policy);
  }

  want(tunnels: Iterable<TunnelModel>): void {
    if (this.#engine === undefined || this.#policy === undefined) return;
    this.#tunnels.apply(tunnels, this.#engine.manager, this.#policy);
  }

  #begin(plan: IkePlan): IkeEngine {
    const { tables, kernel, certificates, crypto, paths, netns, log, timers, debugKeys } =
      this.#deps;
    const deps = {
      ...{ kernel, certificates, crypto, netns: netns(), timers, log, sink: this.sas, debugKeys },
      store: { directory: paths.ikeSas, epoch: tables.epoch.toString(16) },
      segmentsWereLost: tables.attached === 'created',
      qcdSecret: qcdSecret(paths.ikeSecret),
    };
    return new IkeEngine(deps, plan);
  }

  async #end(): Promise<void> {
    const engine = this.#engine;
    this.#engine = undefined;
    this.#status.end();
    this.#tunnels.clear();
    this.#bgp.clear();
    await engine?.stop(STOP_MS);
  }

  states(tunnels: Iterable<TunnelModel>): ReadonlyMap<string, TunnelSa> {
    return this.#tunnels.states(tunnels);
  }

  /** How it stands with the SA of a session that has to be inside one; `isUp`: its host policy has it. */
  bgpState(pair: Pick<ProtectedPair, 'local' | 'remote'>, isUp: boolean): string {
    return this.#bgp.show(pair, isUp);
  }

  /** What is not as it should be, in words. */
  faults(): string[] {
    const folder = this.#deps.debugKeys?.folder;
    return folder === undefined ? [] : [`all keys are written to ${folder}`];
  }

  hurry(tunnel: TunnelModel): void {
    this.#tunnels.hurry(tunnel);
  }

  /** Deletes all SAs at the peers, within seconds. */
  async stop(): Promise<void> {
    await this.#end();
    await this.sas.end();
  }

  /** Leaves everything as it is, for the next supervisor to go on with. */
  close(): void {
    const engine = this.#engine;
    this.#engine = undefined;
    this.#status.end();
    engine?.detach();
    this.sas.close();
  }
}
