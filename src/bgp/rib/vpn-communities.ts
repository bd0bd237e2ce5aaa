// SPDX-License-Identifier: Apache-2.0
/**
 * The attributes by which PEs speak to each other and in which CEs have no say (policy-model 13): route
 * targets, IPsec policy, Encapsulation, Color, and the Tunnel Encapsulation attribute.
 */
import type { PathAttributes } from '../codec/types.js';

/** Type octet of the IPsec Extended Community, whatever its sub-type. */
const IPSEC_TYPE = 0x83;
const OPAQUE_TRANSITIVE = 0x03;
const COLOR = 0x0b; // RFC 9012 §4.3
const ENCAPSULATION = 0x0c; // RFC 9012 §4.1
const ROUTE_TARGET = 0x02;
const SITE_OF_ORIGIN = 0x03;

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
  const { extendedCommunities = [], tunnelEncapsulation, ...rest } = attributes;
  const kept = extendedCommunities.filter((one) => {
    const matter = vpnMatterOf(one);
    return matter === undefined || keep.includes(matter);
  });
  const tunnelKept = tunnelEncapsulation === undefined || keep.includes('encapsulation');
  if (kept.length === extendedCommunities.length && tunnelKept) return attributes;
  return {
    ...rest,
    ...(kept.length > 0 && { extendedCommunities: kept }),
    ...(tunnelKept && tunnelEncapsulation !== undefined && { tunnelEncapsulation }),
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
