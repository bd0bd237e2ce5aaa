// SPDX-License-Identifier: Apache-2.0
/** GoBGP as route reflector between two whole PEs, which have no session with each other. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config } from '../../../src/config/types.js';
import { missing, startBgpPeer, type BgpPeer } from '../../lib/bgp-peers.js';
import { otherEnd, TwoPes, type End } from '../../system/supervisor/two-pes.js';
import {
  bgpPaths,
  bgpRow,
  captureBgp,
  noRouteTo,
  peConfig,
  reload,
  routeTo,
  typesFrom,
  type BgpFrame,
} from './pe-net.js';

const absent = missing('gobgp');
const folder = mkdtempSync(`${tmpdir()}/pgob-`);
const REFLECTOR = '192.0.2.21';
let net: TwoPes;
let gobgp: BgpPeer;
let endCapture: () => Promise<BgpFrame[]>;

const GOBGP = [
  '[global.config]',
  'as = 65001',
  `router-id = "${REFLECTOR}"`,
  ...[1, 2].flatMap((end) => [
    '[[neighbors]]',
    '[neighbors.config]',
    `neighbor-address = "192.0.2.${end}"`,
    'peer-as = 65001',
    '[neighbors.route-reflector.config]',
    'route-reflector-client = true',
    'route-reflector-cluster-id = "192.0.2.99"',
    '[neighbors.timers.config]',
    'connect-retry = 1',
    'idle-hold-time-after-reset = 1',
    ...['l3vpn-ipv4-unicast', 'l3vpn-ipv6-unicast', 'rtc'].flatMap((family) => [
      '[[neighbors.afi-safis]]',
      '[neighbors.afi-safis.config]',
      `afi-safi-name = "${family}"`,
      ...(family === 'rtc'
        ? []
        : ['[neighbors.afi-safis.add-paths.config]', 'receive = true', 'send-max = 4']),
    ]),
  ]),
  '',
].join('\n');

interface Choices {
  /** What VRF B imports. */
  readonly imports?: readonly string[];
  readonly addPath?: 'both';
  /** VRF B exports nothing. */
  readonly silent?: true;
}

/** VRF B is on both PEs with one RD; PE 2 exports from it. */
function config(end: End, { imports, addPath, silent }: Choices = {}): Config {
  const family = addPath === undefined ? {} : { addPath };
  const exporting = end === 2 && silent !== true;
  return peConfig(net, end, {
    clear: [21],
    bgp: {
      neighbours: {
        [REFLECTOR]: {
          ...{ asn: 65001, timers: { connectRetry: 1 } },
          families: { 'vpnv4-unicast': family, 'vpnv6-unicast': family, 'route-target': {} },
        },
      },
    },
    vrfs: {
      A: {
        bgp: {
          ...{ rd: `65001:${end}`, importTargets: ['65001:100'], exportTargets: ['65001:100'] },
          redistribute: { connected: true },
        },
      },
      B: {
        addresses: end === 2 ? ['10.255.1.2/32', '10.99.0.1/32'] : ['10.255.1.1/32'],
        bgp: {
          rd: '65001:50',
          ...(imports !== undefined && { importTargets: imports }),
          ...(exporting && { exportTargets: ['65001:200'], redistribute: { connected: true } }),
        },
      },
    },
  });
}

async function startGobgp(): Promise<void> {
  const netns = `${net.name}r21`;
  gobgp = await startBgpPeer(net.lab, 'gobgp', { netns, name: 'gobgp', folder, config: GOBGP });
}

beforeAll(async () => {
  if (absent !== undefined) return;
  net = await TwoPes.open('pgob', { switched: true });
  for (const end of [1, 2] as const) net.lab.own(`${net.pe(end)}-B`);
  const netns = await net.router(21);
  endCapture = await captureBgp(net, netns, 'wan');
  await startGobgp();
  for (const end of [1, 2] as const) {
    net.write(end, config(end));
    net.start(end);
  }
  for (const end of [1, 2] as const) {
    await net.tunnelUp(end);
    await gobgp.waitEstablished(`192.0.2.${end}`);
  }
});
afterAll(async () => {
  await (net as TwoPes | undefined)?.close();
  rmSync(folder, { recursive: true, force: true });
});

const gobgpTable = async (what: string): Promise<string[]> =>
  (await gobgp.command(what)).split('\n').filter((line) => /\d+:\d+:/.test(line));

/** Neighbours that a target's membership came from, as GoBGP has it. */
async function members(target: string): Promise<string[]> {
  const text = await gobgp.command('global rib -a rtc -j');
  const all = JSON.parse(text) as Record<string, readonly { readonly 'neighbor-ip': string }[]>;
  const found = all[`65001:${target}`] ?? [];
  return found.map((path) => path['neighbor-ip']).sort();
}

const OTHERS = { 1: ['10.2.0.0/24', '2001:db8:a:2::/64'], 2: ['10.1.0.0/24', '2001:db8:a:1::/64'] };
const OURS = 'ipsec:encrypt:gre,ip export-to:65001';

