// SPDX-License-Identifier: Apache-2.0
/**
 * Whole PEs (supervisor and worker) in a switched core with other people's routers, for the tests here:
 *
 *   NAMEce1 -- NAMEpe1 --+                +-- NAMEpe2 -- NAMEce2
 *   10.1.0.2   192.0.2.1 |-- NAMEcore --  |   192.0.2.2  10.2.0.2
 *                        +-- NAMErN ------+
 *                            192.0.2.N
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';
import { rowsOf } from '../../../scripts/lib/control.js';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config } from '../../../src/config/types.js';
import type { TopicRows } from '../../../src/rpc/client.js';
import type { BgpPeer, PeerOptions } from '../../lib/bgp-peers.js';
import { dissect } from '../../lib/tshark.js';
import { settle } from '../../system/kernel/support.js';
import type { End, TwoPes } from '../../system/supervisor/two-pes.js';

export const ASN = 65001;

type Bgp = NonNullable<Config['bgp']>;
type Tunnel = NonNullable<Config['tunnels']>[string];
export type Vrf = NonNullable<Config['vrfs']>[string];

/** What a PE of a test has beside what {@link TwoPes.config} says. */
export interface PeParts {
  readonly bgp: Partial<Bgp>;
  readonly vrfs: Readonly<Record<string, Vrf>>;
  /** Routers 192.0.2.N that MPLS-in-GRE without IPsec may go to: they have no SA. */
  readonly clear?: readonly number[];
  /** The other PE does not run: no tunnel and no SAs to it. */
  readonly alone?: true;
}

/** The configuration of an end whose routes and labels all come by BGP. */
export function peConfig(net: TwoPes, end: End, { bgp, vrfs, clear = [], alone }: PeParts): Config {
  const { tunnels, manualSas = {}, ...base } = net.config(end);
  const local = `192.0.2.${end}`;
  const more: Record<string, Tunnel> = {};
  for (const number of clear) {
    const remote = `192.0.2.${number}`;
    more[`clear-${number}`] = { local, remote, protection: 'tunnel', encapsulation: 'gre' };
  }
  return {
    ...base,
    ...(alone !== true && { manualSas }),
    tunnels: { ...(alone !== true && tunnels), ...more },
    bgp: { asn: ASN, routerId: `192.0.2.${end}`, ...bgp },
    vrfs,
  };
}

export async function reload(net: TwoPes, end: End, config: Config): Promise<void> {
  const path = net.write(end, config);
  await net.client(end, async (client) => client.reload(path, false));
}

export type RouteRow = TopicRows['routes'];

/** The VRF's row of owner BGP for a prefix; undefined: there is none. */
export async function bgpRow(
  net: TwoPes,
  end: End,
  prefix: string,
  vrf = 'A',
): Promise<RouteRow | undefined> {
  const rows = await net.show(end, 'routes');
  return rows.find((row) => row.vrf === vrf && row.prefix === prefix && row.owner === 'bgp');
}

export type BgpPath = TopicRows['bgp routes'];

/** Paths of one prefix as BGP has them: VPN routes without `vrf`, else those in the VRF's table. */
export async function bgpPaths(
  net: TwoPes,
  end: End,
  prefix: string,
  vrf?: string,
): Promise<BgpPath[]> {
  return net.client(end, async (client) => {
    const filter = { exact: prefix, ...(vrf !== undefined && { vrf }) };
    const rows = await rowsOf(client, 'bgp routes', filter);
    return rows.filter((row) => row.vrf === (vrf ?? ''));
  });
}

/** Waits for {@link bgpRow}; it is usable. */
export async function routeTo(net: TwoPes, end: End, prefix: string, vrf = 'A'): Promise<RouteRow> {
  return eventually(
    `PE ${end} has ${prefix}`,
    async () => {
      alive(net, end);
      const row = await bgpRow(net, end, prefix, vrf).catch(() => undefined);
      return row?.usable === true ? row : undefined;
    },
    60_000,
  );
}

export async function noRouteTo(net: TwoPes, end: End, prefix: string, vrf = 'A'): Promise<void> {
  await eventually(
    `PE ${end} has no ${prefix}`,
    async () => {
      alive(net, end);
      return (await bgpRow(net, end, prefix, vrf)) === undefined ? true : undefined;
    },
    60_000,
  );
}

function alive(net: TwoPes, end: End): void {
  const { exitCode, signalCode } = net.supervisor(end);
  if (exitCode !== null || signalCode !== null) throw new Error(net.logText(end));
}

/** Starts a PE and waits for its tunnels. */
export async function startPe(net: TwoPes, end: End, config: Config): Promise<void> {
  net.write(end, config);
  net.start(end);
  await net.tunnelUp(end);
}

// ---- FRR -----------------------------------------------------------------------------------------

/** Namespaces that are VRFs of an FRR, by VRF name. */
export type FrrVrfs = Readonly<Record<string, string>>;

/**
 * Starts the zebra that bgpd needs for VRFs; the answer is what startBgpPeer is to be given. FRR takes
 * every name in /run/netns for a VRF (zebra -n): both get a mount namespace of their own, in which only the
 * VRFs given have names there. All must be able to enter `options.folder`.
 */
