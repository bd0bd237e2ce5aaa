// SPDX-License-Identifier: Apache-2.0
/** What of the configuration concerns the speaker as a whole. */
import type { RibOptions } from '../../bgp/rib/api.js';
import { DEFAULT_DECISION } from '../../bgp/rib/decision.js';
import { PrefixIndex } from '../../config/prefix-index.js';
import type { Bgp, Config } from '../../config/types.js';
import { parseRouterId } from '../../lib/bgp-words.js';
import { networkOf, parseAddress, parsePrefix } from '../../lib/ip.js';

/** Work per slice; the event loop has other things to do (architecture: at most 10 ms). */
const SLICE_MS = 8;
const ROUTE_TARGET_WAIT_MS = 5_000;

/** What speaker and RIB are made with, and cannot change while they run. */
export function identityOf(bgp: Bgp): string {
  return JSON.stringify([
    ...[bgp.asn, bgp.routerId, bgp.clusterId ?? '', bgp.port ?? 179],
    ...[bgp.keepAllVpnRoutes ?? false, bgp.alwaysCompareMed ?? false],
  ]);
}

export const routerIdOf = (bgp: Bgp): number => parseRouterId(bgp.routerId) ?? 0;

export function ribOptions(bgp: Bgp): RibOptions {
  return {
    ...{ asn: bgp.asn, routerId: routerIdOf(bgp) },
    clusterId: parseRouterId(bgp.clusterId ?? bgp.routerId) ?? routerIdOf(bgp),
    decision: { ...DEFAULT_DECISION, alwaysCompareMed: bgp.alwaysCompareMed ?? false },
    retainVpn: bgp.keepAllVpnRoutes ?? false,
    ...{ sliceMs: SLICE_MS, routeTargetWaitMs: ROUTE_TARGET_WAIT_MS },
  };
}

/**
 * The SP that a PE's tunnel address belongs to (policy-model 14): the provider of `ike` whose ranges hold it, else that
 * of the manual SAs from there. An address in nobody's ranges belongs to no SP where our own SP's ranges are configured
 * (policy-model 10); where they are not, it is our own. What its packets may use is decided by the SA they come out of,
 * whose SP its certificate proved; the two agree, because a certificate is good for its provider's ranges alone.
 */
export function spOfRemotes(config: Config): (remote: string) => string | undefined {
  const providers = config.ike?.providers ?? {};
  const ranges = new PrefixIndex<string>();
  for (const [sp, provider] of Object.entries(providers)) {
    for (const range of provider.ranges) {
      const prefix = parsePrefix(range);
      if (prefix !== undefined) ranges.add(networkOf(prefix), sp);
    }
  }
  const manual = new Map<string, string>();
  for (const sa of Object.values(config.manualSas ?? {})) {
    if (sa.direction === 'in' && sa.sp !== undefined) manual.set(sa.remote, sa.sp);
  }
  const outside = Object.hasOwn(providers, config.ownSp) ? undefined : config.ownSp;
  return (remote) => {
    const address = parseAddress(remote);
    const sp = address && ranges.longest(address);
    return sp ?? manual.get(remote) ?? outside;
  };
}
