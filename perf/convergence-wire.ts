// SPDX-License-Identifier: Apache-2.0
/**
 * What captures say about convergence: frames with the kernel's time, read as the steps that routers take. All
 * namespaces of a machine have one clock, so times of different captures can be subtracted.
 */

/** A frame as captured. */
export interface Timed {
  /** Milliseconds since 1970, to a microsecond. */
  readonly at: number;
  /** Ethernet, without FCS. */
  readonly frame: Buffer;
}

export type Step =
  /** A TCP segment with an UPDATE or a NOTIFICATION in it; `body` is the segment's. */
  | { readonly kind: 'update' | 'notification'; readonly body: Buffer }
  | { readonly kind: 'ike'; readonly exchange: number; readonly response: boolean }
  | { readonly kind: 'esp'; readonly spi: number }
  | { readonly kind: 'gre' }
  /** A BFD Control packet in state Down whose reason is that nothing was heard for the detection time. */
  | { readonly kind: 'bfd-down' }
  /** A packet of the stream. */
  | { readonly kind: 'stream'; readonly number: number };

export type Event = Step & { readonly at: number; readonly from: string; readonly to: string };

export const EXCHANGE = { init: 34, auth: 35 } as const;
/** Destination port of the stream, whose payload begins with its number, 12 decimal digits. */
export const STREAM_PORT = 9300;

const MARKER = Buffer.alloc(16, 0xff);
const MP_REACH_AND_NLRI = 23;

/** The frames of a little-endian pcap file with times in microseconds. A last one that is cut off is left out. */
export function readTimedPcap(file: Buffer): Timed[] {
  if (file.length < 24 || file.readUInt32LE(0) !== 0xa1b2c3d4) {
    throw new Error('not a little-endian pcap file');
  }
  const frames: Timed[] = [];
  for (let at = 24; at + 16 <= file.length;) {
    const end = at + 16 + file.readUInt32LE(at + 8);
    if (end > file.length) break;
    const ms = file.readUInt32LE(at) * 1000 + file.readUInt32LE(at + 4) / 1000;
    frames.push({ at: ms, frame: file.subarray(at + 16, end) });
    at = end;
  }
  return frames;
}

/** Types of the BGP messages that begin in a segment; UPDATEs that say nothing are left out. */
function bgpTypes(body: Buffer): ReadonlySet<number> {
  const types = new Set<number>();
  for (let at = body.indexOf(MARKER); at >= 0 && at + 19 <= body.length;) {
    const length = body.readUInt16BE(at + 16);
    const type = body.readUInt8(at + 18);
    if (type !== 2 || length > MP_REACH_AND_NLRI) types.add(type);
    at = body.indexOf(MARKER, at + Math.max(length, 19));
  }
  return types;
}

function tcpStep(segment: Buffer): Step | undefined {
  if (segment.length < 20) return undefined;
  if (segment.readUInt16BE(0) !== 179 && segment.readUInt16BE(2) !== 179) return undefined;
  const body = segment.subarray((segment.readUInt8(12) >> 4) * 4);
  const types = bgpTypes(body);
  if (types.has(3)) return { kind: 'notification', body };
  return types.has(2) ? { kind: 'update', body } : undefined;
}

function udpStep(datagram: Buffer): Step | undefined {
  if (datagram.length < 8) return undefined;
  const port = datagram.readUInt16BE(2);
  const body = datagram.subarray(8);
  if (port === STREAM_PORT && body.length >= 12) {
    return { kind: 'stream', number: Number(body.toString('latin1', 0, 12)) };
  }
  const isBfd = port === 3784 || port === 4784;
  if (isBfd && body.length >= 24) {
    const [diagnostic, state] = [body.readUInt8(0) & 31, body.readUInt8(1) >> 6];
    return diagnostic === 1 && state === 1 ? { kind: 'bfd-down' } : undefined;
  }
  if (port === 500 && body.length >= 28) {
    const response = (body.readUInt8(19) & 0x20) !== 0;
    return { kind: 'ike', exchange: body.readUInt8(18), response };
  }
  return undefined;
}

function stepOf(protocol: number, body: Buffer): Step | undefined {
  if (protocol === 6) return tcpStep(body);
  if (protocol === 17) return udpStep(body);
  if (protocol === 47) return { kind: 'gre' };
  if (protocol === 50 && body.length >= 8) return { kind: 'esp', spi: body.readUInt32BE(0) };
  return undefined;
}

const addressAt = (frame: Buffer, at: number): string => frame.subarray(at, at + 4).join('.');

/** IPv4 alone, whole packets; what is none of the steps is left out. */
export function events(frames: readonly Timed[]): Event[] {
  return frames.flatMap(({ at, frame }) => {
    if (frame.length < 34 || frame.readUInt16BE(12) !== 0x0800) return [];
    const head = (frame.readUInt8(14) & 15) * 4;
    // An Ethernet frame may be longer than its packet.
    const body = frame.subarray(14 + head, 14 + frame.readUInt16BE(16));
    const step = stepOf(frame.readUInt8(23), body);
    if (step === undefined) return [];
    return [{ ...step, at, from: addressAt(frame, 26), to: addressAt(frame, 30) }];
  });
}

/** Whether an UPDATE names this prefix, of whole octets: their bytes stand in it. */
export const names = (event: Event, octets: readonly number[]): boolean =>
  event.kind === 'update' && event.body.includes(Buffer.from(octets));
