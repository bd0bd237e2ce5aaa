// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { eventually, inNetns, Lab } from '../../../scripts/lib/lab.js';
import { NamespaceMonitor } from '../../../src/kernel/monitor.js';
import { type NeighbourEntry, NeighbourWatcher } from '../../../src/kernel/neighbours.js';
import { ip, ipJson, kernel, mac, settle } from './support.js';

const NS = 'slk-nd-a';
const PEER = 'slk-nd-b';
const PEER_MAC = '02:00:00:00:0b:01';
let lab: Lab;
let netns: number;
let monitor: NamespaceMonitor;
let changes: NeighbourEntry[];
const watchers: NeighbourWatcher[] = [];

beforeAll(async () => {
  lab = await Lab.open('slk-nd');
  await lab.namespace(NS);
  await lab.namespace(PEER);
  await lab.link(NS, 'slkn0', PEER, 'slkn1');
  for (const [ns, name, host] of [
    [NS, 'slkn0', 1],
    [PEER, 'slkn1', 2],
  ] as const) {
    await lab.ip(ns, [
      `addr add 10.8.0.${host}/24 dev ${name}`,
      `addr add 2001:db8:8::${host}/64 dev ${name} nodad`,
    ]);
    // Seconds become fractions of one, so that the kernel's timers can be waited for.
    for (const family of ['ipv4', 'ipv6']) {
      const neigh = `net.${family}.neigh.${name}`;
      await lab.must(ns, [
        ...['sysctl', '-qw', `${neigh}.base_reachable_time_ms=400`],
        ...[`${neigh}.delay_first_probe_time=1`, `${neigh}.retrans_time_ms=100`],
        `${neigh}.interval_probe_time_ms=300`,
      ]);
    }
  }
  await lab.ip(PEER, [`link set slkn1 address ${PEER_MAC}`]);
  netns = kernel.openNetns(`/run/netns/${NS}`);
});

afterAll(async () => {
  kernel.closeDescriptor(netns);
  await lab.close();
});

beforeEach(async () => {
  await lab.exec(NS, ['ip', 'neigh', 'flush', 'all']);
  changes = [];
  monitor = await NamespaceMonitor.open(kernel, netns);
});

afterEach(() => {
  for (const watcher of watchers.splice(0)) watcher.close();
  monitor.close();
});

function watch(refreshMs = 5000): NeighbourWatcher {
  const watcher = new NeighbourWatcher(monitor, {
    onChange: (entry) => changes.push(entry),
    onError: (error) => {
      throw error;
    },
    refreshMs,
  });
  watchers.push(watcher);
  return watcher;
}

async function macOf(watcher: NeighbourWatcher, address: string): Promise<Uint8Array> {
  return eventually(`MAC of ${address}`, () => watcher.lookup('slkn0', ip(address))?.mac, 8000);
}

test('learns what the kernel resolves for its own traffic, and agrees with `ip neigh`', async () => {
  const watcher = watch();
  await lab.exec(NS, ['ping', '-c1', '-W2', '10.8.0.2']);
  await lab.exec(NS, ['ping', '-c1', '-W2', '2001:db8:8::2']);
  expect(await macOf(watcher, '10.8.0.2')).toEqual(mac(PEER_MAC));
  expect(await macOf(watcher, '2001:db8:8::2')).toEqual(mac(PEER_MAC));
  const rows = await ipJson<{ dst: string; lladdr?: string }>(lab, NS, ['neigh', 'show']);
  for (const { dst, lladdr } of rows) {
    const known = watcher.lookup('slkn0', ip(dst))?.mac;
    expect(known, dst).toEqual(lladdr === undefined ? undefined : mac(lladdr));
  }
  expect(rows.length).toBeGreaterThanOrEqual(2);
});

test('reads what was there before it came', async () => {
  await lab.exec(NS, ['ping', '-c1', '-W2', '10.8.0.2']);
  const other = await NamespaceMonitor.open(kernel, netns);
  const watcher = new NeighbourWatcher(other, { onChange: () => 0, onError: () => 0 });
  expect(watcher.lookup('slkn0', ip('10.8.0.2'))?.mac).toEqual(mac(PEER_MAC));
  watcher.close();
  other.close();
});

