/** A PE with two VRFs of equal addresses, one that borrows, and tunnels: what projection tests start from. */
import type { Config } from '../../../src/config/types.js';
import { forwardingModel, type ForwardingModel } from '../../../src/forwarding/model.js';
import type { Facts, Overlay } from '../../../src/forwarding/overlay.js';
import { projectOverlay } from '../../../src/forwarding/overlay.js';
import { gateways, projectConfig } from '../../../src/forwarding/project.js';
import {
  prefixKey,
  type DesiredRoute,
  type DesiredRows,
  type VpnPolicy,
} from '../../../src/forwarding/rows.js';
import { networkOf, parseAddress, parsePrefix } from '../../../src/lib/ip.js';
import { NO_LABELS, planLabels } from '../../../src/vpn/label-plan.js';
import { vpnPolicy } from '../../../src/vpn/policy.js';
import { NO_SP_TABLES, SpTables } from '../../../src/vpn/sp-tables.js';

export const bytes = (text: string): Uint8Array => parseAddress(text)!;
export const mac = (last: number): Uint8Array => Uint8Array.of(2, 0, 0, 0, 0, last);

export const BASE: Config = {
  instance: 'pe1',
  ownSp: 'own',
  otherSps: ['b'],
  lab: { manualSas: true },
  core: { tunnelAddresses: ['192.0.2.1', '2001:db8::1'] },
  interfaces: {
    core0: {
      role: 'core',
      device: { kernel: 'wan' },
      addresses: ['198.51.100.1/30', '2001:db8:0:1::1/64'],
      mpls: 'own-sp',
      acceptClear: ['gre'],
    },
    'ce-a': {
      role: 'ce',
      vrf: 'A',
      device: { kernel: 'cust' },
      vlan: 10,
      addresses: ['10.1.0.1/24', '2001:db8:a::1/64'],
      mtu: 1400,
    },
    'ce-b': {
      role: 'ce',
      vrf: 'B',
      device: { kernel: 'cust' },
      vlan: 20,
      addresses: ['10.1.0.1/24'],
    },
  },
  vrfs: {
    A: {
      addresses: ['10.255.0.1/32'],
      routes: [
        { prefix: '10.7.0.0/16', via: '10.1.0.7' },
        { prefix: '10.2.0.0/24', tunnel: 't4', label: 2001 },
        { prefix: '10.66.0.0/16', discard: 'unreachable' },
      ],
      exports: [
        {
          name: 'all',
          protections: ['encrypt'],
          label: 1001,
          prefixes: ['10.1.0.0/24', '10.255.0.1/32'],
        },
        {
          name: 'ce',
          protections: ['authenticate'],
          label: 1002,
          labelFor: { ce: '10.1.0.7' },
          prefixes: ['10.7.0.0/16'],
        },
      ],
    },
    B: { routes: [{ prefix: '10.2.0.0/24', tunnel: 't6', label: 2002 }] },
    C: { importsFrom: ['A'], ttl: 'uniform', trafficClass: 'pipe', dscp: 10, clampMss: true },
  },
  tunnels: {
    t4: {
      local: '192.0.2.1',
      remote: '192.0.2.2',
      protection: 'encrypt',
      encapsulation: 'gre',
      sa: 'out4',
    },
    t6: {
      local: '2001:db8::1',
      remote: '2001:db8::2',
      protection: 'tunnel',
      encapsulation: 'ip',
      dscp: 46,
      ttl: 200,
    },
  },
  manualSas: {
    out4: {
      ...{ direction: 'out', local: '192.0.2.1', remote: '192.0.2.2', encapsulation: 'gre' },
      ...{ algorithm: 'aes-gcm-128', spi: 0x1234abcd, keyFile: '/nowhere' },
    },
  },
};

export const MACS = new Map([
  ['kernel wan@', mac(1)],
  ['kernel cust@', mac(2)],
]);

export const FACTS: Facts = {
  macs: MACS,
  neighbours: [
    { interface: 'core0', address: bytes('198.51.100.2'), mac: mac(0x11) },
    { interface: 'core0', address: bytes('fe80::2'), mac: mac(0x12) },
    { interface: 'ce-a', address: bytes('10.1.0.7'), mac: mac(0x21) },
    { interface: 'ce-a', address: bytes('2001:db8:a::9'), mac: mac(0x22) },
    { interface: 'ce-a', address: bytes('fe80::9'), mac: mac(0x22) },
    { interface: 'ce-b', address: bytes('10.1.0.7'), mac: mac(0x31) },
  ],
  coreRoutes: new Map([
    ['t4', { interface: 'core0', nextHop: bytes('198.51.100.2'), metric: 5 }],
    ['t6', { interface: 'core0', nextHop: bytes('fe80::2'), metric: 1024 }],
  ]),
  readySas: new Set(['out4@1234abcd']),
  ikeSas: new Map(),
  kernelRoutes: [],
  isOwnSp: () => true,
  pathMtu: () => undefined,
};

export interface Projected {
  readonly model: ForwardingModel;
  readonly policy: VpnPolicy;
  readonly rows: DesiredRows;
  readonly overlay: Overlay;
}

export function project(config: Config = BASE, facts: Facts = FACTS): Projected {
  const model = forwardingModel(config);
  const sps = SpTables.assign(NO_SP_TABLES, config.ownSp, config.otherSps ?? [])!;
  const { labels } = planLabels(config, sps, NO_LABELS, 0);
  const policy = vpnPolicy(config, sps, labels, model);
  const rows = projectConfig(model, facts.macs, policy);
  const overlay = projectOverlay(model, facts, rows.routes, policy, gateways(model, labels));
  return { model, policy, rows, overlay };
}

/** The route that is to be live for exactly this prefix. */
export function routeFor(
  { rows, overlay }: Projected,
  vrf: string,
  text: string,
): DesiredRoute | undefined {
  const prefix = networkOf(parsePrefix(text)!);
  const key = prefixKey(prefix);
  const over = overlay.routes.table(vrf, prefix.family).get(key);
  return over ?? rows.routes.table(vrf, prefix.family).get(key);
}
