// SPDX-License-Identifier: Apache-2.0
/** Rows of `sealane show`, made of what is in force and of the counters. Reading only; never waits. */
import { DEFAULT_LCORES, DEFAULT_MTU, deviceKey, vrfNetns } from '../config/defaults.js';
import type { Device, Interface, ManualSa } from '../config/types.js';
import {
  type InterfaceCounters,
  isBgpSa,
  type LiveSa,
  type SaState,
  type Tables,
} from '../forwarding/addon/api.js';
import { hostInterfaceName, saNameOf, saRowName, type TunnelModel } from '../forwarding/model.js';
import * as names from '../forwarding/names.js';
import { TRANSPORT_ACCEPT } from '../forwarding/project.js';
import type { DesiredNexthop } from '../forwarding/rows.js';
import { type Algorithm, encrypts } from '../lib/esp-suites.js';
import { formatAddress } from '../lib/ip.js';
import type * as rows from '../rpc/backend.js';
import { describeAccept } from '../vpn/accept.js';
import type { SpTables } from '../vpn/sp-tables.js';
import { isIkeRow } from './ike-sa-pairs.js';
import type { InForce, Instance } from './instance.js';
import type { LabelSwap } from '../vpn/label-wish.js';
import type { RouteLabels } from '../vpn/route-labels.js';
import type { PathMtus } from './path-mtus.js';
import type { PathProbes } from './path-probes.js';
import type { SaRows } from './sa-rows.js';
import type { WorkerLink } from './worker-link.js';

export interface ShowSource {
  readonly tables: Tables;
  readonly saRows: Pick<SaRows, 'state'>;
  readonly instance: Instance;
  readonly worker: WorkerLink;
  readonly routeLabels: Pick<RouteLabels, 'rows'>;
  readonly pathMtus: Pick<PathMtus, 'get'>;
  readonly pathProbes: Pick<PathProbes, 'row'>;
}

export const formatMac = (mac: Uint8Array): string =>
  [...mac].map((byte) => byte.toString(16).padStart(2, '0')).join(':');

export function deviceText(device: Device): string {
  if ('lag' in device) return `lag ${device.lag.map(deviceText).join(', ')}`;
  if ('kernel' in device) {
    return `kernel ${device.kernel}${device.netns === undefined ? '' : `@${device.netns}`}`;
  }
  return 'pci' in device ? `pci ${device.pci}` : `vdev ${device.vdev}`;
}

const NO_COUNTERS: InterfaceCounters = {
  ...{ rxPackets: 0n, rxBytes: 0n, txPackets: 0n, txBytes: 0n },
  ...{ drops: 0n, punted: 0n, injected: 0n, reassembled: 0n },
};

function counters({ tables, instance }: ShowSource, name: string): InterfaceCounters {
  const id = instance.reconciler.live.interface(name);
  return id === undefined ? NO_COUNTERS : tables.interfaceCounters(id);
}

function interfaceRow(source: ShowSource, name: string, from: Interface): rows.InterfaceRow {
  const { tables, worker } = source;
  const port = deviceKey(from.device);
  const mac = worker.macs.get(port);
  const up = mac === undefined ? undefined : worker.linkUp(tables.portId(port));
  return {
    ...{ name, role: from.role, vrf: from.role === 'ce' ? from.vrf : '' },
    ...{ device: deviceText(from.device), mac: mac ? formatMac(mac) : '' },
    ...{ vlan: from.vlan ?? 0, serviceVlan: from.serviceVlan ?? 0 },
    mtu: from.mtu ?? DEFAULT_MTU,
    link: up === undefined ? 'unknown' : up ? 'up' : 'down',
    addresses: from.addresses.join(' '),
    ...counters(source, name),
  };
}

export function* interfaceRows(source: ShowSource): Generator<rows.InterfaceRow> {
  const { plan, rows: desired } = source.instance.inForce ?? {};
  if (plan === undefined || desired === undefined) return;
  const { config } = plan;
  for (const [name, from] of Object.entries(config.interfaces)) {
    yield interfaceRow(source, name, from);
  }
  for (const vrf of Object.keys(config.vrfs ?? {})) {
    const name = hostInterfaceName(vrf);
    yield {
      ...{ name, role: 'host', vrf, device: `tun ${vrfNetns(config, vrf)}`, mac: '' },
      ...{ vlan: 0, serviceVlan: 0 },
      mtu: desired.interfaces.get(name)?.mtu ?? 0,
      link: source.worker.started ? 'up' : 'unknown',
      addresses: (config.vrfs?.[vrf]?.addresses ?? []).join(' '),
      ...counters(source, name),
    };
  }
}

