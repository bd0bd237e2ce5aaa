// SPDX-License-Identifier: Apache-2.0
// PE3, of provider south: every VPN has a site here; every packet from here to the north crosses into another provider.
import { defineConfig, kernelInterface, type Config } from 'sealane';
import { ceSessions, external, pe, policies, towardsCe } from './provider.js';

const loopback = '203.0.113.3';
const neighbours = ceSessions(3);
const redistribute = { connected: true };
const BOTH = ['south', 'north'];

const vrfs: NonNullable<Config['vrfs']> = {
  A: {
    bgp: {
      ...{ rd: '65002:310', neighbours, redistribute },
      imports: [{ name: 'north', targets: ['65001:100'], fromSps: ['north'] }],
      exports: [
        {
          name: 'encrypted',
          ...{ targets: ['65002:100'], protections: ['encrypt'], encapsulations: ['gre'] },
          toSps: BOTH,
        },
      ],
    },
  },
  B: {
    bgp: {
      ...{ rd: '65002:320', neighbours, redistribute },
      imports: [
        { name: 'north', targets: ['65001:200'], fromSps: ['north'], floor: 'authenticate' },
      ],
      exports: [
        {
          name: 'authenticated',
          ...{ targets: ['65002:200'], protections: ['authenticate'], encapsulations: ['ip'] },
          toSps: BOTH,
        },
      ],
    },
  },
  C: {
    bgp: {
      ...{ rd: '65002:331', neighbours, redistribute },
      imports: [{ name: 'north', targets: ['65001:301'], fromSps: ['north'] }],
      exports: [
        {
          name: 'between',
          ...{ targets: ['65002:301'], protections: ['encrypt'], encapsulations: ['gre'] },
          toSps: ['north'],
        },
      ],
    },
  },
};

export default defineConfig({
  ...pe({ instance: 'pe3', sp: 'south', loopback, memoryMb: 96 }),
  interfaces: {
    core0: { role: 'core', device: kernelInterface('wan'), addresses: ['198.51.100.21/30'] },
    'ce-a': towardsCe('A', 3),
    'ce-b': towardsCe('B', 3),
    'ce-c': towardsCe('C', 3),
  },
  bgp: {
    asn: 65002,
    routerId: loopback,
    policies,
    neighbours: {
      '192.0.2.1': external(65001, 'north', loopback),
      '192.0.2.2': external(65001, 'north', loopback),
    },
  },
  vrfs,
});
