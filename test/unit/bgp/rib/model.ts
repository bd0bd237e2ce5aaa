// SPDX-License-Identifier: Apache-2.0
/**
 * The RIB as one would write it without a thought for size: objects, filters and sorts, everything worked out
 * anew each time. What the real one does after any history must be what this says of the present.
 */
import { FAMILY, type FamilyId, type PathAttributes } from '../../../../src/bgp/codec/types.js';
import { formatAddress } from '../../../../src/lib/ip.js';
import { ip, nameOf, type TestRoute } from './lab.js';

export interface ModelPeer {
  readonly id: number;
  readonly kind: 'ibgp' | 'ebgp';
  readonly client: boolean;
  readonly vrf: number; // 0: the core
  readonly families: readonly FamilyId[];
  up: boolean;
  /** Route targets it wants; undefined: all. */
  wants: ReadonlySet<bigint> | undefined;
  /** Is told every usable path, RFC 7911. */
  readonly addPath?: boolean;
  /** Its export policy refuses prefixes whose second octet is this. */
  refused?: number | undefined;
}

export interface ModelVrf {
  readonly id: number;
  readonly imports: readonly bigint[];
  readonly exports: readonly {
    readonly rd: bigint;
    readonly targets: readonly bigint[];
    readonly label: number;
  }[];
}

export interface ModelRoute {
  /** 0: ourselves. */
  readonly peer: number;
  readonly route: TestRoute;
  readonly attributes: PathAttributes;
  /** Of a route in a VRF that came from the VPN table: its kind of hop. */
  readonly via?: 'vpn' | 'leak';
  readonly vrf: number;
  /** Of an import. */
  readonly rd?: bigint;
  /** What the FIB has as next hop. */
  readonly hop: string;
}

const ASN = 65000;
const ROUTER_ID = 0x0a000001;
const TUNNEL = '192.0.2.1';

export class Model {
  readonly peers = new Map<number, ModelPeer>();
  readonly vrfs = new Map<number, ModelVrf>();
  /** By peer, then by family and name. */
  readonly announced = new Map<number, Map<string, ModelRoute>>();
  readonly unreachable = new Set<string>();
  readonly costs = new Map<string, number>();

  announce(peer: number, route: TestRoute, attributes: PathAttributes): void {
    const routes = this.announced.get(peer) ?? new Map<string, ModelRoute>();
    const { vrf } = this.peers.get(peer)!;
    const hop = formatAddress(attributes.nextHop!);
    routes.set(keyOf(route), { peer, route, attributes, vrf, hop });
    this.announced.set(peer, routes);
  }

  withdraw(peer: number, route: TestRoute): void {
    this.announced.get(peer)?.delete(keyOf(route));
  }

  /** All routes of a table by prefix, imports and exports worked out. */
  table(vrf: number, family: FamilyId): Map<string, ModelRoute[]> {
    const all = vrf === 0 ? this.#core(family) : this.#vrf(vrf);
    const nets = new Map<string, ModelRoute[]>();
    for (const route of all) {
      const name = nameOf({ ...route.route, pathId: undefined! });
      nets.set(name, [...(nets.get(name) ?? []), route]);
    }
    return nets;
  }

