// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { UNFIT_LABEL } from '../../../../src/bgp/rib/api.js';
import type { TunnelModel } from '../../../../src/forwarding/model.js';
import { Ingress } from '../../../../src/vpn/bgp/ingress.js';

it('a label that no tunnel can carry has no tunnel, and says so', () => {
  const [local, remote] = [Uint8Array.of(192, 0, 2, 1), Uint8Array.of(192, 0, 2, 2)];
  const tunnel: TunnelModel = {
    ...{ name: 't', local, remote, protection: 'encrypt', encapsulation: 'gre' },
    ...{ dscp: 'copy', ttl: 64, sa: undefined },
  };
  const ingress = new Ingress([tunnel], () => 'own');
  const terms = { floor: () => 'encrypt' as const, fromSps: ['own'], preferProtected: true };
  const choice = ingress.choose(remote, undefined, terms);
  expect(choice).not.toBe(UNFIT_LABEL);
  expect(ingress.tunnel(remote, choice)).toBe(tunnel);
  expect(ingress.why(choice)).toBeUndefined();
  expect(ingress.tunnel(remote, UNFIT_LABEL)).toBeUndefined();
  expect(ingress.why(UNFIT_LABEL)).toMatch(/label is reserved/);
  expect(ingress.rank(UNFIT_LABEL)).toBe(0);
  expect(ingress.strength(UNFIT_LABEL)).toBe(0);
});