describe.skipIf(absent !== undefined)('GoBGP reflects', () => {
  it('VPN routes of both families, and packets cross', async () => {
    for (const end of [1, 2] as const) {
      for (const prefix of OTHERS[end]) {
        expect(await routeTo(net, end, prefix)).toMatchObject({
          nexthop: 'tunnel',
          tunnel: 'peer',
        });
        const originator = `192.0.2.${otherEnd(end)}`;
        // RFC 4659 §3.2.1.2: the address of an IPv4 core as IPv6.
        const nextHop = prefix.includes(':') ? `::ffff:c000:20${otherEnd(end)}` : originator;
        expect(await bgpPaths(net, end, prefix)).toMatchObject([
          {
            ...{ neighbor: REFLECTOR, nextHop, originatorId: originator },
            ...{ clusterList: '192.0.2.99', extendedCommunities: `target:65001:100 ${OURS}` },
          },
        ]);
      }
    }
    await net.reach(1, '10.2.0.2');
    await net.reach(2, '2001:db8:a:1::2');
  });

  it('only what our route target memberships ask for (RFC 4684)', async () => {
    expect(await members('65001:100')).toEqual(['192.0.2.1', '192.0.2.2']);
    expect(await members('65001:200')).toEqual([]);
    // PE 2 exports it, and nobody wants it: it does not get as far as the reflector.
    expect((await net.show(2, 'labels')).map(({ vrf }) => vrf)).toContain('B');
    expect(await gobgpTable('global rib -a vpnv4')).toHaveLength(2);
    expect(await bgpPaths(net, 1, '10.255.1.2/32')).toEqual([]);
  });

  it('what another VRF imports as soon as it does, until it does not', async () => {
    await reload(net, 1, config(1, { imports: ['65001:200'] }));
    expect(await routeTo(net, 1, '10.255.1.2/32', 'B')).toMatchObject({ tunnel: 'peer' });
    expect(await bgpRow(net, 1, '10.255.1.2/32', 'A')).toBeUndefined();
    expect(await members('65001:200')).toEqual(['192.0.2.1']);
    await reload(net, 1, config(1));
    await noRouteTo(net, 1, '10.255.1.2/32', 'B');
    await eventually('the membership is withdrawn', async () =>
      (await members('65001:200')).length === 0 ? true : undefined,
    );
    await routeTo(net, 1, '10.2.0.0/24');
  });

  it('nothing any more once it is gone, and all of it when it is back', async () => {
    await gobgp.stop('SIGKILL');
    await noRouteTo(net, 1, '10.2.0.0/24');
    await startGobgp();
    await routeTo(net, 1, '10.2.0.0/24');
    await routeTo(net, 2, '2001:db8:a:1::/64');
    await net.reach(1, '10.2.0.2');
  });

  it('in messages without fault to tshark', async () => {
    const frames = await endCapture();
    for (const source of ['192.0.2.1', '192.0.2.2', REFLECTOR]) {
      for (const type of ['1', '2', '4']) expect(typesFrom(frames, source)).toContain(type);
    }
  });
});

// Not captured: tshark 4.0 takes the path identifiers of VPN routes, GoBGP's own too, for prefix lengths.
describe.skipIf(absent !== undefined)('ADD-PATH (RFC 7911)', () => {
  const PREFIX = '10.99.0.1/32';
  const injected = (what: string): string =>
    `global rib ${what} -a vpnv4 ${PREFIX} label 300 rd 65001:50 rt 65001:200 nexthop ${REFLECTOR}`;
  const nextHops = async (count: number): Promise<string[]> =>
    eventually(`${count} paths`, async () => {
      const paths = await bgpPaths(net, 1, PREFIX);
      return paths.length === count ? paths.map(({ nextHop }) => nextHop).sort() : undefined;
    });

  beforeAll(async () => {
    if (absent !== undefined) return;
    await reload(net, 1, config(1, { imports: ['65001:200'], addPath: 'both' }));
    await reload(net, 2, config(2, { addPath: 'both' }));
  });

  it('is agreed both ways, and GoBGP reads our identifiers', async () => {
    await routeTo(net, 1, '10.2.0.0/24');
    await routeTo(net, 2, '10.1.0.0/24');
    const all = await gobgp.command('neighbor 192.0.2.1');
    const remote = all.slice(all.indexOf('add-path:')).split('Remote:')[1] ?? '';
    expect(remote).toMatch(
      /l3vpn-ipv4-unicast:\s+receive\/send\s+l3vpn-ipv6-unicast:\s+receive\/send/,
    );
    const [line = ''] = await gobgpTable('neighbor 192.0.2.1 adj-in -a vpnv4');
    expect(line).toMatch(/^\s*[1-9]\d*\s+65001:1:10\.1\.0\.0\/24\s/);
  });

  it('brings both paths of a prefix, and the protected one is used', async () => {
    expect(await nextHops(1)).toEqual(['192.0.2.2']);
    await gobgp.command(injected('add'));
    expect(await nextHops(2)).toEqual(['192.0.2.2', REFLECTOR].sort());
    const ids = (await bgpPaths(net, 1, PREFIX)).map(({ pathId }) => pathId);
    expect(new Set(ids).size).toBe(2);
    expect(await routeTo(net, 1, PREFIX, 'B')).toMatchObject({ tunnel: 'peer' });
  });

  it('withdraws one path and leaves the other', async () => {
    // PE 2 exports nothing from B any more.
    await reload(net, 2, config(2, { addPath: 'both', silent: true }));
    expect(await nextHops(1)).toEqual([REFLECTOR]);
    await eventually('the other way', async () => {
      const row = await bgpRow(net, 1, PREFIX, 'B');
      return row?.tunnel === 'clear-21' && row.label === 300 ? true : undefined;
    });
    await gobgp.command(injected('del'));
    await noRouteTo(net, 1, PREFIX, 'B');
  });
});
