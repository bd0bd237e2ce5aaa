// SPDX-License-Identifier: Apache-2.0
/**
 * Two PEs with FRR as CE at each, by EBGP inside the VRF, and FRR as a third router in the core:
 *
 *   ce1 (65100) ---- pe1 ======= core (65001) ======= pe2 ---- ce2 (65100)
 *   198.51.100.0/24             FRR, 10.77.0.0/24            203.0.113.0/24
 *   2001:db8:51::/48
 */
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
  configureFrr,
  frrPaths,
  frrVpnPaths,
  noRouteTo,
  peConfig,
  reload,
  routeTo,
  typesFrom,
  type BgpFrame,
  type FrrPath,
  type Vrf,
} from './pe-net.js';

const absent = missing('frr');
const folder = mkdtempSync(`${tmpdir()}/pce-`);
let net: TwoPes;
let core: BgpPeer;
const ces = new Map<End, BgpPeer>();
const captures: (() => Promise<BgpFrame[]>)[] = [];

const CE1 = '198.51.100.0/24';
const CE1_SIX = '2001:db8:51::/48';
/** Has our AS number in its path. */
const CE1_LOOP = '198.51.101.0/24';
const CE2 = '203.0.113.0/24';
const BIG = '10.77.0.0/24';
const BIG_ASNS = Array.from({ length: 200 }, (_, i) => 4_200_000_000 + i);
const BIG_COMMUNITIES = Array.from({ length: 200 }, (_, i) => `65001:${1000 + i}`);
const BIG_LARGE = Array.from({ length: 150 }, (_, i) => `65001:1:${i}`);

/** Of the core: 200 hops, 200 communities and 150 large ones. */
const CORE_FRR = [
  'route-map big permit 10',
  ` set as-path prepend ${BIG_ASNS.join(' ')}`,
  ` set community ${BIG_COMMUNITIES.join(' ')}`,
  ` set large-community ${BIG_LARGE.join(' ')}`,
  ' set extcommunity rt 65001:100',
  'router bgp 65001',
  ' bgp router-id 192.0.2.11',
  ' no bgp default ipv4-unicast',
  ...[1, 2].flatMap((end) => [
    ` neighbor 192.0.2.${end} remote-as 65001`,
    ` neighbor 192.0.2.${end} timers connect 1`,
  ]),
  ...(['ipv4', 'ipv6'] as const).flatMap((family) => [
    ` address-family ${family} vpn`,
    ...[1, 2].flatMap((end) => [
      `  neighbor 192.0.2.${end} activate`,
      `  neighbor 192.0.2.${end} allowas-in 1`,
    ]),
    ' exit-address-family',
  ]),
  ' address-family ipv4 vpn',
  `  network ${BIG} rd 65001:7 label 777 route-map big`,
  ' exit-address-family',
  '',
].join('\n');

const ceFrr = (end: End, lines4: readonly string[], lines6: readonly string[]): string =>
  [
    'route-map vpn permit 10',
    ' set extcommunity rt 65001:666',
    ' set community 65100:1',
    'route-map loop permit 10',
    ' set as-path prepend 65001',
    'router bgp 65100',
    ` bgp router-id 10.${end}.0.2`,
    ' no bgp ebgp-requires-policy',
    ' no bgp network import-check',
    ...[`10.${end}.0.1`, `2001:db8:a:${end}::1`].flatMap((address) => [
      ` neighbor ${address} remote-as 65001`,
      ` neighbor ${address} timers connect 1`,
    ]),
    ' address-family ipv4 unicast',
    `  no neighbor 2001:db8:a:${end}::1 activate`,
    ...lines4.map((line) => `  ${line}`),
    ' exit-address-family',
    ' address-family ipv6 unicast',
    `  neighbor 2001:db8:a:${end}::1 activate`,
    ...lines6.map((line) => `  ${line}`),
    ' exit-address-family',
    '',
  ].join('\n');

