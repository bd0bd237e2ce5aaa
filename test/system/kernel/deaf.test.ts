// SPDX-License-Identifier: Apache-2.0
/**
 *   left ── slkd1 ═ slkd0 ── PE ── slkd2 ═ slkd3 ── right
 *
 * The PE's kernel would answer and forward: it has addresses, routes and (against our will) forwarding on.
 * slkd0 is deaf, no worker runs; whatever reaches left or right from the PE is a leak.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { Lab } from '../../../scripts/lib/lab.js';
import { type BeforeDeaf, deafProblems, makeDeaf, undoDeaf } from '../../../src/kernel/deaf.js';
import type { NamespaceContext } from '../../../src/kernel/device.js';
import { Netlink } from '../../../src/kernel/netlink.js';
import { kernel, openDescriptors, settle } from './support.js';

const PE = 'slk-deaf-pe';
const LEFT = 'slk-deaf-l';
const RIGHT = 'slk-deaf-r';
const PE_MAC = '02:00:00:00:0d:00';
let lab: Lab;
let context: NamespaceContext;

beforeAll(async () => {
  lab = await Lab.open('slk-deaf');
  for (const netns of [PE, LEFT, RIGHT]) await lab.namespace(netns);
  await lab.link(PE, 'slkd0', LEFT, 'slkd1');
  await lab.link(PE, 'slkd2', RIGHT, 'slkd3');
  await lab.ip(PE, [`link set slkd0 address ${PE_MAC}`]);
  await lab.ip(PE, [
    'addr add 10.6.1.1/24 dev slkd2',
    'addr add 2001:db8:61::1/64 dev slkd2 nodad',
  ]);
  await lab.ip(RIGHT, [
    'addr add 10.6.1.2/24 dev slkd3',
    'addr add 2001:db8:61::2/64 dev slkd3 nodad',
    'route add default via 10.6.1.1',
    'route add default via 2001:db8:61::1',
  ]);
  await lab.ip(LEFT, [
    'addr add 10.6.0.2/24 dev slkd1',
    'addr add 2001:db8:60::2/64 dev slkd1 nodad',
    'route add default via 10.6.0.1',
    'route add default via 2001:db8:60::1',
  ]);
  await lab.must(LEFT, ['nft', '-f', '-'], {
    input: `table netdev seen { chain c { type filter hook ingress device "slkd1" priority 0;
      ether saddr ${PE_MAC} counter; }; }`,
  });
  await lab.must(RIGHT, ['nft', '-f', '-'], {
    input: `table inet seen { chain c { type filter hook prerouting priority 0;
      ip saddr 10.6.0.0/24 counter
      ip6 saddr 2001:db8:60::/64 counter; }; }`,
  });
  const netns = kernel.openNetns(`/run/netns/${PE}`);
  context = { kernel, netns, netlink: new Netlink(kernel, netns) };
});

afterAll(async () => {
  context.netlink.close();
  kernel.closeDescriptor(context.netns);
  await lab.close();
});

let before: BeforeDeaf | undefined;
beforeEach(async () => {
  await forwarding(true);
  before = undefined;
});
afterEach(async () => {
  if (before) await undoDeaf(context, 'slkd0', before, { last: true });
  await lab.exec(LEFT, ['ip', 'neigh', 'flush', 'dev', 'slkd1', 'nud', 'all']);
});

async function forwarding(on: boolean): Promise<void> {
  const value = on ? '1' : '0';
  await lab.must(PE, [
    ...['sysctl', '-qw', `net.ipv4.ip_forward=${value}`, `net.ipv6.conf.all.forwarding=${value}`],
    `net.ipv4.conf.slkd0.forwarding=${value}`,
  ]);
}

/** Packets from the PE that left and right have received so far. */
async function seen(): Promise<{ left: number; right: number }> {
  const count = async (netns: string, family: string): Promise<number> => {
    const text = await lab.must(netns, ['nft', 'list', 'table', family, 'seen']);
    return [...text.matchAll(/packets (\d+)/g)].reduce((sum, [, n]) => sum + Number(n), 0);
  };
  return { left: await count(LEFT, 'netdev'), right: await count(RIGHT, 'inet') };
}

