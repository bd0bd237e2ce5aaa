// SPDX-License-Identifier: Apache-2.0
/** Ethernet frames of IPv4 packets, as captures have them; checksums are 0. */

const addressOctets = (address: string): Buffer => Buffer.from(address.split('.').map(Number));

/** With two octets behind the packet, as padding may be. */
export function ipv4(protocol: number, from: string, to: string, body: Buffer): Buffer {
  const ethernet = Buffer.alloc(14);
  ethernet.writeUInt16BE(0x0800, 12);
  const head = Buffer.alloc(12);
  head.writeUInt8(0x45);
  head.writeUInt16BE(20 + body.length, 2);
  head.writeUInt8(protocol, 9);
  const padding = Buffer.alloc(2, 0xff);
  return Buffer.concat([ethernet, head, addressOctets(from), addressOctets(to), body, padding]);
}

export function udp(from: string, to: string, port: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt16BE(port, 2);
  head.writeUInt16BE(8 + payload.length, 4);
  return ipv4(17, from, to, Buffer.concat([head, payload]));
}