type CeOptions = NonNullable<NonNullable<Vrf['bgp']>['neighbours']>[string];

function config(end: End, options: CeOptions = {}): Config {
  const timers = { connectRetry: 1 };
  const neighbour = { asn: 65100, timers, ...options };
  const targets = ['65001:100'];
  const peers = [`192.0.2.${otherEnd(end)}`, '192.0.2.11'];
  return peConfig(net, end, {
    clear: [11],
    bgp: {
      ebgpRequiresPolicy: false,
      neighbours: Object.fromEntries(peers.map((each) => [each, { asn: 65001, timers }])),
    },
    vrfs: {
      A: {
        bgp: {
          ...{ rd: `65001:${end}`, importTargets: targets, exportTargets: targets },
          redistribute: { connected: true },
          neighbours: { [`10.${end}.0.2`]: neighbour, [`2001:db8:a:${end}::2`]: neighbour },
        },
      },
    },
  });
}

async function startCe(end: End): Promise<void> {
  const peer = await startBgpPeer(net.lab, 'frr', {
    ...{ netns: net.ce(end), name: `ce${end}`, folder },
    config:
      end === 1
        ? ceFrr(
            1,
            [`network ${CE1} route-map vpn`, `network ${CE1_LOOP} route-map loop`],
            [`network ${CE1_SIX}`],
          )
        : ceFrr(2, [`network ${CE2}`], []),
  });
  ces.set(end, peer);
}

function ce(end: End): BgpPeer {
  const peer = ces.get(end);
  if (peer === undefined) throw new Error(`no CE ${end}`);
  return peer;
}

