// SPDX-License-Identifier: Apache-2.0
/**
 * Next hops in the core follow the kernel's routes there: two BIRDs tell a PE the same prefixes, with next
 * hops that only routes of the PE's kernel lead to. The PE reflects for a third router's sake.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config } from '../../../src/config/types.js';
import { missing, startBgpPeer } from '../../lib/bgp-peers.js';
import { TwoPes } from '../../system/supervisor/two-pes.js';
import { bgpPaths, peConfig, routeTo, startPe, type BgpPath } from './pe-net.js';

const absent = missing('bird');
const folder = mkdtempSync(`${tmpdir()}/pnh-`);
let net: TwoPes;

const ROUTERS = [31, 32] as const;
const PLAIN = { 4: '10.31.0.0/24', 6: '2001:db8:31::/48' } as const;
const VPN = '10.32.0.0/24';
/** Imported by VRF A. */
const IMPORTED = '10.33.0.0/24';
const HOP = { 31: '198.18.0.31', 32: '198.18.0.32' } as const;
/** Of VPN routes: on the link, unless a route of the kernel's says otherwise. */
const FAR = { 31: '192.0.2.131', 32: '192.0.2.132' } as const;
/** Of imported routes each BIRD names the other. */
const OTHER = { 31: '192.0.2.32', 32: '192.0.2.31' } as const;
const HOP6 = { 31: '2001:db8:18::31', 32: '2001:db8:18::32' } as const;

function birdConfig(number: 31 | 32): string {
  const own = `192.0.2.${number}`;
  // BIRD sends a label only with the gateway of the route as next hop.
  const vpn = (rd: string, prefix: string, target: number, via: string, label: number): string =>
    ` route ${rd} ${prefix} via ${via} mpls ${label} { bgp_ext_community.add((rt, 65001, ${target})); };`;
  return [
    'log stderr all;',
    `router id ${own};`,
    'vpn4 table v4;',
    'protocol device {}',
    `protocol static four { ipv4; route ${PLAIN[4]} blackhole; }`,
    `protocol static six { ipv6; route ${PLAIN[6]} blackhole; }`,
    'protocol static far { vpn4 { table v4; };',
    vpn('65001:77', VPN, 999, FAR[number], 400 + number),
    vpn(`65001:${number}`, IMPORTED, 100, OTHER[number], 500 + number),
    '}',
    'protocol bgp sealane {',
    ` local ${own} as 65001;`,
    ' neighbor 192.0.2.1 as 65001;',
    ' connect delay time 1;',
    ` ipv4 { import all; export where source = RTS_STATIC; next hop address ${HOP[number]}; };`,
    ` ipv6 { import all; export where source = RTS_STATIC; next hop address ${HOP6[number]}; };`,
    ' vpn4 mpls { table v4; import all; export all; };',
    '}',
    '',
  ].join('\n');
}

function config(): Config {
  const families = { 'ipv4-unicast': {}, 'ipv6-unicast': {}, 'vpnv4-unicast': {} };
  const neighbour = {
    asn: 65001,
    timers: { connectRetry: 1 },
    families,
    routeReflectorClient: true,
  };
  return peConfig(net, 1, {
    alone: true,
    clear: ROUTERS,
    bgp: {
      keepAllVpnRoutes: true,
      neighbours: Object.fromEntries(ROUTERS.map((n) => [`192.0.2.${n}`, neighbour])),
    },
    vrfs: { A: { bgp: { rd: '65001:1', importTargets: ['65001:100'] } } },
  });
}

const route = async (line: string): Promise<void> => net.lab.ip(net.pe(1), [line]);

/** The paths of a prefix by the last part of the neighbour's address. */
async function paths(prefix: string, vrf?: string): Promise<ReadonlyMap<number, BgpPath>> {
  const rows = await bgpPaths(net, 1, prefix, vrf).catch(() => []);
  return new Map(rows.map((path) => [Number(path.neighbor.split('.').at(-1)), path]));
}

