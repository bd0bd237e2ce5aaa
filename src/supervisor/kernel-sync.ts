// SPDX-License-Identifier: Apache-2.0
/** The host's kernel, brought to what a plan needs: namespaces, TAPs, neighbours, core routes. */
import { singleDevices, tapNetns, vrfNetns } from '../config/defaults.js';
import type { Device } from '../config/types.js';
import type { GatewayModel, LspModel, TunnelModel } from '../forwarding/model.js';
import type { CoreRoute, Neighbour } from '../forwarding/overlay.js';
import type { PortMacs } from '../forwarding/project.js';
import { forwardingProblems, turnForwardingOff } from '../kernel/forwarding.js';
import { raiseNeighbourLimits } from '../kernel/limits.js';
import { ensureOwnAddress, removeOwnAddress } from '../kernel/loopback.js';
import type { NeighbourEntry } from '../kernel/neighbours.js';
import { namespaceVisibilityProblem, NamespaceRegistry } from '../kernel/netns.js';
import { CoreRoutes } from '../kernel/routes.js';
import { prepareNamespace } from '../kernel/tap.js';
import type { Kernel } from '../lib/kernel-api.js';
import type { Logger } from '../lib/log.js';
import { kernelVrfs, type KernelRoute } from '../vpn/bgp/kernel-routes.js';
import type { CoreWay } from '../vpn/bgp/tracker.js';
import { CoreHops } from './core-hops.js';
import { CorePaths } from './core-paths.js';
import { DeafGuard, kernelInterfaces, type KernelInterface } from './deaf-guard.js';
import { DeviceSet } from './device-set.js';
import type { KernelPort, KernelPortEvents } from './kernel-port.js';
import { KernelSpace } from './kernel-space.js';
import { VrfKernelRoutes } from './vrf-kernel-routes.js';
import { LearntLsps } from './learnt-lsps.js';
import { NeighbourKeeper } from './neighbour-keeper.js';
import type { InstancePaths } from './paths.js';
import type { Plan } from './plan.js';

export interface KernelSyncDeps {
  readonly kernel: Kernel;
  readonly paths: InstancePaths;
  readonly log: Logger;
  readonly events: KernelPortEvents;
}

export class KernelSync implements KernelPort {
  readonly #deps: KernelSyncDeps;
  readonly #registry: NamespaceRegistry;
  readonly #spaces = new Map<string, KernelSpace>();
  readonly #devices: DeviceSet;
  readonly #neighbours: NeighbourKeeper;
  readonly #deaf: DeafGuard;
  #core: { readonly space: KernelSpace; readonly paths: CorePaths } | undefined;
  #plan: Plan | undefined;
  readonly #coreHops = new CoreHops();
  readonly #vrfRoutes: VrfKernelRoutes;
  /** Of the configuration, and told by BGP. */
  #lsps: readonly LspModel[] = [];
  readonly #learntLsps: LearntLsps;
  /** Tunnel addresses that we have put on the core's loopback device. */
  readonly #loopback: Uint8Array[] = [];

