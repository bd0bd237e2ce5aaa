// SPDX-License-Identifier: Apache-2.0
/** What VRFs have by themselves, told to the RIB and kept so, and the CEs that routes of VRFs lead to. */
import { NO_KERNEL_ROUTES, type TakenRoute, type TakenRoutes } from './kernel-routes.js';
import { localRoute, ownRoutes, type OwnRoute } from './local-routes.js';
import { unmapped } from '../../bgp/rib/attribute-codec.js';
import type { ExportQuestion } from '../../bgp/rib/api.js';
import type { Rib } from '../../bgp/rib/rib.js';
import type { PolicyCompiler } from '../../bgp/policy/compile.js';
import type { Config } from '../../config/types.js';
import { gatewayOf, type ForwardingModel, type GatewayModel } from '../../forwarding/model.js';
import { adjacency } from '../../forwarding/names.js';
import { prefixKey } from '../../forwarding/rows.js';
import { networkOf } from '../../lib/ip.js';

export type OwnRib = Pick<Rib, 'originate' | 'retract' | 'exportAgain'>;

export interface OwnContext {
  readonly config: Config;
  readonly model: ForwardingModel;
  readonly vrfRow: (name: string) => number | undefined;
  /** Routes of the kernel's tables as they are now. */
  readonly kernelRoutes: () => TakenRoutes;
}

export class OwnRoutes {
  #told = new Map<string, OwnRoute>();
  /** CEs by VRF, then by {@link prefixKey}; undefined: the VRF's own. */
  #towards = new Map<string, Map<string, GatewayModel | undefined>>();
  #kernel: TakenRoutes = NO_KERNEL_ROUTES;
  /** By name of their adjacency. */
  #gateways: ReadonlyMap<string, GatewayModel> = new Map();
  #model: ForwardingModel | undefined;

  /** Nothing is told any more: the RIB is another one. */
  clear(): void {
    this.#told.clear();
    this.#kernel = NO_KERNEL_ROUTES;
    this.#gateways = new Map();
  }

  /** As {@link updateKernel}, for everything. */
  update(rib: OwnRib, context: OwnContext, policies: PolicyCompiler): boolean {
    const { config, model, vrfRow } = context;
    this.#model = model;
    this.#towards = new Map([...model.vrfs.keys()].map((vrf) => [vrf, towards(model, vrf)]));
    const wanted = ownRoutes(config, model, vrfRow, policies);
    for (const [key, { route }] of this.#told) if (!wanted.has(key)) rib.retract(route);
    for (const { route, attributes } of wanted.values()) rib.originate(route, attributes);
    this.#told = wanted;
    return this.updateKernel(rib, context);
  }

  /** CEs that routes of the kernel's tables lead to. */
  gateways(): GatewayModel[] {
    return [...this.#gateways.values()];
  }

  /** Tells what has changed in the kernel's tables. True: {@link gateways} are others now. */
  updateKernel(rib: OwnRib, { vrfRow, kernelRoutes }: OwnContext): boolean {
    const before = this.#kernel;
    const now = kernelRoutes();
    this.#kernel = now;
    for (const [key, { vrf, prefix }] of before) {
      const id = now.has(key) ? undefined : vrfRow(vrf);
      if (id !== undefined) rib.retract(localRoute(id, prefix, 'kernel'));
    }
    for (const [key, route] of now) {
      const known = before.get(key);
      if (known !== route) this.#tellKernel(rib, vrfRow(route.vrf), route, known);
    }
    const gateways = new Map([...now.values()].map(({ gateway }) => [adjacency(gateway), gateway]));
    const same = gateways.size === this.#gateways.size;
    const changed = !same || [...gateways.keys()].some((key) => !this.#gateways.has(key));
    this.#gateways = gateways;
    return changed;
  }

  #tellKernel(
    rib: OwnRib,
    id: number | undefined,
    { prefix, gateway, attributes }: TakenRoute,
    known: TakenRoute | undefined,
  ): void {
    if (id === undefined) return;
    const route = localRoute(id, prefix, 'kernel');
    rib.originate(route, attributes);
    if (known === undefined || adjacency(known.gateway) === adjacency(gateway)) return;
    // To BGP it is the route it was, but a label may lead to the CE.
    rib.exportAgain(id, route.family, route.prefix, route.length);
  }

  /** The CE that a route leads to; undefined: the VRF itself; 'unreachable': on no interface of it. */
  gateway(vrf: string, route: ExportQuestion): GatewayModel | 'unreachable' | undefined {
    if (route.from === undefined) {
      const key = prefixKey({ address: route.prefix, length: route.length });
      const own = this.#towards.get(vrf);
      return own?.has(key) === true ? own.get(key) : this.#kernel.get(`${vrf} ${key}`)?.gateway;
    }
    const address = unmapped(route.attributes.nextHop ?? new Uint8Array(0));
    const out = gatewayOf(this.#model?.vrfs.get(vrf)?.interfaces ?? [], address, undefined);
    return out === undefined ? 'unreachable' : { vrf, interface: out.name, address };
  }
}

/** As forwarding prefers them: own addresses and connected subnets, then static routes, before the kernel's. */
function towards(model: ForwardingModel, name: string): Map<string, GatewayModel | undefined> {
  const found = new Map<string, GatewayModel | undefined>();
  const vrf = model.vrfs.get(name);
  for (const route of vrf?.routes ?? []) {
    if ('gateway' in route) found.set(prefixKey(networkOf(route.prefix)), route.gateway);
  }
  for (const own of vrf?.interfaces ?? []) {
    for (const address of own.addresses) found.set(prefixKey(networkOf(address)), undefined);
  }
  return found;
}
