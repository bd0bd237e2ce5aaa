// SPDX-License-Identifier: Apache-2.0
/**
 * Verdicts of `sealane explain`, for every kind of row a packet can meet; the rows are in real tables. That real
 * packets fare as explained is test/system/vpn/explain.test.ts.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deviceKey } from '../../../src/config/defaults.js';
import type { Tables, Version } from '../../../src/forwarding/addon/api.js';
import { loadAddon } from '../../../src/forwarding/addon/load.js';
import type { DesiredNexthop } from '../../../src/forwarding/rows.js';
import { ROUTE_OWNERS } from '../../../src/forwarding/addon/api.js';
import { parseAddress } from '../../../src/lib/ip.js';
import type { ExplainArrival, ExplainRow } from '../../../src/rpc/backend.js';
import { explainRoute } from '../../../src/supervisor/explain/destination.js';
import { explainLabel, type ExplainLabelSource } from '../../../src/supervisor/explain/label.js';
import { NO_SP_TABLES, SpTables } from '../../../src/vpn/sp-tables.js';

const addon = loadAddon();
const address = (text: string): Uint8Array => parseAddress(text)!;
const PORT = deviceKey({ kernel: 'wan' });
const MAC = Uint8Array.of(2, 0, 0, 0, 0, 1);
const HEADER = Uint8Array.of(...MAC, 2, 0, 0, 0, 0, 2, 8, 0);

let folder: string;
let tables: Tables;
let vrf: number;
let core: number;
let nexthops: Map<string, DesiredNexthop>;
let health: { state: 'running' | 'down'; reason: string };
let link: boolean | undefined;
let ports: Map<string, Uint8Array>;

beforeEach(() => {
  folder = mkdtempSync('/dev/shm/sealane-explain-');
  tables = addon.openTables({ tables: join(folder, 'tables'), state: join(folder, 'state') });
  vrf = tables.putVrf({
    name: 'A',
    ttlUniform: false,
    tcUniform: false,
    clampMss: false,
    hostInterface: 0,
  });
  const flags = { acceptGre: false, acceptIp: false, mplsOwnSp: false, mplsOtherSp: false };
  core = tables.putInterface({
    ...{ name: 'core0', role: 'core', vrf: 0, port: tables.portId(PORT), vlan: 0 },
    ...{ mtu: 1500, mac: MAC, ...flags },
  });
  nexthops = new Map();
  health = { state: 'running', reason: '' };
  link = true;
  ports = new Map([[PORT, MAC]]);
});
afterEach(() => {
  tables.close();
  rmSync(folder, { recursive: true });
});

const sps = SpTables.assign(NO_SP_TABLES, 'own', ['other'])!;

function source(): ExplainLabelSource {
  const config = { interfaces: { core0: { role: 'core', device: { kernel: 'wan' } } } };
  const plan = {
    config,
    sps,
    model: { transportLabels: [] },
    policy: { labels: [] },
    labelRegister: { labels: {} },
  };
  const inForce = {
    plan,
    rows: { nexthops: new Map() },
    overlay: { nexthops },
    tunnels: new Map(),
  };
  const live = { vrf: (name: string) => (name === 'A' ? vrf : undefined) };
  return {
    tables,
    instance: { inForce, reconciler: { live } },
    worker: { macs: ports, linkUp: () => link },
    routeLabels: {
      rows: () => [],
      taken: (label: number) => (label === 40_000 ? 'prefix 10.9.0.0/24 of VRF A' : undefined),
    },
    bgp: { view: () => undefined },
    ike: { manager: undefined },
    workerRows: { health: () => health },
  } as unknown as ExplainLabelSource;
}

function route(prefix: string, length: number, version: Version | undefined, why = ''): void {
  const name = `ce/A/x/${prefix}`;
  const nexthop = tables.nexthop(name);
  tables.setNexthop(nexthop, version);
  nexthops.set(name, { name, version: undefined, why });
  const bytes = address(prefix);
  tables.applyRoutes({
    ...{ vrf, family: bytes.length === 4 ? 4 : 6, count: 1, remove: Uint8Array.of(0) },
    ...{ addresses: bytes, lengths: Uint8Array.of(length), nexthops: Uint32Array.of(nexthop) },
    ...{ labels: Uint32Array.of(0), accepts: Uint16Array.of(0) },
    owners: Uint8Array.of(ROUTE_OWNERS.indexOf('static') + 1),
  });
}

const explain = (to: string): ExplainRow[] =>
  explainRoute(source(), { vrf: 'A', address: address(to) });
const verdict = (to: string): ExplainRow | undefined => explain(to).at(-1);

const tunnel = (sa: number): Version => ({
  ...{ kind: 'tunnel', interface: core, protection: sa === 0 ? 'tunnel' : 'encrypt' },
  ...{ encapsulation: 'gre', mtu: 1400, sa, dscpCopy: false, ecnCopy: false },
  header: {
    ...{ ethernet: HEADER, source: address('192.0.2.1'), destination: address('192.0.2.2') },
    ...{ ttl: 64, dscp: 0, flowLabel: 0, ...(sa === 0 ? {} : { spi: 0x12345678 }) },
  },
});

describe('a destination', () => {
  it.each([
    ['224.0.0.5', '', true],
    ['255.255.255.255', '', true],
    ['fe80::1', '', true],
    ['ff02::5', '', true],
    ['239.1.2.3', 'ip_multicast', false],
    ['ff0e::1', 'ip_multicast', false],
    ['0.1.2.3', 'ip_destination', false],
    ['127.0.0.1', 'ip_destination', false],
    ['240.0.0.1', 'ip_destination', false],
    ['::1', 'ip_destination', false],
    ['10.0.0.1', 'no_route', false],
    ['2001:db8::1', 'no_route', false],
  ])('%s without any route', (to, drop, ok) => {
    expect(verdict(to)).toMatchObject({ step: 'verdict', drop, ok });
  });

  it.each([
    [{ kind: 'drop', reason: 'blackhole', icmpUnreachable: false }, 'blackhole', false],
    [{ kind: 'drop', reason: 'unreachable', icmpUnreachable: true }, 'unreachable', false],
    [{ kind: 'drop', reason: 'sa_missing', icmpUnreachable: false }, 'sa_missing', false],
    [{ kind: 'receive' }, '', true],
    [{ kind: 'glean' }, 'neighbour_pending', false],
    [{ kind: 'adjacency' }, '', true],
  ] as const)('by %j', (what, drop, ok) => {
    const common = {
      vrf,
      interface: core,
      mtu: 1500,
      neighbour: address('10.0.0.1'),
      header: HEADER,
    };
    route('10.0.0.0', 24, { ...common, ...what }, 'because of the weather');
    const last = verdict('10.0.0.9');
    expect(last).toMatchObject({ step: 'verdict', drop, ok });
    if (drop === 'sa_missing') expect(last?.why).toBe('because of the weather');
  });

  it('finds the longest prefix, as the worker does', () => {
    route('10.0.0.0', 8, { kind: 'drop', vrf, reason: 'blackhole', icmpUnreachable: false });
    route('10.1.0.0', 16, undefined, 'no neighbour answers');
    expect(verdict('10.2.0.1')?.drop).toBe('blackhole');
    const last = verdict('10.1.0.1');
    expect(last).toMatchObject({ drop: 'nexthop_unusable', why: 'no neighbour answers' });
  });

  it('goes into a tunnel in clear, and no further than its interface', () => {
    route('10.0.0.0', 24, tunnel(0));
    expect(verdict('10.0.0.9')).toMatchObject({ ok: true, what: 'goes out by core0' });
    link = false;
    expect(verdict('10.0.0.9')).toMatchObject({
      ok: false,
      drop: '',
      why: 'the link of core0 is down',
    });
    ports.clear();
    expect(verdict('10.0.0.9')).toMatchObject({ ok: false, drop: 'tx_no_port' });
  });

  it('does not go through an SA that the worker has not installed', () => {
    const ends = { source: address('192.0.2.1'), destination: address('192.0.2.2') };
    const key = new Uint8Array(20).fill(7);
    const sa = tables.addSa(
      'out',
      {
        ...{ name: 'sa', spi: 0x12345678, algorithm: 'aes-gcm-128', application: 'vpn' },
        ...{ encapsulation: 'gre', spTable: 0, replayWindow: 0, packetLimit: 0n, ...ends },
      },
      key,
    );
    route('10.0.0.0', 24, tunnel(sa));
    const rows = explain('10.0.0.9');
    expect(rows.find(({ step }) => step === 'SA')).toMatchObject({
      ok: false,
      drop: 'sa_not_ready',
    });
    expect(rows.at(-1)).toMatchObject({ step: 'verdict', ok: false, drop: 'sa_not_ready' });
  });

  it('goes nowhere while no worker runs', () => {
    route('10.0.0.0', 24, { kind: 'receive', vrf, interface: core });
    health = { state: 'down', reason: 'it has just ended' };
    expect(explain('10.0.0.9').map(({ step, ok }) => [step, ok])).toEqual([
      ['destination', undefined],
      ['worker', false],
      ['verdict', false],
    ]);
  });
});

describe('a label', () => {
  const ask = (label: number, arrival?: ExplainArrival): ExplainRow[] =>
    explainLabel(source(), { label, arrival });
  const came = (protection: ExplainArrival['protection'], sp = ''): ExplainArrival => ({
    ...{ protection, encapsulation: protection === 'mpls' ? 'none' : 'gre', sp },
  });
  beforeEach(() => {
    const secured = [{ protection: 'encrypt', encapsulation: 'gre', sps: [1] }] as const;
    const accept = tables.acceptSet({ secured, clear: ['mpls-own-sp'] });
    tables.setLabel({ label: 1001, action: 'vrf', target: vrf, accept });
  });

  it.each([
    [came('encrypt'), '', true],
    [came('encrypt', 'own'), '', true],
    [came('encrypt', 'other'), 'label_wrong_sp', false],
    [came('authenticate'), 'label_wrong_protection', false],
    [{ ...came('encrypt'), encapsulation: 'ip' as const }, 'label_wrong_encap', false],
    [came('tunnel'), 'gre_clear', false],
    [came('mpls'), 'mpls_not_accepted', false],
  ])('that comes as %j', (arrival, drop, ok) => {
    expect(ask(1001, arrival).at(-1)).toMatchObject({ step: 'verdict', drop, ok });
  });

  it('is asked for on the interfaces that let it in', () => {
    const [row] = tables.interfaces().filter(({ name }) => name === 'core0');
    tables.putInterface({ ...row!, acceptGre: true, mplsOwnSp: true });
    expect(ask(1001, came('tunnel')).at(-1)?.drop).toBe('label_protected');
    expect(ask(1001, came('mpls')).at(-1)).toMatchObject({ ok: true, drop: '' });
  });

  it('shows every arrival of every SP, and no verdict unless asked', () => {
    const rows = ask(1001);
    const arrivals = rows.filter(({ step }) => step === 'arrival');
    expect(arrivals).toHaveLength(2 * 4 + 3);
    expect(arrivals.filter(({ ok }) => ok === true).map(({ what }) => what)).toEqual([
      'encrypt, MPLS-in-GRE, from SP own',
    ]);
    expect(rows.some(({ step }) => step === 'verdict')).toBe(false);
  });

  it('of option B is accepted on its interface alone', () => {
    const [row] = tables.interfaces().filter(({ name }) => name === 'core0');
    for (const name of ['other1', 'other2']) {
      tables.putInterface({ ...row!, name, mplsOtherSp: true });
    }
    const accept = tables.acceptSet({ secured: [], clear: [], mplsInterface: 'other1' });
    tables.setLabel({ label: 1003, action: 'vrf', target: vrf, accept });
    const rows = ask(1003).filter(({ what }) => what.includes('another SP'));
    expect(rows.map(({ what, ok, drop }) => [what, ok, drop])).toEqual([
      ['plain MPLS of another SP on other1', true, ''],
      ['plain MPLS of another SP on other2', false, 'label_not_advertised'],
    ]);
  });

  it('that means nothing says what it meant', () => {
    const rows = ask(40_000);
    expect(rows[0]?.why).toBe('in quarantine; it meant: prefix 10.9.0.0/24 of VRF A');
    expect(rows.at(-1)).toMatchObject({ ok: false, drop: 'label_unknown' });
    expect(ask(3).at(0)?.why).toMatch(/reserved/);
    expect(ask(40_000, came('tunnel')).at(-1)?.drop).toBe('gre_clear');
  });

  it('that leads to a CE goes on to that CE', () => {
    const nexthop = tables.nexthop('ce/A/x/10.0.0.1');
    tables.setLabel({
      label: 1002,
      action: 'nexthop',
      target: nexthop,
      accept: tables.labelRow(1001)!.accept,
    });
    expect(ask(1002, came('encrypt')).at(-1)).toMatchObject({
      ok: false,
      drop: 'nexthop_unusable',
    });
  });

  it('of an SP that is not known is refused', () => {
    expect(() => ask(1001, came('encrypt', 'nobody'))).toThrow('SP "nobody" has no label table');
  });
});
