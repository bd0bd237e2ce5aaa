// SPDX-License-Identifier: Apache-2.0
/**
 * Sealane as route reflector (RFC 4456) that has no VRF: FRR, GoBGP, another Sealane and a client that says
 * what it is told to are its clients, and have no session with each other.
 *
 *   FRR 192.0.2.11 ----+
 *   GoBGP 192.0.2.21 --+
 *   PE 2, 192.0.2.2 ---+-- 192.0.2.1 reflects
 *   raw 192.0.2.31 ----+
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config } from '../../../src/config/types.js';
import { missing, startBgpPeer, type BgpPeer } from '../../lib/bgp-peers.js';
import { dissect } from '../../lib/tshark.js';
import { TwoPes } from '../../system/supervisor/two-pes.js';
import { Host } from './host.js';
import {
  bgpPaths,
  captureBgp,
  captureFile,
  configureFrr,
  frrVpnPaths,
  noRouteTo,
  peConfig,
  reload,
  routeTo,
  startPe,
  typesFrom,
  type BgpFrame,
  type BgpPath,
  type FrrPath,
} from './pe-net.js';
import {
  attributeOf,
  gobgpPath,
  hex,
  ofFrr,
  ofGobgp,
  ofPe,
  reflected,
  vpnUpdate,
  type GobgpPath,
} from './reflected.js';

const absent = missing('frr') ?? missing('gobgp');
const folder = mkdtempSync(`${tmpdir()}/prr-`);
const REFLECTOR = '192.0.2.1';
const [FRR_ADDRESS, GOBGP_ADDRESS, RAW_ADDRESS] = ['192.0.2.11', '192.0.2.21', '192.0.2.31'];
const CLUSTER = '192.0.2.88';
let net: TwoPes;
let frr: BgpPeer;
let gobgp: BgpPeer;
let raw: Host;
const captures: (() => Promise<BgpFrame[]>)[] = [];

const FRR = [
  'route-map target permit 10',
  ' set extcommunity rt 65001:100',
  'route-map other permit 10',
  ' set extcommunity rt 65001:777',
  'router bgp 65001',
  ` bgp router-id ${FRR_ADDRESS}`,
  ' no bgp default ipv4-unicast',
  ' neighbor 192.0.2.1 remote-as 65001',
  ' neighbor 192.0.2.1 timers connect 1',
  ' address-family ipv4 vpn',
  '  neighbor 192.0.2.1 activate',
  '  network 10.9.0.0/24 rd 65001:9 label 709 route-map target',
  '  network 10.9.7.0/24 rd 65001:9 label 707 route-map other',
  '  network 10.99.0.0/24 rd 65001:50 label 799 route-map target',
  ' exit-address-family',
  ' address-family ipv6 vpn',
  '  neighbor 192.0.2.1 activate',
  ' exit-address-family',
  '',
].join('\n');

const GOBGP = [
  ...['[global.config]', 'as = 65001', `router-id = "${GOBGP_ADDRESS}"`],
  ...['[[neighbors]]', '[neighbors.config]', 'neighbor-address = "192.0.2.1"', 'peer-as = 65001'],
  ...['[neighbors.timers.config]', 'connect-retry = 1', 'idle-hold-time-after-reset = 1'],
  ...['l3vpn-ipv4-unicast', 'l3vpn-ipv6-unicast'].flatMap((family) => [
    ...['[[neighbors.afi-safis]]', '[neighbors.afi-safis.config]', `afi-safi-name = "${family}"`],
  ]),
  '',
].join('\n');

const INJECTED = [
  '-a vpnv4 10.21.0.0/24 label 721 rd 65001:21 rt 65001:100',
  '-a vpnv6 2001:db8:21::/64 label 621 rd 65001:21 rt 65001:100',
  '-a vpnv4 10.99.0.0/24 label 798 rd 65001:50 rt 65001:100',
];

function reflectorConfig(): Config {
  const client = { asn: 65001, routeReflectorClient: true, timers: { connectRetry: 1 } };
  const { interfaces, ...base } = peConfig(net, 1, {
    alone: true,
    bgp: {
      ...{ clusterId: CLUSTER, keepAllVpnRoutes: true },
      neighbours: {
        [FRR_ADDRESS]: client,
        [GOBGP_ADDRESS]: client,
        [RAW_ADDRESS]: { ...client, families: { 'vpnv4-unicast': {} } },
        '192.0.2.2': {
          ...client,
          families: {
            'vpnv4-unicast': { addPath: 'send' },
            'vpnv6-unicast': {},
            'route-target': {},
          },
        },
      },
    },
    vrfs: {},
  });
  const core0 = interfaces['core0'];
  if (core0 === undefined) throw new Error('no core interface');
  return { ...base, interfaces: { core0 } };
}

function clientConfig(importTargets: readonly string[] = ['65001:100']): Config {
  return peConfig(net, 2, {
    alone: true,
    clear: [11, 21, 31],
    bgp: {
      neighbours: {
        '192.0.2.1': {
          ...{ asn: 65001, timers: { connectRetry: 1 } },
          families: {
            'vpnv4-unicast': { addPath: 'receive' },
            'vpnv6-unicast': {},
            'route-target': {},
          },
        },
      },
    },
    vrfs: {
      A: {
        bgp: {
          ...{ rd: '65001:2', importTargets, exportTargets: ['65001:100'] },
          redistribute: { connected: true },
        },
      },
    },
  });
}

async function startGobgp(): Promise<void> {
  const netns = `${net.name}r21`;
  gobgp = await startBgpPeer(net.lab, 'gobgp', { netns, name: 'gobgp', folder, config: GOBGP });
  for (const route of INJECTED) {
    const mapped = route.includes('vpnv6') ? '::ffff:' : '';
    await gobgp.command(`global rib add ${route} nexthop ${mapped}${GOBGP_ADDRESS}`);
  }
}

function say(...messages: readonly Buffer[]): void {
  const id = raw.view(REFLECTOR)?.id;
  if (id === undefined) throw new Error('the raw client has no session');
  for (const message of messages) raw.speaker.send(id, message);
}

async function startRaw(): Promise<void> {
  raw = new Host(`${net.name}r31`, 65001, 0xc000021f);
  const families = { 'vpnv4-unicast': {} };
  raw.apply({ address: REFLECTOR, asn: 65001, timers: { connectRetry: 1 }, families });
  await raw.established(REFLECTOR);
}

beforeAll(async () => {
  if (absent !== undefined) return;
  net = await TwoPes.open('prr', { switched: true });
  for (const number of [11, 21]) {
    captures.push(await captureBgp(net, await net.router(number), 'wan'));
  }
  await net.router(31);
  // Only looked into for octets: tshark 4.0 takes the path identifiers of VPN routes for prefix lengths.
  await captureBgp(net, net.pe(2), 'wan');
  const netns = `${net.name}r11`;
  frr = await startBgpPeer(net.lab, 'frr', { netns, name: 'frr', folder, config: FRR });
  await startGobgp();
  net.write(1, reflectorConfig());
  net.start(1);
  await startPe(net, 2, clientConfig());
  for (const peer of [frr, gobgp]) await peer.waitEstablished(REFLECTOR);
  await startRaw();
});
afterAll(async () => {
  (raw as Host | undefined)?.close();
  await (net as TwoPes | undefined)?.close();
  rmSync(folder, { recursive: true, force: true });
});

// ---- What clients have ---------------------------------------------------------------------------

/** Waits for FRR's path that came by the reflector. */
async function frrHas(rd: string, prefix: string): Promise<FrrPath> {
  return eventually(`FRR has ${prefix}`, async () =>
    ((await frrVpnPaths(frr, prefix))[rd] ?? []).find(({ peer }) => peer.peerId === REFLECTOR),
  );
}

