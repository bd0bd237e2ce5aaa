// SPDX-License-Identifier: Apache-2.0
/** What passing routes on as next hop depends on, and to whom neighbours of the configuration belong. */
import type { IpsecCommunityFormat } from '../../bgp/codec/communities/ipsec.js';
import type { NextHopKey } from '../../bgp/rib/next-hops.js';
import type { EstablishedPeer } from '../../bgp/types.js';
import type { ConfiguredNeighbour } from '../../config/bgp/resolve.js';
import type { SpNumbers } from '../../config/sp-numbers.js';
import type {
  BgpAccepts,
  BgpNeighbourOptions,
  Config,
  Encapsulation,
  Protection,
} from '../../config/types.js';
import { covers, hostPrefix, parseAddress, parsePrefix } from '../../lib/ip.js';
import type { RouteLabels } from '../route-labels.js';
import type { SpTables } from '../sp-tables.js';
import type { Ingress } from './ingress.js';

export interface TransitContext {
  readonly config: Config;
  readonly sps: SpTables;
  readonly numbers: SpNumbers;
  readonly ipsec: IpsecCommunityFormat;
  readonly ingress: Ingress;
  readonly routeLabels: Pick<RouteLabels, 'ask'>;
  /** SP of a far end of tunnels; undefined: of none. */
  readonly spOf: (remote: string) => string | undefined;
  /** By the name that a session has of its configuration. */
  readonly neighbour: (configured: string) => ConfiguredNeighbour | undefined;
  /** Name of the next hop's row; undefined: there is no way. */
  readonly row: (key: NextHopKey) => string | undefined;
}

/** Who is told. */
export interface Audience {
  readonly sp: string;
  /** Of the neighbour; undefined: see BgpNeighbourOptions. */
  readonly accepts: BgpAccepts | undefined;
  /** Core interface of another SP's neighbour on which plain MPLS may come; undefined: on none. */
  readonly mplsInterface: string | undefined;
  /** 4 or 16 octets. */
  readonly nextHop: Uint8Array | undefined;
}

export const BOTH: readonly Encapsulation[] = ['gre', 'ip'];

/** What may be signalled to an audience; undefined: whatever a route came with. */
export const offeredTo = (
  { sp, accepts }: Pick<Audience, 'sp' | 'accepts'>,
  own: string,
): readonly Protection[] | undefined =>
  accepts?.protections ?? (sp === own ? undefined : ['encrypt']);

export function audienceOf(
  config: Config,
  { sp, accepts, vpnNextHop }: BgpNeighbourOptions,
  peer: EstablishedPeer,
): Audience {
  const its = peer.kind === 'ebgp' ? (sp ?? config.ownSp) : config.ownSp;
  return {
    sp: its,
    accepts,
    mplsInterface: its === config.ownSp ? undefined : mplsInterface(config, peer.address),
    nextHop: parseAddress(vpnNextHop ?? config.core.tunnelAddresses[0] ?? ''),
  };
}

/** The core interface for plain MPLS with another SP on whose subnet a neighbour is. */
function mplsInterface(config: Config, address: Uint8Array): string | undefined {
  const host = hostPrefix(address);
  if (host === undefined) return undefined;
  const found = Object.entries(config.interfaces).find(([, one]) => {
    if (one.role !== 'core' || one.mpls !== 'other-sp') return false;
    return one.addresses.some((text) => {
      const subnet = parsePrefix(text);
      return subnet !== undefined && covers(subnet, host);
    });
  });
  return found?.[0];
}
