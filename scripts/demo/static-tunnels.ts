// SPDX-License-Identifier: Apache-2.0
/** Tunnels by configuration. */
import type { Config } from 'sealane';

const PES = { pe1: '192.0.2.1', pe2: '192.0.2.2', pe3: '203.0.113.3' };

export function staticTunnels(local: string): NonNullable<Config['tunnels']> {
  const tunnels: Record<string, NonNullable<Config['tunnels']>[string]> = {};
  for (const [name, remote] of Object.entries(PES)) {
    if (remote === local) continue;
    tunnels[`${name}-encrypt`] = { local, remote, protection: 'encrypt', encapsulation: 'gre' };
    tunnels[`${name}-auth`] = { local, remote, protection: 'authenticate', encapsulation: 'ip' };
    const inside = local.startsWith('192.') === remote.startsWith('192.');
    if (inside)
      tunnels[`${name}-clear`] = { local, remote, protection: 'tunnel', encapsulation: 'gre' };
  }
  return tunnels;
}
