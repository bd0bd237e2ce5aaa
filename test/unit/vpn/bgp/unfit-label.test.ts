// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { UNFIT_LABEL } from '../../../../src/bgp/rib/api.js';
import { Ingress } from '../../../../src/vpn/bgp/ingress.js';
import { capability, REMOTE, TERMS } from './capable.js';

it('a label that no tunnel can carry has no tunnel, and says so', () => {
  const ingress = new Ingress(capability());
  const signalled = { protections: ['encrypt'], encapsulations: ['gre'] } as const;
  const choice = ingress.choose(REMOTE, signalled, TERMS);
  expect(choice).not.toBe(UNFIT_LABEL);
  expect(ingress.meaning(choice)).toMatchObject({ protection: 'encrypt', encapsulation: 'gre' });
  expect(ingress.why(choice)).toBeUndefined();
  expect(ingress.meaning(UNFIT_LABEL)).toBeUndefined();
  expect(ingress.why(UNFIT_LABEL)).toMatch(/label is reserved/);
  expect(ingress.rank(UNFIT_LABEL)).toBe(0);
  expect(ingress.strength(UNFIT_LABEL)).toBe(0);
});
