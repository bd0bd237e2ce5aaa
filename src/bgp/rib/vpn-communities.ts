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

export function isVpnCommunity(community: bigint): boolean {
  const type = Number(community >> 56n);
  const subType = Number((community >> 48n) & 0xffn);
  // Bit 0x40 is "non-transitive": such a target is none, but nothing a CE should place either.
  const base = type & 0xbf;
  if (base <= 2 && subType === ROUTE_TARGET) return true;
  if (type === IPSEC_TYPE || type === (IPSEC_TYPE | 0x40)) return true;
  return base === OPAQUE_TRANSITIVE && (subType === COLOR || subType === ENCAPSULATION);
}

export function isSiteOfOrigin(community: bigint): boolean {
  const type = Number(community >> 56n);
  return type <= 2 && Number((community >> 48n) & 0xffn) === SITE_OF_ORIGIN;
}

/** Without what is between PEs, except communities in `keep`. The same object when there is nothing of it. */
export function withoutVpnAttributes(
  attributes: PathAttributes,
  keep: readonly bigint[],
): PathAttributes {
  const { extendedCommunities = [], tunnelEncapsulation, ...rest } = attributes;
  const kept = extendedCommunities.filter((one) => !isVpnCommunity(one) || keep.includes(one));
  if (kept.length === extendedCommunities.length && tunnelEncapsulation === undefined) {
    return attributes;
  }
  return kept.length === 0 ? rest : { ...rest, extendedCommunities: kept };
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
