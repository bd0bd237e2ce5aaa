// SPDX-License-Identifier: Apache-2.0
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Example } from './example.js';

let example: Example;
beforeAll(async () => {
  const pes = ['one-pe1', 'one-pe2', 'one-pe1-blue', 'one-pe2-blue'];
  example = await Example.up('one-provider', [...pes, 'one-ce1', 'one-ce2']);
}, 400_000);
afterAll(async () => {
  await example.close();
});

describe('examples/one-provider', () => {
  it('connects the sites, both families, by a tunnel that nobody configured', async () => {
    expect(await example.pings('one-ce1', '10.2.0.2')).toBe(10);
    expect(await example.pings('one-ce2', '2001:db8:b:1::2')).toBe(10);
    expect(await example.show('one-pe1', 'tunnels')).toMatchObject([
      { name: 'pe/192.0.2.2/encrypt/gre', protection: 'encrypt', state: 'up' },
    ]);
    // Both may have begun one at the same time.
    const sas = await example.show('one-pe1', 'ike');
    const own = { state: 'established', remote: '192.0.2.2', authentication: 'ecdsa' };
    expect(sas.find(({ state }) => state === 'established')).toMatchObject(own);
  });
});
