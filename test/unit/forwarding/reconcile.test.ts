import { mkdtempSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LONGEST } from '../../../src/config/common-schema.js';
import type { Config } from '../../../src/config/types.js';
import type { Tables } from '../../../src/forwarding/addon/api.js';
import { loadAddon } from '../../../src/forwarding/addon/load.js';
import type { Facts, Overlay } from '../../../src/forwarding/overlay.js';
import { noChanges, Reconciler, type Changes } from '../../../src/forwarding/reconcile.js';
import type { DesiredRows } from '../../../src/forwarding/rows.js';
import { BASE, bytes, FACTS, mac, project } from './fixture.js';

/** The real tables; what the packet path finds is asked by the same lookup code. */
let folder: string;
let tables: Tables;
beforeEach(() => {
  folder = mkdtempSync('/dev/shm/sealane-reconcile-');
  tables = open();
});
afterEach(() => {
  tables.close();
  rmSync(folder, { recursive: true });
});

function open(): Tables {
  return loadAddon().openTables({ tables: `${folder}/tables`, state: `${folder}/state` });
}

/** t4 has an SA that only a worker could make ready, so tunnels here go without IPsec. */
const PLAIN: Config = {
  ...BASE,
  tunnels: {
    ...BASE.tunnels,
    t4: { ...BASE.tunnels!['t4']!, protection: 'tunnel', sa: undefined },
  },
} as unknown as Config;

const run = (work: Generator<void>): void => {
  while (work.next().done !== true);
};

class Live {
  readonly tables: Tables;
  readonly reconciler: Reconciler;
  rows: DesiredRows | undefined;
  overlay: Overlay | undefined;

  constructor(of: Tables) {
    this.tables = of;
    this.reconciler = new Reconciler(of, () => undefined);
  }

  apply(config: Config, facts: Facts = FACTS): Changes {
    const { rows, overlay } = project(config, facts);
    const changes = noChanges();
    this.reconciler.prepare(rows, changes);
    run(this.reconciler.publish(rows, overlay, changes));
    run(this.reconciler.retire(rows, overlay, changes));
    this.reconciler.retireInterfaces(rows, changes);
    Object.assign(this, { rows, overlay });
    return changes;
  }

  /** Only the network has changed. */
  refresh(config: Config, facts: Facts): Changes {
    const { overlay } = project(config, facts);
    const changes = noChanges();
    run(this.reconciler.publishOverlay(this.rows!, this.overlay, overlay, changes));
    this.overlay = overlay;
    return changes;
  }

  /** Next hop by name, label and owner that a packet in the VRF would find. */
  find(vrf: string, address: string): string {
    const id = this.reconciler.live.vrf(vrf)!;
    const row = this.tables.lookup(id, bytes(address));
    if (row === undefined) return 'none';
    const name = this.tables.nexthops().find((n) => n.id === row.nexthop)!.name;
    return `${name} ${row.label} ${row.owner}`;
  }

  active(name: string) {
    return this.tables.nexthops().find((n) => n.name === name)?.active;
  }
}

/** Everything live, in words, ids left out. */
function dump(of: Tables): string[] {
  const hops = new Map(of.nexthops().map((n) => [n.id, n]));
  const show = (value: unknown) =>
    JSON.stringify(value, (_, v: unknown) =>
      v instanceof Uint8Array ? Buffer.from(v).toString('hex') : v,
    );
  return [
    ...of.vrfs().map((v) => `vrf ${v.name}`),
    ...of.interfaces().map((i) => `interface ${i.name} ${i.port} ${i.vlan}`),
    ...[...hops.values()].map((n) => `nexthop ${n.name} ${n.active?.kind ?? 'unusable'}`),
    ...of.labels().map((l) => `label ${l.label} ${l.action}`),
    ...of
      .vrfs()
      .flatMap((v) =>
        ([4, 6] as const).flatMap((family) =>
          of
            .routes(v.id, family)
            .map(
              (r) =>
                `route ${v.name} ${show(r.address)}/${r.length} ${hops.get(r.nexthop)!.name} ${r.label} ${r.owner}`,
            ),
        ),
      ),
  ].sort();
}

