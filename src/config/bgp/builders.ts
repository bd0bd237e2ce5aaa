// SPDX-License-Identifier: Apache-2.0
/**
 * Builders of BGP policies; all yield plain data.
 *
 *   policies: {
 *     'from-ce': policy([
 *       reject(match.prefix(orLonger('10.0.0.0/8')), { name: 'no private space' }),
 *       accept(match.community('65001:100'), [set.localPref(200), set.prepend(2)]),
 *     ]),
 *   }
 */
import type {
  Action,
  BgpFamilyName,
  BgpOrigin,
  BgpPolicy,
  Comparison,
  Condition,
  IpsecPolicy,
  PolicyRule,
  PrefixMatch,
} from './policy-types.js';

/** Rules are tried in order; the first that accepts or rejects decides. */
export function policy(
  rules: readonly PolicyRule[],
  options: { readonly otherwise?: 'accept' | 'reject' } = {},
): BgpPolicy {
  return { rules, ...options };
}

interface RuleOptions {
  readonly name?: string;
}

/** Without `when`: of every route. */
export function accept(
  when?: Condition,
  changes: readonly Action[] = [],
  options: RuleOptions = {},
): PolicyRule {
  return rule('accept', when, changes, options);
}

export function reject(when?: Condition, options: RuleOptions = {}): PolicyRule {
  return rule('reject', when, [], options);
}

/** Changes a route and goes on with the next rule. */
export function change(
  when: Condition | undefined,
  changes: readonly Action[],
  options: RuleOptions = {},
): PolicyRule {
  return rule('next', when, changes, options);
}

function rule(
  then: PolicyRule['then'],
  when: Condition | undefined,
  changes: readonly Action[],
  options: RuleOptions,
): PolicyRule {
  return {
    ...options,
    ...(when === undefined ? {} : { when }),
    ...(changes.length === 0 ? {} : { do: changes }),
    then,
  };
}

// ---- Prefixes ------------------------------------------------------------------------------------

export function exactly(prefix: string): PrefixMatch {
  return { prefix };
}

/** The prefix and everything inside. */
export function orLonger(prefix: string): PrefixMatch {
  const length = Number(prefix.split('/')[1]);
  return Number.isInteger(length) ? { prefix, ge: length } : { prefix };
}

/** Prefixes inside with a length of `ge` to `le` bits. */
export function between(prefix: string, ge: number, le: number): PrefixMatch {
  return { prefix, ge, le };
}

// ---- Conditions ----------------------------------------------------------------------------------

export const match = {
  all: (...conditions: readonly Condition[]): Condition => ({ all: conditions }),
  any: (...conditions: readonly Condition[]): Condition => ({ any: conditions }),
  not: (condition: Condition): Condition => ({ not: condition }),
  prefixList: (name: string): Condition => ({ prefix: name }),
  prefix: (...prefixes: readonly PrefixMatch[]): Condition => ({ prefix: prefixes }),
  family: (...families: readonly BgpFamilyName[]): Condition => ({ family: families }),
  rd: (...rds: readonly string[]): Condition => ({ rd: rds }),
  nextHop: (...prefixes: readonly string[]): Condition => ({ nextHop: prefixes }),
  community: (...patterns: readonly string[]): Condition => ({ community: patterns }),
  largeCommunity: (...patterns: readonly string[]): Condition => ({ largeCommunity: patterns }),
  extendedCommunity: (...patterns: readonly string[]): Condition => ({
    extendedCommunity: patterns,
  }),
  /** "65001:100" for "target:65001:100". */
  routeTarget: (...targets: readonly string[]): Condition => ({
    extendedCommunity: targets.map((target) => `target:${target}`),
  }),
  siteOfOrigin: (...sites: readonly string[]): Condition => ({
    extendedCommunity: sites.map((site) => `origin:${site}`),
  }),
  color: (...colors: readonly (number | '*')[]): Condition => ({
    extendedCommunity: colors.map((color) => `color:${color}`),
  }),
  asPathContains: (...asns: readonly (string | number)[]): Condition => ({
    asPathContains: asns.map(String),
  }),
  asPathOrigin: (...asns: readonly (string | number)[]): Condition => ({
    asPathOrigin: asns.map(String),
  }),
  asPathNeighbour: (...asns: readonly (string | number)[]): Condition => ({
    asPathNeighbour: asns.map(String),
  }),
  asPathLength: (length: Comparison): Condition => ({ asPathLength: length }),
  asPath: (...patterns: readonly string[]): Condition => ({ asPath: patterns }),
  origin: (...origins: readonly BgpOrigin[]): Condition => ({ origin: origins }),
  med: (med: Comparison): Condition => ({ med }),
  localPref: (localPref: Comparison): Condition => ({ localPref }),
  fromAsn: (...asns: readonly (string | number)[]): Condition => ({ fromAsn: asns.map(String) }),
  fromAddress: (...prefixes: readonly string[]): Condition => ({ fromAddress: prefixes }),
  local: (local = true): Condition => ({ local }),
  ipsec: (ipsec = true): Condition => ({ ipsec }),
};

// ---- Actions -------------------------------------------------------------------------------------

export const set = {
  localPref: (localPref: number): Action => ({ localPref }),
  med: (med: number): Action => ({ med }),
  addMed: (by: number): Action => ({ addMed: by }),
  removeMed: (): Action => ({ removeMed: true }),
  origin: (origin: BgpOrigin): Action => ({ origin }),
  nextHop: (address: string): Action => ({ nextHop: address }),
  prepend: (times: number, asn?: number): Action => ({
    prepend: asn === undefined ? { times } : { times, asn },
  }),
  communities: (...values: readonly string[]): Action => ({ setCommunities: values }),
  addCommunities: (...values: readonly string[]): Action => ({ addCommunities: values }),
  deleteCommunities: (...patterns: readonly string[]): Action => ({ deleteCommunities: patterns }),
  largeCommunities: (...values: readonly string[]): Action => ({ setLargeCommunities: values }),
  addLargeCommunities: (...values: readonly string[]): Action => ({ addLargeCommunities: values }),
  deleteLargeCommunities: (...patterns: readonly string[]): Action => ({
    deleteLargeCommunities: patterns,
  }),
  extendedCommunities: (...values: readonly string[]): Action => ({
    setExtendedCommunities: values,
  }),
  addExtendedCommunities: (...values: readonly string[]): Action => ({
    addExtendedCommunities: values,
  }),
  deleteExtendedCommunities: (...patterns: readonly string[]): Action => ({
    deleteExtendedCommunities: patterns,
  }),
  /** Never weaker than the route came; `weaken: true` replaces whatever it came with, and is logged. */
  ipsec: (ipsec: IpsecPolicy, options: { readonly weaken?: true } = {}): Action => ({
    ipsec,
    ...options,
  }),
  /** Plain MPLS; logged. */
  noIpsec: (options: { readonly weaken: true }): Action => ({ removeIpsec: true, ...options }),
};
