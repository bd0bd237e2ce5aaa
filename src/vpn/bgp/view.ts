// SPDX-License-Identifier: Apache-2.0
/** What `show` reads of BGP: the parts that run, and next hops in words. Nothing here changes anything. */
import type { IpsecCommunityFormat } from '../../bgp/codec/communities/ipsec.js';
import type { NextHopKey } from '../../bgp/rib/next-hops.js';
import type { RouteView } from '../../bgp/rib/query.js';
import type { Rib } from '../../bgp/rib/rib.js';
import type { BgpSpeaker } from '../../bgp/session/speaker.js';
import type { DesiredNexthop } from '../../forwarding/rows.js';
import type { ImportExplained } from './explain.js';
import { isUsable, type Tracker } from './tracker.js';

/** Where a next hop leads. `reason`: why it does not; empty when it does. */
export interface WayWords {
  /** Name of the tunnel, or of the interface towards the CE or into the core; empty: ourselves, or none. */
  readonly way: string;
  readonly reason: string;
}

export interface BgpView {
  readonly rib: Rib;
  readonly speaker: Pick<BgpSpeaker, 'show' | 'clear' | 'clearSoft'>;
  readonly ipsec: IpsecCommunityFormat;
  /** Names of VRFs by their number in the RIB. */
  readonly vrfs: ReadonlyMap<number, string>;
  /** State of the BFD session of a neighbour; undefined: it has none. */
  readonly bfd: (neighbour: string) => string | undefined;
  /** undefined: ourselves. */
  readonly way: (hop: NextHopKey | undefined) => WayWords;
  /** Why an imported route of a VRF is sent the way it is; undefined: no import rule takes it. */
  readonly explainImport: (vrf: string, route: RouteView) => ImportExplained | undefined;
}

/** `nexthop`: tunnels and adjacencies as they are now. */
export function wayWords(
  tracker: Pick<Tracker, 'way'>,
  nexthop: (name: string) => DesiredNexthop | undefined,
  hop: NextHopKey | undefined,
): WayWords {
  if (hop === undefined) return { way: '', reason: '' };
  const way = tracker.way(hop);
  if (way.kind === 'none') return { way: '', reason: way.why };
  if (way.kind === 'core') return { way: way.interface, reason: '' };
  if (way.kind === 'gateway') return { way: way.gateway.interface, reason: '' };
  const name = way.row.slice(way.row.indexOf('/') + 1);
  const row = nexthop(way.row);
  if (isUsable(row)) return { way: name, reason: '' };
  const why = row?.why ?? '';
  return { way: name, reason: `tunnel ${name} is down${why === '' ? '' : `: ${why}`}` };
}
