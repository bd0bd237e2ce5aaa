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
import { type TablesOfSps, unionOf } from './accept.js';
import { ownRoutes, type OwnRoute } from './bgp/local-routes.js';
import { signalledBy } from './bgp/signalled.js';
import { acceptOfClasses, NO_EXPORT_STATES, type ExportStates } from './export-changes.js';
import { vrfExports, type VrfExport } from './export-rules.js';
import type { SpTables } from './sp-tables.js';

/** What a label accepts that the rule is told with, or was until lately, and of which prefixes. */
interface Part {
  /** undefined: every prefix of the VRF. */
  readonly prefixes: readonly Prefix[] | undefined;
  readonly accept: AcceptSet;
}

interface Rule {
  readonly name: string;
  readonly told: Part;
  readonly leaving: readonly Part[];
  /** Whether an own route passes the rule's policy; undefined: it has none. */
  readonly passes: ((route: OwnRoute) => boolean) | undefined;
}

/** The rules of one VRF; unions are computed once per combination of matching rules. */
class VrfRules {
  readonly #rules: readonly Rule[];
  readonly #own: readonly OwnRoute[];
  readonly #unions = new Map<string, AcceptSet>();
  readonly #numbers = new Map<Part, number>();

  constructor(rules: readonly Rule[], own: readonly OwnRoute[]) {
    this.#rules = rules;
    this.#own = own;
  }

  /** A rule matches prefixes inside its own: it does not let in what only a shorter route covers. */
  acceptOf(prefix: Prefix, bgpRules: (() => ReadonlySet<string>) | undefined): AcceptSet {
    const matching = this.#rules.flatMap(({ name, told, leaving, passes }) => {
      const parts = [told, ...leaving].filter((part) => isInside(part, prefix));
      if (parts.length === 0 || passes === undefined) return parts;
      if (bgpRules !== undefined) return bgpRules().has(name) ? parts : [];
      const own = this.#ownRoute(prefix);
      return own !== undefined && passes(own) ? parts : [];
    });
    const key = matching.map((part) => this.#numberOf(part)).join(' ');
    let union = this.#unions.get(key);
    if (union === undefined) {
      union = unionOf(matching.map(({ accept }) => accept));
      this.#unions.set(key, union);
    }
    return union;
  }

  #numberOf(part: Part): number {
    const known = this.#numbers.get(part) ?? this.#numbers.size;
    this.#numbers.set(part, known);
    return known;
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

const isInside = ({ prefixes }: Part, inner: Prefix): boolean =>
  prefixes?.some((outer) => covers(outer, inner)) ?? true;

interface Asked {
  readonly policies: PolicyCompiler;
  readonly ipsec: IpsecCommunityFormat;
  readonly asn: number;
  readonly ownSp: number | undefined;
  readonly tunnelAddresses: readonly Uint8Array[];
  readonly sps: TablesOfSps;
}

/** The question is the route as the rule would export it, before its policy. */
function passesOf(rule: VrfExport, asked: Asked): Rule['passes'] {
  const { bgp } = rule;
  if (bgp?.policy === undefined) return undefined;
  const { policies, ipsec, asn, ownSp, tunnelAddresses, sps } = asked;
  const policy = policies.compile(bgp.policy, asn);
  const targets = bgp.targets.flatMap((text) => parseRouteTarget(text) ?? []);
  const meaning = signalledBy(rule, sps, ownSp);
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

/** What is told while rules change, and which SPs there are. */
interface Telling {
  readonly sps: TablesOfSps;
  readonly states: ExportStates;
}

/** Where no rule changes, nothing depends on tables. */
const tablesOfNone = ({ ownSp }: Config): TablesOfSps => ({ own: ownSp, table: () => undefined });

/** Of each VRF the rules with a policy, by name, and whether that lets an own route pass. */
export function exportPolicies(
  config: Config,
  { tunnelAddresses }: ForwardingModel,
  { sps, states }: Telling = { sps: tablesOfNone(config), states: NO_EXPORT_STATES },
): ReadonlyMap<string, ReadonlyMap<string, Passes>> {
  const { bgp } = config;
  const ipsec = ipsecCommunityFormat(bgp?.ipsecCommunitySubType);
  const policies = new PolicyCompiler(bgp ?? {}, ipsec);
  const ownSp = spNumbers(config).own;
  const asked: Asked = { policies, ipsec, asn: bgp?.asn ?? 0, ownSp, tunnelAddresses, sps };
  const vrfs = new Map<string, ReadonlyMap<string, Passes>>();
  for (const name of Object.keys(config.vrfs ?? {})) {
    const rules = vrfExports(config, name, states[name]).flatMap((rule): [string, Passes][] => {
      const passes = passesOf(rule, asked);
      return passes === undefined ? [] : [[rule.name, passes]];
    });
    vrfs.set(name, new Map(rules));
  }
  return vrfs;
}

const parsed = (prefixes: readonly string[] | undefined): readonly Prefix[] | undefined =>
  prefixes
    ?.map(parsePrefix)
    .filter((prefix): prefix is Prefix => prefix !== undefined)
    .map(networkOf);

/** `labels`: of the label plan that goes with this configuration, as `model` and `states` do. */
export function vpnPolicy(
  config: Config,
  sps: SpTables,
  labels: readonly PlannedLabel[],
  model: ForwardingModel,
  states: ExportStates = NO_EXPORT_STATES,
): VpnPolicy {
  const exporters = exportPolicies(config, model, { sps, states });
  const { bgp } = config;
  const policies = new PolicyCompiler(bgp ?? {}, ipsecCommunityFormat(bgp?.ipsecCommunitySubType));
  const names = Object.keys(config.vrfs ?? {});
  const numberOf = (name: string): number => names.indexOf(name) + 1;
  const own = [...ownRoutes(config, model, numberOf, policies).values()];
  const vrfs = new Map<string, VrfRules>();
  for (const name of Object.keys(config.vrfs ?? {})) {
    const rules = vrfExports(config, name, states[name]).map((rule): Rule => ({
      name: rule.name,
      told: { prefixes: parsed(rule.prefixes), accept: acceptOfClasses(rule.classes, sps) },
      leaving: rule.leaving.map(({ prefixes, classes }) => ({
        ...{ prefixes: parsed(prefixes), accept: acceptOfClasses(classes, sps) },
      })),
      passes: exporters.get(name)?.get(rule.name),
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
