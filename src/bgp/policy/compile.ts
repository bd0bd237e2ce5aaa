// SPDX-License-Identifier: Apache-2.0
/** Policies of the configuration, compiled: what sessions and VRFs run on every route. */
import { createHash } from 'node:crypto';
import type { Action, BgpPolicy, PolicyRule, PrefixMatch, Verdict } from '../../config/types.js';
import type { IpsecCommunityFormat } from '../codec/communities/ipsec.js';
import type { PathAttributes } from '../codec/types.js';
import type { Policy, PolicyRoute } from '../types.js';
import { compileAction, takesFromRoute, type Change } from './actions.js';
import { compileCondition, looksBeyondAttributes, prefixSet, type Test } from './conditions.js';
import type { PrefixSet } from './prefix-set.js';

/** What a policy did with a route, rule by rule. */
export interface Trace {
  readonly steps: readonly TraceStep[];
  /** Attributes it left with; undefined: rejected. */
  readonly result: PathAttributes | undefined;
  /** Index of the rule that decided; undefined: none did, `otherwise` held. */
  readonly decidedBy: number | undefined;
}

export interface TraceStep {
  readonly rule: number;
  readonly name: string | undefined;
  readonly matched: boolean;
  /** What a rule that matched leads to. */
  readonly then: Verdict;
  /** Before and after its actions; the same object when nothing changed. */
  readonly before: PathAttributes;
  readonly after: PathAttributes;
}

interface CompiledRule {
  readonly name: string | undefined;
  readonly when: Test | undefined;
  readonly changes: readonly Change[];
  readonly then: Verdict;
}

/** A policy that can also say what it does. Pure. */
export class CompiledPolicy implements Policy {
  readonly usesPrefix: boolean;
  readonly #rules: readonly CompiledRule[];
  readonly #otherwise: 'accept' | 'reject';

  constructor(rules: readonly CompiledRule[], otherwise: 'accept' | 'reject', usesPrefix: boolean) {
    this.#rules = rules;
    this.#otherwise = otherwise;
    this.usesPrefix = usesPrefix;
  }

  apply(route: PolicyRoute): PathAttributes | undefined {
    let { attributes } = route;
    for (const { when, changes, then } of this.#rules) {
      if (when !== undefined && !when(attributes, route)) continue;
      if (then === 'reject') return undefined;
      for (const change of changes) attributes = change(attributes, route);
      if (then === 'accept') return attributes;
    }
    return this.#otherwise === 'accept' ? attributes : undefined;
  }

  /** The same way through the rules as {@link apply}, written down. */
  trace(route: PolicyRoute): Trace {
    const steps: TraceStep[] = [];
    let { attributes } = route;
    for (const [rule, { name, when, changes, then }] of this.#rules.entries()) {
      const before = attributes;
      const matched = when === undefined || when(attributes, route);
      if (matched && then !== 'reject') {
        for (const change of changes) attributes = change(attributes, route);
      }
      steps.push({ rule, name, matched, then, before, after: attributes });
      if (!matched || then === 'next') continue;
      return { steps, result: then === 'accept' ? attributes : undefined, decidedBy: rule };
    }
    const result = this.#otherwise === 'accept' ? attributes : undefined;
    return { steps, result, decidedBy: undefined };
  }
}

/** A place where a policy may lower IPsec protection, for the log (policy-model 13). */
export interface Weakening {
  readonly policy: string;
  readonly rule: number;
  readonly name: string | undefined;
  /** As in the configuration. */
  readonly action: Action;
}

export interface PolicySource {
  readonly policies?: Readonly<Record<string, BgpPolicy>>;
  readonly prefixLists?: Readonly<Record<string, readonly PrefixMatch[]>>;
  /** What the community format of the compiler was made with. */
  readonly ipsecCommunitySubType?: number;
}

/**
 * The policies of one configuration, each compiled when first asked for; prefix lists are shared.
 * Expects what src/config has checked: what it refuses throws here.
 */
