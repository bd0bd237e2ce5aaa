// SPDX-License-Identifier: Apache-2.0
/**
 * The attributes by which PEs speak to each other and in which CEs have no say (policy-model 13): route
 * targets, IPsec policy, Encapsulation, Color, and the Tunnel Encapsulation attribute; of the attributes that
 * this speaker only passes on, those by which PEs say where a VPN route leads.
 */
import type { PathAttributes } from '../codec/types.js';

/** Type octet of the IPsec Extended Community, whatever its sub-type. */
const IPSEC_TYPE = 0x83;
const OPAQUE_TRANSITIVE = 0x03;
const COLOR = 0x0b; // RFC 9012 §4.3
const ENCAPSULATION = 0x0c; // RFC 9012 §4.1
const ROUTE_TARGET = 0x02;
const SITE_OF_ORIGIN = 0x03;

/** Route targets of IPv6 form among them (RFC 5701 §2). */
const IPV6_EXTENDED_COMMUNITIES = 25;
/** PMSI Tunnel (RFC 6514 §5), Prefix-SID with its SRv6 services (RFC 8669, 9252 §2), ATTR_SET (RFC 6368 §3). */
const BETWEEN_PES: readonly number[] = [22, 40, 128];

/** What a neighbour that is a CE may be allowed to place and to see. */
export type VpnMatter = 'route-target' | 'ipsec' | 'encapsulation' | 'color';

/** undefined: an extended community that is no VPN matter. */
export function vpnMatterOf(community: bigint): VpnMatter | undefined {
  const type = Number(community >> 56n);
  const subType = Number((community >> 48n) & 0xffn);
  // Bit 0x40 is "non-transitive": such a target is none, but nothing a CE should place either.
  const base = type & 0xbf;
  if (base <= 2 && subType === ROUTE_TARGET) return 'route-target';
  if (type === IPSEC_TYPE || type === (IPSEC_TYPE | 0x40)) return 'ipsec';
  if (base !== OPAQUE_TRANSITIVE) return undefined;
  if (subType === COLOR) return 'color';
  return subType === ENCAPSULATION ? 'encapsulation' : undefined;
}

export function isSiteOfOrigin(community: bigint): boolean {
  const type = Number(community >> 56n);
  return type <= 2 && Number((community >> 48n) & 0xffn) === SITE_OF_ORIGIN;
}

/**
 * Without what is between PEs, except what is in `keep`; 'encapsulation' is the Tunnel Encapsulation attribute
 * too. The same object when there is nothing of it.
 */
export function withoutVpnAttributes(
  attributes: PathAttributes,
  keep: readonly VpnMatter[],
): PathAttributes {
  const { extendedCommunities = [], tunnelEncapsulation, others = [], ...rest } = attributes;
  const kept = extendedCommunities.filter((one) => {
    const matter = vpnMatterOf(one);
    return matter === undefined || keep.includes(matter);
  });
  const tunnelKept = tunnelEncapsulation === undefined || keep.includes('encapsulation');
  const othersKept = others.filter(({ type }) => {
    if (type === IPV6_EXTENDED_COMMUNITIES) return keep.includes('route-target');
    return !BETWEEN_PES.includes(type);
  });
  const all = kept.length === extendedCommunities.length && othersKept.length === others.length;
  if (all && tunnelKept) return attributes;
  return {
    ...rest,
    ...(kept.length > 0 && { extendedCommunities: kept }),
    ...(tunnelKept && tunnelEncapsulation !== undefined && { tunnelEncapsulation }),
    ...(othersKept.length > 0 && { others: othersKept }),
  };
}

/** The attributes without some of them. */
export function without(
  attributes: PathAttributes,
  names: readonly Exclude<keyof PathAttributes, 'origin' | 'asPath'>[],
): PathAttributes {
  const left: { -readonly [Key in keyof PathAttributes]: PathAttributes[Key] } = { ...attributes };
  for (const name of names) Reflect.deleteProperty(left, name);
  return left;
}