test.each(['10.8.0.2', '2001:db8:8::2'])(
  'a managed neighbour (%s) is resolved without traffic and follows a changed link address',
  async (address) => {
    const watcher = watch();
    watcher.manage('slkn0', ip(address));
    expect(await macOf(watcher, address)).toEqual(mac(PEER_MAC));
    const flags = await lab.must(NS, ['ip', 'neigh', 'show', address]);
    expect(flags).toContain('managed');
    await lab.ip(PEER, ['link set slkn1 address 02:00:00:00:0b:99']);
    await eventually(
      'new MAC',
      () => watcher.lookup('slkn0', ip(address))?.mac?.[5] === 0x99 || undefined,
      10_000,
    );
    // probe() asks with NTF_USE, which would end the management if it were sent alone.
    watcher.probe('slkn0', ip(address));
    await settle(50);
    expect(await lab.must(NS, ['ip', 'neigh', 'show', address])).toContain('managed');
    await lab.ip(PEER, [`link set slkn1 address ${PEER_MAC}`]);
    watcher.unmanage('slkn0', ip(address));
    await eventually('gone', () => watcher.lookup('slkn0', ip(address)) === undefined || undefined);
    expect(changes.at(-1)).toMatchObject({ interface: 'slkn0', address: ip(address) });
    expect(changes.at(-1)?.mac).toBeUndefined();
  },
);

test('a managed neighbour comes back after the carrier was lost, and after a flush', async () => {
  const watcher = watch();
  watcher.manage('slkn0', ip('10.8.0.2'));
  watcher.manage('slkn0', ip('2001:db8:8::2'));
  await macOf(watcher, '10.8.0.2');
  await macOf(watcher, '2001:db8:8::2');
  await lab.ip(PEER, ['link set slkn1 down']);
  await eventually(
    'unusable',
    () => watcher.lookup('slkn0', ip('10.8.0.2'))?.mac === undefined || undefined,
  );
  await lab.ip(PEER, ['link set slkn1 up', 'addr replace 2001:db8:8::2/64 dev slkn1 nodad']);
  await macOf(watcher, '10.8.0.2');
  await macOf(watcher, '2001:db8:8::2');
  await settle(1100);
  await lab.must(NS, ['ip', 'neigh', 'del', '10.8.0.2', 'dev', 'slkn0']);
  await macOf(watcher, '10.8.0.2');
  expect(await lab.must(NS, ['ip', 'neigh', 'show', '10.8.0.2'])).toContain('managed');
});

test('a managed neighbour that fails becomes unusable, and usable again when it is back', async () => {
  const watcher = watch();
  watcher.manage('slkn0', ip('10.8.0.2'));
  await macOf(watcher, '10.8.0.2');
  await lab.ip(PEER, ['addr del 10.8.0.2/24 dev slkn1']);
  await eventually(
    'failed',
    () => watcher.lookup('slkn0', ip('10.8.0.2'))?.mac === undefined || undefined,
    15_000,
  );
  expect(changes.at(-1)?.mac).toBeUndefined();
  await lab.ip(PEER, ['addr add 10.8.0.2/24 dev slkn1']);
  await macOf(watcher, '10.8.0.2');
});

test.each(['before', 'after'])(
  'a permanent one, made %s it is managed, is left alone',
  async (when) => {
    const watcher = watch(100);
    const [address, device] = ['10.8.0.9', 'slkn0'];
    const make = async (): Promise<void> =>
      lab.ip(NS, [`neigh replace ${address} lladdr 02:00:00:00:00:09 dev ${device} nud permanent`]);
    const shown = async (): Promise<unknown> => {
      const rows = await ipJson<{ lladdr: string; state: string[] }>(lab, NS, [
        ...['neigh', 'show', address],
      ]);
      return rows.map(({ lladdr, state }) => [lladdr, state]);
    };
    const ours = [['02:00:00:00:00:09', ['PERMANENT']]];
    if (when === 'before') await make();
    watcher.manage(device, ip(address));
    if (when === 'after') await make();
    expect(await macOf(watcher, address)).toEqual(mac('02:00:00:00:00:09'));
    await settle(600); // six times that it is looked at
    expect(await shown()).toEqual(ours);
    await lab.ip(NS, [`link set ${device} down`, `link set ${device} up`]);
    await make();
    await settle(600);
    expect(await shown()).toEqual(ours);
    watcher.unmanage(device, ip(address));
    await settle(300);
    expect(await shown()).toEqual(ours);
    await lab.ip(NS, [`neigh del ${address} dev ${device}`]);
  },
);

