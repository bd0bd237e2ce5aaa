// SPDX-License-Identifier: Apache-2.0
/**
 * The composition root of a PE: segments → worker → kernel → rows, then the loops that keep them so.
 *
 * How it ends (docs/operation.md):
 *   SIGTERM, crash, kill -9   the worker goes on alone; the next supervisor attaches and reconciles
 *   SIGINT, `sealane stop`    everything is taken down and interfaces are given back; the segments
 *                             stay, because they alone remember how far manual keys are used
 */
import type { Config } from '../config/types.js';
import type { Tables } from '../forwarding/addon/api.js';
import { BgpService } from '../vpn/bgp/service.js';
import type { RouteLabels } from '../vpn/route-labels.js';
import { TunnelSet } from '../vpn/tunnel-set.js';
import { BfdSessions } from './bfd-sessions.js';
import { bfdPort, bgpSpeaker, Namespaces, REAL_TIME } from './bgp-speaker.js';
import { Committer, type Prepared } from './commit.js';
import { oneLine } from './errors.js';
import { ExportSteps, STEP_MS } from './export-steps.js';
import { HostPolicies } from './host-policies.js';
import { ChildSas } from './ike-sas.js';
import { IkeService } from './ike-service.js';
import { TIMERS } from './ike-timers.js';
import { Instance } from './instance.js';
import type { PathMtus } from './path-mtus.js';
import { pathParts } from './path-parts.js';
import type { PathProbes } from './path-probes.js';
import type { KernelPort } from './kernel-port.js';
import { ledgerFile } from './key-ledger.js';
import { routeLabels } from './label-rows.js';
import { ManualSas } from './manual-sas.js';
import { SaFollower } from './sa-follower.js';
import { SaRows } from './sa-rows.js';
import { openSegments } from './segments.js';
import { Serial } from './serial.js';
import { noteHugepages, WorkerRows } from './show-worker.js';
import { StallGuard } from './stall-guard.js';
import type { SupervisorDeps } from './supervisor-deps.js';
import { WorkerKeeper } from './worker-keeper.js';
import { WorkerLink, type Replacement } from './worker-link.js';
import { WorkerProcess } from './worker-process.js';

/** How often deafness is checked; and how often rows are given back and the worker is looked at. */
const DEAF_CHECK_MS = 5_000;
const UPKEEP_MS = 1_000;
/** Neighbour changes come in bursts. */
const REFRESH_DELAY_MS = 5;

export type SupervisorState = 'starting' | 'running' | 'degraded' | 'stopping';