export class PolicyCompiler {
  /** Every rule that says `weaken: true`, whether used or not. */
  readonly weakenings: readonly Weakening[];
  readonly #source: PolicySource;
  readonly #ipsec: IpsecCommunityFormat;
  readonly #prefixLists = new Map<string, PrefixSet>();
  readonly #compiled = new Map<string, CompiledPolicy>();
  readonly #fingerprints = new Map<string, string>();

  constructor(source: PolicySource, ipsec: IpsecCommunityFormat) {
    this.#source = source;
    this.#ipsec = ipsec;
    this.weakenings = findWeakenings(source);
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#source.policies ?? {}, name);
  }

  /**
   * @param localAsn prepended where a rule names no other: that of the session.
   * Throws for a name that is not there.
   */
  compile(name: string, localAsn: number): CompiledPolicy {
    const key = `${localAsn} ${name}`;
    let found = this.#compiled.get(key);
    if (found === undefined) {
      const policy = this.has(name) ? this.#source.policies?.[name] : undefined;
      if (policy === undefined) throw new Error(`no policy "${name}"`);
      found = this.#compile(policy, localAsn);
      this.#compiled.set(key, found);
    }
    return found;
  }

  /** Equal for policies that do the same to the same routes of sessions with the same own AS number. */
  fingerprint(name: string): string {
    let found = this.#fingerprints.get(name);
    if (found === undefined) {
      const { policies = {}, prefixLists, ipsecCommunitySubType } = this.#source;
      const says = JSON.stringify([policies[name], prefixLists, ipsecCommunitySubType]);
      found = createHash('sha256').update(says).digest('hex');
      this.#fingerprints.set(name, found);
    }
    return found;
  }

  #compile({ rules, otherwise = 'reject' }: BgpPolicy, localAsn: number): CompiledPolicy {
    const conditions = {
      ipsec: this.#ipsec,
      prefixList: (name: string) => this.#prefixList(name),
    };
    const actions = { ipsec: this.#ipsec, localAsn };
    const compiled = rules.map((rule): CompiledRule => ({
      name: rule.name,
      when: rule.when === undefined ? undefined : compileCondition(rule.when, conditions),
      changes: (rule.do ?? []).map((action) => compileAction(action, actions)),
      then: rule.then,
    }));
    return new CompiledPolicy(compiled, otherwise, rules.some(usesRoute));
  }

  #prefixList(name: string): PrefixSet {
    let found = this.#prefixLists.get(name);
    if (found === undefined) {
      const lists = this.#source.prefixLists ?? {};
      const entries = Object.hasOwn(lists, name) ? lists[name] : undefined;
      if (entries === undefined) throw new Error(`no prefix list "${name}"`);
      found = prefixSet(entries);
      this.#prefixLists.set(name, found);
    }
    return found;
  }
}

function usesRoute({ when, do: actions = [] }: PolicyRule): boolean {
  return (when !== undefined && looksBeyondAttributes(when)) || actions.some(takesFromRoute);
}

function findWeakenings({ policies = {} }: PolicySource): readonly Weakening[] {
  return Object.entries(policies).flatMap(([policy, { rules }]) =>
    rules.flatMap(({ name, do: actions = [] }, rule) =>
      actions
        .filter((action) => 'weaken' in action && action.weaken)
        .map((action) => ({ policy, rule, name, action })),
    ),
  );
}

// ---- Without a policy of one's own ---------------------------------------------------------------

const constant = (otherwise: 'accept' | 'reject'): CompiledPolicy =>
  new CompiledPolicy([], otherwise, false);

export const ACCEPT_ALL: Policy = constant('accept');
export const REJECT_ALL: Policy = constant('reject');

/**
 * For a neighbour whose configuration names no policy: RFC 8212 for EBGP unless the configuration
 * says `ebgpRequiresPolicy: false`, everything for IBGP.
 */
export function defaultPolicy(kind: 'ibgp' | 'ebgp', ebgpRequiresPolicy = true): Policy {
  return kind === 'ebgp' && ebgpRequiresPolicy ? REJECT_ALL : ACCEPT_ALL;
}