const NOTHING = noChanges();

describe('from nothing', () => {
  it('makes what was projected, so that lookups find it', () => {
    const live = new Live(tables);
    live.apply(PLAIN);
    expect(live.find('A', '10.1.0.1')).toBe('local/A/ce-a 0 local');
    expect(live.find('A', '10.1.0.7')).toBe('ce/A/ce-a/10.1.0.7 0 neighbour');
    expect(live.find('A', '10.1.0.9')).toBe('glean/ce-a 0 connected');
    expect(live.find('A', '10.7.1.1')).toBe('ce/A/ce-a/10.1.0.7 0 static');
    expect(live.find('A', '10.2.0.9')).toBe('tunnel/t4 2001 static');
    expect(live.find('B', '10.2.0.9')).toBe('tunnel/t6 2002 static');
    expect(live.find('C', '10.1.0.9')).toBe('glean/ce-a 0 connected');
    expect(live.find('C', '10.2.0.9')).toBe('none');
    expect(live.find('A', '10.66.1.1')).toBe('discard/A/unreachable 0 static');
    expect(live.find('', '192.0.2.1')).toBe('local/ 0 local');
    expect(live.active('tunnel/t4')).toMatchObject({ kind: 'tunnel', mtu: 1472, sa: 0 });
    expect(live.active('ce/A/ce-a/10.1.0.7')).toMatchObject({ kind: 'adjacency', mtu: 1400 });
    const host = tables.vrfs().find(({ name }) => name === 'A')!.hostInterface;
    expect(tables.interfaces().find(({ id }) => id === host)).toMatchObject({
      name: 'host/A',
      role: 'host',
    });
    const label = tables.labels().find(({ label: value }) => value === 1001)!;
    const accept = tables.acceptSets().find(({ id }) => id === label.accept)!;
    expect(accept.clear).toEqual([]);
    expect(accept.secured.map(({ protection, sps }) => [protection, sps])).toEqual([
      ['encrypt', [1]],
      ['encrypt', [1]],
    ]);
  });

  it('has room for the longest names a configuration may hold', () => {
    const vrf = 'v'.repeat(LONGEST.entity);
    const name = 'i'.repeat(LONGEST.interface);
    const gateway = '2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff';
    const ce = { ...BASE.interfaces['ce-a']!, vrf, addresses: ['2001:db8:aaaa:bbbb::1/64'] };
    const config = {
      ...BASE,
      interfaces: { core0: BASE.interfaces['core0'], [name]: ce },
      vrfs: { [vrf]: { routes: [{ prefix: '2001:db8:7::/48', via: gateway }] } },
      tunnels: {},
    } as unknown as Config;
    const neighbours = [{ interface: name, address: bytes(gateway), mac: mac(7) }];
    const live = new Live(tables);
    live.apply(config, { ...FACTS, neighbours });
    expect(live.active(`ce/${vrf}/${name}/${gateway}`)).toMatchObject({ kind: 'adjacency' });
  });

  it('a second time writes nothing', () => {
    const live = new Live(tables);
    expect(live.apply(PLAIN).routes).toBeGreaterThan(10);
    expect(live.apply(PLAIN)).toEqual(NOTHING);
    expect(live.refresh(PLAIN, FACTS)).toEqual(NOTHING);
  });
});

