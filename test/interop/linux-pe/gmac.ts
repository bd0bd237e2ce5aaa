// SPDX-License-Identifier: Apache-2.0
/** Opens ESP with AES-GMAC (RFC 4543), which tshark cannot, in a capture. */
import { createDecipheriv } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { ManualSa } from './linux-pe.js';

const ESP = 50;

/** The frames of a little-endian pcap file. */
function frames(pcap: Buffer): Buffer[] {
  if (pcap.readUInt32LE(0) !== 0xa1b2c3d4) throw new Error('not a little-endian pcap file');
  const found: Buffer[] = [];
  for (let at = 24; at < pcap.length;) {
    const length = pcap.readUInt32LE(at + 8);
    found.push(pcap.subarray(at + 16, at + 16 + length));
    at += 16 + length;
  }
  return found;
}

/** ESP header to ICV, when the frame is Ethernet, IPv4 without fragments or IPv6 without extension headers, ESP. */
function espOf(frame: Buffer): Buffer | undefined {
  const type = frame.readUInt16BE(12);
  if (type === 0x0800 && frame[23] === ESP) {
    return frame.subarray(14 + (frame.readUInt8(14) & 15) * 4, 14 + frame.readUInt16BE(16));
  }
  return type === 0x86dd && frame[20] === ESP
    ? frame.subarray(54, 54 + frame.readUInt16BE(18))
    : undefined;
}

/** ESP payloads of this AES-GMAC SA in a capture, without padding; throws when one does not verify. */
export async function openGmac(file: string, sa: ManualSa): Promise<Buffer[]> {
  const key = sa.key.subarray(0, -4);
  const salt = sa.key.subarray(-4);
  const algorithm = key.length === 32 ? 'aes-256-gcm' : 'aes-128-gcm';
  const packets = frames(await readFile(file)).map(espOf);
  return packets
    .filter((esp) => esp !== undefined)
    .filter((esp) => esp.readUInt32BE(0) === sa.spi)
    .map((esp) => {
      const opened = createDecipheriv(algorithm, key, Buffer.concat([salt, esp.subarray(8, 16)]));
      // the high half of an extended sequence number is authenticated and not sent; 0 in a short capture
      const high = Buffer.alloc(sa.esn === true ? 4 : 0);
      opened.setAAD(Buffer.concat([esp.subarray(0, 4), high, esp.subarray(4, -16)]));
      opened.setAuthTag(esp.subarray(-16));
      opened.final();
      const padding = esp.readUInt8(esp.length - 18);
      return esp.subarray(16, esp.length - 18 - padding);
    });
}
