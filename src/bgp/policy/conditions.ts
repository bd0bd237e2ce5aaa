// SPDX-License-Identifier: Apache-2.0
/** Conditions of the configuration compiled to tests. What is malformed has been refused there. */
import type { Comparison, Condition, PrefixMatch } from '../../config/types.js';
import {
  matchesPath,
  parseCommunityPattern,
  parseExtendedPattern,
  parseLargeCommunityPattern,
  parsePathPattern,
  parseRange,
  parseRdPattern,
  type NumberRange,
} from '../../lib/bgp-patterns.js';
import { MAX_U32 } from '../../lib/bgp-words.js';
import { parsePrefix } from '../../lib/ip.js';
import type { IpsecCommunityFormat } from '../codec/communities/ipsec.js';
import { FAMILIES, type PathAttributes } from '../codec/types.js';
import type { PolicyRoute } from '../types.js';
import { pathLength, pathSteps } from './as-path.js';
import { PrefixSet } from './prefix-set.js';

/** `attributes` are those of the route as rules before changed them. */
export type Test = (attributes: PathAttributes, route: PolicyRoute) => boolean;

export interface ConditionScope {
  /** Compiled once, however many policies name it. Throws for a list that is not there. */
  readonly prefixList: (name: string) => PrefixSet;
  readonly ipsec: IpsecCommunityFormat;
}

export function compileCondition(condition: Condition, scope: ConditionScope): Test {
  if ('all' in condition) {
    const tests = condition.all.map((each) => compileCondition(each, scope));
    return (attributes, route) => tests.every((test) => test(attributes, route));
  }
  if ('any' in condition) {
    const tests = condition.any.map((each) => compileCondition(each, scope));
    return (attributes, route) => tests.some((test) => test(attributes, route));
  }
  if ('not' in condition) {
    const test = compileCondition(condition.not, scope);
    return (attributes, route) => !test(attributes, route);
  }
  return compileRouteTest(condition, scope) ?? compileAttributeTest(condition, scope);
}

/** Prefix, RD, family, neighbour: what is not in the attributes. */
function compileRouteTest(condition: Condition, scope: ConditionScope): Test | undefined {
  if ('prefix' in condition) {
    const { prefix } = condition;
    const set = typeof prefix === 'string' ? scope.prefixList(prefix) : prefixSet(prefix);
    return (_, route) => set.has(route.prefix, route.length);
  }
  if ('family' in condition) {
    const ids = new Set(
      FAMILIES.flatMap(({ name }, id) => (condition.family.includes(name) ? [id] : [])),
    );
    return (_, route) => ids.has(route.family);
  }
  if ('rd' in condition) {
    const patterns = condition.rd.map((text) => need(parseRdPattern(text), text));
    return (_, { rd }) => rd !== undefined && patterns.some((pattern) => pattern(rd));
  }
  if ('fromAsn' in condition) {
    const ranges = asnRanges(condition.fromAsn);
    return (_, { from }) => from !== undefined && inRanges(ranges, from.asn);
  }
  if ('fromAddress' in condition) {
    const set = insideAny(condition.fromAddress);
    return (_, { from }) => from !== undefined && set.has(from.address, 8 * from.address.length);
  }
  if ('local' in condition) return (_, { from }) => (from === undefined) === condition.local;
  return undefined;
}

function compileAttributeTest(condition: Condition, scope: ConditionScope): Test {
  if ('nextHop' in condition) {
    const set = insideAny(condition.nextHop);
    return ({ nextHop }) => nextHop !== undefined && set.has(nextHop, 8 * nextHop.length);
  }
  if ('community' in condition) {
    const patterns = condition.community.map((text) => need(parseCommunityPattern(text), text));
    return ({ communities = [] }) => communities.some((each) => patterns.some((p) => p(each)));
  }
  if ('largeCommunity' in condition) {
    const patterns = condition.largeCommunity.map((text) =>
      need(parseLargeCommunityPattern(text), text),
    );
    return ({ largeCommunities = [] }) =>
      largeCommunities.some((each) => patterns.some((p) => p(each)));
  }
  if ('extendedCommunity' in condition) {
    const patterns = condition.extendedCommunity.map((text) =>
      need(parseExtendedPattern(text), text),
    );
    return ({ extendedCommunities = [] }) =>
      extendedCommunities.some((each) => patterns.some((p) => p(each)));
  }
  if ('ipsec' in condition) {
    return ({ extendedCommunities = [] }) =>
      extendedCommunities.some((each) => scope.ipsec.is(each)) === condition.ipsec;
  }
  return compilePathTest(condition) ?? compileNumberTest(condition);
}

