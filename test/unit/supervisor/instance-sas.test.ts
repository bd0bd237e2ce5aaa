// SPDX-License-Identifier: Apache-2.0
/** What an SA that comes up costs beside many tunnels: counted by what is asked for and written. */
import { mkdtempSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Config } from '../../../src/config/types.js';
import type { SaRow, Tables } from '../../../src/forwarding/addon/api.js';
import { loadAddon } from '../../../src/forwarding/addon/load.js';
import type { TunnelModel } from '../../../src/forwarding/model.js';
import type { TunnelSa } from '../../../src/forwarding/overlay.js';
import { formatAddress, parseAddress } from '../../../src/lib/ip.js';
import { createLogger } from '../../../src/lib/log.js';
import { bgpKey, tunnelSaKey } from '../../../src/supervisor/ike-sa-row.js';
import { Instance } from '../../../src/supervisor/instance.js';
import { makePlan, readMemory } from '../../../src/supervisor/plan.js';
import { instancePaths } from '../../../src/supervisor/paths.js';
import { SaRows } from '../../../src/supervisor/sa-rows.js';
import { TunnelSet } from '../../../src/vpn/tunnel-set.js';
import { mac } from '../forwarding/fixture.js';
import { espOverhead } from '../../../src/lib/esp-suites.js';

const MANY = 300;
const bytes = (text: string): Uint8Array => parseAddress(text)!;
const LOCAL = bytes('192.0.2.1');
const VIA = bytes('198.51.100.2');
const remoteAt = (n: number): Uint8Array => Uint8Array.of(10, 64, n >> 8, n & 255);
const CONFIG: Config = {
  instance: 'pe1',
  ownSp: 'own',
  core: { tunnelAddresses: ['192.0.2.1'] },
  interfaces: {
    core0: { role: 'core', device: { kernel: 'wan' }, addresses: ['198.51.100.1/30'] },
  },
};

let folder: string;
let tables: Tables;
let rows: SaRows;
let tunnels: TunnelSet;
let instance: Instance;
/** By tunnel name. */
let states: Map<string, TunnelSa>;
/** What was asked of others and written, by its name. */
let counts: Map<string, number>;
let told: string[];
let now: number;
const count = (what: string, by = 1): void => {
  counts.set(what, (counts.get(what) ?? 0) + by);
};
const nothing = async (): Promise<void> => Promise.resolve();

function countedTables(): Tables {
  const real = loadAddon().openTables({ tables: `${folder}/tables`, state: `${folder}/state` });
  return new Proxy(real, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      const bound = value.bind(target) as (...rest: unknown[]) => unknown;
      return name === 'setNexthop'
        ? (...rest: unknown[]) => (count('rows'), bound(...rest))
        : bound;
    },
  });
}

function makeInstance(): Instance {
  const route = { interface: 'core0', nextHop: VIA, metric: 1 } as const;
  let followed: ReadonlyMap<string, TunnelModel> = new Map();
  const kernelPort = {
    ...{ deafen: nothing, apply: nothing, retire: nothing },
    followTunnels: async (all: ReadonlyMap<string, TunnelModel>): Promise<void> => {
      followed = all;
      return nothing();
    },
    workerQueue: () => 3,
    neighbours: () => [{ interface: 'core0', address: VIA, mac: mac(9) }],
    neighbourMac: () => (count('macs'), mac(9)),
    coreRoutes: () => {
      count('all routes');
      return new Map([...followed.keys()].map((name) => [name, route]));
    },
    coreRoute: (name: string) => (count('routes'), followed.has(name) ? route : undefined),
    kernelRoutes: () => new Map(),
  };
  const worker = {
    ...{ raise: nothing, start: nothing, reserveLabels: nothing, detachInterface: nothing },
    ...{ macs: new Map([['kernel wan@', mac(1)]]), attached: new Set<number>() },
    attachInterface: nothing,
  };
  const ike = {
    apply: nothing,
    want: () => undefined,
    states: (of: Iterable<TunnelModel>) => {
      const all = [...of];
      count('states', all.length);
      return new Map(all.flatMap(({ name }) => [[name, states.get(name)!] as const]));
    },
  };
  const bgp = {
    ...{ restarting: false, gateways: () => [], apply: () => undefined },
    refresh: () => {
      count('refreshes');
    },
    tunnelsChanged: (remotes: Iterable<string>) => told.push(...remotes),
  };
  return new Instance({
    ...{ tables, kernelPort, worker, ike, bgp, tunnels },
    kernel: { closeDescriptor: () => undefined },
    sas: { install: nothing, retire: () => undefined },
    saRows: { id: (way: 'in' | 'out', name: string) => rows.id(way, name), isReady: () => true },
    hostPolicies: {
      ...{
        install: () => undefined,
        retire: () => undefined,
        follow: () => {
          count('policies');
        },
      },
      followOnly: (keys: Iterable<string>) => told.push(...keys),
    },
    ...{ routeLabels: { holds: () => false, highest: 0, isAsked: () => false }, bfd: {} },
    pathMtus: { get: () => undefined, configure: () => undefined, learn: () => undefined },
    pathProbes: { configure: () => undefined },
    log: createLogger({ write: () => undefined, now: () => '' }, 'error'),
  } as never);
}

const nameAt = (n: number): string => `pe/${formatAddress(remoteAt(n))}/encrypt/gre`;
const tunnelAt = (n: number): TunnelModel => tunnels.all.get(nameAt(n))!;

