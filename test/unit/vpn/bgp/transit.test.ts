// SPDX-License-Identifier: Apache-2.0
/** Option B at an ASBR (RFC 4364 §10 b, policy-model 26): what it tells each side, and how its labels may be used. */
import { describe, expect, it } from 'vitest';
import { exportScope } from '../../../../src/bgp/codec/communities/export-scope.js';
import { ipsecCommunityFormat } from '../../../../src/bgp/codec/communities/ipsec.js';
import { FAMILY, type PathAttributes } from '../../../../src/bgp/codec/types.js';
import type { NextHopKey } from '../../../../src/bgp/rib/next-hops.js';
import type { ConfiguredNeighbour } from '../../../../src/config/bgp/resolve.js';
import type { BgpAccepts, Config, Protection } from '../../../../src/config/types.js';
import { acceptKey } from '../../../../src/forwarding/rows.js';
import { formatAddress } from '../../../../src/lib/ip.js';
import { Ingress } from '../../../../src/vpn/bgp/ingress.js';
import type { Audience, TransitContext } from '../../../../src/vpn/bgp/transit-context.js';
import { swapClasses } from '../../../../src/vpn/bgp/swap-classes.js';
import { vpnTransit } from '../../../../src/vpn/bgp/transit.js';
import { swapClassOf } from '../../../../src/vpn/ending-labels.js';
import { SWAP_LABELS } from '../../../../src/vpn/label-register.js';
import type { LabelWish } from '../../../../src/vpn/label-wish.js';
import { NO_SP_TABLES, SpTables } from '../../../../src/vpn/sp-tables.js';
import {
  attributes,
  contextOf,
  ip,
  Lab,
  nameOf,
  OPEN,
  rd,
  target,
  type TestPeer,
} from '../../bgp/rib/lab.js';
import { capability } from './capable.js';

const ipsec = ipsecCommunityFormat();
const OWN_AS = 65_000;
const OTHER_AS = 65_002;
/** Of our own PEs, and of routers of SP y. */
const PE = '192.0.2.2';
const THEIRS = '203.0.113.1';
const OURS = '192.0.2.1';
const ROW = 'a tunnel';

const asked = (...protections: readonly Exclude<Protection, 'mpls'>[]): bigint =>
  ipsec.write({ protections, encapsulations: ['gre'], onlyOutsideSp: undefined });
const outside = (sp: number): bigint =>
  ipsec.write({ protections: ['encrypt'], encapsulations: ['gre'], onlyOutsideSp: sp });

const route = (n: number) => ({
  ...{ family: FAMILY.vpnv4, rd: rd(1), prefix: `10.${String(n)}.0.0`, length: 16 },
  label: 1000 + n,
});
const vpn = (ibgp: boolean) => contextOf({ ibgp, families: 1 << FAMILY.vpnv4 });

interface Options {
  readonly accepts?: BgpAccepts;
  /** Towards our own PEs. */
  readonly inside?: BgpAccepts;
  readonly transitFloor?: Protection;
  readonly mplsInterface?: string;
  readonly ready?: () => boolean;
}

/** The same in a configuration. */
const configOf = ({ accepts, inside, mplsInterface }: Options): Config => ({
  ...{ instance: 'asbr', ownSp: 'x', otherSps: ['y'], core: { tunnelAddresses: [OURS] } },
  interfaces:
    mplsInterface === undefined
      ? {}
      : {
          [mplsInterface]: {
            ...{ role: 'core', device: { kernel: 'y' }, mpls: 'other-sp' },
            addresses: ['198.51.100.1/24'],
          },
        },
  bgp: {
    ...{ asn: OWN_AS, routerId: OURS, keepAllVpnRoutes: true },
    neighbours: {
      '198.51.100.2': { asn: OTHER_AS, sp: 'y', ...(accepts && { accepts }) },
      [PE]: { asn: OWN_AS, ...(inside && { accepts: inside }) },
    },
  },
});

/** PE 1 inside by IBGP, PE 3 inside too, an ASBR of SP y by EBGP: peer 2. */
class Asbr {
  readonly lab: Lab;
  readonly wishes = new Map<number, LabelWish>();
  readonly uses = new Map<number, number>();
  readonly waiting: number[] = [];
  readonly peer1: TestPeer;
  readonly peer2: TestPeer;
  readonly peer3: TestPeer;

