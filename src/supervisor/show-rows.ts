// SPDX-License-Identifier: Apache-2.0
/** Rows of `sealane show`, made of what is in force and of the counters. Reading only; never waits. */
import { DEFAULT_MTU, deviceKey, vrfNetns } from '../config/defaults.js';
import type { Config, Device, Interface } from '../config/types.js';
import type { InterfaceCounters, Tables } from '../forwarding/addon/api.js';
import { hostInterfaceName, saRowName } from '../forwarding/model.js';
import * as names from '../forwarding/names.js';
import type { DesiredNexthop, DesiredVersion } from '../forwarding/rows.js';
import { formatAddress } from '../lib/ip.js';
import type * as rows from '../rpc/backend.js';
import { describeAccept } from '../vpn/accept.js';
import type { InForce, Instance } from './instance.js';
import type { WorkerLink } from './worker-link.js';

export interface ShowSource {
  readonly tables: Tables;
  readonly instance: Instance;
  readonly worker: WorkerLink;
}

const formatMac = (mac: Uint8Array): string =>
  [...mac].map((byte) => byte.toString(16).padStart(2, '0')).join(':');

function deviceText(device: Device): string {
  if ('kernel' in device) {
    return `kernel ${device.kernel}${device.netns === undefined ? '' : `@${device.netns}`}`;
  }
  return 'pci' in device ? `pci ${device.pci}` : `vdev ${device.vdev}`;
}

const NO_COUNTERS: InterfaceCounters = {
  ...{ rxPackets: 0n, rxBytes: 0n, txPackets: 0n, txBytes: 0n },
  ...{ drops: 0n, punted: 0n, injected: 0n },
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
    ...{ device: deviceText(from.device), vlan: from.vlan ?? 0, mac: mac ? formatMac(mac) : '' },
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
  for (const [name, from] of Object.entries(config.interfaces))
    {yield interfaceRow(source, name, from);}
  for (const vrf of Object.keys(config.vrfs ?? {})) {
    const name = hostInterfaceName(vrf);
    yield {
      ...{ name, role: 'host', vrf, device: `tun ${vrfNetns(config, vrf)}`, vlan: 0, mac: '' },
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
      ...{ ttl: vrf.ttl ?? 'pipe', trafficClass: vrf.trafficClass ?? 'uniform' },
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

export function* labelRows(source: ShowSource): Generator<rows.LabelRow> {
  const { inForce } = source.instance;
  if (inForce === undefined) return;
  const { plan } = inForce;
  for (const { label, vrf, ce, rules, accept } of plan.policy.labels) {
    yield {
      ...{ label, vrf, action: ce === undefined ? 'vrf' : 'nexthop' },
      target: ce === undefined ? '' : formatAddress(ce),
      rules: rules.join(' '),
      accept: describeAccept(accept, plan.sps),
      ...source.tables.labelCounters(label),
    };
  }
}

export function* tunnelRows(source: ShowSource): Generator<rows.TunnelRow> {
  const { inForce } = source.instance;
  if (inForce === undefined) return;
  const { plan, overlay } = inForce;
  for (const [name, tunnel] of Object.entries(plan.config.tunnels ?? {})) {
    const nexthop = overlay.nexthops.get(names.tunnel(name));
    const version = nexthop?.version?.kind === 'tunnel' ? nexthop.version : undefined;
    yield {
      ...{ name, local: tunnel.local, remote: tunnel.remote },
      ...{ protection: tunnel.protection, encapsulation: tunnel.encapsulation },
      ...{ sa: tunnel.sa ?? '', interface: version?.interface ?? '' },
      nextHop: nexthop?.via === undefined ? '' : formatAddress(nexthop.via),
      mac: version === undefined ? '' : formatMac(version.header.ethernet.subarray(0, 6)),
      mtu: version?.mtu ?? 0,
      state: version === undefined ? 'down' : 'up',
      reason: nexthop?.why ?? '',
    };
  }
}

const protectionOf = (algorithm: string): 'encrypt' | 'authenticate' =>
  algorithm.startsWith('aes-gcm') ? 'encrypt' : 'authenticate';

function* saRowsOf(source: ShowSource, config: Config): Generator<rows.SaRow> {
  const inForce = source.instance.inForce;
  const live = { in: source.tables.sas('in'), out: source.tables.sas('out') };
  for (const [name, sa] of Object.entries(config.manualSas ?? {})) {
    const { direction } = sa;
    const row = live[direction].find((one) => one.name === saRowName(name, sa.spi));
    const state = row && source.tables.saState(direction, row.id);
    const inbound = direction === 'in';
    yield {
      ...{ name, direction, spi: `0x${sa.spi.toString(16).padStart(8, '0')}` },
      ...{ local: sa.local, remote: sa.remote, algorithm: sa.algorithm },
      ...{ protection: protectionOf(sa.algorithm), encapsulation: sa.encapsulation },
      sp: inbound ? (sa.sp ?? inForce?.plan.config.ownSp ?? '') : '',
      ...{ ready: state?.ready ?? false, sequence: state?.sequence ?? 0n },
      window: row?.replayWindow ?? 0,
      ...{ packets: state?.packets ?? 0n, bytes: state?.bytes ?? 0n },
      ...{ replayed: state?.replayed ?? 0n, authFailed: state?.authFailed ?? 0n },
    };
  }
}

export function saRows(source: ShowSource): Iterable<rows.SaRow> {
  const { inForce } = source.instance;
  return inForce === undefined ? [] : saRowsOf(source, inForce.plan.config);
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

function kindOf(name: string, version: DesiredVersion | undefined): rows.RouteRow['nexthop'] {
  if (version !== undefined) return version.kind;
  return name.startsWith('tunnel/') ? 'tunnel' : 'adjacency';
}

export function nexthopWords(
  inForce: InForce,
  name: string,
  nexthop: DesiredNexthop | undefined,
): NexthopWords {
  const version = nexthop?.version;
  const kind = kindOf(name, version);
  const tunnel = kind === 'tunnel' ? name.slice('tunnel/'.length) : '';
  const remote = inForce.plan.config.tunnels?.[tunnel]?.remote;
  const via = version?.kind === 'adjacency' ? formatAddress(version.neighbour) : undefined;
  return {
    ...{ nexthop: kind, tunnel },
    via: remote ?? via ?? (kind === 'adjacency' ? (name.split('/').at(-1) ?? '') : ''),
    interface: version === undefined || version.kind === 'drop' ? '' : version.interface,
    usable: version !== undefined,
    reason: version?.kind === 'drop' ? version.reason : (nexthop?.why ?? ''),
  };
}
