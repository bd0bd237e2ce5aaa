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
}

function batch(changes: readonly Change[]): FibBatch {
  const hops = changes.filter(({ kind }) => kind !== undefined);
  const column = (of: (change: Change) => number, from = changes): Uint32Array =>
    Uint32Array.from(from, of);
  return {
    ...{ family: 4, count: changes.length, hopTotal: hops.length },
    vrfs: column(({ vrf }) => vrf),
    prefixes: Uint8Array.from(changes.flatMap(({ prefix }) => prefix)),
    lengths: new Uint8Array(changes.length).fill(24),
    firstHops: column((change) => Math.max(0, hops.indexOf(change))),
    hopCounts: Uint8Array.from(changes, ({ kind }) => (kind === undefined ? 0 : 1)),
    hopKinds: Uint8Array.from(hops, ({ kind }) => kind ?? 0),
    nextHops: column(({ nextHop = 0 }) => nextHop, hops),
    labels: column(({ label = 0xffff_ffff }) => label, hops),
    attributes: new Uint32Array(hops.length),
    hopVrfs: column(({ lender = 0 }) => lender, hops),
  };
}

/** What was written, a line each: VRF, prefix, and next hop, label, accept set or "-". */
function written(changes: readonly Change[], lookups: Partial<FibLookups> = {}): string[] {
  const lines: string[] = [];
  const applyRoutes = (rows: RouteBatch): void => {
    for (let i = 0; i < rows.count; i++) {
      const prefix = formatAddress(rows.addresses.subarray(i * 4, i * 4 + 4));
      const to = `${rows.nexthops[i]} ${rows.labels[i]} ${rows.accepts[i]}`;
      lines.push(`${rows.vrf} ${prefix}/${rows.lengths[i]} ${rows.remove[i] === 1 ? '-' : to}`);
      expect(rows.owners[i]).toBe(6);
    }
  };
  const writer = new VpnFibWriter(
    { applyRoutes },
    {
      vrfRow: (vrf) => (vrf < 9 ? vrf : undefined),
      key: (hop) => ({ vrf: 0, address: new Uint8Array(4), protection: hop }),
      nexthopRow: ({ protection }) => (protection === 99 ? undefined : 100 + protection),
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

  it('writes each VRF by itself and leaves the core and unknown VRFs alone', () => {
    const route = (vrf: number, n: number) =>
      ({ vrf, prefix: [10, n, 0, 0], kind: plain, nextHop: 1 }) as const;
    expect(written([route(2, 1), route(1, 2), route(0, 3), route(9, 4), route(2, 5)])).toEqual([
      '2 10.1.0.0/24 101 0 7',
      '2 10.5.0.0/24 101 0 7',
      '1 10.2.0.0/24 101 0 7',
    ]);
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
        ...{ nexthopRow: () => 7, accept: () => 0, ownRow: () => undefined },
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
      ...{ vrfRow: (vrf) => vrf, key: () => undefined, nexthopRow: () => 7 },
      ...{ accept: () => 0, ownRow: () => undefined },
    };
    const writer = new VpnFibWriter({ applyRoutes }, lookups);
    expect(() => {
      writer.apply(batch([{ vrf: 1, prefix: [10, 1, 0, 0] }]));
    }).toThrow('no such VRF');
  });
});
