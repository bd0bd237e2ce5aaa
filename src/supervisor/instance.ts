// SPDX-License-Identifier: Apache-2.0
/**
 * One running PE: keeps tables, worker and kernel as the plan in force says. Everything here runs
 * under the one owner of changes ({@link Serial}), except reading.
 */
import { protectedPairs } from '../config/bgp/protect.js';
import { DEFAULT_PATH_MTU_AGE_S } from '../config/defaults.js';
import type { Tables } from '../forwarding/addon/api.js';
import type { TunnelModel } from '../forwarding/model.js';
import * as names from '../forwarding/names.js';
import {
  projectOverlay,
  projectTunnel,
  type Facts,
  type Overlay,
  type TunnelFacts,
} from '../forwarding/overlay.js';
import { projectConfig } from '../forwarding/project.js';
import { applyQos } from '../forwarding/qos.js';
import { noChanges, Reconciler, type Changes } from '../forwarding/reconcile.js';
import type { DesiredRows } from '../forwarding/rows.js';
import { equalBytes, formatAddress } from '../lib/ip.js';
import type { Logger } from '../lib/log.js';
import type { Event } from '../rpc/gen/worker.js';
import { spOfRemotes } from '../vpn/bgp/identity.js';
import {
  KernelRedistribution,
  NO_KERNEL_ROUTES,
  type TakenRoutes,
} from '../vpn/bgp/kernel-routes.js';
import { forbiddenSwaps, KeptRows, removeForbiddenRoutes } from '../vpn/bgp/kept-rows.js';
import type { InForce as BgpInForce } from '../vpn/bgp/service-deps.js';
import type { BgpService } from '../vpn/bgp/service.js';
import type { RouteLabels } from '../vpn/route-labels.js';
import { tunnelShares, type TunnelSet } from '../vpn/tunnel-set.js';
import type { BfdSessions } from './bfd-sessions.js';
import type { HostPolicies } from './host-policies.js';
import type { KernelPort } from './kernel-port.js';
import type { IkePlan } from './ike-plan.js';
import type { IkePort } from './ike-port.js';
import type { ManualSas, SaPlan } from './manual-sas.js';
import type { PathMtus } from './path-mtus.js';
import { probeSettings, type PathProbes } from './path-probes.js';
import type { Plan } from './plan.js';
import { bgpEndsOf } from './ike-sa-row.js';
import { TunnelsBySa } from './sa-follower.js';
import type { SaRows } from './sa-rows.js';
import { inSlices } from './serial.js';
import type { WorkerLink } from './worker-link.js';

export interface InstanceDeps {
  readonly tables: Tables;
  readonly kernelPort: KernelPort;
  readonly worker: WorkerLink;
  readonly sas: ManualSas;
  readonly saRows: SaRows;
  readonly ike: IkePort;
  readonly hostPolicies: Pick<HostPolicies, 'install' | 'follow' | 'followOnly' | 'retire'>;
  readonly log: Logger;
  readonly bfd: Pick<BfdSessions, 'event'>;
  readonly pathMtus: Pick<PathMtus, 'get' | 'learn' | 'configure'>;
  readonly pathProbes: Pick<PathProbes, 'configure'>;
  /** What is in force serves it; it asks for rows by {@link Instance.reconciler}. */
  readonly bgp: BgpService;
  readonly routeLabels: Pick<RouteLabels, 'holds' | 'highest' | 'isAsked'>;
  /** Those of the configuration, and those that routes lead to. */
  readonly tunnels: TunnelSet;
}

/** What is in force. */
export interface InForce {
  readonly plan: Plan;
  readonly rows: DesiredRows;
  readonly overlay: Overlay;
  /** Configured or made by routes, as the overlay has them. */
  readonly tunnels: ReadonlyMap<string, TunnelModel>;
}

export class Instance {
  readonly #deps: InstanceDeps;
  readonly #reconciler: Reconciler;
  readonly #bySa = new TunnelsBySa();
  /** Those whose ways the kernel port follows: what is in force may have others, which it has not looked up yet. */
  #followed: ReadonlyMap<string, TunnelModel> = new Map();
  #inForce: InForce | undefined;
  #kernel: { readonly plan: Plan; readonly take: KernelRedistribution } | undefined;
  #kernelRoutes: TakenRoutes = NO_KERNEL_ROUTES;
  #sps: { readonly plan: Plan; readonly spOf: (remote: string) => string | undefined } | undefined;