async function gobgpHas(key: string, family = 'vpnv4'): Promise<GobgpPath> {
  return eventually(`GoBGP has ${key}`, async () => gobgpPath(gobgp, REFLECTOR, key, family));
}

async function peHas(prefix: string): Promise<BgpPath> {
  return eventually(`PE 2 has ${prefix}`, async () => (await bgpPaths(net, 2, prefix))[0]);
}

/** Whether the reflector has sent these octets (hexadecimal) into a namespace. */
async function sentTo(netns: string, octets: string): Promise<boolean> {
  const filter = `ip.src == ${REFLECTOR}`;
  const frames = await dissect(captureFile(net, netns), ['tcp.payload'], { filter });
  return frames.some((frame) => frame['tcp.payload'].includes(octets));
}

async function nobodyHas(rd: string, prefix: string): Promise<void> {
  await eventually(`nobody has ${prefix}`, async () => {
    const [pe] = await bgpPaths(net, 2, prefix);
    const ofOthers = (await frrVpnPaths(frr, prefix))[rd];
    const none = pe ?? ofOthers ?? (await gobgpPath(gobgp, REFLECTOR, `${rd}:${prefix}`, 'vpnv4'));
    return none === undefined ? true : undefined;
  });
}

describe.skipIf(absent !== undefined)(
  'routes are reflected as they came (RFC 4456 §8, §10)',
  () => {
    it('from FRR', async () => {
      const wanted = reflected(FRR_ADDRESS, 709, CLUSTER);
      const path = await gobgpHas('65001:9:10.9.0.0/24');
      expect(ofGobgp(path)).toEqual(wanted);
      expect(attributeOf(path, 16)).toEqual([{ type: 0, subtype: 2, value: '65001:100' }]);
      const atPe = await peHas('10.9.0.0/24');
      expect(ofPe(atPe)).toEqual(wanted);
      expect(atPe).toMatchObject({ rd: '65001:9', extendedCommunities: 'target:65001:100' });
      expect(await routeTo(net, 2, '10.9.0.0/24')).toMatchObject({
        ...{ tunnel: 'clear-11', via: FRR_ADDRESS, label: 709 },
      });
    });

    it('from GoBGP, both families', async () => {
      const path = await frrHas('65001:21', '10.21.0.0/24');
      expect(ofFrr(path)).toEqual(reflected(GOBGP_ADDRESS, 721, CLUSTER));
      expect(path.extendedCommunity?.string).toBe('RT:65001:100');
      const v6 = { ...reflected('::ffff:c000:215', 621, CLUSTER), originator: GOBGP_ADDRESS };
      expect(ofFrr(await frrHas('65001:21', '2001:db8:21::/64'))).toEqual(v6);
      for (const [prefix, label] of [
        ['10.21.0.0/24', 721],
        ['2001:db8:21::/64', 621],
      ] as const) {
        expect(await routeTo(net, 2, prefix)).toMatchObject({ tunnel: 'clear-21', label });
      }
    });

    it('from a PE, with its IPsec and export scope communities', async () => {
      const [row] = await net.show(2, 'labels');
      const label = row?.label ?? 0;
      const wanted = reflected('192.0.2.2', label, CLUSTER);
      const path = await frrHas('65001:2', '10.2.0.0/24');
      expect(ofFrr(path)).toEqual(wanted);
      expect(path.extendedCommunity?.string).toBe('RT:65001:100 UNK:131, 73 UNK:131, 74');
      const there = await gobgpHas('65001:2:10.2.0.0/24');
      expect(ofGobgp(there)).toEqual(wanted);
      const [own] = (await bgpPaths(net, 2, '10.2.0.0/24')).filter(
        ({ neighbor }) => neighbor === '',
      );
      expect(own?.extendedCommunities).toMatch(/^target:65001:100 ipsec:encrypt:/);
      // Type 0x83, sub-type and the six octets behind: GoBGP prints the seven from the sub-type on.
      const value = (octets: string): string => Buffer.from(octets, 'hex').toString('base64');
      expect(attributeOf(there, 16)).toEqual([
        { type: 0, subtype: 2, value: '65001:100' },
        { type: 131, subtype: 73, value: value('49010300000000') },
        // Exported to SP 65001 (0xfde9), the own one.
        { type: 131, subtype: 74, value: value('4a00000000fde9') },
      ]);
      const v6 = { ...wanted, nextHop: '::ffff:c000:202' };
      expect(ofFrr(await frrHas('65001:2', '2001:db8:a:2::/64'))).toEqual(v6);
    });

    it('with transitive attributes that nobody knows, partial from then on', async () => {
      // Optional transitive, type 99.
      say(vpnUpdate(RAW_ADDRESS, '10.31.0.0', 'c06304deadbeef'));
      expect((await peHas('10.31.0.0/24')).otherAttributes).toBe('99');
      const path = await gobgpHas('65001:31:10.31.0.0/24');
      expect(ofGobgp(path)).toEqual(reflected(RAW_ADDRESS, 731, CLUSTER));
      const value = Buffer.from('deadbeef', 'hex').toString('base64');
      expect(path.attrs).toContainEqual(expect.objectContaining({ type: 99, value }));
      expect(await sentTo(`${net.name}r21`, 'e06304deadbeef')).toBe(true);
    });

    it('with the originator they had, and our cluster in front', async () => {
      say(
        vpnUpdate(RAW_ADDRESS, '10.31.1.0', `800904${hex('192.0.2.77')}800a04${hex('192.0.2.99')}`),
      );
      const wanted = {
        ...reflected(RAW_ADDRESS, 731, CLUSTER),
        ...{ originator: '192.0.2.77', clusters: [CLUSTER, '192.0.2.99'] },
      };
      expect(ofGobgp(await gobgpHas('65001:31:10.31.1.0/24'))).toEqual(wanted);
      expect(ofFrr(await frrHas('65001:31', '10.31.1.0/24'))).toEqual(wanted);
      expect(ofPe(await peHas('10.31.1.0/24'))).toEqual(wanted);
    });

    it('but not to where they came from', async () => {
      await frrHas('65001:31', '10.31.1.0/24');
      const told = raw.ears.updates.map((octets) => Buffer.from(octets).toString('hex'));
      expect(told.some((octets) => octets.includes('0000fde9000000090a0900'))).toBe(true);
      expect(told.filter((octets) => octets.includes('0000fde90000001f'))).toEqual([]);
    });
  },
);

