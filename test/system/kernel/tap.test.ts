// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, readSync, writeSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { eventually, Lab } from '../../../scripts/lib/lab.js';
import { findLink, type NamespaceContext, readAddresses } from '../../../src/kernel/device.js';
import { forwardingProblems } from '../../../src/kernel/forwarding.js';
import { raiseNeighbourLimits } from '../../../src/kernel/limits.js';
import { Netlink } from '../../../src/kernel/netlink.js';
import {
  ensureHostTun,
  ensureTap,
  type KernelDevice,
  linkLocalOf,
  prepareNamespace,
  type TapSpec,
} from '../../../src/kernel/tap.js';
import { formatAddress } from '../../../src/lib/ip.js';
import { ip, ipJson, kernel, mac, openDescriptors, prefix, settle } from './support.js';

const NS = 'slk-tap';
const spec: TapSpec = {
  name: 'slkt0',
  mac: mac('02:5e:a1:00:00:01'),
  mtu: 1442,
  addresses: [prefix('10.7.0.1/24'), prefix('10.7.0.9/24'), prefix('2001:db8:7::1/64')],
};
let lab: Lab;
let context: NamespaceContext;
const devices: KernelDevice[] = [];

beforeAll(async () => {
  lab = await Lab.open(NS);
  await lab.namespace(NS);
  const netns = kernel.openNetns(`/run/netns/${NS}`);
  context = { kernel, netns, netlink: new Netlink(kernel, netns) };
  await lab.must(NS, ['sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1']);
});

afterAll(async () => {
  context.netlink.close();
  kernel.closeDescriptor(context.netns);
  await lab.close();
});

beforeEach(async () => {
  await prepareNamespace(context);
});

afterEach(() => {
  for (const device of devices.splice(0)) device.remove();
});

function keep(device: KernelDevice): KernelDevice {
  devices.push(device);
  return device;
}

interface LinkRow {
  readonly address: string;
  readonly mtu: number;
  readonly qdisc: string;
  readonly flags: readonly string[];
  readonly operstate: string;
}
interface AddressRow {
  readonly addr_info: readonly { readonly local: string; readonly prefixlen: number }[];
}

async function linkRow(name: string): Promise<LinkRow> {
  const [row] = await ipJson<LinkRow>(lab, NS, ['-d', 'link', 'show', name]);
  return row!;
}

async function addressTexts(name: string): Promise<readonly string[]> {
  const [row] = await ipJson<AddressRow>(lab, NS, ['addr', 'show', name]);
  return row!.addr_info.map(({ local, prefixlen }) => `${local}/${prefixlen}`).sort();
}

test('sets up a TAP as `ip` sees it: MAC, MTU, addresses usable at once, carrier', async () => {
  keep(await ensureTap(context, spec));
  const row = await linkRow('slkt0');
  expect(row).toMatchObject({ address: '02:5e:a1:00:00:01', mtu: 1442, qdisc: 'noqueue' });
  expect(row.flags).toEqual(expect.arrayContaining(['UP', 'LOWER_UP']));
  expect(await addressTexts('slkt0')).toEqual([
    ...['10.7.0.1/24', '10.7.0.9/24', '2001:db8:7::1/64'],
    'fe80::5e:a1ff:fe00:1/64',
  ]);
  expect(formatAddress(linkLocalOf(spec.mac))).toBe('fe80::5e:a1ff:fe00:1');
  const tentative = await lab.must(NS, ['ip', '-6', 'addr', 'show', 'tentative']);
  expect(tentative).toBe('');
  const values = await lab.must(NS, [
    ...['sysctl', '-n', 'net.ipv4.ip_forward', 'net.ipv4.conf.slkt0.forwarding'],
    ...['net.ipv6.conf.all.forwarding', 'net.ipv6.conf.slkt0.forwarding'],
    ...['net.ipv4.conf.all.rp_filter', 'net.ipv4.conf.slkt0.rp_filter'],
    'net.ipv6.conf.slkt0.accept_ra',
  ]);
  expect(values.trim().split('\n')).toEqual(Array(7).fill('0'));
});

test('a second run changes nothing, and the kernel says so', async () => {
  keep(await ensureTap(context, spec));
  keep(await ensureHostTun(context, { name: 'slkh0', mtu: 1400, addresses: [] }));
  const events: string[] = [];
  const groups = [1, 5, 7, 9, 11];
  const watch = new Netlink(kernel, context.netns, groups, {
    onEvent: ({ type }) => events.push(String(type)),
  });
  const again = await ensureTap(context, spec);
  const host = await ensureHostTun(context, { name: 'slkh0', mtu: 1400, addresses: [] });
  await settle(50);
  again.close();
  host.close();
  // RTM_NEWLINK (16) tells of the queue that came; nothing is removed, no address or route touched.
  expect(events.filter((type) => type !== '16')).toEqual([]);
  watch.close();
});