/** How often each rule has counted, as a difference to the state before `action`. */
async function leaks(action: () => Promise<void>): Promise<{ left: number; right: number }> {
  const start = await seen();
  await action();
  await settle(300);
  const end = await seen();
  return { left: end.left - start.left, right: end.right - start.right };
}

/** All that a host could ask of the PE: by ARP and ND, by its MAC, through it to the right. */
async function provoke(): Promise<void> {
  const ping = async (target: string): Promise<unknown> =>
    lab.exec(LEFT, ['ping', '-c2', '-i0.1', '-W1', target]);
  await Promise.all(['10.6.0.1', '10.6.0.254', '2001:db8:60::1', 'ff02::1%slkd1'].map(ping));
  for (const address of ['10.6.0.1', '2001:db8:60::1']) {
    await lab.ip(LEFT, [`neigh replace ${address} lladdr ${PE_MAC} dev slkd1 nud permanent`]);
  }
  const targets = ['10.6.0.1', '10.6.1.1', '10.6.1.2', '2001:db8:60::1', '2001:db8:61::1'];
  await Promise.all([...targets, '2001:db8:61::2'].map(ping));
}

test('control: without deafness the same host is answered and served', async () => {
  await lab.ip(PE, [
    'addr add 10.6.0.1/24 dev slkd0',
    'addr add 2001:db8:60::1/64 dev slkd0 nodad',
  ]);
  const { left, right } = await leaks(provoke);
  expect(left).toBeGreaterThan(8);
  expect(right).toBeGreaterThanOrEqual(4);
  await lab.ip(PE, ['addr flush dev slkd0']);
});

test('deaf: nothing answered, nothing forwarded, even with forwarding turned on again', async () => {
  ({ before } = await makeDeaf(context, 'slkd0'));
  expect(await leaks(provoke)).toEqual({ left: 0, right: 0 });
  // The operator, or another program, works against us.
  await forwarding(true);
  await lab.ip(PE, ['addr add 10.6.0.1/24 dev lo', 'route add 10.6.0.0/24 dev slkd0']);
  expect(await leaks(provoke)).toEqual({ left: 0, right: 0 });
  // Control: it is the drop that held.
  await lab.must(PE, ['nft', 'delete', 'table', 'netdev', 'sealane_slkd0']);
  const { left, right } = await leaks(provoke);
  expect(left).toBeGreaterThan(0);
  expect(right).toBeGreaterThan(0);
  await lab.ip(PE, ['addr del 10.6.0.1/24 dev lo', 'route del 10.6.0.0/24 dev slkd0']);
});

test('deaf, but packet sockets still hear every frame', async () => {
  ({ before } = await makeDeaf(context, 'slkd0'));
  const listener = lab.exec(PE, [
    ...['timeout', '8', 'tcpdump', '-i', 'slkd0', '-c', '2', '-nn', 'icmp and dst host 10.6.1.2'],
  ]);
  await settle(700);
  await lab.ip(LEFT, [`neigh replace 10.6.0.1 lladdr ${PE_MAC} dev slkd1 nud permanent`]);
  await lab.exec(LEFT, ['ping', '-c4', '-i0.2', '-W1', '10.6.1.2']);
  expect((await listener).code).toBe(0);
});

test('says what is not deaf any more, each way by itself', async () => {
  ({ before } = await makeDeaf(context, 'slkd0'));
  expect(await deafProblems(context, 'slkd0')).toEqual([]);
  const ways: readonly (readonly [string, RegExp])[] = [
    ['ip addr add 10.6.0.1/24 dev slkd0', /has address 10\.6\.0\.1\/24/],
    ['nft delete table netdev sealane_slkd0', /nftables drop is missing/],
    ['nft insert rule netdev sealane_slkd0 ingress accept', /not the one that was installed/],
    ['nft flush chain netdev sealane_slkd0 ingress', /not the one that was installed/],
    ['sysctl -qw net.ipv4.ip_forward=1', /ipv4\/conf\/all\/forwarding is 1/],
    ['sysctl -qw net.ipv4.conf.slkd0.forwarding=1', /ipv4\/conf\/slkd0\/forwarding is 1/],
    ['sysctl -qw net.ipv4.conf.slkd2.forwarding=1', /slkd2\/forwarding is 1/],
    ['sysctl -qw net.ipv6.conf.slkd2.force_forwarding=1', /slkd2\/force_forwarding is 1/],
    ['sysctl -qw net.ipv6.conf.all.forwarding=1', /ipv6\/conf\/all\/forwarding is 1/],
    ['sysctl -qw net.ipv6.conf.slkd0.disable_ipv6=0', /disable_ipv6 is 0/],
    ['ip link set slkd0 addrgenmode eui64', /addrgenmode/],
    ['ethtool -K slkd0 gro on', /gro is on/],
    ['ip link set slkd0 down', /it is down/],
  ];
  for (const [command, problem] of ways) {
    await lab.must(PE, command.split(' '));
    expect((await deafProblems(context, 'slkd0')).join('\n'), command).toMatch(problem);
    await lab.exec(PE, ['ip', 'addr', 'flush', 'dev', 'slkd0']);
    await makeDeaf(context, 'slkd0', before); // and doing it again mends it
    expect(await deafProblems(context, 'slkd0'), command).toEqual([]);
  }
});

