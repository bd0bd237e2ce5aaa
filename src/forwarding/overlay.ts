// SPDX-License-Identifier: Apache-2.0
/**
 * What follows from the network's present state: adjacencies and host routes of resolved neighbours,
 * and tunnels by the core's routing. Pure and small, so it is computed anew at every change; the
 * routes of the configuration are not touched by it (P11: a rerouted tunnel is one row).
 */
import {
  bitsOf,
  covers,
  equalBytes,
  familyOf,
  formatAddress,
  hostPrefix,
  type Prefix,
} from '../lib/ip.js';
import type { EspOverhead } from '../lib/esp-suites.js';
import type { Encapsulation } from './addon/api.js';
import { ethernetHeader, tunnelFlowLabel } from './headers.js';
import type { ForwardingModel, GatewayModel, InterfaceModel, TunnelModel } from './model.js';
import { usesIke } from './model.js';
import { lspMtu, tunnelMtu } from './mtu.js';
import * as names from './names.js';
import type { PortMacs } from './project.js';
import {
  ACCEPT_NOTHING,
  CORE_VRF,
  prefixKey,
  RouteTable,
  type DesiredNexthop,
  type DesiredVersion,
  type SaState,
  type VpnPolicy,
} from './rows.js';

/** A neighbour whose link address the kernel knows. */
export interface Neighbour {
  /** Name of the configured interface. */
  readonly interface: string;
  readonly address: Uint8Array;
  readonly mac: Uint8Array;
}

/** How the core reaches a tunnel's far end. */
export type CoreRoute =
  | {
      readonly interface: string;
      readonly nextHop: Uint8Array;
      /** Of the kernel's route: lower is nearer. */
      readonly metric: number;
      /**
       * Transport labels towards the far end, outermost first. undefined: the core knows no LSP there, or this
       * tunnel goes as plain IP; []: the next hop is the end itself, or takes the packet with implicit null.
       */
      readonly labels?: readonly number[];
    }
  | { readonly unreachable: string };

/** A route that a routing daemon put into a VRF's kernel table, as far as the configuration takes it. */
export interface KernelRoute {
  readonly vrf: string;
  readonly prefix: Prefix;
  readonly gateway: GatewayModel;
  /** Names of the export rules whose policy lets it pass. */
  readonly exportedBy: ReadonlySet<string>;
}

/** The outbound SA of a tunnel. */
export interface SealedBy {
  readonly row: string;
  readonly spi: number;
  readonly esp: EspOverhead;
}

/** What IKE has for a tunnel. */
export type TunnelSa =
  | ({ readonly state: 'up' } & SealedBy)
  | { readonly state: Exclude<SaState, 'up'>; readonly why: string };

export interface Facts {
  readonly macs: PortMacs;
  readonly neighbours: readonly Neighbour[];
  /** By tunnel name; absent: not known yet. */
  readonly coreRoutes: ReadonlyMap<string, CoreRoute>;
  /** Row names of outbound SAs that the worker has installed. */
  readonly readySas: Pick<ReadonlySet<string>, 'has'>;
  /** By name of the tunnels that get their SAs by IKE; absent: nobody has asked for one yet. */
  readonly ikeSas: ReadonlyMap<string, TunnelSa>;
  readonly kernelRoutes: readonly KernelRoute[];
  /** Whether a far end of tunnels belongs to our own SP. */
  readonly isOwnSp: (remote: string) => boolean;
  /** Largest outer IP packet that the core passes between two tunnel addresses; undefined: as the interface says. */
  readonly pathMtu: (tunnel: Pick<TunnelModel, 'local' | 'remote'>) => number | undefined;
}

/** What the next hop of one tunnel follows from. */
export interface TunnelFacts extends Pick<Facts, 'macs' | 'readySas' | 'isOwnSp' | 'pathMtu'> {
  /** By tunnel name. */
  readonly coreRoutes: Pick<Facts['coreRoutes'], 'get'>;
  readonly ikeSas: Pick<Facts['ikeSas'], 'get'>;
  /** Link address of a neighbour on a configured interface; undefined: not known. */
  readonly mac: (interfaceName: string, address: Uint8Array) => Uint8Array | undefined;
}

