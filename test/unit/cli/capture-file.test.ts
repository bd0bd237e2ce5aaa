// SPDX-License-Identifier: Apache-2.0
/** Files of `sealane capture`, as tshark reads them. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CaptureFile } from '../../../src/cli/capture-file.js';
import type { CapturedFrame } from '../../../src/rpc/capture-client.js';
import { dissect } from '../../lib/tshark.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sealane-pcapng-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** ICMP echo request, 10.1.0.2 to 10.2.0.2, 28 octets and a payload of one. */
const PACKET = Buffer.from('4500001d000100004001656e0a0100020a0200020800f7fe0000000061', 'hex');
const ETHERNET = Buffer.from('02000000000102000000000208', 'hex');
const LABEL = Buffer.from('003ea1ff', 'hex'); // 1002, S, TTL 255

const frame = (of: Partial<CapturedFrame>): CapturedFrame => ({
  ...{ timeNs: 1_700_000_000_123_456_789n, linkType: 101, interface: 'ce-a', vrf: '' },
  ...{ direction: 1, dropReason: '', dropText: '', length: PACKET.length, data: PACKET },
  ...of,
});

it('tshark finds every packet, its interface, direction, time and comment', async () => {
  const file = new CaptureFile(100);
  const data = Buffer.concat([ETHERNET, Buffer.from([0]), PACKET]);
  const frames = [
    frame({ linkType: 1, data, length: 1000, direction: 2 }),
    frame({ dropReason: 'no_route', dropText: 'no route in the VRF', vrf: 'Ä' }),
    frame({ linkType: 219, data: Buffer.concat([LABEL, PACKET]), length: 33, interface: '' }),
    frame({ linkType: 1, data, length: data.length, direction: 0, timeNs: 1n << 62n }),
  ];
  const lost = [
    { interface: 'ce-a', linkType: 1, packets: 7n },
    { interface: 'ce-b', linkType: 1, packets: 1n },
  ];
  const path = join(folder, 'all.pcapng');
  const blocks = [
    file.begin('1.2.3'),
    file.add({ frames, lost: [], ended: '' }),
    file.add({ frames: [], lost, ended: 'stopped' }),
    file.end(1_700_000_001_000_000_000n),
  ];
  writeFileSync(path, Buffer.concat(blocks));
  const found = await dissect(path, [
    ...(['frame.interface_name', 'frame.packet_flags_direction', 'frame.comment'] as const),
    ...(['frame.time_epoch', 'frame.len', 'icmp.type', 'mpls.label', 'frame.encap_type'] as const),
  ]);
  expect(found).toHaveLength(4);
  expect(found[0]).toMatchObject({
    ...{ 'frame.interface_name': 'ce-a', 'frame.len': '1000', 'icmp.type': '8' },
    ...{ 'frame.time_epoch': '1700000000.123456789', 'frame.comment': '' },
  });
  expect(Number(found[0]?.['frame.packet_flags_direction'])).toBe(2);
  expect(found[1]).toMatchObject({
    ...{ 'frame.comment': 'drop no_route: no route in the VRF; vrf Ä', 'icmp.type': '8' },
    'frame.interface_name': 'ce-a',
  });
  expect(found[2]).toMatchObject({ 'mpls.label': '1002', 'icmp.type': '8' });
  expect(found[2]?.['frame.interface_name']).toBe('(none)');
  expect(found[3]?.['frame.time_epoch']).toBe('4611686018.427387904');
  expect([file.packets, file.lost]).toEqual([4n, 8n]);
  const summary = execFileSync('capinfos', [path], { encoding: 'utf8' });
  expect(summary).toContain('Sealane 1.2.3');
  expect(summary).toMatch(/Number of interfaces in file: +4/);
  expect(summary).toMatch(/Name = ce-b/);
  // isb_ifrecv and isb_ifdrop (§4.6): two packets and seven lost, one each, and one lost of none
  expect(statistics(Buffer.concat(blocks))).toEqual([
    ...[
      ['9', '7'],
      ['1', '0'],
      ['1', '0'],
      ['1', '1'],
    ],
  ]);
});

/** Of each statistics block: isb_ifrecv and isb_ifdrop, which are its only options. */
function statistics(file: Buffer): string[][] {
  const found: string[][] = [];
  for (let at = 0; at < file.length; at += file.readUInt32LE(at + 4)) {
    if (file.readUInt32LE(at) !== 5) continue;
    expect([file.readUInt16LE(at + 20), file.readUInt16LE(at + 32)]).toEqual([4, 5]);
    found.push([file.readBigUInt64LE(at + 24), file.readBigUInt64LE(at + 36)].map(String));
  }
  return found;
}
