// SPDX-License-Identifier: Apache-2.0
/** A backend of made-up rows: two VRFs, two tunnels, as many routes as wanted. */
import type * as backend from '../../../src/rpc/backend.js';
import { formatAddress } from '../../../src/lib/ip.js';
import { sampleBgp, type SampleBgp } from './sample-bgp.js';
import { sampleIke, type SampleIke } from './sample-ike.js';

const ifCounters = {
  rxPackets: 120n,
  rxBytes: 9_007_199_254_740_993n, // 2^53 + 1: exact only if nothing went through a double
  txPackets: 118n,
  txBytes: 11_000n,
  drops: 2n,
  punted: 5n,
  injected: 4n,
  reassembled: 6n,
};

export const interfaces: readonly backend.InterfaceRow[] = [
  {
    ...{ name: 'core0', role: 'core', vrf: '', device: 'kernel wan@pe1' },
    ...{ vlan: 0, serviceVlan: 0 },
    ...{ mac: '02:00:00:00:00:01', mtu: 1500, link: 'up' },
    addresses: '198.51.100.1/30 2001:db8:0:1::1/64',
    ...ifCounters,
  },
  {
    ...{ name: 'ce-a', role: 'ce', vrf: 'a', device: 'kernel to-ce-a1' },
    ...{ vlan: 12, serviceVlan: 100 },
    ...{ mac: '02:00:00:00:00:02', mtu: 9000, link: 'down', addresses: '10.1.0.1/24' },
    ...ifCounters,
  },
  {
    ...{ name: 'host/b', role: 'host', vrf: 'b', device: 'tun pe1-b' },
    ...{ vlan: 0, serviceVlan: 0 },
    ...{ mac: '', mtu: 1500, link: 'unknown', addresses: '' },
    ...ifCounters,
  },
];

const vrfCounters = {
  fromCePackets: 100n,
  fromCeBytes: 8400n,
  fromCorePackets: 99n,
  fromCoreBytes: 8316n,
  localPackets: 0n,
  localBytes: 0n,
  drops: 1n,
  fragmented: 2n,
};

export const vrfs: readonly backend.VrfRow[] = ['a', 'b'].map((name, i) => ({
  ...{ name, id: i + 1, netns: `pe1-${name}`, ttl: 'pipe', trafficClass: 'uniform' },
  ...{ addresses: '10.255.0.1/32', interfaces: 1, routes4: 3n, routes6: 1n },
  ...vrfCounters,
}));

export const labels: readonly backend.LabelRow[] = [
  {
    ...{ label: 1001, vrf: 'a', action: 'vrf', target: '', rules: 'encrypted' },
    ...{ accept: 'encrypt gre,ip from example', packets: 99n, bytes: 8316n },
  },
  {
    ...{ label: 1002, vrf: 'b', action: 'nexthop', target: '10.1.0.2', rules: 'one two' },
    ...{ accept: 'clear gre', packets: 0n, bytes: 0n },
  },
];

export const tunnels: readonly backend.TunnelRow[] = [
  {
    ...{ name: 'pe2', local: '192.0.2.1', remote: '192.0.2.2', protection: 'encrypt' },
    ...{ encapsulation: 'gre', sa: 'pe2-out', interface: 'core0', nextHop: '198.51.100.2' },
    ...{ mac: '02:00:00:00:00:99', mtu: 1430, state: 'up', reason: '', labels: '' },
    ...{ pathMtu: 1492, pathMtuSource: 'icmp', pathMtuSince: '2026-11-01T00:00:00.000Z' },
    pathMtuExpires: '2026-11-01T00:10:00.000Z',
    ...{ probing: 'complete', probesSent: 12n, probesConfirmed: 10n, probesLost: 2n },
  },
  {
    ...{ name: 'pe3', local: '2001:db8::1', remote: '2001:db8::3', protection: 'tunnel' },
    ...{ encapsulation: 'ip', sa: '', interface: '', nextHop: '', mac: '', mtu: 0 },
    ...{ state: 'down', reason: 'no route to 2001:db8::3', labels: '' },
    ...{ pathMtu: 0, pathMtuSource: '', pathMtuSince: '', pathMtuExpires: '' },
    ...{ probing: '', probesSent: 0n, probesConfirmed: 0n, probesLost: 0n },
  },
];

