// SPDX-License-Identifier: Apache-2.0
/** The BFD sockets of the addon, looked at by ss of the namespace they are in. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Lab } from '../../../scripts/lib/lab.js';
import { ip, kernel, openDescriptors } from './support.js';

const NETNS = `slk-${String(process.pid)}-bfd`;
let lab: Lab;
let netns: number;

beforeAll(async () => {
  lab = await Lab.open(`kernel-${String(process.pid)}-bfd`);
  await lab.namespace(NETNS);
  netns = kernel.openNetns(`/run/netns/${NETNS}`);
  kernel.readSysctl(netns, 'ipv4/conf/all/forwarding'); // the addon's way home is opened once and kept
});
afterAll(async () => {
  kernel.closeDescriptor(netns);
  await lab.close();
});

/** Local address and port of each UDP socket there. */
async function sockets(): Promise<string[]> {
  const lines = (await lab.must(NETNS, ['ss', '-H', '-u', '-a', '-n'])).trim().split('\n');
  return lines.filter((line) => line !== '').map((line) => line.trim().split(/\s+/)[3] ?? '');
}

test('listeners are in the namespace, one per family and kind of hop', async () => {
  const options = [
    { netns, family: 4, multihop: false },
    { netns, family: 4, multihop: true },
    { netns, family: 6, multihop: false },
    { netns, family: 6, multihop: true },
  ] as const;
  const before = openDescriptors();
  const fds = options.map((each) => kernel.openBfdListener(each));
  expect((await sockets()).sort()).toEqual(
    ['0.0.0.0:3784', '0.0.0.0:4784', '[::]:3784', '[::]:4784'].sort(),
  );
  expect(() => kernel.openBfdListener(options[0])).toThrow(
    expect.objectContaining({
      ...{ code: 'KERNEL', errno: 'EADDRINUSE' },
      remedy: 'stop the other BFD daemon of this namespace',
    }) as Error,
  );
  for (const fd of fds) kernel.closeDescriptor(fd);
  expect(openDescriptors()).toBe(before);
});

test('senders have the local address, an interface, and a random port of the range', async () => {
  const before = openDescriptors();
  const fds = Array.from({ length: 50 }, () =>
    kernel.openBfdSender({ netns, local: ip('127.0.0.1') }),
  );
  const ports = (await sockets()).map((text) => {
    expect(text).toMatch(/^127\.0\.0\.1:\d+$/);
    return Number(text.split(':')[1]);
  });
  expect(new Set(ports).size).toBe(50);
  for (const port of ports) expect(port).toBeGreaterThanOrEqual(49_152);
  // ports given one after the other would lie side by side
  expect(Math.max(...ports) - Math.min(...ports)).toBeGreaterThan(1_000);
  for (const fd of fds) kernel.closeDescriptor(fd);

  const bound = kernel.openBfdSender({ netns, local: ip('::1'), interface: 'lo' });
  expect((await sockets())[0]).toMatch(/^\[::1\]%lo:\d+$/);
  kernel.closeDescriptor(bound);
  expect(openDescriptors()).toBe(before);
});

test.each([
  [{ local: ip('10.9.9.9') }, { code: 'KERNEL', errno: 'EADDRNOTAVAIL' }],
  [
    { local: ip('127.0.0.1'), interface: 'none' },
    { code: 'KERNEL', errno: 'ENODEV' },
  ],
  [{ local: Uint8Array.of(1, 2, 3) }, { code: 'BAD_ARGUMENT' }],
])('a sender that cannot be: %o', (options, error) => {
  const before = openDescriptors();
  expect(() => kernel.openBfdSender({ netns, ...options })).toThrow(
    expect.objectContaining(error) as Error,
  );
  expect(openDescriptors()).toBe(before);
});
