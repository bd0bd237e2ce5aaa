// SPDX-License-Identifier: Apache-2.0
import type { Config } from '../../../src/config/types.js';
import { validateConfig } from '../../../src/config/validate.js';

/** A PE of SP west with one BGP neighbour of SP east, 192.0.2.1 to 198.51.100.2, inside an SA. */
export function protectedPairConfig(): Config {
  const result = validateConfig({
    ...{ instance: 'pe', ownSp: 'west', otherSps: ['east'] },
    core: { tunnelAddresses: ['192.0.2.1'] },
    interfaces: {
      core0: { role: 'core', device: { kernel: 'wan' }, addresses: ['192.0.2.1/24'] },
    },
    bgp: {
      ...{ asn: 65001, routerId: '192.0.2.1', ebgpRequiresPolicy: false },
      neighbours: { '198.51.100.2': { asn: 65002, sp: 'east', localAddress: '192.0.2.1' } },
    },
    ike: {
      credentials: { own: { certificate: '/pe.pem', key: '/pe.key' } },
      providers: { east: { ranges: ['198.51.100.0/24'], anchors: { a: { file: '/east.pem' } } } },
    },
  });
  if (!result.ok) throw new Error(JSON.stringify(result.issues));
  return result.config;
}
