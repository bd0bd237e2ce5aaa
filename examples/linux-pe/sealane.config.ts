// SPDX-License-Identifier: Apache-2.0
// The PE that is Sealane. Of the other one it knows a BGP session and the authority that certifies it; ./linux is what
// Linux is configured with.
import { defineConfig, kernelInterface } from 'sealane';

/** Where lab.sh has the certificates made. */
const FOLDER = `${process.env['SEALANE_EXAMPLES'] ?? '/etc/sealane/examples'}/linux-pe`;

export default defineConfig({
  instance: 'lnx-sealane',
  worker: { memoryMb: 64 }, // a lab's; leave it out elsewhere
  ownSp: 'provider',
  core: {
    tunnelAddresses: ['192.0.2.1'],
    encapsulations: ['gre'], // Linux has a GRE device towards us, and none for MPLS-in-IP
  },
  interfaces: {
    core0: {
      role: 'core',
      device: kernelInterface('wan'), // a real NIC: pci('0000:03:00.0')
      addresses: ['192.0.2.1/24'],
    },
    'ce-blue': {
      role: 'ce',
      vrf: 'blue',
      device: kernelInterface('cust'),
      addresses: ['10.1.0.1/24'],
    },
  },
  ike: {
    credentials: { own: { certificate: `${FOLDER}/sealane.pem`, key: `${FOLDER}/sealane.key` } },
    providers: {
      provider: {
        ranges: ['192.0.2.0/24'],
        anchors: { root: { file: `${FOLDER}/provider-ca.pem` } },
      },
    },
  },
  bgp: {
    asn: 65001,
    routerId: '192.0.2.1',
    neighbours: { '192.0.2.2': { asn: 65001, families: { 'vpnv4-unicast': {} } } },
  },
  vrfs: {
    blue: {
      addresses: ['10.255.1.1/32'],
      bgp: {
        rd: '65001:1',
        // FRR does not say what it wants: without `unsignalled` its routes would go by plain MPLS. With a `floor` of
        // encrypt they would not do so either, whatever it said.
        imports: [{ name: 'all', targets: ['65001:100'], unsignalled: 'encrypt' }],
        exports: [{ name: 'all', targets: ['65001:100'], protections: ['encrypt'] }],
        redistribute: { connected: true },
      },
    },
  },
});
