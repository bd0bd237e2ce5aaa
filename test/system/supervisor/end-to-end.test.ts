import { afterAll, beforeAll, expect, it } from 'vitest';
import { otherEnd, TwoPes } from './two-pes.js';

let net: TwoPes;
beforeAll(async () => {
  net = await TwoPes.open('e2e');
  await net.up();
});
afterAll(async () => {
  await net.close();
});

it.each(['10.2.0.2', '2001:db8:a:2::2', '10.255.0.2', '10.2.0.1', '2001:db8:a:2::1'])(
  'a CE reaches %s through both PEs',
  async (address) => {
    await net.reach(1, address);
    expect(await net.ping(1, address, { count: 20 })).toBe(20);
  },
);

it.each(['10.1.0.1', '10.255.0.1', '2001:db8:a:1::1'])(
  'its own PE answers at %s',
  async (address) => {
    expect(await net.ping(1, address, { count: 5 })).toBe(5);
  },
);

it('the PE reaches remote CEs from its VRF', async () => {
  const argv = ['ping', '-q', '-c', '3', '-i', '0.05', '10.2.0.2'];
  const { stdout } = await net.lab.exec(net.vrfNetns(1), argv);
  expect(stdout).toContain('3 received');
});

it('nothing but ESP of the two SAs carries the packets over the core', async () => {
  await net.reach(1, '10.2.0.2');
  const seen = await net.capture(async () => {
    expect(await net.ping(1, '10.2.0.2', { count: 50, intervalMs: 5 })).toBe(50);
  });
  for (const end of [1, 2] as const) {
    const frames = seen[end];
    const ip = frames.filter((frame) => frame.readUInt16BE(12) === 0x0800);
    // IPv4 at 14: protocol at 9, SPI behind 20 bytes of header.
    expect(new Set(ip.map((frame) => frame.readUInt8(14 + 9)))).toEqual(new Set([50]));
    const spis = ip.map((frame) => frame.readUInt32BE(14 + 20));
    expect(spis.filter((spi) => spi === net.spi(otherEnd(end)))).toHaveLength(50);
    const others = frames.filter((frame) => ![0x0800, 0x0806].includes(frame.readUInt16BE(12)));
    expect(others).toEqual([]);
    const pattern = Buffer.from('10111213141516171819', 'hex'); // ping's payload
    expect(frames.some((frame) => frame.includes(pattern))).toBe(false);
  }
});

it('shows what it did', async () => {
  const [tunnel] = await net.show(1, 'tunnels');
  expect(tunnel).toMatchObject({
    name: 'peer',
    state: 'up',
    mtu: 1438,
    interface: 'core0',
    nextHop: '192.0.2.2',
  });
  const sas = await net.show(1, 'sas');
  expect(sas.map(({ name, ready }) => [name, ready])).toEqual([
    ['out', true],
    ['in', true],
  ]);
  expect(sas.every(({ packets, sequence }) => packets > 0n && sequence >= packets)).toBe(true);
  const [label] = await net.show(1, 'labels');
  expect(label).toMatchObject({ label: 1001, vrf: 'A', accept: 'encrypt gre,ip from example' });
  expect(label!.packets).toBeGreaterThan(0n);
  const routes = await net.show(1, 'routes');
  const remote = routes.find(({ prefix }) => prefix === '10.2.0.0/24');
  expect(remote).toMatchObject({ nexthop: 'tunnel', tunnel: 'peer', label: 1002, usable: true });
  const neighbour = routes.find(({ prefix }) => prefix === '10.1.0.2/32');
  expect(neighbour).toMatchObject({ owner: 'neighbour', nexthop: 'adjacency', interface: 'ce-a' });
  const status = await net.client(1, async (client) => client.status());
  expect(status).toMatchObject({
    state: 'running',
    reason: '',
    workerState: 'running',
    tunnelsUsable: 1,
  });
});