export interface Overlay {
  /** Its owner replaces those of single tunnels by {@link projectTunnel}. */
  readonly nexthops: Map<string, DesiredNexthop>;
  /** Routes of the kernel's, host routes of neighbours; each goes before a borrowed route of the same prefix. */
  readonly routes: RouteTable;
}

class Neighbours {
  readonly #byAddress = new Map<string, Neighbour>();

  constructor(all: readonly Neighbour[]) {
    for (const one of all) {
      this.#byAddress.set(`${one.interface} ${formatAddress(one.address)}`, one);
    }
  }

  mac(interfaceName: string, address: Uint8Array): Uint8Array | undefined {
    return this.#byAddress.get(`${interfaceName} ${formatAddress(address)}`)?.mac;
  }
}

/** The adjacency to a neighbour on an interface. */
function adjacencyVersion(
  out: InterfaceModel,
  source: Uint8Array,
  neighbour: { readonly address: Uint8Array; readonly mac: Uint8Array },
): DesiredVersion {
  const family = familyOf(neighbour.address) ?? 4;
  return {
    kind: 'adjacency',
    ...{ vrf: out.vrf, interface: out.name, neighbour: neighbour.address, mtu: out.mtu },
    header: ethernetHeader(neighbour.mac, source, out, family),
  };
}

function gatewayNexthop(
  model: ForwardingModel,
  facts: Facts,
  known: Neighbours,
  gateway: GatewayModel,
): DesiredNexthop {
  const name = names.adjacency(gateway);
  const out = model.interfaces.get(gateway.interface);
  const source = out && facts.macs.get(out.port);
  const mac = known.mac(gateway.interface, gateway.address);
  if (out === undefined || source === undefined) {
    return { name, version: undefined, why: `interface ${gateway.interface} has no port` };
  }
  if (mac === undefined) {
    const why = `${formatAddress(gateway.address)} does not answer on ${gateway.interface}`;
    return { name, version: undefined, why };
  }
  return { name, version: adjacencyVersion(out, source, { address: gateway.address, mac }) };
}

interface TunnelPath {
  readonly out: InterfaceModel;
  readonly source: Uint8Array;
  readonly mac: Uint8Array;
  readonly via: Uint8Array;
  readonly metric: number;
  readonly labels: readonly number[] | undefined;
  /** Of the outer IP packet. */
  readonly mtu: number;
  readonly sa: SealedBy | undefined;
  /** Of a tunnel that gets its SAs by IKE. */
  readonly state: SaState | undefined;
  readonly why?: string;
}

const UNTRIED: TunnelSa = { state: 'untried', why: 'no SA has been asked for yet' };

/** What the tunnel's packets are sealed with; a string: why nothing can be. */
function tunnelSa(
  facts: TunnelFacts,
  tunnel: TunnelModel,
): string | Pick<TunnelPath, 'sa' | 'state' | 'why'> {
  const ike = usesIke(tunnel) ? (facts.ikeSas.get(tunnel.name) ?? UNTRIED) : undefined;
  if (ike !== undefined && ike.state !== 'up') {
    return { sa: undefined, state: ike.state, why: ike.why };
  }
  const sa = ike ?? tunnel.sa;
  if (sa !== undefined && !facts.readySas.has(sa.row)) return `SA ${sa.row} is not installed`;
  return { sa, state: ike?.state };
}

/** The first reason why a tunnel cannot be used, or what it needs. */
function tunnelPath(
  model: Pick<ForwardingModel, 'interfaces'>,
  facts: TunnelFacts,
  tunnel: TunnelModel,
): string | TunnelPath {
  const route = facts.coreRoutes.get(tunnel.name);
  const remote = formatAddress(tunnel.remote);
  if (route === undefined) return `route to ${remote} not looked up yet`;
  if ('unreachable' in route) return route.unreachable;
  if (tunnel.protection === 'mpls' && route.labels === undefined) {
    return `the core knows no LSP to ${remote}`;
  }
  const out = model.interfaces.get(route.interface);
  if (out?.role !== 'core') {
    return `route to ${remote} leaves by ${route.interface}, which is no core interface`;
  }
  if (tunnel.protection === 'mpls' && out.mplsOtherSp && facts.isOwnSp(remote)) {
    return `${remote} is of our own SP, and ${out.name} leads to another: plain MPLS does not leave by it`;
  }
  const source = facts.macs.get(out.port);
  if (source === undefined) return `interface ${out.name} has no port`;
  const mac = facts.mac(out.name, route.nextHop);
  if (mac === undefined) return `${formatAddress(route.nextHop)} does not answer on ${out.name}`;
  const sealed = tunnelSa(facts, tunnel);
  if (typeof sealed === 'string') return sealed;
  const { nextHop: via, metric, labels } = route;
  const mtu = Math.min(out.mtu, facts.pathMtu(tunnel) ?? out.mtu);
  return { out, source, mac, via, metric, labels, mtu, ...sealed };
}

