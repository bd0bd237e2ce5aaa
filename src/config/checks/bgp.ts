// SPDX-License-Identifier: Apache-2.0
/** The `bgp` sections of the whole and of VRFs: route distinguishers, rules, dumps. */
import type {
  Bgp,
  BgpExportRule,
  BgpImportRule,
  BgpNetwork,
  BgpRedistribute,
  VrfBgp,
} from '../bgp/types.js';
import type { Protection } from '../classes.js';
import type { Path } from '../issues.js';
import { checkBgpNeighbours } from './bgp-neighbours.js';
import { checkBgpPolicies, checkNamed } from './bgp-policies.js';
import { checkBgpProtection } from './bgp-protection.js';
import type { Context } from './context.js';
import { checkClass } from './exports.js';

/** docs/export-scope-community.md. */
const EXPORT_SCOPE_SUBTYPE = 0x4a;

export function checkBgp(ctx: Context): void {
  checkBgpPolicies(ctx);
  const { bgp } = ctx.config;
  checkVrfs(ctx, bgp !== undefined);
  if (bgp === undefined) return;
  checkBgpNeighbours(ctx, bgp);
  if (bgp.ipsecCommunitySubType === EXPORT_SCOPE_SUBTYPE) {
    const reason = 'the sub-type of the Export Scope Extended Community';
    ctx.fail(['bgp', 'ipsecCommunitySubType'], { reason, remedy: 'another one, 73 by default' });
  }
  checkBgpProtection(ctx, bgp);
  if (bgp.exportClass !== undefined) checkClass(ctx, ['bgp', 'exportClass'], bgp.exportClass);
  checkNetworks(ctx, ['bgp', 'networks'], bgp.networks);
  checkLabelled(ctx, bgp);
  checkDumps(ctx, bgp);
}

/** Packets come with the label that is told. */
function checkLabelled(ctx: Context, { labelledUnicast = {} }: Bgp): void {
  const { announce } = labelledUnicast;
  if (typeof announce !== 'number') return;
  const { transportLabels = [] } = ctx.config.core;
  if (transportLabels.includes(announce) || !ctx.whole('core', 'transportLabels')) return;
  const reason = 'no transport label of this PE';
  ctx.fail(['bgp', 'labelledUnicast', 'announce'], {
    reason,
    remedy: 'one of core.transportLabels, "implicit-null" or "explicit-null"',
  });
}

function checkVrfs(ctx: Context, whole: boolean): void {
  const rds = new Map<string, { path: Path; vrf: string }>();
  for (const [vrf, { bgp }] of Object.entries(ctx.config.vrfs ?? {})) {
    if (bgp === undefined) continue;
    const path: Path = ['vrfs', vrf, 'bgp'];
    if (!whole && ctx.whole('bgp')) {
      const reason = 'no `bgp` of the whole says AS number and router id';
      ctx.fail(path, { reason, remedy: 'bgp: { asn, routerId }' });
    }
    checkRds(ctx, path, vrf, bgp, rds);
    checkRules(ctx, path, bgp);
    checkRedistribute(ctx, [...path, 'redistribute'], bgp.redistribute);
    checkNetworks(ctx, [...path, 'networks'], bgp.networks);
  }
}

/** An RD tells routes of different VRFs apart: two VRFs that share one hide each other's routes. */
function checkRds(
  ctx: Context,
  path: Path,
  vrf: string,
  { rd, exports = [] }: VrfBgp,
  rds: Map<string, { path: Path; vrf: string }>,
): void {
  const given = [
    { at: [...path, 'rd'], value: rd },
    ...exports.map((rule, i) => ({ at: [...path, 'exports', i, 'rd'], value: rule.rd })),
  ];
  for (const { at, value } of given) {
    if (value === undefined) continue;
    const first = rds.get(value);
    if (first === undefined) rds.set(value, { path: at, vrf });
    else if (first.vrf !== vrf) {
      const reason = `${ctx.at(first.path)} has this route distinguisher`;
      ctx.fail(at, { reason, remedy: 'one of its own for each VRF' });
    }
  }
}

function checkRules(ctx: Context, path: Path, bgp: VrfBgp): void {
  const unique = (
    list: 'imports' | 'exports',
    rules: readonly { readonly name: string }[],
    short: boolean,
  ): void => {
    rules.forEach(({ name }, i) => {
      const taken = rules.findIndex((other) => other.name === name) < i;
      if (!taken && !(short && name === 'default')) return;
      const reason = taken ? 'another rule has this name' : 'the name of the short form';
      ctx.fail([...path, list, i, 'name'], { reason, remedy: 'a name of its own' });
    });
  };
  const { imports = [], exports = [] } = bgp;
  unique('imports', imports, bgp.importTargets !== undefined);
  unique('exports', exports, bgp.exportTargets !== undefined);
  imports.forEach((rule, i) => {
    checkNamed(ctx, [...path, 'imports', i, 'policy'], rule.policy, 'policies');
    checkUnsignalled(ctx, [...path, 'imports', i, 'unsignalled'], rule);
  });
  exports.forEach((rule, i) => {
    checkNamed(ctx, [...path, 'exports', i, 'policy'], rule.policy, 'policies');
    checkRuleClass(ctx, [...path, 'exports', i], rule);
    checkNextHop(ctx, [...path, 'exports', i, 'nextHop'], rule.nextHop);
  });
}

