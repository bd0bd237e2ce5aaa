// SPDX-License-Identifier: Apache-2.0
// BGP of one PE, all of it: sockets, sessions, RIB, and the shared tables of the data plane, which the
// native addon writes.
//   node perf/bgp-pe.mjs ADDRESS VRFS TARGETS PEERS
// Serves IBGP sessions (VPNv4) on ADDRESS until it is ended. VRFS: 0 keeps every VPN route in the table; N
// imports into N VRFs, each of which has the route targets of 1..TARGETS that are its number modulo N.
// PEERS: prefix from which neighbours come.
// On SIGUSR2 it writes what it has, as one line of JSON; the event loop is watched until the first time.
// Plain JavaScript over the build, so that the process holds nothing but what is measured.
import { mkdtempSync, rmSync } from 'node:fs';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';

const root = process.env['SEALANE_JS'] ?? new URL('../build/js', import.meta.url).pathname;
const { BgpService } = await import(`${root}/vpn/bgp/service.js`);
const { TunnelSet } = await import(`${root}/vpn/tunnel-set.js`);
const { BgpSpeaker } = await import(`${root}/bgp/session/speaker.js`);
const { LOOP } = await import(`${root}/supervisor/bgp-speaker.js`);
const { makePlan } = await import(`${root}/supervisor/plan.js`);
const { routeLabels } = await import(`${root}/supervisor/label-rows.js`);
const { loadAddon } = await import(`${root}/forwarding/addon/load.js`);

const [address, vrfCount, targetCount, peers] = process.argv.slice(2);
const vrfs = Number(vrfCount);
const TUNNEL = {
  local: '192.0.2.1',
  remote: '192.0.2.2',
  protection: 'tunnel',
  encapsulation: 'gre',
};

function configuration() {
  const all = {};
  for (let id = 1; id <= vrfs; id++) {
    const importTargets = [];
    for (let rt = id; rt <= Number(targetCount); rt += vrfs) importTargets.push(`65000:${rt}`);
    all[`v${id}`] = { bgp: { rd: `65000:${id + 100_000}`, importTargets } };
  }
  return {
    ...{ instance: 'perf', ownSp: 'own', core: { tunnelAddresses: [TUNNEL.local] } },
    ...{ interfaces: {}, vrfs: all, tunnels: { t: TUNNEL } },
    bgp: {
      ...{ asn: 65000, routerId: address, keepAllVpnRoutes: vrfs === 0 },
      dynamicNeighbours: {
        [peers]: {
          ...{ asn: 65000, prefixLimit: 1000, timers: { hold: 240 } },
          families: { 'vpnv4-unicast': {} },
        },
      },
    },
  };
}

const dir = mkdtempSync('/dev/shm/sealane-perf-');
const addon = loadAddon();
const tables = addon.openTables({ tables: `${dir}/tables`, state: `${dir}/state` });
const memory = { labels: { labels: {} }, spTables: { assigned: {}, free: [] } };
const plan = makePlan(configuration(), memory, 0);
const rows = new Map();
for (const name of Object.keys(plan.config.vrfs)) {
  const row = { name, ttlUniform: false, tcUniform: true, hostInterface: 0 };
  rows.set(name, tables.putVrf(row));
}

/** When a route with a label was last written, CLOCK_MONOTONIC ms: how late changes are is asked later. */
let written;
const applyRoutes = tables.applyRoutes.bind(tables);
tables.applyRoutes = (batch) => {
  applyRoutes(batch);
  if (written === undefined) return;
  const now = Number(process.hrtime.bigint()) / 1e6;
  for (let i = 0; i < batch.count; i++) written[batch.labels[i]] = now;
};

/** Rows of next hops by name, as the supervisor remembers them. */
const nexthops = new Map();
function nexthopRow(name) {
  if (!nexthops.has(name)) nexthops.set(name, tables.nexthop(name));
  return nexthops.get(name);
}

const silent = () => undefined;
const log = { error: console.error, warning: console.error, notice: silent, info: silent };
Object.assign(log, { debug: silent, area: () => log });
const netns = addon.kernel.openNetns(undefined);
// VRFs here export nothing, so that no label of a route is ever asked for.
const labels = routeLabels({
  ...{ paths: { routeLabels: `${dir}/route-labels` }, log },
  epoch: () => Math.floor(Date.now() / 1000),
  reconciler: () => ({ setLabels: silent, clearLabel: silent }),
  reserve: () => Promise.resolve(),
});
const tunnels = new TunnelSet({ now: () => performance.now(), changed: silent });
tunnels.configure(plan.model.tunnels, plan.model.tunnelAddresses);
const service = new BgpService({
  ...{ tables, forwarded: false, log },
  ...{ clock: { now: () => performance.now() }, scheduler: LOOP, lsps: silent },
  speaker: (rest) =>
    new BgpSpeaker({
      ...{ ...rest, kernel: addon.kernel, log, netnsOf: () => netns, random: Math.random },
    }),
  ...{ vrfs: silent, nexthopRow, gatewaysChanged: silent, labels },
  ...{ wallClock: () => Date.now(), random: Math.random },
  // The core's own next hops: the kernel knows every way, as it does where the routes are told from.
  watchCore: (_address, onChange) => {
    let followed = true;
    LOOP.soon(() => followed && onChange({ interface: 'core', metric: 1 }));
    return () => {
      followed = false;
    };
  },
  tunnels,
  bfd: { add: () => ({ remove: silent }), removeOthers: silent },
});
service.apply({
  ...{ config: plan.config, model: plan.model, policy: plan.policy, labels: plan.policy.labels },
  ...{ sps: plan.sps, kernelRoutes: () => new Map() },
  vrfRow: (name) => rows.get(name),
  nexthop: (name) => ({ name, version: { kind: 'drop', vrf: '', reason: 'blackhole' } }),
  ownRow: () => undefined,
});

const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
process.on('SIGUSR2', () => {
  let routes = 0;
  for (const id of rows.values()) routes += tables.routeCount(id, 4);
  const sessions = service.view().speaker.show();
  const report = {
    eventLoopDelayMaxMs: delay.max / 1e6,
    eventLoopDelay99Ms: delay.percentile(99) / 1e6,
    tableRoutes: routes,
    counts: service.rib.counts(),
    established: sessions.filter(({ state }) => state === 'established').length,
    rssMiB: process.memoryUsage().rss / 1048576,
    tablesMiB: tables.memory().reduce((sum, { bytes }) => sum + bytes, 0) / 1048576,
    written: written === undefined ? [] : [...written],
  };
  process.stdout.write(`${JSON.stringify(report)}\n`);
  // Looking at the clock each millisecond costs more than an idle session.
  delay.disable();
  written = new Float64Array(1 << 20);
});
process.on('SIGTERM', () => {
  tables.close();
  rmSync(dir, { recursive: true, force: true });
  process.exit(0);
});
process.stdout.write('ready\n');