  constructor(deps: KernelSyncDeps) {
    this.#deps = deps;
    this.#registry = new NamespaceRegistry(`${deps.paths.runtime}/namespaces.json`);
    this.#devices = new DeviceSet();
    this.#learntLsps = new LearntLsps(`${deps.paths.segments}/lsps.json`, deps.log);
    this.#vrfRoutes = new VrfKernelRoutes(deps.events);
    this.#neighbours = new NeighbourKeeper((name) => this.#watcherOf(name));
    this.#deaf = new DeafGuard({
      context: async (netns) => (await this.#space(netns)).context,
      file: `${deps.paths.runtime}/deaf.json`,
      log: deps.log,
    });
  }

  async #space(name: string | undefined): Promise<KernelSpace> {
    const key = name ?? '';
    const open = this.#spaces.get(key);
    if (open !== undefined) return open;
    const space = await KernelSpace.open(this.#deps.kernel, name, {
      onNeighbour: (entry) => {
        this.#neighbourChanged(name, entry);
      },
      onFault: this.#deps.events.onFault,
      onBlind: this.#deps.events.onBlind,
    });
    this.#spaces.set(key, space);
    return space;
  }

  /** The namespace of a configured interface's TAP, once it is open. */
  #spaceOf(interfaceName: string): KernelSpace | undefined {
    const config = this.#plan?.config;
    const configured = config?.interfaces[interfaceName];
    if (config === undefined || configured === undefined) return undefined;
    return this.#spaces.get(tapNetns(config, configured) ?? '');
  }
  #watcherOf(interfaceName: string): KernelSpace['neighbours'] | undefined {
    return this.#spaceOf(interfaceName)?.neighbours;
  }

  #neighbourChanged(netns: string | undefined, entry: NeighbourEntry): void {
    if (this.#spaceOf(entry.interface)?.name !== netns) return;
    this.#neighbours.changed(entry);
    this.#deps.events.onChange();
  }

  async deafen(plan: Plan): Promise<void> {
    await this.#deaf.deafen(interfacesOf(plan));
    for (const { context } of this.#spaces.values()) await turnForwardingOff(context);
  }
  async checkDeaf(): Promise<readonly string[]> {
    if (this.#plan === undefined) return [];
    const interfaces = interfacesOf(this.#plan);
    const hearing = [...(await this.#deaf.check(interfaces))];
    // The namespaces of deaf interfaces have been looked at with them.
    const checked = new Set(interfaces.map(({ netns }) => netns ?? ''));
    for (const [name, { context }] of this.#spaces) {
      if (checked.has(name)) continue;
      const problems = await forwardingProblems(context);
      const where = name === '' ? 'our own namespace' : `namespace ${name}`;
      if (problems.length > 0) hearing.push(`${where} forwards: ${problems.join(', ')}`);
    }
    return hearing;
  }

  async apply(plan: Plan, macs: PortMacs): Promise<void> {
    const problem = namespaceVisibilityProblem();
    if (problem !== undefined && this.#plan === undefined) this.#deps.log.warning(problem);
    const limits = raiseNeighbourLimits(this.#deps.kernel);
    if (limits !== undefined && this.#plan === undefined) this.#deps.log.notice(limits);
    this.#plan = plan;
    for (const [vrf, { netns }] of Object.entries(plan.config.vrfs ?? {})) {
      const name = vrfNetns(plan.config, vrf);
      await this.#registry.ensure(name, { mayBeForeign: netns !== undefined });
      await prepareNamespace((await this.#space(name)).context);
    }
    const core = await this.#space(plan.config.core.netns);
    await prepareNamespace(core.context);
    for (const [name, configured] of Object.entries(plan.config.interfaces)) {
      const space = await this.#space(tapNetns(plan.config, configured));
      await this.#devices.ensureInterface(space.context, plan, name, macs);
    }
    // After the interfaces, whose addresses may be the source of the host device's default routes.
    for (const vrf of plan.model.vrfs.keys()) {
      const space = await this.#space(vrfNetns(plan.config, vrf));
      await this.#devices.ensureHost(space.context, plan, vrf);
    }
    await core.monitor.resync();
    for (const address of plan.model.tunnelAddresses) {
      if (await ensureOwnAddress(core.monitor, address)) this.#loopback.push(address);
    }
    await this.#vrfRoutes.follow(new Map(await this.#spacesOf(plan, kernelVrfs(plan.config))));
    this.#neighbours.require(plan);
    this.#lsps = plan.model.lsps;
    this.#corePaths(core);
  }

  async followTunnels(tunnels: ReadonlyMap<string, TunnelModel>): Promise<void> {
    this.#learntLsps.follow([...tunnels.values()].map(({ remote }) => remote));
    await this.#core?.paths.follow(tunnels, [...this.#lsps, ...this.#learntLsps.all]);
  }

  restoreLearntLsps(): void {
    this.#learntLsps.restore();
  }

  setLearntLsps(lsps: readonly LspModel[]): void {
    this.#learntLsps.set(lsps);
    this.#core?.paths.setLsps([...this.#lsps, ...lsps]);
  }

  async #spacesOf(plan: Plan, vrfs: readonly string[]): Promise<[string, KernelSpace][]> {
    const open = vrfs.map(async (vrf): Promise<[string, KernelSpace]> => [
      vrf,
      await this.#space(vrfNetns(plan.config, vrf)),
    ]);
    return Promise.all(open);
  }

  followGateways(gateways: readonly GatewayModel[]): void {
    this.#neighbours.follow(gateways);
  }

  #corePaths(space: KernelSpace): CorePaths {
    if (this.#core?.space === space) return this.#core.paths;
    this.#core?.paths.close();
    const routes = new CoreRoutes(space.monitor, {
      onError: (error) => {
        this.#deps.events.onFault(`core routes: ${String(error)}`);
      },
    });
    const paths = new CorePaths(routes, space.neighbours, this.#deps.events.onChange);
    this.#core = { space, paths };
    this.#coreHops.attach(routes);
    return paths;
  }

  async retire(plan: Plan): Promise<void> {
    this.#devices.removeExcept(plan);
    const needed = new Set([
      ...Object.keys(plan.config.vrfs ?? {}).map((vrf) => vrfNetns(plan.config, vrf)),
      ...interfacesOf(plan).map(({ netns }) => netns ?? ''),
      ...['', plan.config.core.netns ?? ''],
    ]);
    await this.#deaf.undoExcept(interfacesOf(plan));
    await this.#removeSpaces((name) => !needed.has(name));
  }

  async #removeSpaces(unwanted: (name: string) => boolean): Promise<void> {
    for (const [name, space] of [...this.#spaces]) {
      if (!unwanted(name)) continue;
      space.close();
      this.#spaces.delete(name);
    }
    for (const name of this.#registry.owned()) {
      if (unwanted(name)) await this.#registry.remove(name);
    }
  }

  async removeAll(): Promise<void> {
    this.#devices.removeAll();
    await this.#deaf.undoExcept([]);
    for (const address of this.#loopback.splice(0)) {
      if (this.#core !== undefined) await removeOwnAddress(this.#core.space.monitor, address);
    }
    this.#vrfRoutes.close();
    this.#coreHops.attach(undefined);
    this.#core?.paths.close();
    this.#core = undefined;
    await this.#removeSpaces(() => true);
    this.#learntLsps.forget();
    this.#plan = undefined;
  }

  close(): void {
    this.#vrfRoutes.close();
    this.#core?.paths.close();
    this.#devices.close();
    for (const space of this.#spaces.values()) space.close();
    this.#spaces.clear();
  }

  workerQueue(interfaceRow: string): number {
    return this.#devices.workerQueue(interfaceRow);
  }

  portNamespace(device: Device): number | undefined {
    // Opened by deafen(), which comes before any port is made.
    // All kernel interfaces of a group are in one namespace.
    const kernel = singleDevices(device).find((one) => 'kernel' in one);
    return kernel && this.#spaces.get(kernel.netns ?? '')?.context.netns;
  }
  vrfNamespace(vrf: string): string {
    return this.#plan === undefined ? '' : vrfNetns(this.#plan.config, vrf);
  }

  neighbours(): readonly Neighbour[] {
    const found: Neighbour[] = [];
    for (const space of this.#spaces.values()) {
      for (const { interface: name, address, mac } of space.neighbours.entries()) {
        if (mac === undefined || this.#spaceOf(name) !== space) continue;
        found.push({ interface: name, address, mac });
      }
    }
    return found;
  }

  coreRoutes(): ReadonlyMap<string, CoreRoute> {
    return this.#core?.paths.current() ?? new Map<string, CoreRoute>();
  }

  neighbourMac(interfaceName: string, address: Uint8Array): Uint8Array | undefined {
    return this.#watcherOf(interfaceName)?.lookup(interfaceName, address)?.mac;
  }

  coreRoute(tunnel: string): CoreRoute | undefined {
    return this.#core?.paths.routeOf(tunnel);
  }

  kernelRoutes(): ReadonlyMap<string, readonly KernelRoute[]> {
    return this.#vrfRoutes.current();
  }

  watchCore(address: Uint8Array, onChange: (way: CoreWay) => void): () => void {
    return this.#coreHops.watch(address, onChange);
  }

  probe(interfaceName: string, address: Uint8Array): void {
    this.#neighbours.probe(interfaceName, address);
  }
}

function interfacesOf(plan: Plan): KernelInterface[] {
  return kernelInterfaces([...plan.model.ports.values()].map(({ device }) => device));
}