  constructor(deps: InstanceDeps) {
    this.#deps = deps;
    this.#reconciler = new Reconciler(
      deps.tables,
      (name) => deps.saRows.id('out', name),
      (label) => deps.routeLabels.holds(label),
    );
  }

  get inForce(): InForce | undefined {
    return this.#inForce;
  }
  get reconciler(): Reconciler {
    return this.#reconciler;
  }

  /**
   * Brings everything to the plan, from whatever state it is in. Returns the rows that were written.
   * When it throws, what was in force is partly replaced; applying a plan again makes it whole. `same`: the rows that
   * are there were written under this configuration.
   */
  async apply(
    plan: Plan,
    saPlan: SaPlan,
    ikePlan: IkePlan | undefined,
    same: boolean,
  ): Promise<Changes> {
    const { tables, kernelPort, worker, sas, tunnels } = this.#deps;
    await kernelPort.deafen(plan);
    await worker.raise(plan);
    await kernelPort.apply(plan, worker.macs);
    const shares = tunnelShares(plan.config, this.#spOf(plan));
    const { trafficClasses, tunnelAddresses } = plan.model;
    tunnels.configure(plan.model.tunnels, tunnelAddresses, shares, plan.config.core.ecn);
    await this.#followTunnels(tunnels.all);
    tables.setPathMtuFloor(plan.model.pathMtuFloor);
    const { pathMtu } = plan.config.core;
    this.#deps.pathMtus.configure(pathMtu?.age ?? DEFAULT_PATH_MTU_AGE_S);
    this.#deps.pathProbes.configure(probeSettings(pathMtu?.probes));
    const rows = projectConfig(plan.model, worker.macs, plan.policy);
    const changes = noChanges();
    this.#reconciler.prepare(rows, changes);
    if (!equalBytes(tables.trafficClasses(), trafficClasses)) {
      tables.setTrafficClasses(trafficClasses);
    }
    applyQos(tables, plan.config, (name) => this.#reconciler.live.interface(name));
    // Another worker gets them at the last moment: both would read them.
    if (!worker.replacing) await this.#attachInterfaces(rows);
    await worker.reserveLabels(this.#labelLimit(rows));
    await sas.install(saPlan, worker.installer);
    if (!same) await this.#judgeKept(plan);
    const projected = this.#project(plan, rows);
    await inSlices(this.#reconciler.publish(rows, projected.overlay, changes));
    this.#inForce = { plan, rows, ...projected };
    const { hostPolicies } = this.#deps;
    const protectedBgp = protectedPairs(plan.config);
    // Before anything can be sent or heard that would have to be inside an SA.
    hostPolicies.install(protectedBgp);
    await this.#forward(rows);
    // Before what is wanted no more goes: BGP then has no routes in it.
    this.#deps.bgp.apply(this.#forBgp());
    hostPolicies.retire(protectedBgp);
    await this.#deps.ike.apply(plan, ikePlan, tunnels.all.values());
    await this.#retire(plan, saPlan, changes);
    tables.reclaim();
    return changes;
  }

  /**
   * Another plan of the configuration in force: export rules have gone a step further (policy-model 24). When it
   * throws, the plan before is still the one in force, and this is to be called again.
   */
  async relabel(plan: Plan): Promise<Changes> {
    const { worker, bgp, tables } = this.#deps;
    const before = this.#must();
    const rows = projectConfig(plan.model, worker.macs, plan.policy);
    const changes = noChanges();
    await worker.reserveLabels(this.#labelLimit(rows));
    const projected = this.#project(plan, rows);
    const { overlay } = projected;
    try {
      await inSlices(this.#reconciler.publish(rows, overlay, changes));
      this.#inForce = { plan, rows, ...projected };
      bgp.apply(this.#forBgp());
      await inSlices(this.#reconciler.retire(rows, overlay, changes));
    } catch (error) {
      this.#inForce = before;
      throw error;
    }
    tables.reclaim();
    return changes;
  }

  async #forward(rows: DesiredRows): Promise<void> {
    const { worker } = this.#deps;
    if (worker.replacing) await worker.handOver(async () => this.#attachInterfaces(rows));
    else await worker.start();
  }

  async #retire(plan: Plan, saPlan: SaPlan, changes: Changes): Promise<void> {
    const { rows, overlay } = this.#must();
    await inSlices(this.#reconciler.retire(rows, overlay, changes));
    this.#deps.sas.retire(saPlan.wanted);
    await this.#detachInterfaces();
    await this.#deps.kernelPort.retire(plan);
    this.#reconciler.retireInterfaces(rows, changes);
  }

  #forBgp(): BgpInForce {
    const { plan } = this.#must();
    const { live } = this.#reconciler;
    return {
      ...{ config: plan.config, model: plan.model, policy: plan.policy },
      ...{ labels: plan.policy.labels, sps: plan.sps, states: plan.exports },
      vrfRow: (name) => live.vrf(name),
      kernelRoutes: () => this.#kernelRoutes,
      nexthop: (name) => this.#inForce?.overlay.nexthops.get(name),
      ownRow: (vrf, family, key) => {
        const id = live.vrf(vrf);
        return id === undefined ? undefined : live.routes(id, family).get(key)?.nexthop;
      },
    };
  }

  /**
   * What BGP left before our start, and has not told again, forwards on no further than this plan allows
   * (policy-model 25). Before next hops are others: what a row leads to is what it led to.
   */
  async #judgeKept(plan: Plan): Promise<void> {
    const { tables, bgp, routeLabels, log } = this.#deps;
    const before = this.#inForce?.plan.config;
    if (before !== undefined && !bgp.restarting) return;
    const { config, model, sps } = plan;
    const kept = new KeptRows({ config, model, sps, before });
    let routes = 0;
    const count = (more: number): void => {
      routes += more;
    };
    await inSlices(removeForbiddenRoutes(tables, kept, count));
    const labels = forbiddenSwaps(tables, kept).filter((label) => !routeLabels.isAsked(label));
    for (const label of labels) this.#reconciler.clearLabel(label);
    if (routes + labels.length === 0) return;
    log.warning('what this configuration does not allow forwards no more', {
      ...{ routes, labels: labels.length, until: 'BGP has told its routes again' },
    });
  }

  /** Labels below this are or will be in use. */
  #labelLimit(rows: DesiredRows): number {
    return Math.max(0, this.#deps.routeLabels.highest, ...rows.labels.keys()) + 1;
  }

  #must(): InForce {
    if (this.#inForce === undefined) throw new Error('nothing is in force yet');
    return this.#inForce;
  }

  /** Gives the worker a TAP queue of every interface that it has none of. */
  async #attachInterfaces(rows: DesiredRows): Promise<void> {
    const { worker, kernelPort } = this.#deps;
    for (const name of rows.interfaces.keys()) {
      const id = this.#reconciler.live.interface(name);
      if (id === undefined || worker.attached.has(id)) continue;
      await worker.attachInterface(id, kernelPort.workerQueue(name));
    }
  }

  async #detachInterfaces(): Promise<void> {
    const { worker } = this.#deps;
    const wanted = new Set(
      [...this.#must().rows.interfaces.keys()].map((name) => this.#reconciler.live.interface(name)),
    );
    for (const id of [...worker.attached]) {
      if (!wanted.has(id)) await worker.detachInterface(id);
    }
  }

  /** Of the kernel tables of VRFs, what the plan takes. */
  #takeKernelRoutes(plan: Plan): TakenRoutes {
    if (this.#kernel?.plan !== plan) {
      this.#kernel = { plan, take: new KernelRedistribution(plan.config, plan.model) };
    }
    this.#kernelRoutes = this.#kernel.take.take(this.#deps.kernelPort.kernelRoutes());
    return this.#kernelRoutes;
  }

  #project(plan: Plan, rows: DesiredRows): Pick<InForce, 'overlay' | 'tunnels'> {
    const { kernelPort, worker, saRows, ike } = this.#deps;
    const tunnels = this.#deps.tunnels.all;
    const spOf = this.#spOf(plan);
    const facts: Facts = {
      macs: worker.macs,
      neighbours: kernelPort.neighbours(),
      coreRoutes: kernelPort.coreRoutes(),
      readySas: { has: (name) => saRows.isReady('out', name) },
      ikeSas: ike.states(tunnels.values()),
      kernelRoutes: [...this.#takeKernelRoutes(plan).values()],
      isOwnSp: (remote) => spOf(remote) === plan.config.ownSp,
      pathMtu: (tunnel) => this.#deps.pathMtus.get(tunnel)?.mtu,
    };
    const gateways = [...plan.gateways, ...this.#deps.bgp.gateways()];
    const model = { ...plan.model, tunnels };
    const overlay = projectOverlay(model, facts, rows.routes, plan.policy, gateways);
    return { overlay, tunnels };
  }

  /** Whose far ends of tunnels are. */
  #spOf(plan: Plan): (remote: string) => string | undefined {
    if (this.#sps?.plan !== plan) this.#sps = { plan, spOf: spOfRemotes(plan.config) };
    return this.#sps.spOf;
  }

  /** Routes lead to other tunnels now: those that are new are looked at, unless some are gone. */
  async retunnel(): Promise<void> {
    const { ike, tunnels } = this.#deps;
    if (this.#inForce === undefined) return;
    const { all } = tunnels;
    const followed = this.#followed;
    await this.#followTunnels(all);
    ike.want(all.values());
    const before = this.#must();
    const isGone = [...before.tunnels.keys()].some((name) => !all.has(name));
    if (isGone) {
      await this.refresh();
      return;
    }
    this.#inForce = { ...before, tunnels: all };
    this.#follow([...all.values()].filter((one) => followed.get(one.name) !== one));
  }

  async #followTunnels(all: ReadonlyMap<string, TunnelModel>): Promise<void> {
    await this.#deps.kernelPort.followTunnels(all);
    this.#followed = all;
  }

  /** Follows neighbours, core routes and SAs; does nothing before the first plan is in force. */
  async refresh(): Promise<Changes> {
    const changes = noChanges();
    const before = this.#inForce;
    if (before === undefined) return changes;
    const projected = this.#project(before.plan, before.rows);
    const { overlay } = projected;
    this.#inForce = { ...before, ...projected };
    const { reconciler } = this;
    await inSlices(reconciler.publishOverlay(before.rows, before.overlay, overlay, changes));
    this.#deps.hostPolicies.follow();
    this.#deps.bgp.refresh();
    this.#deps.tables.reclaim();
    return changes;
  }

  /**
   * Follows SAs alone, of those who find theirs by these keys. How many others there are does not matter: when a
   * thousand remote PEs come, this is called a thousand times.
   */
  followSas(keys: ReadonlySet<string>): void {
    const inForce = this.#inForce;
    if (inForce === undefined) return;
    const all = [...keys];
    this.#deps.hostPolicies.followOnly(all.flatMap((key) => bgpEndsOf(key) ?? []));
    this.#follow(all.flatMap((key) => this.#bySa.sharing(inForce.tunnels, key)));
  }

  /** Brings the next hops of these tunnels, which are in force, to what there is now. */
  #follow(tunnels: readonly TunnelModel[]): void {
    const { plan, overlay } = this.#must();
    const { bgp, tables } = this.#deps;
    const facts = this.#factsOf(plan, tunnels);
    const nexthops = tunnels.map((tunnel) => projectTunnel(plan.model, facts, tunnel));
    for (const nexthop of nexthops) overlay.nexthops.set(nexthop.name, nexthop);
    this.#reconciler.publishNexthops(nexthops, noChanges());
    bgp.tunnelsChanged(new Set(tunnels.map(({ remote }) => formatAddress(remote))));
    tables.reclaim();
  }

  #factsOf(plan: Plan, tunnels: readonly TunnelModel[]): TunnelFacts {
    const { kernelPort, worker, saRows, ike } = this.#deps;
    const spOf = this.#spOf(plan);
    return {
      macs: worker.macs,
      mac: (name, address) => kernelPort.neighbourMac(name, address),
      coreRoutes: { get: (name) => kernelPort.coreRoute(name) },
      readySas: { has: (name) => saRows.isReady('out', name) },
      ikeSas: ike.states(tunnels),
      isOwnSp: (remote) => spOf(remote) === plan.config.ownSp,
      pathMtu: (tunnel) => this.#deps.pathMtus.get(tunnel)?.mtu,
    };
  }

  /**
   * After the worker died, or (`anew`) in the place of the one that forwards: another one with the same ports and
   * interfaces; the tables are as they were.
   */
  async revive(anew = false): Promise<void> {
    const { plan, rows } = this.#must();
    const { worker, kernelPort, sas } = this.#deps;
    await kernelPort.deafen(plan);
    await worker.raise(plan, anew);
    if (!worker.replacing) await this.#attachInterfaces(rows);
    await worker.reserveLabels(this.#labelLimit(rows));
    sas.activate();
    await this.#forward(rows);
    await this.refresh();
  }

  /** What the worker reports. */
  onEvent(event: NonNullable<Event['event']>): void {
    const { log, kernelPort } = this.#deps;
    switch (event.$case) {
      case 'resolveNeighbour': {
        const row = this.#interfaceName(event.value.interface);
        if (row !== undefined) kernelPort.probe(row, event.value.address);
        return;
      }
      case 'linkState':
        this.#deps.worker.linkState(event.value.port, event.value.up);
        return;
      case 'bfdState':
        this.#deps.bfd.event(event.value);
        return;
      case 'acquireSa':
        this.#acquire(event.value.nexthop);
        return;
      case 'pathMtu':
        this.#deps.pathMtus.learn(event.value, event.value.mtu);
        return;
      case 'alarm':
        log.warning('alarm of the worker', { name: event.value.name, detail: event.value.detail });
    }
  }

  /** Packets wait for the SA of this next hop's tunnel. */
  #acquire(nexthop: number): void {
    const row = this.#reconciler.live.nexthopName(nexthop);
    const name = row === undefined ? undefined : names.tunnelOf(row);
    const tunnel = name === undefined ? undefined : this.#deps.tunnels.all.get(name);
    if (tunnel !== undefined) this.#deps.ike.hurry(tunnel);
  }

  #interfaceName(id: number): string | undefined {
    for (const [name, row] of this.#reconciler.live.interfaces) if (row.id === id) return name;
    return undefined;
  }
}
