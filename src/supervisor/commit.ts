// SPDX-License-Identifier: Apache-2.0
/**
 * Changing the configuration: prepare (decide everything, change nothing), apply (all of it, or back
 * to what was in force), abort (forget a prepared change). Runs under the one owner of changes.
 */
import { configDigest } from '../config/canonical.js';
import type { Config } from '../config/types.js';
import type { Tables } from '../forwarding/addon/api.js';
import type { Changes } from '../forwarding/reconcile.js';
import type { CertificateLibrary } from '../lib/certificate-api.js';
import { equalBytes } from '../lib/ip.js';
import type { Logger } from '../lib/log.js';
import { oneLine, SupervisorError } from './errors.js';
import { planIke, wipeIkePlan, type IkePlan } from './ike-plan.js';
import type { Instance } from './instance.js';
import { wipe, type ManualSas, type SaPlan } from './manual-sas.js';
import type { InstancePaths } from './paths.js';
import { makePlan, readMemory, remember, type Memory, type Plan } from './plan.js';
import { endExports, tickExports, timingOf, type ChangeFilter } from '../vpn/export-book.js';
import type { ExportStates } from '../vpn/export-changes.js';
import type { RouteLabels } from '../vpn/route-labels.js';
import type { WorkerLink } from './worker-link.js';

export interface Prepared {
  readonly plan: Plan;
  readonly sas: SaPlan;
  readonly ike: IkePlan | undefined;
  /** Ports are fixed when the worker starts: it will be another one. */
  readonly restartsWorker: boolean;
}

export interface CommitterDeps {
  readonly tables: Tables;
  readonly instance: Instance;
  readonly sas: ManualSas;
  readonly worker: WorkerLink;
  readonly paths: InstancePaths;
  readonly log: Logger;
  readonly routeLabels: Pick<RouteLabels, 'taken' | 'avoid'>;
  readonly certificates: CertificateLibrary;
  /** Seconds since 1970. */
  readonly clock: () => number;
  /** Makes the configuration the one a restart loads. */
  readonly store: (config: Config) => Promise<void>;
}

export class Committer {
  readonly #deps: CommitterDeps;

  constructor(deps: CommitterDeps) {
    this.#deps = deps;
  }

  /** Throws {@link SupervisorError} CONFIG, LABELS or KEY; nothing has changed then. */
  async prepare(config: Config): Promise<Prepared> {
    const { sas, worker } = this.#deps;
    const plan = this.#plan(config, readMemory(this.#deps.paths));
    const saPlan = await sas.plan(config, plan.sps);
    return {
      ...{ plan, sas: saPlan, ike: await this.#ike(config, saPlan) },
      restartsWorker: worker.mustRestart(plan),
    };
  }

  #plan(config: Config, memory: Omit<Memory, 'ofRoute'>): Plan {
    const { clock, routeLabels } = this.#deps;
    const ofRoute = (label: number): string | undefined => routeLabels.taken(label);
    const plan = makePlan(config, { ...memory, ofRoute }, clock());
    // From here on no route takes one of them, whether or not the plan is carried out.
    routeLabels.avoid(Object.keys(plan.labelRegister.labels).map(Number));
    return plan;
  }

  /**
   * Takes export rules a step further on their way to another class, if it is time (policy-model 24). `told`:
   * neighbours have been sent what they are to be sent. True: something changed.
   */
  async step(told: boolean): Promise<boolean> {
    const { clock } = this.#deps;
    return this.#relabel((states, config) => tickExports(states, clock(), told, timingOf(config)));
  }

  /** Ends changes of classes at once; true: there was one. */
  async endChanges(filter: ChangeFilter): Promise<boolean> {
    return this.#relabel((states) => endExports(states, filter));
  }

  async #relabel(next: (states: ExportStates, config: Config) => ExportStates): Promise<boolean> {
    const { instance, paths, log } = this.#deps;
    const before = instance.inForce?.plan;
    if (before === undefined) return false;
    const memory = readMemory(paths);
    const states = next(memory.exports, before.config);
    // What was written and then not carried out is so now.
    if (states === memory.exports && sameStates(states, before.exports)) return false;
    const plan = this.#plan(before.config, { ...memory, exports: states });
    remember(paths, plan);
    const changes = await instance.relabel(plan);
    log.notice('export classes have gone a step further', { labels: changes.labels });
    return true;
  }

  async #ike(config: Config, sas: SaPlan): Promise<IkePlan | undefined> {
    try {
      return await planIke(config, this.#deps.certificates);
    } catch (error) {
      wipe(sas);
      throw error;
    }
  }

  abort(prepared: Prepared): void {
    wipe(prepared.sas);
    wipeIkePlan(prepared.ike);
  }

  /**
   * When it throws, what was in force before is in force again, as far as the fault allows; the error
   * says so when it is not.
   */
  async apply(prepared: Prepared): Promise<Changes> {
    const { instance, paths, log } = this.#deps;
    const before = instance.inForce?.plan;
    remember(paths, prepared.plan);
    const same = this.#beginDigest(prepared.plan.config);
    try {
      const changes = await instance.apply(prepared.plan, prepared.sas, prepared.ike, same);
      await this.#deps.store(prepared.plan.config);
      this.#noteDigest(prepared.plan.config);
      log.notice('configuration in force', { ...changes });
      return changes;
    } catch (error) {
      this.abort(prepared);
      if (before === undefined) throw error;
      log.error('applying the configuration failed; going back', { why: oneLine(error) });
      await this.#back(before, error);
      throw error;
    }
  }

  /** Whether the tables hold this configuration. If not they say of none, from now until it is carried out. */
  #beginDigest(config: Config): boolean {
    const { tables } = this.#deps;
    const present = tables.configDigest();
    if (equalBytes(present, configDigest(config))) return true;
    if (!equalBytes(present, NO_DIGEST)) tables.setConfigDigest(NO_DIGEST);
    return false;
  }

  /** The tables say which configuration they hold; one that they hold already changes nothing. */
  #noteDigest(config: Config): void {
    const { tables } = this.#deps;
    const digest = configDigest(config);
    if (!equalBytes(tables.configDigest(), digest)) tables.setConfigDigest(digest);
  }

  async #back(before: Plan, cause: unknown): Promise<void> {
    try {
      const prepared = await this.prepare(before.config);
      remember(this.#deps.paths, prepared.plan);
      await this.#deps.instance.apply(prepared.plan, prepared.sas, prepared.ike, false);
      this.#noteDigest(prepared.plan.config);
    } catch (error) {
      throw new SupervisorError(
        'CONFIG',
        `${oneLine(cause)}; and going back failed: ${oneLine(error)}`,
        'correct the cause and reload',
        error,
      );
    }
  }
}

/** Of tables that hold no configuration as a whole. */
const NO_DIGEST = new Uint8Array(32);

const sameStates = (a: ExportStates, b: ExportStates): boolean =>
  JSON.stringify(a) === JSON.stringify(b);