beforeAll(async () => {
  if (absent !== undefined) return;
  net = await TwoPes.open('pce', { switched: true });
  const netns = await net.router(11);
  await net.lab.ip(net.ce(1), [
    'addr add 198.51.100.1/32 dev lo',
    '-6 addr add 2001:db8:51::1/128 dev lo nodad',
  ]);
  captures.push(await captureBgp(net, netns, 'wan'), await captureBgp(net, net.ce(1), 'eth0'));
  core = await startBgpPeer(net.lab, 'frr', { netns, name: 'core', folder, config: CORE_FRR });
  for (const end of [1, 2] as const) await startCe(end);
  for (const end of [1, 2] as const) {
    net.write(end, config(end));
    net.start(end);
  }
  for (const end of [1, 2] as const) {
    await net.tunnelUp(end);
    await core.waitEstablished(`192.0.2.${end}`);
    for (const address of [`10.${end}.0.1`, `2001:db8:a:${end}::1`]) {
      await ce(end).waitEstablished(address);
    }
  }
});
afterAll(async () => {
  await (net as TwoPes | undefined)?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The path of a CE for a prefix, once there is one that `wanted` says yes to. */
const ceHas = async (
  end: End,
  prefix: string,
  wanted: (path: FrrPath) => boolean = () => true,
): Promise<FrrPath> =>
  eventually(
    `CE ${end} has ${prefix}`,
    async () => {
      const [path] = await frrPaths(ce(end), prefix);
      return path !== undefined && wanted(path) ? path : undefined;
    },
    60_000,
  );

/** Our path of a VPN prefix in the core's FRR. */
const coreHas = async (
  end: End,
  prefix: string,
  wanted: (path: FrrPath) => boolean = () => true,
): Promise<FrrPath> =>
  eventually(
    `the core has ${prefix} of PE ${end}`,
    async () => {
      const [path] = (await frrVpnPaths(core, prefix))[`65001:${end}`] ?? [];
      return path !== undefined && wanted(path) ? path : undefined;
    },
    60_000,
  );

/** IPsec and export scope. */
const OURS = 'UNK:131, 73 UNK:131, 74';

describe.skipIf(absent !== undefined)('routes of a CE', () => {
  it('enter the VRF by the interface towards the CE', async () => {
    expect(await routeTo(net, 1, CE1)).toMatchObject({ nexthop: 'adjacency', via: '10.1.0.2' });
    expect(await routeTo(net, 1, CE1_SIX)).toMatchObject({
      ...{ nexthop: 'adjacency', via: '2001:db8:a:1::2' },
    });
  });

  it('are told to the core as VPN routes, without the route target the CE put on', async () => {
    const labels = (await net.show(1, 'labels')).map(({ label }) => label);
    for (const prefix of [CE1, CE1_SIX]) {
      const path = await coreHas(1, prefix);
      expect(path).toMatchObject({ aspath: { string: '65100' } });
      expect(labels).toContain(path.remoteLabel);
      expect(path.extendedCommunity?.string).toBe(`RT:65001:100 ${OURS}`);
    }
    expect((await coreHas(1, CE1)).community?.list).toEqual(['65100:1']);
  });

  it('are used by the other PE, and packets reach what is behind the CE', async () => {
    for (const prefix of [CE1, CE1_SIX]) {
      expect(await routeTo(net, 2, prefix)).toMatchObject({ nexthop: 'tunnel', tunnel: 'peer' });
    }
    await net.reach(2, '198.51.100.1');
    await net.reach(2, '2001:db8:51::1');
    const sas = await net.show(1, 'sas');
    expect(sas.find(({ direction }) => direction === 'in')?.packets).toBeGreaterThan(1n);
  });

  it('go when the CE withdraws them', async () => {
    const network = (no: string): string[] => [
      ...['router bgp 65100', 'address-family ipv4 unicast', `${no}network ${CE1} route-map vpn`],
    ];
    await configureFrr(net, ce(1), network('no '));
    await noRouteTo(net, 1, CE1);
    await noRouteTo(net, 2, CE1);
    await routeTo(net, 2, CE1_SIX);
    await configureFrr(net, ce(1), network(''));
    await routeTo(net, 2, CE1);
  });
});

describe.skipIf(absent !== undefined)('routes to a CE', () => {
  it('have no VPN community, and everything else, at the size FRR can make them', async () => {
    const path = await ceHas(1, BIG);
    expect(path.aspath.string).toBe([65001, ...BIG_ASNS].join(' '));
    expect(path.community?.list).toEqual(BIG_COMMUNITIES);
    expect(path.largeCommunity?.list).toEqual(BIG_LARGE);
    expect(path.extendedCommunity).toBeUndefined();
    expect(path.nexthops[0]?.ip).toBe('10.1.0.1');
    const [ours] = await bgpPaths(net, 1, BIG, 'A');
    expect(ours).toMatchObject({
      asPath: BIG_ASNS.join(' '),
      label: '777',
      neighbor: '192.0.2.11',
    });
    expect(ours?.communities).toBe(BIG_COMMUNITIES.join(' '));
  });

  it('of the same AS are refused by it, unless we override the number (RFC 4364 §7.2)', async () => {
    await ceHas(2, '10.1.0.0/24');
    await ceHas(2, BIG);
    expect(await frrPaths(ce(2), CE1)).toEqual([]);
    await reload(net, 2, config(2, { asOverride: true }));
    expect((await ceHas(2, CE1)).aspath.string).toBe('65001 65001');
    expect((await ceHas(2, CE1_SIX)).aspath.string).toBe('65001 65001');
  });

  it('of the same site are not sent there (site of origin)', async () => {
    await reload(net, 1, config(1, { siteOfOrigin: '65001:9' }));
    const marked = `RT:65001:100 SoO:65001:9 ${OURS}`;
    await coreHas(1, CE1, ({ extendedCommunity }) => extendedCommunity?.string === marked);
    await ceHas(2, CE1);
    await reload(net, 2, config(2, { asOverride: true, siteOfOrigin: '65001:9' }));
    await eventually('CE 2 has lost the routes of its own site', async () => {
      const left = [...(await frrPaths(ce(2), CE1)), ...(await frrPaths(ce(2), CE1_SIX))];
      return left.length === 0 ? true : undefined;
    });
    await ceHas(2, '10.1.0.0/24');
    for (const end of [1, 2] as const) await reload(net, end, config(end));
    await coreHas(
      1,
      CE1,
      ({ extendedCommunity }) => extendedCommunity?.string === `RT:65001:100 ${OURS}`,
    );
  });

  it('carry route targets both ways where that is configured', async () => {
    await reload(net, 1, config(1, { passCe: ['route-target'] }));
    const target = ({ extendedCommunity }: FrrPath): boolean =>
      extendedCommunity?.string === 'RT:65001:100';
    await ceHas(1, BIG, target);
    await coreHas(1, CE1, ({ extendedCommunity }) =>
      (extendedCommunity?.string ?? '').includes('RT:65001:666'),
    );
    await reload(net, 1, config(1));
    await ceHas(1, BIG, ({ extendedCommunity }) => extendedCommunity === undefined);
  });
});

describe.skipIf(absent !== undefined)('what a CE may not', () => {
  it('send our AS number in a path, unless allowed so often', async () => {
    expect(await bgpRow(net, 1, CE1_LOOP)).toBeUndefined();
    await reload(net, 1, config(1, { allowAsIn: 1 }));
    await routeTo(net, 1, CE1_LOOP);
    expect((await coreHas(1, CE1_LOOP)).aspath.string).toBe('65100 65001');
    // The other PE is in that AS as well, and was not told to allow it.
    expect(await bgpPaths(net, 2, CE1_LOOP)).toEqual([]);
    await reload(net, 1, config(1));
    await noRouteTo(net, 1, CE1_LOOP);
  });

  it('send more prefixes than agreed: the session ends with Cease, until it is cleared', async () => {
    const families = { 'ipv4-unicast': { maxPrefixes: { limit: 1 } } };
    const limited = config(1, { allowAsIn: 1 });
    const neighbours = limited.vrfs?.['A']?.bgp?.neighbours ?? {};
    const bgp = {
      ...limited.vrfs?.['A']?.bgp,
      rd: '65001:1',
      neighbours: { ...neighbours, '10.1.0.2': { ...neighbours['10.1.0.2'], families } },
    };
    await reload(net, 1, { ...limited, vrfs: { A: { bgp } } });
    await noRouteTo(net, 1, CE1);
    await routeTo(net, 1, CE1_SIX);
    await eventually('the CE has been told why', async () => {
      const text = await ce(1).command('show bgp neighbors 10.1.0.1 json');
      const found = JSON.parse(text) as Record<string, { lastErrorCodeSubcode?: string }>;
      // Cease / Maximum Number of Prefixes Reached (RFC 4486)
      return found['10.1.0.1']?.lastErrorCodeSubcode === '0601' ? true : undefined;
    });
    await noRouteTo(net, 1, CE1);
    await reload(net, 1, config(1));
    await net.client(1, async (client) => client.clearBgp('10.1.0.2%A'));
    await routeTo(net, 1, CE1);
  });

  it('leave anything behind when it dies', async () => {
    await routeTo(net, 1, CE2);
    await ce(2).stop('SIGKILL');
    await noRouteTo(net, 2, CE2);
    await noRouteTo(net, 1, CE2);
    await startCe(2);
    await routeTo(net, 1, CE2);
  });
});

it.skipIf(absent !== undefined)('all of it is BGP without fault to tshark', async () => {
  for (const [i, sources] of [
    ['192.0.2.1', '192.0.2.2', '192.0.2.11'],
    ['10.1.0.1', '10.1.0.2', '2001:db8:a:1::1', '2001:db8:a:1::2'],
  ].entries()) {
    const frames = (await captures[i]?.()) ?? [];
    for (const source of sources) {
      for (const type of ['1', '2']) expect(typesFrom(frames, source)).toContain(type);
    }
  }
});