  constructor(options: Options = {}) {
    const config = configOf(options);
    const sps = SpTables.assign(NO_SP_TABLES, 'x', ['y'])!;
    const allowed = swapClasses(config, sps);
    const outsideOptions = { sp: 'y', transitFloor: options.transitFloor } as ConfiguredNeighbour;
    const labels = new Map<string, number>();
    const context: TransitContext = {
      ...{ config, ipsec, sps },
      numbers: {
        own: OWN_AS,
        of: (sp) => (sp === 'x' ? OWN_AS : OTHER_AS),
        isForeignAs: (asn) => asn === OTHER_AS,
      },
      ingress: new Ingress(capability({ spOf })),
      spOf,
      neighbour: (name) => (name === 'peer2' ? outsideOptions : undefined),
      row: ({ address, protection }: NextHopKey) =>
        `${ROW} to ${formatAddress(address)} (${String(protection)})`,
      routeLabels: {
        ask: (wish, { net = 0 }) => {
          if (options.ready?.() === false) {
            this.waiting.push(net);
            return 'later';
          }
          // What is asked for is never of a class that would have to end.
          expect(allowed).toContain(swapClassOf(wish.text));
          const label = labels.get(wish.text) ?? 40_000 + labels.size;
          labels.set(wish.text, label);
          this.wishes.set(label, wish);
          return label;
        },
      },
    };
    const of = (audience: Partial<Audience>): NonNullable<typeof OPEN.transit> =>
      vpnTransit(() => context, {
        ...{ sp: 'x', accepts: undefined, mplsInterface: undefined, nextHop: ip(OURS) },
        ...audience,
      });
    const own = of({ accepts: options.inside });
    const other = of({ sp: 'y', accepts: options.accepts, mplsInterface: options.mplsInterface });
    this.lab = new Lab({
      isForeignAs: (asn) => asn === OTHER_AS,
      neighbour: ({ id }) =>
        id === 2
          ? { ...OPEN, sp: 'y', otherSp: { number: OTHER_AS, unmarked: false }, transit: other }
          : { ...OPEN, nextHop: 'self', routeReflectorClient: true, transit: own },
      swapLabels: {
        retain: (label) => this.uses.set(label, (this.uses.get(label) ?? 0) + 1),
        release: (label) => this.uses.set(label, (this.uses.get(label) ?? 0) - 1),
      },
    });
    this.peer1 = this.lab.up(1, { context: vpn(true) });
    this.peer2 = this.lab.up(2, { kind: 'ebgp', asn: OTHER_AS, context: vpn(false) });
    this.peer3 = this.lab.up(3, { context: vpn(true) });
  }

  fromPe(n: number, communities: readonly bigint[], over: Partial<PathAttributes> = {}): void {
    const extendedCommunities = [target(1), exportScope(OTHER_AS), ...communities];
    this.lab.announce(1, [route(n)], attributes({ nextHop: ip(PE), extendedCommunities, ...over }));
    this.lab.settle();
  }

  fromOutside(n: number, communities: readonly bigint[], nextHop = THEIRS): void {
    const extendedCommunities = [target(1), ...communities];
    const asPath = [{ type: 2 as const, asns: [OTHER_AS] }];
    this.lab.announce(
      2,
      [route(n)],
      attributes({ nextHop: ip(nextHop), extendedCommunities, asPath }),
    );
    this.lab.settle();
  }

  /** What a neighbour holds: the IPsec meaning, and by which packets our label may come. */
  told(peer: TestPeer, n: number): { ipsec: unknown; accept: string; swap: unknown } | undefined {
    const held = peer.holds.get(nameOf(route(n)));
    if (held === undefined) return undefined;
    expect(formatAddress(held.attributes.nextHop!)).toBe(OURS);
    const wish = this.wishes.get(held.label!)!;
    return {
      ipsec: ipsec.read(held.attributes.extendedCommunities ?? []),
      accept: acceptKey(wish.accept),
      swap: wish.swap,
    };
  }
}

const spOf = (remote: string): string | undefined =>
  remote.startsWith('192.0.2.') ? 'x' : remote.startsWith('203.0.113.') ? 'y' : undefined;
const both = ['gre', 'ip'];
const meaning = (protections: string[], onlyOutsideSp?: number) => ({
  ...{ protections, encapsulations: both, onlyOutsideSp },
});
/** Choices of Ingress: encrypt in GRE, tunnel in GRE, plain MPLS. */
const [ENCRYPT, TUNNEL, MPLS] = [1, 5, 7];
const row = (remote: string, choice: number): string => `${ROW} to ${remote} (${String(choice)})`;

