// SPDX-License-Identifier: Apache-2.0
/**
 * What follows from the configuration and the ports alone: VRFs, interfaces, labels and all routes
 * but those of resolved neighbours. Pure; src/forwarding/overlay.ts adds what neighbours and the
 * core's routing say.
 *
 * Preference between routes of one prefix: own address, connected subnet, static route, then what
 * other VRFs of this PE lend (in the order of `importsFrom`).
 */
import { bitsOf, hostPrefix, lastAddress, networkOf, type Prefix } from '../lib/ip.js';
import type { AcceptSet, RouteOwner } from './addon/api.js';
import { linkLocalOf } from './headers.js';
import {
  hostInterfaceName,
  type ForwardingModel,
  type GatewayModel,
  type InterfaceModel,
  type RouteModel,
  type VrfModel,
} from './model.js';
import * as names from './names.js';
import {
  ACCEPT_NOTHING,
  CORE_VRF,
  RouteTable,
  type DesiredInterface,
  type DesiredLabel,
  type DesiredNexthop,
  type DesiredRoute,
  type DesiredRows,
  type DesiredVrf,
  type PlannedLabel,
  type VpnPolicy,
} from './rows.js';

/** MAC address by port name; a port that has none yet has no interface rows either. */
export type PortMacs = ReadonlyMap<string, Uint8Array>;

/** A prefix a VRF can reach, and by which next hop. */
interface Reach {
  readonly prefix: Prefix;
  readonly nexthop: string;
  readonly owner: RouteOwner;
}

const NO_MAC = new Uint8Array(6);

/** The PE's own addresses on an interface: each is received, and in IPv4 so are the subnet's first and last. */
function interfaceAddresses(own: Prefix): Prefix[] {
  const addresses = [own.address];
  // RFC 3021: on a /31 both addresses are hosts; RFC 1812 §5.3.5: directed broadcasts are not forwarded.
  if (own.family === 4 && own.length <= 30) {
    addresses.push(networkOf(own).address, lastAddress(own));
  }
  return addresses.map((address) => ({ ...own, address, length: bitsOf(own.family) }));
}

function reachOfInterface(from: InterfaceModel): Reach[] {
  const local = from.addresses.flatMap((own) =>
    interfaceAddresses(own).map((prefix): Reach => ({
      ...{ prefix, nexthop: names.localOf(from) },
      owner: 'local',
    })),
  );
  const connected = from.addresses
    .filter(({ family, length }) => length < bitsOf(family))
    .map((own): Reach => ({
      ...{ prefix: networkOf(own), nexthop: names.glean(from.name) },
      owner: 'connected',
    }));
  return [...local, ...connected];
}

const ownAddress = (own: Prefix, nexthop: string): Reach => ({
  prefix: { ...own, length: bitsOf(own.family) },
  nexthop,
  owner: 'local',
});

function staticNexthop(vrf: string, route: RouteModel): string {
  if ('tunnel' in route) return names.tunnel(route.tunnel);
  if ('discard' in route) return names.discard(vrf, route.discard);
  return names.adjacency(route.gateway);
}

/** What a VRF reaches by itself and may lend: own addresses, connected subnets, static CE routes. */
function lendable(vrf: VrfModel): Reach[] {
  const viaCe = vrf.routes.filter((route) => 'gateway' in route);
  return [
    ...vrf.addresses.map((own) => ownAddress(own, names.localLoopback(vrf.name))),
    ...vrf.interfaces.flatMap(reachOfInterface),
    ...viaCe.map((route): Reach => ({
      ...{ prefix: networkOf(route.prefix), nexthop: names.adjacency(route.gateway) },
      owner: 'static',
    })),
  ];
}

