// SPDX-License-Identifier: Apache-2.0
/** What the BGP service makes of labelled routes and of changed tunnels: its parts as it puts them together. */
import { beforeEach, expect, it } from 'vitest';
import { ipsecCommunityFormat } from '../../../../src/bgp/codec/communities/ipsec.js';
import { FAMILY } from '../../../../src/bgp/codec/types.js';
import type { EstablishedPeer, RouteSink } from '../../../../src/bgp/types.js';
import type { Config } from '../../../../src/config/types.js';
import type { LspModel } from '../../../../src/forwarding/model.js';
import type { DesiredNexthop } from '../../../../src/forwarding/rows.js';
import { createLogger } from '../../../../src/lib/log.js';
import { makePlan } from '../../../../src/supervisor/plan.js';
import { NO_KERNEL_ROUTES } from '../../../../src/vpn/bgp/kernel-routes.js';
import type { CoreWay } from '../../../../src/vpn/bgp/tracker.js';
import { BgpService } from '../../../../src/vpn/bgp/service.js';
import { NO_EXPORT_STATES } from '../../../../src/vpn/export-changes.js';
import { NO_LABELS } from '../../../../src/vpn/label-plan.js';
import { NO_SP_TABLES } from '../../../../src/vpn/sp-tables.js';
import { TunnelSet } from '../../../../src/vpn/tunnel-set.js';
import {
  attributes,
  contextOf,
  ip,
  rd,
  target,
  type TestRoute,
  updateBodies,
} from '../../bgp/rib/lab.js';

const NEIGHBOUR = '198.51.100.2';
const CONFIG: Config = {
  instance: 'pe1',
  ownSp: 'own',
  core: { tunnelAddresses: ['192.0.2.1'] },
  interfaces: {
    core0: { role: 'core', device: { kernel: 'wan' }, addresses: ['198.51.100.1/30'] },
  },
  ike: {
    credentials: { own: { certificate: '/pe.pem', key: '/pe.key' } },
    providers: { own: { ranges: ['192.0.2.0/24'], anchors: { a: { file: '/own.pem' } } } },
  },
  bgp: {
    ...{ asn: 65_000, routerId: '192.0.2.1', labelledUnicast: { forIp: true } },
    neighbours: {
      [NEIGHBOUR]: { asn: 65_000, families: { 'ipv4-labelled': {}, 'vpnv4-unicast': {} } },
    },
  },
  vrfs: { A: { bgp: { rd: '65000:1', importTargets: ['65000:1'] } } },
};
const CONTEXT = contextOf();
const PEER: EstablishedPeer = {
  ...{ id: 1, name: NEIGHBOUR, configured: NEIGHBOUR, vrf: undefined },
  ...{ address: ip(NEIGHBOUR), localAddress: ip('198.51.100.1'), asn: 65_000, localAsn: 65_000 },
  ...{ routerId: 7, kind: 'ibgp', context: CONTEXT, routeRefresh: true, enhancedRefresh: false },
  ...{ forwardingKept: 0, awaitEndOfRib: 0 },
};

let now: number;
/** Looks at the clock that each take a millisecond: slices end by them. */
let slow: boolean;
let slices: (() => void)[];
let told: (readonly LspModel[])[];
/** Tunnels' next hops by row name. */
let nexthops: Map<string, DesiredNexthop>;
let asked: string[];
let written: { readonly nexthops: readonly number[] }[];
let sink: RouteSink;
let tunnels: TunnelSet;
let service: BgpService;

const nothing = (): undefined => undefined;

function makeService(): BgpService {
  const speaker = {
    ...{ apply: nothing, stop: nothing, close: nothing, requestRefresh: nothing, release: nothing },
    send: () => true,
    ...{ notListening: () => [], bfdDown: () => [] },
  };
  const labels = {
    ...{ serve: nothing, keepVrfs: nothing, keepClasses: nothing, keepSwaps: nothing },
    ...{ settled: nothing, retain: nothing, release: nothing, gateways: () => [] },
  };
  return new BgpService({
    tables: {
      applyRoutes: ({ nexthops: rows }: { nexthops: Uint32Array }) => {
        written.push({ nexthops: [...rows] });
      },
      vrfs: () => [],
      ...{ nexthops: () => [], lookup: nothing },
    },
    ...{ forwarded: false, log: createLogger({ write: nothing, now: () => '' }, 'error') },
    clock: { now: () => (slow ? now++ : now) },
    scheduler: { soon: (slice: () => void) => slices.push(slice), after: () => nothing },
    ...{ wallClock: () => 0, random: () => 0.5 },
    speaker: (rest: { readonly sink: RouteSink }) => {
      ({ sink } = rest);
      return speaker;
    },
    ...{ vrfs: nothing, nexthopRow: () => 77, gatewaysChanged: nothing, tunnels, labels },
    bfd: { add: nothing, removeOthers: nothing },
    watchCore: (_: Uint8Array, onChange: (way: CoreWay) => void) => {
      slices.push(() => {
        onChange({ interface: 'core0', metric: 1 });
      });
      return nothing;
    },
    lsps: (lsps: readonly LspModel[]) => told.push(lsps),
  } as never);
}

