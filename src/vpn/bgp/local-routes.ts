// SPDX-License-Identifier: Apache-2.0
/**
 * Routes that VRFs have by themselves, for BGP: connected subnets and own addresses, static routes towards
 * CEs, network statements, and how those of the kernel's tables are told (kernel-routes.ts). What a tunnel leads to is never told on (policy-model 2: no PE relays).
 */
import type { PolicyCompiler } from '../../bgp/policy/compile.js';
import type { LocalRoute } from '../../bgp/rib/local-routes.js';
import { FAMILY, type PathAttributes } from '../../bgp/codec/types.js';
import type { Policy } from '../../bgp/types.js';
import type { BgpNetwork, BgpRedistribution, Config } from '../../config/types.js';
import type { ForwardingModel, VrfModel } from '../../forwarding/model.js';
import { bitsOf, formatPrefix, networkOf, parsePrefix, type Prefix } from '../../lib/ip.js';

export interface OwnRoute {
  readonly route: LocalRoute;
  readonly attributes: PathAttributes;
}

/** Tells routes to one prefix apart; the lower is preferred where nothing else differs. */
const SOURCE = { network: 1, connected: 2, static: 3, kernel: 4 } as const;
type Source = keyof typeof SOURCE;
const IGP = 0;
const INCOMPLETE = 2;

function connected(vrf: VrfModel): Prefix[] {
  const subnets = vrf.interfaces.flatMap((own) => own.addresses.map(networkOf));
  return [...subnets, ...vrf.addresses.map((own) => ({ ...own, length: bitsOf(own.family) }))];
}

const statics = (vrf: VrfModel): Prefix[] =>
  vrf.routes.filter((route) => !('tunnel' in route)).map(({ prefix }) => networkOf(prefix));

/** The core's number in the RIB. */
const CORE = 0;

/** Own routes of the core and all VRFs, by a key that says which. `vrfId`: the VRF's number in the RIB. */
export function ownRoutes(
  config: Config,
  model: ForwardingModel,
  vrfId: (name: string) => number | undefined,
  policies: PolicyCompiler,
): Map<string, OwnRoute> {
  const all = new Map<string, OwnRoute>();
  const policyOf = (name: string | undefined): Policy | undefined =>
    name === undefined ? undefined : policies.compile(name, config.bgp?.asn ?? 0);
  const adder =
    (id: number) =>
    (prefixes: readonly Prefix[], source: Source, policy: string | undefined): void => {
      for (const prefix of prefixes) {
        const own = ownRoute(id, prefix, source, policyOf(policy));
        if (own !== undefined) all.set(`${id} ${source} ${formatPrefix(prefix)}`, own);
      }
    };
  for (const { prefix, policy } of config.bgp?.networks ?? []) {
    adder(CORE)(parsed(prefix), 'network', policy);
  }
  for (const [name, { bgp }] of Object.entries(config.vrfs ?? {})) {
    const vrf = model.vrfs.get(name);
    const id = vrfId(name);
    if (bgp === undefined || vrf === undefined || id === undefined) continue;
    const add = adder(id);
    const redistributed = (
      what: BgpRedistribution | undefined,
      source: 'connected' | 'static',
      prefixes: readonly Prefix[],
    ): void => {
      if (what === undefined || what === false) return;
      add(prefixes, source, what === true ? undefined : what.policy);
    };
    redistributed(bgp.redistribute?.connected, 'connected', connected(vrf));
    redistributed(bgp.redistribute?.static, 'static', statics(vrf));
    for (const { prefix, policy } of bgp.networks ?? []) add(parsed(prefix), 'network', policy);
  }
  return all;
}

function parsed(text: BgpNetwork['prefix']): Prefix[] {
  const prefix = parsePrefix(text);
  return prefix === undefined ? [] : [networkOf(prefix)];
}

function ownRoute(
  vrf: number,
  prefix: Prefix,
  source: Source,
  policy: Policy | undefined,
): OwnRoute | undefined {
  const attributes = ownAttributes(prefix, source, policy);
  return attributes && { route: localRoute(vrf, prefix, source), attributes };
}

const familyOf = ({ family }: Prefix) => (family === 4 ? FAMILY.ipv4Unicast : FAMILY.ipv6Unicast);

/** `vrf`: its number in the RIB. */
export const localRoute = (vrf: number, prefix: Prefix, source: Source): LocalRoute => ({
  ...{ vrf, family: familyOf(prefix), prefix: prefix.address, length: prefix.length },
  source: SOURCE[source],
});

/** What is told of a route of our own; undefined: the policy refuses it. */
export function ownAttributes(
  prefix: Prefix,
  source: Source,
  policy: Policy | undefined,
): PathAttributes | undefined {
  const plain: PathAttributes = { origin: source === 'network' ? IGP : INCOMPLETE, asPath: [] };
  if (policy === undefined) return plain;
  const { address, length } = prefix;
  const route = { family: familyOf(prefix), prefix: address, length, rd: undefined };
  return policy.apply({ ...route, attributes: plain, from: undefined });
}
