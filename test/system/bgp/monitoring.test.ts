// SPDX-License-Identifier: Apache-2.0
/**
 * What BMP stations and MRT files of a running PE are told:
 *
 *   peer and station 192.0.2.31 ---- 192.0.2.1, PE 1 with VRF A
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config } from '../../../src/config/types.js';
import { Host } from '../../interop/bgp/host.js';
import { bgpPaths, peConfig, reload, startPe } from '../../interop/bgp/pe-net.js';
import { vpnUpdate, vpnWithdrawal } from '../../interop/bgp/reflected.js';
import { bgpFrames } from '../../lib/bgp-tshark.js';
import { writePcap } from '../../lib/pcap.js';
import { dissect } from '../../lib/tshark.js';
import { TwoPes } from '../supervisor/two-pes.js';

const PE = '192.0.2.1';
const PEER = '192.0.2.31';
const SESSION = {
  ...{ asn: 65001, timers: { connectRetry: 1, connectRetryMax: 1 } },
  families: { 'vpnv4-unicast': {} },
};
/** Takes what comes, one connection after the other. */
const STATION = [
  'import socket',
  's = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)',
  's.bind(("0.0.0.0", 11019)); s.listen(); print("listens", flush=True)',
  'while True:',
  '  c, _ = s.accept()',
  '  while c.recv(65536): pass',
].join('\n');
let net: TwoPes;
let peer: Host;
const capture = (): string => `${net.run}/bmp.pcap`;

function config(monitored = true): Config {
  const monitor = ['adj-in-pre', 'adj-out-post', 'loc-rib'] as const;
  return peConfig(net, 1, {
    ...{ alone: true, clear: [31] },
    bgp: {
      neighbours: { [PEER]: SESSION },
      ...(monitored && {
        bmp: { station: { address: PEER, monitor, statistics: 1 } },
        mrt: { all: { file: `${net.run}/%Y%m%d-%H%M%S.mrt`, what: 'messages', every: 86_400 } },
      }),
    },
    vrfs: {
      A: {
        bgp: {
          ...{ rd: '65001:1', importTargets: ['65001:100'], exportTargets: ['65001:100'] },
          redistribute: { connected: true },
        },
      },
    },
  });
}

function say(...messages: readonly Buffer[]): void {
  const id = peer.view(PE)?.id;
  if (id === undefined) throw new Error('the peer has no session');
  for (const message of messages) peer.speaker.send(id, message);
}

/** A BMP message: common header, per-peer header (RFC 7854 §4.1, §4.2), what is behind them. */
interface Bmp {
  readonly octets: Buffer;
  readonly type: number;
  readonly peerType: number;
  readonly flags: number;
  /** 8 octets, hexadecimal. */
  readonly distinguisher: string;
  readonly rest: string;
}

/** What the station has been told on its last connection. */
async function told(): Promise<Bmp[]> {
  const filter = `ip.src == ${PE} && tcp.dstport == 11019 && tcp.len > 0`;
  const frames = await dissect(capture(), ['tcp.stream', 'tcp.payload'], { filter });
  const last = frames.at(-1)?.['tcp.stream'];
  const ours = frames.filter((frame) => frame['tcp.stream'] === last);
  const stream = Buffer.from(ours.map((frame) => frame['tcp.payload']).join(''), 'hex');
  const messages: Bmp[] = [];
  for (let at = 0; at + 6 <= stream.length; at += stream.readUInt32BE(at + 1)) {
    const octets = stream.subarray(at, at + stream.readUInt32BE(at + 1));
    messages.push({
      ...{ octets, type: octets[5] ?? 99, peerType: octets[6] ?? 99, flags: octets[7] ?? 99 },
      distinguisher: octets.toString('hex', 8, 16),
      rest: octets.toString('hex', 48),
    });
  }
  return messages;
}

type Wanted = Partial<Pick<Bmp, 'type' | 'peerType' | 'flags' | 'distinguisher'>>;

const find = (all: readonly Bmp[], wanted: Wanted, octets = ''): Bmp | undefined =>
  all.find(
    (one) =>
      Object.entries(wanted).every(([key, value]) => Reflect.get(one, key) === value) &&
      one.rest.includes(octets),
  );

