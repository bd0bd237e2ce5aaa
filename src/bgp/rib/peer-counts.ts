// SPDX-License-Identifier: Apache-2.0
/** What `show bgp neighbors` says of a neighbour's routes. */
import { FAMILY_IDS, hasFamily } from '../codec/families.js';
import type { FamilyId } from '../codec/types.js';
import type { Peer } from './peers.js';

export interface FamilyCounts {
  readonly family: FamilyId;
  /** Routes held; rejected ones only if the neighbour is configured to keep them. */
  readonly routes: number;
  readonly rejected: number;
  /** Some of them are from before a restart, or await their refresh. */
  readonly stale: boolean;
  readonly endOfRib: boolean;
  /** Routes its update group tells. */
  readonly told: number;
}

export interface PeerCounts {
  readonly up: boolean;
  /** Of all sessions since the neighbour's first route. */
  readonly updates: number;
  readonly announcements: number;
  readonly withdrawals: number;
  /** UPDATEs with errors that RFC 7606 tolerates. */
  readonly tolerated: number;
  /** Routes refused for a loop. */
  readonly loops: number;
  readonly families: readonly FamilyCounts[];
}

export function peerCounts(peer: Peer, told: ReadonlyMap<FamilyId, number>): PeerCounts {
  const families = FAMILY_IDS.filter(
    (family) => hasFamily(peer.info.context.families, family) || (peer.routes[family] ?? 0) > 0,
  );
  return {
    up: peer.up,
    updates: peer.updates,
    announcements: peer.announcements,
    withdrawals: peer.withdrawals,
    tolerated: peer.tolerated,
    loops: peer.loops,
    families: families.map((family) => ({
      family,
      routes: peer.routes[family] ?? 0,
      rejected: peer.rejected[family] ?? 0,
      stale: peer.hasStale(family),
      endOfRib: hasFamily(peer.endOfRib, family),
      told: told.get(family) ?? 0,
    })),
  };
}
