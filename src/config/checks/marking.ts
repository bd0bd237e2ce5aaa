// SPDX-License-Identifier: Apache-2.0
/** DSCP, traffic class and ECN: what goes with what. */
import type { Context } from './context.js';

const DSCP = /^(0|[1-9][0-9]?)$/;

export function checkMarking(ctx: Context): void {
  for (const dscp of Object.keys(ctx.config.core.trafficClasses ?? {})) {
    if (DSCP.test(dscp) && Number(dscp) < 64) continue;
    ctx.fail(['core', 'trafficClasses', dscp], { reason: 'no DSCP', remedy: '0..63: TC 0..7' });
  }
  for (const [name, vrf] of Object.entries(ctx.config.vrfs ?? {})) {
    if (vrf.dscp === undefined || vrf.trafficClass === 'pipe') continue;
    const reason = 'TC and outer DSCP follow from the packet in this model';
    ctx.fail(['vrfs', name, 'dscp'], { reason, remedy: 'remove it, or trafficClass: "pipe"' });
  }
  for (const [name, tunnel] of Object.entries(ctx.config.tunnels ?? {})) {
    if (tunnel.ecn === undefined || tunnel.protection !== 'mpls') continue;
    const reason = 'plain MPLS has no outer IP header';
    ctx.fail(['tunnels', name, 'ecn'], { reason, remedy: 'remove it' });
  }
}