describe.skipIf(absent !== undefined)('loops (RFC 4456 §8)', () => {
  const loops = async (end: 1 | 2, neighbor: string): Promise<bigint | undefined> =>
    (await net.show(end, 'bgp neighbors')).find((row) => row.neighbor === neighbor)?.loops;

  it.each([
    ['own cluster', '10.31.2.0', `800a08${hex('192.0.2.99')}${hex(CLUSTER)}`],
    ['own originator', '10.31.3.0', `800904${hex(REFLECTOR)}`],
  ])('%s: the route goes nowhere', async (_name, prefix, extra) => {
    const before = (await loops(1, RAW_ADDRESS)) ?? 0n;
    say(vpnUpdate(RAW_ADDRESS, prefix, extra), vpnUpdate(RAW_ADDRESS, '10.31.4.0'));
    // What was said behind it has arrived.
    await gobgpHas('65001:31:10.31.4.0/24');
    await peHas('10.31.4.0/24');
    expect(await loops(1, RAW_ADDRESS)).toBe(before + 1n);
    await nobodyHas('65001:31', `${prefix}/24`);
    expect(await bgpPaths(net, 1, `${prefix}/24`)).toEqual([]);
  });

  it('a route of its own that comes back is none to a PE', async () => {
    say(
      vpnUpdate(RAW_ADDRESS, '10.31.5.0', `800904${hex('192.0.2.2')}`),
      vpnUpdate(RAW_ADDRESS, '10.31.6.0'),
    );
    await frrHas('65001:31', '10.31.5.0/24');
    await peHas('10.31.6.0/24');
    expect(await bgpPaths(net, 2, '10.31.5.0/24')).toEqual([]);
    expect(await loops(2, REFLECTOR)).toBeGreaterThan(0n);
  });
});

