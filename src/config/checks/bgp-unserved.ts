// SPDX-License-Identifier: Apache-2.0
/**
 * Options that the configuration knows and this version does not act upon: refused, because an operator who
 * sets one relies on it.
 */
import type { VrfBgp } from '../bgp/types.js';
import type { Path } from '../issues.js';
import type { Context } from './context.js';

export function checkUnserved(ctx: Context): void {
  for (const [vrf, { bgp: section }] of Object.entries(ctx.config.vrfs ?? {})) {
    if (section !== undefined) checkVrf(ctx, ['vrfs', vrf, 'bgp'], section);
  }
}

function refuse(ctx: Context, path: Path, what: string, remedy: string): void {
  ctx.fail(path, { reason: `not supported in this version: ${what}`, remedy });
}

function checkVrf(ctx: Context, path: Path, section: VrfBgp): void {
  const { kernel = false } = section.redistribute ?? {};
  if (kernel === false) return;
  const what = "routes of other daemons in the VRF's kernel table are not followed";
  const remedy = 'leave it out; static routes, or BGP with that daemon';
  refuse(ctx, [...path, 'redistribute', 'kernel'], what, remedy);
}
