// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ROUTE_OWNERS, type Tables } from '../../../src/forwarding/addon/api.js';
import { batch, ip4, refusal, Segments, vrf, type Change } from './helpers.js';

let segments: Segments;
let tables: Tables;
let a = 0;
beforeEach(() => {
  segments = new Segments();
  tables = segments.open();
  a = vrf(tables, 'a');
  for (let i = 1; i <= 8; i++) tables.nexthop(`n${String(i)}`);
});
afterEach(() => {
  tables.close();
  segments.remove();
});

const bitsOf = (address: Uint8Array): string =>
  [...address].map((byte) => byte.toString(2).padStart(8, '0')).join('');

/** Address with all bits behind the length cleared. */
function masked(address: Uint8Array, length: number): Uint8Array {
  return address.map((byte, i) => {
    const kept = Math.min(8, Math.max(0, length - 8 * i));
    return byte & (0xff << (8 - kept));
  });
}

/** Routes as strings of bits; the longest that begins an address wins. */
class Model {
  readonly routes = new Map<string, { nexthop: number; label: number; owner: number }>();

  apply(change: Change): void {
    const key = bitsOf(change.address).slice(0, change.length);
    const { nexthop, label = 0, owner = 1 } = change;
    if (nexthop === undefined) this.routes.delete(key);
    else this.routes.set(key, { nexthop, label, owner });
  }
  lookup(address: Uint8Array): { length: number; nexthop: number; label: number } | undefined {
    const bits = bitsOf(address);
    for (let length = bits.length; length >= 0; length--) {
      const route = this.routes.get(bits.slice(0, length));
      if (route !== undefined) return { length, nexthop: route.nexthop, label: route.label };
    }
    return undefined;
  }
}

/** Few distinct bytes, so that prefixes nest; lengths at and beside the trie's boundaries as well. */
function changes(bytes: 4 | 16): fc.Arbitrary<Change> {
  const bits = bytes * 8;
  const boundaries = Array.from({ length: bits + 1 }, (_, i) => i).filter(
    (i) => i % 6 <= 1 || i === bits,
  );
  return fc
    .record({
      address: fc.uint8Array({ minLength: bytes, maxLength: bytes }).chain((any) =>
        fc
          .array(fc.constantFrom(0, 1, 127, 128, 254, 255), {
            minLength: bytes,
            maxLength: bytes,
          })
          .chain((few) => fc.constantFrom(any, Uint8Array.from(few))),
      ),
      length: fc.oneof(fc.nat({ max: bits }), fc.constantFrom(...boundaries)),
      nexthop: fc.option(fc.integer({ min: 1, max: 8 }), { nil: undefined }),
      label: fc.nat({ max: 0xfffff }),
      owner: fc.integer({ min: 1, max: 5 }),
    })
    .map((change) => ({ ...change, address: masked(change.address, change.length) }));
}

/** The first and last address of a prefix and the ones beside it. */
function neighbourhood({ address, length }: Change): Uint8Array[] {
  const bits = BigInt(address.length * 8);
  const first = BigInt(`0b${bitsOf(address)}`);
  const last = first + (1n << (bits - BigInt(length))) - 1n;
  return [first - 1n, first, last, last + 1n].map((value) => {
    const text = BigInt.asUintN(Number(bits), value)
      .toString(16)
      .padStart(address.length * 2, '0');
    return Uint8Array.from(Buffer.from(text, 'hex'));
  });
}

describe.each([4, 6] as const)('IPv%d routes', (family) => {
  it('answer as a plain model does, before and after a restart', () => {
    const bytes = family === 4 ? 4 : 16;
    let name = 0;
    fc.assert(
      fc.property(fc.array(changes(bytes), { maxLength: 60 }), (list) => {
        const id = vrf(tables, `v${String(name++)}`);
        const model = new Model();
        const half = list.length >> 1;
        const known: Change[] = [];
        for (const part of [list.slice(0, half), list.slice(half)]) {
          tables.applyRoutes(batch(id, family, part));
          for (const change of part) model.apply(change);
          known.push(...part);
          for (const address of known.flatMap(neighbourhood)) {
            const found = tables.lookup(id, address);
            const expected = model.lookup(address);
            if (expected === undefined) expect(found).toBeUndefined();
            else expect(found).toMatchObject(expected);
          }
          expect(tables.routeCount(id, family)).toBe(model.routes.size);
          if (name % 10 === 0) {
            tables.close();
            tables = segments.open();
          }
        }
        const rows = tables.routes(id, family).map((route) => {
          const key = bitsOf(route.address).slice(0, route.length);
          const owner = ROUTE_OWNERS.indexOf(route.owner) + 1;
          return [key, { nexthop: route.nexthop, label: route.label, owner }] as const;
        });
        expect(new Map(rows)).toEqual(model.routes);
      }),
      { numRuns: 100 },
    );
  });
});