function compilePathTest(condition: Condition): Test | undefined {
  if ('asPathContains' in condition) {
    const ranges = asnRanges(condition.asPathContains);
    return ({ asPath }) => asPath.some(({ asns }) => asns.some((asn) => inRanges(ranges, asn)));
  }
  if ('asPathOrigin' in condition) {
    const ranges = asnRanges(condition.asPathOrigin);
    return ({ asPath }) =>
      pathSteps(asPath)
        .at(-1)
        ?.some((asn) => inRanges(ranges, asn)) === true;
  }
  if ('asPathNeighbour' in condition) {
    const ranges = asnRanges(condition.asPathNeighbour);
    return ({ asPath }) => pathSteps(asPath)[0]?.some((asn) => inRanges(ranges, asn)) === true;
  }
  if ('asPathLength' in condition) {
    const test = comparison(condition.asPathLength);
    return ({ asPath }) => test(pathLength(asPath));
  }
  if ('asPath' in condition) {
    const patterns = condition.asPath.map((text) => need(parsePathPattern(text), text));
    return ({ asPath }) => {
      const steps = pathSteps(asPath);
      return patterns.some((pattern) => matchesPath(pattern, steps));
    };
  }
  return undefined;
}

const ORIGINS = ['igp', 'egp', 'incomplete'] as const;

function compileNumberTest(condition: Condition): Test {
  if ('origin' in condition) {
    return ({ origin }) => condition.origin.includes(ORIGINS[origin]);
  }
  if ('med' in condition) {
    const test = comparison(condition.med);
    return ({ med }) => test(med);
  }
  if ('localPref' in condition) {
    const test = comparison(condition.localPref);
    return ({ localPref }) => test(localPref);
  }
  throw new Error(`no such condition: ${Object.keys(condition).join(', ')}`);
}

// ---- Parts ---------------------------------------------------------------------------------------

function comparison({ atLeast = 0, atMost = MAX_U32, absent = false }: Comparison) {
  return (value: number | undefined): boolean =>
    value === undefined ? absent : value >= atLeast && value <= atMost;
}

/** Exactly `prefix`, or inside it with `ge` to `le` bits. */
export function prefixSet(entries: readonly PrefixMatch[]): PrefixSet {
  return new PrefixSet(
    entries.map(({ prefix: text, ge, le }) => {
      const prefix = need(parsePrefix(text), text);
      const full = prefix.family === 4 ? 32 : 128;
      return {
        prefix,
        ge: ge ?? prefix.length,
        le: le ?? (ge === undefined ? prefix.length : full),
      };
    }),
  );
}

/** For addresses: whether one lies inside any of the prefixes. */
function insideAny(prefixes: readonly string[]): PrefixSet {
  return prefixSet(prefixes.map((prefix) => ({ prefix, ge: 0 })));
}

function asnRanges(texts: readonly string[]): readonly NumberRange[] {
  return texts.map((text) => need(parseRange(text, MAX_U32), text));
}

const inRanges = (ranges: readonly NumberRange[], value: number): boolean =>
  ranges.some(({ low, high }) => value >= low && value <= high);

/** The configuration has been checked: what cannot be read here is a defect. */
export function need<T>(value: T | undefined, text: string): T {
  if (value === undefined) throw new Error(`not checked before: ${text}`);
  return value;
}

/** Conditions that make an answer depend on more than the attributes: see Policy.usesPrefix. */
export function looksBeyondAttributes(condition: Condition): boolean {
  if ('all' in condition) return condition.all.some(looksBeyondAttributes);
  if ('any' in condition) return condition.any.some(looksBeyondAttributes);
  if ('not' in condition) return looksBeyondAttributes(condition.not);
  return ['prefix', 'family', 'rd', 'fromAsn', 'fromAddress', 'local'].some(
    (key) => key in condition,
  );
}
