// SPDX-License-Identifier: Apache-2.0
// PE1 of a two-PE lab; README.md beside this file brings it up. One VPN, "blue", two sites, IPv4 and
// IPv6, encrypted (AES-GCM-128) over an IPv4 core as MPLS-in-GRE.
import { defineConfig, kernelInterface, overTunnel } from 'sealane';
import { KEYS, protectedPair } from './lab.js';

export default defineConfig({
  instance: 'pe1',
  lab: { manualSas: true }, // keys from files, no IKE: for a lab only
  ownSp: 'example',
  core: { tunnelAddresses: ['192.0.2.1'] },

  interfaces: {
    core0: {
      role: 'core',
      device: kernelInterface('wan'), // a real NIC: pci('0000:03:00.0')
      addresses: ['198.51.100.1/30'],
    },
    'ce-blue': {
      role: 'ce',
      vrf: 'blue',
      device: kernelInterface('to-ce1'),
      addresses: ['10.1.0.1/24', '2001:db8:b:1::1/64'],
    },
  },

  vrfs: {
    blue: {
      addresses: ['10.255.0.1/32'], // the PE's own, source of its ICMP errors
      // What PE2 exports, with the label it chose.
      routes: [...overTunnel(['10.2.0.0/24', '10.255.0.2/32', '2001:db8:b:2::/64'], 'pe2', 2001)],
      // What PE2 may send us: encrypted, with this label, from our own SP. All else is dropped.
      exports: [{ name: 'all', protections: ['encrypt'], encapsulations: ['gre'], label: 1001 }],
    },
  },

  tunnels: {
    pe2: {
      local: '192.0.2.1',
      remote: '192.0.2.2',
      protection: 'encrypt',
      encapsulation: 'gre',
      sa: 'pe2-out',
    },
  },

  manualSas: protectedPair({
    peer: 'pe2',
    local: '192.0.2.1',
    remote: '192.0.2.2',
    out: { spi: 0x5a3c_a012, keyFile: `${KEYS}/1to2` },
    in: { spi: 0x7c41_b021, keyFile: `${KEYS}/2to1` },
  }),
});
