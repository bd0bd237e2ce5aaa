// SPDX-License-Identifier: Apache-2.0
/** Rows of before a restart under another configuration (policy-model 25); the rows are in real tables. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BgpImportRule, BgpNeighbour, Config } from '../../../../src/config/types.js';
import type { AcceptSet, NexthopRow, Tables } from '../../../../src/forwarding/addon/api.js';
import { forwardingModel } from '../../../../src/forwarding/model.js';
import { columns } from '../../../../src/forwarding/route-batch.js';
import { parseAddress } from '../../../../src/lib/ip.js';
import {
  forbiddenSwaps,
  KeptRows,
  removeForbiddenRoutes,
} from '../../../../src/vpn/bgp/kept-rows.js';
import { NO_SP_TABLES, SpTables } from '../../../../src/vpn/sp-tables.js';
import { Segments, vrf as putVrf } from '../../addon/helpers.js';

const sps = SpTables.assign(NO_SP_TABLES, 'own', ['b'])!;
const bytes = (text: string): Uint8Array => parseAddress(text)!;

interface Parts {
  readonly imports?: readonly Partial<BgpImportRule>[];
  readonly neighbour?: Partial<BgpNeighbour>;
  readonly tunnels?: Config['tunnels'];
}

function config({ imports = [{}], neighbour = {}, tunnels }: Parts = {}): Config {
  const anchors = { root: { file: '/ca.pem' } };
  return {
    ...{ instance: 'pe', ownSp: 'own', otherSps: ['b'], interfaces: {} },
    core: { tunnelAddresses: ['192.0.2.1'] },
    ike: {
      credentials: { own: { certificate: '/pe.pem', key: '/pe.key' } },
      providers: {
        own: { ranges: ['192.0.2.0/24'], anchors },
        b: { ranges: ['198.51.100.0/24'], anchors },
      },
    },
    ...(tunnels && { tunnels }),
    bgp: {
      ...{ asn: 65001, routerId: '192.0.2.1' },
      neighbours: { '198.51.100.9': { asn: 65002, sp: 'b', ...neighbour } },
    },
    vrfs: {
      A: {
        bgp: {
          rd: '65001:1',
          imports: imports.map((rule, i) => ({ name: `r${i}`, targets: [`1:${i}`], ...rule })),
        },
      },
    },
  };
}

function without(from: Config, part: 'ike' | 'bgp'): Config {
  const rest = { ...from };
  Reflect.deleteProperty(rest, part);
  return rest;
}

const judge = (now: Config, before: Config | undefined): KeptRows =>
  new KeptRows({ config: now, model: forwardingModel(now), sps, before });

const hop = (name: string, active?: NexthopRow['active']): NexthopRow => ({
  ...{ id: 1, name, version: 1 },
  ...(active && { active }),
});
const ENCRYPT = 'tunnel/pe/192.0.2.2/encrypt/gre';
const AUTHENTICATE = 'tunnel/pe/192.0.2.2/authenticate/gre';
const CLEAR = 'tunnel/pe/192.0.2.2/tunnel/gre';
const PLAIN = 'tunnel/pe/192.0.2.2/mpls/none';
const OTHER = 'tunnel/pe/198.51.100.2/authenticate/gre';

/** Which of the rows in VRF A may go on. */
const kept = (now: Config, before?: Config): string[] =>
  [ENCRYPT, AUTHENTICATE, CLEAR, PLAIN, OTHER].filter((name) =>
    judge(now, before).route('A', hop(name)),
  );