test('changes what differs and keeps the rest', async () => {
  keep(await ensureTap(context, spec));
  const neighbour = ['lladdr', '02:00:00:00:00:77', 'dev', 'slkt0', 'nud', 'reachable'];
  await lab.must(NS, ['ip', 'neigh', 'add', '10.7.0.77', ...neighbour]);
  const addresses = [prefix('10.7.0.9/24'), prefix('10.7.9.1/28'), prefix('2001:db8:7::2/64')];
  keep(await ensureTap(context, { ...spec, mtu: 1300, addresses }));
  expect(await addressTexts('slkt0')).toEqual([
    ...['10.7.0.9/24', '10.7.9.1/28', '2001:db8:7::2/64', 'fe80::5e:a1ff:fe00:1/64'],
  ]);
  expect((await linkRow('slkt0')).mtu).toBe(1300);
  expect(await lab.must(NS, ['ip', 'neigh', 'show', '10.7.0.77'])).toContain('00:77');
});

test('the carrier and the neighbours survive the death of either holder, not of both', async () => {
  const device = await ensureTap(context, spec);
  // The worker: another process that inherits an attached queue and dies without a word.
  const worker = async (): Promise<() => Promise<void>> => {
    const queue = device.openQueue();
    const child = spawn('sleep', ['1000'], { stdio: ['ignore', 'ignore', 'ignore', queue] });
    kernel.closeDescriptor(queue);
    const gone = new Promise((resolve) => child.once('exit', resolve));
    await new Promise((resolve) => child.once('spawn', resolve));
    return async () => {
      child.kill('SIGKILL');
      await gone;
    };
  };
  await lab.must(NS, [
    ...['ip', 'neigh', 'add', '10.7.0.77', 'lladdr', '02:00:00:00:00:77'],
    ...['dev', 'slkt0', 'nud', 'reachable'],
  ]);
  const carrier = async (): Promise<boolean> =>
    (await findLink(context.netlink, 'slkt0'))?.carrier === true;
  const killFirst = await worker();
  await killFirst(); // the worker dies, we hold
  expect(await carrier()).toBe(true);
  const killSecond = await worker();
  device.close(); // we die, the worker holds
  expect(await carrier()).toBe(true);
  const again = await ensureTap(context, spec); // a new supervisor
  expect(await carrier()).toBe(true);
  expect(await lab.must(NS, ['ip', 'neigh', 'show', '10.7.0.77'])).toContain('00:77');
  await killSecond();
  expect(await carrier()).toBe(true);
  again.close();
  await eventually('carrier lost with the last queue', async () => !(await carrier()) || undefined);
  const link = await findLink(context.netlink, 'slkt0');
  expect(link?.name).toBe('slkt0'); // persistent: the device itself stays
  keep(await ensureTap(context, spec));
  expect(await carrier()).toBe(true);
});

test('frames pass through the attached queue; the kernel answers ARP and ND for it', async () => {
  const device = keep(await ensureTap(context, spec));
  const queue = device.openQueue();
  const peer = [0x02, 0, 0, 0, 0, 0x42];
  const arp = Uint8Array.from([
    ...[255, 255, 255, 255, 255, 255, ...peer, 8, 6],
    ...[0, 1, 8, 0, 6, 4, 0, 1, ...peer, 10, 7, 0, 66, 0, 0, 0, 0, 0, 0, 10, 7, 0, 1],
  ]);
  writeSync(queue, arp);
  const frame = new Uint8Array(2048);
  await eventually('ARP reply', () => {
    try {
      const length = readSync(queue, frame);
      return (frame[12] === 8 && frame[13] === 6 && frame[21] === 2 && length >= 42) || undefined;
    } catch {
      return undefined; // nothing to read yet
    }
  });
  expect(frame.subarray(0, 6)).toEqual(Uint8Array.from(peer));
  expect(frame.subarray(6, 12)).toEqual(spec.mac);
  expect(frame.subarray(28, 32)).toEqual(ip('10.7.0.1'));
  // Not for an address of another link (arp_ignore).
  await lab.ip(NS, ['addr add 10.7.200.1/32 dev lo']);
  const foreign = Uint8Array.from(arp);
  foreign.set(ip('10.7.200.1'), 38);
  writeSync(queue, foreign);
  await settle(100);
  let answers = 0;
  for (;;) {
    try {
      readSync(queue, frame);
      if (frame[12] === 8 && frame[13] === 6 && frame[21] === 2) answers += 1;
    } catch {
      break;
    }
  }
  expect(answers).toBe(0);
  await lab.ip(NS, ['addr del 10.7.200.1/32 dev lo']);
  kernel.closeDescriptor(queue);
});

