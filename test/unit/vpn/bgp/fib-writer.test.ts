import { describe, expect, it } from 'vitest';
import { HOP_KIND, type FibBatch } from '../../../../src/bgp/rib/api.js';
import type { RouteBatch } from '../../../../src/forwarding/addon/api.js';
import { formatAddress } from '../../../../src/lib/ip.js';
import { VpnFibWriter, type FibLookups } from '../../../../src/vpn/bgp/fib-writer.js';

interface Change {
  readonly vrf: number;
  readonly prefix: readonly [number, number, number, number];
  readonly kind?: number;
  readonly nextHop?: number;
  readonly label?: number;
  readonly lender?: number;
  /** Hops used beside this one. */
  readonly beside?: readonly Hop[];
}

type Hop = Pick<Change, 'kind' | 'nextHop' | 'label' | 'lender'>;

function batch(changes: readonly Change[]): FibBatch {
  const hopsOf = (change: Change): readonly Hop[] =>
    change.kind === undefined ? [] : [change, ...(change.beside ?? [])];
  const hops = changes.flatMap(hopsOf);
  const counts = changes.map((change) => hopsOf(change).length);
  const before = (n: number): number => counts.slice(0, n).reduce((sum, count) => sum + count, 0);
  const column = (of: (hop: Hop) => number): Uint32Array => Uint32Array.from(hops, of);
  return {
    ...{ family: 4, count: changes.length, hopTotal: hops.length },
    vrfs: Uint32Array.from(changes, ({ vrf }) => vrf),
    prefixes: Uint8Array.from(changes.flatMap(({ prefix }) => prefix)),
    lengths: new Uint8Array(changes.length).fill(24),
    firstHops: Uint32Array.from(changes, (_, n) => before(n)),
    hopCounts: Uint8Array.from(counts),
    hopKinds: Uint8Array.from(hops, ({ kind }) => kind ?? 0),
    nextHops: column(({ nextHop = 0 }) => nextHop),
    labels: column(({ label = 0xffff_ffff }) => label),
    attributes: new Uint32Array(hops.length),
    hopVrfs: column(({ lender = 0 }) => lender),
  };
}

/** The further ways of row `i`: " + next hop label" each. */
function moreOf({ more }: RouteBatch, i: number): string {
  if (more === undefined) return '';
  const from = more.counts.subarray(0, i).reduce((sum, count) => sum + count, 0);
  const ways = Array.from({ length: more.counts[i] ?? 0 }, (_, k) => from + k);
  return ways.map((k) => ` + ${more.nexthops[k]} ${more.labels[k]}`).join('');
}

/** What was written, a line each: VRF, prefix, and next hop, label, accept set, further ways, or "-". */
function written(changes: readonly Change[], lookups: Partial<FibLookups> = {}): string[] {
  const lines: string[] = [];
  const applyRoutes = (rows: RouteBatch): void => {
    for (let i = 0; i < rows.count; i++) {
      const prefix = formatAddress(rows.addresses.subarray(i * 4, i * 4 + 4));
      const to = `${rows.nexthops[i]} ${rows.labels[i]} ${rows.accepts[i]}${moreOf(rows, i)}`;
      lines.push(`${rows.vrf} ${prefix}/${rows.lengths[i]} ${rows.remove[i] === 1 ? '-' : to}`);
      expect(rows.owners[i]).toBe(6);
    }
  };
  const writer = new VpnFibWriter(
    { applyRoutes },
    {
      vrfRow: (vrf) => (vrf < 9 ? vrf : undefined),
      key: (hop) => ({ vrf: 0, address: new Uint8Array(4), protection: hop }),
      // Next hop 30 up: protected less.
      way: ({ protection }) =>
        protection === 99
          ? undefined
          : { row: 100 + protection, strength: protection < 30 ? 3 : 2 },
      accept: () => 7,
      ownRow: (vrf) => (vrf === 2 ? 55 : undefined),
      ...lookups,
    },
  );
  writer.apply(batch(changes));
  return lines;
}

const { vpn, plain, local, leak } = HOP_KIND;