export function* vrfRows(source: ShowSource): Generator<rows.VrfRow> {
  const config = source.instance.inForce?.plan.config;
  if (config === undefined) return;
  for (const [name, vrf] of Object.entries(config.vrfs ?? {})) {
    const id = source.instance.reconciler.live.vrf(name);
    if (id === undefined) continue;
    const interfaces = Object.values(config.interfaces);
    yield {
      ...{ name, id, netns: vrfNetns(config, name) },
      ...{ ttl: vrf.ttl ?? 'pipe', trafficClass: vrf.trafficClass ?? 'short-pipe' },
      addresses: (vrf.addresses ?? []).join(' '),
      interfaces: interfaces.filter((i) => i.role === 'ce' && i.vrf === name).length,
      routes4: BigInt(source.tables.routeCount(id, 4)),
      routes6: BigInt(source.tables.routeCount(id, 6)),
      ...source.tables.vrfCounters(id),
    };
  }
}

/** Export classes in words by accept set id. */
export function acceptWords(source: ShowSource, inForce: InForce): ReadonlyMap<number, string> {
  const { sps } = inForce.plan;
  return new Map(source.tables.acceptSets().map((set) => [set.id, describeAccept(set, sps)]));
}

/** core.transportLabels. */
function* transportRows(source: ShowSource, plan: InForce['plan']): Generator<rows.LabelRow> {
  for (const label of plan.model.transportLabels) {
    const accept = describeAccept(TRANSPORT_ACCEPT, plan.sps);
    const words = { vrf: '', action: 'pop', target: '', rules: '' } as const;
    yield { label, ...words, accept, ...source.tables.labelCounters(label) };
  }
}

export function* labelRows(source: ShowSource): Generator<rows.LabelRow> {
  const { inForce } = source.instance;
  if (inForce === undefined) return;
  const { plan } = inForce;
  yield* transportRows(source, plan);
  const ofRoutes = [...source.routeLabels.rows()].map((row) => ({
    ...row,
    ce: row.gateway?.address,
  }));
  const ofPlan = plan.policy.labels.map((row) => ({ ...row, swap: undefined }));
  for (const { label, vrf, ce, swap, rules, accept } of [...ofPlan, ...ofRoutes]) {
    yield {
      ...{ label, vrf, ...(swap ? swapWords(swap) : targetWords(ce)) },
      rules: rules.join(' '),
      accept: describeAccept(accept, plan.sps),
      ...source.tables.labelCounters(label),
    };
  }
}

const targetWords = (ce: Uint8Array | undefined): Pick<rows.LabelRow, 'action' | 'target'> =>
  ce === undefined
    ? { action: 'vrf', target: '' }
    : { action: 'nexthop', target: formatAddress(ce) };

/** The label that goes on, and the tunnel it goes by. */
const swapWords = ({ nexthop, label }: LabelSwap): Pick<rows.LabelRow, 'action' | 'target'> => ({
  action: 'swap',
  target: `${label} by ${nexthop.slice(nexthop.indexOf('/') + 1)}`,
});

/** What is known of a tunnel's path; all empty while it is down. */
function tunnelPath(
  nexthop: DesiredNexthop | undefined,
): Pick<rows.TunnelRow, 'interface' | 'nextHop' | 'labels' | 'mac' | 'mtu' | 'state' | 'reason'> {
  const version = nexthop?.version;
  if (version?.kind !== 'tunnel' && version?.kind !== 'lsp') {
    const reason = nexthop?.why ?? '';
    const state = nexthop?.sa ?? 'down';
    return { interface: '', nextHop: '', labels: '', mac: '', mtu: 0, state, reason };
  }
  return {
    interface: version.interface,
    nextHop: nexthop?.via === undefined ? '' : formatAddress(nexthop.via),
    labels: labelWords(nexthop?.labels),
    mac: formatMac(version.header.ethernet.subarray(0, 6)),
    ...{ mtu: version.mtu, state: 'up', reason: '' },
  };
}

