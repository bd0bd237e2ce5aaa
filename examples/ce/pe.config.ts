// SPDX-License-Identifier: Apache-2.0
// A PE whose customers' routers speak EBGP: two sites of VPN "blue", one with FRR, one with BIRD.
import { accept, defineConfig, kernelInterface, match, orLonger, policy } from 'sealane';

export default defineConfig({
  instance: 'ce-pe',
  worker: { memoryMb: 64 }, // a lab's; leave it out elsewhere
  ownSp: 'provider',
  core: { tunnelAddresses: [] }, // of the other PEs: ../one-provider
  interfaces: {
    'ce-1': {
      role: 'ce',
      vrf: 'blue',
      device: kernelInterface('cust1'),
      addresses: ['10.1.0.1/24'],
    },
    'ce-2': {
      role: 'ce',
      vrf: 'blue',
      device: kernelInterface('cust2'),
      addresses: ['10.2.0.1/24'],
    },
  },
  bgp: {
    asn: 65001,
    routerId: '192.0.2.1',
    prefixLists: { sites: [orLonger('172.16.0.0/16')] },
    policies: {
      // What customers may announce. RFC 8212: an external neighbour without policy gives and gets nothing.
      'from-ce': policy([accept(match.prefixList('sites'))]),
      'to-ce': policy([], { otherwise: 'accept' }),
    },
    templates: {
      // Sites of one customer with one AS number: asOverride puts ours in its place.
      ce: { asn: 64512, policyIn: 'from-ce', policyOut: 'to-ce', asOverride: true },
    },
  },
  vrfs: {
    blue: {
      addresses: ['10.255.0.1/32'],
      bgp: {
        rd: '65001:1',
        importTargets: ['65001:100'],
        exportTargets: ['65001:100'],
        redistribute: { connected: true },
        neighbours: { '10.1.0.2': { template: 'ce' }, '10.2.0.2': { template: 'ce' } },
      },
    },
  },
});
