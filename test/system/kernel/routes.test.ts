// SPDX-License-Identifier: Apache-2.0
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { eventually, Lab } from '../../../scripts/lib/lab.js';
import { NamespaceMonitor } from '../../../src/kernel/monitor.js';
import { CoreRoutes, type Resolution } from '../../../src/kernel/routes.js';
import { ip, kernel } from './support.js';

const NS = 'slk-routes';
let lab: Lab;
let netns: number;
let monitor: NamespaceMonitor;
let routes: CoreRoutes;

beforeAll(async () => {
  lab = await Lab.open(NS);
  await lab.namespace(NS);
  await lab.ip(NS, [
    'link add slkr0 type veth peer name slkr1',
    'link add slkr2 type veth peer name slkr3',
    ...['slkr0', 'slkr1', 'slkr2', 'slkr3'].map((name) => `link set ${name} up`),
    'addr add 10.9.0.1/24 dev slkr0',
    'addr add 10.9.2.1/24 dev slkr2',
    'addr add 2001:db8:9::1/64 dev slkr0 nodad',
    'addr add 2001:db8:92::1/64 dev slkr2 nodad',
  ]);
  netns = kernel.openNetns(`/run/netns/${NS}`);
});

afterAll(async () => {
  kernel.closeDescriptor(netns);
  await lab.close();
});

beforeEach(async () => {
  monitor = await NamespaceMonitor.open(kernel, netns);
  routes = new CoreRoutes(monitor, {
    onError: (error) => {
      throw error;
    },
  });
});

afterEach(() => {
  routes.close();
  monitor.close();
});

function via(name: string, nextHop: string, more: object = {}): object {
  return { kind: 'reachable', interface: name, nextHop: ip(nextHop), ...more };
}

test('resolves on-link, gateway, default, local, unreachable and blackhole, IPv4 and IPv6', async () => {
  await lab.ip(NS, [
    'route add 192.0.2.0/24 via 10.9.0.2 src 10.9.0.1 mtu 1400',
    'route add blackhole 192.0.2.128/25',
    'route add unreachable 198.51.100.0/24',
    'route add 2001:db8:100::/48 via 2001:db8:9::2 src 2001:db8:9::1',
    'route add 2001:db8:101::/48 via fe80::2 dev slkr2',
    'route add blackhole 2001:db8:100:1::/64',
    'route add 203.0.113.0/24 via inet6 fe80::7 dev slkr2',
  ]);
  const find = async (destination: string): Promise<Resolution> => routes.resolve(ip(destination));
  expect(await find('10.9.0.77')).toMatchObject(
    via('slkr0', '10.9.0.77', { source: ip('10.9.0.1') }),
  );
  const gateway = { source: ip('10.9.0.1'), mtu: 1400 };
  expect(await find('192.0.2.7')).toMatchObject(via('slkr0', '10.9.0.2', gateway));
  expect(await find('192.0.2.129')).toMatchObject({ kind: 'unreachable' });
  expect(await find('198.51.100.1')).toMatchObject({ kind: 'unreachable' });
  expect(await find('8.8.8.8')).toEqual({ kind: 'unreachable', reason: 'no route' });
  expect(await find('10.9.0.1')).toEqual({ kind: 'local' });
  // RFC 8950: an IPv4 route whose next hop is an IPv6 address
  expect(await find('203.0.113.5')).toMatchObject(via('slkr2', 'fe80::7'));
  const source = { source: ip('2001:db8:9::1') };
  expect(await find('2001:db8:9::5')).toMatchObject(via('slkr0', '2001:db8:9::5'));
  expect(await find('2001:db8:100::5')).toMatchObject(via('slkr0', '2001:db8:9::2', source));
  expect(await find('2001:db8:101::5')).toMatchObject(via('slkr2', 'fe80::2'));
  expect(await find('2001:db8:100:1::5')).toMatchObject({ kind: 'unreachable' });
  expect(await find('2001:4860::1')).toMatchObject({ kind: 'unreachable' });
  expect(await find('2001:db8:9::1')).toEqual({ kind: 'local' });
});

test('agrees with `ip route get fibmatch` over many destinations', async () => {
  // Nested prefixes of many lengths around the same addresses.
  const lines = Array.from({ length: 60 }, (_, i) => {
    const length = 12 + (i % 19);
    const address = ((172 << 24) | (16 << 16) | (i * 2_654_435)) & (-1 << (32 - length));
    const bytes = [24, 16, 8, 0].map((shift) => (address >>> shift) & 255);
    return `route replace ${bytes.join('.')}/${length} via 10.9.${i % 2 ? 0 : 2}.${i + 2}`;
  });
  await lab.ip(NS, lines);
  let reachable = 0;
  for (let i = 0; i < 40; i++) {
    const destination = `172.${16 + ((i * 5) % 80)}.${(i * 37) % 256}.${(i * 91) % 256}`;
    const text = await lab.exec(NS, ['ip', 'route', 'get', 'fibmatch', destination]);
    const ours = await routes.resolve(ip(destination));
    const [, gateway, name] = / via (\S+) dev (\S+)/.exec(text.stdout) ?? [];
    if (gateway === undefined || name === undefined) expect(ours.kind).toBe('unreachable');
    else {
      reachable += 1;
      expect(ours).toMatchObject(via(name, gateway));
    }
  }
  expect(reachable).toBeGreaterThan(10);
});