describe('a route of our own PE told to another SP', () => {
  it('has our next hop and a label for the secured table of that SP alone (P14)', () => {
    const asbr = new Asbr();
    asbr.fromPe(1, [asked('encrypt')]);
    expect(asbr.told(asbr.peer2, 1)).toEqual({
      ipsec: meaning(['encrypt']),
      accept: 'encrypt/gre:2 encrypt/ip:2',
      swap: { nexthop: row(PE, ENCRYPT), label: 1001 },
    });
  });

  it('has a label out of the share of the SP whose label is swapped', () => {
    const asbr = new Asbr();
    asbr.fromPe(1, [asked('encrypt')]);
    asbr.fromOutside(2, [asked('encrypt')]);
    const sources = [...asbr.wishes.values()].map(({ source }) => source?.name);
    expect(new Set(sources)).toEqual(new Set(['x', 'y']));
    const most = [...asbr.wishes.values()].map(({ source }) => source?.most);
    expect(new Set(most)).toEqual(new Set([SWAP_LABELS / 2]));
  });

  it('keeps to whom it is exported, for the borders behind', () => {
    const asbr = new Asbr();
    asbr.fromPe(1, [asked('encrypt')]);
    const { extendedCommunities } = asbr.peer2.holds.get(nameOf(route(1)))!.attributes;
    expect(extendedCommunities).toContain(exportScope(OTHER_AS));
  });

  it('asks for encryption where it came without protection, unless the operator says otherwise', () => {
    const asbr = new Asbr();
    asbr.fromPe(1, []);
    expect(asbr.told(asbr.peer2, 1)).toEqual({
      ipsec: meaning(['encrypt']),
      accept: 'encrypt/gre:2 encrypt/ip:2',
      swap: { nexthop: row(PE, MPLS), label: 1001 },
    });
  });

  it('is never told with less than it came with: what the operator allows is cut to that', () => {
    const accepts = { protections: ['encrypt', 'authenticate', 'tunnel'] as const };
    const asbr = new Asbr({ accepts });
    asbr.fromPe(1, [asked('authenticate', 'encrypt')]);
    expect(asbr.told(asbr.peer2, 1)).toMatchObject({ ipsec: meaning(['encrypt', 'authenticate']) });
    asbr.fromPe(2, [asked('encrypt')]);
    expect(asbr.told(asbr.peer2, 2)).toMatchObject({ ipsec: meaning(['encrypt']) });
    // Stronger than the weakest that was acceptable.
    asbr.fromPe(3, [asked('tunnel')]);
    expect(asbr.told(asbr.peer2, 3)).toMatchObject({
      ipsec: meaning(['encrypt', 'authenticate', 'tunnel']),
    });
  });

  it('is not told where the operator allows too little, or nothing is acceptable', () => {
    const asbr = new Asbr({ accepts: { protections: ['authenticate'] } });
    asbr.fromPe(1, [asked('encrypt')]);
    // A critical bit that we do not know.
    asbr.fromPe(2, [0x8349_0111_0000_0000n]);
    expect([asbr.told(asbr.peer2, 1), asbr.told(asbr.peer2, 2)]).toEqual([undefined, undefined]);
  });

  it('accepts plain MPLS on the interface where it is told alone, and only if it came without protection', () => {
    const accepts = { protections: ['mpls'] as const };
    const asbr = new Asbr({ accepts, mplsInterface: 'to-y' });
    asbr.fromPe(1, []);
    asbr.fromPe(2, [asked('encrypt')]);
    asbr.fromPe(3, [asked('tunnel')]);
    expect(asbr.told(asbr.peer2, 1)).toMatchObject({
      ipsec: undefined,
      accept: 'authenticate/gre:2 authenticate/ip:2 encrypt/gre:2 encrypt/ip:2 on to-y',
    });
    expect([asbr.told(asbr.peer2, 2), asbr.told(asbr.peer2, 3)]).toEqual([undefined, undefined]);
    const nowhere = new Asbr({ accepts });
    nowhere.fromPe(1, []);
    expect(nowhere.told(nowhere.peer2, 1)).toBeUndefined();
  });

  it('keeps its scope, which excuses nobody on the way: not even our own leg', () => {
    const asbr = new Asbr();
    asbr.fromPe(1, [outside(OWN_AS)]);
    expect(asbr.told(asbr.peer2, 1)).toEqual({
      ipsec: meaning(['encrypt'], OWN_AS),
      accept: 'encrypt/gre:2 encrypt/ip:2',
      swap: { nexthop: row(PE, ENCRYPT), label: 1001 },
    });
    // Told inside, the same route is for those whom it excuses, and so is the leg behind us.
    expect(asbr.told(asbr.peer3, 1)).toEqual({
      ipsec: meaning(['encrypt'], OWN_AS),
      accept: 'authenticate/gre:1 authenticate/ip:1 encrypt/gre:1 encrypt/ip:1 mpls-own-sp',
      swap: { nexthop: row(PE, MPLS), label: 1001 },
    });
  });
});

