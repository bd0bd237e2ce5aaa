// SPDX-License-Identifier: Apache-2.0
/** After any history, what the RIB holds, installs and has told is what the model says of the present. */
import { describe, expect, it } from 'vitest';
import { FAMILY, type PathAttributes } from '../../../../src/bgp/codec/types.js';
import type { NeighbourRib } from '../../../../src/bgp/rib/peers.js';
import type { Policy } from '../../../../src/bgp/types.js';
import {
  contextOf,
  ip,
  Lab,
  nameOf,
  NOTHING_LEFT,
  OPEN,
  rd,
  target,
  type TestRoute,
} from './lab.js';
import { Model, type ModelPeer } from './model.js';

/** Mulberry32: small and good enough to shuffle with. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const V4 = FAMILY.ipv4Unicast;
const VPN4 = FAMILY.vpnv4;
const HOPS = ['192.0.2.2', '192.0.2.3', '192.0.2.4'];

/** Two clients, two other IBGP neighbours, two EBGP ones, CEs of two VRFs. */
const PEERS: readonly Omit<ModelPeer, 'up' | 'wants'>[] = [
  { id: 1, kind: 'ibgp', client: true, vrf: 0, families: [V4, VPN4] },
  { id: 2, kind: 'ibgp', client: true, vrf: 0, families: [V4, VPN4], addPath: true },
  { id: 3, kind: 'ibgp', client: false, vrf: 0, families: [V4, VPN4] },
  { id: 4, kind: 'ibgp', client: false, vrf: 0, families: [V4, VPN4] },
  { id: 5, kind: 'ebgp', client: false, vrf: 0, families: [V4, VPN4] },
  { id: 6, kind: 'ebgp', client: false, vrf: 0, families: [V4] },
  { id: 7, kind: 'ebgp', client: false, vrf: 1, families: [V4] },
  { id: 8, kind: 'ebgp', client: false, vrf: 1, families: [V4] },
  { id: 9, kind: 'ebgp', client: false, vrf: 2, families: [V4] },
];

class History {
  readonly lab: Lab;
  readonly model = new Model();
  readonly next: (below: number) => number;

  constructor(seed: number) {
    this.next = random(seed);
    this.lab = new Lab({
      sliceMs: 0,
      neighbour: ({ id }) => this.config(this.model.peers.get(id)!),
    });
    this.vrf(1, [], true);
    this.vrf(2, [target(1), target(2)], false);
    this.vrf(3, [target(2), target(3)], false);
    for (const peer of PEERS) {
      this.model.peers.set(peer.id, { ...peer, up: false, wants: undefined });
    }
  }

  config({ client, refused }: ModelPeer): NeighbourRib {
    if (refused === undefined) return { ...OPEN, routeReflectorClient: client };
    const policyOut: Policy = {
      usesPrefix: true,
      apply: ({ prefix, attributes }) => (prefix[1] === refused ? undefined : attributes),
    };
    const policyOutKey = `not ${String(refused)}`;
    return { ...OPEN, routeReflectorClient: client, policyOut, policyOutKey };
  }

  vrf(id: number, imports: readonly bigint[], exporting: boolean): void {
    const rules = exporting
      ? [1, 2].map((n) => ({ rd: rd(id * 10 + n), targets: [target(n)], label: 500 + n }))
      : [];
    this.model.vrfs.set(id, { id, imports, exports: rules });
    this.lab.vrf(id, {
      importTargets: imports,
      exports: rules.map(({ rd: distinguisher, targets, label }) => ({
        ...{
          name: 'r',
          rd: distinguisher,
          routeTargets: targets,
          communities: [],
          policy: undefined,
        },
        ...{ nextHop: ip('192.0.2.1'), label: () => label },
      })),
    });
  }

  pick<T>(from: readonly T[]): T {
    return from[this.next(from.length)]!;
  }

  route(peer: ModelPeer): TestRoute {
    const prefix = { prefix: `10.${String(this.next(6))}.0.0`, length: 16 };
    if (this.pick(peer.families) === V4) return prefix;
    return { ...prefix, family: VPN4, rd: rd(1 + this.next(3)), label: 100 + this.next(3) };
  }

  attributes(peer: ModelPeer): PathAttributes {
    const first = peer.kind === 'ebgp' && this.next(20) !== 0 ? [65000 + peer.id] : [];
    const more = [[], [7], [8, 9], [this.next(15) === 0 ? 65000 : 8]][this.next(4)]!;
    const asns = [...first, ...more];
    const targets = [1, 2, 3].filter(() => this.next(3) === 0).map(target);
    const internal = peer.kind === 'ibgp';
    return {
      origin: this.next(4) === 0 ? 2 : 0,
      asPath: asns.length === 0 ? [] : [{ type: 2, asns }],
      nextHop: ip(this.pick(HOPS)),
      ...(this.next(2) === 0 ? { med: this.next(3) } : {}),
      ...(internal ? { localPref: this.next(4) === 0 ? 200 : 100 } : {}),
      ...(targets.length > 0 ? { extendedCommunities: targets } : {}),
      ...(this.next(10) === 0 ? { communities: [[0xffffff01, 0xffffff02, 5][this.next(3)]!] } : {}),
      ...(internal && this.next(8) === 0 ? { originatorId: 0x0a000100 + this.next(3) } : {}),
      ...(internal && this.next(8) === 0
        ? { clusterList: [this.next(8) === 0 ? 0x0a000001 : 5] }
        : {}),
    };
  }