describe('a change touches what it is about', () => {
  it('one route', () => {
    const live = new Live(tables);
    live.apply(PLAIN);
    const before = dump(tables);
    const routes = [
      ...PLAIN.vrfs!['B']!.routes!,
      { prefix: '10.3.0.0/16', tunnel: 't6', label: 2002 },
    ];
    const more = { ...PLAIN, vrfs: { ...PLAIN.vrfs, B: { ...PLAIN.vrfs!['B'], routes } } };
    expect(live.apply(more)).toEqual({ ...NOTHING, routes: 1 });
    expect(dump(tables).filter((row) => !before.includes(row))).toEqual([
      'route B "0a030000"/16 tunnel/t6 2002 static',
    ]);
    expect(live.apply(PLAIN)).toEqual({ ...NOTHING, routes: 1 });
    expect(dump(tables)).toEqual(before);
  });

  it('a rerouted core: one row per tunnel, no route (P11)', () => {
    const live = new Live(tables);
    live.apply(PLAIN);
    const neighbours = [
      ...FACTS.neighbours,
      { interface: 'core0', address: bytes('198.51.100.3'), mac: mac(0x13) },
    ];
    const coreRoutes = new Map(FACTS.coreRoutes);
    coreRoutes.set('t4', { interface: 'core0', nextHop: bytes('198.51.100.3'), metric: 5 });
    expect(live.refresh(PLAIN, { ...FACTS, neighbours, coreRoutes })).toEqual({
      ...NOTHING,
      nexthops: 1,
    });
    const version = live.active('tunnel/t4')!;
    expect(version.kind === 'tunnel' && version.header.ethernet.slice(0, 6)).toEqual(mac(0x13));
  });

  it('a neighbour that changes its MAC address: one row', () => {
    const live = new Live(tables);
    live.apply(PLAIN);
    const neighbours = FACTS.neighbours.map((n) =>
      n.interface === 'ce-b' ? { ...n, mac: mac(0x77) } : n,
    );
    expect(live.refresh(PLAIN, { ...FACTS, neighbours })).toEqual({ ...NOTHING, nexthops: 1 });
  });

  it('a neighbour that goes: its routes fall back to the subnet, in every VRF that had them', () => {
    const live = new Live(tables);
    live.apply(PLAIN);
    const neighbours = FACTS.neighbours.filter((n) => n.interface !== 'ce-a');
    const changes = live.refresh(PLAIN, { ...FACTS, neighbours });
    // 10.1.0.7 and 2001:db8:a::9, each in A and in C; 10.1.0.7 stays as a gateway, unusable.
    expect(changes).toEqual({ ...NOTHING, routes: 4, nexthops: 2 });
    expect(live.find('A', '10.1.0.7')).toBe('glean/ce-a 0 connected');
    expect(live.find('C', '10.1.0.7')).toBe('glean/ce-a 0 connected');
    expect(live.find('A', '10.7.1.1')).toBe('ce/A/ce-a/10.1.0.7 0 static');
    expect(live.active('ce/A/ce-a/10.1.0.7')).toBeUndefined();
    expect(live.find('B', '10.1.0.7')).toBe('ce/B/ce-b/10.1.0.7 0 neighbour');
    live.refresh(PLAIN, FACTS);
    expect(live.find('A', '10.1.0.7')).toBe('ce/A/ce-a/10.1.0.7 0 neighbour');
  });

  it('a borrowed route gives way to a neighbour of the VRF and comes back after it', () => {
    const vrfs = { ...PLAIN.vrfs, B: { ...PLAIN.vrfs!['B'], importsFrom: ['A'] } };
    const config = { ...PLAIN, vrfs } as Config;
    const live = new Live(tables);
    live.apply(config);
    expect(live.find('B', '10.1.0.7')).toBe('ce/B/ce-b/10.1.0.7 0 neighbour');
    const neighbours = FACTS.neighbours.filter((n) => n.interface !== 'ce-b');
    live.refresh(config, { ...FACTS, neighbours });
    expect(live.find('B', '10.1.0.7')).toBe('ce/A/ce-a/10.1.0.7 0 neighbour');
  });

  it('an interface that becomes another (VLAN): new row, old one gone, routes follow', () => {
    const live = new Live(tables);
    live.apply(PLAIN);
    const before = live.reconciler.live.interface('ce-a')!;
    const interfaces = { ...PLAIN.interfaces, 'ce-a': { ...PLAIN.interfaces['ce-a']!, vlan: 30 } };
    live.apply({ ...PLAIN, interfaces });
    const now = live.reconciler.live.interface('ce-a')!;
    expect(tables.interfaces().filter(({ name }) => name === 'ce-a')).toMatchObject([
      { id: now, vlan: 30 },
    ]);
    expect(live.active('glean/ce-a')).toMatchObject({ interface: now });
    expect(now).not.toBe(before);
  });

  it('an interface in a service VLAN: a row of its own, whose next hops have both tags', () => {
    const live = new Live(tables);
    live.apply(PLAIN);
    const before = live.reconciler.live.interface('ce-b')!;
    const from = PLAIN.interfaces['ce-b']!;
    for (const [serviceTag, type] of [
      [undefined, 0x88a8],
      ['802.1q', 0x8100],
    ] as const) {
      const tagged = { ...from, serviceVlan: 100, ...(serviceTag && { serviceTag }) };
      live.apply({ ...PLAIN, interfaces: { ...PLAIN.interfaces, 'ce-b': tagged } });
      const now = live.reconciler.live.interface('ce-b')!;
      expect(now).not.toBe(before);
      expect(tables.interfaces().filter(({ name }) => name === 'ce-b')).toMatchObject([
        { id: now, vlan: 20, serviceTag: { vlan: 100, type } },
      ]);
      const next = live.active('ce/B/ce-b/10.1.0.7');
      if (next?.kind !== 'adjacency') throw new Error('no adjacency');
      const tags = `${type.toString(16)}0064810000140800`;
      expect(Buffer.from(next.header).toString('hex').slice(24)).toBe(tags);
    }
  });

  it('a VRF that goes takes everything of it, and nothing else', () => {
    const live = new Live(tables);
    const { A, C } = PLAIN.vrfs!;
    const { core0, 'ce-a': a } = PLAIN.interfaces;
    const without = {
      ...PLAIN,
      vrfs: { A, C },
      interfaces: { core0, 'ce-a': a },
      tunnels: { t4: PLAIN.tunnels!['t4'] },
    } as Config;
    live.apply(without);
    const expected = dump(tables);
    live.apply(PLAIN);
    expect(dump(tables)).not.toEqual(expected);
    live.apply(without);
    expect(dump(tables)).toEqual(expected);
  });
});

