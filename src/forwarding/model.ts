// SPDX-License-Identifier: Apache-2.0
/**
 * The configuration as projection reads it: defaults filled in, addresses as bytes, names of rows
 * chosen. Built once per configuration. The configuration has been checked before, so a text that
 * does not parse is a {@link ForwardingModel.problems | problem}, never an exception.
 */
import {
  DEFAULT_LSP_TTL,
  DEFAULT_MTU,
  DEFAULT_PATH_MTU_FLOOR,
  DEFAULT_TUNNEL_TTL,
  deviceKey,
  IMPLICIT_NULL,
  portMtu,
  serviceTagOf,
} from '../config/defaults.js';
import type * as config from '../config/types.js';
import { type EspOverhead, espOverhead } from '../lib/esp-suites.js';
import { covers, hostPrefix, parseAddress, parsePrefix, type Prefix } from '../lib/ip.js';
import type { ServiceTag } from './addon/api.js';
import { CORE_VRF } from './rows.js';

export interface InterfaceModel {
  readonly name: string;
  readonly role: 'ce' | 'core';
  /** '' for core interfaces. */
  readonly vrf: string;
  readonly port: string;
  readonly vlan: number;
  readonly serviceTag?: ServiceTag;
  readonly mtu: number;
  /** Own addresses with the subnet's length; host bits set. */
  readonly addresses: readonly Prefix[];
  readonly acceptGre: boolean;
  readonly acceptIp: boolean;
  readonly mplsOwnSp: boolean;
  readonly mplsOtherSp: boolean;
}

export interface PortModel {
  readonly name: string;
  readonly device: config.Device;
  /** Largest of its interfaces', with their second tag. */
  readonly mtu: number;
}

export type RouteModel =
  | { readonly prefix: Prefix; readonly gateway: GatewayModel }
  | { readonly prefix: Prefix; readonly tunnel: string; readonly label: number }
  | { readonly prefix: Prefix; readonly discard: 'silent' | 'unreachable' };

/** A neighbour that the kernel is asked to keep resolved. */
export interface GatewayModel {
  readonly vrf: string;
  readonly interface: string;
  readonly address: Uint8Array;
}

export interface VrfModel {
  readonly name: string;
  readonly ttlUniform: boolean;
  readonly tcUniform: boolean;
  /** Pipe model: what TC and outer DSCP follow from; undefined: the inner DSCP. */
  readonly dscp: number | undefined;
  readonly clampMss: boolean;
  /** Own addresses beside the interfaces'. */
  readonly addresses: readonly Prefix[];
  readonly interfaces: readonly InterfaceModel[];
  readonly routes: readonly RouteModel[];
  readonly importsFrom: readonly string[];
}

/** How plain MPLS reaches far ends: static, or learnt from BGP (labelled unicast). */
export interface LspModel {
  /** Far ends; the longest prefix counts, and of equal ones the first in a list. */
  readonly prefix: Prefix;
  /** Core interface and router that the outermost label is sent to. */
  readonly interface: string;
  readonly via: Uint8Array;
  /** Transport labels, outermost first; none: the router takes the packet without. */
  readonly labels: readonly number[];
  /** Also above the outer IP header of tunnels. */
  readonly forIp: boolean;
}

export interface TunnelModel {
  readonly name: string;
  readonly local: Uint8Array;
  readonly remote: Uint8Array;
  readonly protection: config.Protection;
  /** 'none': plain MPLS. */
  readonly encapsulation: config.Encapsulation | 'none';
  readonly dscp: 'copy' | number;
  readonly ecn: 'normal' | 'compatibility';
  readonly ttl: number;
  /** SPI and row name of the manual outbound SA; undefined: it needs none, or IKE finds it. */
  readonly sa:
    { readonly row: string; readonly spi: number; readonly esp: EspOverhead } | undefined;
}

/** Whether a tunnel gets its SAs by IKE. */
export const usesIke = ({ protection, sa }: Pick<TunnelModel, 'protection' | 'sa'>): boolean =>
  protection !== 'tunnel' && protection !== 'mpls' && sa === undefined;