describe('decisions as rows', () => {
  it('leads VPN routes into the tunnel, with their label and for nobody behind a label', () => {
    const change = { vrf: 1, prefix: [10, 1, 0, 0], kind: vpn, nextHop: 3, label: 24000 } as const;
    expect(written([change])).toEqual(['1 10.1.0.0/24 103 24000 0']);
  });

  it('leads routes of a CE to it, for whom they are exported to', () => {
    const change = { vrf: 1, prefix: [10, 2, 0, 0], kind: plain, nextHop: 4 } as const;
    expect(written([change])).toEqual(['1 10.2.0.0/24 104 0 7']);
  });

  it('deletes what has no way: gone, our own, unreachable, under labels no packet can have', () => {
    const at = (n: number) => ({ vrf: 1, prefix: [10, n, 0, 0] }) as const;
    expect(
      written([
        at(1),
        { ...at(2), kind: local },
        { ...at(3), kind: vpn, nextHop: 99, label: 16 },
        { ...at(4), kind: vpn, nextHop: 3, label: 0x8000_0001 },
        { ...at(5), kind: vpn, nextHop: 3, label: 3 },
      ]),
    ).toEqual([1, 2, 3, 4, 5].map((n) => `1 10.${n}.0.0/24 -`));
  });

  it('goes where another VRF of this PE goes by itself', () => {
    const change = { vrf: 1, prefix: [10, 5, 0, 0], kind: leak } as const;
    expect(written([{ ...change, lender: 2 }])).toEqual(['1 10.5.0.0/24 55 0 0']);
    expect(written([{ ...change, lender: 3 }])).toEqual(['1 10.5.0.0/24 -']);
  });

  it('writes all paths that are used together, each with its label', () => {
    const hop = (nextHop: number): Hop => ({ kind: vpn, nextHop, label: 100 + nextHop });
    const at = (n: number) => ({ vrf: 1, prefix: [10, n, 0, 0] }) as const;
    expect(
      written([
        { ...at(1), ...hop(3), beside: [hop(4), hop(5)] },
        { ...at(2), ...hop(6) },
        at(3),
        { ...at(4), kind: plain, nextHop: 7, beside: [{ kind: plain, nextHop: 8 }] },
      ]),
    ).toEqual([
      '1 10.1.0.0/24 103 103 0 + 104 104 + 105 105',
      '1 10.2.0.0/24 106 106 0',
      '1 10.3.0.0/24 -',
      '1 10.4.0.0/24 107 0 7 + 108 0',
    ]);
  });

  it('never uses paths of different protection together, whoever says so (policy-model 12)', () => {
    const hop = (nextHop: number): Hop => ({ kind: vpn, nextHop, label: 16 });
    const change = { vrf: 1, prefix: [10, 1, 0, 0] } as const;
    expect(written([{ ...change, ...hop(3), beside: [hop(31), hop(4)] }])).toEqual([
      '1 10.1.0.0/24 103 16 0 + 104 16',
    ]);
    expect(written([{ ...change, ...hop(31), beside: [hop(3), hop(32)] }])).toEqual([
      '1 10.1.0.0/24 131 16 0 + 132 16',
    ]);
  });

  it('leaves out what has no way, and what is a way of another kind', () => {
    const change = { vrf: 1, prefix: [10, 1, 0, 0] } as const;
    const hop = (nextHop: number, label = 16): Hop => ({ kind: vpn, nextHop, label });
    expect(written([{ ...change, ...hop(99), beside: [hop(3), hop(4, 3), hop(5)] }])).toEqual([
      '1 10.1.0.0/24 103 16 0 + 105 16',
    ]);
    const ce = { kind: plain, nextHop: 6 };
    expect(written([{ ...change, ...ce, beside: [{ kind: leak, lender: 2 }] }])).toEqual([
      '1 10.1.0.0/24 106 0 7',
    ]);
  });

  it('writes at most 16 ways', () => {
    const beside = Array.from({ length: 20 }, (_, n) => ({ kind: plain, nextHop: 2 + n }));
    const change = { vrf: 1, prefix: [10, 1, 0, 0], kind: plain, nextHop: 1, beside } as const;
    expect(written([change])[0]?.split(' + ')).toHaveLength(16);
  });

  it('writes each VRF by itself and leaves the core and unknown VRFs alone', () => {
    const route = (vrf: number, n: number) =>
      ({ vrf, prefix: [10, n, 0, 0], kind: plain, nextHop: 1 }) as const;
    expect(written([route(2, 1), route(1, 2), route(0, 3), route(9, 4), route(2, 5)])).toEqual([
      '2 10.1.0.0/24 101 0 7',
      '2 10.5.0.0/24 101 0 7',
      '1 10.2.0.0/24 101 0 7',
    ]);
  });

  it('asks for a next hop once per call, and again in the next', () => {
    const asked: number[] = [];
    const rows: number[] = [];
    const writer = new VpnFibWriter(
      { applyRoutes: ({ nexthops }) => rows.push(...nexthops) },
      {
        vrfRow: (vrf) => vrf,
        key: (hop) => ({ vrf: 0, address: new Uint8Array(4), protection: hop }),
        way: ({ protection }) => {
          asked.push(protection);
          return { row: 100 * asked.length + protection, strength: 0 };
        },
        ...{ accept: () => 0, ownRow: () => undefined },
      },
    );
    const change = (vrf: number, n: number, nextHop: number) =>
      ({ vrf, prefix: [10, n, 0, 0], kind: vpn, nextHop, label: 16 }) as const;
    writer.apply(batch([change(1, 1, 3), change(2, 2, 3), change(1, 3, 4)]));
    expect(asked).toEqual([3, 4]);
    expect(rows).toEqual([103, 204, 103]);
    writer.apply(batch([change(1, 1, 3)]));
    expect(rows.at(-1)).toBe(303);
  });
});

