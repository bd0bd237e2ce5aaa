// SPDX-License-Identifier: Apache-2.0
/** BGP of the sample backend: a session that is up, one that is down, a few routes. */
import type * as backend from '../../../src/rpc/backend.js';

export const summary: readonly backend.BgpSummaryRow[] = [
  {
    ...{ neighbor: '192.0.2.2', vrf: '', description: 'PE 2', asn: '65001', state: 'established' },
    ...{ uptimeSeconds: 90n, received: 5n, accepted: 4n, sent: 3n },
    ...{ messagesIn: 12n, messagesOut: 11n, lastError: '' },
  },
  {
    ...{ neighbor: '10.1.0.2%a', vrf: 'a', description: 'CE', asn: 'external', state: 'shutdown' },
    ...{ received: 0n, accepted: 0n, sent: 0n, messagesIn: 0n, messagesOut: 0n },
    lastError: 'Cease / Administrative Shutdown',
  },
];

const counters = {
  ...{ opensIn: 1n, opensOut: 1n, updatesIn: 4n, updatesOut: 3n },
  ...{ notificationsIn: 0n, notificationsOut: 1n, keepalivesIn: 7n, keepalivesOut: 6n },
  ...{ refreshesIn: 0n, refreshesOut: 2n, received: 5n, accepted: 4n, rejected: 1n, sent: 3n },
  ...{ announcements: 9n, withdrawals: 2n, loops: 1n, tolerated: 1n },
};

export const neighbors: readonly backend.BgpNeighborRow[] = [
  {
    ...{ neighbor: '192.0.2.2', configured: '192.0.2.0/24', description: 'PEs', vrf: '' },
    ...{ address: '192.0.2.2', localAddress: '192.0.2.1', configuredAsn: '65001 65002' },
    ...{ asn: 65001, localAsn: 65001, routerId: '192.0.2.2', kind: 'ibgp' },
    ...{ state: 'established', shutdown: false, establishedAt: '2026-01-02T03:04:05.000Z' },
    ...{ uptimeSeconds: 90n, establishedCount: 2n, lastChangeAt: '2026-01-02T03:04:05.000Z' },
    lastChange: 'open-confirm -> established: KEEPALIVE',
    ...{ families: 'vpnv4-unicast route-target', addPathReceive: '', addPathSend: '' },
    ...{ extendedNextHop: '', gracefulRestart: 'vpnv4-unicast', restartTime: 120 },
    ...{ restartNotification: true, longLived: 'vpnv4-unicast:3600', routeRefresh: true },
    ...{ enhancedRefresh: true, fourOctetAs: true, maxMessage: 65535, holdTime: 10 },
    ...{ keepaliveTime: 10 / 3, sendHoldTime: 480.5, connectRetry: 5 },
    ...counters,
    ...{ familyRoutes: 'vpnv4-unicast 4/1/3, route-target 0/0/0', endOfRib: 'vpnv4-unicast' },
    ...{ stale: '', error: 'malformed attribute', errorAt: '2026-01-02T03:05:00.000Z' },
    ...{ errorBy: 'us', errorCode: 3, errorSubcode: 1, errorData: 'c0', errorOctets: '0000' },
    bfd: 'up',
    ipsec: 'up',
  },
];

export function bgpRoute(i: number): backend.BgpRouteRow {
  return {
    ...{ vrf: '', family: 'vpnv4-unicast', rd: '65001:2', prefix: `10.2.${i}.0/24` },
    ...{ best: true, multipath: false, filtered: false, usable: false, state: 'stale' },
    ...{ reason: 'tunnel pe2 is down', neighbor: '192.0.2.2', importedFrom: '' },
    ...{ nextHop: '192.0.2.2', way: 'pe2', label: '1002', localPref: 100, asPath: '65100 {1 2}' },
    ...{ origin: 'igp', communities: 'no-export', largeCommunities: '' },
    extendedCommunities: 'target:65001:100 ipsec:encrypt:gre,ip',
    ...{ originatorId: '', clusterList: '', aggregator: '', atomicAggregate: false },
    ...{ tunnelEncapsulation: '', otherAttributes: '', ageSeconds: 12n },
  };
}

export interface SampleBgp {
  readonly bgp: {
    /** What the calls were. */
    readonly filters: backend.BgpRouteFilter[];
    readonly clears: {
      readonly name: string | undefined;
      readonly soft: backend.SoftClear | undefined;
    }[];
    readonly changes: { readonly name: string; readonly shutdown: string | undefined }[];
    /** Sessions that a change concerns. */
    sessions: readonly string[];
    /** What a clear answers. */
    cleared: readonly backend.BgpClearRow[];
  };
}

type BgpBackend = SampleBgp &
  Pick<
    backend.ControlBackend,
    | 'bgpSummary'
    | 'bgpNeighbors'
    | 'bgpRoutes'
    | 'bgpNeighborNames'
    | 'bgpFamilyNames'
    | 'clearBgp'
    | 'setBgpNeighbor'
    | 'dumpBgp'
    | 'transitions'
    | 'tightenNow'
  >;

export const transitions: backend.TransitionRow[] = [
  {
    ...{ vrf: 'a', rule: 'all', from: 'tunnel in gre to own', to: 'encrypt in gre to own' },
    ...{ step: 'announce', labels: '24000', secondsLeft: 12, packets: 90n, recentPackets: 3n },
  },
  {
    ...{ vrf: 'b', rule: 'all', from: 'tunnel in ip to own', to: 'encrypt in ip to own' },
    ...{ step: 'telling', labels: '24001 24002', secondsLeft: undefined },
    ...{ packets: 0n, recentPackets: 0n },
  },
];

export function sampleBgp(): BgpBackend {
  const bgp: SampleBgp['bgp'] = {
    filters: [],
    clears: [],
    changes: [],
    sessions: ['192.0.2.2'],
    cleared: [{ neighbor: '192.0.2.2', cleared: true, reason: '' }],
  };
  return {
    bgp,
    bgpSummary: () => summary,
    bgpNeighbors: () => neighbors,
    bgpRoutes: (filter) => {
      bgp.filters.push(filter);
      return [0, 1, 2].map(bgpRoute);
    },
    bgpNeighborNames: () => ['192.0.2.2', '192.0.2.0/24', '10.1.0.2%a'],
    bgpFamilyNames: () => ['ipv4-unicast', 'vpnv4-unicast'],
    clearBgp: (name, soft) => {
      bgp.clears.push({ name, soft });
      return bgp.cleared;
    },
    transitions: () => transitions,
    tightenNow: async (vrf, rule) =>
      Promise.resolve(vrf === 'b' ? [] : [`${vrf ?? 'any'} ${rule ?? 'any'}`]),
    dumpBgp: async (path) => Promise.resolve([{ path, records: 3n }]),
    setBgpNeighbor: (name, shutdown) => {
      bgp.changes.push({ name, shutdown });
      return bgp.sessions;
    },
  };
}
