// SPDX-License-Identifier: Apache-2.0
/** What the writer of BGP's rows asks the rest about: rows of VRFs and next hops, and who may use a route. */
import { FAMILY } from '../../bgp/codec/types.js';
import type { Rib } from '../../bgp/rib/rib.js';
import type { Tables } from '../../forwarding/addon/api.js';
import { prefixKey, type VpnPolicy } from '../../forwarding/rows.js';
import type { Prefix } from '../../lib/ip.js';
import type { FibLookups } from './fib-writer.js';
import type { Tracker } from './tracker.js';

export interface LookupSources {
  readonly tracker: Tracker;
  readonly tables: Pick<Tables, 'acceptSet'>;
  /** Row of a next hop by name; made when it is not there. */
  readonly nexthopRow: (name: string) => number;
  readonly rib: () => Pick<Rib, 'nextHop' | 'exportedBy'> | undefined;
  readonly inForce: () =>
    | {
        readonly policy: VpnPolicy;
        /** Row by which a VRF reaches a prefix of its own. */
        readonly ownRow: (vrf: string, family: 4 | 6, key: string) => number | undefined;
      }
    | undefined;
  readonly vrfName: (id: number) => string | undefined;
}

export function fibLookups(from: LookupSources): FibLookups {
  const exportedBy = (vrf: number, { family, address, length }: Prefix): ReadonlySet<string> => {
    const id = family === 4 ? FAMILY.ipv4Unicast : FAMILY.ipv6Unicast;
    return from.rib()?.exportedBy(vrf, id, address, length) ?? new Set();
  };
  return {
    vrfRow: (vrf) => (from.vrfName(vrf) === undefined ? undefined : vrf),
    key: (nextHop) => from.rib()?.nextHop(nextHop),
    way(key) {
      const way = from.tracker.way(key);
      if (!('row' in way)) return undefined;
      return { row: from.nexthopRow(way.row), strength: way.kind === 'tunnel' ? way.strength : 0 };
    },
    accept(vrf, family, prefix, length) {
      const name = from.vrfName(vrf);
      const policy = from.inForce()?.policy;
      if (name === undefined || policy === undefined) return 0;
      const route = { family, address: prefix.slice(), length };
      return from.tables.acceptSet(policy.acceptOf(name, route, () => exportedBy(vrf, route)));
    },
    ownRow(vrf, family, prefix, length) {
      const name = from.vrfName(vrf);
      const key = prefixKey({ address: prefix, length });
      return name === undefined ? undefined : from.inForce()?.ownRow(name, family, key);
    },
  };
}
