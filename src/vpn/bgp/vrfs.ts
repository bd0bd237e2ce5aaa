// SPDX-License-Identifier: Apache-2.0
/** VRFs of the configuration, as the RIB wants them: whose routes come in, and what goes out and how. */
import type { IpsecCommunityFormat } from '../../bgp/codec/communities/ipsec.js';
import { exportScope } from '../../bgp/codec/communities/export-scope.js';
import type { PolicyCompiler } from '../../bgp/policy/compile.js';
import type { ExportQuestion, ExportRuleRib, ImportQuestion, VrfRib } from '../../bgp/rib/api.js';
import type { Policy } from '../../bgp/types.js';
import { importRulesOf } from '../../config/bgp/resolve.js';
import { type SpNumbers, spNumbers } from '../../config/sp-numbers.js';
import type { Config } from '../../config/types.js';
import type { AcceptSet } from '../../forwarding/addon/api.js';
import type { GatewayModel } from '../../forwarding/model.js';
import type { PlannedLabel } from '../../forwarding/rows.js';
import { parseRd, parseRouteTarget } from '../../lib/bgp-words.js';
import {
  covers,
  formatAddress,
  formatPrefix,
  networkOf,
  parseAddress,
  parsePrefix,
  type Prefix,
} from '../../lib/ip.js';
import { acceptsAll, unionOf } from '../accept.js';
import { acceptOfClasses, type ExportStates } from '../export-changes.js';
import { vrfExports, type VrfExport } from '../export-rules.js';
import { classesText } from '../label-plan.js';
import { toldLabel } from '../label-wish.js';
import { labelClass, type RouteLabels } from '../route-labels.js';
import type { SpTables } from '../sp-tables.js';
import { narrowed } from './encapsulation.js';
import type { ImportTerms, Ingress } from './ingress.js';
import { signalledBy, toldSps } from './signalled.js';

export interface VrfContext {
  readonly config: Config;
  readonly sps: SpTables;
  /** How export rules pass from one class to another; absent: none does. */
  readonly states?: ExportStates;
  readonly labels: readonly PlannedLabel[];
  readonly routeLabels: Pick<RouteLabels, 'ask'>;
  /** The CE that a route of a VRF leads to; undefined: the VRF itself; 'unreachable': on no interface. */
  readonly gateway: (
    vrf: string,
    route: ExportQuestion,
  ) => GatewayModel | 'unreachable' | undefined;
  readonly policies: PolicyCompiler;
  readonly ipsec: IpsecCommunityFormat;
  readonly ingress: Ingress;
  /** Where our tunnels end: next hop of what we export, unless the rule says another. */
  readonly nextHop: Uint8Array;
}

const targetsOf = (texts: readonly string[]): bigint[] =>
  texts.map(parseRouteTarget).filter((target): target is bigint => target !== undefined);

/** Says to which SPs a route is exported (policy-model 6); those without a number are told by us alone. */
function scopesOf(toSps: readonly string[], numbers: SpNumbers): bigint[] {
  return toSps.flatMap((sp) => {
    const number = numbers.of(sp);
    return number === undefined ? [] : [exportScope(number)];
  });
}

export interface Import {
  readonly targets: ReadonlySet<bigint>;
  readonly rule: ReturnType<typeof importRulesOf>[number];
}

/** The first rule with a target of the route. */
export const ruleFor = (
  imports: readonly Import[],
  communities: readonly bigint[],
): Import | undefined =>
  imports.find(({ targets }) => communities.some((community) => targets.has(community)));

const STRONGEST_FIRST = ['encrypt', 'authenticate', 'tunnel'] as const;

/** What an import rule says of protection (policy-model 7-10, 12). */
export function importTerms(
  config: Config,
  numbers: SpNumbers,
  rule: Import['rule'],
  { insideOwnSp, toldBySp }: Pick<ImportQuestion, 'insideOwnSp' | 'toldBySp'>,
): ImportTerms {
  const { preferProtected, unsignalled } = rule;
  // Whoever tells us routes of another SP tells us of no next hop of ours, whatever ranges it lies in.
  const fromSps = rule.fromSps.filter((sp) => toldBySp === undefined || sp === toldBySp);
  return {
    floor: (sp) => rule.floor ?? (sp === config.ownSp ? 'mpls' : 'encrypt'),
    ...{ fromSps, preferProtected, unsignalled },
    protections: rule.protections ?? STRONGEST_FIRST,
    scope: { ownSp: config.ownSp, ownSpNumber: numbers.own, insideOwnSp },
  };
}

function importDecision(
  context: VrfContext,
  imports: readonly Import[],
): (question: ImportQuestion) => number | undefined {
  const { config, ingress, ipsec } = context;
  const numbers = spNumbers(config);
  return (route) => {
    const { extendedCommunities, nextHop } = route;
    const found = ruleFor(imports, extendedCommunities);
    if (found === undefined) return undefined;
    const signalled = narrowed(ipsec.read(extendedCommunities), route);
    const { rule } = found;
    return ingress.choose(nextHop, signalled, importTerms(config, numbers, rule, route));
  };
}

