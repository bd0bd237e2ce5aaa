// SPDX-License-Identifier: Apache-2.0
/** BGP of the kernel inside its own SA (policy-model 18): policies, SAs and segments for tests. */
import { randomBytes, randomInt } from 'node:crypto';
import type { BgpSaRow } from '../../src/forwarding/addon/api.js';
import type { EspKey } from '../lib/esp.js';
import { addressBytes, checksum, ETHERTYPE, ethernet, ip, PROTOCOL } from '../lib/packets.js';
import { LOCAL, MAC, REMOTE, type Pe } from './pe.js';

export type Family = 4 | 6;
export const TCP = 6;
const DATA = Buffer.from('ffffffffffffffffffffffffffffffff001304', 'hex'); // KEEPALIVE

/** The host policy for the other PE, without an SA. */
export const policy = (pe: Pe, family: Family): number =>
  pe.harness.tables.putHostPolicy({
    local: addressBytes(LOCAL[family]),
    remote: addressBytes(REMOTE[family]),
  });

export interface BgpSa {
  readonly id: number;
  readonly esp: EspKey;
}

/** Installed by the worker; inbound ones reachable by their SPI. */
export async function bgpSa(
  pe: Pe,
  direction: 'in' | 'out',
  family: Family,
  ports: Partial<Pick<BgpSaRow, 'sourcePort' | 'destinationPort'>> = {},
): Promise<BgpSa> {
  const { tables, client } = pe.harness;
  const spi = randomInt(0x10000, 2 ** 32);
  const key = randomBytes(20);
  const ends = [addressBytes(LOCAL[family]), addressBytes(REMOTE[family])] as const;
  const inbound = direction === 'in';
  const row: BgpSaRow = {
    ...{ name: `bgp ${spi.toString(16)}`, spi, algorithm: 'aes-gcm-128', application: 'bgp' },
    ...{ source: ends[inbound ? 1 : 0], destination: ends[inbound ? 0 : 1], spTable: 0 },
    ...{ sourcePort: 0, destinationPort: 0, replayWindow: inbound ? 1024 : 0, packetLimit: 0n },
    ...ports,
  };
  const id = tables.addSa(direction, row, key);
  await client.installSas(inbound ? [] : [id], inbound ? [id] : []);
  if (inbound) tables.activateSa(id);
  return { id, esp: { spi, authenticateOnly: false, key } };
}

export interface SegmentOptions {
  readonly family?: Family;
  readonly direction: 'to-peer' | 'from-peer';
  readonly ports?: readonly [source: number, destination: number];
  readonly data?: Uint8Array;
  /** Of the IPv4 header. */
  readonly fragment?: number;
}

/** | source port | destination port | sequence | acknowledgement | offset, flags, window | checksum | urgent | data */
export function segment({
  family = 4,
  direction,
  ports = [40_000, 179],
  data = DATA,
}: SegmentOptions): Buffer {
  const ends = [LOCAL[family], REMOTE[family]].map(addressBytes);
  const [from, to] = direction === 'to-peer' ? ends : [...ends].reverse();
  const tcp = Buffer.concat([Buffer.alloc(20), data]);
  tcp.writeUInt16BE(ports[0], 0);
  tcp.writeUInt16BE(ports[1], 2);
  tcp.writeUInt16BE(0x5018, 12);
  tcp.writeUInt16BE(0xffff, 14);
  const pseudo = Buffer.alloc(4);
  pseudo.writeUInt8(TCP, 1);
  pseudo.writeUInt16BE(tcp.length, 2);
  tcp.writeUInt16BE(checksum(from ?? pseudo, to ?? pseudo, pseudo, tcp), 16);
  return tcp;
}

/** A packet between the PEs with its Ethernet header, as the kernel sends it or the core brings it. */
export function framed(
  { family = 4, direction, fragment }: SegmentOptions,
  payload: Uint8Array,
  protocol: number = TCP,
): Buffer {
  const out = direction === 'to-peer';
  const [source, destination] = out
    ? [LOCAL[family], REMOTE[family]]
    : [REMOTE[family], LOCAL[family]];
  return ethernet({
    ...{ destination: out ? MAC.p : MAC.peCore, source: out ? MAC.peCore : MAC.p },
    type: family === 6 ? ETHERTYPE.ip6 : ETHERTYPE.ip4,
    payload: ip({
      ...{ source, destination, protocol, payload, ttl: 255 },
      ...(fragment === undefined ? {} : { fragment }),
    }),
  });
}

export const clearFrame = (options: SegmentOptions): Buffer => framed(options, segment(options));
export const espProtocol = PROTOCOL.esp;