describe.skipIf(absent !== undefined)('ADD-PATH to a PE (RFC 7911)', () => {
  const PREFIX = '10.99.0.0/24';
  const there = async (count: number): Promise<BgpPath[]> =>
    eventually(`${count} paths`, async () => {
      const paths = await bgpPaths(net, 2, PREFIX);
      return paths.length === count ? paths : undefined;
    });

  it('brings both paths of one RD and prefix, and one of them goes alone', async () => {
    const paths = await there(2);
    expect(new Set(paths.map(({ pathId }) => pathId)).size).toBe(2);
    expect(paths.map(ofPe)).toEqual(
      expect.arrayContaining([
        reflected(FRR_ADDRESS, 799, CLUSTER),
        reflected(GOBGP_ADDRESS, 798, CLUSTER),
      ]),
    );
    const network = (no: string): string =>
      `${no}network ${PREFIX} rd 65001:50 label 799${no === '' ? ' route-map target' : ''}`;
    await configureFrr(net, frr, ['router bgp 65001', 'address-family ipv4 vpn', network('no ')]);
    expect((await there(1)).map(ofPe)).toEqual([reflected(GOBGP_ADDRESS, 798, CLUSTER)]);
    await eventually('the other way', async () =>
      (await routeTo(net, 2, PREFIX)).label === 798 ? true : undefined,
    );
    await configureFrr(net, frr, ['router bgp 65001', 'address-family ipv4 vpn', network('')]);
    await there(2);
  });

  it('who has not agreed to it is told the best one', async () => {
    const [best] = (await there(2)).filter((path) => path.best);
    const at = await eventually('a path at the raw client', () => {
      const all = raw.ears.updates.map((octets) => Buffer.from(octets).toString('hex'));
      return all.filter((octets) => octets.includes('0000fde9000000320a6300')).at(-1);
    });
    expect(at).toContain(hex(best?.nextHop ?? ''));
  });
});

