// SPDX-License-Identifier: Apache-2.0
/** Opens ESP with AES-GMAC (RFC 4543), which tshark cannot, in a capture. */
import { readFile } from 'node:fs/promises';
import { openEsp } from '../../lib/esp.js';
import { readPcap } from '../../lib/pcap.js';
import type { ManualSa } from './linux-pe.js';

const ESP = 50;

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
  const { spi, key } = sa;
  const packets = readPcap(await readFile(file)).map(espOf);
  return (
    packets
      .filter((esp) => esp !== undefined)
      .filter((esp) => esp.readUInt32BE(0) === spi)
      // the high half of an extended sequence number is authenticated and not sent; 0 in a short capture
      .map((esp) =>
        openEsp({ spi, key, authenticateOnly: true }, esp, sa.esn === true ? 0 : undefined),
      )
      .map(({ payload }) => payload)
  );
}