describe('a row of BGP from before a restart', () => {
  it('goes on when some route could be sent so, whatever it signals', () => {
    expect(kept(config(), config())).toEqual([ENCRYPT, AUTHENTICATE, CLEAR, PLAIN]);
    expect(kept(config({ imports: [{ fromSps: ['own', 'b'] }] }))).not.toContain(OTHER);
    const floor = 'authenticate';
    expect(kept(config({ imports: [{ fromSps: ['own', 'b'], floor }] }))).toEqual([
      ...[ENCRYPT, AUTHENTICATE, OTHER],
    ]);
  });

  it('stops below a higher floor, and by what the rule does not use any more', () => {
    expect(kept(config({ imports: [{ floor: 'tunnel' }] }), config())).not.toContain(PLAIN);
    expect(kept(config({ imports: [{ floor: 'encrypt' }] }), config())).toEqual([ENCRYPT]);
    const imports = [{ protections: ['encrypt' as const], unsignalled: 'encrypt' as const }];
    expect(kept(config({ imports }), config())).toEqual([ENCRYPT]);
  });

  it('stops where the next hop is not believed or cannot be reached so any more', () => {
    expect(kept(config({ imports: [{ fromSps: ['b'] }] }), config())).toEqual([]);
    const withoutIke = without(config(), 'ike');
    // Without ranges everybody is of the own SP.
    expect(kept(withoutIke, config())).not.toContain(ENCRYPT);
    expect(kept({ ...config(), vrfs: { A: {} } }, config())).toEqual([]);
  });

  it('needs every rule to allow it once the rules are not what they were', () => {
    const rules = [{ floor: 'encrypt' as const }, {}];
    const now = config({ imports: rules });
    expect(kept(now, now)).toEqual([ENCRYPT, AUTHENTICATE, CLEAR, PLAIN]);
    expect(kept(now, config({ imports: [{}, {}] }))).toEqual([ENCRYPT]);
    expect(kept(now, undefined)).toEqual([ENCRYPT]);
    // A rule for other SPs' routers says nothing of this one.
    const apart = config({ imports: [{}, { fromSps: ['b'] }] });
    expect(kept(apart, undefined)).toEqual([ENCRYPT, AUTHENTICATE, CLEAR, PLAIN]);
  });

  it('by a configured tunnel goes on only by the tunnel that it was', () => {
    const tunnel = { local: '192.0.2.1', remote: '192.0.2.2', protection: 'tunnel' } as const;
    const now = config({ tunnels: { t: { ...tunnel, encapsulation: 'gre' } } });
    const active = (destination: string): NexthopRow['active'] => ({
      ...{ kind: 'tunnel', interface: 1, protection: 'tunnel', encapsulation: 'gre', mtu: 1400 },
      ...{ sa: 0, dscpCopy: false, ecnCopy: false },
      header: {
        ...{ ethernet: new Uint8Array(14), source: bytes('192.0.2.1'), flowLabel: 0 },
        ...{ destination: bytes(destination), ttl: 64, dscp: 0 },
      },
    });
    const row = (destination: string): boolean =>
      judge(now, now).route('A', hop('tunnel/t', active(destination)));
    expect([row('192.0.2.2'), row('192.0.2.3')]).toEqual([true, false]);
    expect(judge(config(), now).route('A', hop('tunnel/t', active('192.0.2.2')))).toBe(false);
  });

  it('of another VRF goes on only while VRFs import and export what they did', () => {
    const row = hop('ce/B/eth/10.0.0.1');
    expect(judge(config(), config()).route('A', row)).toBe(true);
    expect(judge(config({ imports: [{}, {}] }), config()).route('A', row)).toBe(false);
    expect(judge(config(), undefined).route('A', row)).toBe(false);
    expect(
      judge(config({ imports: [{}, {}] }), config()).route('A', hop('ce/A/eth/10.0.0.1')),
    ).toBe(true);
  });
});

