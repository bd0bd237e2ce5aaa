// SPDX-License-Identifier: Apache-2.0
/** A whole PE and FRR as its VPN peer in the core: both families, both ways, restarts of either. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config } from '../../../src/config/types.js';
import { missing, startBgpPeer, type BgpPeer, type PeerOptions } from '../../lib/bgp-peers.js';
import { dissect } from '../../lib/tshark.js';
import { TwoPes } from '../../system/supervisor/two-pes.js';
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
  startPe,
  startZebra,
  typesFrom,
  type BgpFrame,
  type FrrPath,
  type Vrf,
} from './pe-net.js';

const absent = missing('frr');
const folder = mkdtempSync(`${tmpdir()}/pfrr-`);
let net: TwoPes;
let frr: BgpPeer;
let frrOptions: PeerOptions;
let endCapture: () => Promise<BgpFrame[]>;

/** Routes FRR has from the start, where those of its VRFs wait for zebra; and their label. */
const STATIC = ['10.9.0.0/24', '10.9.1.0/24'] as const;
const LABEL = 709;

/** VRF of FRR's with a route of each family. */
const frrVrf = (name: string, number: number, target: string): string[] => [
  `router bgp 65001 vrf ${name}`,
  ` bgp router-id 10.${number}.0.1`,
  ...(['ipv4', 'ipv6'] as const).flatMap((family) => [
    ` address-family ${family} unicast`,
    '  redistribute connected',
    `  label vpn export ${(family === 'ipv4' ? 700 : 600) + number}`,
    `  rd vpn export 65001:${number}`,
    `  rt vpn both ${target}`,
    `  nexthop vpn export ${family === 'ipv4' ? '' : '::ffff:'}192.0.2.11`,
    '  export vpn',
    '  import vpn',
    ' exit-address-family',
  ]),
];

// Without the deferral: FRR 8.4 forgets VPN routes whose selection it has deferred (RFC 4724 §4.1).
const FRR = [
  'route-map target permit 10',
  ' set extcommunity rt 65001:100',
  'router bgp 65001',
  ' bgp router-id 192.0.2.11',
  ' no bgp default ipv4-unicast',
  ' bgp graceful-restart',
  ' bgp graceful-restart preserve-fw-state',
  ' bgp graceful-restart select-defer-time 0',
  ' neighbor 192.0.2.1 remote-as 65001',
  ' neighbor 192.0.2.1 timers connect 1',
  ...(['ipv4', 'ipv6'] as const).flatMap((family) => [
    ` address-family ${family} vpn`,
    '  neighbor 192.0.2.1 activate',
    ' exit-address-family',
  ]),
  ' address-family ipv4 vpn',
  ...STATIC.map((prefix) => `  network ${prefix} rd 65001:9 label ${LABEL} route-map target`),
  ' exit-address-family',
  ...frrVrf('red', 7, '65001:100'),
  ...frrVrf('blue', 8, '65001:999'),
  '',
].join('\n');

function config(importTargets = ['65001:100'], vrf: Partial<NonNullable<Vrf['bgp']>> = {}): Config {
  return peConfig(net, 1, {
    alone: true,
    clear: [11],
    bgp: { neighbours: { '192.0.2.11': { asn: 65001, timers: { connectRetry: 1 } } } },
    vrfs: {
      A: {
        addresses: ['10.255.0.1/32'],
        bgp: {
          ...{ rd: '65001:1', importTargets, exportTargets: ['65001:100'] },
          ...{ redistribute: { connected: true }, ...vrf },
        },
      },
    },
  });
}

beforeAll(async () => {
  if (absent !== undefined) return;
  net = await TwoPes.open('pfrr', { switched: true });
  const netns = await net.router(11);
  for (const [vrf, number] of [
    ['red', 7],
    ['blue', 8],
  ] as const) {
    await net.lab.namespace(`pfrr${vrf}`);
    await net.lab.link(`pfrr${vrf}`, 'eth0', netns, vrf);
    await net.lab.ip(`pfrr${vrf}`, [
      `addr add 10.${number}.0.1/24 dev eth0`,
      `addr add 2001:db8:${number}::1/64 dev eth0 nodad`,
    ]);
  }
  endCapture = await captureBgp(net, netns, 'wan');
  const vrfs = { red: 'pfrrred', blue: 'pfrrblue' };
  frrOptions = await startZebra(net, { netns, name: 'core', folder, config: FRR }, vrfs);
  frr = await startBgpPeer(net.lab, 'frr', frrOptions);
  await startPe(net, 1, config());
  await frr.waitEstablished('192.0.2.1');
});
afterAll(async () => {
  await (net as TwoPes | undefined)?.close();
  rmSync(folder, { recursive: true, force: true });
});

