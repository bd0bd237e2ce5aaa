// SPDX-License-Identifier: Apache-2.0
/** Classic pcap files: | magic 4, version 2+2, 0, 0, snap length 4, link type 4 | (sec 4, µs 4, kept 4, length 4, bytes)* */
const MAGIC = 0xa1b2c3d4;
const ETHERNET = 1;

/** Frames of a little-endian pcap file. Throws on another format. */
export function readPcap(file: Buffer): Buffer[] {
  if (file.length < 24 || file.readUInt32LE(0) !== MAGIC) {
    throw new Error('not a little-endian pcap file');
  }
  const frames: Buffer[] = [];
  for (let at = 24; at + 16 <= file.length;) {
    const length = file.readUInt32LE(at + 8);
    frames.push(file.subarray(at + 16, at + 16 + length));
    at += 16 + length;
  }
  return frames;
}

/** Ethernet frames as a pcap file, one millisecond apart. */
export function writePcap(frames: readonly Uint8Array[]): Buffer {
  const head = Buffer.alloc(24);
  head.writeUInt32LE(MAGIC, 0);
  head.writeUInt16LE(2, 4);
  head.writeUInt16LE(4, 6);
  head.writeUInt32LE(65535, 16);
  head.writeUInt32LE(ETHERNET, 20);
  const records = frames.flatMap((frame, i) => {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(Math.floor(i / 1000), 0);
    record.writeUInt32LE((i % 1000) * 1000, 4);
    record.writeUInt32LE(frame.length, 8);
    record.writeUInt32LE(frame.length, 12);
    return [record, frame];
  });
  return Buffer.concat([head, ...records]);
}