export const sas: readonly backend.SaRow[] = [
  {
    ...{ name: 'pe2-out', direction: 'out', spi: '0x5a3ca012', local: '192.0.2.1' },
    ...{ remote: '192.0.2.2', algorithm: 'aes-gcm-128', protection: 'encrypt' },
    ...{ encapsulation: 'gre', sp: '', ready: true, sequence: 100n, window: 0 },
    ...{ packets: 100n, bytes: 14_000n, replayed: 0n, authFailed: 0n },
    ...{ resource: 1, thread: 1 },
  },
];

export const drops: readonly backend.DropRow[] = [
  { reason: 'no_route', text: 'no route in the VRF', packets: 3n },
  { reason: 'ip4_checksum', text: 'bad IPv4 header checksum', packets: 0n },
];

export const ports: readonly backend.PortRow[] = [
  {
    ...{ device: 'kernel eth1', interfaces: 'ce-a ce-b', mac: '02:00:00:00:00:01', link: 'up' },
    ...{ rxPackets: 1n, rxMissed: 2n, rxErrors: 3n, rxNoBuffer: 4n },
    ...{ txPackets: 5n, txFull: 6n, txErrors: 7n, offloads: 'vlan-strip ip4-checksum' },
  },
];

export const queues: readonly backend.QueueRow[] = [
  {
    ...{ interface: 'ce-a', vrf: 'a', class: 'bulk', kind: 'weighted', weight: 100, limit: 65_535 },
    ...{ rate: 10_000_000_000_000n, burst: 3000, packets: 1n, bytes: 100n, dropped: 2n },
    ...{ depth: 3, maxDepth: 4 },
  },
];

export const lags: readonly backend.LagRow[] = [
  {
    ...{ interfaces: 'core0', member: 'eth1', link: 'up', selected: true },
    ...{ collecting: true, distributing: false, state: 'activity collecting' },
    ...{ system: '32768,02:00:00:00:00:01', key: 1, port: 17 },
    ...{ partnerSystem: '65535,02:00:00:00:00:02', partnerKey: 15, partnerPort: 2 },
    ...{ partnerState: 'activity', rxLacpdus: 1n, txLacpdus: 2n, rxMalformed: 3n },
    ...{ rxPackets: 4n, rxBytes: 5n, txPackets: 6n, txBytes: 7n },
  },
];

export const policers: readonly backend.PolicerRow[] = [
  {
    ...{ interface: 'ce-a', vrf: 'a', class: 'voice', meter: 'trtcm', rate: 10_000_000_000_000n },
    ...{ burst: 1500, excessBurst: 0, peakRate: 10_000_000_000_000n, peakBurst: 3000 },
    ...{ colourAware: true, green: 'pass', yellow: 'dscp af12', red: 'drop' },
    ...{ greenPackets: 1n, greenBytes: 100n, yellowPackets: 2n, yellowBytes: 200n },
    ...{ redPackets: 3n, redBytes: 300n },
  },
];

export const workers: readonly backend.WorkerRow[] = [
  {
    ...{ worker: 0, pid: 4242, state: 'running', reason: '', uptimeSeconds: 61n, starts: 2n },
    ...{ hugepages: false, lcore: 0, tid: 4243, busyPercent: 12.5, heartbeatAgeMs: 1n },
    ...{ held: 1n, released: 7n, passed: 40n, taken: 41n, passFull: 2n },
    ...{ buffers: 15_981n, buffersFree: 15_900n, buffersLeast: 0n },
    ...{ largeBuffers: 1500n, largeBuffersFree: 1499n, largeBuffersLeast: 1n },
  },
  {
    ...{ worker: 1, pid: 0, state: 'down', reason: 'it ended', uptimeSeconds: 0n, starts: 1n },
    hugepages: false,
    ...{ buffers: 0n, buffersFree: 0n, buffersLeast: 0n },
    ...{ largeBuffers: 0n, largeBuffersFree: 0n, largeBuffersLeast: 0n },
  },
];

export const status: backend.Status = {
  ...{ instance: 'pe1', version: '0.1.0', pid: 4200, state: 'degraded' },
  ...{ reason: 'tunnel pe3 is down', uptimeSeconds: 3700n, configFile: '/etc/pe1.config.ts' },
  ...{ configDigest: 'ab'.repeat(32), configGeneration: 3n, workerPid: 4242 },
  ...{ workerState: 'running', workerStarts: 2n, interfaces: 3, vrfs: 2, routes: 8n },
  ...{ labels: 2, tunnels: 2, tunnelsUsable: 1, warnings: ['manual SAs are in use'] },
};

