// SPDX-License-Identifier: Apache-2.0
/** IKE messages read by tshark: each as a UDP datagram of its own, or out of a capture with the keys of its IKE SAs. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ethernet, ETHERTYPE, ip, PROTOCOL, udp } from './packets.js';
import { writePcap } from './pcap.js';
import { dissect } from './tshark.js';

const [SOURCE, DESTINATION] = ['192.0.2.1', '192.0.2.2'];

/** An IKE SA as tshark's table has it: SPIs and keys in hexadecimal, an AEAD's with its salt at the end. */
export interface TsharkIkeSa {
  readonly initiatorSpi: bigint;
  readonly responderSpi: bigint;
  readonly encryption: keyof typeof CIPHERS;
  readonly integrity: keyof typeof INTEGRITY;
  /** SK_ei, SK_er, SK_ai, SK_ar. */
  readonly ei: Uint8Array;
  readonly er: Uint8Array;
  readonly ai: Uint8Array;
  readonly ar: Uint8Array;
}

const CIPHERS = {
  'aes-128-gcm': 'AES-GCM-128 with 16 octet ICV [RFC5282]',
  'aes-256-gcm': 'AES-GCM-256 with 16 octet ICV [RFC5282]',
  'aes-128-cbc': 'AES-CBC-128 [RFC3602]',
  'aes-256-cbc': 'AES-CBC-256 [RFC3602]',
} as const;
const INTEGRITY = {
  none: 'NONE [RFC4306]',
  sha256: 'HMAC_SHA2_256_128 [RFC4868]',
  sha384: 'HMAC_SHA2_384_192 [RFC4868]',
  sha512: 'HMAC_SHA2_512_256 [RFC4868]',
} as const;

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');
const spi = (value: bigint): string => value.toString(16).padStart(16, '0');

export const tableRow = (sa: TsharkIkeSa): string =>
  [
    ...[spi(sa.initiatorSpi), spi(sa.responderSpi), hex(sa.ei), hex(sa.er)],
    ...[`"${CIPHERS[sa.encryption]}"`, hex(sa.ai), hex(sa.ar), `"${INTEGRITY[sa.integrity]}"`],
  ].join(',');

/** What tshark marks as wrong: in every answer of {@link readIke} as `marks`. */
export const MARKS = ['_ws.malformed', '_ws.expert.message', 'isakmp.extradata'] as const;

/** The values that were asked for, and what is wrong. */
export function marked<Field extends string>(
  row: Record<Field | (typeof MARKS)[number], string>,
): Record<Field | 'marks', string> {
  const { '_ws.malformed': malformed, '_ws.expert.message': expert, ...rest } = row;
  const { 'isakmp.extradata': extra, ...values } = rest;
  return {
    ...(values as unknown as Record<Field, string>),
    marks: `${malformed}${expert}${extra}`,
  };
}

/**
 * The fields of every message (tshark's names; all occurrences joined by commas). `marks` is what tshark finds
 * wrong in it, '' when nothing.
 */
export async function readIke<Field extends string>(
  messages: readonly Uint8Array[],
  fields: readonly Field[],
  sas: readonly TsharkIkeSa[] = [],
): Promise<Record<Field | 'marks', string>[]> {
  const frames = messages.map((message) => {
    const payload = ip({
      ...{ source: SOURCE, destination: DESTINATION, protocol: PROTOCOL.udp },
      payload: udp(SOURCE, DESTINATION, message),
    });
    return ethernet({
      ...{ destination: '02:00:00:00:00:02', source: '02:00:00:00:00:01' },
      ...{ type: ETHERTYPE.ip4, payload },
    });
  });
  const folder = await mkdtemp(join(tmpdir(), 'ike-tshark-'));
  try {
    const file = join(folder, 'ike.pcap');
    await writeFile(file, writePcap(frames));
    const rows = await dissect(file, [...fields, ...MARKS], {
      decodeAs: 'udp.port==50002,isakmp',
      ikeSas: sas.map(tableRow),
    });
    return rows.map((row) => marked<Field>(row));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const IKE_PORTS = [500, 4500];

/** IKE messages of a capture: Ethernet, IPv4 or IPv6, UDP; without those in IP fragments. */
export function ikeMessages(frames: readonly Buffer[]): Buffer[] {
  return frames.flatMap((frame) => {
    const isIp4 = frame.readUInt16BE(12) === ETHERTYPE.ip4;
    if (!isIp4 && frame.readUInt16BE(12) !== ETHERTYPE.ip6) return [];
    const isWhole = !isIp4 || (frame.readUInt16BE(20) & 0x3fff) === 0;
    if (frame[isIp4 ? 23 : 20] !== PROTOCOL.udp || !isWhole) return [];
    const udpAt = 14 + (isIp4 ? (frame.readUInt8(14) & 15) * 4 : 40);
    const ports = [frame.readUInt16BE(udpAt), frame.readUInt16BE(udpAt + 2)];
    if (!ports.some((port) => IKE_PORTS.includes(port))) return [];
    const data = frame.subarray(udpAt + 8, udpAt + frame.readUInt16BE(udpAt + 4));
    const isMarked = ports.includes(4500);
    if (isMarked && (data.length < 4 || data.readUInt32BE(0) !== 0)) return []; // ESP, or a keepalive
    const message = data.subarray(isMarked ? 4 : 0);
    return message.length < 28 ? [] : [message];
  });
}
