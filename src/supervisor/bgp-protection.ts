// SPDX-License-Identifier: Apache-2.0
/** For `show bgp neighbors`: how it stands with the SA of a session that has to be inside one. */
import { protectedPairs } from '../config/bgp/protect.js';
import { parseAddress } from '../lib/ip.js';
import type { HostPolicies } from './host-policies.js';
import type { IkeService } from './ike-service.js';
import type { Instance } from './instance.js';

export interface ProtectionSource {
  readonly instance: Pick<Instance, 'inForce'>;
  readonly hostPolicies: Pick<HostPolicies, 'get'>;
  readonly ike: Pick<IkeService, 'bgpState'>;
}

/** `address`: of a neighbour of the core; empty: none is asked for. */
export function bgpProtection(
  { instance, hostPolicies, ike }: ProtectionSource,
  address: string,
): string {
  const config = instance.inForce?.plan.config;
  const pair = config && protectedPairs(config).find(({ remote }) => remote === address);
  const local = pair && parseAddress(pair.local);
  const remote = parseAddress(address);
  if (pair === undefined || local === undefined || remote === undefined) return '';
  const { toPort = 0, fromPort = 0 } = hostPolicies.get(local, remote) ?? {};
  return ike.bgpState(pair, toPort + fromPort > 0);
}
