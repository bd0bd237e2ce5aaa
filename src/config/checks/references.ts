// SPDX-License-Identifier: Apache-2.0
/**
 * Names that must exist elsewhere in the configuration. Looked for in what the user wrote, so that an
 * entry with another mistake is looked at as well, and one that is named is known.
 */
import { suggest } from '../../lib/suggest.js';
import { valueAt, type Path } from '../issues.js';
import type { Context, Table } from './context.js';

/** '*': every key or index. */
const REFERENCES: readonly (readonly [pattern: readonly string[], target: Table | 'sps'])[] = [
  [['interfaces', '*', 'vrf'], 'vrfs'],
  [['vrfs', '*', 'routes', '*', 'interface'], 'interfaces'],
  [['vrfs', '*', 'routes', '*', 'tunnel'], 'tunnels'],
  [['vrfs', '*', 'exports', '*', 'toSps', '*'], 'sps'],
  [['vrfs', '*', 'importsFrom', '*'], 'vrfs'],
  [['vrfs', '*', 'bgp', 'exports', '*', 'toSps', '*'], 'sps'],
  [['bgp', 'exportClass', 'toSps', '*'], 'sps'],
  [['vrfs', '*', 'bgp', 'imports', '*', 'fromSps', '*'], 'sps'],
  [['vrfs', '*', 'bgp', 'neighbours', '*', 'interface'], 'interfaces'],
  [['bgp', 'neighbours', '*', 'interface'], 'interfaces'],
  [['tunnels', '*', 'sa'], 'manualSas'],
  [['manualSas', '*', 'sp'], 'sps'],
  [['ike', 'credentials', '*', 'sps', '*'], 'sps'],
  [['bgp', 'templates', '*', 'sp'], 'sps'],
  [['bgp', 'neighbours', '*', 'sp'], 'sps'],
  [['bgp', 'dynamicNeighbours', '*', 'sp'], 'sps'],
];

/** Plural and singular, for messages. */
const WORDS = {
  interfaces: ['interfaces', 'interface'],
  vrfs: ['VRFs', 'VRF'],
  tunnels: ['tunnels', 'tunnel'],
  manualSas: ['SAs', 'SA'],
  sps: ['SPs', 'SP'],
} as const;

export function checkReferences(ctx: Context): void {
  for (const [pattern, target] of REFERENCES) {
    const known = target === 'sps' ? spNames(ctx.raw) : ctx.names(target);
    // A broken own SP may be the one meant.
    if (target === 'sps' && !(ctx.whole('ownSp') && ctx.whole('otherSps'))) continue;
    if (ctx.brokenAt([target])) continue; // no table at all
    const there = new Set(known);
    for (const path of expand(ctx.raw, pattern)) {
      const name = valueAt(ctx.raw, path);
      if (typeof name !== 'string' || there.has(name) || ctx.brokenAt(path)) continue;
      const [many, one] = WORDS[target];
      ctx.failAsWritten(path, { reason: `no such ${one}`, remedy: suggest(name, known, many) });
    }
  }
}

function spNames(raw: unknown): readonly string[] {
  const others = valueAt(raw, ['otherSps']);
  const list: readonly unknown[] = Array.isArray(others) ? others : [];
  return [valueAt(raw, ['ownSp']), ...list].filter((name) => typeof name === 'string');
}

function* expand(raw: unknown, pattern: readonly string[]): Generator<Path> {
  const [first, ...rest] = pattern;
  if (first === undefined) {
    yield [];
    return;
  }
  if (typeof raw !== 'object' || raw === null) return;
  const keys: Path =
    first !== '*' ? [first] : Array.isArray(raw) ? [...raw.keys()] : Object.keys(raw);
  for (const key of keys) {
    for (const path of expand(valueAt(raw, [key]), rest)) yield [key, ...path];
  }
}
