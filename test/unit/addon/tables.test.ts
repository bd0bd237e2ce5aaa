// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { Tables } from '../../../src/forwarding/addon/api.js';
import { batch, ip4, Segments, vrf } from './helpers.js';

let segments: Segments;
let tables: Tables;
beforeEach(() => {
  segments = new Segments();
  tables = segments.open();
});
afterEach(() => {
  tables.close();
  segments.remove();
});

describe('routes', () => {
  it('finds the longest prefix, and the covering one after its removal', () => {
    const a = vrf(tables, 'a');
    const wide = tables.nexthop('wide');
    const narrow = tables.nexthop('narrow');
    tables.applyRoutes(
      batch(a, 4, [
        { address: ip4(10, 0, 0, 0), length: 8, nexthop: wide, label: 100 },
        { address: ip4(10, 1, 0, 0), length: 16, nexthop: narrow, label: 200 },
      ]),
    );
    expect(tables.lookup(a, ip4(10, 1, 2, 3))).toMatchObject({ nexthop: narrow, label: 200 });
    expect(tables.lookup(a, ip4(10, 2, 2, 3))).toMatchObject({ nexthop: wide, length: 8 });
    expect(tables.lookup(a, ip4(11, 0, 0, 0))).toBeUndefined();
    tables.applyRoutes(
      batch(a, 4, [{ address: ip4(10, 1, 0, 0), length: 16, nexthop: undefined }]),
    );
    expect(tables.lookup(a, ip4(10, 1, 2, 3))).toMatchObject({ nexthop: wide });
    expect(tables.routeCount(a, 4)).toBe(1);
  });
});