function addVrfRoutes(
  routes: RouteTable,
  model: ForwardingModel,
  vrf: VrfModel,
  policy: VpnPolicy,
): void {
  const add = (reach: Reach, accept: DesiredRoute['accept'], imported: boolean): void => {
    routes.add({ vrf: vrf.name, ...reach, label: 0, accept, imported });
  };
  const own = lendable(vrf);
  for (const owner of ['local', 'connected'] as const) {
    for (const reach of own.filter((r) => r.owner === owner)) {
      add(reach, policy.acceptOf(vrf.name, reach.prefix), false);
    }
  }
  for (const route of vrf.routes) {
    const prefix = networkOf(route.prefix);
    const tunnel = 'tunnel' in route;
    routes.add({
      ...{ vrf: vrf.name, prefix, nexthop: staticNexthop(vrf.name, route), owner: 'static' },
      label: tunnel ? route.label : 0,
      // What came by a label never leaves by a tunnel again.
      accept: tunnel ? ACCEPT_NOTHING : policy.acceptOf(vrf.name, prefix),
      imported: false,
    });
  }
  // A borrowed route was exported by the rules of its own VRF, with that VRF's labels: none of ours.
  for (const lender of vrf.importsFrom) {
    const from = model.vrfs.get(lender);
    if (from !== undefined) {
      lendable(from).forEach((reach) => {
        add(reach, ACCEPT_NOTHING, true);
      });
    }
  }
}

/** What is for us in the core: decided by (core, address), policy-model 19. */
function addCoreRoutes(routes: RouteTable, model: ForwardingModel): void {
  const core = [...model.interfaces.values()].filter(({ role }) => role === 'core');
  const local = core.flatMap(reachOfInterface).filter(({ owner }) => owner === 'local');
  const tunnels = model.tunnelAddresses.flatMap((address) => {
    const prefix = hostPrefix(address);
    return prefix === undefined ? [] : [ownAddress(prefix, names.localLoopback(CORE_VRF))];
  });
  for (const reach of [...local, ...tunnels]) {
    const common = { vrf: CORE_VRF, label: 0, accept: ACCEPT_NOTHING, imported: false };
    routes.add({ ...common, ...reach });
  }
}

/** Gateways of static routes and labels: neighbours the kernel is to keep resolved. */
export function gateways(
  model: ForwardingModel,
  labels: readonly PlannedLabel[],
): readonly GatewayModel[] {
  const found = new Map<string, GatewayModel>();
  for (const vrf of model.vrfs.values()) {
    for (const route of vrf.routes) {
      if ('gateway' in route) found.set(names.adjacency(route.gateway), route.gateway);
    }
  }
  for (const label of labels) {
    const gateway = names.gatewayOfLabel(model, label);
    if (gateway !== undefined) found.set(names.adjacency(gateway), gateway);
  }
  return [...found.values()];
}

function desiredInterface(from: InterfaceModel, mac: Uint8Array): DesiredInterface {
  const first = (family: 4 | 6): Uint8Array | undefined =>
    from.addresses.find((own) => own.family === family)?.address;
  const address4 = first(4);
  const address6 = first(6);
  return {
    ...{ name: from.name, role: from.role, vrf: from.vrf, port: from.port },
    vlan: from.vlan,
    ...(from.serviceTag && { serviceTag: from.serviceTag }),
    ...{ mtu: from.mtu, mac, linkLocal6: linkLocalOf(mac) },
    ...{ acceptGre: from.acceptGre, acceptIp: from.acceptIp, mplsOwnSp: from.mplsOwnSp },
    mplsOtherSp: from.mplsOtherSp,
    ...(address4 && { address4 }),
    ...(address6 && { address6 }),
  };
}

function hostInterface(vrf: VrfModel): DesiredInterface {
  return {
    ...{ name: hostInterfaceName(vrf.name), role: 'host', vrf: vrf.name, port: undefined },
    ...{ vlan: 0, mtu: names.hostMtu(vrf), mac: NO_MAC },
    ...{ acceptGre: false, acceptIp: false, mplsOwnSp: false, mplsOtherSp: false },
  };
}