/** "100/200"; of an LSP without labels "3", which is implicit null (RFC 3032). */
const labelWords = (labels: readonly number[] | undefined): string =>
  labels?.length === 0 ? '3' : (labels?.join('/') ?? '');

/** Plain MPLS has no outer IP packet. */
function pathMtuWords(
  source: Pick<ShowSource, 'pathMtus'>,
  tunnel: TunnelModel,
): Pick<rows.TunnelRow, 'pathMtu' | 'pathMtuSource' | 'pathMtuSince' | 'pathMtuExpires'> {
  const known = tunnel.protection === 'mpls' ? undefined : source.pathMtus.get(tunnel);
  const time = (ms: number): string => new Date(ms).toISOString();
  if (known === undefined) {
    return { pathMtu: 0, pathMtuSource: '', pathMtuSince: '', pathMtuExpires: '' };
  }
  return {
    ...{ pathMtu: known.mtu, pathMtuSource: known.source, pathMtuSince: time(known.since) },
    pathMtuExpires: known.expires === undefined ? '' : time(known.expires),
  };
}

/** Of its pair of addresses; empty where nothing is probed. */
function probeWords(
  { pathProbes }: Pick<ShowSource, 'pathProbes'>,
  tunnel: TunnelModel,
): Pick<rows.TunnelRow, 'probing' | 'probesSent' | 'probesConfirmed' | 'probesLost'> {
  const row = tunnel.protection === 'mpls' ? undefined : pathProbes.row(tunnel);
  return {
    ...{ probing: row?.state ?? '', probesSent: BigInt(row?.sent ?? 0) },
    ...{ probesConfirmed: BigInt(row?.confirmed ?? 0), probesLost: BigInt(row?.lost ?? 0) },
  };
}

export function* tunnelRows(source: ShowSource): Generator<rows.TunnelRow> {
  const { inForce } = source.instance;
  if (inForce === undefined) return;
  for (const tunnel of inForce.tunnels.values()) {
    const { name, local, remote, protection, encapsulation, sa } = tunnel;
    const nexthop = inForce.overlay.nexthops.get(names.tunnel(name));
    const version = nexthop?.version;
    const ike = version?.kind === 'tunnel' ? version.sa : undefined;
    yield {
      ...{ name, local: formatAddress(local), remote: formatAddress(remote) },
      ...{ sa: sa === undefined ? (ike ?? '') : saNameOf(sa.row), protection, encapsulation },
      ...tunnelPath(nexthop),
      ...pathMtuWords(source, tunnel),
      ...probeWords(source, tunnel),
    };
  }
}

export const protectionOf = (algorithm: Algorithm): 'encrypt' | 'authenticate' =>
  encrypts(algorithm) ? 'encrypt' : 'authenticate';

const NO_STATE: SaState = {
  ...{ ready: false, sequence: 0n, packets: 0n, bytes: 0n, replayed: 0n, authFailed: 0n },
  ...{ probeRound: 0, probeBytes: 0 },
};

/** Its row's, of the packet threads that there are. */
function ownerOf(
  { instance }: Pick<ShowSource, 'instance'>,
  row: LiveSa | undefined,
): Pick<rows.SaRow, 'resource' | 'thread'> {
  const threads = instance.inForce?.plan.config.worker?.lcores ?? DEFAULT_LCORES;
  return { resource: row?.resource ?? 0, thread: (row?.worker ?? 0) % threads };
}

function saRow(source: ShowSource, name: string, sa: ManualSa, ownSp: string): rows.SaRow {
  const { direction } = sa;
  const rowName = saRowName(name, sa.spi);
  const live = source.tables.sas(direction).find((one) => one.name === rowName);
  return {
    ...{ name, direction, spi: `0x${sa.spi.toString(16).padStart(8, '0')}` },
    ...{ local: sa.local, remote: sa.remote, algorithm: sa.algorithm },
    ...{ protection: protectionOf(sa.algorithm), encapsulation: sa.encapsulation },
    sp: direction === 'in' ? (sa.sp ?? ownSp) : '',
    window: live?.replayWindow ?? 0,
    ...ownerOf(source, live),
    ...(live === undefined ? NO_STATE : source.tables.saState(direction, live.id)),
  };
}

