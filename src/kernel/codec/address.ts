// SPDX-License-Identifier: Apache-2.0
/**
 * Addresses of devices: RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR (linux/if_addr.h), host byte order.
 *
 *  +---------------+---------------+---------------+---------------+
 *  | ifa_family    | ifa_prefixlen | ifa_flags     | ifa_scope     |
 *  +---------------+---------------+---------------+---------------+
 *  | ifa_index                                                     |
 *  +---------------------------------------------------------------+
 *  | attributes IFA_*                                              |
 *  +---------------------------------------------------------------+
 *
 * IFA_LOCAL is the own address; IFA_ADDRESS the prefix's, on a point-to-point link the peer's.
 * IPv6 without a peer has IFA_ADDRESS alone. IFA_FLAGS holds what ifa_flags has no room for.
 */
import { hostPrefix, isLinkLocal, lastAddress, type Prefix } from '../../lib/ip.js';
import {
  attributeAddress,
  attributeU32,
  AttributeWriter,
  decodeAttributes,
  viewOf,
} from './attribute.js';
import { AF, IFA_F, RT_SCOPE } from './constants.js';

const HEADER = 8;
const IFA = { ADDRESS: 1, LOCAL: 2, BROADCAST: 4, FLAGS: 8, RT_PRIORITY: 9 } as const;

export interface InterfaceAddress {
  readonly index: number;
  readonly prefix: Prefix;
  /** IFA_F_*. */
  readonly flags: number;
  /** RT_SCOPE_*. */
  readonly scope: number;
}

export function decodeAddress(payload: Uint8Array): InterfaceAddress | undefined {
  const attributes = payload.length < HEADER ? undefined : decodeAttributes(payload, HEADER);
  if (attributes === undefined) return undefined;
  const address =
    attributeAddress(attributes, IFA.LOCAL) ?? attributeAddress(attributes, IFA.ADDRESS);
  const [family, length = 0, flags = 0, scope = 0] = payload;
  const host = address && hostPrefix(address);
  if (host?.family !== (family === AF.INET ? 4 : 6) || length > host.length) return undefined;
  return {
    index: viewOf(payload).getUint32(4, true),
    prefix: { ...host, length },
    flags: attributeU32(attributes, IFA.FLAGS) ?? flags,
    scope,
  };
}

/** RTM_GETADDR of all devices (a dump). */
export function encodeGetAddresses(): Uint8Array {
  return new Uint8Array(HEADER);
}

/** Link-local addresses (fe80::/10, 169.254/16) have link scope, 127/8 host scope. */
function scopeOf(address: Uint8Array): number {
  const [first, second] = address;
  if (address.length === 4 && first === 127) return RT_SCOPE.HOST;
  const link = isLinkLocal(address) || (address.length === 4 && first === 169 && second === 254);
  return link ? RT_SCOPE.LINK : RT_SCOPE.UNIVERSE;
}

/** RTM_NEWADDR or RTM_DELADDR. IPv6 addresses skip duplicate address detection: usable at once. */
export function encodeAddress(index: number, prefix: Prefix): Uint8Array {
  const { address, length } = prefix;
  const ipv6 = address.length === 16;
  const header = Uint8Array.of(ipv6 ? AF.INET6 : AF.INET, length, 0, scopeOf(address), 0, 0, 0, 0);
  viewOf(header).setUint32(4, index, true);
  const writer = new AttributeWriter(header);
  writer.bytes(IFA.LOCAL, address).bytes(IFA.ADDRESS, address);
  if (ipv6) writer.u32(IFA.FLAGS, IFA_F.NODAD);
  else if (length < 31) writer.bytes(IFA.BROADCAST, lastAddress(prefix));
  return writer.finish();
}
