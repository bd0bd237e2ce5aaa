// SPDX-License-Identifier: Apache-2.0
// PE2: the other end of PE1's tunnel.
import { defineConfig, kernelInterface, overTunnel } from 'sealane';
import { KEYS, protectedPair } from './lab.js';

export default defineConfig({
  instance: 'pe2',
  lab: { manualSas: true },
  ownSp: 'example',
  core: { tunnelAddresses: ['192.0.2.2'] },

  interfaces: {
    core0: {
      role: 'core',
      device: kernelInterface('wan'),
      addresses: ['198.51.100.2/30'],
    },
    'ce-blue': {
      role: 'ce',
      vrf: 'blue',
      device: kernelInterface('to-ce2'),
      addresses: ['10.2.0.1/24', '2001:db8:b:2::1/64'],
    },
  },

  vrfs: {
    blue: {
      addresses: ['10.255.0.2/32'],
      // What PE1 exports, with the label it chose.
      routes: [...overTunnel(['10.1.0.0/24', '10.255.0.1/32', '2001:db8:b:1::/64'], 'pe1', 1001)],
      // What PE1 may send us.
      exports: [{ name: 'all', protections: ['encrypt'], encapsulations: ['gre'], label: 2001 }],
    },
  },

  tunnels: {
    pe1: {
      local: '192.0.2.2',
      remote: '192.0.2.1',
      protection: 'encrypt',
      encapsulation: 'gre',
      sa: 'pe1-out',
    },
  },

  manualSas: protectedPair({
    peer: 'pe1',
    local: '192.0.2.2',
    remote: '192.0.2.1',
    out: { spi: 0x7c41_b021, keyFile: `${KEYS}/2to1` },
    in: { spi: 0x5a3c_a012, keyFile: `${KEYS}/1to2` },
  }),
});