test('refuses an interface that the kernel uses, and names the remedy', async () => {
  await lab.ip(PE, ['addr add 10.6.0.1/24 dev slkd0']);
  await expect(makeDeaf(context, 'slkd0')).rejects.toMatchObject({
    ...{ code: 'ADDRESS_PRESENT', message: expect.stringContaining('10.6.0.1/24') as string },
    remedy: expect.stringContaining('ip addr flush dev slkd0') as string,
  });
  await lab.ip(PE, ['addr flush dev slkd0', 'addr add 2001:db8:60::1/64 dev slkd0 nodad']);
  await expect(makeDeaf(context, 'slkd0')).rejects.toMatchObject({ code: 'ADDRESS_PRESENT' });
  await lab.ip(PE, ['addr flush dev slkd0', 'link add slkdbr type bridge']);
  await lab.ip(PE, ['link set slkd0 master slkdbr']);
  await expect(makeDeaf(context, 'slkd0')).rejects.toMatchObject({ code: 'INTERFACE_IN_USE' });
  await lab.ip(PE, ['link set slkd0 nomaster', 'link del slkdbr']);
  await lab.ip(PE, ['link add link slkd0 name slkdm type macvlan']);
  await expect(makeDeaf(context, 'slkd0')).rejects.toMatchObject({
    ...{ code: 'INTERFACE_IN_USE', message: expect.stringContaining('slkdm') as string },
  });
  await lab.ip(PE, ['link del slkdm']);
  await expect(makeDeaf(context, 'slkd77')).rejects.toMatchObject({ code: 'NO_INTERFACE' });
  // What was refused is as it was.
  expect(await lab.must(PE, ['nft', 'list', 'ruleset'])).not.toContain('sealane_slkd0');
  expect(await lab.must(PE, ['sysctl', '-n', 'net.ipv4.ip_forward'])).toBe('1\n');
});

test('gives the interface back as it was, also after the supervisor was killed', async () => {
  await lab.must(PE, ['ethtool', '-K', 'slkd0', 'gro', 'on']);
  await lab.ip(PE, ['link set slkd0 down', 'link set slkd0 addrgenmode eui64']);
  const picture = async (): Promise<string> => {
    const parts = [
      await lab.must(PE, ['ip', '-d', 'link', 'show', 'slkd0']),
      await lab.must(PE, ['ethtool', '-k', 'slkd0']),
      await lab.must(PE, ['sysctl', 'net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding']),
      await lab.must(PE, ['sysctl', 'net.ipv6.conf.slkd0.disable_ipv6']),
      await lab.must(PE, ['nft', 'list', 'ruleset']),
    ];
    return parts.join('\n');
  };
  const original = await picture();
  const first = await makeDeaf(context, 'slkd0');
  expect(first.notes.join()).toContain('other end');
  const stored = JSON.parse(JSON.stringify(first.before)) as BeforeDeaf;
  const second = await makeDeaf(context, 'slkd0', stored); // a new supervisor finds it deaf
  expect(second.before).toEqual(stored);
  await undoDeaf(context, 'slkd0', second.before, { last: true });
  expect(await picture()).toBe(original);
  await lab.ip(PE, ['link set slkd0 up']);
});

test('leaves no descriptor behind', async () => {
  await settle();
  const open = openDescriptors();
  ({ before } = await makeDeaf(context, 'slkd0'));
  await deafProblems(context, 'slkd0');
  await settle();
  expect(openDescriptors()).toBe(open);
});
