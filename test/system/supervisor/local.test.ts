import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Config } from '../../../src/config/types.js';
import { explainVrf, verdicts } from '../vpn/explain-cli.js';
import { TwoPes } from './two-pes.js';

/**
 * One PE, three customers; A and C import each other's routes, D has A's addresses and nothing else:
 *
 *   ce1 10.1.0.2 --- A 10.1.0.1 \
 *   ce2 10.3.0.2 --- C 10.3.0.1  } pe1       ce1 10.1.0.2 (second link) --- D 10.1.0.1
 */
let net: TwoPes;
beforeAll(async () => {
  net = await TwoPes.open('loc');
  const { lab } = net;
  for (const vrf of ['C', 'D']) lab.own(`${net.pe(1)}-${vrf}`);
  await lab.link(net.pe(1), 'cust2', net.ce(2), 'to-c');
  await lab.ip(net.ce(2), ['addr add 10.3.0.2/24 dev to-c', 'route add 10.1.0.0/24 via 10.3.0.1']);
  await lab.namespace('locce3');
  await lab.link(net.pe(1), 'cust3', 'locce3', 'eth0');
  await lab.ip('locce3', ['addr add 10.1.0.2/24 dev eth0', 'route add default via 10.1.0.1']);
  const base = net.config(1);
  const { core0, 'ce-a': a } = base.interfaces;
  const config: Config = {
    ...base,
    interfaces: {
      ...{ core0: core0!, 'ce-a': a! },
      'ce-c': { role: 'ce', vrf: 'C', device: { kernel: 'cust2' }, addresses: ['10.3.0.1/24'] },
      'ce-d': { role: 'ce', vrf: 'D', device: { kernel: 'cust3' }, addresses: ['10.1.0.1/24'] },
    },
    vrfs: {
      A: { ...base.vrfs!['A']!, importsFrom: ['C'] },
      C: { importsFrom: ['A'] },
      D: {},
    },
  };
  net.write(1, config);
  net.start(1);
  await net.lab.ip(net.ce(2), ['addr flush dev eth0']);
  await net.reach(1, '10.1.0.1');
});
afterAll(async () => {
  await net.close();
});

it('VRFs that import each other reach each other without a tunnel (P2)', async () => {
  await net.reach(1, '10.3.0.2');
  const seen = await net.capture(async () => {
    expect(await net.ping(1, '10.3.0.2', { count: 20 })).toBe(20);
  });
  expect(seen[2].filter((frame) => frame.readUInt16BE(12) === 0x0800)).toEqual([]);
  const vrfs = await net.show(1, 'vrfs');
  const local = (name: string) => vrfs.find((row) => row.name === name)!.localPackets;
  expect([local('A') >= 20n, local('C') >= 20n, local('D')]).toEqual([true, true, 0n]);
});

it('the TTL says that one router was passed', async () => {
  const argv = ['ping', '-c', '1', '-W', '1', '10.3.0.2'];
  expect((await net.lab.exec(net.ce(1), argv)).stdout).toContain('ttl=63');
});

it('the PE’s own address in the other VRF answers, too', async () => {
  await net.reach(1, '10.3.0.1');
  expect(await net.ping(1, '10.3.0.1', { count: 5 })).toBe(5);
});

it('a VRF that imports nothing reaches nothing, though it has the same addresses', async () => {
  const count = async (address: string): Promise<string> =>
    (await net.lab.exec('locce3', ['ping', '-q', '-c', '3', '-i', '0.1', '-W', '1', address]))
      .stdout;
  expect(await count('10.1.0.1')).toContain('3 received');
  expect(await count('10.3.0.2')).toContain(' 0 received');
  const routes = (await net.show(1, 'routes')).filter(({ vrf }) => vrf === 'D');
  expect(routes.some(({ prefix }) => prefix.startsWith('10.3.'))).toBe(false);
});

it('what arrives in C for D’s twin of an address goes to A', async () => {
  // 10.1.0.2 exists in A and in D; C imports from A.
  const { stdout } = await net.lab.exec(net.ce(2), [
    'ping',
    '-q',
    '-c',
    '3',
    '-i',
    '0.1',
    '-W',
    '1',
    '10.1.0.2',
  ]);
  expect(stdout).toContain('3 received');
  const vrfs = await net.show(1, 'vrfs');
  expect(vrfs.find(({ name }) => name === 'D')!.localPackets).toBe(0n);
});

it('`sealane explain` says of each VRF what becomes of its packets, and that is so', async () => {
  const asked = { netns: net.pe(1), socket: `${net.run}/pe1/control.sock` };
  const verdict = async (vrf: string, address: string) =>
    verdicts(await explainVrf(net.lab, asked, vrf, address));
  // From A to C, and from C to A rather than to D’s twin.
  expect(await verdict('A', '10.3.0.2')).toMatchObject([{ ok: true, what: 'goes out by ce-c' }]);
  expect(await verdict('C', '10.1.0.2')).toMatchObject([{ ok: true, what: 'goes out by ce-a' }]);
  expect(await net.ping(1, '10.3.0.2', { count: 5 })).toBe(5);
  expect(await verdict('D', '10.3.0.2')).toMatchObject([{ ok: false, drop: 'no_route' }]);
  const before = (await net.drops(1)).get('no_route') ?? 0n;
  await net.lab.exec('locce3', ['ping', '-q', '-c', '5', '-i', '0.1', '-W', '1', '10.3.0.2']);
  expect(((await net.drops(1)).get('no_route') ?? 0n) - before).toBe(5n);
});