export async function startZebra(
  net: TwoPes,
  options: PeerOptions,
  vrfs: FrrVrfs,
): Promise<PeerOptions> {
  const folder = `${options.folder}/${options.name}`;
  const names = `${folder}/netns`;
  const hidden = [
    `mount -t tmpfs none ${names}`,
    ...Object.entries(vrfs).map(
      ([vrf, netns]) => `touch ${names}/${vrf} && mount --bind /run/netns/${netns} ${names}/${vrf}`,
    ),
    `mount --rbind ${names} /run/netns`,
    'exec "$@"',
  ];
  const wrap = ['unshare', '-m', 'sh', '-c', hidden.join(' && '), 'sh'];
  mkdirSync(names, { recursive: true });
  writeFileSync(`${folder}/zebra.conf`, '');
  // zebra gives up root for the user frr, whose the folder has to be.
  for (const each of [options.folder, folder]) chmodSync(each, 0o711);
  execFileSync('chown', ['-R', 'frr:frr', folder]);
  const zebra = [
    ...['/usr/lib/frr/zebra', '-n', '-f', `${folder}/zebra.conf`, '-z', `${folder}/zserv.api`],
    ...['--vty_socket', folder, '-i', `${folder}/zebra.pid`, '-A', '127.0.0.1', '-P', '0'],
  ];
  net.lab.start(options.netns, [...wrap, ...zebra], `${folder}/zebra.log`);
  await eventually(
    'zebra knows its VRFs',
    async () => {
      const argv = ['vtysh', '--vty_socket', folder, '-d', 'zebra', '-c', 'show vrf'];
      const { code, stdout } = await net.lab.exec(options.netns, argv);
      const all = Object.keys(vrfs).every((vrf) => stdout.includes(`vrf ${vrf} id `));
      return code === 0 && all ? true : undefined;
    },
    30_000,
  );
  return { ...options, args: ['zebra'], wrap };
}

/** One path of FRR's `show bgp … PREFIX json`, as far as it is read here. */
export interface FrrPath {
  readonly valid?: boolean;
  readonly stale?: boolean;
  readonly aspath: { readonly string: string; readonly length: number };
  readonly community?: { readonly list: readonly string[] };
  readonly largeCommunity?: { readonly list: readonly string[] };
  readonly extendedCommunity?: { readonly string: string };
  readonly remoteLabel?: number;
  /** Path identifier received; absent for 0. */
  readonly addpathRxId?: number;
  readonly nexthops: readonly { readonly ip: string }[];
  readonly originatorId?: string;
  readonly clusterList?: { readonly list: readonly string[] };
  readonly peer: { readonly peerId: string };
}

/** Paths of a VPN prefix in FRR's table, by RD. */
export async function frrVpnPaths(
  peer: BgpPeer,
  prefix: string,
): Promise<Readonly<Record<string, readonly FrrPath[]>>> {
  const family = prefix.includes(':') ? 'ipv6' : 'ipv4';
  const text = await peer.command(`show bgp ${family} vpn ${prefix} json`);
  if (text.trim() === '') return {};
  const all = JSON.parse(text) as Record<string, { readonly paths: FrrPath[] }>;
  return Object.fromEntries(Object.entries(all).map(([rd, { paths }]) => [rd, paths]));
}

/** Paths of a prefix in the table of a VRF of FRR's; default the global one. */
export async function frrPaths(
  peer: BgpPeer,
  prefix: string,
  vrf = 'default',
): Promise<readonly FrrPath[]> {
  const family = prefix.includes(':') ? 'ipv6' : 'ipv4';
  const text = await peer.command(`show bgp vrf ${vrf} ${family} unicast ${prefix} json`);
  const { paths = [] } = JSON.parse(text) as { readonly paths?: FrrPath[] };
  return paths;
}

/** Lines of configuration for an FRR that runs. */
export async function configureFrr(
  net: TwoPes,
  peer: BgpPeer,
  lines: readonly string[],
): Promise<void> {
  const argv = ['vtysh', '--vty_socket', peer.folder, '-d', 'bgpd', '-c', 'configure terminal'];
  await net.lab.must(peer.netns, [...argv, ...lines.flatMap((line) => ['-c', line])]);
}

// ---- Captures ------------------------------------------------------------------------------------

/** What is read of each frame with BGP in it. */
export const BGP_FIELDS = ['ip.src', 'ipv6.src', 'bgp.type', 'bgp.cap.type'] as const;
export type BgpFrame = Readonly<Record<(typeof BGP_FIELDS)[number], string>>;

/** File of a capture that runs, or has ended. */
export const captureFile = (net: TwoPes, netns: string): string => `${net.run}/bgp-${netns}.pcap`;

/** Captures TCP port 179 on an interface until the answer is called, which says what was seen. */
export async function captureBgp(
  net: TwoPes,
  netns: string,
  device: string,
): Promise<() => Promise<BgpFrame[]>> {
  const [file, log] = [captureFile(net, netns), `${net.run}/bgp-${netns}.log`];
  const argv = ['tcpdump', '--immediate-mode', '-U', '-Z', 'root', '-s', '0', '-ni', device];
  const child = net.lab.start(netns, [...argv, '-w', file, 'tcp', 'port', '179'], log);
  await eventually('tcpdump listens', () =>
    readFileSync(log, 'utf8').includes('listening on') ? true : undefined,
  );
  return async () => {
    await settle(300);
    await net.lab.stop(child, 'SIGINT');
    const malformed = await dissect(file, ['frame.number'], { filter: '_ws.malformed' });
    expect(malformed).toEqual([]);
    return dissect(file, BGP_FIELDS, { filter: 'bgp' });
  };
}

/** Types of the messages that a source has sent (RFC 4271 §4.1: 1 OPEN, 2 UPDATE, 3, 4; RFC 2918: 5). */
export function typesFrom(frames: readonly BgpFrame[], source: string): ReadonlySet<string> {
  const from = frames.filter((f) => f['ip.src'] === source || f['ipv6.src'] === source);
  return new Set(from.flatMap((frame) => frame['bgp.type'].split(',')));
}