  up(peer: ModelPeer, forwardingKept = 0): void {
    peer.up = true;
    const families = peer.families.reduce<number>((set, family) => set | (1 << family), 0);
    this.lab.up(peer.id, {
      kind: peer.kind,
      vrf: peer.vrf === 0 ? undefined : `v${String(peer.vrf)}`,
      forwardingKept,
      context: contextOf({
        ...{ ibgp: peer.kind === 'ibgp', families, as4: peer.id % 3 !== 0 },
        ...{ addPathSend: peer.addPath === true ? families : 0 },
      }),
    });
  }

  /** A graceful restart after which only some routes are announced again. */
  restart(peer: ModelPeer): void {
    const all = 0x7f;
    this.lab.down(peer.id, { keepStale: all, restartTime: 120 });
    if (this.next(2) === 0) this.lab.slice();
    this.up(peer, all);
    for (const { route, attributes } of [...(this.model.announced.get(peer.id)?.values() ?? [])]) {
      if (this.next(2) === 0) this.model.withdraw(peer.id, route);
      else this.lab.announce(peer.id, [route], attributes);
    }
    if (this.next(2) === 0) this.lab.slice();
    for (const family of peer.families) this.lab.endOfRib(peer.id, family);
  }

  /** Another export policy, or none. */
  reconfigure(peer: ModelPeer): void {
    peer.refused = this.next(2) === 0 ? undefined : this.next(3);
    this.lab.rib.reconfigure(peer.id, this.config(peer));
  }

  down(peer: ModelPeer): void {
    peer.up = false;
    this.model.announced.delete(peer.id);
    this.lab.down(peer.id);
  }

  step(): void {
    const { lab, model } = this;
    const peer = model.peers.get(1 + this.next(PEERS.length))!;
    const what = this.next(100);
    if (!peer.up) {
      if (what < 60) this.up(peer);
    } else if (what < 50) {
      const attributes = this.attributes(peer);
      const routes = [this.route(peer)];
      for (const route of routes) model.announce(peer.id, route, attributes);
      lab.announce(peer.id, routes, attributes);
    } else if (what < 70) {
      const route = this.route(peer);
      model.withdraw(peer.id, route);
      lab.withdraw(peer.id, [route]);
    } else if (what < 74) this.down(peer);
    else if (what < 78) lab.rib.refresh(peer.id, this.pick(peer.families), 0);
    else if (what < 84) this.flow(peer);
    else if (what < 88) this.hop();
    else if (what < 92) this.restart(peer);
    else if (what < 94) this.reconfigure(peer);
    else if (what < 95) this.vrf(3, [this.pick([target(1), target(3)])], false);
    else for (let i = this.next(6); i > 0; i--) lab.slice();
  }

  /** Buffers fill and empty. */
  flow(peer: ModelPeer): void {
    const session = this.lab.peers.get(peer.id)!;
    session.full = !session.full;
    if (!session.full) this.lab.rib.writable(peer.id);
  }

  hop(): void {
    const address = this.pick(HOPS);
    const usable = this.next(2) === 0;
    const metric = 10 * (1 + this.next(2));
    if (usable) this.model.unreachable.delete(address);
    else this.model.unreachable.add(address);
    this.model.costs.set(address, metric);
    this.lab.hop(address, { usable, metric });
  }

  check(): void {
    const { lab, model } = this;
    for (const peer of model.peers.values()) {
      if (!peer.up) continue;
      lab.peers.get(peer.id)!.full = false;
      lab.rib.writable(peer.id);
    }
    lab.settle();
    expect(new Map([...lab.fib].sort())).toEqual(new Map([...model.fib()].sort()));
    for (const peer of model.peers.values()) {
      if (!peer.up) continue;
      const expected = peer.families.flatMap((family) => model.told(peer, family));
      const holds = [...lab.peers.get(peer.id)!.holds].map(
        ([name, held]) => [name.split(' #')[0]!, held.attributes] as const,
      );
      const order = (routes: readonly (readonly [string, Partial<PathAttributes>])[]) =>
        routes.map(([name, attributes]) => `${name} ${told(attributes)}`).sort();
      expect(order(holds), `peer ${String(peer.id)}`).toEqual(order(expected));
    }
  }

  end(): void {
    for (const peer of this.model.peers.values()) if (peer.up) this.down(peer);
    for (const id of [1, 2, 3]) this.lab.rib.removeVrf(id);
    this.lab.settle();
    expect(this.lab.fib.size).toBe(0);
    // The default route target of a reflector stays.
    expect(this.lab.leftovers()).toEqual({ ...NOTHING_LEFT, nets: 1, paths: 1, attributeSets: 1 });
    expect(this.lab.rib.adjOut.groups).toEqual([]);
    expect(this.lab.forgotten.length).toBeGreaterThan(0);
    expect(this.lab.timers).toBe(0);
  }
}

/** What the model knows of attributes, as text. */
function told(attributes: Partial<PathAttributes>): string {
  const { origin, asPath, nextHop, localPref, med, originatorId, clusterList } = attributes;
  const path = asPath?.map(({ asns }) => asns.join(',')).join(';');
  return JSON.stringify([
    ...[origin, path, nextHop?.join('.'), localPref, med, originatorId, clusterList],
  ]);
}

describe('any history', () => {
  for (let seed = 1; seed <= 12; seed++) {
    it(`number ${String(seed)}`, () => {
      const history = new History(seed);
      for (let round = 0; round < 12; round++) {
        for (let i = 0; i < 40; i++) history.step();
        history.check();
      }
      history.end();
    });
  }

  it('names routes of the model as neighbours do', () => {
    expect(nameOf({ prefix: '10.0.0.0', length: 8, rd: rd(1) })).toBe('fde800000001 10.0.0.0/8');
  });
});
