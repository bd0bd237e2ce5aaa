// SPDX-License-Identifier: Apache-2.0
// Two providers, a PE of each. What they say of each other is symmetrical, so one function makes both.
import { kernelInterface, type Config } from 'sealane';

/** Where lab.sh has the certificates made. */
const FOLDER = `${process.env['SEALANE_EXAMPLES'] ?? '/etc/sealane/examples'}/two-providers`;

const PROVIDERS = {
  alpha: {
    asn: 65001,
    range: '192.0.2.0/24',
    tunnel: '192.0.2.1',
    exchange: '198.51.100.1',
    site: 1,
  },
  beta: {
    asn: 65002,
    range: '203.0.113.0/24',
    tunnel: '203.0.113.1',
    exchange: '198.51.100.2',
    site: 2,
  },
} as const;
type Provider = keyof typeof PROVIDERS;

/** The PE of a provider towards another. */
export function pe(own: Provider, other: Provider): Config {
  const { asn, tunnel, exchange, site } = PROVIDERS[own];
  const provider = (name: Provider) => ({
    ranges: [PROVIDERS[name].range],
    // The authority of one cannot vouch for a PE of the other.
    anchors: { root: { file: `${FOLDER}/${name}-ca.pem` } },
  });
  return {
    instance: `two-${own}`,
    worker: { memoryMb: 64 }, // a lab's; leave it out elsewhere
    ownSp: own,
    otherSps: [other],
    sps: { alpha: { number: 1 }, beta: { number: 2 } }, // what they are called in BGP
    core: { tunnelAddresses: [tunnel] },
    interfaces: {
      core0: {
        role: 'core',
        device: kernelInterface('wan'), // a real NIC: pci('0000:03:00.0')
        addresses: [`${exchange}/24`, `${tunnel}/32`],
      },
      'ce-blue': {
        role: 'ce',
        vrf: 'blue',
        device: kernelInterface('cust'),
        addresses: [`10.${site}.0.1/24`],
      },
    },
    ike: {
      credentials: { own: { certificate: `${FOLDER}/${own}.pem`, key: `${FOLDER}/${own}.key` } },
      providers: { alpha: provider('alpha'), beta: provider('beta') },
    },
    bgp: {
      asn,
      routerId: tunnel,
      // VPN routes alone, filtered by the rules of the VRFs below; give external neighbours policies where there is more.
      ebgpRequiresPolicy: false,
      neighbours: {
        // Between the tunnels' ends: with another provider BGP itself is inside an SA, unless ipsec is "off".
        [PROVIDERS[other].tunnel]: {
          asn: PROVIDERS[other].asn,
          sp: other,
          localAddress: tunnel,
          multihop: 2,
          families: { 'vpnv4-unicast': {} },
        },
      },
    },
    vrfs: {
      blue: {
        addresses: [`10.255.0.${site}/32`],
        bgp: {
          rd: `${asn}:1`,
          // What comes from the other provider is never sent less than encrypted: the floor of imports from others.
          imports: [{ name: 'theirs', targets: ['65001:100'], fromSps: [other] }],
          // Labels of this rule exist for packets alone that come out of an SA with a PE of the other provider.
          exports: [
            { name: 'to-them', targets: ['65001:100'], protections: ['encrypt'], toSps: [other] },
          ],
          redistribute: { connected: true },
        },
      },
    },
  };
}