describe('a route of another SP told to our own PEs', () => {
  it('has a label of our own table, and goes on encrypted whatever it says', () => {
    const asbr = new Asbr();
    asbr.fromOutside(1, []);
    asbr.fromOutside(2, [asked('authenticate')]);
    const accept = 'authenticate/gre:1 authenticate/ip:1 encrypt/gre:1 encrypt/ip:1 mpls';
    const swap = { nexthop: row(THEIRS, ENCRYPT), label: 1001 };
    expect(asbr.told(asbr.peer1, 1)).toEqual({ ipsec: undefined, accept, swap });
    // The floor is encryption, and they accept no more than authentication: there is no way.
    expect(asbr.told(asbr.peer1, 2)).toBeUndefined();
  });

  it('that names our number as its scope excuses nobody', () => {
    const asbr = new Asbr();
    asbr.fromOutside(1, [outside(OWN_AS)]);
    expect(asbr.told(asbr.peer1, 1)).toEqual({
      ipsec: meaning(['encrypt']),
      accept: 'encrypt/gre:1 encrypt/ip:1',
      swap: { nexthop: row(THEIRS, ENCRYPT), label: 1001 },
    });
  });

  it('goes on in clear only where the operator lowered the floor', () => {
    const asbr = new Asbr({ transitFloor: 'tunnel' });
    asbr.fromOutside(1, [asked('tunnel')]);
    expect(asbr.told(asbr.peer1, 1)).toMatchObject({
      ipsec: meaning(['tunnel']),
      swap: { nexthop: row(THEIRS, TUNNEL), label: 1001 },
    });
  });

  it('is not believed with a next hop of ours, or of nobody', () => {
    const asbr = new Asbr();
    asbr.fromOutside(1, [asked('encrypt')], PE);
    asbr.fromOutside(2, [asked('encrypt')], '198.51.100.1');
    // The tracker calls such next hops unusable; here it is asked for them.
    const states = [...asbr.lab.hops.values()].map(({ protection }) => protection);
    expect(states).toContain(255);
    expect(states).toContain(252);
    expect([asbr.told(asbr.peer1, 1), asbr.told(asbr.peer1, 2)]).toEqual([undefined, undefined]);
  });

  it('asks for more where our own accepts less', () => {
    const asbr = new Asbr({ inside: { protections: ['encrypt'], encapsulations: ['gre'] } });
    asbr.fromOutside(1, [asked('encrypt', 'authenticate')]);
    expect(asbr.told(asbr.peer1, 1)).toMatchObject({
      ipsec: { protections: ['encrypt'], encapsulations: ['gre'] },
      accept: 'encrypt/gre:1',
    });
  });
});

