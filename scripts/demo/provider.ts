// SPDX-License-Identifier: Apache-2.0
/** What the configurations of the demo's PEs have in common: plain data, made by functions. */
import { kernelInterface, policy, type BgpNeighbour, type Config } from 'sealane';

const run = '/run/sealane-demo';

type Vrfs = NonNullable<Config['vrfs']>;
export type ExportRules = NonNullable<NonNullable<Vrfs[string]['bgp']>['exports']>;
export type ImportRules = NonNullable<NonNullable<Vrfs[string]['bgp']>['imports']>;

/** Of both providers: whose certificates are good for which tunnel addresses (policy-model 14). */
export const providers = {
  north: { ranges: ['192.0.2.0/24'], anchors: { root: { file: `${run}/pki/ca-north/north.pem` } } },
  south: {
    ranges: ['203.0.113.0/24'],
    anchors: { root: { file: `${run}/pki/ca-south/south.pem` } },
  },
};

export interface Identity {
  readonly instance: string;
  readonly sp: 'north' | 'south';
  readonly loopback: string;
  readonly memoryMb: number;
  /** Authority of its certificate; default that of its SP. */
  readonly by?: string;
}

/** A PE without its interfaces and VRFs. */
export function pe({
  instance,
  sp,
  loopback,
  memoryMb,
  by = sp,
}: Identity): Omit<Config, 'interfaces'> {
  return {
    instance,
    runtimeDirectory: `${run}/${instance}`,
    stateDirectory: `${run}/${instance}/state`,
    segmentDirectory: `/dev/shm/sealane-demo/${instance}`,
    worker: { memoryMb },
    ownSp: sp,
    otherSps: [sp === 'north' ? 'south' : 'north'],
    core: { tunnelAddresses: [loopback] },
    ike: {
      credentials: {
        own: {
          certificate: `${run}/pki/ca-${by}/${instance}.pem`,
          key: `${run}/pki/ca-${by}/${instance}.key`,
        },
      },
      providers,
    },
  };
}

/** The interface into a VPN's site N of the PE N. */
export function towardsCe(vpn: string, number: number): Config['interfaces'][string] {
  const n = String(number);
  return {
    role: 'ce',
    vrf: vpn,
    device: kernelInterface(`to-ce-${vpn.toLowerCase()}${n}`),
    addresses: [`10.${n}.0.1/24`, `2001:db8:a:${n}::1/64`],
  };
}

/** EBGP with the CE of site N, for both address families. */
export function ceSessions(number: number): Record<string, BgpNeighbour> {
  const n = String(number);
  const options = {
    asn: 64500 + number,
    timers: { connectRetry: 1 },
    ...{ policyIn: 'everything', policyOut: 'everything' },
  };
  return { [`10.${n}.0.2`]: options, [`2001:db8:a:${n}::2`]: options };
}

export const policies = { everything: policy([], { otherwise: 'accept' }) };

/** A PE of the other provider: multi-hop EBGP for VPN routes, straight from PE to PE. */
export function external(asn: number, sp: string, localAddress: string): BgpNeighbour {
  return {
    ...{ asn, sp, localAddress, multihop: 8, timers: { connectRetry: 1 } },
    ...{ policyIn: 'everything', policyOut: 'everything' },
  };
}