describe('after a restart', () => {
  it('recognises everything: routes are confirmed, nothing is written', () => {
    new Live(tables).apply(PLAIN);
    const before = dump(tables);
    tables.close();
    tables = open();
    expect(tables.attached).toBe('reattached');
    const stale = tables.routes(1, 4).filter((route) => route.stale).length;
    expect(stale).toBeGreaterThan(0);
    const changes = new Live(tables).apply(PLAIN);
    expect(changes).toEqual({ ...NOTHING, confirmed: changes.confirmed });
    expect(changes.confirmed).toBeGreaterThan(10);
    expect(dump(tables)).toEqual(before);
    expect(
      tables
        .vrfs()
        .flatMap(({ id }) => tables.routes(id, 4))
        .some((route) => route.stale),
    ).toBe(false);
  });

  it('removes what is wanted no more, also when it was killed half way through a change', () => {
    const first = new Live(tables);
    first.apply(PLAIN);
    const expected = dump(tables);
    const routes = [{ prefix: '10.99.0.0/16', discard: 'silent' as const }];
    const { rows, overlay } = project({ ...PLAIN, vrfs: { ...PLAIN.vrfs, D: { routes } } });
    first.reconciler.prepare(rows, noChanges());
    const half = first.reconciler.publish(rows, overlay, noChanges());
    half.next();
    tables.close();
    tables = open();
    new Live(tables).apply(PLAIN);
    expect(dump(tables)).toEqual(expected);
  });
});

it('yields between batches of many routes, and applies them all', () => {
  const routes = Array.from({ length: 10_000 }, (_, i) => ({
    prefix: `172.${16 + (i >> 12)}.${(i >> 4) & 255}.${(i & 15) << 4}/28`,
    ...{ tunnel: 't6', label: 2002 },
  }));
  const many = { ...PLAIN, vrfs: { ...PLAIN.vrfs, B: { routes } } };
  const { rows, overlay } = project(many);
  const reconciler = new Reconciler(tables, () => undefined);
  reconciler.prepare(rows, noChanges());
  let yields = 0;
  const publishing = reconciler.publish(rows, overlay, noChanges());
  while (publishing.next().done !== true) yields++;
  expect(yields).toBeGreaterThanOrEqual(5);
  expect(tables.routeCount(reconciler.live.vrf('B')!, 4)).toBeGreaterThan(10_000);
});