async function hears(what: string, wanted: Wanted, octets = ''): Promise<Bmp> {
  return eventually(what, async () => find(await told(), wanted, octets), 60_000);
}

const [ROUTES, STATISTICS, DOWN, UP, INITIATION] = [0, 1, 2, 3, 4];
const CORE = { peerType: 3, distinguisher: '0000000000000000' };
const VRF = { peerType: 3, distinguisher: '0000fde900000001' };
/** 10.31.N.0/24 and 10.1.0.0/24 with their RDs as VPN routes, then in a VRF. */
const vpn = (n: number): string => `0000fde90000001f0a1f0${n}`;
const OURS = '0000fde9000000010a0100';
const inVrf = (n: number): string => `180a1f0${n}`;

beforeAll(async () => {
  net = await TwoPes.open('bmo', { switched: true });
  const netns = await net.router(31);
  const log = `${net.run}/station.log`;
  net.lab.start(netns, ['/usr/bin/python3', '-c', STATION], log);
  const dump = ['tcpdump', '-U', '--immediate-mode', '-Z', 'root', '-s', '0', '-ni', 'wan'];
  net.lab.start(netns, [...dump, '-w', capture(), 'tcp', 'port', '11019'], `${log}.tcpdump`);
  await eventually('both listen', async () => {
    const { stdout } = await net.lab.exec(netns, ['cat', log, `${log}.tcpdump`]);
    return stdout.includes('listens') && stdout.includes('listening on') ? true : undefined;
  });
  await startPe(net, 1, config());
  peer = new Host(`${net.name}r31`, 65001, 0xc000021f);
  peer.apply({ address: PE, ...SESSION });
  await peer.established(PE);
  say(vpnUpdate(PEER, '10.31.0.0'), vpnUpdate(PEER, '10.31.1.0'));
  await eventually('the route', async () =>
    (await bgpPaths(net, 1, '10.31.1.0/24', 'A')).length > 0 ? true : undefined,
  );
  say(vpnWithdrawal('10.31.1.0'));
  await eventually('no route', async () =>
    (await bgpPaths(net, 1, '10.31.1.0/24')).length === 0 ? true : undefined,
  );
});
afterAll(async () => {
  (peer as Host | undefined)?.close();
  await (net as TwoPes | undefined)?.close();
});

