// SPDX-License-Identifier: Apache-2.0
// The RIB with one session, and what it takes:
//   node perf/bgp-child.mjs FILE VRFS [CHURN-FILE]     plays files of messages and reports as JSON
//   node perf/bgp-child.mjs listen ADDRESS VRFS        serves one BGP session on ADDRESS until it is ended
// Plain JavaScript over the build, so that the process holds nothing but what is measured.
// VRFS: 0 keeps every VPN route in the table; N imports them into N VRFs, each of which has the route
// targets of 1..100 that are its number modulo N.
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { createServer } from 'node:net';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { clearTimeout, setImmediate, setTimeout } from 'node:timers';

const root = process.env['SEALANE_JS'] ?? new URL('../build/js', import.meta.url).pathname;
const { Rib } = await import(`${root}/bgp/rib/rib.js`);
const { DEFAULT_DECISION } = await import(`${root}/bgp/rib/decision.js`);

const listening = process.argv[2] === 'listen';
const [file, vrfCount = '0', churnFile] = process.argv.slice(listening ? 3 : 2);
const vrfs = Number(vrfCount);
const CHUNK = 256 * 1024;

const fib = { routes: 0, changes: 0 };
const silent = () => undefined;
const log = { error: silent, warning: silent, notice: silent, info: silent, debug: silent };
let longest = 0;
const timed = (work) => {
  const begin = performance.now();
  work();
  longest = Math.max(longest, performance.now() - begin);
};
const rib = new Rib(
  {
    asn: 65000,
    routerId: 0xc0000201,
    clusterId: 0xc0000201,
    decision: DEFAULT_DECISION,
    retainVpn: vrfs === 0,
    sliceMs: 10,
    routeTargetWaitMs: 60000,
  },
  {
    sessions: { send: () => true, close: silent, requestRefresh: silent },
    clock: { now: () => performance.now() },
    scheduler: {
      soon: (slice) => setImmediate(() => timed(slice)),
      after: (ms, action) => {
        const timer = setTimeout(action, ms);
        return () => clearTimeout(timer);
      },
    },
    nextHops: { watch: () => ({ usable: true, metric: 10, rank: 0 }), unwatch: silent },
    fib: {
      apply: (batch) => {
        fib.changes += batch.count;
        for (let i = 0; i < batch.count; i++) fib.routes += batch.hopCounts[i] > 0 ? 1 : -1;
      },
    },
    log: { ...log, area: () => log },
    neighbour: () => ({ policyIn: undefined, policyOut: undefined, policyOutKey: '' }),
  },
);

const target = (number) => (2n << 48n) | (65000n << 32n) | BigInt(number);
for (let id = 1; id <= vrfs; id++) {
  const importTargets = [];
  for (let rt = id; rt <= 100; rt += vrfs) importTargets.push(target(rt));
  rib.setVrf({
    ...{ id, name: `v${id}`, importTargets, importPolicy: undefined, exports: [] },
    accept: () => 1,
  });
}
rib.established({
  ...{ id: 1, name: '192.0.2.2', vrf: undefined, asn: 65000, localAsn: 65000, kind: 'ibgp' },
  ...{ address: Uint8Array.of(192, 0, 2, 2), localAddress: Uint8Array.of(192, 0, 2, 1) },
  context: {
    ...{ ibgp: true, as4: true, maxMessage: 4096, families: 4, addPathReceive: 0 },
    ...{ addPathSend: 0, extendedNextHop: 0 },
  },
  ...{ routerId: 0xc0000202, routeRefresh: true, enhancedRefresh: true },
  ...{ forwardingKept: 0, awaitEndOfRib: 0 },
});

// Adding VRFs has the RIB look through its tables: not part of what is measured.
while (!rib.idle) await new Promise((resolve) => setImmediate(resolve));

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** What a session may take of one turn of the event loop. */
const TURN_MS = 2;

/** The messages whole in buffer[at..end), until the turn is over; returns the offset behind them. */
function feed(buffer, from, end) {
  const begin = performance.now();
  let at = from;
  for (let count = 1; end - at >= 19; count++) {
    const length = (buffer[at + 16] << 8) | buffer[at + 17];
    if (end - at < length) break;
    const outcome = rib.update(1, buffer, at + 19, at + length);
    if (outcome.kind !== 'ok') throw new Error(JSON.stringify(outcome));
    at += length;
    if (count % 8 === 0 && performance.now() - begin > TURN_MS) break;
  }
  longest = Math.max(longest, performance.now() - begin);
  return at;
}