  #received(vrf: number, family: FamilyId): ModelRoute[] {
    return [...this.announced.entries()].flatMap(([peer, routes]) =>
      [...routes.values()].filter(
        ({ route, attributes }) =>
          this.peers.get(peer)!.vrf === vrf &&
          (route.family ?? 0) === family &&
          !this.#loops(this.peers.get(peer)!, attributes),
      ),
    );
  }

  #loops({ kind, id }: ModelPeer, attributes: PathAttributes): boolean {
    const asns = attributes.asPath.flatMap(({ asns: list }) => list);
    if (asns.includes(ASN)) return true;
    if (kind === 'ebgp') return asns[0] !== 65000 + id;
    return (
      attributes.originatorId === ROUTER_ID || (attributes.clusterList ?? []).includes(ROUTER_ID)
    );
  }

  #core(family: FamilyId): ModelRoute[] {
    const received = this.#received(0, family);
    return family === FAMILY.vpnv4 ? [...received, ...this.#exported()] : received;
  }

  /** What VRFs export: their best route when it is not an import. */
  #exported(): ModelRoute[] {
    const found: ModelRoute[] = [];
    for (const vrf of this.vrfs.values()) {
      if (vrf.exports.length === 0) continue;
      for (const routes of this.table(vrf.id, FAMILY.ipv4Unicast).values()) {
        const [best] = this.best(routes);
        if (best === undefined || best.via !== undefined) continue;
        for (const { rd, targets, label } of vrf.exports) {
          found.push({
            peer: 0,
            route: { ...best.route, family: FAMILY.vpnv4, rd, label },
            attributes: {
              ...best.attributes,
              nextHop: ip(TUNNEL),
              extendedCommunities: [...(best.attributes.extendedCommunities ?? []), ...targets],
            },
            vrf: vrf.id,
            hop: best.hop,
          });
        }
      }
    }
    return found;
  }

  #vrf(id: number): ModelRoute[] {
    const own = this.#received(id, FAMILY.ipv4Unicast).map((route) => ({
      ...route,
      // What a CE says of VPNs does not count.
      attributes: withoutTargets(route.attributes),
    }));
    const { imports } = this.vrfs.get(id)!;
    const wanted = (route: ModelRoute): boolean =>
      (route.attributes.extendedCommunities ?? []).some((one) => imports.includes(one));
    const vpn = this.#received(0, FAMILY.vpnv4).filter(wanted);
    const others = this.#ownRoutesOfOthers(id).filter(wanted);
    const imported = [...vpn, ...others].map((route): ModelRoute => {
      const { rd: distinguisher, label, prefix, length } = route.route;
      return {
        ...route,
        route: { prefix, length, label: label! },
        rd: distinguisher!,
        via: route.peer === 0 ? 'leak' : 'vpn',
      };
    });
    return [...own, ...imported];
  }

  /**
   * Exports of other VRFs. Theirs is decided without what they import: the tests give VRFs either
   * imports or exports, so that this is no circle.
   */
  #ownRoutesOfOthers(id: number): ModelRoute[] {
    const others = [...this.vrfs.values()].filter(
      (vrf) => vrf.id !== id && vrf.exports.length > 0 && vrf.imports.length === 0,
    );
    return others.length === 0 ? [] : this.#exported().filter(({ vrf }) => vrf !== id);
  }

  /** VPN routes of others are told on, whether or not there is a way to their next hop. */
  usable({ hop, peer, route }: ModelRoute): boolean {
    return (peer !== 0 && route.family === FAMILY.vpnv4) || !this.unreachable.has(hop);
  }

  /** The best route, and behind it nothing: multipath is off in the tests that use the model. */
  best(routes: readonly ModelRoute[]): ModelRoute[] {
    const asns = (r: ModelRoute): number[] => r.attributes.asPath.flatMap(({ asns: list }) => list);
    const isLocal = (r: ModelRoute): number => Number(r.peer === 0 && r.via === undefined);
    const isExternal = (r: ModelRoute): number =>
      Number(r.peer === 0 || this.peers.get(r.peer)!.kind === 'ebgp');
    let left = routes.filter((route) => this.usable(route));
    const keep = (rate: (route: ModelRoute) => number): void => {
      const top = Math.max(...left.map(rate));
      left = left.filter((route) => rate(route) === top);
    };
    keep(isLocal);
    keep((r) => r.attributes.localPref ?? 100);
    keep((r) => -asns(r).length);
    keep((r) => -r.attributes.origin);
    left = left.filter(
      (r) =>
        !left.some(
          (other) =>
            asns(other)[0] === asns(r)[0] && (other.attributes.med ?? 0) < (r.attributes.med ?? 0),
        ),
    );
    keep(isExternal);
    keep((r) => -(this.costs.get(r.hop) ?? 10));
    keep((r) => -(r.attributes.originatorId ?? (r.peer === 0 ? 0 : 0x0a000100 + r.peer)));
    keep((r) => -(r.attributes.clusterList ?? []).length);
    keep((r) => -r.peer);
    left.sort((a, b) => Number((a.rd ?? 0n) - (b.rd ?? 0n)));
    return left.slice(0, 1);
  }

  /** What a neighbour holds in a family: name and attributes, several of one name with ADD-PATH. */
  told(peer: ModelPeer, family: FamilyId): [string, Partial<PathAttributes>][] {
    const told: [string, Partial<PathAttributes>][] = [];
    for (const [name, routes] of this.table(peer.vrf, family)) {
      const candidates =
        peer.addPath === true ? routes.filter((route) => this.usable(route)) : this.best(routes);
      for (const route of candidates) {
        if (route.peer === peer.id || ip(route.route.prefix)[1] === peer.refused) continue;
        const attributes = this.#tell(peer, family, route);
        if (attributes !== undefined) told.push([name, attributes]);
      }
    }
    return told;
  }

  #tell(peer: ModelPeer, family: FamilyId, best: ModelRoute): Partial<PathAttributes> | undefined {
    if (!this.#mayTell(peer, family, best)) return undefined;
    const { attributes } = best;
    const asns = attributes.asPath.flatMap(({ asns: list }) => list);
    if (peer.kind === 'ebgp') {
      return {
        origin: attributes.origin,
        asPath: [{ type: 2, asns: [ASN, ...asns] }],
        nextHop: family === FAMILY.vpnv4 ? ip(TUNNEL) : ip('10.0.0.1'),
      };
    }
    return {
      origin: attributes.origin,
      asPath: attributes.asPath,
      nextHop: attributes.nextHop!,
      localPref: attributes.localPref ?? 100,
      ...(attributes.med === undefined ? {} : { med: attributes.med }),
      ...(this.#isReflected(peer, best)
        ? {
            originatorId: attributes.originatorId ?? 0x0a000100 + best.peer,
            clusterList: [ROUTER_ID, ...(attributes.clusterList ?? [])],
          }
        : {}),
    };
  }

  #isReflected(peer: ModelPeer, best: ModelRoute): boolean {
    const source = this.peers.get(best.peer);
    return peer.kind === 'ibgp' && source?.kind === 'ibgp' && best.via === undefined;
  }

  #mayTell(peer: ModelPeer, family: FamilyId, best: ModelRoute): boolean {
    const communities = best.attributes.communities ?? [];
    if (communities.includes(0xffffff02)) return false;
    if (peer.kind === 'ebgp') {
      if (communities.includes(0xffffff01)) return false;
      // Nobody gives out labels for others' routes here.
      if (family === FAMILY.vpnv4 && best.peer !== 0) return false;
    }
    if (family === FAMILY.vpnv4 && peer.wants !== undefined) {
      const targets = best.attributes.extendedCommunities ?? [];
      if (!targets.some((one) => peer.wants?.has(one) === true)) return false;
    }
    const client = peer.client || this.peers.get(best.peer)?.client === true;
    return client || !this.#isReflected(peer, best);
  }

  /** "VRF PREFIX" to the hop, as Lab.fib has it. */
  fib(): Map<string, string[]> {
    const fib = new Map<string, string[]>();
    for (const vrf of [0, ...this.vrfs.keys()]) {
      for (const [name, routes] of this.table(vrf, FAMILY.ipv4Unicast)) {
        const [best] = this.best(routes);
        if (best === undefined) continue;
        const label = best.via === undefined ? '' : ` ${String(best.route.label)}`;
        fib.set(`${String(vrf)} ${name}`, [`${best.via ?? 'plain'} ${best.hop}${label}`]);
      }
    }
    return fib;
  }
}

const keyOf = (route: TestRoute): string => `${String(route.family ?? 0)} ${nameOf(route)}`;

function withoutTargets(attributes: PathAttributes): PathAttributes {
  const { extendedCommunities, ...rest } = attributes;
  return extendedCommunities === undefined ? attributes : rest;
}