test('the host device carries default routes with the right source, and yields to others', async () => {
  keep(await ensureTap(context, spec));
  const addresses = [prefix('10.255.7.1/32')];
  const source6 = ip('2001:db8:7::1');
  const device = keep(
    await ensureHostTun(context, { name: 'slkh0', mtu: 1400, addresses, source6 }),
  );
  const routeOf = async (destination: string): Promise<string> =>
    lab.must(NS, ['ip', 'route', 'get', destination]);
  expect(await routeOf('192.0.2.1')).toMatch(/dev slkh0 .*src 10\.255\.7\.1/);
  expect(await routeOf('2001:db8:ffff::1')).toMatch(/dev slkh0 .*src 2001:db8:7::1/);
  expect(await routeOf('10.7.0.50')).toMatch(/dev slkt0 .*src 10\.7\.0\./);
  await lab.ip(NS, ['route add default via 10.7.0.254 metric 20']);
  expect(await routeOf('192.0.2.1')).toMatch(/via 10\.7\.0\.254/);
  await lab.ip(NS, ['route del default via 10.7.0.254 metric 20']);
  // A packet of the kernel's comes out of the queue as bare IP.
  const queue = device.openQueue();
  await lab.exec(NS, ['ping', '-c1', '-W1', '192.0.2.1']);
  const packet = new Uint8Array(2048);
  const found = await eventually('echo request', () => {
    const length = readSync(queue, packet);
    return packet[0] === 0x45 && packet[9] === 1 ? packet.subarray(0, length) : undefined;
  });
  expect(found.subarray(12, 16)).toEqual(ip('10.255.7.1'));
  expect(found.subarray(16, 20)).toEqual(ip('192.0.2.1'));
  kernel.closeDescriptor(queue);
  // The source goes with its address and comes with another.
  keep(
    await ensureHostTun(context, {
      ...{ name: 'slkh0', mtu: 1400, source6 },
      addresses: [prefix('10.255.7.2/32')],
    }),
  );
  expect(await routeOf('192.0.2.1')).toMatch(/dev slkh0 .*src 10\.255\.7\.2/);
});

test('forwarding that somebody turns on again is seen', async () => {
  keep(await ensureTap(context, spec));
  expect(await forwardingProblems(context)).toEqual([]);
  await lab.must(NS, ['sysctl', '-qw', 'net.ipv4.conf.slkt0.forwarding=1']);
  expect(await forwardingProblems(context)).toEqual(['ipv4/conf/slkt0/forwarding is 1']);
  await prepareNamespace(context);
  expect(await forwardingProblems(context)).toEqual([]);
});

test('the limits of the neighbour tables are raised where they can be, else an operator is told', () => {
  const told = raiseNeighbourLimits(kernel);
  for (const family of ['ipv4', 'ipv6']) {
    const file = `/proc/sys/net/${family}/neigh/default/gc_thresh3`;
    if (existsSync(file) && told === undefined) {
      expect(Number(readFileSync(file, 'latin1'))).toBeGreaterThanOrEqual(65_536);
    }
  }
  if (told !== undefined) expect(told).toContain('gc_thresh3=65536');
  // Out of reach: a namespace that has no such values.
  const elsewhere = {
    ...kernel,
    openNetns: (): number => kernel.openNetns(`/run/netns/${NS}`),
  };
  expect(raiseNeighbourLimits(elsewhere)).toContain('gc_thresh3=65536');
});

test('an interface that is no TAP is refused by name', async () => {
  await lab.ip(NS, ['link add slkt9 type veth peer name slkt8']);
  const refused = ensureTap(context, { ...spec, name: 'slkt9' });
  await expect(refused).rejects.toMatchObject({ code: 'INTERFACE_KIND' });
  const tun = keep(await ensureHostTun(context, { name: 'slkt7', mtu: 1400, addresses: [] }));
  expect(tun.kind).toBe('tun');
  const other = ensureTap(context, { ...spec, name: 'slkt7' });
  await expect(other).rejects.toMatchObject({ code: 'KERNEL', errno: 'EINVAL' });
  await lab.ip(NS, ['link del slkt9']);
});

test('removal leaves neither device nor descriptor', async () => {
  await settle();
  const before = openDescriptors();
  const device = await ensureTap(context, spec);
  const host = await ensureHostTun(context, { name: 'slkh0', mtu: 1400, addresses: [] });
  const queue = device.openQueue();
  expect(openDescriptors()).toBe(before + 3);
  device.remove();
  host.remove();
  expect(await findLink(context.netlink, 'slkh0')).toBeUndefined();
  kernel.closeDescriptor(queue); // the last queue
  expect(await findLink(context.netlink, 'slkt0')).toBeUndefined();
  expect(await readAddresses(context.netlink, device.index)).toEqual([]);
  expect(openDescriptors()).toBe(before);
  // Failures leak nothing either.
  const wrong = {
    ...spec,
    addresses: [{ family: 4 as const, address: ip('10.0.0.1'), length: 33 }],
  };
  await expect(ensureTap(context, wrong)).rejects.toMatchObject({ code: 'NETLINK' });
  expect(openDescriptors()).toBe(before);
  kernel.removeTap(context.netns, 'slkt0');
});