/** Drops, and asks for an SA. */
const SA_MISSING: DesiredVersion = {
  kind: 'drop',
  ...{ vrf: CORE_VRF, reason: 'sa_missing', icmpUnreachable: false },
};

/** Ethernet header 0x8847, transport labels, VPN label. */
function lspVersion(tunnel: TunnelModel, path: TunnelPath): DesiredVersion {
  const { out, labels = [] } = path;
  return {
    kind: 'lsp',
    interface: out.name,
    mtu: lspMtu(out.mtu, labels.length),
    dscpCopy: tunnel.dscp === 'copy',
    header: {
      ethernet: ethernetHeader(path.mac, path.source, out, 'mpls'),
      labels,
      ttl: tunnel.ttl,
      dscp: tunnel.dscp === 'copy' ? 0 : tunnel.dscp,
    },
  };
}

/** [transport labels,] outer IP header, ESP, GRE, VPN label. */
function ipTunnelVersion(
  tunnel: TunnelModel,
  path: TunnelPath,
  protection: Exclude<TunnelModel['protection'], 'mpls'>,
  encapsulation: Encapsulation,
): DesiredVersion {
  const { out, labels = [] } = path;
  const family = familyOf(tunnel.remote) ?? 4;
  const spi = path.sa?.spi;
  const type = labels.length > 0 ? 'mpls' : family;
  return {
    kind: 'tunnel',
    ...{ interface: out.name, sa: path.sa?.row, protection, encapsulation },
    mtu: Math.min(
      tunnelMtu(out.mtu, family, encapsulation, path.sa?.esp, labels.length),
      // Transport labels are gone where the packet is too large for a link.
      tunnelMtu(path.mtu, family, encapsulation, path.sa?.esp),
    ),
    ...{ dscpCopy: tunnel.dscp === 'copy', ecnCopy: tunnel.ecn === 'normal' },
    header: {
      ethernet: ethernetHeader(path.mac, path.source, out, type),
      ...{ source: tunnel.local, destination: tunnel.remote, ttl: tunnel.ttl },
      dscp: tunnel.dscp === 'copy' ? 0 : tunnel.dscp,
      flowLabel: family === 6 ? tunnelFlowLabel(tunnel.local, tunnel.remote, spi ?? 0) : 0,
      ...(spi === undefined ? {} : { spi }),
      ...(labels.length > 0 && { labels }),
    },
  };
}

function tunnelVersion(tunnel: TunnelModel, path: TunnelPath): DesiredVersion {
  const { protection, encapsulation } = tunnel;
  if (protection === 'mpls' || encapsulation === 'none') return lspVersion(tunnel, path);
  return ipTunnelVersion(tunnel, path, protection, encapsulation);
}

/** The next hop of a tunnel, alone: what {@link projectOverlay} has of it when the facts are the same. */
export function projectTunnel(
  model: Pick<ForwardingModel, 'interfaces'>,
  facts: TunnelFacts,
  tunnel: TunnelModel,
): DesiredNexthop {
  const name = names.tunnel(tunnel.name);
  const path = tunnelPath(model, facts, tunnel);
  if (typeof path === 'string') return { name, version: undefined, why: path };
  const { via, metric, state, why, labels } = path;
  const common = {
    ...{ via, metric, remote: tunnel.remote },
    ...(state && { sa: state }),
    ...(labels && { labels }),
  };
  if (why !== undefined) return { name, version: SA_MISSING, why, ...common };
  return { name, version: tunnelVersion(tunnel, path), ...common };
}