test('a neighbour of a device that has just gone is given up without complaint', async () => {
  await lab.ip(NS, ['link add slkn9 type veth peer name slkn8', 'addr add 10.9.0.1/24 dev slkn9']);
  await lab.ip(NS, ['link set slkn9 up']);
  await eventually('slkn9', () => monitor.link('slkn9')?.up === true || undefined);
  const watcher = watch();
  watcher.manage('slkn9', ip('10.9.0.2'));
  await settle(50);
  // In one turn: nobody has heard of the device's end when the neighbour is given up.
  execFileSync('ip', ['-n', NS, 'link', 'del', 'slkn9']);
  watcher.unmanage('slkn9', ip('10.9.0.2'));
  await settle(100); // a complaint would throw
});

test('probe resolves once and is not managed; an absent host gives no link address', async () => {
  const watcher = watch();
  watcher.probe('slkn0', ip('10.8.0.2'));
  watcher.probe('slkn0', ip('10.8.0.200'));
  expect(await macOf(watcher, '10.8.0.2')).toEqual(mac(PEER_MAC));
  expect(await lab.must(NS, ['ip', 'neigh', 'show', '10.8.0.2'])).not.toContain('managed');
  await eventually(
    'failed',
    () => watcher.lookup('slkn0', ip('10.8.0.200'))?.state === 'failed' || undefined,
  );
  expect(watcher.lookup('slkn0', ip('10.8.0.200'))?.mac).toBeUndefined();
});

test('without kernel management entries are refreshed by asking', async () => {
  // The management flag is what an older kernel ignores: take it from what is sent.
  const { netlink } = monitor;
  const send = netlink.request.bind(netlink);
  netlink.request = async (type, flags, payload, what) =>
    send(type, flags, payload.subarray(0, payload.length - 8), what);
  const watcher = watch(200);
  watcher.manage('slkn0', ip('10.8.0.2'));
  await macOf(watcher, '10.8.0.2');
  expect(await lab.must(NS, ['ip', 'neigh', 'show', '10.8.0.2'])).not.toContain('managed');
  await lab.ip(PEER, ['link set slkn1 address 02:00:00:00:0b:98']);
  await eventually(
    'new MAC',
    () => watcher.lookup('slkn0', ip('10.8.0.2'))?.mac?.[5] === 0x98 || undefined,
    10_000,
  );
  await lab.ip(PEER, [`link set slkn1 address ${PEER_MAC}`]);
});

test('after lost notifications everything is read again', async () => {
  const watcher = watch();
  const entry = ['lladdr', '02:00:00:00:00:66', 'dev', 'slkn0', 'nud', 'permanent'];
  await lab.must(NS, ['ip', 'neigh', 'add', '10.8.0.65', ...entry]);
  await macOf(watcher, '10.8.0.65');
  let everything = 0;
  monitor.listen({
    route: (route) => {
      if (route === undefined) everything += 1;
    },
  });
  // While the event loop is held, more happens than the socket's buffer holds.
  const lines = Array.from({ length: 60_000 }, (_, i) => {
    const host = `10.${128 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}/32`;
    return `route replace ${host} dev slkn0`;
  });
  const now = (argv: readonly string[], input = ''): void => {
    const [program = '', ...rest] = inNetns(NS, argv);
    execFileSync(program, rest, { input });
  };
  now(['ip', '-batch', '-'], lines.join('\n'));
  // Last of all, so that these notifications are among the lost ones.
  now(['ip', 'neigh', 'add', '10.8.0.66', ...entry]);
  now(['ip', 'neigh', 'del', '10.8.0.65', 'dev', 'slkn0']);
  // A request made now is answered although its first answer may be lost, too.
  watcher.manage('slkn0', ip('2001:db8:8::2'));
  expect(await macOf(watcher, '10.8.0.66')).toEqual(mac('02:00:00:00:00:66'));
  await eventually(
    'removed',
    () => watcher.lookup('slkn0', ip('10.8.0.65')) === undefined || undefined,
  );
  await macOf(watcher, '2001:db8:8::2');
  expect(everything).toBeGreaterThanOrEqual(1);
  await lab.ip(NS, ['route flush proto boot scope link']).catch(() => undefined);
});
