// SPDX-License-Identifier: Apache-2.0
/**
 * Blocks of a pcapng file (draft-ietf-opsawg-pcapng), little-endian. Times are nanoseconds since 1970; the
 * interfaces of a section are numbered from 0 in the order of their descriptions.
 */

export const LINK_TYPES = { ethernet: 1, ip: 101, chdlc: 104, mpls: 219 } as const;

const BLOCK = { section: 0x0a0d0d0a, interface: 1, statistics: 5, packet: 6 } as const;
const BYTE_ORDER = 0x1a2b3c4d;
const NANOSECONDS = 9;

/** Options of §3.5 and of each block. */
const OPTION = {
  end: 0,
  comment: 1,
  application: 4, // shb_userappl
  name: 2, // if_name
  description: 3, // if_description
  resolution: 9, // if_tsresol
  flags: 2, // epb_flags
  received: 4, // isb_ifrecv
  dropped: 5, // isb_ifdrop
} as const;

interface Option {
  readonly code: number;
  readonly value: Uint8Array;
}

function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => bytes.writeUInt32LE(value, i * 4));
  return bytes;
}

function long(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

/** Timestamp (high), timestamp (low). */
const time = (ns: bigint): Buffer => words(Number(ns >> 32n), Number(ns & 0xffffffffn));

const padded = (bytes: Uint8Array): Uint8Array[] => [
  bytes,
  Buffer.alloc((4 - (bytes.length % 4)) % 4),
];

/** An option's length has 16 bits. */
const MAX_TEXT = 0xffff;
const text = (code: number, value: string): Option[] =>
  value === '' ? [] : [{ code, value: Buffer.from(value).subarray(0, MAX_TEXT) }];

function options(list: readonly Option[]): Uint8Array[] {
  if (list.length === 0) return [];
  const parts = list.flatMap(({ code, value }) => {
    const head = Buffer.alloc(4);
    head.writeUInt16LE(code);
    head.writeUInt16LE(value.length, 2);
    return [head, ...padded(value)];
  });
  return [...parts, words(OPTION.end)];
}

function block(type: number, body: readonly Uint8Array[]): Buffer {
  const length = body.reduce((sum, part) => sum + part.length, 12);
  return Buffer.concat([words(type, length), ...body, words(length)]);
}

/** Section Header Block, §4.1: the first of a file. */
export function sectionHeader(application: string): Buffer {
  const version = Buffer.from([1, 0, 0, 0]); // 1.0
  const unknownLength = Buffer.alloc(8, 0xff);
  return block(BLOCK.section, [
    ...[words(BYTE_ORDER), version, unknownLength],
    ...options(text(OPTION.application, application)),
  ]);
}

/** Interface Description Block, §4.2. */
export function interfaceDescription(of: {
  readonly linkType: number;
  readonly snapLength: number;
  readonly name: string;
  readonly description: string;
}): Buffer {
  return block(BLOCK.interface, [
    words(of.linkType, of.snapLength),
    ...options([
      ...text(OPTION.name, of.name),
      ...text(OPTION.description, of.description),
      { code: OPTION.resolution, value: Uint8Array.of(NANOSECONDS) },
    ]),
  ]);
}

/** Enhanced Packet Block, §4.3. `direction`: 1 inbound, 2 outbound, 0 unknown. */
export function enhancedPacket(of: {
  readonly interfaceId: number;
  readonly timeNs: bigint;
  readonly data: Uint8Array;
  /** Octets it had. */
  readonly length: number;
  readonly direction: number;
  readonly comment: string;
}): Buffer {
  const flags = { code: OPTION.flags, value: words(of.direction) };
  return block(BLOCK.packet, [
    words(of.interfaceId),
    time(of.timeNs),
    words(of.data.length, of.length),
    ...padded(of.data),
    ...options([...text(OPTION.comment, of.comment), ...(of.direction === 0 ? [] : [flags])]),
  ]);
}

/** Interface Statistics Block, §4.6: how many packets there were, and how many of them there was no room for. */
export function interfaceStatistics(of: {
  readonly interfaceId: number;
  readonly timeNs: bigint;
  readonly received: bigint;
  readonly dropped: bigint;
}): Buffer {
  return block(BLOCK.statistics, [
    words(of.interfaceId),
    time(of.timeNs),
    ...options([
      { code: OPTION.received, value: long(of.received) },
      { code: OPTION.dropped, value: long(of.dropped) },
    ]),
  ]);
}
