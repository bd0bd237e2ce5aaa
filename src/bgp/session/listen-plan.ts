// SPDX-License-Identifier: Apache-2.0
/** Which sockets listen, and whom each may let in: decided from the neighbours alone. */
import { covers, equalBytes, type Family, formatAddress, hostPrefix } from '../../lib/ip.js';
import type { ResolvedNeighbor } from './config.js';

/** One listening socket. */
export interface ListenPlace {
  readonly key: string;
  readonly vrf: string | undefined;
  /** All zeros: any address of the family. */
  readonly local: Uint8Array;
  /** Smallest of its neighbours': the handshake says it before anybody knows which it is. */
  readonly maxSegment: number | undefined;
}

const familyOfNeighbor = ({ address, prefix }: ResolvedNeighbor): Family =>
  prefix?.family ?? (address?.length === 4 ? 4 : 6);

const place = (
  vrf: string | undefined,
  local: Uint8Array,
  maxSegment: number | undefined,
): ListenPlace => ({
  key: `${vrf ?? ''}|${formatAddress(local)}`,
  vrf,
  local,
  maxSegment,
});

const smaller = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);

/**
 * One place per VRF and local address. A neighbour without a local address needs any address of its
 * family, which the kernel does not bind beside a single one: that place then serves all of the family.
 */
export function listenPlaces(neighbors: readonly ResolvedNeighbor[]): ListenPlace[] {
  const places = new Map<string, ListenPlace>();
  const any = new Set<string>();
  const group = (neighbor: ResolvedNeighbor): string =>
    `${neighbor.vrf ?? ''}|${familyOfNeighbor(neighbor)}`;
  for (const neighbor of neighbors) {
    if (neighbor.localAddress === undefined) any.add(group(neighbor));
  }
  for (const neighbor of neighbors) {
    const zeros = new Uint8Array(familyOfNeighbor(neighbor) === 4 ? 4 : 16);
    const wide = any.has(group(neighbor)) || neighbor.localAddress === undefined;
    const local = wide ? zeros : neighbor.localAddress;
    const found = place(neighbor.vrf, local, neighbor.maxSegment);
    const maxSegment = smaller(places.get(found.key)?.maxSegment, found.maxSegment);
    places.set(found.key, { ...found, maxSegment });
  }
  return [...places.values()];
}

/** Whether a place lets this neighbour's connections in (its keys have to be there). */
export function serves(where: ListenPlace, neighbor: ResolvedNeighbor): boolean {
  if (where.vrf !== neighbor.vrf) return false;
  if ((where.local.length === 4 ? 4 : 6) !== familyOfNeighbor(neighbor)) return false;
  const any = where.local.every((byte) => byte === 0);
  return any || (neighbor.localAddress && equalBytes(where.local, neighbor.localAddress)) === true;
}

export interface Arrival {
  readonly vrf: string | undefined;
  readonly remote: Uint8Array;
  readonly local: Uint8Array;
  readonly synTtl: number;
}

/** The neighbour a connection belongs to: one with this address, else the longest prefix. */
export function neighborFor(
  neighbors: readonly ResolvedNeighbor[],
  arrival: Arrival,
): ResolvedNeighbor | undefined {
  const here = neighbors.filter(
    ({ vrf, localAddress }) =>
      vrf === arrival.vrf &&
      (localAddress === undefined || equalBytes(localAddress, arrival.local)),
  );
  const host = hostPrefix(arrival.remote);
  const found =
    here.find(({ address }) => address !== undefined && equalBytes(address, arrival.remote)) ??
    here
      .filter(({ prefix }) => prefix !== undefined && host && covers(prefix, host))
      .sort((a, b) => (b.prefix?.length ?? 0) - (a.prefix?.length ?? 0))[0];
  // RFC 5082 §3: the first segment shows how far away the peer is, before the option is on its socket.
  const least = found?.ttlSecurity === undefined ? 0 : 256 - found.ttlSecurity;
  return arrival.synTtl >= least ? found : undefined;
}