/** The policies of the import rules as one. */
function importPolicy(context: VrfContext, imports: readonly Import[]): Policy | undefined {
  const { policies, config } = context;
  const compiled = new Map<Import, Policy>();
  for (const one of imports) {
    const { policy } = one.rule;
    if (policy !== undefined) compiled.set(one, policies.compile(policy, config.bgp?.asn ?? 0));
  }
  if (compiled.size === 0) return undefined;
  return {
    usesPrefix: [...compiled.values()].some((policy) => policy.usesPrefix),
    apply: (route) => {
      const found = ruleFor(imports, route.attributes.extendedCommunities ?? []);
      const policy = found && compiled.get(found);
      return policy === undefined ? route.attributes : policy.apply(route);
    },
  };
}

/** The rules of a VRF, as they are told now. */
const rulesOf = ({ config, states }: VrfContext, vrf: string): readonly VrfExport[] =>
  vrfExports(config, vrf, states?.[vrf]);

/** What every route of the VRF accepts, whatever its prefix. */
function acceptedByAll(context: VrfContext, vrf: string): AcceptSet {
  const rules = rulesOf(context, vrf).filter(({ prefixes }) => prefixes === undefined);
  return unionOf(rules.map(({ classes }) => acceptOfClasses(classes, context.sps)));
}

/**
 * The label of a route that the rule exports (policy-model 1): see ExportRuleRib.label. Straight to a CE it
 * leads only where no lookup could find a route with less than the label's class: the CE may be the way to
 * prefixes of other classes too, which the label must not reach (policy-model 2).
 */
function labelOf(context: VrfContext, vrf: string, rule: VrfExport): ExportRuleRib['label'] {
  const { labels, sps, routeLabels } = context;
  const planned = labels.find((one) => one.vrf === vrf && one.rules.includes(rule.name));
  const mode = rule.bgp?.labelPer ?? 'vrf';
  const accept = planned?.accept ?? acceptOfClasses(rule.classes, sps);
  const exported = classesText(rule.classes, sps);
  const direct = acceptsAll(acceptedByAll(context, vrf), accept);
  return (route) => {
    if (mode === 'vrf') return planned?.label;
    const found = context.gateway(vrf, route);
    if (found === 'unreachable') return undefined;
    const gateway = direct ? found : undefined;
    if (mode === 'ce' && gateway === undefined) return planned?.label;
    const subject =
      mode === 'prefix'
        ? `prefix ${formatPrefix({ address: route.prefix, length: route.length })}`
        : `CE ${gateway ? formatAddress(gateway.address) : ''} on ${gateway?.interface ?? ''}`;
    const text = `${subject} ${labelClass(vrf, exported)}`;
    return toldLabel(routeLabels.ask({ text, vrf, rule: rule.name, gateway, accept }, route));
  };
}

function exportRule(context: VrfContext, vrf: string, rule: VrfExport): ExportRuleRib[] {
  const { config, policies, ipsec } = context;
  const { bgp } = rule;
  const rd = bgp && parseRd(bgp.rd);
  if (bgp === undefined || rd === undefined) return [];
  const prefixes = rule.prefixes?.flatMap((text): Prefix[] => {
    const prefix = parsePrefix(text);
    return prefix === undefined ? [] : [networkOf(prefix)];
  });
  const numbers = spNumbers(config);
  const meaning = signalledBy(rule, context.sps, numbers.own);
  const toSps = toldSps(rule, config.ownSp);
  const named = bgp.nextHop === undefined ? undefined : parseAddress(bgp.nextHop);
  const nextHop = named ?? context.nextHop;
  const label = labelOf(context, vrf, rule);
  return [
    {
      ...{ name: rule.name, rd, routeTargets: targetsOf(bgp.targets), nextHop },
      toSps,
      communities: [
        ...(meaning === undefined ? [] : [ipsec.write(meaning)]),
        ...scopesOf(toSps, numbers),
      ],
      label: (route) => {
        const { prefix, length } = route;
        const inner: Prefix = { family: prefix.length === 4 ? 4 : 6, address: prefix, length };
        const matches = prefixes?.some((outer) => covers(outer, inner)) ?? true;
        return matches ? label(route) : undefined;
      },
      policy:
        bgp.policy === undefined ? undefined : policies.compile(bgp.policy, config.bgp?.asn ?? 0),
    },
  ];
}

/** Import rules of a VRF, in order. */
export function importsOf(config: Config, name: string): Import[] {
  const bgp = config.vrfs?.[name]?.bgp;
  const rules = bgp === undefined ? [] : importRulesOf(bgp, config.ownSp);
  return rules.map((rule) => ({ rule, targets: new Set(targetsOf(rule.targets)) }));
}

/** `id`: the VRF's number in the RIB. */
export function vrfRib(context: VrfContext, id: number, name: string): VrfRib {
  const vrf = context.config.vrfs?.[name] ?? {};
  const imports = importsOf(context.config, name);
  return {
    ...{ id, name },
    importTargets: imports.flatMap(({ targets }) => [...targets]),
    // Whatever a tunnel or a rule makes of a route, one with a target of ours is taken and kept.
    takesByTarget: true,
    accept: importDecision(context, imports),
    importPolicy: importPolicy(context, imports),
    maximumPaths: {
      ...{ ebgp: 1, ibgp: 1, ...context.config.bgp?.maximumPaths },
      ...vrf.bgp?.maximumPaths,
    },
    exports: rulesOf(context, name).flatMap((rule) => exportRule(context, name, rule)),
  };
}
