// SPDX-License-Identifier: Apache-2.0
/** The `ike` section: whose addresses are whose, and whether peers can be authenticated at all (policy-model 14). */
import { normalize } from 'node:path';
import { covers, hostPrefix, parseAddress, parsePrefix, type Prefix } from '../../lib/ip.js';
import { suggest } from '../../lib/suggest.js';
import { LONGEST } from '../common-schema.js';
import { ikeCredentialsFor, ikeMethodsOf } from '../ike/defaults.js';
import type { Ike, IkeProvider } from '../ike/types.js';
import { valueAt, type Path } from '../issues.js';
import { overlapsOf, PrefixIndex, prefixKey } from '../prefix-index.js';
import { nameMistake } from '../scalars.js';
import type { Context } from './context.js';

type NamedProvider = readonly [sp: string, provider: IkeProvider];

export function checkIke(ctx: Context): void {
  checkKeys(ctx);
  const { ike } = ctx.config;
  if (ike === undefined) return;
  const providers = Object.entries(ike.providers);
  for (const named of providers) {
    checkSp(ctx, named[0]);
    checkMethods(ctx, ike, named);
    checkOwnAddresses(ctx, named);
  }
  checkRanges(ctx, providers);
  checkPsks(ctx, providers);
  checkFiles(ctx, ike, providers);
  checkLimits(ctx, ike);
  warnImports(ctx, ike);
}

/** Names of credentials, anchors and preshared keys; in what the user wrote, so that broken entries count. */
function checkKeys(ctx: Context): void {
  const check = (path: Path): void => {
    const entries = valueAt(ctx.raw, path);
    if (typeof entries !== 'object' || entries === null || Array.isArray(entries)) return;
    for (const name of Object.keys(entries)) {
      const mistake = nameMistake(name, LONGEST.entity);
      if (mistake !== undefined) ctx.failKey([...path, name], mistake);
    }
  };
  check(['ike', 'credentials']);
  const providers = valueAt(ctx.raw, ['ike', 'providers']);
  if (typeof providers !== 'object' || providers === null) return;
  for (const sp of Object.keys(providers)) {
    check(['ike', 'providers', sp, 'anchors']);
    check(['ike', 'providers', sp, 'psks']);
  }
}

function checkSp(ctx: Context, sp: string): void {
  const known = [ctx.config.ownSp, ...(ctx.config.otherSps ?? [])];
  if (known.includes(sp) || !ctx.whole('ownSp') || !ctx.whole('otherSps')) return;
  const remedy = suggest(sp, known, 'SPs');
  ctx.failKey(['ike', 'providers', sp], { reason: 'no such SP', remedy });
}

/** Somebody of the SP must be able to authenticate, in each of the ways that are asked for. */
function checkMethods(ctx: Context, ike: Ike, [sp, provider]: NamedProvider): void {
  const path: Path = ['ike', 'providers', sp];
  const has = (table: object | undefined): boolean => Object.keys(table ?? {}).length > 0;
  if (!ctx.whole(...path) || !ctx.whole('ike', 'credentials')) return;
  const methods = ikeMethodsOf(provider);
  const byCertificate = methods.filter((method) => method !== 'psk');
  const isShown = ikeCredentialsFor(ike, sp).length > 0;
  if (methods.length === 0) {
    const reason = 'nobody of this SP can be authenticated';
    ctx.fail(path, { reason, remedy: 'anchors: { NAME: { file } }, or psks' });
  } else if (byCertificate.length > 0 && !has(provider.anchors)) {
    const reason = `"${byCertificate[0] ?? ''}" without a trust anchor`;
    ctx.fail([...path, 'methods'], { reason, remedy: 'anchors: { NAME: { file } }' });
  } else if (methods.includes('psk') && !has(provider.psks)) {
    const remedy = 'psks: { NAME: { remote, file } }';
    ctx.fail([...path, 'methods'], { reason: '"psk" without a preshared key', remedy });
  } else if (byCertificate.length > 0 && !isShown && !methods.includes('psk')) {
    const reason = 'no credential to show to PEs of this SP';
    ctx.fail(path, { reason, remedy: 'ike: { credentials: { NAME: { certificate, key } } }' });
  } else if (byCertificate.length === 0 && has(provider.anchors)) {
    const reason = 'trust anchors, but no method with certificates';
    ctx.warn([...path, 'methods'], { reason, remedy: 'add "rsa", "ecdsa" or "ed25519"' });
  } else if (!methods.includes('psk') && has(provider.psks)) {
    const reason = 'preshared keys that are never used';
    ctx.warn([...path, 'methods'], { reason, remedy: 'add "psk"' });
  }
}

function checkOwnAddresses(ctx: Context, [sp, { ranges }]: NamedProvider): void {
  if (sp === ctx.config.ownSp) return;
  ranges.forEach((text, i) => {
    const range = parsePrefix(text);
    const own = ctx.config.core.tunnelAddresses.find((address) => {
      const host = hostOf(address);
      return range !== undefined && host !== undefined && covers(range, host);
    });
    if (own === undefined || !ctx.whole('ownSp')) return;
    const reason = `holds ${own}, one of our own tunnel addresses`;
    ctx.fail(['ike', 'providers', sp, 'ranges', i], { reason, remedy: 'narrower ranges' });
  });
}

