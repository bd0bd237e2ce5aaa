// SPDX-License-Identifier: Apache-2.0
/** What VRFs have by themselves, told to the RIB and kept so, and the CEs that routes of VRFs lead to. */
import { ownRoutes, type OwnRoute } from './local-routes.js';
import { unmapped } from '../../bgp/rib/attribute-codec.js';
import type { ExportQuestion } from '../../bgp/rib/api.js';
import type { Rib } from '../../bgp/rib/rib.js';
import type { PolicyCompiler } from '../../bgp/policy/compile.js';
import type { Config } from '../../config/types.js';
import { gatewayOf, type ForwardingModel, type GatewayModel } from '../../forwarding/model.js';
import { prefixKey } from '../../forwarding/rows.js';
import { networkOf } from '../../lib/ip.js';

export interface OwnContext {
  readonly config: Config;
  readonly model: ForwardingModel;
  readonly vrfRow: (name: string) => number | undefined;
}

export class OwnRoutes {
  #told = new Map<string, OwnRoute>();
  /** CEs by VRF, then by {@link prefixKey}; undefined: the VRF's own. */
  #towards = new Map<string, Map<string, GatewayModel | undefined>>();
  #model: ForwardingModel | undefined;

  /** Nothing is told any more: the RIB is another one. */
  clear(): void {
    this.#told.clear();
  }

  update(rib: Rib, context: OwnContext, policies: PolicyCompiler): void {
    const { config, model, vrfRow } = context;
    this.#model = model;
    this.#towards = new Map([...model.vrfs.keys()].map((vrf) => [vrf, towards(model, vrf)]));
    const wanted = ownRoutes(config, model, vrfRow, policies);
    for (const [key, { route }] of this.#told) if (!wanted.has(key)) rib.retract(route);
    for (const { route, attributes } of wanted.values()) rib.originate(route, attributes);
    this.#told = wanted;
  }

  /** The CE that a route leads to; undefined: the VRF itself; 'unreachable': on no interface of it. */
  gateway(vrf: string, route: ExportQuestion): GatewayModel | 'unreachable' | undefined {
    if (route.from === undefined) {
      const key = prefixKey({ address: route.prefix, length: route.length });
      return this.#towards.get(vrf)?.get(key);
    }
    const address = unmapped(route.attributes.nextHop ?? new Uint8Array(0));
    const out = gatewayOf(this.#model?.vrfs.get(vrf)?.interfaces ?? [], address, undefined);
    return out === undefined ? 'unreachable' : { vrf, interface: out.name, address };
  }
}

/** As forwarding prefers them: own addresses and connected subnets, then static routes. */
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