export interface ForwardingModel {
  readonly interfaces: ReadonlyMap<string, InterfaceModel>;
  readonly ports: ReadonlyMap<string, PortModel>;
  /** Without the core's. */
  readonly vrfs: ReadonlyMap<string, VrfModel>;
  readonly tunnels: ReadonlyMap<string, TunnelModel>;
  readonly tunnelAddresses: readonly Uint8Array[];
  /** Of the configuration. */
  readonly lsps: readonly LspModel[];
  /** TC of each DSCP, 64 octets. */
  readonly trafficClasses: Uint8Array;
  /** No message of the core lowers a path MTU below this, bytes. */
  readonly pathMtuFloor: number;
  /** Labels that are popped. */
  readonly transportLabels: readonly number[];
  readonly problems: readonly string[];
}

/** Row name of the host TAP of a VRF. */
export const hostInterfaceName = (vrf: string): string => `host/${vrf}`;

/** Row name of an SA: its SPI makes a changed SA another row, so that the old one can stay until the new is up. */
export const saRowName = (name: string, spi: number): string =>
  `${name}@${spi.toString(16).padStart(8, '0')}`;

/** The configured name in a row's name. */
export const saNameOf = (row: string): string => row.slice(0, row.lastIndexOf('@'));

/** Collects what does not parse. */
class Reader {
  readonly problems: string[] = [];

  prefix(path: string, text: string): Prefix[] {
    const prefix = parsePrefix(text);
    if (prefix === undefined) this.problems.push(`${path}: ${text} is not a prefix`);
    return prefix === undefined ? [] : [prefix];
  }

  prefixes(path: string, texts: readonly string[]): Prefix[] {
    return texts.flatMap((text) => this.prefix(path, text));
  }

  address(path: string, text: string): Uint8Array {
    const address = parseAddress(text);
    if (address === undefined) this.problems.push(`${path}: ${text} is not an address`);
    return address ?? new Uint8Array(4);
  }
}

function interfaceModel(read: Reader, name: string, from: config.Interface): InterfaceModel {
  const core = from.role === 'core' ? from : undefined;
  return {
    name,
    role: from.role,
    vrf: from.role === 'ce' ? from.vrf : CORE_VRF,
    port: deviceKey(from.device),
    vlan: from.vlan ?? 0,
    ...serviceTagOf(from),
    mtu: from.mtu ?? DEFAULT_MTU,
    addresses: read.prefixes(`interfaces.${name}.addresses`, from.addresses),
    acceptGre: core?.acceptClear?.includes('gre') ?? false,
    acceptIp: core?.acceptClear?.includes('ip') ?? false,
    mplsOwnSp: core?.mpls === 'own-sp',
    mplsOtherSp: core?.mpls === 'other-sp',
  };
}

function portModels(
  configured: Readonly<Record<string, config.Interface>>,
): ReadonlyMap<string, PortModel> {
  const ports = new Map<string, PortModel>();
  for (const from of Object.values(configured)) {
    const name = deviceKey(from.device);
    const known = ports.get(name);
    ports.set(name, { name, device: from.device, mtu: Math.max(portMtu(from), known?.mtu ?? 0) });
  }
  return ports;
}

/** The interface on whose subnet a gateway lies. */
export function gatewayOf(
  interfaces: readonly InterfaceModel[],
  address: Uint8Array,
  named: string | undefined,
): InterfaceModel | undefined {
  if (named !== undefined) return interfaces.find(({ name }) => name === named);
  const host = hostPrefix(address);
  return host && interfaces.find(({ addresses }) => addresses.some((own) => covers(own, host)));
}

function routeModel(
  read: Reader,
  path: string,
  route: config.StaticRoute,
  vrf: string,
  interfaces: readonly InterfaceModel[],
): RouteModel[] {
  const [prefix] = read.prefix(path, route.prefix);
  if (prefix === undefined) return [];
  if ('tunnel' in route) return [{ prefix, tunnel: route.tunnel, label: route.label }];
  if ('discard' in route) return [{ prefix, discard: route.discard }];
  const address = read.address(path, route.via);
  const out = gatewayOf(interfaces, address, route.interface);
  if (out === undefined) {
    read.problems.push(`${path}: no interface of VRF ${vrf} reaches ${route.via}`);
    return [];
  }
  return [{ prefix, gateway: { vrf, interface: out.name, address } }];
}

