// SPDX-License-Identifier: Apache-2.0
/**
 * IKE put together: child SAs in the tables, what tunnels want of it, and the machines in between, which run as
 * long as the configuration has tunnels that need them.
 */
import { randomBytes } from 'node:crypto';
import type { ChildInstall } from '../ike/child/types.js';
import type { IkeManager } from '../ike/manager/api.js';
import type { Timers } from '../ike/types.js';
import type { Tables } from '../forwarding/addon/api.js';
import type { TunnelModel } from '../forwarding/model.js';
import type { TunnelSa } from '../forwarding/overlay.js';
import type { Logger } from '../lib/log.js';
import type { DebugKeys } from './debug-keys.js';
import type { IkePort } from './ike-port.js';
import { ChildSas } from './ike-sas.js';
import { IkeTunnels } from './ike-tunnels.js';
import type { Plan } from './plan.js';
import type { SaRows } from './sa-rows.js';

export interface IkeServiceDeps {
  readonly tables: Tables;
  readonly rows: SaRows;
  readonly log: Logger;
  readonly timers: Timers;
  /** Has the worker install rows, now or when it is back. */
  readonly installer: (out: readonly number[], inbound: readonly number[]) => Promise<void>;
  /** Brings the next hops to {@link IkeService.states}; resolves when it is done. */
  readonly publish: () => Promise<void>;
  /** {@link IkeService.states} says something else now. */
  readonly changed: () => void;
  readonly debugKeys: DebugKeys | undefined;
}

export class IkeService implements IkePort {
  readonly sas: ChildSas;
  readonly #folder: string | undefined;
  #plan: Plan | undefined;
  readonly #tunnels: IkeTunnels;

  constructor(deps: IkeServiceDeps) {
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
    const folder = debugKeys?.folder;
    if (folder !== undefined) log.error('the keys of all SAs are written down', { folder });
    this.#folder = folder;
    this.#tunnels = new IkeTunnels({ sas: this.sas, changed: deps.changed });
  }

  /** undefined: the configuration in force has no IKE. */
  get manager(): IkeManager | undefined {
    return undefined;
  }

  apply(plan: Plan): void {
    this.#plan = plan;
  }

  states(tunnels: Iterable<TunnelModel>): ReadonlyMap<string, TunnelSa> {
    return this.#tunnels.states(tunnels);
  }

  /** What is not as it should be, in words. */
  faults(): string[] {
    return this.#folder === undefined ? [] : [`all keys are written to ${this.#folder}`];
  }

  hurry(tunnel: TunnelModel): void {
    this.#tunnels.hurry(tunnel);
  }

  close(): void {
    this.sas.close();
  }
}