export class Supervisor {
  readonly tables: Tables;
  readonly instance: Instance;
  readonly worker: WorkerLink;
  readonly workerRows: WorkerRows;
  readonly bgp: BgpService;
  readonly routeLabels: RouteLabels;
  readonly ike: IkeService;
  readonly exports: ExportSteps;
  readonly tunnels: TunnelSet;
  readonly hostPolicies: HostPolicies;
  readonly saRows: SaRows;
  readonly pathMtus: PathMtus;
  readonly pathProbes: PathProbes;
  readonly #namespaces: Namespaces;
  readonly #bfd: BfdSessions;
  readonly #deps: SupervisorDeps;
  readonly #kernelPort: KernelPort;
  readonly #committer: Committer;
  readonly #keeper: WorkerKeeper;
  readonly #serial = new Serial();
  readonly #followingFailed = (error: unknown): void => {
    this.#deps.log.error('following the network failed', { why: oneLine(error) });
  };
  readonly #saFollower = new SaFollower({
    serial: this.#serial,
    follow: (keys) => {
      this.instance.followSas(keys);
    },
    timers: TIMERS,
    failed: this.#followingFailed,
  });
  readonly #stall = new StallGuard();
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #faults = new Map<string, string>();
  #state: SupervisorState = 'starting';
  #changing = false;
  #retunnelling = false;
  #refresh: Promise<void> | undefined;
  #refreshTimer: NodeJS.Timeout | undefined;
  #gatewaysTimer: NodeJS.Timeout | undefined;

  /** Opens the segments: throws SECOND_SUPERVISOR, SEGMENTS or CONFIG, and then nothing has been touched. */
  constructor(deps: SupervisorDeps) {
    this.#deps = deps;
    const { addon, paths, log } = deps;
    this.routeLabels = routeLabels({
      ...{ paths, log: log.area('labels'), epoch: deps.clock },
      offers: () => this.instance.inForce?.plan.labelRegister.offers,
      reconciler: () => this.instance.reconciler,
      reserve: async (labels) => this.worker.reserveLabels(labels),
    });
    this.tables = openSegments(addon, paths, log.area('segments'));
    this.#kernelPort = deps.kernelPort(addon.kernel, {
      onChange: () => {
        this.#refreshSoon();
      },
      onFault: (what) => {
        log.error(what);
      },
      onBlind: (why) => {
        log.error('the kernel cannot be followed any more; ending for a restart', { why });
        deps.onFatal();
      },
    });
    this.worker = this.#makeWorker();
    this.#bfd = new BfdSessions({ kernel: addon.kernel, log: log.area('bfd') });
    const ledger = ledgerFile(paths.keyLedger);
    this.saRows = new SaRows(this.tables);
    const isForeign = (name: string): boolean => ChildSas.owns(name);
    const sas = new ManualSas({ tables: this.tables, rows: this.saRows, isForeign, ledger });
    this.ike = this.#makeIke();
    this.tunnels = this.#makeTunnels();
    const ways = pathParts(this, this.#saFollower, log.area('core'));
    this.pathMtus = ways.mtus;
    this.pathProbes = ways.probes;
    this.hostPolicies = this.#makeHostPolicies();
    this.#namespaces = new Namespaces(addon.kernel, (vrf) => this.#namespacePath(vrf));
    this.bgp = this.#makeBgp();
    this.instance = new Instance({
      ...{ bgp: this.bgp, bfd: this.#bfd, routeLabels: this.routeLabels, ike: this.ike },
      ...{ tunnels: this.tunnels, pathMtus: this.pathMtus, kernelPort: this.#kernelPort },
      ...{ tables: this.tables, kernel: addon.kernel, worker: this.worker, sas },
      ...{ log: log.area('worker'), saRows: this.saRows, hostPolicies: this.hostPolicies },
      pathProbes: this.pathProbes,
    });
    this.#committer = new Committer({
      ...{ tables: this.tables, instance: this.instance, sas, worker: this.worker, paths },
      ...{ log: log.area('commit'), clock: deps.clock, store: deps.store },
      ...{ routeLabels: this.routeLabels, certificates: addon.certificates },
    });
    this.exports = new ExportSteps({
      ...{ instance: this.instance, tables: this.tables, committer: this.#committer },
      ...{ serial: this.#serial, bgp: this.bgp, routeLabels: this.routeLabels, clock: deps.clock },
    });
    this.#keeper = new WorkerKeeper({
      log: log.area('worker'),
      revive: async () => this.#serial.run(async () => this.instance.revive()),
    });
    this.workerRows = new WorkerRows(this.tables, this.worker, (pid) =>
      addon.kernel.processStartTime(pid),
    );
  }

  #makeWorker(): WorkerLink {
    const { addon, paths, log, workerProgram } = this.#deps;
    const { kernel } = addon;
    const process = new WorkerProcess({
      ...{ kernel, tables: this.tables, paths, program: workerProgram },
      log: log.area('worker'),
    });
    return new WorkerLink({
      ...{ process, tables: this.tables, paths, kernelPort: this.#kernelPort },
      log: log.area('worker'),
      onEvent: (event) => {
        this.instance.onEvent(event);
      },
      onAttached: (client) => {
        this.#bfd.adopt(client).catch((error: unknown) => {
          log
            .area('bfd')
            .warning('the worker has left before it could say', { why: oneLine(error) });
        });
      },
      onHandOver: async () => this.#bfd.noteForNext(),
      onDetached: () => {
        this.#bfd.lost();
      },
      onDeath: (reason) => {
        this.#keeper.died(reason);
      },
    });
  }

  #makeIke(): IkeService {
    return new IkeService({
      ...{ tables: this.tables, rows: this.saRows, timers: TIMERS },
      ...{ kernel: this.#deps.addon.kernel, paths: this.#deps.paths },
      certificates: this.#deps.addon.certificates,
      crypto: this.#deps.addon.crypto,
      netns: () => this.#namespacePath(undefined),
      ...{ log: this.#deps.log.area('ike'), debugKeys: this.#deps.debugKeys },
      installer: async (out, inbound) => this.worker.installWhenUp(out, inbound),
      publish: async (keys) => this.#saFollower.now(keys),
      changed: (key) => {
        this.#saFollower.soon(key);
      },
    });
  }

  #makeHostPolicies(): HostPolicies {
    return new HostPolicies({
      ...{ tables: this.tables, rows: this.saRows, timers: TIMERS },
      sas: () => this.ike.sas,
    });
  }

  #makeTunnels(): TunnelSet {
    const tunnels = new TunnelSet({
      now: () => performance.now(),
      changed: () => {
        this.#retunnel();
      },
      full: (sp, most) => {
        const words = 'an SP has its share of tunnels: further routes of it cannot be used';
        this.#deps.log.area('bgp').error(words, { sp, most });
      },
    });
    tunnels.adopt(this.tables.nexthops().map(({ name }) => name));
    return tunnels;
  }

  #makeBgp(): BgpService {
    const { addon, log } = this.#deps;
    const area = log.area('bgp');
    const forwarded = this.tables.attached === 'reattached' && !this.#deps.wasStopped;
    if (forwarded) this.#kernelPort.restoreLearntLsps();
    return new BgpService({
      ...{ ...REAL_TIME, tables: this.tables, log: area },
      forwarded,
      speaker: (rest) => bgpSpeaker(addon.kernel, this.#namespaces, { ...rest, log: area }),
      vrfs: (names) => {
        this.#namespaces.keep(names);
      },
      nexthopRow: (name) => this.instance.reconciler.ensureNexthop(name),
      gatewaysChanged: () => {
        this.#gatewaysSoon();
      },
      bfd: bfdPort(this.#bfd, area, (vrf) => this.#namespacePath(vrf)),
      ...{ labels: this.routeLabels, tunnels: this.tunnels },
      watchCore: (address, onChange) => this.#kernelPort.watchCore(address, onChange),
      lsps: (lsps) => {
        this.#kernelPort.setLearntLsps(lsps);
      },
    });
  }

  /** Path of the namespace of a VRF or, without a name, of the core; undefined: our own. */
  #namespacePath(vrf: string | undefined): string | undefined {
    const core = this.instance.inForce?.plan.config.core.netns;
    const name = vrf === undefined ? core : this.#kernelPort.vrfNamespace(vrf);
    return name === undefined ? undefined : `/run/netns/${name}`;
  }

  #gatewaysSoon(): void {
    this.#gatewaysTimer ??= setTimeout(() => {
      this.#gatewaysTimer = undefined;
      if (this.#state === 'stopping') return;
      this.#kernelPort.followGateways(this.bgp.gateways());
      this.#refreshSoon();
    }, REFRESH_DELAY_MS);
  }

  get state(): SupervisorState {
    return this.#state === 'running' && this.reason !== '' ? 'degraded' : this.#state;
  }

  /** What is wrong now, in words; empty: nothing. */
  get reason(): string {
    const worker = this.workerRows.health();
    const down = worker.state === 'running' ? [] : [`worker ${worker.state}: ${worker.reason}`];
    const deaf = this.bgp.notListening().map((where) => `BGP cannot listen on ${where}`);
    const labels = this.routeLabels.starvingWords;
    return [...down, ...labels, ...this.ike.faults(), ...this.#faults.values(), ...deaf].join('; ');
  }

  /**
   * Brings the PE up. When that fails on a machine where nothing of it ran before, what was made is
   * taken down again; a PE that was forwarding is left as it is.
   */
  async start(config: Config): Promise<void> {
    const ranBefore = this.tables.worker().alive;
    try {
      await this.change(config);
    } catch (error) {
      if (!ranBefore) await this.#takeDown('the start failed');
      this.close();
      throw error;
    }
    this.#state = 'running';
    this.#every(DEAF_CHECK_MS, async () => this.#checkDeaf());
    this.#every(UPKEEP_MS, async () => this.#serial.run(async () => this.#upkeep()));
    this.#every(STEP_MS, async () => this.exports.step());
    noteHugepages(this.#deps.log, config, this.workerRows.rows());
  }

  async #upkeep(): Promise<void> {
    this.tables.reclaim();
    if (!this.bgp.restarting) this.tunnels.sweep();
    if (!this.worker.up) {
      this.#keeper.missing();
      return;
    }
    this.pathProbes.tick();
    const verdict = this.#stall.look(this.workerRows.health());
    if (verdict === 'fine') return;
    const { reason } = this.workerRows.health();
    if (verdict === 'alarm') this.#deps.log.error('the worker stalls', { reason });
    // Its death, not a time-out, is what gives back what it may still be reading.
    else await this.worker.kill(reason);
  }

  /** Plans and applies a configuration. */
  async change(config: Config): Promise<Prepared> {
    this.#changing = true;
    try {
      return await this.#serial.run(async () => {
        const prepared = await this.#committer.prepare(config);
        this.saRows.configure(config);
        await this.#committer.apply(prepared);
        return prepared;
      });
    } finally {
      this.#changing = false;
    }
  }

  /** Another worker in the place of the one that runs. */
  async restartWorker(): Promise<Replacement> {
    return this.#serial.run(async () => {
      await this.instance.revive(true);
      return this.worker.replacement;
    });
  }

  /** Plans a configuration and forgets it. */
  async tryChange(config: Config): Promise<Prepared> {
    return this.#serial.run(async () => {
      const prepared = await this.#committer.prepare(config);
      this.#committer.abort(prepared);
      return prepared;
    });
  }

  /** A change of the configuration is under way. */
  get busy(): boolean {
    return this.#changing;
  }

  vrfNamespace(vrf: string): string {
    return this.#kernelPort.vrfNamespace(vrf);
  }

  #every(ms: number, work: () => Promise<void>): void {
    const timer = setInterval(() => {
      work().catch((error: unknown) => {
        this.#deps.log.error('periodic work failed', { why: oneLine(error) });
      });
    }, ms);
    this.#timers.push(timer);
  }

  #refreshSoon(): void {
    if (this.#refreshTimer !== undefined || this.#state === 'stopping') return;
    this.#refreshTimer = setTimeout(() => {
      this.#refreshTimer = undefined;
      this.#refreshNow().catch(this.#followingFailed);
    }, REFRESH_DELAY_MS);
  }

  /** Routes lead to other tunnels than before: many may come at once. */
  #retunnel(): void {
    if (this.#retunnelling || this.#state === 'stopping') return;
    this.#retunnelling = true;
    this.#serial
      .run(async () => {
        this.#retunnelling = false;
        await this.instance.retunnel();
      })
      .catch((error: unknown) => {
        this.#deps.log.error('following the tunnels failed', { why: oneLine(error) });
      });
  }

  /** Resolves when the rows follow what is known now. Whoever asks before one has begun shares it. */
  async #refreshNow(): Promise<void> {
    this.#refresh ??= this.#serial.run(async () => {
      this.#refresh = undefined;
      const { nexthops, routes } = await this.instance.refresh();
      if (nexthops + routes > 0) {
        this.#deps.log.debug('followed the network', { nexthops, routes });
      }
    });
    return this.#refresh;
  }

  /** Policy-model 20: checked while running, and put right where that is possible. */
  async #checkDeaf(): Promise<void> {
    const hearing = await this.#kernelPort.checkDeaf();
    if (hearing.length === 0) {
      this.#faults.delete('deaf');
      return;
    }
    const what = hearing.join('; ');
    if (this.#faults.get('deaf') !== what) {
      this.#deps.log.error('an interface is not deaf any more', { what });
    }
    this.#faults.set('deaf', what);
    const plan = this.instance.inForce?.plan;
    if (plan !== undefined) await this.#serial.run(async () => this.#kernelPort.deafen(plan));
  }

  async #takeDown(why: string): Promise<void> {
    try {
      await this.worker.shutdown(why);
      await this.bgp.emptied();
      await this.#kernelPort.removeAll();
    } catch (error) {
      this.#deps.log.error('taking down failed', { why: oneLine(error) });
    }
  }

  /** `all`: worker, TAPs and namespaces go too, and interfaces are given back. */
  async stop(all: boolean): Promise<void> {
    this.#state = 'stopping';
    this.#keeper.stop();
    // While next hops can still follow: rows go, and their keys with them.
    if (all) await this.ike.stop();
    await this.#serial.run(async () => {
      // Forwarding goes on without us: neighbours are to keep our routes.
      this.bgp.stop(all ? { text: 'the router stops' } : 'restart');
      if (all) await this.#takeDown('asked to stop');
    });
    this.close();
    this.#deps.log.notice(all ? 'stopped' : 'supervisor stopped; the worker goes on');
  }

  /** Lets go of everything without changing it. */
  close(): void {
    this.#keeper.stop();
    for (const timer of this.#timers) clearInterval(timer);
    clearTimeout(this.#refreshTimer);
    clearTimeout(this.#gatewaysTimer);
    this.#saFollower.close();
    this.pathMtus.close();
    this.pathProbes.close();
    this.bgp.abandon();
    this.routeLabels.close();
    this.ike.close();
    this.hostPolicies.close();
    this.#bfd.close();
    this.#namespaces.close();
    this.worker.disconnect();
    this.#kernelPort.close();
    this.tables.close();
  }
}
