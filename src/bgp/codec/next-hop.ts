// SPDX-License-Identifier: Apache-2.0
/**
 * Network Address of Next Hop in MP_REACH_NLRI, by its length:
 *
 *      4   IPv4                          RFC 4760, 8277, 4684
 *     12   RD 0, IPv4                    RFC 4364 §4.3.2
 *     16   IPv6                          RFC 2545, 8950
 *     24   RD 0, IPv6                    RFC 4659 §3.2.1, 8950
 *     32   IPv6, IPv6 link-local         RFC 2545 §3
 *     48   RD 0, IPv6, RD 0, link-local  RFC 4659 §3.2.1.1
 */
import { hasFamily } from './families.js';
import { type FamilyId, FAMILIES, type UpdateContext } from './types.js';

/** Where the addresses lie behind the start of the field. */
export interface NextHopLayout {
  readonly at: number;
  readonly size: 4 | 16;
  /** Of the link-local address; -1: none. */
  readonly linkLocalAt: number;
}

const PLAIN: Readonly<Record<number, NextHopLayout>> = {
  4: { at: 0, size: 4, linkLocalAt: -1 },
  16: { at: 0, size: 16, linkLocalAt: -1 },
  32: { at: 0, size: 16, linkLocalAt: 16 },
};
const WITH_RD: Readonly<Record<number, NextHopLayout>> = {
  12: { at: 8, size: 4, linkLocalAt: -1 },
  24: { at: 8, size: 16, linkLocalAt: -1 },
  48: { at: 8, size: 16, linkLocalAt: 32 },
};

const isVpn = (family: FamilyId): boolean => FAMILIES[family].safi === 128;

/** How a next hop of `length` octets is laid out; undefined: no such next hop exists in this family. */
export function nextHopLayout(family: FamilyId, length: number): NextHopLayout | undefined {
  const layout = (isVpn(family) ? WITH_RD : PLAIN)[length];
  // IPv6 routes have IPv6 next hops, mapped when the core is IPv4; route targets have either.
  const needs6 = FAMILIES[family].afi === 2;
  return needs6 && layout?.size === 4 ? undefined : layout;
}

/** Whether a next hop of this size was agreed: IPv6 ones for IPv4 routes need RFC 8950. */
export function nextHopAgreed(family: FamilyId, size: 4 | 16, context: UpdateContext): boolean {
  const { afi, safi } = FAMILIES[family];
  return size === 4 || afi === 2 || safi === 132 || hasFamily(context.extendedNextHop, family);
}

/**
 * The field for an address of 4 or 16 octets. An IPv4 address of an IPv6 route is mapped (RFC 4659
 * §3.2.1.2, 4798 §2). Throws RangeError for other sizes.
 */
export function encodeNextHop(
  family: FamilyId,
  address: Uint8Array,
  linkLocal?: Uint8Array,
): Uint8Array {
  if (address.length !== 4 && address.length !== 16) {
    throw new RangeError(`a next hop of ${address.length} octets`);
  }
  const global = FAMILIES[family].afi === 2 && address.length === 4 ? mapped(address) : address;
  const addresses = linkLocal === undefined ? [global] : [global, linkLocal];
  const rd = isVpn(family) ? 8 : 0;
  const step = rd + global.length;
  const field = new Uint8Array(step * addresses.length);
  addresses.forEach((one, i) => {
    field.set(one, i * step + rd);
  });
  return field;
}

function mapped(address: Uint8Array): Uint8Array {
  const out = new Uint8Array(16);
  out.fill(0xff, 10, 12);
  out.set(address, 12);
  return out;
}
