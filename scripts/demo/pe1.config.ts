// SPDX-License-Identifier: Apache-2.0
// PE1 of the demo. VPN A: encrypted, MPLS-in-GRE over IPv4. VPN B: authenticated only, MPLS-in-IP over
// IPv6. Both customers use the same addresses. Routes and labels come by BGP from PE2, with the protection
// that PE2 asks for; SAs come by IKE, the certificates are made anew for each run.
import { defineConfig, kernelInterface } from 'sealane';

const pki = '/run/sealane-demo/pki';

export default defineConfig({
  instance: 'pe1',
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
  ike: {
    credentials: {
      own: { certificate: `${pki}/ca-example/pe1.pem`, key: `${pki}/ca-example/pe1.key` },
    },
    // Whose certificates are good for which tunnel addresses.
    providers: {
      example: {
        ranges: ['192.0.2.0/26', '2001:db8::/112'],
        anchors: { root: { file: `${pki}/ca-example/example.pem` } },
      },
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
    },
    'pe2-authenticated': {
      local: '2001:db8::1',
      remote: '2001:db8::2',
      protection: 'authenticate',
      encapsulation: 'ip',
    },
  },
});
