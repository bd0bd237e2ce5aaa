import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import { TwoPes } from './two-pes.js';

let net: TwoPes;
beforeAll(async () => {
  net = await TwoPes.open('net');
  await net.up();
  await net.reach(1, '10.2.0.2');
});
afterAll(async () => {
  await net.close();
});

const tunnel = async () => (await net.show(1, 'tunnels'))[0]!;
const route = async (prefix: string) =>
  (await net.show(2, 'routes')).find((row) => row.prefix === prefix);

async function tunnelBecomes(state: string, reason: RegExp): Promise<void> {
  await eventually(`tunnel ${state}`, async () => {
    const row = await tunnel();
    return row.state === state && reason.test(row.reason) ? true : undefined;
  });
}

it('follows the core: an unreachable route takes the tunnel down and says so, its end brings it back', async () => {
  await net.lab.ip(net.pe(1), ['route add unreachable 192.0.2.2/32']);
  await tunnelBecomes('down', /no way to 192\.0\.2\.2: unreachable route/);
  expect(await net.ping(1, '10.2.0.2')).toBe(0);
  expect((await net.drops(1)).get('nexthop_unusable')).toBeGreaterThanOrEqual(3n);
  await net.lab.ip(net.pe(1), ['route del unreachable 192.0.2.2/32']);
  await tunnelBecomes('up', /^$/);
  await net.reach(1, '10.2.0.2');
});

it('follows the core to a next hop that does not answer, and back', async () => {
  await net.lab.ip(net.pe(1), ['route add 192.0.2.2/32 via 192.0.2.99 dev core0']);
  await tunnelBecomes('down', /192\.0\.2\.99 does not answer on core0/);
  await net.lab.ip(net.pe(1), ['route del 192.0.2.2/32 via 192.0.2.99 dev core0']);
  await tunnelBecomes('up', /^$/);
});

it('never sends a tunnel out of an interface that is not the core’s', async () => {
  await net.lab.link(net.pe(1), 'other', net.ce(1), 'other');
  await net.lab.ip(net.pe(1), [
    'addr add 198.51.100.1/24 dev other',
    'route add 192.0.2.2/32 dev other',
  ]);
  await tunnelBecomes('down', /leaves by other, which is no core interface/);
  await net.lab.ip(net.pe(1), ['route del 192.0.2.2/32 dev other']);
  await tunnelBecomes('up', /^$/);
  await net.reach(1, '10.2.0.2');
});

it('a CE that changes its MAC address is reached again', async () => {
  const before = await net.lab.must(net.vrfNetns(2), ['ip', 'neigh', 'show', '10.2.0.2']);
  await net.lab.must(net.ce(2), ['ip', 'link', 'set', 'eth0', 'address', '02:00:00:00:77:01']);
  await net.reach(1, '10.2.0.2', 40_000);
  const after = await net.lab.must(net.vrfNetns(2), ['ip', 'neigh', 'show', '10.2.0.2']);
  expect(before).not.toContain('02:00:00:00:77:01');
  expect(after).toContain('02:00:00:00:77:01');
  expect(await net.ping(1, '10.2.0.2', { count: 20 })).toBe(20);
});

it('a CE that vanishes loses its host route; when it is back the next packets find it', async () => {
  expect(await route('10.2.0.2/32')).toMatchObject({ owner: 'neighbour' });
  await net.lab.ip(net.ce(2), ['addr del 10.2.0.2/24 dev eth0']);
  await eventually('the host route goes', async () =>
    (await route('10.2.0.2/32')) === undefined ? true : undefined,
  );
  expect(await route('10.2.0.0/24')).toMatchObject({ nexthop: 'glean' });
  await net.lab.ip(net.ce(2), ['addr add 10.2.0.2/24 dev eth0', 'route add default via 10.2.0.1']);
  await net.reach(1, '10.2.0.2');
  expect(await route('10.2.0.2/32')).toMatchObject({ owner: 'neighbour', nexthop: 'adjacency' });
});
