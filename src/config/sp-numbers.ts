// SPDX-License-Identifier: Apache-2.0
/**
 * Numbers by which routers of different SPs name an SP on the wire (docs/ipsec-extended-community.md §1): an AS number
 * of 4 octets each, from `sps`, else that of our own AS or of an SP's only AS among our neighbours.
 */
import { neighboursOf } from './bgp/resolve.js';
import type { Config } from './types.js';

export interface SpNumbers {
  /** undefined: not known; without BGP not even the own one is. */
  readonly own: number | undefined;
  /** By name; undefined: not said, and not to be seen from the neighbours. */
  of(sp: string): number | undefined;
  /** An AS that is known to be another SP's. */
  isForeignAs(asn: number): boolean;
}

/** Expects a checked configuration. */
export function spNumbers(config: Config): SpNumbers {
  const { sps = {}, ownSp, otherSps = [], bgp } = config;
  const ases = neighbourAses(config);
  const of = (sp: string): number | undefined => {
    const given = sps[sp]?.number;
    if (given !== undefined) return given;
    if (sp === ownSp) return bgp?.asn;
    const [only, ...more] = ases.get(sp) ?? [];
    return more.length === 0 ? only : undefined;
  };
  const foreign = new Set<number>();
  for (const sp of otherSps) {
    const number = of(sp);
    if (number !== undefined) foreign.add(number);
    for (const asn of [...(sps[sp]?.asns ?? []), ...(ases.get(sp) ?? [])]) foreign.add(asn);
  }
  for (const asn of [...(sps[ownSp]?.asns ?? []), bgp?.asn ?? 0]) foreign.delete(asn);
  return { own: of(ownSp), of, isForeignAs: (asn) => foreign.has(asn) };
}

/** ASes of the neighbours in the core, by the SP they are said to be of. */
function neighbourAses(config: Config): ReadonlyMap<string, ReadonlySet<number>> {
  const found = new Map<string, Set<number>>();
  for (const { vrf, sp, asn } of neighboursOf(config)) {
    if (vrf !== undefined || sp === undefined || asn === 'external') continue;
    const ases = found.get(sp) ?? new Set();
    for (const one of typeof asn === 'number' ? [asn] : asn) ases.add(one);
    found.set(sp, ases);
  }
  return found;
}
