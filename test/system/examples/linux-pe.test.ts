// SPDX-License-Identifier: Apache-2.0
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missingFrr } from '../../interop/linux-pe/frr.js';
import { missingStrongswan } from '../../lib/strongswan.js';
import { Example } from './example.js';

const absent = missingFrr() ?? missingStrongswan();
let example: Example;
beforeAll(async () => {
  if (absent !== undefined) return;
  const pes = ['lnx-sealane', 'lnx-sealane-blue', 'lnx-linux'];
  example = await Example.up('linux-pe', [...pes, 'lnx-ce1', 'lnx-ce2']);
}, 400_000);
afterAll(async () => {
  if (absent === undefined) await example.close();
});

describe.skipIf(absent !== undefined)('examples/linux-pe', () => {
  it('connects the sites by a tunnel that nobody configured', async () => {
    expect(await example.pings('lnx-ce1', '10.2.0.2')).toBe(10);
    expect(await example.pings('lnx-ce2', '10.1.0.2')).toBe(10);
    expect(await example.show('lnx-sealane', 'tunnels')).toMatchObject([
      { name: 'pe/192.0.2.2/encrypt/gre', protection: 'encrypt', state: 'up' },
    ]);
    expect(await example.show('lnx-sealane', 'ike')).toMatchObject([
      { state: 'established', remote: '192.0.2.2', authentication: 'ecdsa' },
    ]);
  });
});
