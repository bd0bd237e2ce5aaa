// SPDX-License-Identifier: Apache-2.0
/** BGP messages read by tshark: each as TCP segments of one connection to port 179. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checksum, ethernet, ETHERTYPE, ip } from './packets.js';
import { writePcap } from './pcap.js';
import { dissect } from './tshark.js';

const TCP = 6;
/** Below the limit of an IP packet; a longer message has several segments, which tshark puts together. */
const SEGMENT = 16_000;

/** | ports 2+2 | sequence 4 | acknowledgement 4 | offset, flags 2 | window 2 | checksum 2 | urgent 2 | */
function tcp(
  [source, destination, port]: readonly [string, string, number],
  sequence: number,
  data: Uint8Array,
): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt16BE(40_000, 0);
  header.writeUInt16BE(port, 2);
  header.writeUInt32BE(sequence, 4);
  header.writeUInt32BE(1, 8);
  header.writeUInt16BE(0x5018, 12); // PSH, ACK
  header.writeUInt16BE(65_535, 14);
  const pseudo = Buffer.from([
    ...[...source.split('.'), ...destination.split('.')].map(Number),
    ...[0, TCP, (20 + data.length) >>> 8, (20 + data.length) & 255],
  ]);
  header.writeUInt16BE(checksum(pseudo, Buffer.concat([header, data])), 16);
  return Buffer.concat([header, data]);
}

/** Ethernet frames that carry these messages, in order, to a TCP port: that of BGP unless it is another. */
export function bgpFrames(messages: readonly Uint8Array[], port = 179): Buffer[] {
  const [source, destination] = ['192.0.2.1', '192.0.2.2'];
  let sequence = 1;
  return messages.flatMap((message) => {
    const frames: Buffer[] = [];
    for (let at = 0; at < message.length; at += SEGMENT) {
      const data = message.subarray(at, at + SEGMENT);
      const payload = ip({
        ...{ source, destination, protocol: TCP },
        payload: tcp([source, destination, port], sequence, data),
      });
      frames.push(
        ethernet({
          ...{ destination: '02:00:00:00:00:02', source: '02:00:00:00:00:01' },
          ...{ type: ETHERTYPE.ip4, payload },
        }),
      );
      sequence += data.length;
    }
    return frames;
  });
}

/** What tshark marks as wrong: in every answer of {@link readBgp} as `marks`. */
const MARKS = ['_ws.malformed', '_ws.expert.message'] as const;

/**
 * The fields of every frame with BGP in it (tshark's names; all occurrences joined by commas). `marks` is
 * what tshark finds wrong in it, '' when nothing.
 */
export async function readBgp<Field extends string>(
  messages: readonly Uint8Array[],
  fields: readonly Field[] = [],
): Promise<Record<Field | 'marks', string>[]> {
  const folder = await mkdtemp(join(tmpdir(), 'bgp-tshark-'));
  try {
    const file = join(folder, 'bgp.pcap');
    await writeFile(file, writePcap(bgpFrames(messages)));
    const rows = await dissect(file, [...fields, ...MARKS], { filter: 'bgp' });
    return rows.map(({ '_ws.malformed': malformed, '_ws.expert.message': expert, ...row }) => ({
      ...(row as unknown as Record<Field, string>),
      marks: `${malformed}${expert}`,
    }));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
