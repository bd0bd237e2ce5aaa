// SPDX-License-Identifier: Apache-2.0
/** What the writer of BGP's rows asks the rest about: rows of VRFs and next hops, and who may use a route. */
import { FAMILY } from '../../bgp/codec/types.js';
import type { Rib } from '../../bgp/rib/rib.js';
import type { Tables } from '../../forwarding/addon/api.js';
import { prefixKey, type VpnPolicy } from '../../forwarding/rows.js';
import { lastAddress, type Prefix } from '../../lib/ip.js';
import { Changeover, type ChangeoverDeps, type ChangingRoute, type Hop } from './changeover.js';
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
  readonly changeover: Changeover;
}

/** What a route's change of protection asks of the rest. */
export function changeoverOf(
  from: Pick<LookupSources, 'tracker' | 'nexthopRow'> & {
    readonly tables: Pick<Tables, 'lookup'>;
    readonly rib: () => Pick<Rib, 'exportAgain'> | undefined;
    readonly now: () => number;
    readonly after: ChangeoverDeps['after'];
  },
): Changeover {
  const { tracker, tables, nexthopRow } = from;
  return new Changeover({
    ...{ now: from.now, after: from.after },
    installed: (route) => installedHop(tables, route),
    *tunnels(address) {
      for (const { row, ...choice } of tracker.tunnelsTo(address)) {
        yield { ...choice, row: nexthopRow(row) };
      }
    },
    whileWaiting: (choice, old) => tracker.whileWaiting(choice, old),
    isWaiting: (key) => {
      const way = tracker.way(key);
      return 'row' in way && tracker.isWaiting(way.row);
    },
    again: ({ vrf, family, prefix, length }) => {
      const id = family === 4 ? FAMILY.ipv4Unicast : FAMILY.ipv6Unicast;
      from.rib()?.exportAgain(vrf, id, prefix, length);
    },
  });
}

/** The tables know the longest match of an address: a prefix shows at its first or its last one, unless both are hidden. */
function installedHop(
  tables: Pick<Tables, 'lookup'>,
  { vrf, family, prefix, length }: ChangingRoute,
): Hop | undefined {
  for (const address of [prefix, lastAddress({ family, address: prefix, length })]) {
    const row = tables.lookup(vrf, address);
    if (row?.length !== length || row.owner !== 'bgp' || row.ways !== undefined) continue;
    return { row: row.nexthop, label: row.label };
  }
  return undefined;
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
      const row = from.nexthopRow(way.row);
      if (way.kind !== 'tunnel') return { row, strength: 0, waits: false };
      return { row, strength: way.strength, waits: from.tracker.isWaiting(way.row) };
    },
    changeover: from.changeover,
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
