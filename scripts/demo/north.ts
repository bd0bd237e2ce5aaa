// SPDX-License-Identifier: Apache-2.0
/**
 * PE1 and PE2, of provider north. What their routes must be protected by is said here, in the export rules of each VRF, and
 * nowhere else: it travels to the other PEs in BGP. No tunnel, SA, label or remote end is configured.
 *
 *   VPN A   encrypted, to PEs of both providers
 *   VPN B   authenticated, to PEs of both providers, MPLS-in-IP
 *   VPN C   exported twice, with two RDs and RTs: to our own PEs as a clear tunnel, to the south's encrypted
 */
import { kernelInterface, type Config } from 'sealane';
import { ceSessions, external, pe, policies, towardsCe, type ExportRules } from './provider.js';

const BOTH = ['north', 'south'];

/** How VPN C's routes are told inside north; changed live by the demo. */
export type InsideC = 'tunnel' | 'encrypt';

/** RD of a rule: 65001, then N (PE), the VPN's number, and one of its own. */
const rd = (n: number, vpn: number, rule = 0): string =>
  `65001:${String(n * 100 + vpn * 10 + rule)}`;

function rulesOfC(n: number, inside: InsideC): ExportRules {
  const extra: ExportRules =
    n === 2
      ? [
          // P §2.7 b.i and b.ii: nobody imports these; the demo sends packets with their labels itself.
          {
            name: 'plain',
            ...{ rd: rd(n, 3, 2), targets: ['65001:302'], protections: ['mpls'] },
            prefixes: ['10.2.2.0/24'],
          },
          {
            name: 'scoped',
            ...{ rd: rd(n, 3, 3), targets: ['65001:303'], protections: ['encrypt'] },
            ...{ clearInsideOwnSp: true, toSps: BOTH, encapsulations: ['gre'] },
            prefixes: ['10.2.3.0/24'],
          },
        ]
      : [];
  return [
    {
      name: 'inside',
      ...{ targets: ['65001:300'], protections: [inside], encapsulations: ['gre'] },
    },
    {
      name: 'between',
      ...{ rd: rd(n, 3, 1), targets: ['65001:301'], protections: ['encrypt'] },
      ...{ encapsulations: ['gre'], toSps: ['south'] },
      prefixes: [`10.${String(n)}.1.0/24`, `2001:db8:b:${String(n)}::/64`],
    },
    ...extra,
  ];
}

function vrfs(n: number, inside: InsideC): NonNullable<Config['vrfs']> {
  const neighbours = ceSessions(n);
  const redistribute = { connected: true };
  return {
    A: {
      bgp: {
        ...{ rd: rd(n, 1), neighbours, redistribute },
        imports: [
          { name: 'inside', targets: ['65001:100'] },
          { name: 'south', targets: ['65002:100'], fromSps: ['south'] },
        ],
        exports: [
          {
            name: 'encrypted',
            ...{ targets: ['65001:100'], protections: ['encrypt'], toSps: BOTH },
            encapsulations: ['gre'],
          },
        ],
      },
    },
    B: {
      bgp: {
        ...{ rd: rd(n, 2), neighbours, redistribute },
        imports: [
          { name: 'inside', targets: ['65001:200'] },
          // Weaker than the default towards another provider: this VPN wants no secrecy.
          { name: 'south', targets: ['65002:200'], fromSps: ['south'], floor: 'authenticate' },
        ],
        exports: [
          {
            name: 'authenticated',
            ...{ targets: ['65001:200'], protections: ['authenticate'], toSps: BOTH },
            encapsulations: ['ip'],
          },
        ],
      },
    },
    C: {
      bgp: {
        ...{ rd: rd(n, 3), neighbours, redistribute },
        imports: [
          { name: 'inside', targets: ['65001:300'] },
          { name: 'south', targets: ['65002:301'], fromSps: ['south'] },
        ],
        exports: rulesOfC(n, inside),
      },
    },
  };
}

export interface NorthPe {
  readonly number: 1 | 2;
  /** Address with length on the core interface. */
  readonly core: string;
  readonly inside?: InsideC;
}

export function northPe({ number, core, inside = 'tunnel' }: NorthPe): Config {
  const loopback = `192.0.2.${String(number)}`;
  const south0: Config['interfaces'] =
    number === 1
      ? {}
      : {
          // Into the other provider's network: neither MPLS nor clear encapsulations are taken from there.
          south0: {
            role: 'core',
            device: kernelInterface('wan2'),
            addresses: ['198.51.100.29/30'],
          },
        };
  return {
    ...pe({ instance: `pe${String(number)}`, sp: 'north', loopback, memoryMb: 96 }),
    interfaces: {
      core0: {
        role: 'core',
        device: kernelInterface('wan'),
        addresses: [core],
        // MPLS and clear encapsulations are taken from our own network, for labels that were exported so.
        mpls: 'own-sp',
        acceptClear: ['gre', 'ip'],
      },
      ...south0,
      'ce-a': towardsCe('A', number),
      'ce-b': towardsCe('B', number),
      'ce-c': towardsCe('C', number),
    },
    bgp: {
      asn: 65001,
      routerId: loopback,
      policies,
      neighbours: {
        // The reflector.
        '192.0.2.9': { asn: 65001, localAddress: loopback, timers: { connectRetry: 1 } },
        '203.0.113.3': external(65002, 'south', loopback),
      },
    },
    vrfs: vrfs(number, inside),
  };
}