function hostOf(address: string): Prefix | undefined {
  const bytes = parseAddress(address);
  return bytes === undefined ? undefined : hostPrefix(bytes);
}

interface Range {
  readonly sp: string;
  readonly path: Path;
  readonly prefix: Prefix;
  readonly text: string;
}

const rangesOf = (providers: readonly NamedProvider[]): readonly Range[] =>
  providers.flatMap(([sp, { ranges }]) =>
    ranges.flatMap((text, i) => {
      const prefix = parsePrefix(text);
      const path = ['ike', 'providers', sp, 'ranges', i];
      return prefix === undefined ? [] : [{ sp, path, prefix, text }];
    }),
  );

/** An address belongs to one SP: else one SP's CA could vouch for the other's PE. */
function checkRanges(ctx: Context, providers: readonly NamedProvider[]): void {
  for (const { outer, inner } of overlapsOf(rangesOf(providers))) {
    if (outer.sp === inner.sp) {
      const reason = `${outer.text} holds it already`;
      ctx.warn(inner.path, { reason, remedy: 'remove one' });
    } else {
      const reason = `overlaps ${outer.text} of SP "${outer.sp}" (policy-model 14)`;
      ctx.fail(inner.path, { reason, remedy: 'each address in the ranges of one SP' });
    }
  }
}

function checkPsks(ctx: Context, providers: readonly NamedProvider[]): void {
  const users = new Map<string, Path>();
  for (const [sp, { ranges, psks = {} }] of providers) {
    const index = new PrefixIndex<true>();
    for (const text of ranges) {
      const range = parsePrefix(text);
      if (range !== undefined) index.add(range, true);
    }
    for (const [name, { remote }] of Object.entries(psks)) {
      const path: Path = ['ike', 'providers', sp, 'psks', name, 'remote'];
      const prefix = parsePrefix(remote);
      if (prefix === undefined) continue;
      if (index.holding(prefix).next().done === true && ctx.whole('ike', 'providers', sp)) {
        const reason = `${remote} is not in the ranges of SP "${sp}" (policy-model 14)`;
        ctx.fail(path, { reason, remedy: `within ${ranges.join(', ')}` });
      }
      const first = users.get(prefixKey(prefix));
      if (first === undefined) users.set(prefixKey(prefix), path);
      else {
        ctx.fail(path, { reason: `${ctx.at(first)} is the same`, remedy: 'one key per peer' });
      }
    }
  }
}

/** A trust anchor, and a key, belongs to one SP; a private key is not a shared one as well. */
function checkFiles(ctx: Context, ike: Ike, providers: readonly NamedProvider[]): void {
  const users = new Map<string, { readonly path: Path; readonly sp: string | undefined }>();
  const use = (path: Path, file: string, sp: string | undefined, isShared: boolean): void => {
    const key = normalize(file);
    const first = users.get(key);
    if (first === undefined) users.set(key, { path, sp });
    else if (!isShared || first.sp !== sp) {
      const remedy = 'a file of its own';
      ctx.fail(path, { reason: `${ctx.at(first.path)} names the same file`, remedy });
    }
  };
  for (const [name, { key }] of Object.entries(ike.credentials ?? {})) {
    use(['ike', 'credentials', name, 'key'], key, undefined, false);
  }
  for (const [sp, { anchors = {}, psks = {}, ppk }] of providers) {
    const path: Path = ['ike', 'providers', sp];
    for (const [name, { file }] of Object.entries(anchors)) {
      use([...path, 'anchors', name, 'file'], file, sp, false);
    }
    // Several peers of one SP may have the same key, though none of their own would be better.
    for (const [name, { file }] of Object.entries(psks)) {
      use([...path, 'psks', name, 'file'], file, sp, true);
    }
    if (ppk !== undefined) use([...path, 'ppk', 'file'], ppk.file, sp, false);
  }
}

/** Routes of another SP are of use only with an SA (policy-model 7), which nobody would set up. */
function warnImports(ctx: Context, { providers }: Ike): void {
  if (!ctx.whole('ike', 'providers')) return;
  for (const [vrf, { bgp }] of Object.entries(ctx.config.vrfs ?? {})) {
    for (const [i, { fromSps = [], floor }] of (bgp?.imports ?? []).entries()) {
      for (const [j, sp] of fromSps.entries()) {
        const needsNone = floor === 'mpls' || floor === 'tunnel';
        if (sp === ctx.config.ownSp || needsNone || Object.hasOwn(providers, sp)) continue;
        const reason = 'ike.providers has no such SP: its routes stay unusable without an SA';
        const path: Path = ['vrfs', vrf, 'bgp', 'imports', i, 'fromSps', j];
        ctx.warn(path, { reason, remedy: `ike: { providers: { "${sp}": { ranges, ... } } }` });
      }
    }
  }
}

function checkLimits(ctx: Context, { limits }: Ike): void {
  const { cookieAbove, halfOpen } = limits ?? {};
  if (cookieAbove === undefined || halfOpen === undefined || cookieAbove < halfOpen) return;
  const reason = 'no cookie is ever asked for before IKE SAs are dropped';
  ctx.fail(['ike', 'limits', 'cookieAbove'], { reason, remedy: `less than ${halfOpen}` });
}