describe('a swap label from before a restart', () => {
  const to = (...protections: readonly ('encrypt' | 'authenticate')[]): AcceptSet => ({
    secured: protections.map((protection) => ({
      ...{ protection, encapsulation: 'gre', sps: [sps.table('b')!] },
    })),
    clear: [],
  });
  const swaps = (
    now: Config,
    before: Config | undefined,
    name: string,
    accept: AcceptSet,
  ): boolean => judge(now, before).swap(hop(name), accept);
  const lax = config({ neighbour: { accepts: { protections: ['encrypt', 'authenticate'] } } });

  it('goes on towards where its packets may go', () => {
    expect(swaps(lax, lax, OTHER, to('encrypt'))).toBe(false);
    const low = config({ neighbour: { transitFloor: 'authenticate' } });
    expect(swaps(low, low, OTHER, to('encrypt'))).toBe(true);
    expect(swaps(config(), low, OTHER, to('encrypt'))).toBe(false);
  });

  it('accepts no more than its neighbours are told now', () => {
    const low = { transitFloor: 'authenticate' as const };
    const strict = config({ neighbour: low });
    const wide = config({
      neighbour: { ...low, accepts: { protections: ['encrypt', 'authenticate'] } },
    });
    expect(swaps(wide, undefined, OTHER, to('encrypt', 'authenticate'))).toBe(true);
    expect(swaps(strict, wide, OTHER, to('encrypt', 'authenticate'))).toBe(false);
    expect(swaps(strict, wide, OTHER, to('encrypt'))).toBe(true);
    expect(swaps(strict, wide, OTHER, { ...to('encrypt'), mplsInterface: 'nni' })).toBe(false);
    expect(swaps(without(strict, 'bgp'), wide, OTHER, to('encrypt'))).toBe(false);
  });
});

describe('in the tables', () => {
  let segments: Segments;
  let tables: Tables;
  let id: number;
  beforeEach(() => {
    segments = new Segments();
    tables = segments.open();
    id = putVrf(tables, 'A');
  });
  afterEach(() => {
    tables.close();
    segments.remove();
  });

  const prefix = (i: number): Uint8Array => Uint8Array.of(10, i >> 8, i & 0xff, 0);
  function write(from: number, end: number, hopOf: (i: number) => number): void {
    const to = (i: number) => ({ nexthop: hopOf(i), label: 100, accept: 0, owner: 'bgp' as const });
    const changes = Array.from({ length: end - from }, (_, n) => n + from);
    tables.applyRoutes(
      columns(
        id,
        4,
        changes.map((i) => ({ address: prefix(i), length: 24, to: to(i) })),
      ),
    );
  }
  function restart(): void {
    tables.close();
    tables = segments.open();
  }
  function judged(now: Config, before: Config | undefined): number {
    let gone = 0;
    const count = (more: number): void => {
      gone += more;
    };
    const steps = removeForbiddenRoutes(tables, judge(now, before), count);
    while (steps.next().done !== true);
    return gone;
  }
  const left = (): number[] =>
    tables
      .routes(id, 4)
      .map(({ address }) => (address[1] ?? 0) * 256 + (address[2] ?? 0))
      .sort((a, b) => a - b);

  it('of many rows those that are forbidden go, and no other', () => {
    const [clear, encrypted] = [tables.nexthop(CLEAR), tables.nexthop(ENCRYPT)];
    write(0, 10_000, (i) => (i % 3 === 0 ? clear : encrypted));
    restart();
    const strict = config({ imports: [{ floor: 'encrypt' }] });
    expect(judged(strict, config())).toBe(3334);
    expect(left()).toEqual(Array.from({ length: 10_000 }, (_, i) => i).filter((i) => i % 3 !== 0));
    expect(judged(strict, config())).toBe(0);
  });

  it('what has been written since the start stays, as do rows of other owners', () => {
    const clear = tables.nexthop(CLEAR);
    write(0, 2, () => clear);
    const fixed = { nexthop: clear, label: 0, accept: 0, owner: 'static' as const };
    tables.applyRoutes(columns(id, 4, [{ address: prefix(5), length: 24, to: fixed }]));
    restart();
    write(1, 2, () => clear);
    expect(judged(config({ imports: [{ floor: 'encrypt' }] }), config())).toBe(1);
    expect(left()).toEqual([1, 5]);
  });

  it('finds the swap labels that are forbidden', () => {
    const accept = tables.acceptSet({
      secured: [{ protection: 'encrypt', encapsulation: 'gre', sps: [sps.table('b')!] }],
      clear: [],
    });
    const put = (label: number, name: string): void => {
      tables.setLabel({ label, action: 'swap', target: tables.nexthop(name), accept, out: 99 });
    };
    put(40_000, OTHER);
    put(40_001, 'tunnel/pe/198.51.100.2/encrypt/gre');
    tables.setLabel({ label: 40_002, action: 'vrf', target: id, accept });
    const now = config();
    expect(forbiddenSwaps(tables, judge(now, now))).toEqual([40_000]);
  });
});
