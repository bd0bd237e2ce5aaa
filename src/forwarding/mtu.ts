// SPDX-License-Identifier: Apache-2.0
/** How large an inner IP packet may be to leave through a tunnel unfragmented. */
import type { EspOverhead } from '../lib/esp-suites.js';
import type { Encapsulation } from './addon/api.js';

const IPV4_HEADER = 20;
const IPV6_HEADER = 40;
const GRE_HEADER = 4; // RFC 2784 without checksum, key or sequence number
const LABEL_ENTRY = 4;
const ESP_HEADER = 8; // SPI, sequence number
const ESP_TRAILER = 2; // pad length, next header
const UDP_HEADER = 8;

/**
 * Largest inner IP packet, bytes, for an outer interface of `mtu` bytes.
 *
 *   outer IP | [UDP 8] | ESP 8 | IV | [GRE 4] | label 4 | inner | padding | pad length, next header 2 | ICV
 *                                     <-------- a multiple of 4, of AES-CBC of 16 (RFC 4303 §2.4) -------->
 *
 * What ESP protects grows in such steps: of the room for it the last bytes are of no use when it is no
 * multiple. Rounding the room down first and taking the trailer off then is exact: an
 * inner packet of the result fits with its padding, one of a byte more needs the next step.
 *
 * Labels above the outer header count as part of the packet (RFC 3032 3.2): the interface's MTU is taken for
 * what an Ethernet frame may carry, not for IP alone.
 */
export function tunnelMtu(
  mtu: number,
  family: 4 | 6,
  encapsulation: Encapsulation,
  esp: EspOverhead | undefined,
  transportLabels = 0,
): number {
  const shim = (encapsulation === 'gre' ? GRE_HEADER : 0) + LABEL_ENTRY;
  const room = mtu - transportLabels * LABEL_ENTRY - (family === 4 ? IPV4_HEADER : IPV6_HEADER);
  if (esp === undefined) return Math.max(0, room - shim);
  const sealed = room - (esp.inUdp ? UDP_HEADER : 0) - ESP_HEADER - esp.iv - esp.icv;
  return Math.max(0, Math.floor(sealed / esp.align) * esp.align - ESP_TRAILER - shim);
}

/** Largest inner IP packet for an LSP: the labels are all there is around it. */
export function lspMtu(mtu: number, transportLabels: number): number {
  return Math.max(0, mtu - (transportLabels + 1) * LABEL_ENTRY);
}