describe.skipIf(absent !== undefined)('route target constraint (RFC 4684)', () => {
  /** 10.9.7.0/24 with RD 65001:9 has come to the PE. */
  const hasCome = async (): Promise<boolean> => sentTo(net.pe(2), '0000fde9000000090a0907');

  it('keeps what nobody imports away from the PE, until it does', async () => {
    expect(await gobgpHas('65001:9:10.9.7.0/24')).toBeDefined();
    await routeTo(net, 2, '10.9.0.0/24');
    expect(await hasCome()).toBe(false);
    await reload(net, 2, clientConfig(['65001:100', '65001:777']));
    expect(await routeTo(net, 2, '10.9.7.0/24')).toMatchObject({ label: 707 });
    expect(await hasCome()).toBe(true);
    await reload(net, 2, clientConfig());
    await noRouteTo(net, 2, '10.9.7.0/24');
    await routeTo(net, 2, '10.9.0.0/24');
  });
});

describe.skipIf(absent !== undefined)('a withdrawn route goes everywhere', () => {
  it.each([
    ['FRR', '65001:9', '10.9.0.0/24'],
    ['GoBGP', '65001:21', '10.21.0.0/24'],
    ['the PE', '65001:2', '10.2.0.0/24'],
  ])('of %s', async (whose, rd, prefix) => {
    if (whose === 'FRR') {
      const network = `no network ${prefix} rd ${rd} label 709`;
      await configureFrr(net, frr, ['router bgp 65001', 'address-family ipv4 vpn', network]);
    } else if (whose === 'GoBGP') {
      await gobgp.command(`global rib del -a vpnv4 ${prefix} label 721 rd ${rd}`);
    } else {
      const { vrfs, ...rest } = clientConfig();
      const bgp = { rd: '65001:2', importTargets: ['65001:100'] };
      await reload(net, 2, { ...rest, vrfs: { A: { ...vrfs?.['A'], bgp } } });
    }
    await nobodyHas(rd, prefix);
    expect(await bgpPaths(net, 1, prefix)).toEqual([]);
  });
});

it.skipIf(absent !== undefined)('all of it is BGP without fault to tshark', async () => {
  for (const [i, source] of [FRR_ADDRESS, GOBGP_ADDRESS].entries()) {
    const frames = (await captures[i]?.()) ?? [];
    for (const each of [source, REFLECTOR]) {
      for (const type of ['1', '2', '4']) expect(typesFrom(frames, each)).toContain(type);
    }
  }
});
