// SPDX-License-Identifier: Apache-2.0
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Example } from './example.js';

let example: Example;
beforeAll(async () => {
  const pes = ['two-alpha', 'two-beta', 'two-alpha-blue', 'two-beta-blue'];
  example = await Example.up('two-providers', [...pes, 'two-ce1', 'two-ce2']);
}, 400_000);
afterAll(async () => {
  await example.close();
});

describe('examples/two-providers', () => {
  it('connects the sites by SAs of PEs that each prove their own provider', async () => {
    expect(await example.pings('two-ce1', '10.2.0.2')).toBe(10);
    expect(await example.pings('two-ce2', '10.1.0.2')).toBe(10);
    for (const [pe, remote, sp] of [
      ['two-alpha', '203.0.113.1', 'beta'],
      ['two-beta', '192.0.2.1', 'alpha'],
    ] as const) {
      expect(await example.show(pe, 'tunnels')).toMatchObject([
        { remote, protection: 'encrypt', state: 'up' },
      ]);
      // Both may have begun one at the same time.
      const sas = await example.show(pe, 'ike');
      const own = { state: 'established', remote, sp, authentication: 'ecdsa' };
      expect(sas.find(({ state }) => state === 'established')).toMatchObject(own);
    }
  });
});