function desiredVrf(vrf: VrfModel): DesiredVrf {
  const addresses = [...vrf.addresses, ...vrf.interfaces.flatMap((i) => i.addresses)];
  const first = (family: 4 | 6): Uint8Array | undefined =>
    addresses.find((own) => own.family === family)?.address;
  const icmpSource4 = first(4);
  const icmpSource6 = first(6);
  return {
    ...{ name: vrf.name, ttlUniform: vrf.ttlUniform, tcUniform: vrf.tcUniform },
    ...(vrf.dscp !== undefined && { dscp: vrf.dscp }),
    clampMss: vrf.clampMss,
    hostInterface: hostInterfaceName(vrf.name),
    ...(icmpSource4 && { icmpSource4 }),
    ...(icmpSource6 && { icmpSource6 }),
  };
}

/** Next hops that need no neighbour: receive, glean, discard. */
function fixedNexthops(model: ForwardingModel): DesiredNexthop[] {
  const all: DesiredNexthop[] = [];
  for (const own of model.interfaces.values()) {
    const at = { vrf: own.vrf, interface: own.name };
    all.push({ name: names.localOf(own), version: { kind: 'receive', ...at } });
    if (own.role === 'ce') {
      all.push({ name: names.glean(own.name), version: { kind: 'glean', ...at } });
    }
  }
  const firstCore = [...model.interfaces.values()].find(({ role }) => role === 'core');
  if (firstCore !== undefined) {
    const version = { kind: 'receive', vrf: CORE_VRF, interface: firstCore.name } as const;
    all.push({ name: names.localLoopback(CORE_VRF), version });
  }
  for (const { name: vrf } of model.vrfs.values()) {
    const receive = { kind: 'receive', vrf, interface: hostInterfaceName(vrf) } as const;
    all.push({ name: names.localLoopback(vrf), version: receive });
    for (const how of ['silent', 'unreachable'] as const) {
      const icmpUnreachable = how === 'unreachable';
      const reason = icmpUnreachable ? 'unreachable' : 'blackhole';
      const version = { kind: 'drop', vrf, reason, icmpUnreachable } as const;
      all.push({ name: names.discard(vrf, how), version });
    }
  }
  return all;
}

function desiredLabel(model: ForwardingModel, planned: PlannedLabel): DesiredLabel[] {
  const { label, accept } = planned;
  if (planned.ce === undefined) return [{ label, action: 'vrf', target: planned.vrf, accept }];
  const gateway = names.gatewayOfLabel(model, planned);
  if (gateway === undefined) return [];
  return [{ label, action: 'nexthop', target: names.adjacency(gateway), accept }];
}

/** How a transport label of ours may come: in plain MPLS of the own SP alone. */
export const TRANSPORT_ACCEPT: AcceptSet = { secured: [], clear: ['mpls'] };
export const transportLabel = (label: number): DesiredLabel => ({
  ...{ label, action: 'pop', accept: TRANSPORT_ACCEPT },
});

/** Rows of the configuration, without those of ports whose MAC is not known. */
export function projectConfig(
  model: ForwardingModel,
  macs: PortMacs,
  policy: VpnPolicy,
): DesiredRows {
  const interfaces = new Map<string, DesiredInterface>();
  for (const from of model.interfaces.values()) {
    const mac = macs.get(from.port);
    if (mac !== undefined) interfaces.set(from.name, desiredInterface(from, mac));
  }
  const routes = new RouteTable();
  addCoreRoutes(routes, model);
  for (const vrf of model.vrfs.values()) {
    addVrfRoutes(routes, model, vrf, policy);
    interfaces.set(hostInterfaceName(vrf.name), hostInterface(vrf));
  }
  const labels = [
    ...policy.labels.flatMap((planned) => desiredLabel(model, planned)),
    ...model.transportLabels.map((label) => transportLabel(label)),
  ];
  return {
    vrfs: new Map([...model.vrfs].map(([name, vrf]) => [name, desiredVrf(vrf)])),
    interfaces,
    nexthops: new Map(fixedNexthops(model).map((nexthop) => [nexthop.name, nexthop])),
    labels: new Map(labels.map((label) => [label.label, label])),
    routes,
  };
}
