// SPDX-License-Identifier: Apache-2.0
/** What the state directory remembers of export rules: `{ vrfs: { VRF: { RULE: ExportState } } }`. */
import type { Encapsulation, ExportClass, Protection } from '../config/types.js';
import type { ExportState, ExportStates, Leaving } from '../vpn/export-changes.js';
import { isRecord } from './state-file.js';

const PROTECTIONS: readonly string[] = ['encrypt', 'authenticate', 'tunnel', 'mpls'];
const ENCAPSULATIONS: readonly string[] = ['gre', 'ip'];

const isProtection = (value: unknown): value is Protection =>
  typeof value === 'string' && PROTECTIONS.includes(value);
const isEncapsulation = (value: unknown): value is Encapsulation =>
  typeof value === 'string' && ENCAPSULATIONS.includes(value);
const isText = (value: unknown): value is string => typeof value === 'string';
const isSeconds = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value);

/** undefined: something is not of the kind. */
function listOf<T>(value: unknown, is: (one: unknown) => one is T): readonly T[] | undefined {
  return Array.isArray(value) && value.every(is) ? value : undefined;
}

function classOf(value: unknown): ExportClass | undefined {
  if (!isRecord(value)) return undefined;
  const protections = listOf(value['protections'], isProtection);
  const encapsulations = listOf(value['encapsulations'], isEncapsulation);
  const toSps = listOf(value['toSps'], isText);
  const { clearInsideOwnSp } = value;
  if (protections === undefined || encapsulations === undefined || toSps === undefined) {
    return undefined;
  }
  if (clearInsideOwnSp !== undefined && clearInsideOwnSp !== true) return undefined;
  return { protections, encapsulations, toSps, ...(clearInsideOwnSp && { clearInsideOwnSp }) };
}

function classesOf(value: unknown): readonly ExportClass[] | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const classes = value.flatMap((one: unknown) => classOf(one) ?? []);
  return classes.length === value.length ? classes : undefined;
}

/** Absent prefixes are well-formed, others must be a list. */
function prefixesOf(value: unknown): { prefixes?: readonly string[] } | undefined {
  if (value === undefined) return {};
  const prefixes = listOf(value, isText);
  return prefixes && { prefixes };
}

function leavingOf(value: unknown): Leaving | undefined {
  if (!isRecord(value)) return undefined;
  const { since, until } = value;
  const classes = classesOf(value['classes']);
  const prefixes = prefixesOf(value['prefixes']);
  if (classes === undefined || prefixes === undefined || !isSeconds(since)) return undefined;
  if (until !== undefined && !isSeconds(until)) return undefined;
  return { classes, ...prefixes, since, ...(until !== undefined && { until }) };
}

function stateOf(value: unknown): ExportState | undefined {
  if (!isRecord(value) || !Array.isArray(value['leaving'])) return undefined;
  const target = classOf(value['target']);
  const classes = classesOf(value['classes']);
  const prefixes = prefixesOf(value['prefixes']);
  const { announcing } = value;
  const given: readonly unknown[] = value['leaving'];
  const leaving = given.flatMap((one) => leavingOf(one) ?? []);
  if (target === undefined || classes === undefined || prefixes === undefined) return undefined;
  if (leaving.length !== given.length) return undefined;
  if (announcing !== undefined && !isSeconds(announcing)) return undefined;
  return { target, ...prefixes, classes, ...(announcing !== undefined && { announcing }), leaving };
}

/** undefined: not of the expected form. */
export function checkExports(value: unknown): ExportStates | undefined {
  if (!isRecord(value) || !isRecord(value['vrfs'])) return undefined;
  const vrfs: Record<string, Record<string, ExportState>> = {};
  for (const [vrf, rules] of Object.entries(value['vrfs'])) {
    if (!isRecord(rules)) return undefined;
    const states: Record<string, ExportState> = {};
    for (const [rule, given] of Object.entries(rules)) {
      const state = stateOf(given);
      if (state === undefined) return undefined;
      states[rule] = state;
    }
    vrfs[vrf] = states;
  }
  return vrfs;
}