const OURS = ['10.1.0.0/24', '10.255.0.1/32', '2001:db8:a:1::/64'] as const;

/** Our path of a prefix in FRR's VPN table, once there is one that `wanted` says yes to. */
async function ours(prefix: string, wanted: (path: FrrPath) => boolean = () => true) {
  return eventually(`FRR has ${prefix}`, async () => {
    const [path] = (await frrVpnPaths(frr, prefix))['65001:1'] ?? [];
    return path !== undefined && wanted(path) ? path : undefined;
  });
}

const hasNone = async (prefix: string): Promise<true> =>
  eventually(`FRR has no ${prefix} of ours`, async () =>
    (await frrVpnPaths(frr, prefix))['65001:1'] === undefined ? true : undefined,
  );

describe.skipIf(absent !== undefined)('VPN routes', () => {
  it('are in the table of FRR with RD, RT, label, next hop and both communities of ours', async () => {
    const labels = (await net.show(1, 'labels')).map(({ label }) => label);
    expect(labels).toHaveLength(1);
    for (const prefix of OURS) {
      const path = await ours(prefix);
      expect(path).toMatchObject({ valid: true, aspath: { string: 'Local' } });
      expect(path.remoteLabel).toBe(labels[0]);
      const mapped = prefix.includes(':') ? '::ffff:c000:201' : '192.0.2.1';
      expect(path.nexthops.map(({ ip }) => ip)).toEqual([mapped]);
      // The octets that FRR does not know, type 0x83: 0x49 is IPsec, 0x4a who it is exported to.
      expect(path.extendedCommunity?.string).toBe('RT:65001:100 UNK:131, 73 UNK:131, 74');
      expect(Object.keys(await frrVpnPaths(frr, prefix))).toEqual(['65001:1']);
    }
  });

  it('are imported by FRR where the route target says so, and nowhere else', async () => {
    for (const prefix of OURS) {
      await eventually(`red has ${prefix}`, async () =>
        (await frrPaths(frr, prefix, 'red')).length === 1 ? true : undefined,
      );
      expect(await frrPaths(frr, prefix, 'blue')).toEqual([]);
    }
  });

  it('of FRR are imported by us in the same way', async () => {
    expect(await routeTo(net, 1, '10.7.0.0/24')).toMatchObject({
      ...{ nexthop: 'tunnel', tunnel: 'clear-11', via: '192.0.2.11', label: 707 },
    });
    expect(await routeTo(net, 1, '2001:db8:7::/64')).toMatchObject({
      ...{ nexthop: 'tunnel', tunnel: 'clear-11', via: '192.0.2.11', label: 607 },
    });
    for (const prefix of ['10.8.0.0/24', '2001:db8:8::/64']) {
      expect(await bgpRow(net, 1, prefix)).toBeUndefined();
    }
  });

  it('are asked for again when another target is imported, and go with it', async () => {
    await reload(net, 1, config(['65001:100', '65001:999']));
    expect(await routeTo(net, 1, '10.8.0.0/24')).toMatchObject({ label: 708 });
    expect(await routeTo(net, 1, '2001:db8:8::/64')).toMatchObject({ label: 608 });
    await reload(net, 1, config());
    await noRouteTo(net, 1, '10.8.0.0/24');
    await noRouteTo(net, 1, '2001:db8:8::/64');
    await routeTo(net, 1, '10.7.0.0/24');
  });

  it('take packets with the label of FRR', async () => {
    const file = `${net.run}/gre.pcap`;
    const argv = ['tcpdump', '-U', '--immediate-mode', '-Z', 'root', '-ni', 'wan', '-w', file];
    const tcpdump = net.lab.start(frr.netns, [...argv, 'ip proto 47'], `${net.run}/gre.log`);
    const seen = await eventually('packets in GRE', async () => {
      await net.ping(1, '10.7.0.9', { count: 1 });
      await net.ping(1, '2001:db8:7::9', { count: 1 });
      const frames = await dissect(file, ['ip.dst', 'mpls.label', 'ipv6.dst']).catch(() => []);
      const families = new Set(frames.map((frame) => frame['ipv6.dst'] === ''));
      return families.size === 2 ? frames : undefined;
    });
    await net.lab.stop(tcpdump, 'SIGINT');
    const told = seen.map((frame) => `${frame['ip.dst']} ${frame['mpls.label']}`);
    expect(new Set(told)).toEqual(new Set(['192.0.2.11,10.7.0.9 707', '192.0.2.11 607']));
  });
});

