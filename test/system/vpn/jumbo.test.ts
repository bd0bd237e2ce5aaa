// SPDX-License-Identifier: Apache-2.0
/**
 * Links of 9000 bytes: large packets both ways through an SA, beside small ones, as tshark opens them; to and from
 * the PE's kernel; and the buffers there are.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readKeyFile } from '../../../src/lib/key-file.js';
import { writePcap } from '../../lib/pcap.js';
import { dissect, type TsharkSa } from '../../lib/tshark.js';
import { otherEnd, TwoPes, type End } from '../supervisor/two-pes.js';

const LINK = 9000;
/** As in mtu.test.ts: the link's less 62. */
const MTU = LINK - 62;
const ENDS = [1, 2] as const;

let net: TwoPes;
beforeAll(async () => {
  net = await TwoPes.open('jumbo');
  for (const end of ENDS) {
    for (const [netns, nic] of [
      [net.pe(end), 'wan'],
      [net.pe(end), 'cust'],
      [net.ce(end), 'eth0'],
    ] as const) {
      await net.lab.ip(netns, [`link set ${nic} mtu ${String(LINK)}`]);
    }
    const from = net.config(end);
    const interfaces = Object.fromEntries(
      Object.entries(from.interfaces).map(([name, one]) => [name, { ...one, mtu: LINK }]),
    );
    net.write(end, { ...from, interfaces });
    net.start(end);
  }
  for (const end of ENDS) await net.tunnelUp(end);
  await net.reach(1, '10.2.0.2');
  await net.reach(1, '2001:db8:a:2::2');
});
afterAll(async () => {
  await net.close();
});

async function keyOf(from: End): Promise<TsharkSa> {
  const { keying } = await readKeyFile(net.key(from));
  return {
    ...{ source: `192.0.2.${String(from)}`, destination: `192.0.2.${String(otherEnd(from))}` },
    ...{ spi: net.spi(from), cipher: 'aes-gcm', key: keying },
  };
}

it.each([
  ['10.2.0.2', 28],
  ['2001:db8:a:2::2', 48],
] as const)('%s answers packets of any size up to the MTU', async (there, headers) => {
  for (const size of [56, 1400, 1900, 1950, 2000, 2040, 2050, 4000, 8872, MTU - headers]) {
    const more = ['-M', 'do', '-s', String(size)];
    expect(await net.ping(1, there, { count: 2, more })).toBe(2);
  }
});

it('they cross the core whole, in ESP that tshark opens with the keys', async () => {
  const seen = await net.capture(async () => {
    expect(await net.ping(1, '10.2.0.2', { count: 3, more: ['-M', 'do', '-s', '8872'] })).toBe(3);
  });
  for (const end of ENDS) {
    const file = `${net.run}/jumbo${String(end)}.pcap`;
    writeFileSync(file, writePcap(seen[end]));
    const rows = await dissect(
      file,
      ['ip.len', 'esp.icv_good', 'icmp.type', 'icmp.checksum.status'],
      {
        sas: [await keyOf(otherEnd(end))],
        filter: 'icmp',
      },
    );
    const type = end === 2 ? '8' : '0';
    expect(rows).toEqual(
      Array.from({ length: 3 }, () => ({
        'ip.len': '8964,8900',
        'esp.icv_good': '1',
        'icmp.type': type,
        'icmp.checksum.status': '1',
      })),
    );
  }
});

it('the PE’s own VRF addresses take and send them, through the kernel', async () => {
  for (const address of ['10.255.0.1', '10.255.0.2']) {
    expect(await net.ping(1, address, { count: 2, more: ['-s', '8800'] })).toBe(2);
  }
});

it('nothing was lost for want of a buffer, and small packets have small ones', async () => {
  for (const end of ENDS) {
    const drops = await net.drops(end);
    for (const reason of ['no_mbuf', 'jumbo_no_buffer', 'jumbo_too_long', 'inject_malformed']) {
      expect([reason, drops.get(reason) ?? 0n]).toEqual([reason, 0n]);
    }
    const log = readFileSync(`${net.run}/pe${String(end)}/worker.log`, 'utf8');
    expect(log).toMatch(/\d+ packet buffers of 2304 bytes/);
    expect(log).toMatch(/\d+ large packet buffers of 12544 bytes/);
  }
});
