// SPDX-License-Identifier: Apache-2.0
// PE1 of the demo. VPN A: encrypted, MPLS-in-GRE over IPv4. VPN B: authenticated only, MPLS-in-IP over
// IPv6. Both customers use the same addresses. Keys are made anew for each run.
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
  vrfs: {
    A: {
      routes: [
        { prefix: '10.2.0.0/24', tunnel: 'pe2-encrypted', label: 2001 },
        { prefix: '2001:db8:a:2::/64', tunnel: 'pe2-encrypted', label: 2001 },
      ],
      exports: [{ name: 'encrypted', protections: ['encrypt'], label: 1001 }],
    },
    B: {
      routes: [
        { prefix: '10.2.0.0/24', tunnel: 'pe2-authenticated', label: 2002 },
        { prefix: '2001:db8:a:2::/64', tunnel: 'pe2-authenticated', label: 2002 },
        { prefix: '10.9.0.0/24', tunnel: 'pe2-authenticated', label: 2002 },
      ],
      exports: [{ name: 'authenticated', protections: ['authenticate'], label: 1002 }],
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