/** Feeds a file as a socket does: a chunk at most, and a little time, per turn. */
async function play(path) {
  const buffer = new Uint8Array(CHUNK + 65536);
  const fd = openSync(path, 'r');
  let held = 0;
  for (;;) {
    const got = readSync(fd, buffer, held, CHUNK, null);
    const end = held + got;
    let at = 0;
    for (;;) {
      const next = feed(buffer, at, end);
      const stuck = next === at;
      at = next;
      await turn();
      if (stuck) break;
    }
    buffer.copyWithin(0, at, end);
    held = end - at;
    if (got === 0) break;
  }
  closeSync(fd);
}

/** Until then the code for changed routes, never run before, is compiled: 3 s. */
const WARM_STEPS = 30;

/** Feeds messages at a pace of 10,000 routes a second, as a thousand each 100 ms; reports how late each was. */
async function churn(path) {
  const bytes = readFileSync(path);
  const late = [];
  let before = process.cpuUsage();
  let measured = performance.now();
  const start = measured;
  let at = 0;
  for (let step = 0; at < bytes.length; step++) {
    const begin = performance.now();
    if (step === WARM_STEPS) {
      before = process.cpuUsage();
      measured = begin;
    }
    // A hundred messages of ten routes, as perf/bgp.ts writes them.
    for (let message = 0; message < 100 && at < bytes.length; message++) {
      const length = (bytes[at + 16] << 8) | bytes[at + 17];
      rib.update(1, bytes, at + 19, at + length);
      at += length;
    }
    while (!rib.idle) await turn();
    late.push(performance.now() - begin);
    const next = start + (step + 1) * 100;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, next - performance.now())));
  }
  const used = process.cpuUsage(before);
  const wallSeconds = (performance.now() - measured) / 1000;
  late.sort((a, b) => a - b);
  return {
    cpuShare: (used.user + used.system) / 1e6 / wallSeconds,
    wallSeconds,
    late99Ms: late[Math.floor(late.length * 0.99)],
  };
}

async function playFiles() {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const begin = performance.now();
  await play(file);
  while (!rib.idle) await turn();
  const cpu = process.cpuUsage();
  delay.disable();
  const loaded = {
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
    wallSeconds: (performance.now() - begin) / 1000,
    peakRssMiB: process.resourceUsage().maxRSS / 1024,
    longestTurnMs: longest,
    eventLoopDelayMaxMs: delay.max / 1e6,
    fibRoutes: fib.routes,
    counts: rib.counts(),
  };
  const changed = churnFile === undefined ? undefined : await churn(churnFile);
  process.stdout.write(`${JSON.stringify({ ...loaded, churn: changed })}\n`);
  process.exit(0);
}

/** One session, as much of the protocol as the feeder needs: OPEN, KEEPALIVE, UPDATEs. */
function listen() {
  const OPEN = 1;
  const UPDATE = 2;
  createServer((socket) => {
    // Not a Buffer: its slice() would share memory.
    const buffer = new Uint8Array(CHUNK + 65536);
    let held = 0;
    const message = (type, at, length) => {
      if (type === OPEN) {
        // What it offers is what we have; hold time and AS are its own, the identifier is not.
        const open = buffer.slice(at, at + length);
        open[27] ^= 1;
        socket.write(open);
        socket.write(Uint8Array.of(...new Array(16).fill(255), 0, 19, 4));
      } else if (type === UPDATE) {
        const outcome = rib.update(1, buffer, at + 19, at + length);
        if (outcome.kind !== 'ok') throw new Error(JSON.stringify(outcome));
      }
    };
    const parse = () => {
      const begin = performance.now();
      let at = 0;
      for (let count = 1; held - at >= 19; count++) {
        const length = (buffer[at + 16] << 8) | buffer[at + 17];
        if (held - at < length) break;
        message(buffer[at + 18], at, length);
        at += length;
        if (count % 8 === 0 && performance.now() - begin > TURN_MS) break;
      }
      buffer.copyWithin(0, at, held);
      held -= at;
      return at > 0 && held >= 19;
    };
    let pumping = false;
    const pump = () => {
      pumping = parse();
      if (pumping) setImmediate(pump);
      else read();
    };
    const read = () => {
      if (pumping) return;
      const data = socket.read(Math.min(socket.readableLength, CHUNK));
      if (data === null) return;
      buffer.set(data, held);
      held += data.length;
      pump();
    };
    socket.on('readable', read);
  }).listen(179, file);
}

if (listening) listen();
else await playFiles();
