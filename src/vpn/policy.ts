// SPDX-License-Identifier: Apache-2.0
/**
 * The export rules of all VRFs as projection asks for them: which arrivals may use a route (policy-model 2).
 *
 * A rule of BGP may have a policy that refuses routes inside its prefixes. What it refuses, packets that
 * come by its class must not reach: of routes of BGP the RIB knows who exports them, of the VRF's own ones
 * the policy is asked here. A host on a connected subnet is reached as the subnet is.
 */
import { ipsecCommunityFormat, type IpsecCommunityFormat } from '../bgp/codec/communities/ipsec.js';
import { FAMILY } from '../bgp/codec/types.js';
import { PolicyCompiler } from '../bgp/policy/compile.js';
import { spNumbers } from '../config/sp-numbers.js';
import type { Config } from '../config/types.js';
import type { AcceptSet } from '../forwarding/addon/api.js';
import type { ForwardingModel } from '../forwarding/model.js';
import { ACCEPT_NOTHING, type PlannedLabel, type VpnPolicy } from '../forwarding/rows.js';
import { covers, networkOf, parseAddress, parsePrefix, type Prefix } from '../lib/ip.js';
import { parseRd, parseRouteTarget } from '../lib/bgp-words.js';
import { acceptSetOf, unionOf } from './accept.js';
import { ownRoutes, type OwnRoute } from './bgp/local-routes.js';
import { signalledBy } from './bgp/vrfs.js';
import { vrfExports, type VrfExport } from './export-rules.js';
import type { SpTables } from './sp-tables.js';

interface Rule {
  readonly name: string;
  /** undefined: every prefix of the VRF. */
  readonly prefixes: readonly Prefix[] | undefined;
  readonly accept: AcceptSet;
  /** Whether an own route passes the rule's policy; undefined: it has none. */
  readonly passes: ((route: OwnRoute) => boolean) | undefined;
}

/** The rules of one VRF; unions are computed once per combination of matching rules. */
class VrfRules {
  readonly #rules: readonly Rule[];
  readonly #own: readonly OwnRoute[];
  readonly #unions = new Map<string, AcceptSet>();

  constructor(rules: readonly Rule[], own: readonly OwnRoute[]) {
    this.#rules = rules;
    this.#own = own;
  }

  /** A rule matches prefixes inside its own: it does not let in what only a shorter route covers. */
  acceptOf(prefix: Prefix, bgpRules: (() => ReadonlySet<string>) | undefined): AcceptSet {
    const matching = this.#rules.filter(({ name, prefixes, passes }) => {
      const inside = prefixes?.some((outer) => covers(outer, prefix)) ?? true;
      if (!inside || passes === undefined) return inside;
      if (bgpRules !== undefined) return bgpRules().has(name);
      const own = this.#ownRoute(prefix);
      return own !== undefined && passes(own);
    });
    const key = matching.map((rule) => this.#rules.indexOf(rule)).join(' ');
    let union = this.#unions.get(key);
    if (union === undefined) {
      union = unionOf(matching.map(({ accept }) => accept));
      this.#unions.set(key, union);
    }
    return union;
  }

  /** The route told by BGP that leads to an own prefix. */
  #ownRoute(prefix: Prefix): OwnRoute | undefined {
    let found: OwnRoute | undefined;
    for (const own of this.#own) {
      const outer: Prefix = {
        family: own.route.prefix.length === 4 ? 4 : 6,
        ...{ address: own.route.prefix, length: own.route.length },
      };
      if (covers(outer, prefix) && outer.length > (found?.route.length ?? -1)) found = own;
    }
    return found;
  }
}

interface Asked {
  readonly policies: PolicyCompiler;
  readonly ipsec: IpsecCommunityFormat;
  readonly asn: number;
  readonly ownSp: number | undefined;
  readonly tunnelAddresses: readonly Uint8Array[];
}

/** The question is the route as the rule would export it, before its policy. */
function passesOf({ bgp, class: exported }: VrfExport, asked: Asked): Rule['passes'] {
  if (bgp?.policy === undefined) return undefined;
  const { policies, ipsec, asn, ownSp, tunnelAddresses } = asked;
  const policy = policies.compile(bgp.policy, asn);
  const targets = bgp.targets.flatMap((text) => parseRouteTarget(text) ?? []);
  const meaning = signalledBy(exported, ownSp);
  const added = meaning === undefined ? targets : [...targets, ipsec.write(meaning)];
  const nextHop = bgp.nextHop === undefined ? tunnelAddresses[0] : parseAddress(bgp.nextHop);
  return ({ route, attributes }) => {
    const extendedCommunities = [...(attributes.extendedCommunities ?? []), ...added];
    const passed = policy.apply({
      family: route.prefix.length === 4 ? FAMILY.vpnv4 : FAMILY.vpnv6,
      ...{ prefix: route.prefix, length: route.length, rd: parseRd(bgp.rd), from: undefined },
      attributes: { ...attributes, extendedCommunities, ...(nextHop && { nextHop }) },
    });
    return passed !== undefined;
  };
}

type Passes = NonNullable<Rule['passes']>;

/** Of each VRF the rules with a policy, by name, and whether that lets an own route pass. */
export function exportPolicies(
  config: Config,
  { tunnelAddresses }: ForwardingModel,
): ReadonlyMap<string, ReadonlyMap<string, Passes>> {
  const { bgp } = config;
  const ipsec = ipsecCommunityFormat(bgp?.ipsecCommunitySubType);
  const policies = new PolicyCompiler(bgp ?? {}, ipsec);
  const ownSp = spNumbers(config).own;
  const asked: Asked = { policies, ipsec, asn: bgp?.asn ?? 0, ownSp, tunnelAddresses };
  const vrfs = new Map<string, ReadonlyMap<string, Passes>>();
  for (const [name, vrf] of Object.entries(config.vrfs ?? {})) {
    const rules = vrfExports(vrf).flatMap((rule): [string, Passes][] => {
      const passes = passesOf(rule, asked);
      return passes === undefined ? [] : [[rule.name, passes]];
    });
    vrfs.set(name, new Map(rules));
  }
  return vrfs;
}

/** `labels`: of the label plan that goes with this configuration, as `model` does. */
export function vpnPolicy(
  config: Config,
  sps: SpTables,
  labels: readonly PlannedLabel[],
  model: ForwardingModel,
): VpnPolicy {
  const exporters = exportPolicies(config, model);
  const { bgp } = config;
  const policies = new PolicyCompiler(bgp ?? {}, ipsecCommunityFormat(bgp?.ipsecCommunitySubType));
  const names = Object.keys(config.vrfs ?? {});
  const numberOf = (name: string): number => names.indexOf(name) + 1;
  const own = [...ownRoutes(config, model, numberOf, policies).values()];
  const vrfs = new Map<string, VrfRules>();
  for (const [name, vrf] of Object.entries(config.vrfs ?? {})) {
    const rules = vrfExports(vrf).map((rule) => ({
      ...{ name: rule.name, accept: acceptSetOf(rule.class, sps) },
      passes: exporters.get(name)?.get(rule.name),
      prefixes: rule.prefixes
        ?.map(parsePrefix)
        .filter((prefix): prefix is Prefix => prefix !== undefined)
        .map(networkOf),
    }));
    vrfs.set(
      name,
      new VrfRules(
        rules,
        own.filter(({ route }) => route.vrf === numberOf(name)),
      ),
    );
  }
  return {
    labels,
    acceptOf: (vrf, prefix, bgpRules) =>
      vrfs.get(vrf)?.acceptOf(prefix, bgpRules) ?? ACCEPT_NOTHING,
  };
}