describe('routes', () => {
  const ten = { address: ip4(10, 0, 0, 0), length: 8 };

  it('find the longest prefix, and the covering one after its removal', () => {
    tables.applyRoutes(
      batch(a, 4, [
        { ...ten, nexthop: 1, label: 100 },
        { address: ip4(10, 1, 0, 0), length: 16, nexthop: 2, label: 200 },
      ]),
    );
    expect(tables.lookup(a, ip4(10, 1, 2, 3))).toMatchObject({ nexthop: 2, label: 200 });
    expect(tables.lookup(a, ip4(10, 2, 2, 3))).toMatchObject({ nexthop: 1, length: 8 });
    expect(tables.lookup(a, ip4(11, 0, 0, 0))).toBeUndefined();
    tables.applyRoutes(
      batch(a, 4, [{ address: ip4(10, 1, 0, 0), length: 16, nexthop: undefined }]),
    );
    expect(tables.lookup(a, ip4(10, 1, 2, 3))).toMatchObject({ nexthop: 1 });
  });

  it('belong to one VRF and family', () => {
    const b = vrf(tables, 'b');
    tables.applyRoutes(batch(a, 4, [{ ...ten, nexthop: 1 }]));
    expect(tables.lookup(b, ip4(10, 0, 0, 1))).toBeUndefined();
    expect(tables.lookup(a, new Uint8Array(16).fill(10))).toBeUndefined();
    expect(tables.routes(b, 4)).toEqual([]);
    expect(tables.routes(a, 6)).toEqual([]);
  });

  it('are stale after a restart until they are confirmed', () => {
    tables.applyRoutes(batch(a, 4, [{ ...ten, nexthop: 1, label: 5 }]));
    expect(tables.routes(a, 4)[0]).toMatchObject({ stale: false });
    tables.close();
    tables = segments.open();
    expect(tables.attached).toBe('reattached');
    expect(tables.routes(a, 4)[0]).toMatchObject({ stale: true, nexthop: 1, label: 5 });
    tables.applyRoutes(batch(a, 4, [{ ...ten, nexthop: 1, label: 5 }]));
    expect(tables.routes(a, 4)[0]).toMatchObject({ stale: false });
  });

  it('of BGP give way to those of any other owner', () => {
    const prefix = { address: ip4(10, 0, 0, 0), length: 8 };
    const at = () => tables.lookup(a, ip4(10, 0, 0, 1));
    const bgp = ROUTE_OWNERS.indexOf('bgp') + 1;
    const local = ROUTE_OWNERS.indexOf('static') + 1;
    tables.applyRoutes(batch(a, 4, [{ ...prefix, nexthop: 1, label: 20, owner: bgp }]));
    expect(at()).toMatchObject({ owner: 'bgp', label: 20 });
    tables.applyRoutes(batch(a, 4, [{ ...prefix, nexthop: 1, label: 30, owner: local }]));
    tables.applyRoutes(batch(a, 4, [{ ...prefix, nexthop: 1, label: 40, owner: bgp }]));
    expect(at()).toMatchObject({ owner: 'static', label: 30 });
    tables.applyRoutes(batch(a, 4, [{ ...prefix, nexthop: undefined, owner: bgp }]));
    expect(at()).toMatchObject({ owner: 'static', label: 30 });
    expect(tables.routes(a, 4, 'static')).toEqual([]);
    tables.applyRoutes(batch(a, 4, [{ ...prefix, nexthop: undefined }]));
    expect(at()).toBeUndefined();
  });

  it('of one owner can be removed: all, or those not confirmed since the start', () => {
    const bgp = ROUTE_OWNERS.indexOf('bgp') + 1;
    const routes = [1, 2, 3, 4].map((n) => ({
      ...{ address: ip4(10, n, 0, 0), length: 16, nexthop: 1 },
      owner: n === 4 ? 1 : bgp,
    }));
    tables.applyRoutes(batch(a, 4, routes));
    tables.close();
    tables = segments.open();
    tables.applyRoutes(batch(a, 4, routes.slice(0, 1)));
    expect(tables.removeRoutes(a, 4, 'bgp', true, 1)).toBe(1);
    expect(tables.removeRoutes(a, 4, 'bgp', true, 10)).toBe(1);
    expect(tables.removeRoutes(a, 4, 'bgp', true, 10)).toBe(0);
    expect(tables.routeCount(a, 4)).toBe(2);
    expect(tables.removeRoutes(a, 4, 'bgp', false, 10)).toBe(1);
    expect(tables.routes(a, 4)).toMatchObject([{ owner: 'static', stale: true }]);
  });

  it('hold their next hop in use', () => {
    tables.applyRoutes(batch(a, 4, [{ ...ten, nexthop: 1 }]));
    expect(
      refusal(() => {
        tables.removeNexthop(1);
      }),
    ).toBe('IN_USE');
    tables.applyRoutes(batch(a, 4, [{ ...ten, nexthop: 2 }]));
    tables.removeNexthop(1);
    expect(
      refusal(() => {
        tables.removeNexthop(2);
      }),
    ).toBe('IN_USE');
    tables.close();
    tables = segments.open();
    expect(
      refusal(() => {
        tables.removeNexthop(2);
      }),
    ).toBe('IN_USE');
    tables.applyRoutes(batch(a, 4, [{ ...ten, nexthop: undefined }]));
    tables.removeNexthop(2);
  });

  it('are refused as a whole batch, before the first is applied', () => {
    const good = { ...ten, nexthop: 1 };
    const wrong: [Change, string][] = [
      [{ ...ten, nexthop: 99 }, 'NOT_FOUND'],
      [{ ...ten, nexthop: 1, accept: 9 }, 'NOT_FOUND'],
      [{ ...ten, nexthop: 1, label: 0x100000 }, 'BAD_ARGUMENT'],
      [{ ...ten, nexthop: 1, owner: 7 }, 'BAD_ARGUMENT'],
      [{ ...ten, length: 33, nexthop: 1 }, 'BAD_ARGUMENT'],
      [{ address: ip4(10, 0, 0, 1), length: 31, nexthop: 1 }, 'BAD_ARGUMENT'],
    ];
    for (const [change, code] of wrong) {
      expect(
        refusal(() => {
          tables.applyRoutes(batch(a, 4, [good, change]));
        }),
      ).toBe(code);
      expect(tables.routeCount(a, 4)).toBe(0);
    }
    const short = { ...batch(a, 4, [good]), labels: new Uint32Array(0) };
    expect(
      refusal(() => {
        tables.applyRoutes(short);
      }),
    ).toBe('BAD_ARGUMENT');
    expect(
      refusal(() => {
        tables.applyRoutes(batch(77, 4, [good]));
      }),
    ).toBe('NOT_FOUND');
  });

  it('have several ways, which routes with the same ones share', () => {
    const two = (nexthops: readonly number[]) => ({
      ...batch(a, 4, [
        { ...ten, nexthop: 1, label: 100 },
        { address: ip4(11, 0, 0, 0), length: 8, nexthop: 3, label: 7 },
        { address: ip4(12, 0, 0, 0), length: 8, nexthop: 2, label: 200 },
      ]),
      more: {
        ...{ counts: Uint8Array.of(1, 0, 1), nexthops: Uint32Array.from(nexthops) },
        labels: Uint32Array.of(200, 100),
      },
    });
    tables.applyRoutes(two([2, 1]));
    const ways = [
      { nexthop: 1, label: 100 },
      { nexthop: 2, label: 200 },
    ];
    expect(tables.lookup(a, ip4(10, 0, 0, 1))).toMatchObject({ ...ways[0], ways });
    expect(tables.lookup(a, ip4(12, 0, 0, 1))).toMatchObject({ ...ways[0], ways });
    const single = tables.lookup(a, ip4(11, 0, 0, 1));
    expect(single).toMatchObject({ nexthop: 3, label: 7 });
    expect(single).not.toHaveProperty('ways');
    expect(tables.multipath()).toEqual({ groups: 1, fallbacks: 0 });
    expect(tables.memory().find(({ table }) => table === 'group')).toMatchObject({ rows: 1 });
    const refused = [
      (): void => {
        tables.removeNexthop(2);
      },
      (): void => {
        tables.applyRoutes(two([2]));
      },
      (): void => {
        tables.applyRoutes(two([2, 99]));
      },
    ];
    expect(refused.map(refusal)).toEqual(['IN_USE', 'BAD_ARGUMENT', 'NOT_FOUND']);
    tables.applyRoutes(batch(a, 4, [{ ...ten, nexthop: 2, label: 200 }]));
    tables.applyRoutes(batch(a, 4, [{ address: ip4(12, 0, 0, 0), length: 8, nexthop: undefined }]));
    expect(tables.multipath()).toEqual({ groups: 0, fallbacks: 0 });
    expect(tables.lookup(a, ip4(10, 0, 0, 1))).not.toHaveProperty('ways');
  });

  it('take the removal of what is not there as done', () => {
    tables.applyRoutes(batch(a, 4, [{ ...ten, nexthop: undefined }]));
    expect(tables.routeCount(a, 4)).toBe(0);
  });
});