function saComesUp(n: number): void {
  const spi = 1000 + n;
  const row: SaRow = {
    ...{ name: `ike/${String(n)}`, spi, algorithm: 'aes-gcm-128', encapsulation: 'gre' },
    ...{ source: LOCAL, destination: remoteAt(n), spTable: 0, replayWindow: 0, packetLimit: 0n },
  };
  const keying = new Uint8Array(20);
  keying.set([n >> 8, n & 255]);
  rows.add('out', row, keying);
  states.set(nameAt(n), {
    state: 'up',
    row: row.name,
    spi,
    esp: espOverhead(row.algorithm, false),
  });
}

const activeOf = (n: number) =>
  tables.nexthops().find(({ name }) => name === `tunnel/${nameAt(n)}`)?.active;

beforeEach(async () => {
  folder = mkdtempSync('/dev/shm/sealane-instance-sas-');
  counts = new Map();
  told = [];
  now = 0;
  tables = countedTables();
  rows = new SaRows(tables);
  tunnels = new TunnelSet({ now: () => now, changed: () => undefined });
  for (let n = 1; n <= MANY; n++) {
    tunnels.hold({ remote: remoteAt(n), protection: 'encrypt', encapsulation: 'gre' });
  }
  const pending = { state: 'pending', why: 'IKE is at it' } as const;
  states = new Map(Array.from({ length: MANY }, (_, i) => [nameAt(i + 1), pending]));
  instance = makeInstance();
  const paths = instancePaths({ ...CONFIG, stateDirectory: `${folder}/state.d` });
  const plan = makePlan(CONFIG, readMemory(paths), 0);
  await instance.apply(plan, { wanted: [] } as never, undefined, false);
});
afterEach(() => {
  tables.close();
  rmSync(folder, { recursive: true });
});

it('is one look and one row for each SA, however many tunnels there are', () => {
  expect(activeOf(1)).toMatchObject({ kind: 'drop', reason: 'sa_missing' });
  counts.clear();
  for (let n = 1; n <= MANY; n++) {
    saComesUp(n);
    instance.followSas(new Set([tunnelSaKey(tunnelAt(n))]));
    expect(instance.inForce?.overlay.nexthops.get(`tunnel/${nameAt(n)}`)?.sa).toBe('up');
  }
  for (const n of [1, 100, MANY]) {
    expect(activeOf(n)).toMatchObject({ kind: 'tunnel', header: { spi: 1000 + n } });
  }
  expect(Object.fromEntries(counts)).toEqual({
    ...{ macs: MANY, routes: MANY, states: MANY, rows: MANY },
  });
  expect(told).toHaveLength(MANY);
});

it('is one look and one row for a tunnel that comes, too', async () => {
  counts.clear();
  for (let n = MANY + 1; n <= MANY + 10; n++) {
    states.set(nameAt(n), { state: 'pending', why: 'IKE is at it' });
    tunnels.hold({ remote: remoteAt(n), protection: 'encrypt', encapsulation: 'gre' });
    await instance.retunnel();
    expect(activeOf(n)).toMatchObject({ kind: 'drop', reason: 'sa_missing' });
  }
  expect(Object.fromEntries(counts)).toEqual({ macs: 10, routes: 10, states: 10, rows: 10 });
  expect(told).toHaveLength(10);
  // One that goes takes its row along.
  tunnels.release({ remote: remoteAt(5), protection: 'encrypt', encapsulation: 'gre' });
  now = 60_000;
  tunnels.sweep();
  await instance.retunnel();
  expect(tables.nexthops().map(({ name }) => name)).not.toContain(`tunnel/${nameAt(5)}`);
  expect(counts.get('refreshes')).toBe(1);
});

it('does not forget a tunnel that a look at everything has seen before its way was looked up', async () => {
  const n = MANY + 1;
  states.set(nameAt(n), { state: 'pending', why: 'IKE is at it' });
  tunnels.hold({ remote: remoteAt(n), protection: 'encrypt', encapsulation: 'gre' });
  await instance.refresh();
  expect(activeOf(n)).toBeUndefined();
  counts.clear();
  await instance.retunnel();
  expect(activeOf(n)).toMatchObject({ kind: 'drop', reason: 'sa_missing' });
  expect(Object.fromEntries(counts)).toEqual({ macs: 1, routes: 1, states: 1, rows: 1 });
});

it('leaves nothing to do for a look at everything', async () => {
  for (const n of [1, 7, MANY]) saComesUp(n);
  instance.followSas(new Set([1, 7, MANY].map((n) => tunnelSaKey(tunnelAt(n)))));
  expect(told).toEqual([1, 7, MANY].map((n) => formatAddress(remoteAt(n))));
  const before = new Map(instance.inForce?.overlay.nexthops);
  counts.clear();
  const changes = await instance.refresh();
  expect(changes).toMatchObject({ nexthops: 0, routes: 0 });
  expect(counts.get('rows')).toBeUndefined();
  expect(instance.inForce?.overlay.nexthops).toEqual(before);
});

it('has the host policy of BGP’s SAs followed, and no other', () => {
  const remote = bytes('198.51.100.9');
  instance.followSas(new Set([bgpKey({ source: LOCAL, destination: remote }, 'to-port')]));
  expect(told).toEqual(['192.0.2.1 198.51.100.9']);
  expect(counts.get('policies')).toBeUndefined();
});