async function bestIs(prefix: string, number: number | undefined, vrf?: string): Promise<void> {
  let last: unknown;
  await eventually(
    `best for ${prefix} is by ${number ?? 'nobody'}`,
    async () => {
      const found = await paths(prefix, vrf);
      last = [...found.values()].map(({ neighbor, best, usable, reason }) => ({
        ...{ neighbor, best, usable, reason },
      }));
      if (found.size !== ROUTERS.length) return undefined;
      const best = [...found].find(([, path]) => path.best)?.[0];
      return best === number ? true : undefined;
    },
    60_000,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${JSON.stringify(last)}`);
  });
}

beforeAll(async () => {
  if (absent !== undefined) return;
  net = await TwoPes.open('pnh', { switched: true });
  const namespaces = await Promise.all(ROUTERS.map(async (number) => net.router(number)));
  await startPe(net, 1, config());
  for (const [i, number] of ROUTERS.entries()) {
    const netns = namespaces[i] ?? '';
    const bird = await startBgpPeer(net.lab, 'bird', {
      ...{ netns, name: `bird${number}`, folder, config: birdConfig(number) },
    });
    await bird.waitEstablished('192.0.2.1');
  }
  await net.lab.ip(net.pe(1), ['addr add 2001:db8:99::1/64 dev core0 nodad']);
});
afterAll(async () => {
  if (absent === undefined) await net.close();
  rmSync(folder, { recursive: true, force: true });
});

describe.skipIf(absent !== undefined)('a next hop in the core', () => {
  it('is no way until the kernel has a route to it, and says why', async () => {
    for (const prefix of [PLAIN[4], PLAIN[6]]) await bestIs(prefix, undefined);
    const [path] = (await paths(PLAIN[4])).values();
    expect(path?.usable).toBe(false);
    expect(path?.reason).toMatch(/no way to 198\.18\.0\.3\d: no route/);
  });

  it('is nearer or farther by the metric of the kernel’s route, as it changes', async () => {
    await route(`route add ${HOP[31]} via 192.0.2.31 metric 20`);
    await bestIs(PLAIN[4], 31);
    await route(`route add ${HOP[32]} via 192.0.2.32 metric 10`);
    await bestIs(PLAIN[4], 32);
    await route(`route add ${HOP[31]} via 192.0.2.31 metric 5`);
    await bestIs(PLAIN[4], 31);
    await route(`route del ${HOP[31]} metric 5`);
    await bestIs(PLAIN[4], 32);
    await route(`route del ${HOP[32]}`);
    await bestIs(PLAIN[4], 31);
    expect((await paths(PLAIN[4])).get(32)?.usable).toBe(false);
    await route(`-6 route add ${HOP6[32]} via 2001:db8:99::32 metric 100`);
    await bestIs(PLAIN[6], 32);
    await route(`-6 route add ${HOP6[31]} via 2001:db8:99::31 metric 50`);
    await bestIs(PLAIN[6], 31);
  });

  it('need not be known for a VPN route to be told on, though the nearer wins', async () => {
    // Of two at no cost, that of the lower BGP identifier.
    await bestIs(VPN, 31);
    await route(`route add unreachable ${FAR[31]}`);
    await bestIs(VPN, 32);
    await route(`route del unreachable ${FAR[31]}`);
    await route(`route add ${FAR[31]} dev core0 metric 20`);
    await route(`route add ${FAR[32]} dev core0 metric 30`);
    await bestIs(VPN, 31);
    await route(`route add ${FAR[32]} dev core0 metric 10`);
    await bestIs(VPN, 32);
    for (const number of ROUTERS) await route(`route add unreachable ${FAR[number]}`);
    await bestIs(VPN, 31);
    for (const path of (await paths(VPN)).values()) expect(path.usable).toBe(true);
  });
});

describe.skipIf(absent !== undefined)('a tunnel', () => {
  it('costs what the core’s way to its end does', async () => {
    await routeTo(net, 1, IMPORTED);
    await bestIs(IMPORTED, 31, 'A');
    await route(`route add ${OTHER[31]} dev core0 metric 50`);
    await bestIs(IMPORTED, 32, 'A');
    expect(await routeTo(net, 1, IMPORTED)).toMatchObject({ label: 532 });
    await route(`route add ${OTHER[32]} dev core0 metric 60`);
    await bestIs(IMPORTED, 31, 'A');
    await eventually('packets go there', async () =>
      (await routeTo(net, 1, IMPORTED)).label === 531 ? true : undefined,
    );
  });
});