describe('tables that are full', () => {
  it('refuse what does not fit, take the rest, and keep no older row of a refused prefix', () => {
    const rows = new Map<string, number>([['10.9.0.0', 1]]);
    const applyRoutes = (batchOf: RouteBatch): void => {
      for (let i = 0; i < batchOf.count; i++) {
        const prefix = formatAddress(batchOf.addresses.subarray(i * 4, i * 4 + 4));
        if (batchOf.remove[i] === 1) rows.delete(prefix);
        else if (rows.size < 3 && prefix !== '10.9.0.0') rows.set(prefix, batchOf.nexthops[i] ?? 0);
        else throw Object.assign(new Error('no row is free'), { code: 'TABLE_FULL' });
      }
    };
    const writer = new VpnFibWriter(
      { applyRoutes },
      {
        ...{
          vrfRow: (vrf) => vrf,
          key: () => ({ vrf: 1, address: new Uint8Array(4), protection: 0 }),
        },
        ...{ way: () => ({ row: 7, strength: 0 }), accept: () => 0, ownRow: () => undefined },
      },
    );
    const to = (n: number) => ({ vrf: 1, prefix: [10, n, 0, 0] as const, kind: HOP_KIND.plain });
    writer.apply(batch([to(1), to(9), to(2), to(3), to(4)]));
    expect([...rows.keys()]).toEqual(['10.1.0.0', '10.2.0.0', '10.3.0.0']);
    expect([writer.installed, writer.refused]).toEqual([3, 2]);
    writer.apply(batch([{ vrf: 1, prefix: [10, 1, 0, 0] }, to(4)]));
    expect([...rows.keys()]).toEqual(['10.2.0.0', '10.3.0.0', '10.4.0.0']);
  });

  it('are no excuse for anything else', () => {
    const applyRoutes = (): void => {
      throw Object.assign(new Error('no such VRF'), { code: 'NOT_FOUND' });
    };
    const lookups: FibLookups = {
      ...{ vrfRow: (vrf) => vrf, key: () => undefined, way: () => ({ row: 7, strength: 0 }) },
      ...{ accept: () => 0, ownRow: () => undefined },
    };
    const writer = new VpnFibWriter({ applyRoutes }, lookups);
    expect(() => {
      writer.apply(batch([{ vrf: 1, prefix: [10, 1, 0, 0] }]));
    }).toThrow('no such VRF');
  });
});
