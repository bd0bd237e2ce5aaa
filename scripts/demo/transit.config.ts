// SPDX-License-Identifier: Apache-2.0
// A PE of another provider, "transit": the demo's rogue. With the certificate of an authority that nobody knows it gets
// no SA with PE2 (transit-forged.config.ts), with its own provider's it gets one, and with it nothing of the VPNs.
import { defineConfig, kernelInterface, type Config } from 'sealane';

const pki = '/run/sealane-demo/pki';

/** `by`: the authority of its certificate. */
export const transit = (by: string): Config =>
  defineConfig({
    instance: 'transit',
    runtimeDirectory: '/run/sealane-demo/transit',
    stateDirectory: '/run/sealane-demo/transit/state',
    segmentDirectory: '/dev/shm/sealane-demo/transit',
    worker: { memoryMb: 64 },
    ownSp: 'transit',
    otherSps: ['example'],
    core: { tunnelAddresses: ['192.0.2.66'] },
    interfaces: {
      core0: { role: 'core', device: kernelInterface('wan'), addresses: ['198.51.100.9/30'] },
    },
    ike: {
      credentials: {
        own: {
          certificate: `${pki}/ca-${by}/transit-pe.pem`,
          key: `${pki}/ca-${by}/transit-pe.key`,
        },
      },
      providers: {
        example: {
          ranges: ['192.0.2.0/26', '2001:db8::/112'],
          anchors: { root: { file: `${pki}/ca-example/example.pem` } },
        },
      },
    },
    tunnels: {
      pe2: {
        local: '192.0.2.66',
        remote: '192.0.2.2',
        protection: 'encrypt',
        encapsulation: 'gre',
      },
    },
  });

export default transit('transit');
