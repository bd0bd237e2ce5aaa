// SPDX-License-Identifier: Apache-2.0
/** A correct configuration with something of everything that BGP has. */
import {
  accept,
  between,
  change,
  match,
  orLonger,
  policy,
  reject,
  set,
} from '../../../src/config/index.js';
import type * as config from '../../../src/config/types.js';
import { good, put, type Draft } from './good.js';

type Mutable<T> = T extends object ? { -readonly [K in keyof T]: Mutable<T[K]> } : T;

export type BgpDraft = Draft & { bgp: Mutable<config.Bgp> };

export function goodBgp(): BgpDraft {
  const draft = good();
  draft.vrfs['a']!.bgp = structuredClone<Mutable<config.VrfBgp>>(vrfA);
  draft.vrfs['b']!.bgp = { rd: '65001:2', importTargets: ['65001:2'], exportTargets: ['65001:2'] };
  return { ...draft, bgp: structuredClone<Mutable<config.Bgp>>(whole as Mutable<config.Bgp>) };
}

const vrfA: Mutable<config.VrfBgp> = {
  rd: '65001:1',
  routerId: '10.1.0.1',
  imports: [
    { name: 'own', targets: ['65001:1', '192.0.2.1:1'] },
    {
      ...{ name: 'others', targets: ['4200000000:1'], fromSps: ['south'], floor: 'encrypt' },
      policy: 'from-south',
    },
  ],
  exports: [
    { name: 'own', targets: ['65001:1'], protections: ['encrypt', 'authenticate'] },
    {
      ...{ name: 'others', rd: '65001:11', targets: ['65001:11'], protections: ['encrypt'] },
      ...{ toSps: ['south'], encapsulations: ['gre'], clearInsideOwnSp: true },
      ...{ prefixes: ['10.3.0.0/16'], policy: 'from-south', labelPer: 'vrf' },
    },
  ],
  labelPer: 'vrf',
  redistribute: { connected: true, static: { policy: 'own' }, kernel: false },
  networks: [{ prefix: '10.1.0.0/16', policy: 'own' }, { prefix: '2001:db8:a::/48' }],
  maximumPaths: { ebgp: 2, ibgp: 16 },
  neighbours: {
    '10.1.0.2': {
      ...{ template: 'ce', asn: 65100, siteOfOrigin: '65001:100', passCe: ['color'] },
      ...{ asOverride: true, allowAsIn: 1, md5KeyFile: '/keys/ce' },
    },
    'fe80::2': { template: 'ce', asn: 65101, interface: 'ce-a' },
  },
  dynamicNeighbours: {
    '10.1.0.0/24': { template: 'ce', asn: [65110, 65111], prefixLimit: 10 },
  },
};

const whole: config.Bgp = {
  asn: 65001,
  routerId: '192.0.2.1',
  clusterId: '192.0.2.9',
  port: 1179,
  ebgpRequiresPolicy: true,
  alwaysCompareMed: true,
  routeTargetConstraint: true,
  keepAllVpnRoutes: false,
  selectionDeferral: 120,
  ipsecCommunitySubType: 7,
  maximumPaths: { ibgp: 8 },
  prefixLists: {
    private: [orLonger('10.0.0.0/8'), between('172.16.0.0/12', 16, 24), { prefix: 'fc00::/7' }],
  },
  policies: {
    own: policy([accept(match.local(), [set.communities('65001:1', 'no-export')])]),
    'from-south': policy(
      [
        reject(match.prefixList('private'), { name: 'no private space' }),
        change(match.all(match.asPath('65200+ .*'), match.not(match.med({ atLeast: 5 }))), [
          ...[set.localPref(90), set.prepend(2), set.addMed(-5), set.removeMed()],
          ...[set.extendedCommunities('target:65001:7'), set.largeCommunities('65001:1:1')],
        ]),
        accept(match.any(match.routeTarget('65001:7'), match.rd('65001:*')), [
          set.ipsec({ protections: ['encrypt'], encapsulations: ['gre'], onlyOutsideSp: 7 }),
          set.nextHop('peer'),
        ]),
      ],
      { otherwise: 'accept' },
    ),
  },
  templates: {
    ce: {
      ...{ policyIn: 'from-south', policyOut: 'own', timers: { hold: 30, keepalive: 10 } },
      ...{ ttlSecurity: 1, bfd: { minTx: 100, multiplier: 5 }, shutdown: 'maintenance' },
    },
    reflector: {
      ...{ asn: 65001, localAddress: '192.0.2.1', gracefulRestart: { restartTime: 60 } },
      families: {
        'vpnv4-unicast': {
          ...{ addPath: 'both', extendedNextHop: true },
          maxPrefixes: { limit: 1_000_000, warnAt: 90, action: 'warn' },
        },
        'vpnv6-unicast': {},
        'route-target': {},
      },
    },
  },
  neighbours: {
    '192.0.2.11': { template: 'reflector', bfd: true, longLived: { staleTime: 86_400 } },
    '2001:db8::12': {
      ...{ asn: 65001, routeReflectorClient: true, nextHopSelf: true, passive: true },
      ...{ gracefulRestart: false, description: 'client', advertisementInterval: 5 },
      tcpAo: { keyFile: '/keys/ao', algorithm: 'aes-128-cmac', sendId: 1, receiveId: 2 },
    },
    '192.0.2.13': {
      ...{ asn: 65200, localAsn: 65009, multihop: 3, port: 1790, shutdown: false },
      ...{ policyIn: 'from-south', policyOut: 'own', removePrivateAs: 'replace', sp: 'south' },
      ipsec: 'off',
    },
  },
  dynamicNeighbours: { '198.51.100.0/24': { asn: 65001, routeReflectorClient: true } },
  networks: [{ prefix: '203.0.113.0/24' }],
  bmp: {
    station: {
      ...{ address: '192.0.2.50', port: 5000, localAddress: '192.0.2.1', statistics: 30 },
      ...{ monitor: ['adj-in-pre', 'loc-rib'], bufferMb: 16 },
    },
  },
  mrt: {
    all: { file: '/var/log/bgp.%Y%m%d.%H%M%S', what: 'messages', every: 3600 },
    one: { file: '/var/log/one', what: 'messages', neighbours: ['192.0.2.11'] },
  },
};

/** As `put`; the keys of neighbours, addresses, may have dots. */
export function putBgp(draft: BgpDraft, path: string, value: unknown): void {
  const found = /^(.*neighbours)\.([0-9a-f:.]+(?:\/\d+)?)\.([a-zA-Z].*)$/i.exec(path);
  if (found === null) {
    put(draft, path, value);
    return;
  }
  const [, table = '', key = '', rest = ''] = found;
  const holder: { entry?: object } = {};
  let at: unknown = draft;
  for (const step of table.split('.')) at = Reflect.get(at as object, step);
  holder.entry = Reflect.get(at as object, key) as object;
  put(holder, `entry.${rest}`, value);
}
