// SPDX-License-Identifier: Apache-2.0
/**
 * Ethernet headers of next hops, and what else of a template follows from addresses.
 *
 *    0      6      12              16           (with an 802.1Q tag; without: EtherType at 12)
 *   +------+------+---------------+-----------+
 *   | dst  | src  | 0x8100 | VID  | EtherType |
 *   +------+------+---------------+-----------+
 */
import type { Family } from '../lib/ip.js';

/** What an Ethernet frame carries; `mpls`: a label stack (RFC 3032 section 5). */
export type Payload = Family | 'mpls';
const ETHERTYPE: Readonly<Record<Payload, number>> = { 4: 0x0800, 6: 0x86dd, mpls: 0x8847 };
const ETHERTYPE_VLAN = 0x8100;

/** 14 bytes, or 18 with a VLAN (`vlan` 1..4094; 0: untagged). Priority bits are 0. */
export function ethernetHeader(
  destination: Uint8Array,
  source: Uint8Array,
  vlan: number,
  payload: Payload,
): Uint8Array {
  const header = new Uint8Array(vlan === 0 ? 14 : 18);
  const view = new DataView(header.buffer);
  header.set(destination.subarray(0, 6), 0);
  header.set(source.subarray(0, 6), 6);
  if (vlan !== 0) {
    view.setUint16(12, ETHERTYPE_VLAN);
    view.setUint16(14, vlan);
  }
  view.setUint16(header.length - 2, ETHERTYPE[payload]);
  return header;
}

/**
 * IPv6 flow label of a tunnel, 20 bits, never 0: FNV-1a over outer addresses and SPI. One value per
 * SA (policy-model 23), so that core routers spread SAs over paths and keep one SA in order (RFC 6438).
 */
export function tunnelFlowLabel(source: Uint8Array, destination: Uint8Array, spi: number): number {
  let hash = 0x811c9dc5;
  const mix = (byte: number): void => {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  };
  source.forEach(mix);
  destination.forEach(mix);
  for (const shift of [24, 16, 8, 0]) mix((spi >>> shift) & 0xff);
  const folded = (hash ^ (hash >>> 20)) & 0xfffff;
  return folded === 0 ? 1 : folded;
}

/** The link-local address that a device of this MAC has: modified EUI-64, RFC 4291 appendix A. */
export function linkLocalOf(mac: Uint8Array): Uint8Array {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = mac;
  return Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f);
}
