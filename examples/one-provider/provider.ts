// SPDX-License-Identifier: Apache-2.0
// What the PEs of the provider have in common. A configuration is code: what repeats becomes a function that returns
// plain data.
import { kernelInterface, type Config } from 'sealane';

/** Where lab.sh has the certificates made. */
const FOLDER = `${process.env['SEALANE_EXAMPLES'] ?? '/etc/sealane/examples'}/one-provider`;

/** The PE with this number, whose other PE is the one given. */
export function pe(number: number, other: number): Config {
  return {
    instance: `one-pe${number}`,
    worker: { memoryMb: 64 }, // a lab's; leave it out elsewhere
    ownSp: 'provider',
    core: { tunnelAddresses: [`192.0.2.${number}`] },
    interfaces: {
      core0: {
        role: 'core',
        device: kernelInterface('wan'), // a real NIC: pci('0000:03:00.0')
        addresses: [`192.0.2.${number}/24`],
      },
      'ce-blue': {
        role: 'ce',
        vrf: 'blue',
        device: kernelInterface('cust'),
        addresses: [`10.${number}.0.1/24`, `2001:db8:b:${number}::1/64`],
      },
    },
    // Who proves an address of the range by a certificate of the authority is a PE. None is named here.
    ike: {
      credentials: {
        own: { certificate: `${FOLDER}/pe${number}.pem`, key: `${FOLDER}/pe${number}.key` },
      },
      providers: {
        provider: {
          ranges: ['192.0.2.0/24'],
          anchors: { root: { file: `${FOLDER}/provider-ca.pem` } },
        },
      },
    },
    bgp: {
      asn: 65001,
      routerId: `192.0.2.${number}`,
      // With more PEs: route reflectors (../reflector).
      neighbours: { [`192.0.2.${other}`]: { asn: 65001, localAddress: `192.0.2.${number}` } },
    },
    vrfs: {
      blue: {
        addresses: [`10.255.0.${number}/32`], // the PE's own, source of its ICMP errors
        bgp: {
          rd: `65001:${number}`,
          importTargets: ['65001:100'],
          exportTargets: ['65001:100'], // accepts encrypted packets alone
          redistribute: { connected: true },
        },
      },
    },
  };
}
