// SPDX-License-Identifier: Apache-2.0
/** Pairs of SA rows that IKE made, and those that a supervisor finds when it starts. */
import type { Tables } from '../forwarding/addon/api.js';
import type { EspOverhead } from '../lib/esp-suites.js';
import { formatAddress } from '../lib/ip.js';
import { overheadOf, pairKeys } from './ike-sa-row.js';
import type { SaDirection } from './sa-rows.js';

const PREFIX = 'ike/';

/** No configured name has a slash. */
export const isIkeRow = (name: string): boolean => name.startsWith(PREFIX);

export interface Pair {
  /** Of both rows. */
  readonly name: string;
  /** What tunnels and host policies find it by. */
  readonly keys: readonly string[];
  /** Of the outbound row. */
  readonly esp: EspOverhead;
  /** Tunnel address of the other end. */
  readonly remote: string;
  readonly inboundSpi: number;
  readonly outboundSpi: number;
  /** RFC 9611: which of several with the same keys. */
  readonly resource: number;
  /** When it was found: a next hop, a host policy or another SA's share leads to it. */
  readonly inUse: boolean;
  /** An IKE SA holds it. */
  isClaimed: boolean;
  /** {@link ChildSas.remove} was called. */
  isGoing: boolean;
}

export interface Found {
  readonly pairs: readonly Pair[];
  /** Rows whose other direction is gone: a supervisor died between the two. */
  readonly halves: readonly { readonly direction: SaDirection; readonly name: string }[];
}

/** What an earlier supervisor left. */
export function foundPairs(tables: Tables): Found {
  const inbound = new Map(tables.sas('in').map((row) => [row.name, row]));
  const used = new Set([
    ...tables.nexthops().flatMap(({ active }) => (active?.kind === 'tunnel' ? [active.sa] : [])),
    ...tables.hostPolicies().flatMap(({ toPort, fromPort }) => [toPort, fromPort]),
    ...tables.sas('out').flatMap(({ id }) => tables.saShares(id)),
  ]);
  const pairs: Pair[] = [];
  const halves: Found['halves'][number][] = [];
  for (const out of tables.sas('out')) {
    if (!isIkeRow(out.name)) continue;
    const other = inbound.get(out.name);
    inbound.delete(out.name);
    if (other === undefined) {
      halves.push({ direction: 'out', name: out.name });
      continue;
    }
    pairs.push({
      ...{ name: out.name, keys: pairKeys(out), esp: overheadOf(out) },
      remote: formatAddress(out.destination),
      ...{ inboundSpi: other.spi, outboundSpi: out.spi, resource: out.resource ?? 0 },
      ...{ inUse: used.has(out.id), isClaimed: false, isGoing: false },
    });
  }
  for (const { name } of inbound.values()) {
    if (isIkeRow(name)) halves.push({ direction: 'in', name });
  }
  return { pairs, halves };
}
