// SPDX-License-Identifier: Apache-2.0
// PE2 of the demo: the other end of PE1's tunnels. It also sets up SAs with PEs of another provider, "transit", to
// which none of its VPN routes is exported: the demo's rogue PE is one of those.
import { defineConfig, kernelInterface } from 'sealane';

const pki = '/run/sealane-demo/pki';

export default defineConfig({
  instance: 'pe2',
  runtimeDirectory: '/run/sealane-demo/pe2',
  stateDirectory: '/run/sealane-demo/pe2/state',
  segmentDirectory: '/dev/shm/sealane-demo/pe2',
  worker: { memoryMb: 128 },
  ownSp: 'example',
  otherSps: ['transit'],
  core: { tunnelAddresses: ['192.0.2.2', '2001:db8::2'] },
  interfaces: {
    core0: {
      role: 'core',
      device: kernelInterface('wan'),
      addresses: ['198.51.100.5/30', '2001:db8:0:2::1/64'],
      mpls: 'own-sp',
      acceptClear: ['gre', 'ip'],
    },
    'ce-a': {
      role: 'ce',
      vrf: 'A',
      device: kernelInterface('to-ce-a2'),
      addresses: ['10.2.0.1/24', '2001:db8:a:2::1/64'],
    },
    'ce-b': {
      role: 'ce',
      vrf: 'B',
      device: kernelInterface('to-ce-b2'),
      addresses: ['10.2.0.1/24', '2001:db8:a:2::1/64'],
    },
  },
  ike: {
    credentials: {
      own: { certificate: `${pki}/ca-example/pe2.pem`, key: `${pki}/ca-example/pe2.key` },
    },
    // Whose certificates are good for which tunnel addresses.
    providers: {
      example: {
        ranges: ['192.0.2.0/26', '2001:db8::/112'],
        anchors: { root: { file: `${pki}/ca-example/example.pem` } },
      },
      transit: {
        ranges: ['192.0.2.64/26'],
        anchors: { root: { file: `${pki}/ca-transit/transit.pem` } },
      },
    },
  },
  bgp: {
    asn: 65001,
    routerId: '192.0.2.2',
    neighbours: {
      '192.0.2.1': {
        asn: 65001,
        localAddress: '192.0.2.2',
        timers: { connectRetry: 1 },
        // VPN B's IPv4 routes have an IPv6 next hop (RFC 8950): its tunnels end at IPv6 addresses.
        families: { 'vpnv4-unicast': { extendedNextHop: true }, 'vpnv6-unicast': {} },
      },
    },
  },
  vrfs: {
    A: {
      bgp: {
        rd: '65001:201',
        importTargets: ['65001:100'],
        exports: [{ name: 'encrypted', targets: ['65001:100'], protections: ['encrypt'] }],
        redistribute: { connected: true },
      },
    },
    B: {
      routes: [{ prefix: '10.9.0.0/24', via: '10.2.0.2' }],
      bgp: {
        rd: '65001:202',
        importTargets: ['65001:200'],
        exports: [
          {
            name: 'authenticated',
            targets: ['65001:200'],
            protections: ['authenticate'],
            nextHop: '2001:db8::2',
          },
        ],
        redistribute: { connected: true, static: true },
      },
    },
  },
  tunnels: {
    'pe1-encrypted': {
      local: '192.0.2.2',
      remote: '192.0.2.1',
      protection: 'encrypt',
      encapsulation: 'gre',
    },
    'pe1-authenticated': {
      local: '2001:db8::2',
      remote: '2001:db8::1',
      protection: 'authenticate',
      encapsulation: 'ip',
    },
  },
});