/** A class is stated as a whole: a part of one and a part of another is a class that nobody has looked at. */
function checkRuleClass(ctx: Context, path: Path, { protections, ...rule }: BgpExportRule): void {
  if (protections !== undefined) {
    checkClass(ctx, path, { ...rule, protections });
    return;
  }
  if (ctx.config.bgp?.exportClass === undefined && ctx.whole('bgp')) {
    const reason = 'missing, and no bgp.exportClass says what the rules of this PE ask for';
    ctx.fail([...path, 'protections'], { reason, remedy: 'protections, or bgp.exportClass' });
  }
  for (const key of ['toSps', 'encapsulations', 'clearInsideOwnSp'] as const) {
    if (rule[key] === undefined) continue;
    const reason = 'without protections the class is that of bgp.exportClass, as a whole';
    ctx.fail([...path, key], { reason, remedy: 'remove it, or state protections as well' });
  }
}

const RANK: Readonly<Record<Protection, number>> = {
  ...{ encrypt: 3, authenticate: 2, tunnel: 1, mpls: 1 },
};

/** What is used unasked must reach the floor, or no route without community is ever usable. */
function checkUnsignalled(ctx: Context, path: Path, { floor, unsignalled }: BgpImportRule): void {
  if (floor === undefined || unsignalled === undefined) return;
  if (RANK[unsignalled] >= RANK[floor]) return;
  const reason = `below the floor, "${floor}"`;
  ctx.fail(path, { reason, remedy: `"${floor}", or leave it out` });
}

function checkNextHop(ctx: Context, path: Path, nextHop: string | undefined): void {
  const own = ctx.config.core.tunnelAddresses;
  if (nextHop === undefined || !ctx.whole('core') || own.includes(nextHop)) return;
  const remedy = `one of core.tunnelAddresses: ${own.join(', ')}`;
  ctx.fail(path, { reason: 'no tunnel ends at this address', remedy });
}

function checkRedistribute(ctx: Context, path: Path, sources: BgpRedistribute = {}): void {
  for (const source of ['connected', 'static', 'kernel'] as const) {
    const how = sources[source];
    if (typeof how !== 'object') continue;
    checkNamed(ctx, [...path, source, 'policy'], how.policy, 'policies');
  }
}

function checkNetworks(ctx: Context, path: Path, networks: readonly BgpNetwork[] = []): void {
  networks.forEach(({ prefix, policy }, i) => {
    checkNamed(ctx, [...path, i, 'policy'], policy, 'policies');
    if (networks.findIndex((other) => other.prefix === prefix) < i) {
      ctx.fail([...path, i, 'prefix'], { reason: 'named twice', remedy: 'remove one' });
    }
  });
}

/** Files are written by one dump each; neighbours named by a dump are neighbours. */
function checkDumps(ctx: Context, bgp: Bgp): void {
  const files = new Map<string, Path>();
  const sections = [bgp, ...Object.values(ctx.config.vrfs ?? {}).map((vrf) => vrf.bgp)];
  const known = new Set(
    sections.flatMap((section) =>
      section?.neighbours === undefined ? [] : Object.keys(section.neighbours),
    ),
  );
  for (const [name, dump] of Object.entries(bgp.mrt ?? {})) {
    const path: Path = ['bgp', 'mrt', name];
    // The tables of VRFs are written beside that of the core.
    const tables = dump.what === 'tables' ? Object.keys(ctx.config.vrfs ?? {}) : [];
    const written = [dump.file, ...tables.map((vrf) => `${dump.file}.${vrf}`)];
    const first = written.map((file) => files.get(file)).find((found) => found !== undefined);
    if (first !== undefined) {
      const reason = `${ctx.at(first)} is written there`;
      ctx.fail([...path, 'file'], { reason, remedy: 'a file of its own' });
    }
    for (const file of written) if (!files.has(file)) files.set(file, [...path, 'file']);
    (dump.neighbours ?? []).forEach((neighbour, i) => {
      if (known.has(neighbour) || !ctx.whole('bgp') || !ctx.whole('vrfs')) return;
      ctx.fail([...path, 'neighbours', i], {
        reason: 'no such neighbour',
        remedy: 'the address of a neighbour, or leave it out for all',
      });
    });
  }
}
