// SPDX-License-Identifier: Apache-2.0
/** Export rules: classes, labels and prefixes (policy-model 1-5). */
import { networkOf, parseAddress, parsePrefix, type Prefix } from '../../lib/ip.js';
import type { Path } from '../issues.js';
import { PrefixIndex } from '../prefix-index.js';
import type { Encapsulation, ExportClass, ExportRule, Vrf } from '../types.js';
import type { Context } from './context.js';
import { checkReachable, vrfPrefixes, type VrfPrefixes } from './routes.js';

export function checkExports(ctx: Context): void {
  const labels = new Map<number, { path: Path; meaning: string }>();
  for (const [name, vrf] of Object.entries(ctx.config.vrfs ?? {})) {
    const prefixes = vrfPrefixes(ctx, name);
    const rules = vrf.exports ?? [];
    rules.forEach((rule, i) => {
      const path: Path = ['vrfs', name, 'exports', i];
      if (rules.findIndex((other) => other.name === rule.name) < i) {
        const reason = 'another rule of this VRF has this name';
        ctx.fail([...path, 'name'], { reason, remedy: 'a name of its own' });
      }
      checkClass(ctx, path, rule);
      checkLabel(ctx, path, meaningOf(ctx, name, rule), rule, labels);
      checkTarget(ctx, path, name, rule, prefixes);
    });
    checkPrefixes(ctx, name, vrf, prefixes);
  }
}

const UNPROTECTED = ['tunnel', 'mpls'] as const;

export function checkClass(ctx: Context, path: Path, rule: ExportClass): void {
  const clear = UNPROTECTED.filter((protection) => rule.protections.includes(protection));
  if (rule.clearInsideOwnSp === true) {
    const at = [...path, 'clearInsideOwnSp'];
    if (clear.length > 0) {
      const reason = `protection is asked of other SPs, yet "${clear.join('" and "')}" ask for none`;
      ctx.fail(at, { reason, remedy: 'protections: encrypt, authenticate or both; or remove it' });
    }
    const others = (rule.toSps ?? []).filter((sp) => sp !== ctx.config.ownSp);
    if (others.length === 0 && ctx.whole('ownSp')) {
      const reason = 'no other SP is named, of which protection would be asked';
      ctx.fail(at, { reason, remedy: 'name it in toSps, or remove clearInsideOwnSp' });
    }
  }
  warnUnreachable(ctx, path, rule);
}

/** Labels that may arrive in clear, where no interface accepts that. */
function warnUnreachable(ctx: Context, path: Path, rule: ExportClass): void {
  if (!ctx.whole('interfaces')) return;
  const core = ctx.coreInterfaces();
  const wanted: readonly Encapsulation[] = rule.encapsulations ?? ['gre', 'ip'];
  const accepts = core.some(({ acceptClear = [] }) => acceptClear.some((e) => wanted.includes(e)));
  if (rule.protections.includes('tunnel') && !accepts) {
    const list = wanted.map((encapsulation) => `"${encapsulation}"`).join(' or ');
    ctx.warn([...path, 'protections'], {
      reason: 'accepts MPLS-in-GRE/IP in clear, which no core interface lets in',
      remedy: `acceptClear with ${list} on a core interface`,
    });
  }
  const plain = rule.protections.includes('mpls') || rule.clearInsideOwnSp === true;
  if (plain && !core.some(({ mpls }) => mpls === 'own-sp')) {
    ctx.warn([...path, rule.clearInsideOwnSp === true ? 'clearInsideOwnSp' : 'protections'], {
      reason: 'accepts plain MPLS, which no core interface lets in',
      remedy: 'mpls: "own-sp" on a core interface',
    });
  }
}

/** VRF, target and class of a label in one spelling: rules share a label only if these are equal. */
function meaningOf(ctx: Context, vrf: string, rule: ExportRule): string {
  const sorted = (words: readonly string[]): string => [...words].sort().join(',');
  const { labelFor = 'vrf', clearInsideOwnSp = false } = rule;
  return [
    `VRF "${vrf}"`,
    labelFor === 'vrf' ? 'lookup' : `CE ${labelFor.ce}`,
    sorted(rule.protections),
    `to ${sorted(rule.toSps ?? [ctx.config.ownSp])}`,
    `by ${sorted(rule.encapsulations ?? ['gre', 'ip'])}`,
    ...(clearInsideOwnSp ? ['clear inside the own SP'] : []),
  ].join(' ');
}

function checkLabel(
  ctx: Context,
  path: Path,
  meaning: string,
  rule: ExportRule,
  labels: Map<number, { path: Path; meaning: string }>,
): void {
  const first = labels.get(rule.label);
  if (first === undefined) labels.set(rule.label, { path, meaning });
  else if (first.meaning !== meaning) {
    ctx.fail([...path, 'label'], {
      reason: `${ctx.at(first.path)} uses the label for something else: ${first.meaning}`,
      remedy: 'a label of its own: only equal VRF, class and target share one',
    });
  }
}

function checkTarget(
  ctx: Context,
  path: Path,
  vrf: string,
  { labelFor = 'vrf' }: ExportRule,
  prefixes: VrfPrefixes,
): void {
  const address = labelFor === 'vrf' ? undefined : parseAddress(labelFor.ce);
  if (address === undefined) return;
  checkReachable(ctx, [...path, 'labelFor', 'ce'], { vrf, address }, prefixes);
}

// ---- Prefixes -------------------------------------------------------------------------------------

/** A rule exports the VRF's own routes inside its prefixes: each prefix must hold at least one. */
function checkPrefixes(ctx: Context, name: string, vrf: Vrf, prefixes: VrfPrefixes): void {
  const exported = (vrf.exports ?? []).flatMap((rule, i) =>
    (rule.prefixes ?? []).flatMap((text, n) => {
      const prefix = parsePrefix(text);
      const path: Path = ['vrfs', name, 'exports', i, 'prefixes', n];
      return prefix === undefined ? [] : [{ prefix, path }];
    }),
  );
  // What was cut out may have been the route meant.
  if (exported.length === 0 || !ctx.whole('interfaces') || !ctx.whole('vrfs')) return;
  const unused = new PrefixIndex<{ used: boolean }>();
  for (const { prefix } of exported) unused.add(prefix, { used: false });
  const local = [...localPrefixes(ctx, name, vrf, prefixes)];
  for (const route of local) {
    for (const mark of unused.holding(route)) mark.used = true;
  }
  for (const { prefix, path } of exported) {
    if (unused.get(prefix)?.used === true) continue;
    ctx.fail(path, {
      reason: `no route of VRF "${name}" lies inside`,
      remedy: 'a prefix that holds a subnet, own address or static route to a CE',
    });
  }
}

/** What a VRF can export: what is its own, or lent by other VRFs of this PE, but not what came by a tunnel. */
function* localPrefixes(
  ctx: Context,
  name: string,
  vrf: Vrf,
  prefixes: VrfPrefixes,
): Generator<Prefix> {
  yield* prefixes.own.map(({ prefix }) => networkOf(prefix));
  yield* staticPrefixes(vrf);
  for (const from of vrf.importsFrom ?? []) {
    const lender = ctx.config.vrfs?.[from];
    if (lender === undefined || from === name) continue;
    yield* ctx.ownPrefixes(from).map(({ prefix }) => networkOf(prefix));
    yield* staticPrefixes(lender);
  }
}

function* staticPrefixes(vrf: Vrf): Generator<Prefix> {
  for (const route of vrf.routes ?? []) {
    const prefix = 'tunnel' in route ? undefined : parsePrefix(route.prefix);
    if (prefix !== undefined) yield prefix;
  }
}
