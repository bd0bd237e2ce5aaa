// SPDX-License-Identifier: Apache-2.0
/** How large an inner IP packet may be to leave through a tunnel unfragmented. */
import type { Encapsulation } from './addon/api.js';

const IPV4_HEADER = 20;
const IPV6_HEADER = 40;
const GRE_HEADER = 4; // RFC 2784 without checksum, key or sequence number
const LABEL_ENTRY = 4;
const ESP_HEADER = 8; // SPI, sequence number
const ESP_IV = 8;
const ESP_TRAILER = 2; // pad length, next header
const ESP_ICV = 16;

/**
 * Largest inner IP packet, bytes, for an outer interface of `mtu` bytes.
 *
 *   outer IP | ESP 8 | IV 8 | [GRE 4] | label 4 | inner | padding 0..3 | pad length, next header 2 | ICV 16
 *                             <------------ a multiple of 4, RFC 4303 §2.4 ---------->
 *
 * What ESP protects grows in steps of 4: of the room for it the last 1..3 bytes are of no use when
 * it is no multiple of 4. Rounding the room down first and taking the trailer off then is exact: an
 * inner packet of the result fits with its padding, one of a byte more needs the next step.
 *
 * Labels above the outer header count as part of the packet (RFC 3032 3.2): the interface's MTU is taken for
 * what an Ethernet frame may carry, not for IP alone.
 */
export function tunnelMtu(
  mtu: number,
  family: 4 | 6,
  encapsulation: Encapsulation,
  protectedByEsp: boolean,
  transportLabels = 0,
): number {
  const shim = (encapsulation === 'gre' ? GRE_HEADER : 0) + LABEL_ENTRY;
  const room = mtu - transportLabels * LABEL_ENTRY - (family === 4 ? IPV4_HEADER : IPV6_HEADER);
  if (!protectedByEsp) return Math.max(0, room - shim);
  const sealed = room - ESP_HEADER - ESP_IV - ESP_ICV;
  return Math.max(0, sealed - (((sealed % 4) + 4) % 4) - ESP_TRAILER - shim);
}

/** Largest inner IP packet for an LSP: the labels are all there is around it. */
export function lspMtu(mtu: number, transportLabels: number): number {
  return Math.max(0, mtu - (transportLabels + 1) * LABEL_ENTRY);
}
