// SPDX-License-Identifier: Apache-2.0
/**
 * A PE without customers that attacks PE2: with a good certificate it gets SAs like any other, and its operator uses their
 * keys for whatever he likes. As an attacker he says himself where his tunnels go.
 */
import { kernelInterface, type Config } from 'sealane';
import { pe, type Identity } from './provider.js';

export function rogue(identity: Omit<Identity, 'memoryMb'>, core: string): Config {
  const { loopback } = identity;
  return {
    ...pe({ ...identity, memoryMb: 64 }),
    interfaces: {
      core0: { role: 'core', device: kernelInterface('wan'), addresses: [core] },
    },
    tunnels: {
      pe2: { local: loopback, remote: '192.0.2.2', protection: 'encrypt', encapsulation: 'gre' },
    },
  };
}