test('takes one next hop of several, the same each time, and never a dead one', async () => {
  await lab.ip(NS, [
    'route add 198.18.0.0/16 nexthop via 10.9.2.9 dev slkr2 nexthop via 10.9.0.9 dev slkr0 nexthop via 10.9.0.5 dev slkr0',
    'route add 2001:db8:200::/48 nexthop via 2001:db8:92::9 dev slkr2 nexthop via 2001:db8:9::9 dev slkr0',
  ]);
  expect(await routes.resolve(ip('198.18.4.4'))).toMatchObject(via('slkr0', '10.9.0.5'));
  expect(await routes.resolve(ip('198.18.4.5'))).toMatchObject(via('slkr0', '10.9.0.5'));
  const ipv6 = ip('2001:db8:200::1');
  expect(await routes.resolve(ipv6)).toMatchObject(via('slkr0', '2001:db8:9::9'));
  await lab.ip(NS, ['link set slkr1 down']); // slkr0 loses its carrier
  await eventually('carrier lost', () => monitor.link('slkr0')?.carrier === false || undefined);
  expect(await routes.resolve(ip('198.18.4.4'))).toMatchObject(via('slkr2', '10.9.2.9'));
  expect(await routes.resolve(ipv6)).toMatchObject(via('slkr2', '2001:db8:92::9'));
  await lab.ip(NS, ['link set slkr1 up']);
});

test('next-hop objects resolve like any next hop', async () => {
  await lab.ip(NS, ['nexthop add id 7 via 10.9.0.70 dev slkr0', 'route add 198.19.0.0/16 nhid 7']);
  expect(await routes.resolve(ip('198.19.0.1'))).toMatchObject(via('slkr0', '10.9.0.70'));
  const seen: Resolution[] = [];
  routes.track(ip('198.19.0.1'), (resolution) => seen.push(resolution));
  await eventually('first', () => seen[0]);
  await lab.ip(NS, ['nexthop replace id 7 via 10.9.2.71 dev slkr2']);
  expect(await eventually('second', () => seen[1])).toMatchObject(via('slkr2', '10.9.2.71'));
});

test('reports a tracked destination once per change, and only then', async () => {
  const seen: Resolution[] = [];
  const stop = routes.track(ip('203.0.114.1'), (resolution) => seen.push(resolution));
  const next = async (count: number): Promise<Resolution> =>
    eventually(`answer ${count}`, () => seen[count - 1], 5000);
  expect(await next(1)).toMatchObject({ kind: 'unreachable' });
  await lab.ip(NS, ['route add 203.0.114.0/24 via 10.9.0.3']);
  expect(await next(2)).toMatchObject(via('slkr0', '10.9.0.3', { metric: 0 }));
  await lab.ip(NS, ['route add 203.0.114.1/32 via 10.9.2.3']); // more specific
  expect(await next(3)).toMatchObject(via('slkr2', '10.9.2.3'));
  await lab.ip(NS, ['route add 203.0.115.0/24 via 10.9.2.3']); // elsewhere
  await lab.ip(NS, ['addr add 10.9.77.1/24 dev slkr2']); // asks again, same answer
  await lab.ip(NS, ['link set slkr2 down']); // IPv4 routes go without a notification of their own
  expect(await next(4)).toMatchObject(via('slkr0', '10.9.0.3'));
  await lab.ip(NS, ['link set slkr2 up']);
  await lab.ip(NS, ['rule add to 203.0.114.0/24 prohibit pref 10']);
  expect(await next(5)).toMatchObject({ kind: 'unreachable' });
  await lab.ip(NS, ['rule del pref 10']);
  expect(await next(6)).toMatchObject(via('slkr0', '10.9.0.3'));
  // The same way at another cost.
  await lab.ip(NS, [
    'route add 203.0.114.0/24 via 10.9.0.3 metric 30',
    'route del 203.0.114.0/24 metric 0',
  ]);
  expect(await next(7)).toMatchObject(via('slkr0', '10.9.0.3', { metric: 30 }));
  stop();
  await lab.ip(NS, ['route del 203.0.114.0/24']);
  await new Promise((wake) => setTimeout(wake, 100));
  expect(seen).toHaveLength(7);
});