export function* saRows(source: ShowSource): Generator<rows.SaRow> {
  const { inForce } = source.instance;
  if (inForce === undefined) return;
  const { config, sps } = inForce.plan;
  for (const [name, sa] of Object.entries(config.manualSas ?? {})) {
    yield saRow(source, name, sa, config.ownSp);
  }
  for (const direction of ['out', 'in'] as const) {
    for (const row of source.tables.sas(direction)) {
      if (!isIkeRow(row.name)) continue;
      // By name, as it is when its turn comes: rows go meanwhile, and their ids are given to others.
      const state = source.saRows.state(direction, row.name);
      if (state === undefined) continue;
      yield { ...ikeRow(direction, row, state, sps), ...ownerOf(source, row) };
    }
  }
}

/** Of a child SA of IKE; its two rows have one name. */
function ikeRow(
  direction: 'in' | 'out',
  row: LiveSa,
  state: SaState,
  sps: SpTables,
): Omit<rows.SaRow, 'resource' | 'thread'> {
  const { name, algorithm, replayWindow: window } = row;
  const encapsulation = isBgpSa(row) ? 'tcp' : row.encapsulation;
  const [local, remote] =
    direction === 'out' ? [row.source, row.destination] : [row.destination, row.source];
  return {
    ...{ name, direction, spi: `0x${row.spi.toString(16).padStart(8, '0')}` },
    ...{ local: formatAddress(local), remote: formatAddress(remote), algorithm },
    ...{ protection: protectionOf(algorithm), encapsulation, window },
    sp: direction === 'in' ? (sps.name(row.spTable) ?? '') : '',
    ...state,
  };
}

/** What a route's next hop is, in the words of `show routes`. */
export interface NexthopWords {
  readonly nexthop: rows.RouteRow['nexthop'];
  readonly via: string;
  readonly tunnel: string;
  readonly interface: string;
  readonly usable: boolean;
  readonly reason: string;
}

const remoteOf = (tunnel: TunnelModel | undefined): string =>
  tunnel === undefined ? '' : formatAddress(tunnel.remote);

/** Next-hop names say what an unusable one would be: names.ts. */
function unusableWords(inForce: InForce, name: string, reason: string): NexthopWords {
  const [kind = '', ...rest] = name.split('/');
  const isTunnel = kind === 'tunnel';
  const tunnel = isTunnel ? rest.join('/') : '';
  return {
    ...{ nexthop: isTunnel ? 'tunnel' : 'adjacency', tunnel, interface: '', usable: false, reason },
    via: isTunnel ? remoteOf(inForce.tunnels.get(tunnel)) : (rest.at(-1) ?? ''),
  };
}

const isUp = (nexthop: DesiredNexthop | undefined): boolean => (nexthop?.sa ?? 'up') === 'up';

export function nexthopWords(
  inForce: InForce,
  name: string,
  nexthop: DesiredNexthop | undefined,
): NexthopWords {
  const version = nexthop?.version;
  if (version === undefined || !isUp(nexthop)) {
    return unusableWords(inForce, name, nexthop?.why ?? '');
  }
  const none = { via: '', tunnel: '', interface: '', usable: true, reason: '' };
  switch (version.kind) {
    case 'drop':
      return { ...none, nexthop: 'drop', reason: version.reason };
    case 'receive':
    case 'glean':
      return { ...none, nexthop: version.kind, interface: version.interface };
    case 'adjacency': {
      const via = formatAddress(version.neighbour);
      return { ...none, nexthop: 'adjacency', via, interface: version.interface };
    }
    case 'lsp':
    case 'tunnel': {
      const tunnel = names.tunnelOf(name) ?? '';
      const via = remoteText(nexthop);
      return { ...none, nexthop: 'tunnel', via, tunnel, interface: version.interface };
    }
  }
}

const remoteText = (nexthop: DesiredNexthop | undefined): string =>
  nexthop?.remote === undefined ? '' : formatAddress(nexthop.remote);
