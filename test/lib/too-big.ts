// SPDX-License-Identifier: Apache-2.0
/** What a router says of a packet that it could not pass on (RFC 792, RFC 1191, RFC 4443), byte by byte. */
import { addressBytes, checksum, ip, PROTOCOL } from './packets.js';

export interface IcmpAbout {
  /** Of the message itself. */
  readonly source: string;
  readonly destination: string;
  /** The packet it is about, as far as it is quoted. */
  readonly quoted: Uint8Array;
  /** Default: fragmentation needed, or packet too big. */
  readonly type?: number;
  readonly code?: number;
  readonly mtu: number;
}

/** IPv4 or IPv6 by `source`. */
export function icmpAbout({ source, destination, quoted, mtu, ...how }: IcmpAbout): Buffer {
  const six = source.includes(':');
  const { type = six ? 2 : 3, code = six ? 0 : 4 } = how;
  const message = Buffer.concat([Buffer.from([type, code, 0, 0, 0, 0, 0, 0]), quoted]);
  if (six) message.writeUInt32BE(mtu, 4);
  else message.writeUInt16BE(mtu, 6);
  const pseudo = Buffer.alloc(8);
  pseudo.writeUInt32BE(message.length, 0);
  pseudo.writeUInt8(PROTOCOL.icmp6, 7);
  const ends = [addressBytes(source), addressBytes(destination), pseudo];
  message.writeUInt16BE(checksum(...(six ? ends : []), message), 2);
  const protocol = six ? PROTOCOL.icmp6 : PROTOCOL.icmp;
  return ip({ source, destination, protocol, payload: message });
}

/** SPI, sequence number and so many bytes that nobody can read. */
export function espBytes(spi: number, sequence: number, length = 1400): Buffer {
  const bytes = Buffer.alloc(8 + length, 0x5a);
  bytes.writeUInt32BE(spi, 0);
  bytes.writeUInt32BE(sequence, 4);
  return bytes;
}
