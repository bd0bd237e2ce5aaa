// SPDX-License-Identifier: Apache-2.0
/** Policies and prefix lists: ranges that hold nothing, names that are not there, what is never reached. */
import { MAX_U32 } from '../../lib/bgp-words.js';
import { parsePrefix } from '../../lib/ip.js';
import { suggest } from '../../lib/suggest.js';
import type { BgpPolicy, Comparison, Condition, PrefixMatch } from '../bgp/policy-types.js';
import { valueAt, type Path } from '../issues.js';
import { nameMistake } from '../scalars.js';
import type { Context } from './context.js';

const LONGEST_NAME = 64;

export function checkBgpPolicies(ctx: Context): void {
  for (const table of ['prefixLists', 'policies', 'templates', 'bmp', 'mrt'] as const) {
    for (const name of namesIn(ctx, table)) {
      const mistake = nameMistake(name, LONGEST_NAME);
      if (mistake !== undefined) ctx.failKey(['bgp', table, name], mistake);
    }
  }
  const { bgp } = ctx.config;
  for (const [name, entries] of Object.entries(bgp?.prefixLists ?? {})) {
    checkEntries(ctx, ['bgp', 'prefixLists', name], entries);
  }
  for (const [name, policy] of Object.entries(bgp?.policies ?? {})) {
    checkPolicy(ctx, ['bgp', 'policies', name], policy);
  }
}

/** Names of a table of the bgp section, also of entries that were cut out. */
export function namesIn(ctx: Context, table: string): readonly string[] {
  const entries = valueAt(ctx.raw, ['bgp', table]);
  return typeof entries === 'object' && entries !== null ? Object.keys(entries) : [];
}

/** A policy, prefix list or template that is named somewhere. */
export function checkNamed(
  ctx: Context,
  path: Path,
  name: string | undefined,
  table: 'policies' | 'prefixLists' | 'templates',
): void {
  if (name === undefined || namesIn(ctx, table).includes(name)) return;
  const words = { policies: 'policies', prefixLists: 'prefix lists', templates: 'templates' };
  const one = { policies: 'policy', prefixLists: 'prefix list', templates: 'template' };
  const remedy = suggest(name, namesIn(ctx, table), words[table]);
  ctx.fail(path, { reason: `no such ${one[table]}`, remedy });
}

function checkPolicy(ctx: Context, path: Path, { rules, otherwise }: BgpPolicy): void {
  rules.forEach((rule, i) => {
    const at: Path = [...path, 'rules', i];
    if (rule.when !== undefined) checkCondition(ctx, [...at, 'when'], rule.when);
    if (rule.then === 'reject' && (rule.do ?? []).length > 0) {
      ctx.warn([...at, 'do'], {
        reason: 'changes to a route that is then rejected',
        remedy: 'remove them, or "accept" or "next"',
      });
    }
    if (rule.when === undefined && rule.then !== 'next' && i < rules.length - 1) {
      ctx.warn([...at, 'then'], {
        reason: `decides every route: the ${rules.length - 1 - i} rules after it are never reached`,
        remedy: 'a condition, or this rule last',
      });
    }
  });
  const first = rules[0];
  if (rules.length === 0 && otherwise === undefined) {
    ctx.warn(path, { reason: 'no rules: rejects everything', remedy: 'say otherwise: "reject"' });
  } else if (rules.length > 0 && first !== undefined && otherwise === undefined) {
    checkAcceptsAny(ctx, path, rules);
  }
}

function checkAcceptsAny(ctx: Context, path: Path, rules: BgpPolicy['rules']): void {
  if (rules.some(({ then }) => then === 'accept')) return;
  ctx.warn(path, {
    reason: 'no rule accepts, and what none decides is rejected: rejects everything',
    remedy: 'a rule that accepts, or otherwise: "accept"',
  });
}

function checkCondition(ctx: Context, path: Path, condition: Condition): void {
  if ('all' in condition) {
    condition.all.forEach((each, i) => {
      checkCondition(ctx, [...path, 'all', i], each);
    });
  } else if ('any' in condition) {
    if (condition.any.length === 0) {
      ctx.fail([...path, 'any'], { reason: 'any of nothing: never true', remedy: 'name one' });
    }
    condition.any.forEach((each, i) => {
      checkCondition(ctx, [...path, 'any', i], each);
    });
  } else if ('not' in condition) {
    checkCondition(ctx, [...path, 'not'], condition.not);
  } else if ('prefix' in condition) {
    const at = [...path, 'prefix'];
    if (typeof condition.prefix === 'string') checkNamed(ctx, at, condition.prefix, 'prefixLists');
    else checkEntries(ctx, at, condition.prefix);
  } else if ('med' in condition) {
    checkComparison(ctx, [...path, 'med'], condition.med);
  } else if ('localPref' in condition) {
    checkComparison(ctx, [...path, 'localPref'], condition.localPref);
  } else if ('asPathLength' in condition) {
    checkComparison(ctx, [...path, 'asPathLength'], condition.asPathLength);
  }
}

function checkComparison(ctx: Context, path: Path, { atLeast = 0, atMost = MAX_U32 }: Comparison) {
  if (atLeast <= atMost) return;
  ctx.fail([...path, 'atLeast'], {
    reason: `more than atMost, ${atMost}: no number is both`,
    remedy: `at most ${atMost}`,
  });
}

function checkEntries(ctx: Context, path: Path, entries: readonly PrefixMatch[]): void {
  entries.forEach(({ prefix: text, ge, le }, i) => {
    const prefix = parsePrefix(text);
    if (prefix === undefined) return;
    const full = prefix.family === 4 ? 32 : 128;
    const low = ge ?? prefix.length;
    const remedy = `${prefix.length} <= ge <= le <= ${full}`;
    if (low < prefix.length || low > full) {
      ctx.fail([...path, i, 'ge'], { reason: `not a length inside ${text}`, remedy });
    } else if (le !== undefined && (le < low || le > full)) {
      ctx.fail([...path, i, 'le'], { reason: `no prefix is of ${low}..${le} bits`, remedy });
    }
  });
}
