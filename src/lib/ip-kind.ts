// SPDX-License-Identifier: Apache-2.0
/** What an IP address may be used for, as far as a router's configuration cares. */

/**
 * 'unspecified' is 0/8 and ::, 'multicast' for IPv4 everything from 224.0.0.0 up but the broadcast
 * address (240/4 is reserved and as unusable), 'ipv4-mapped' ::ffff:0:0/96 (RFC 4291 §2.5.5.2).
 */
export type AddressKind =
  'unicast' | 'unspecified' | 'loopback' | 'multicast' | 'broadcast' | 'link-local' | 'ipv4-mapped';

/** @param address 4 or 16 bytes, network order. */
export function kindOf(address: Uint8Array): AddressKind {
  return address.length === 4 ? kindOf4(address) : kindOf6(address);
}

function kindOf4(address: Uint8Array): AddressKind {
  const [first = 0, second = 0] = address;
  if (first === 0) return 'unspecified'; // RFC 1122 §3.2.1.3: "this network"
  if (first === 127) return 'loopback';
  if (first === 169 && second === 254) return 'link-local';
  if (address.every((byte) => byte === 255)) return 'broadcast';
  return first >= 224 ? 'multicast' : 'unicast';
}

function kindOf6(address: Uint8Array): AddressKind {
  const [first = 0, second = 0] = address;
  const zero = (from: number, to: number): boolean =>
    address.subarray(from, to).every((byte) => byte === 0);
  if (first === 0xff) return 'multicast';
  if (first === 0xfe && (second & 0xc0) === 0x80) return 'link-local';
  if (zero(0, 15) && address[15] === 0) return 'unspecified';
  if (zero(0, 15) && address[15] === 1) return 'loopback';
  return zero(0, 10) && address[10] === 0xff && address[11] === 0xff ? 'ipv4-mapped' : 'unicast';
}
