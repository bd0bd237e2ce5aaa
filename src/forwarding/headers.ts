// SPDX-License-Identifier: Apache-2.0
/**
 * Ethernet headers of next hops, and what else of a template follows from addresses.
 *
 *    0      6      12                16              20          (without tags: EtherType at 12)
 *   +------+------+-----------------+---------------+-----------+
 *   | dst  | src  | 0x88a8 | S-VID  | 0x8100 | VID  | EtherType |
 *   +------+------+-----------------+---------------+-----------+
 *                  \__ seldom _____/
 */
import type { Family } from '../lib/ip.js';
import type { ServiceTag } from './addon/api.js';

/** What an Ethernet frame carries; `mpls`: a label stack (RFC 3032 section 5). */
export type Payload = Family | 'mpls';
const ETHERTYPE: Readonly<Record<Payload, number>> = { 4: 0x0800, 6: 0x86dd, mpls: 0x8847 };
const ETHERTYPE_VLAN = 0x8100;

/** Tags of an interface's frames (IEEE 802.1Q). */
export interface Tags {
  /** 1..4094; 0: untagged. */
  readonly vlan: number;
  /** In front of the other. */
  readonly serviceTag?: ServiceTag;
}

/** 14 bytes, and 4 more for each tag. Priority bits are 0. */
export function ethernetHeader(
  destination: Uint8Array,
  source: Uint8Array,
  { vlan, serviceTag }: Tags,
  payload: Payload,
): Uint8Array {
  const header = new Uint8Array(14 + (vlan === 0 ? 0 : 4) + (serviceTag === undefined ? 0 : 4));
  const view = new DataView(header.buffer);
  header.set(destination.subarray(0, 6), 0);
  header.set(source.subarray(0, 6), 6);
  if (serviceTag !== undefined) {
    view.setUint16(12, serviceTag.type);
    view.setUint16(14, serviceTag.vlan);
  }
  if (vlan !== 0) {
    view.setUint16(header.length - 6, ETHERTYPE_VLAN);
    view.setUint16(header.length - 4, vlan);
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