export function route(i: number): backend.RouteRow {
  const address = Uint8Array.of(10, i >> 16, i >> 8, i);
  return {
    ...{ vrf: i % 2 === 0 ? 'a' : 'b', prefix: `${formatAddress(address)}/32` },
    ...{ owner: 'static', nexthop: 'tunnel', via: '192.0.2.2', tunnel: 'pe2', label: 2001 },
    ...{ interface: 'core0', usable: true, reason: '', accept: 'encrypt gre', stale: false },
    ways: 1,
  };
}

export interface SampleBackend extends backend.ControlBackend, SampleBgp {
  readonly ike: SampleIke;
  routeCount: number;
  /** What the calls were. */
  readonly filters: backend.RouteFilter[];
  readonly reloads: backend.ReloadRequest[];
  restarted: backend.RestartedWorker;
  readonly stops: { readonly keepWorker: boolean }[];
  /** Routes made so far, and whether the generator was ended. */
  made: number;
  returned: number;
  onReload: (request: backend.ReloadRequest) => Promise<backend.ReloadResult>;
  readonly policyTests: backend.TestPolicyRequest[];
  readonly explained: (backend.ExplainRoute | backend.ExplainLabel)[];
  onTestPolicy: () => Promise<backend.TestPolicyResult>;
}

export const reloadResult: backend.ReloadResult = {
  changes: [
    { path: 'tunnels.pe2.ttl', kind: 'changed', before: '64', after: '32', effect: 'live' },
    {
      ...{ path: 'interfaces.ce-c', kind: 'added', before: '', after: '{"role":"ce"}' },
      effect: 'worker-restart',
    },
  ],
  warnings: [
    { path: 'manualSas', value: '', reason: 'manual SAs are in use', remedy: 'for a lab only' },
  ],
  applied: true,
  restarted: ['worker'],
  configDigest: 'cd'.repeat(32),
};

export const testPolicyResult: backend.TestPolicyResult = {
  rules: [
    { ...{ rule: 0, name: 'mark', matched: true, then: 'next' }, changes: ['med none -> 3'] },
    { rule: 1, name: '', matched: false, then: 'reject', changes: [] },
    { rule: 2, name: '', matched: true, then: 'accept', changes: [] },
  ],
  ...{ accepted: true, because: 'rule 2', result: ['origin=igp', 'med=3'] },
};

export const explained: readonly backend.ExplainRow[] = [
  { way: 0, step: 'route', what: '10.2.0.0/24', ok: undefined, why: '', drop: '' },
  { way: 1, step: 'SA', what: 'out 0x00000100', ok: true, why: '', drop: '' },
  { way: 1, step: 'verdict', what: 'goes out by core0', ok: true, why: '', drop: '' },
  { way: 2, step: 'verdict', what: 'dropped', ok: false, why: 'no SA', drop: 'sa_missing' },
];

export function sampleBackend(): SampleBackend {
  const ike = sampleIke();
  const sample: SampleBackend = {
    ...sampleBgp(),
    ...ike,
    ike,
    routeCount: 4,
    filters: [],
    reloads: [],
    restarted: { pid: 71, before: 70, milliseconds: 40, lossy: '' },
    stops: [],
    made: 0,
    returned: 0,
    onReload: async () => Promise.resolve(reloadResult),
    policyTests: [],
    onTestPolicy: async () => Promise.resolve(testPolicyResult),
    explained: [],
    status: () => status,
    interfaces: () => interfaces,
    vrfs: () => vrfs,
    *routes(filter) {
      sample.filters.push(filter);
      try {
        for (let i = 0; i < sample.routeCount; i++) {
          sample.made++;
          const row = route(i);
          if (filter.vrf === undefined || row.vrf === filter.vrf) yield row;
        }
      } finally {
        sample.returned++;
      }
    },
    labels: () => labels,
    tunnels: () => tunnels,
    async *sas() {
      await Promise.resolve();
      yield* sas;
    },
    drops: () => drops,
    policers: () => policers,
    ports: () => ports,
    queues: () => queues,
    lags: async () => Promise.resolve(lags),
    workers: () => workers,
    reload: async (request) => {
      sample.reloads.push(request);
      return sample.onReload(request);
    },
    testPolicy: async (request) => {
      sample.policyTests.push(request);
      return sample.onTestPolicy();
    },
    explainRoute: (question) => {
      sample.explained.push(question);
      return explained;
    },
    explainLabel: (question) => {
      sample.explained.push(question);
      return explained;
    },
    async *capture() {
      yield await Promise.resolve({ frames: [], lost: [], ended: '' });
      yield { frames: [], lost: [], ended: 'stopped' };
    },
    restartWorker: async () => Promise.resolve(sample.restarted),
    stop: (options) => {
      sample.stops.push(options);
    },
  };
  return sample;
}
