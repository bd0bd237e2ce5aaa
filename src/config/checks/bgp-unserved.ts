// SPDX-License-Identifier: Apache-2.0
/**
 * Options that the configuration knows and this version does not act upon: refused, because an operator who
 * sets one relies on it.
 */
import type { Bgp, VrfBgp } from '../bgp/types.js';
import type { Path } from '../issues.js';
import type { Context } from './context.js';

export function checkUnserved(ctx: Context, bgp: Bgp | undefined): void {
  if (bgp !== undefined) checkSection(ctx, ['bgp'], bgp);
  for (const [vrf, { bgp: section }] of Object.entries(ctx.config.vrfs ?? {})) {
    if (section === undefined) continue;
    const path: Path = ['vrfs', vrf, 'bgp'];
    checkSection(ctx, path, section);
    checkVrf(ctx, path, section);
  }
}

function refuse(ctx: Context, path: Path, what: string, remedy: string): void {
  ctx.fail(path, { reason: `not supported in this version: ${what}`, remedy });
}

function checkVrf(ctx: Context, path: Path, section: VrfBgp): void {
  const { imports = [], exports = [], labelPer, redistribute } = section;
  checkLabelMode(ctx, [...path, 'labelPer'], labelPer);
  exports.forEach((rule, i) => {
    checkLabelMode(ctx, [...path, 'exports', i, 'labelPer'], rule.labelPer);
  });
  imports.forEach((rule, i) => {
    if (rule.preferProtected !== false) return;
    const what = 'the better protected path always wins';
    refuse(ctx, [...path, 'imports', i, 'preferProtected'], what, 'leave it out');
  });
  const { kernel = false } = redistribute ?? {};
  if (kernel !== false) {
    const what = "routes of other daemons in the VRF's kernel table are not followed";
    const remedy = 'leave it out; static routes, or BGP with that daemon';
    refuse(ctx, [...path, 'redistribute', 'kernel'], what, remedy);
  }
}

function checkLabelMode(ctx: Context, path: Path, mode: VrfBgp['labelPer']): void {
  if (mode === undefined || mode === 'vrf') return;
  const what = 'BGP allocates labels per VRF and export class';
  refuse(ctx, path, what, '"vrf", or leave it out');
}

function checkSection(
  ctx: Context,
  path: Path,
  { maximumPaths = {} }: Pick<VrfBgp, 'maximumPaths'>,
): void {
  for (const kind of ['ebgp', 'ibgp'] as const) {
    if ((maximumPaths[kind] ?? 1) === 1) continue;
    refuse(ctx, [...path, 'maximumPaths', kind], 'packets take the best path alone', '1');
  }
}
