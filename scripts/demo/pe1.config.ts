// SPDX-License-Identifier: Apache-2.0
// PE1 of the demo. VPN A: encrypted, MPLS-in-GRE over IPv4. VPN B: authenticated only, MPLS-in-IP over
// IPv6. Both customers use the same addresses. Routes and labels come by BGP from PE2, with the protection
// that PE2 asks for; keys are made anew for each run.
import { defineConfig, kernelInterface } from 'sealane';

const keys = '/run/sealane-demo/keys';

export default defineConfig({
  instance: 'pe1',
  lab: { manualSas: true },
  runtimeDirectory: '/run/sealane-demo/pe1',
  stateDirectory: '/run/sealane-demo/pe1/state',
  segmentDirectory: '/dev/shm/sealane-demo/pe1',
  worker: { memoryMb: 128 },
  ownSp: 'example',
  core: { tunnelAddresses: ['192.0.2.1', '2001:db8::1'] },
  interfaces: {
    core0: {
      role: 'core',
      device: kernelInterface('wan'),
      addresses: ['198.51.100.1/30', '2001:db8:0:1::1/64'],
      mpls: 'own-sp',
      acceptClear: ['gre', 'ip'],
    },
    'ce-a': {
      role: 'ce',
      vrf: 'A',
      device: kernelInterface('to-ce-a1'),
      addresses: ['10.1.0.1/24', '2001:db8:a:1::1/64'],
    },
    'ce-b': {
      role: 'ce',
      vrf: 'B',
      device: kernelInterface('to-ce-b1'),
      addresses: ['10.1.0.1/24', '2001:db8:a:1::1/64'],
    },
  },
  bgp: {
    asn: 65001,
    routerId: '192.0.2.1',
    neighbours: {
      '192.0.2.2': {
        asn: 65001,
        localAddress: '192.0.2.1',
        timers: { connectRetry: 1 },
        // VPN B's IPv4 routes have an IPv6 next hop (RFC 8950): its tunnels end at IPv6 addresses.
        families: { 'vpnv4-unicast': { extendedNextHop: true }, 'vpnv6-unicast': {} },
      },
    },
  },
  vrfs: {
    A: {
      bgp: {
        rd: '65001:101',
        importTargets: ['65001:100'],
        exports: [{ name: 'encrypted', targets: ['65001:100'], protections: ['encrypt'] }],
        redistribute: { connected: true },
      },
    },
    B: {
      bgp: {
        rd: '65001:102',
        importTargets: ['65001:200'],
        exports: [
          {
            name: 'authenticated',
            targets: ['65001:200'],
            protections: ['authenticate'],
            nextHop: '2001:db8::1',
          },
        ],
        redistribute: { connected: true },
      },
    },
  },
  tunnels: {
    'pe2-encrypted': {
      local: '192.0.2.1',
      remote: '192.0.2.2',
      protection: 'encrypt',
      encapsulation: 'gre',
      sa: 'a-out',
    },
    'pe2-authenticated': {
      local: '2001:db8::1',
      remote: '2001:db8::2',
      protection: 'authenticate',
      encapsulation: 'ip',
      sa: 'b-out',
    },
  },
  manualSas: {
    'a-out': {
      direction: 'out',
      local: '192.0.2.1',
      remote: '192.0.2.2',
      encapsulation: 'gre',
      algorithm: 'aes-gcm-128',
      spi: 0x5a3c_a012,
      keyFile: `${keys}/a-1to2`,
    },
    'a-in': {
      direction: 'in',
      local: '192.0.2.1',
      remote: '192.0.2.2',
      encapsulation: 'gre',
      algorithm: 'aes-gcm-128',
      spi: 0x7c41_a021,
      keyFile: `${keys}/a-2to1`,
    },
    'b-out': {
      direction: 'out',
      local: '2001:db8::1',
      remote: '2001:db8::2',
      encapsulation: 'ip',
      algorithm: 'aes-gmac-128',
      spi: 0x61d8_b012,
      keyFile: `${keys}/b-1to2`,
    },
    'b-in': {
      direction: 'in',
      local: '2001:db8::1',
      remote: '2001:db8::2',
      encapsulation: 'ip',
      algorithm: 'aes-gmac-128',
      spi: 0x4e95_b021,
      keyFile: `${keys}/b-2to1`,
    },
  },
});
