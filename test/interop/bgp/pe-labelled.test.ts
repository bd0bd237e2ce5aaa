// SPDX-License-Identifier: Apache-2.0
/**
 * Labelled unicast (RFC 8277) of the core, which carries the labels of a backbone: Sealane reflects it
 * between two GoBGPs, next hop and label unchanged, and one of the labelled routes has no way to its next hop.
 *
 *   GoBGP 192.0.2.11 --+-- 192.0.2.1, PE 1, reflector --+-- GoBGP 192.0.2.21
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config } from '../../../src/config/types.js';
import { missing, startBgpPeer, type BgpPeer } from '../../lib/bgp-peers.js';
import { TwoPes } from '../../system/supervisor/two-pes.js';
import { captureBgp, peConfig, typesFrom, type BgpFrame } from './pe-net.js';

const absent = missing('gobgp');
const folder = mkdtempSync(`${tmpdir()}/plu-`);
const [FIRST, SECOND] = [11, 21] as const;
const FAMILIES = { 'ipv4-labelled': {}, 'ipv6-labelled': {} } as const;
let net: TwoPes;
const peers = new Map<number, BgpPeer>();
let endCapture: () => Promise<BgpFrame[]>;

const gobgpConfig = (number: number): string =>
  [
    ...['[global.config]', 'as = 65001', `router-id = "192.0.2.${number}"`],
    ...['[[neighbors]]', '[neighbors.config]', 'neighbor-address = "192.0.2.1"', 'peer-as = 65001'],
    ...['[neighbors.timers.config]', 'connect-retry = 1', 'idle-hold-time-after-reset = 1'],
    ...['ipv4-labelled-unicast', 'ipv6-labelled-unicast'].flatMap((family) => [
      ...['[[neighbors.afi-safis]]', '[neighbors.afi-safis.config]', `afi-safi-name = "${family}"`],
    ]),
    '',
  ].join('\n');

function config(): Config {
  const client = { asn: 65001, routeReflectorClient: true, timers: { connectRetry: 1 } };
  const neighbour = { ...client, families: FAMILIES };
  const neighbours = { '192.0.2.11': neighbour, '192.0.2.21': neighbour };
  const { interfaces, ...whole } = peConfig(net, 1, {
    ...{ alone: true, vrfs: {} },
    bgp: { neighbours, labelledUnicast: { announce: 'implicit-null', forIp: true } },
  });
  const { core0 } = interfaces;
  if (core0 === undefined) throw new Error('no core interface');
  // A far end that the core knows by a labelled route alone.
  const far = { local: '192.0.2.1', remote: '198.51.100.50', encapsulation: 'gre' } as const;
  return {
    ...whole,
    interfaces: { core0 },
    tunnels: { far: { ...far, protection: 'tunnel' } },
  };
}

const peer = (number: number): BgpPeer => {
  const found = peers.get(number);
  if (found === undefined) throw new Error(`no GoBGP ${number}`);
  return found;
};

/** Lines of a table of GoBGP with this prefix. */
const lines = async (number: number, family: string, prefix: string): Promise<string[]> =>
  (await peer(number).command(`global rib -a ${family}`))
    .split('\n')
    .filter((line) => line.includes(prefix));

beforeAll(async () => {
  if (absent !== undefined) return;
  net = await TwoPes.open('plu', { switched: true });
  for (const number of [FIRST, SECOND]) {
    const netns = await net.router(number);
    const options = { netns, name: `gobgp${number}`, folder, config: gobgpConfig(number) };
    if (number === SECOND) endCapture = await captureBgp(net, netns, 'wan');
    peers.set(number, await startBgpPeer(net.lab, 'gobgp', options));
  }
  net.write(1, config());
  net.start(1);
  for (const number of [FIRST, SECOND]) await peer(number).waitEstablished('192.0.2.1');
});
afterAll(async () => {
  await (net as TwoPes | undefined)?.close();
  rmSync(folder, { recursive: true, force: true });
});

describe.skipIf(absent !== undefined)('labelled unicast', () => {
  it('crosses the reflector with its label and next hop, in both families', async () => {
    await peer(FIRST).command('global rib add -a ipv4-mpls 10.77.0.0/24 7701 nexthop 192.0.2.11');
    await peer(FIRST).command(
      'global rib add -a ipv6-mpls 2001:db8:77::/48 7702 nexthop ::ffff:192.0.2.11',
    );
    const told = await eventually('the labelled IPv4 route', async () => {
      const [line] = await lines(SECOND, 'ipv4-mpls', '10.77.0.0/24');
      return line;
    });
    expect(told).toContain('7701');
    expect(told).toContain('192.0.2.11');
    const six = await eventually('the labelled IPv6 route', async () => {
      const [line] = await lines(SECOND, 'ipv6-mpls', '2001:db8:77::/48');
      return line;
    });
    expect(six).toContain('7702');
    const shown = await net.show(1, 'bgp routes');
    expect(shown.find(({ prefix }) => prefix === '10.77.0.0/24')).toMatchObject({
      ...{ label: '7701', nextHop: '192.0.2.11', neighbor: '192.0.2.11', best: true },
    });
  });

  it('with another label is told again, and goes when it is withdrawn', async () => {
    await peer(FIRST).command('global rib add -a ipv4-mpls 10.77.0.0/24 7703 nexthop 192.0.2.11');
    await eventually('the other label', async () => {
      const found = await lines(SECOND, 'ipv4-mpls', '10.77.0.0/24');
      return found.some((line) => line.includes('7703')) ? true : undefined;
    });
    await peer(FIRST).command('global rib del -a ipv4-mpls 10.77.0.0/24 7703');
    await eventually('no labelled route', async () => {
      const found = await lines(SECOND, 'ipv4-mpls', '10.77.0.0/24');
      return found.length === 0 ? true : undefined;
    });
  });

  it('by a next hop that the core has no route to is kept and not told', async () => {
    await peer(FIRST).command('global rib add -a ipv4-mpls 10.78.0.0/24 7801 nexthop 203.0.113.9');
    await peer(FIRST).command('global rib add -a ipv4-mpls 10.79.0.0/24 7901 nexthop 192.0.2.11');
    await eventually('the route behind it', async () => {
      const found = await lines(SECOND, 'ipv4-mpls', '10.79.0.0/24');
      return found.length > 0 ? true : undefined;
    });
    expect(await lines(SECOND, 'ipv4-mpls', '10.78.0.0/24')).toEqual([]);
  });

  it('tells our tunnel address with implicit null, and labels a tunnel to a far end that was told', async () => {
    const own = await eventually('our tunnel address', async () => {
      const [line] = await lines(SECOND, 'ipv4-mpls', '192.0.2.1/32');
      return line;
    });
    expect(own).toContain('[3]');
    await peer(FIRST).command(
      'global rib add -a ipv4-mpls 198.51.100.50/32 7777 nexthop 192.0.2.11',
    );
    const labelsAre = async (labels: string): Promise<true> =>
      eventually(`labels ${labels}`, async () => {
        const [tunnel] = await net.show(1, 'tunnels');
        return tunnel?.labels === labels ? true : undefined;
      });
    await labelsAre('7777');
    await peer(FIRST).command('global rib del -a ipv4-mpls 198.51.100.50/32 7777');
    await labelsAre('');
  });

  it('is without fault to tshark', async () => {
    expect(typesFrom(await endCapture(), '192.0.2.1').has('2')).toBe(true);
  });
});