/** Class selector bits, but for the DSCPs that the configuration names. */
function trafficClasses(named: Readonly<Record<string, number>>): Uint8Array {
  return Uint8Array.from({ length: 64 }, (_, dscp) => named[String(dscp)] ?? dscp >> 3);
}

function vrfModel(
  read: Reader,
  name: string,
  from: config.Vrf,
  all: ReadonlyMap<string, InterfaceModel>,
): VrfModel {
  const interfaces = [...all.values()].filter(({ role, vrf }) => role === 'ce' && vrf === name);
  return {
    name,
    ttlUniform: from.ttl === 'uniform',
    tcUniform: from.trafficClass === 'uniform',
    dscp: from.trafficClass === 'pipe' ? (from.dscp ?? 0) : undefined,
    clampMss: from.clampMss ?? false,
    addresses: read.prefixes(`vrfs.${name}.addresses`, from.addresses ?? []),
    interfaces,
    routes: (from.routes ?? []).flatMap((route, i) =>
      routeModel(read, `vrfs.${name}.routes[${i}]`, route, name, interfaces),
    ),
    importsFrom: from.importsFrom ?? [],
  };
}

function tunnelModel(
  read: Reader,
  name: string,
  from: config.Tunnel,
  { core, manualSas: sas = {} }: config.Config,
): TunnelModel {
  const sa = from.sa === undefined ? undefined : sas[from.sa];
  if (from.sa !== undefined && sa === undefined) {
    read.problems.push(`tunnels.${name}.sa: there is no SA ${from.sa}`);
  }
  return {
    name,
    local: read.address(`tunnels.${name}.local`, from.local),
    remote: read.address(`tunnels.${name}.remote`, from.remote),
    protection: from.protection,
    encapsulation: from.encapsulation,
    dscp: from.dscp ?? 'copy',
    ecn: from.ecn ?? core.ecn ?? 'compatibility',
    ttl: from.ttl ?? (from.protection === 'mpls' ? DEFAULT_LSP_TTL : DEFAULT_TUNNEL_TTL),
    sa: sa && {
      ...{ row: saRowName(from.sa ?? '', sa.spi), spi: sa.spi },
      esp: espOverhead(sa.algorithm, false),
    },
  };
}

function lspModel(
  read: Reader,
  text: string,
  from: config.Lsp,
  interfaces: readonly InterfaceModel[],
): LspModel[] {
  const path = `core.lsps.${text}`;
  const [prefix] = read.prefix(path, text);
  const via = read.address(`${path}.via`, from.via);
  const core = interfaces.filter(({ role }) => role === 'core');
  const out = gatewayOf(core, via, from.interface);
  if (out === undefined) read.problems.push(`${path}: no core interface reaches ${from.via}`);
  if (prefix === undefined || out === undefined) return [];
  const labels = from.labels.filter((label) => label !== IMPLICIT_NULL);
  return [{ prefix, interface: out.name, via, labels, forIp: from.forIp ?? false }];
}

export function forwardingModel(from: config.Config): ForwardingModel {
  const read = new Reader();
  const interfaces = new Map(
    Object.entries(from.interfaces).map(([name, i]) => [name, interfaceModel(read, name, i)]),
  );
  const vrfs = new Map(
    Object.entries(from.vrfs ?? {}).map(([name, v]) => [name, vrfModel(read, name, v, interfaces)]),
  );
  const tunnels = new Map(
    Object.entries(from.tunnels ?? {}).map(([name, t]) => [name, tunnelModel(read, name, t, from)]),
  );
  return {
    interfaces,
    ports: portModels(from.interfaces),
    vrfs,
    tunnels,
    tunnelAddresses: from.core.tunnelAddresses.map((text) =>
      read.address('core.tunnelAddresses', text),
    ),
    lsps: Object.entries(from.core.lsps ?? {}).flatMap(([text, lsp]) =>
      lspModel(read, text, lsp, [...interfaces.values()]),
    ),
    transportLabels: from.core.transportLabels ?? [],
    trafficClasses: trafficClasses(from.core.trafficClasses ?? {}),
    pathMtuFloor: from.core.pathMtu?.floor ?? DEFAULT_PATH_MTU_FLOOR,
    problems: read.problems,
  };
}
