// SPDX-License-Identifier: Apache-2.0
/**
 * Routes that other daemons have put into a VRF's kernel table, as far as `redistribute.kernel` takes them.
 * What is told to others is forwarded by: a route is taken with the CE that it leads to, or not at all.
 */
import { ipsecCommunityFormat } from '../../bgp/codec/communities/ipsec.js';
import type { PathAttributes } from '../../bgp/codec/types.js';
import { PolicyCompiler } from '../../bgp/policy/compile.js';
import type { Policy } from '../../bgp/types.js';
import type { Config } from '../../config/types.js';
import type { ForwardingModel, GatewayModel } from '../../forwarding/model.js';
import { adjacency } from '../../forwarding/names.js';
import { prefixKey } from '../../forwarding/rows.js';
import { bitsOf, covers, equalBytes, hostPrefix, isLinkLocal, type Prefix } from '../../lib/ip.js';
import { exportPolicies } from '../policy.js';
import { localRoute, ownAttributes } from './local-routes.js';

/** A route of the kernel's, by a gateway on a device of the VRF's namespace. */
export interface KernelRoute {
  readonly prefix: Prefix;
  readonly interface: string;
  readonly gateway: Uint8Array;
}

export interface TakenRoute {
  readonly vrf: string;
  readonly prefix: Prefix;
  readonly gateway: GatewayModel;
  /** After the policy. */
  readonly attributes: PathAttributes;
  /** Names of the export rules whose policy lets it pass. */
  readonly exportedBy: ReadonlySet<string>;
}

/** By VRF and prefix. The same object while nothing about it changes. */
export type TakenRoutes = ReadonlyMap<string, TakenRoute>;
export const NO_KERNEL_ROUTES: TakenRoutes = new Map();

/** VRFs whose kernel tables count. */
export const kernelVrfs = ({ vrfs = {} }: Config): string[] =>
  Object.entries(vrfs).flatMap(([name, { bgp }]) =>
    (bgp?.redistribute?.kernel ?? false) === false ? [] : [name],
  );

/** What one configuration takes. */
export class KernelRedistribution {
  readonly #model: ForwardingModel;
  /** By VRF; undefined: everything. */
  readonly #policies = new Map<string, Policy | undefined>();
  readonly #exports: ReturnType<typeof exportPolicies>;
  #taken: TakenRoutes = NO_KERNEL_ROUTES;

  constructor(config: Config, model: ForwardingModel) {
    this.#model = model;
    this.#exports = exportPolicies(config, model);
    const { bgp } = config;
    if (bgp === undefined) return;
    const compiler = new PolicyCompiler(bgp, ipsecCommunityFormat(bgp.ipsecCommunitySubType));
    for (const vrf of kernelVrfs(config)) {
      const how = config.vrfs?.[vrf]?.bgp?.redistribute?.kernel;
      const policy = typeof how === 'object' ? how.policy : undefined;
      this.#policies.set(vrf, policy === undefined ? undefined : compiler.compile(policy, bgp.asn));
    }
  }

  take(routes: ReadonlyMap<string, readonly KernelRoute[]>): TakenRoutes {
    const taken = new Map<string, TakenRoute>();
    for (const vrf of this.#policies.keys()) {
      for (const route of routes.get(vrf) ?? []) {
        const key = `${vrf} ${prefixKey(route.prefix)}`;
        const known = this.#taken.get(key);
        const now = known && isSame(known, route) ? known : this.#take(vrf, route);
        if (now !== undefined) taken.set(key, now);
      }
    }
    this.#taken = taken;
    return taken;
  }

  #take(
    vrf: string,
    { prefix, interface: name, gateway: address }: KernelRoute,
  ): TakenRoute | undefined {
    if (!this.#isNeighbour(vrf, name, address)) return undefined;
    const attributes = ownAttributes(prefix, 'kernel', this.#policies.get(vrf));
    if (attributes === undefined) return undefined;
    const own = { route: localRoute(0, prefix, 'kernel'), attributes };
    const exportedBy = new Set<string>();
    for (const [rule, passes] of this.#exports.get(vrf) ?? []) {
      if (passes(own)) exportedBy.add(rule);
    }
    return { vrf, prefix, gateway: { vrf, interface: name, address }, attributes, exportedBy };
  }

  /** Whether a gateway is on the link of an interface of the VRF, and not ourselves. */
  #isNeighbour(vrf: string, name: string, address: Uint8Array): boolean {
    const out = this.#model.interfaces.get(name);
    const host = hostPrefix(address);
    if (out?.role !== 'ce' || out.vrf !== vrf || host === undefined) return false;
    if (out.addresses.some((own) => equalBytes(own.address, address))) return false;
    const subnets = out.addresses.filter((own) => own.length < bitsOf(own.family));
    return isLinkLocal(address) || subnets.some((own) => covers(own, host));
  }
}

function isSame({ gateway }: TakenRoute, route: KernelRoute): boolean {
  const { vrf } = gateway;
  const now = { vrf, interface: route.interface, address: route.gateway };
  return adjacency(gateway) === adjacency(now);
}
