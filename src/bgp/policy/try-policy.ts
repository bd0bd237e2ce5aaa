// SPDX-License-Identifier: Apache-2.0
/** `sealane bgp policy test`: a route in text through a policy of a configuration. Pure. */
import type { Config } from '../../config/types.js';
import { suggest } from '../../lib/suggest.js';
import { ipsecCommunityFormat } from '../codec/communities/ipsec.js';
import { PolicyCompiler, type TraceStep } from './compile.js';
import { formatAttributes, parseRoute, type RouteTextError } from './route-text.js';

/** Why nothing could be tried. */
export interface NotTried extends RouteTextError {
  readonly code: 'NOT_FOUND' | 'INVALID_ARGUMENT';
}

export interface TriedRule {
  /** Index in the policy. */
  readonly rule: number;
  /** '' without a name. */
  readonly name: string;
  readonly matched: boolean;
  /** accept, reject or next; what it led to only if it matched. */
  readonly then: string;
  /** What its actions changed: "med 5 -> 10", "communities none -> 65001:100". */
  readonly changes: readonly string[];
}

export interface TriedPolicy {
  readonly rules: readonly TriedRule[];
  readonly accepted: boolean;
  /** The rule that decided, or that none did. */
  readonly because: string;
  /** The attributes it left with, as words; empty when rejected. */
  readonly result: readonly string[];
}

/**
 * @param config checked
 * @param route a prefix and words KEY=VALUE, see route-text.ts
 */
export function tryPolicy(
  config: Pick<Config, 'bgp'>,
  name: string,
  route: readonly string[],
): TriedPolicy | NotTried {
  const { bgp } = config;
  const names = Object.keys(bgp?.policies ?? {});
  if (bgp === undefined || !names.includes(name)) {
    const remedy = suggest(name, names, 'policies');
    return { code: 'NOT_FOUND', message: `no policy "${name}"`, remedy };
  }
  const format = ipsecCommunityFormat(bgp.ipsecCommunitySubType);
  const given = parseRoute(route, format);
  if ('message' in given) return { code: 'INVALID_ARGUMENT', ...given };
  const words = (attributes: TraceStep['before']): readonly string[] =>
    formatAttributes(attributes, format);
  const compiled = new PolicyCompiler(bgp, format).compile(name, bgp.asn);
  const { steps, result, decidedBy } = compiled.trace(given);
  return {
    rules: steps.map(({ rule, name: label = '', matched, then, before, after }) => ({
      ...{ rule, name: label, matched, then },
      changes: differences(words(before), words(after)),
    })),
    accepted: result !== undefined,
    because: decidedBy === undefined ? 'no rule decided' : `rule ${decidedBy}`,
    result: result === undefined ? [] : words(result),
  };
}

function differences(before: readonly string[], after: readonly string[]): readonly string[] {
  const was = byKey(before);
  const is = byKey(after);
  return [...new Set([...was.keys(), ...is.keys()])]
    .filter((key) => was.get(key) !== is.get(key))
    .map((key) => `${key} ${was.get(key) ?? 'none'} -> ${is.get(key) ?? 'none'}`);
}

function byKey(words: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    words.map((word) => {
      const at = word.indexOf('=');
      return [word.slice(0, at), word.slice(at + 1)];
    }),
  );
}