function settle(): number {
  let count = 0;
  for (let slice = slices.shift(); slice !== undefined; slice = slices.shift()) {
    slice();
    count++;
  }
  return count;
}

function apply(config: Config): void {
  const memory = { labels: NO_LABELS, spTables: NO_SP_TABLES, exports: NO_EXPORT_STATES };
  const { model, policy, sps, exports } = makePlan(config, memory, 0);
  service.apply({
    ...{ config, model, policy, labels: policy.labels, sps, states: exports },
    vrfRow: (name) => (name === 'A' ? 1 : undefined),
    nexthop: (name) => {
      asked.push(name);
      return nexthops.get(name);
    },
    ...{ kernelRoutes: () => NO_KERNEL_ROUTES, ownRow: nothing },
  });
}

function announce(routes: readonly TestRoute[], nextHop: string, communities: bigint[] = []): void {
  const of = attributes({ nextHop: ip(nextHop), extendedCommunities: communities });
  for (const body of updateBodies(CONTEXT, routes, of)) {
    expect(sink.update(1, body, 0, body.length)).toEqual({ kind: 'ok' });
  }
}
const labelled = (n: number): TestRoute => ({
  ...{ family: FAMILY.ipv4Labelled, prefix: `203.0.${String(n >> 8)}.${String(n & 255)}` },
  ...{ length: 32, label: 1000 + n },
});

beforeEach(() => {
  now = 0;
  slow = false;
  [slices, told, asked, written] = [[], [], [], []];
  nexthops = new Map();
  tunnels = new TunnelSet({ now: () => now, changed: nothing });
  tunnels.configure(new Map(), [ip('192.0.2.1')]);
  service = makeService();
  apply(CONFIG);
  settle();
  told.length = 0;
  sink.established(PEER);
  settle();
});

it('tells the LSPs that labelled routes make, for what the configuration says', () => {
  announce([labelled(1), labelled(2)], NEIGHBOUR);
  settle();
  expect(told.at(-1)!.map(({ labels, interface: out, forIp }) => [labels, out, forIp])).toEqual([
    [[1001], 'core0', true],
    [[1002], 'core0', true],
  ]);
  // By another configuration they are for other things.
  const { bgp } = CONFIG;
  apply({ ...CONFIG, bgp: { ...bgp!, labelledUnicast: {} } });
  settle();
  expect(told.at(-1)!.map(({ forIp }) => forIp)).toEqual([false, false]);
});

it('works them out in slices of the event loop', () => {
  announce(
    Array.from({ length: 100 }, (_, n) => labelled(n)),
    NEIGHBOUR,
  );
  settle();
  // Not for each of them.
  expect(told.length).toBeLessThan(5);
  const before = told.length;
  slow = true;
  apply(CONFIG);
  expect(settle()).toBeGreaterThan(10);
  expect(told).toHaveLength(before + 1);
  expect(told.at(-1)).toHaveLength(100);
});

it('takes them back when BGP ends, leaves them for a restart, and tells nothing any more then', () => {
  announce([labelled(1)], NEIGHBOUR);
  settle();
  expect(told.splice(0).at(-1)).toHaveLength(1);
  const { bgp, ...without } = CONFIG;
  expect(bgp).toBeDefined();
  apply({ ...without, vrfs: { A: {} } });
  settle();
  expect(told.splice(0)).toEqual([[]]);
  apply(CONFIG);
  settle();
  sink.established(PEER);
  announce([labelled(1)], NEIGHBOUR);
  settle();
  expect(told.splice(0).at(-1)).toHaveLength(1);
  service.abandon();
  settle();
  expect(told).toEqual([]);
});

it('looks at the routes of the tunnels that it is told of, and at no others', () => {
  const community = ipsecCommunityFormat().write({
    ...{ protections: ['encrypt'], encapsulations: ['gre'], onlyOutsideSp: undefined },
  });
  for (let n = 2; n <= 60; n++) {
    const route = { family: FAMILY.vpnv4, rd: rd(n), prefix: `10.${String(n)}.0.0`, length: 16 };
    announce([{ ...route, label: 100 + n }], `192.0.2.${String(n)}`, [target(1), community]);
  }
  settle();
  expect(tunnels.all.size).toBe(59);
  expect(written.flatMap(({ nexthops: rows }) => rows).length).toBeGreaterThanOrEqual(59);
  const name = 'tunnel/pe/192.0.2.7/encrypt/gre';
  // Nothing can lead there: its route goes.
  nexthops.set(name, { name, version: undefined, why: 'no route' });
  asked.length = 0;
  written.length = 0;
  service.tunnelsChanged(['192.0.2.7']);
  settle();
  expect(new Set(asked)).toEqual(new Set([name]));
  expect(written).toEqual([{ nexthops: [0] }]);
});
