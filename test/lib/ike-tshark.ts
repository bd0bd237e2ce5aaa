// SPDX-License-Identifier: Apache-2.0
/** IKE messages read by tshark: each as a UDP datagram of its own. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ethernet, ETHERTYPE, ip, PROTOCOL, udp } from './packets.js';
import { writePcap } from './pcap.js';
import { dissect } from './tshark.js';

const [SOURCE, DESTINATION] = ['192.0.2.1', '192.0.2.2'];

/** What tshark marks as wrong: in every answer of {@link readIke} as `marks`. */
const MARKS = ['_ws.malformed', '_ws.expert.message', 'isakmp.extradata'] as const;

/**
 * The fields of every message (tshark's names; all occurrences joined by commas). `marks` is what tshark finds
 * wrong in it, '' when nothing.
 */
export async function readIke<Field extends string>(
  messages: readonly Uint8Array[],
  fields: readonly Field[],
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
    const rows = await dissect(file, [...fields, ...MARKS], { decodeAs: 'udp.port==50002,isakmp' });
    return rows.map((row) => {
      const { '_ws.malformed': malformed, '_ws.expert.message': expert, ...rest } = row;
      const { 'isakmp.extradata': extra, ...values } = rest;
      return {
        ...(values as unknown as Record<Field, string>),
        marks: `${malformed}${expert}${extra}`,
      };
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
