// SPDX-License-Identifier: Apache-2.0
/** All export rules together, as they pass from one class to another: see export-changes.ts. */
import type { Config } from '../config/types.js';
import {
  DEFAULT_TIMING,
  endRule,
  followRule,
  isChanging,
  tickRule,
  type ExportState,
  type ExportStates,
  type Timing,
} from './export-changes.js';
import { vrfExports } from './export-rules.js';
import type { SpTables } from './sp-tables.js';

export const timingOf = ({ bgp }: Config): Timing => ({ ...DEFAULT_TIMING, ...bgp?.tightening });

type Rules = Readonly<Record<string, ExportState>>;

/** The rules of a configuration, each on its way from what it was; those that are no more, go at once. */
export function followExports(
  before: ExportStates,
  config: Config,
  sps: SpTables,
  now: number,
): ExportStates {
  const timing = timingOf(config);
  const vrfs = Object.keys(config.vrfs ?? {}).flatMap((name): [string, Rules][] => {
    const known = before[name];
    const rules = vrfExports(config, name).filter(({ bgp }) => bgp !== undefined);
    if (rules.length === 0) return [];
    const followed = rules.map((rule): [string, ExportState] => {
      const wish = { class: rule.class, prefixes: rule.prefixes };
      return [rule.name, followRule(known?.[rule.name], wish, sps, now, timing)];
    });
    return [[name, Object.fromEntries(followed)]];
  });
  return Object.fromEntries(vrfs);
}

function mapRules(
  states: ExportStates,
  change: (state: ExportState, vrf: string, rule: string) => ExportState,
): ExportStates {
  const all = Object.entries(states).map(([vrf, rules]) => ({
    vrf,
    entries: Object.entries(rules).map(([rule, state]) => ({
      ...{ rule, state },
      after: change(state, vrf, rule),
    })),
  }));
  const isSame = all.every(({ entries }) => entries.every(({ state, after }) => state === after));
  if (isSame) return states;
  const rulesOf = (entries: (typeof all)[number]['entries']): Rules =>
    Object.fromEntries(entries.map(({ rule, after }) => [rule, after]));
  return Object.fromEntries(all.map(({ vrf, entries }) => [vrf, rulesOf(entries)]));
}

/** What time does; the same object when nothing has changed. See {@link tickRule}. */
export const tickExports = (
  states: ExportStates,
  now: number,
  told: boolean,
  timing: Timing,
): ExportStates =>
  mapRules(states, (state) => (isChanging(state) ? tickRule(state, now, told, timing) : state));

/** Which changes; absent: of any VRF, or any rule. Rules are named as in the configuration. */
export interface ChangeFilter {
  readonly vrf?: string;
  readonly rule?: string;
}

/** Ends changes at once. The same object when there is none. */
export const endExports = (states: ExportStates, filter: ChangeFilter): ExportStates =>
  mapRules(states, (state, vrf, rule) => {
    const named =
      (filter.vrf ?? vrf) === vrf && (filter.rule === undefined || `bgp/${filter.rule}` === rule);
    return named && isChanging(state) ? endRule(state) : state;
  });

export interface Change {
  readonly vrf: string;
  readonly rule: string;
  readonly state: ExportState;
}

/** Rules that are on their way. */
export const changesOf = (states: ExportStates): readonly Change[] =>
  Object.entries(states).flatMap(([vrf, rules]) =>
    Object.entries(rules).flatMap(([rule, state]) =>
      isChanging(state) ? [{ vrf, rule, state }] : [],
    ),
  );
