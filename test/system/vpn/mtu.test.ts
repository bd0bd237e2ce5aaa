// SPDX-License-Identifier: Apache-2.0
/**
 * What a customer's Linux hosts learn of a tunnel's MTU: by ping, traceroute and TCP, from packets that may not be cut,
 * and what arrives of those that may.
 */
import { readFileSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import { startCapture } from '../../interop/linux-pe/wire.js';
import { dissect } from '../../lib/tshark.js';
import { otherEnd, TwoPes, type End } from '../supervisor/two-pes.js';

/** Of the tunnel: 1500 less outer IPv4 20, ESP 8, IV 8, GRE 4, label 4, trailer 2, ICV 16. */
const MTU = 1438;
const FAMILIES = [
  { family: 4, there: '10.2.0.2', here: '10.1.0.2', pe: '10.1.0.1', headers: 28 },
  {
    ...{ family: 6, there: '2001:db8:a:2::2', here: '2001:db8:a:1::2', headers: 48 },
    pe: '2001:db8:a:1::1',
  },
] as const;

let net: TwoPes;
beforeAll(async () => {
  net = await TwoPes.open('mtusz');
  await net.up();
  for (const { there } of FAMILIES) await net.reach(1, there);
});
afterAll(async () => {
  await net.close();
});

/** What hosts have learnt is gone. */
async function forget(): Promise<void> {
  for (const end of [1, 2] as const) {
    for (const family of ['-4', '-6']) {
      await net.lab.must(net.ce(end), ['ip', family, 'route', 'flush', 'cache']);
    }
  }
}

const learnt = async (end: End, address: string): Promise<number | undefined> => {
  const said = await net.lab.must(net.ce(end), ['ip', 'route', 'get', address]);
  const mtu = /\bmtu (\d+)/.exec(said)?.[1];
  return mtu === undefined ? undefined : Number(mtu);
};

/** 2 MB by TCP from a CE to the other's address. */
async function transfer(from: End, to: string): Promise<void> {
  const [file, log] = [`${net.run}/received`, `${net.run}/nc.log`];
  rmSync(file, { force: true });
  const receiver = net.ce(otherEnd(from));
  const nc = `exec nc.openbsd ${to.includes(':') ? '-6' : '-4'} -l 5001 >${file}`;
  const listener = net.lab.start(receiver, ['sh', '-c', nc], log);
  await eventually('nc listens', async () =>
    (await net.lab.must(receiver, ['ss', '-Hltn', 'sport = :5001'])) === '' ? undefined : true,
  );
  const send = `head -c 2000000 /dev/urandom >${net.run}/sent; nc.openbsd -N -w 10 ${to} 5001 <${net.run}/sent`;
  await net.lab.must(net.ce(from), ['sh', '-c', send]);
  await eventually('nc ends', () => (listener.exitCode === null ? undefined : true));
  expect(readFileSync(file).equals(readFileSync(`${net.run}/sent`))).toBe(true);
}

describe.each(FAMILIES)('IPv$family', ({ there, here, pe, headers }) => {
  it.each([-40, -3, -2, -1, 0])('a packet of the MTU and %i bytes passes', async (more) => {
    await forget();
    const size = String(MTU + more - headers);
    expect(await net.ping(1, there, { count: 2, more: ['-M', 'do', '-s', size] })).toBe(2);
    expect(await learnt(1, there)).toBeUndefined();
  });

  it.each([1, 2, 3, 4, 40, 62])('of %i bytes more the PE tells the MTU', async (more) => {
    await forget();
    const size = String(MTU + more - headers);
    const argv = ['ping', '-n', '-c', '1', '-W', '1', '-M', 'do', '-s', size, there];
    const { stdout, code } = await net.lab.exec(net.ce(1), argv);
    expect(code).toBe(1);
    expect(stdout).toMatch(
      headers === 28
        ? new RegExp(`^From ${pe} .*Frag needed and DF set \\(mtu = ${String(MTU)}\\)$`, 'm')
        : new RegExp(`^From ${pe} .*Packet too big: mtu=${String(MTU)}$`, 'm'),
    );
    expect(await learnt(1, there)).toBe(MTU);
  });

  it('traceroute finds it at the first hop', async () => {
    await forget();
    const argv = ['traceroute', '-n', '--mtu', '-q', '1', '-w', '2', there];
    const hops = (await net.lab.must(net.ce(1), argv)).trim().split('\n').slice(1);
    expect(hops.join('\n')).toMatch(new RegExp(`F=${String(MTU)}\\b`));
    expect(hops.at(-1)).toContain(there);
  });

  it.each([
    ['there', 1, there],
    ['back', 2, here],
  ] as const)('TCP carries 2 MB %s, having learnt it', async (_, from, to) => {
    await forget();
    await transfer(from, to);
    expect(await learnt(from, to)).toBe(MTU);
  });
});

it('IPv4 without DF is cut, goes as ESP with DF, and arrives', async () => {
  const fragmented = async (): Promise<bigint> =>
    (await net.show(1, 'vrfs')).find(({ name }) => name === 'A')?.fragmented ?? -1n;
  const before = await fragmented();
  const drops = await net.drops(1);
  const seen = await net.capture(async () => {
    // two pieces of 1478 bytes; the host itself cuts 4000 into pieces of 1500, 1500 and less
    for (const size of ['1450', '4000']) {
      const more = ['-M', 'dont', '-s', size];
      expect(await net.ping(1, '10.2.0.2', { count: 4, more })).toBe(4);
    }
  });
  expect((await fragmented()) - before).toBe(4n + 8n);
  expect(await net.drops(1)).toEqual(drops);
  const esp = seen[2].filter((frame) => frame.readUInt16BE(12) === 0x0800);
  // DF and no fragment; no larger than the link
  expect(new Set(esp.map((frame) => frame.readUInt16BE(20)))).toEqual(new Set([0x4000]));
  expect(esp).toHaveLength(4 * 2 + 4 * 5);
  expect(Math.max(...esp.map((frame) => frame.readUInt16BE(16)))).toBeLessThanOrEqual(1500);
});

describe('with clampMss', () => {
  beforeAll(async () => {
    for (const end of [1, 2] as const) {
      const from = net.config(end);
      const file = net.write(end, {
        ...from,
        vrfs: { A: { ...from.vrfs?.['A'], clampMss: true } },
      });
      await net.client(end, async (client) => client.reload(file, false));
      await net.tunnelUp(end);
    }
  });

  it.each(FAMILIES)(
    'TCP over IPv$family needs no ICMP either way',
    async ({ there, here, headers }) => {
      await forget();
      const file = `${net.run}/ce2-${headers}.pcap`;
      const capture = await startCapture({ netns: net.ce(2), nic: 'eth0' }, file);
      await transfer(1, there);
      await transfer(2, here);
      const syns = await dissect(await capture.stop(), ['tcp.flags.ack', 'tcp.options.mss_val'], {
        filter: 'tcp.flags.syn==1',
      });
      // what comes out of the tunnel: a SYN and a SYN/ACK, both clamped; what CE 2 says itself is not
      const own = 1500 - headers - 12;
      const clamped = MTU - headers - 12;
      expect(syns.map((syn) => [syn['tcp.flags.ack'], Number(syn['tcp.options.mss_val'])])).toEqual(
        [
          ['0', clamped],
          ['1', own],
          ['0', own],
          ['1', clamped],
        ],
      );
      expect([await learnt(1, there), await learnt(2, here)]).toEqual([undefined, undefined]);
    },
  );
});