describe.skipIf(absent !== undefined)('withdrawals', () => {
  const redistribute = (family: string, no: string): string[] => [
    ...['router bgp 65001 vrf red', `address-family ${family} unicast`],
    `${no}redistribute connected`,
  ];

  it.each([
    ['ipv4', '10.7.0.0/24', '2001:db8:7::/64'],
    ['ipv6', '2001:db8:7::/64', '10.7.0.0/24'],
  ])('of FRR, %s', async (family, prefix, other) => {
    await configureFrr(net, frr, redistribute(family, 'no '));
    await noRouteTo(net, 1, prefix);
    await routeTo(net, 1, other);
    await configureFrr(net, frr, redistribute(family, ''));
    await routeTo(net, 1, prefix);
  });

  it('of ours', async () => {
    await reload(
      net,
      1,
      config(['65001:100'], { redistribute: {}, networks: [{ prefix: OURS[0] }] }),
    );
    for (const prefix of OURS.slice(1)) await hasNone(prefix);
    await ours(OURS[0]);
    await reload(net, 1, config());
    for (const prefix of OURS) await ours(prefix);
  });
});

/** kill -9; the PE has seen the end of the session. */
async function killBgpd(): Promise<void> {
  const ends = (): number => net.logText(1).split('from=established').length;
  const before = ends();
  await frr.stop('SIGKILL');
  await eventually('the session is down', () => (ends() > before ? true : undefined));
}

describe.skipIf(absent !== undefined)('graceful restart (RFC 4724)', () => {
  it('of bgpd: its routes stay in use until it has said all again', async () => {
    for (const prefix of STATIC) expect((await routeTo(net, 1, prefix)).label).toBe(LABEL);
    await killBgpd();
    for (const prefix of [...STATIC, '10.7.0.0/24', '2001:db8:7::/64']) {
      expect(await bgpPaths(net, 1, prefix)).toMatchObject([{ state: 'stale', best: true }]);
      expect(await bgpRow(net, 1, prefix)).toMatchObject({ usable: true });
    }
    frr = await startBgpPeer(net.lab, 'frr', frrOptions);
    await frr.waitEstablished('192.0.2.1');
    // In use at every moment until it is fresh again.
    await eventually('fresh routes', async () => {
      expect(await bgpRow(net, 1, STATIC[0])).toMatchObject({ usable: true, label: LABEL });
      const paths = await Promise.all(STATIC.map((prefix) => bgpPaths(net, 1, prefix)));
      return paths.every(([path]) => path?.state === 'fresh') ? true : undefined;
    });
    for (const prefix of OURS) await ours(prefix);
  });

  it('of bgpd: what it does not say again goes', async () => {
    await killBgpd();
    expect(await bgpRow(net, 1, STATIC[1])).toMatchObject({ usable: true });
    const without = FRR.replace(/ {2}network 10\.9\.1\..*\n/, '');
    expect(without).not.toBe(FRR);
    frr = await startBgpPeer(net.lab, 'frr', { ...frrOptions, config: without });
    await noRouteTo(net, 1, STATIC[1]);
    expect(await bgpRow(net, 1, STATIC[0])).toMatchObject({ usable: true });
  });

  it('of our supervisor: FRR keeps our routes as stale, then they are fresh again', async () => {
    const labels = await Promise.all(OURS.map(async (prefix) => (await ours(prefix)).remoteLabel));
    await net.killSupervisor(1);
    for (const prefix of OURS) await ours(prefix, ({ stale }) => stale === true);
    net.start(1);
    await net.tunnelUp(1);
    for (const [i, prefix] of OURS.entries()) {
      const path = await ours(prefix, ({ stale }) => stale !== true);
      expect(path.remoteLabel).toBe(labels[i]);
    }
    await routeTo(net, 1, '10.7.0.0/24');
    // We said that we had restarted, and that forwarding had gone on meanwhile.
    const text = await frr.command('show bgp neighbors 192.0.2.1 json');
    const neighbours = JSON.parse(text) as Record<string, { gracefulRestartInfo: object }>;
    expect(neighbours['192.0.2.1']?.gracefulRestartInfo).toMatchObject({
      ...{ rBit: true, ipv4Vpn: { fBit: true }, ipv6Vpn: { fBit: true } },
    });
  });
});

it.skipIf(absent !== undefined)('all of it is BGP without fault to tshark', async () => {
  const frames = await endCapture();
  for (const source of ['192.0.2.1', '192.0.2.11']) {
    for (const type of ['1', '2', '4']) expect(typesFrom(frames, source)).toContain(type);
  }
  // The reload with another target asked for the routes again.
  expect(typesFrom(frames, '192.0.2.1')).toContain('5');
});