/** Whether a host route of this neighbour belongs to the interface: on-link and not ourselves. */
function onLink(out: InterfaceModel, address: Uint8Array): boolean {
  const host = hostPrefix(address);
  return (
    host !== undefined &&
    out.addresses.some((own) => own.length < bitsOf(own.family) && covers(own, host)) &&
    !out.addresses.some((own) => equalBytes(own.address, address))
  );
}

/** Behind own and static routes of the prefix, before what other VRFs lend. */
function kernelRoutes(facts: Facts, base: RouteTable, policy: VpnPolicy): RouteTable {
  const routes = new RouteTable();
  for (const { vrf, prefix, gateway, exportedBy } of facts.kernelRoutes) {
    const present = base.table(vrf, prefix.family).get(prefixKey(prefix));
    if (present !== undefined && !present.imported) continue;
    routes.add({
      ...{ vrf, prefix, nexthop: names.adjacency(gateway), label: 0 },
      accept: policy.acceptOf(vrf, prefix, () => exportedBy),
      ...{ owner: 'static', imported: false },
    });
  }
  return routes;
}

function neighbourRoutes(
  model: ForwardingModel,
  facts: Facts,
  base: RouteTable,
  policy: VpnPolicy,
  nexthops: Map<string, DesiredNexthop>,
): RouteTable {
  const routes = kernelRoutes(facts, base, policy);
  const add = (vrf: string, nexthop: string, address: Uint8Array, imported: boolean): void => {
    const prefix = hostPrefix(address);
    if (prefix === undefined) return;
    const present = base.table(vrf, prefix.family).get(prefixKey(prefix));
    // Own and static host routes stay; of borrowed ones only another VRF's neighbour gives way.
    if (present !== undefined && (imported || !present.imported)) return;
    const accept = imported ? ACCEPT_NOTHING : policy.acceptOf(vrf, prefix);
    routes.add({ vrf, prefix, nexthop, label: 0, accept, owner: 'neighbour', imported });
  };
  const lent = new Map<string, { nexthop: string; address: Uint8Array }[]>();
  for (const neighbour of facts.neighbours) {
    const out = model.interfaces.get(neighbour.interface);
    const source = out && facts.macs.get(out.port);
    if (out?.role !== 'ce' || source === undefined || !onLink(out, neighbour.address)) continue;
    const { address } = neighbour;
    const name = names.adjacency({ vrf: out.vrf, interface: out.name, address });
    nexthops.set(name, { name, version: adjacencyVersion(out, source, neighbour) });
    add(out.vrf, name, address, false);
    const lending = lent.get(out.vrf) ?? [];
    lending.push({ nexthop: name, address });
    lent.set(out.vrf, lending);
  }
  for (const vrf of model.vrfs.values()) {
    for (const lender of vrf.importsFrom) {
      for (const { nexthop, address } of lent.get(lender) ?? []) {
        add(vrf.name, nexthop, address, true);
      }
    }
  }
  return routes;
}

/** `base`: the routes of the configuration; `gateways`: neighbours it names or BGP has learnt. */
export function projectOverlay(
  model: ForwardingModel,
  facts: Facts,
  base: RouteTable,
  policy: VpnPolicy,
  gateways: readonly GatewayModel[],
): Overlay {
  const known = new Neighbours(facts.neighbours);
  const nexthops = new Map<string, DesiredNexthop>();
  const put = (nexthop: DesiredNexthop): unknown => nexthops.set(nexthop.name, nexthop);
  const all = [...gateways, ...facts.kernelRoutes.map((route) => route.gateway)];
  for (const gateway of all) put(gatewayNexthop(model, facts, known, gateway));
  const { macs, readySas, isOwnSp, coreRoutes, ikeSas, pathMtu } = facts;
  const mac: TunnelFacts['mac'] = (name, address) => known.mac(name, address);
  const ofTunnels = { macs, readySas, isOwnSp, coreRoutes, ikeSas, pathMtu, mac };
  for (const tunnel of model.tunnels.values()) put(projectTunnel(model, ofTunnels, tunnel));
  const routes = neighbourRoutes(model, facts, base, policy, nexthops);
  return { nexthops, routes };
}