describe('labels', () => {
  it('differ between neighbours of which different arrivals are asked', () => {
    const asbr = new Asbr();
    asbr.fromPe(1, [asked('encrypt')]);
    const label = (peer: TestPeer) => peer.holds.get(nameOf(route(1)))!.label!;
    expect(label(asbr.peer2)).not.toBe(label(asbr.peer3));
  });

  it('are one for routes with the same label and next hop, and count as long as some route has them', () => {
    const asbr = new Asbr();
    asbr.fromPe(1, [asked('encrypt')]);
    asbr.lab.announce(1, [{ ...route(2), label: 1001 }], {
      ...attributes({ nextHop: ip(PE) }),
      extendedCommunities: [target(1), exportScope(OTHER_AS), asked('encrypt')],
    });
    asbr.lab.settle();
    const label = asbr.peer2.holds.get(nameOf(route(1)))!.label!;
    expect(asbr.peer2.holds.get(nameOf(route(2)))!.label).toBe(label);
    expect(asbr.uses.get(label)).toBe(2);
    asbr.lab.withdraw(1, [route(1)]);
    asbr.lab.settle();
    expect(asbr.uses.get(label)).toBe(1);
    asbr.lab.down(1);
    asbr.lab.pass(1);
    expect([...asbr.uses.values()].every((count) => count === 0)).toBe(true);
    for (const id of [2, 3]) asbr.lab.down(id);
    asbr.lab.pass(1);
    // The default route target of who keeps all VPN routes stays.
    expect(asbr.lab.leftovers()).toMatchObject({ nextHops: 0, addresses: 0, vpnKeys: 0, paths: 1 });
  });

  it('are not to be had of what is no label of a VRF', () => {
    const asbr = new Asbr();
    const extendedCommunities = [target(1), exportScope(OTHER_AS), asked('encrypt')];
    const of = attributes({ nextHop: ip(PE), extendedCommunities });
    asbr.lab.announce(1, [{ ...route(1), label: 3 }], of);
    asbr.lab.settle();
    expect(asbr.told(asbr.peer2, 1)).toBeUndefined();
  });

  it('that are not on disk yet are waited for, with what was told before', () => {
    let ready = false;
    const asbr = new Asbr({ ready: () => ready });
    asbr.fromPe(1, [asked('encrypt')]);
    expect(asbr.told(asbr.peer2, 1)).toBeUndefined();
    const again = (): void => {
      ready = true;
      for (const net of asbr.waiting.splice(0)) {
        asbr.lab.rib.tellAgain(FAMILY.vpnv4, net);
      }
      asbr.lab.settle();
    };
    again();
    const first = asbr.told(asbr.peer2, 1);
    expect(first?.swap).toEqual({ nexthop: row(PE, ENCRYPT), label: 1001 });
    ready = false;
    asbr.lab.announce(1, [{ ...route(1), label: 2001 }], {
      ...attributes({ nextHop: ip(PE) }),
      extendedCommunities: [target(1), exportScope(OTHER_AS), asked('encrypt')],
    });
    asbr.lab.settle();
    expect(asbr.told(asbr.peer2, 1)).toEqual(first);
    again();
    expect(asbr.told(asbr.peer2, 1)?.swap).toEqual({ nexthop: row(PE, ENCRYPT), label: 2001 });
  });
});

describe('a way that cannot be used', () => {
  it('takes the route back, and gives it again', () => {
    const asbr = new Asbr();
    asbr.fromPe(1, [asked('encrypt')]);
    asbr.lab.hop(PE, { usable: false }, ENCRYPT);
    asbr.lab.settle();
    expect(asbr.told(asbr.peer2, 1)).toBeUndefined();
    asbr.lab.hop(PE, {}, ENCRYPT);
    asbr.lab.settle();
    expect(asbr.told(asbr.peer2, 1)).toBeDefined();
  });

  it('gives way to the next best path that can be used', () => {
    const asbr = new Asbr();
    asbr.fromPe(1, [asked('encrypt')]);
    const other = '192.0.2.4';
    asbr.lab.announce(3, [{ ...route(1), label: 3001 }], {
      ...attributes({ nextHop: ip(other), localPref: 50 }),
      extendedCommunities: [target(1), exportScope(OTHER_AS), asked('encrypt')],
    });
    asbr.lab.settle();
    expect(asbr.told(asbr.peer2, 1)?.swap).toEqual({ nexthop: row(PE, ENCRYPT), label: 1001 });
    asbr.lab.hop(PE, { usable: false }, ENCRYPT);
    asbr.lab.settle();
    expect(asbr.told(asbr.peer2, 1)?.swap).toEqual({ nexthop: row(other, ENCRYPT), label: 3001 });
  });

  it('is found anew when the configuration is another, and those not used any more are let go', () => {
    const asbr = new Asbr();
    asbr.fromPe(1, [asked('encrypt')]);
    const before = asbr.lab.hops.size;
    asbr.lab.rib.retell();
    asbr.lab.settle();
    expect(asbr.lab.hops.size).toBe(before);
    expect(asbr.told(asbr.peer2, 1)).toBeDefined();
    asbr.fromPe(1, []);
    asbr.lab.rib.retell();
    asbr.lab.settle();
    expect([...asbr.lab.hops.values()].some(({ protection }) => protection === ENCRYPT)).toBe(
      false,
    );
  });
});
