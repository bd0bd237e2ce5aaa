// SPDX-License-Identifier: Apache-2.0
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missing } from '../../lib/bgp-peers.js';
import { Example } from './example.js';

const absent = missing('frr') ?? missing('bird');
let example: Example;
beforeAll(async () => {
  if (absent !== undefined) return;
  example = await Example.up('ce', ['ce-pe', 'ce-pe-blue', 'ce-site1', 'ce-site2']);
}, 400_000);
afterAll(async () => {
  if (absent === undefined) await example.close();
});

describe.skipIf(absent !== undefined)('examples/ce', () => {
  it('connects the networks that the routers of FRR and BIRD announce', async () => {
    expect(await example.pings('ce-site1', '172.16.2.1', '-I', '172.16.1.1')).toBe(10);
    expect(await example.pings('ce-site2', '172.16.1.1', '-I', '172.16.2.1')).toBe(10);
    const routes = await example.show('ce-pe', 'routes');
    const learnt = routes.filter(({ owner }) => owner === 'bgp').map(({ prefix }) => prefix);
    expect(learnt.sort()).toEqual(['172.16.1.0/24', '172.16.2.0/24']);
  });
});