describe('a BMP station', () => {
  it('hears of sessions and tables as they come up', async () => {
    await hears('Initiation', { type: INITIATION });
    expect((await told())[0]?.type).toBe(INITIATION);
    const up = await hears('Peer Up', { type: UP, peerType: 0 });
    // Address, AS number and identifier of the peer; ours behind.
    expect(up.octets.toString('hex', 16, 40)).toBe(`${'00'.repeat(12)}c000021f0000fde9c000021f`);
    expect(up.rest).toMatch(/^0{24}c0000201/);
    // RFC 9069 §5.2: the names of the tables, TLV type 3.
    const tables = [
      await hears('the core', { type: UP, ...CORE }),
      await hears('the VRF', { type: UP, ...VRF }),
    ];
    expect(tables.map(({ rest }) => rest.slice(-20))).toEqual([
      Buffer.from('\0\x03\0\x06global').toString('hex'),
      expect.stringMatching(new RegExp(`${Buffer.from('\0\x03\0\x01A').toString('hex')}$`)),
    ]);
    expect(tables.map(({ flags }) => flags)).toEqual([0, 0]);
  });

  it('hears what is received, before policy, and what is sent, after it (RFC 8671)', async () => {
    const received = { type: ROUTES, peerType: 0, flags: 0 };
    for (const n of [0, 1]) await hears('a route', received, `002db1${vpn(n)}`);
    await hears('its withdrawal', received, `800000${vpn(1)}`);
    await hears('a route of ours', { type: ROUTES, peerType: 0, flags: 0x50 }, OURS);
  });

  it('hears of best routes, in the VPN table and in that of the VRF (RFC 9069)', async () => {
    for (const n of [0, 1]) {
      await hears('VPN', { type: ROUTES, ...CORE }, `002db1${vpn(n)}`);
      await hears('VRF', { type: ROUTES, ...VRF }, inVrf(n));
    }
    await hears('own', { type: ROUTES, ...VRF }, '180a0100');
    await hears('VPN, withdrawn', { type: ROUTES, ...CORE }, `800000${vpn(1)}`);
    // Withdrawn Routes of 4 octets, no attributes.
    await hears('VRF, withdrawn', { type: ROUTES, ...VRF }, `0004${inVrf(1)}0000`);
  });

  it('hears statistics', async () => {
    const { rest } = await hears('Statistics Report', { type: STATISTICS, peerType: 0 });
    // Type 9, 11 octets: routes of AFI 1, SAFI 128 in Adj-RIB-In: one.
    expect(rest).toContain('0009000b0001800000000000000001');
  });

  it('hears all of it in messages without fault to tshark', async () => {
    const messages = (await told()).map(({ octets, type, peerType }) => {
      if (type !== UP || peerType !== 3) return octets;
      // tshark 4.0 takes the TLVs behind the OPENs for a BGP message: they are cut off.
      const name = octets.subarray(-10).includes('global') ? 10 : 5;
      const shorter = Buffer.from(octets.subarray(0, -name));
      shorter.writeUInt32BE(shorter.length, 1);
      return shorter;
    });
    const file = `${net.run}/again.pcap`;
    writeFileSync(file, writePcap(bgpFrames(messages, 11_019)));
    const fields = ['bmp.type', '_ws.malformed'] as const;
    const rows = await dissect(file, fields, { decodeAs: 'tcp.port==11019,bmp' });
    expect(rows.filter((row) => row['_ws.malformed'] !== '')).toEqual([]);
    expect(rows.flatMap((row) => row['bmp.type'].split(','))).toHaveLength(messages.length);
  });

  it('that comes later hears what there is, and all routes cross again for it', async () => {
    await reload(net, 1, config(false));
    await hears('Termination', { type: 5 });
    const before = peer.ears.refreshes.length;
    await reload(net, 1, config());
    await eventually('another connection', async () =>
      find(await told(), { type: 5 }) === undefined ? true : undefined,
    );
    await hears('VPN', { type: ROUTES, ...CORE }, `002db1${vpn(0)}`);
    await hears('VRF', { type: ROUTES, ...VRF }, inVrf(0));
    // End-of-RIB of IPv4 is an UPDATE of 23 octets.
    await hears('the end', { type: ROUTES, ...VRF }, `${'ff'.repeat(16)}00170200000000`);
    expect(find(await told(), { type: ROUTES, ...VRF }, inVrf(1))).toBeUndefined();
    await hears('ours', { type: ROUTES, peerType: 0, flags: 0x50 }, OURS);
    await eventually('we ask', () =>
      peer.ears.refreshes.slice(before).some(({ subtype }) => subtype === 0) ? true : undefined,
    );
    say(vpnUpdate(PEER, '10.31.0.0'));
    await hears('its answer', { type: ROUTES, peerType: 0, flags: 0 }, `002db1${vpn(0)}`);
  });

  it('hears of the end of a session with its NOTIFICATION', async () => {
    peer.speaker.shutdown(PE, 'good night');
    const { rest } = await hears('Peer Down', { type: DOWN, peerType: 0 });
    // Reason 3: remote, NOTIFICATION follows.
    expect(rest.slice(0, 2)).toBe('03');
    expect(rest).toContain(Buffer.from('good night').toString('hex'));
    await hears('withdrawn from the VRF', { type: ROUTES, ...VRF }, `0004${inVrf(0)}0000`);
  });
});

it('an MRT file holds the messages, and bgpdump reads it', async () => {
  await reload(net, 1, config(false));
  const files = await eventually('complete files', () => {
    const found = readdirSync(net.run).filter((name) => name.endsWith('.mrt'));
    return found.length > 0 ? found : undefined;
  });
  const dumps = files.map((name) =>
    execFileSync('bgpdump', [`${net.run}/${name}`], { encoding: 'utf8' }),
  );
  const all = dumps.join('\n');
  expect(all).toMatch(/TYPE: BGP4MP_ET\/MESSAGE\/Update/);
  expect(all).toMatch(/FROM: 192\.0\.2\.31 AS65001/);
  expect(all).toMatch(/STATE: OpenConfirm\/Established|Established/);
});
