// SPDX-License-Identifier: Apache-2.0
import { beforeEach, expect, it } from 'vitest';
import { ipsecCommunityFormat } from '../../../../src/bgp/codec/communities/ipsec.js';
import type { PathAttributes } from '../../../../src/bgp/codec/types.js';
import { PolicyCompiler } from '../../../../src/bgp/policy/compile.js';
import type { ExportQuestion } from '../../../../src/bgp/rib/api.js';
import type { Config } from '../../../../src/config/types.js';
import { forwardingModel, type GatewayModel } from '../../../../src/forwarding/model.js';
import { formatPrefix, parseAddress, parsePrefix } from '../../../../src/lib/ip.js';
import {
  KernelRedistribution,
  NO_KERNEL_ROUTES,
  type TakenRoutes,
} from '../../../../src/vpn/bgp/kernel-routes.js';
import { OwnRoutes, type OwnRib } from '../../../../src/vpn/bgp/own-routes.js';

const CONFIG: Config = {
  ...{ instance: 'pe', ownSp: 'own', core: { tunnelAddresses: [] } },
  interfaces: {
    'ce-a': { role: 'ce', vrf: 'A', device: { kernel: 'cust' }, addresses: ['10.1.0.1/24'] },
  },
  bgp: { asn: 65001, routerId: '192.0.2.1' },
  vrfs: {
    A: {
      routes: [{ prefix: '10.60.0.0/16', via: '10.1.0.7' }],
      bgp: { rd: '65001:1', redistribute: { connected: true, static: true, kernel: true } },
    },
  },
};
const MODEL = forwardingModel(CONFIG);
const POLICIES = new PolicyCompiler({}, ipsecCommunityFormat());
const take = new KernelRedistribution(CONFIG, MODEL);

let said: string[];
let kernelRoutes: TakenRoutes;
let own: OwnRoutes;
const rib: OwnRib = {
  originate: ({ prefix, length, source }) =>
    said.push(`+${formatPrefix({ address: prefix, length })} ${source}`),
  retract: ({ prefix, length, source }) =>
    said.push(`-${formatPrefix({ address: prefix, length })} ${source}`),
  exportAgain: (vrf, _, prefix, length) =>
    said.push(`?${vrf} ${formatPrefix({ address: prefix, length })}`),
};
const context = () => ({
  ...{ config: CONFIG, model: MODEL, vrfRow: () => 3, kernelRoutes: () => kernelRoutes },
});
/** Prefixes of the kernel's table with the last octet of their gateway. */
const inKernel = (routes: Readonly<Record<string, number>>): void => {
  const all = Object.entries(routes).map(([prefix, last]) => ({
    ...{ prefix: parsePrefix(prefix)!, interface: 'ce-a', gateway: Uint8Array.of(10, 1, 0, last) },
  }));
  kernelRoutes = take.take(new Map([['A', all]]));
};
const question = (prefix: string, over: Partial<ExportQuestion> = {}): ExportQuestion => {
  const { address, length } = parsePrefix(prefix)!;
  const attributes: PathAttributes = { origin: 0, asPath: [] };
  return { vrf: 3, family: 0, prefix: address, length, attributes, from: undefined, ...over };
};
const towards = (last: number): GatewayModel => ({
  ...{ vrf: 'A', interface: 'ce-a', address: Uint8Array.of(10, 1, 0, last) },
});

beforeEach(() => {
  said = [];
  kernelRoutes = NO_KERNEL_ROUTES;
  own = new OwnRoutes();
  own.update(rib, context(), POLICIES);
  expect(said.sort()).toEqual(['+10.1.0.0/24 2', '+10.60.0.0/16 3']);
  said = [];
});

it('tells what changes in the kernel’s tables, and nothing else', () => {
  inKernel({ '10.50.0.0/16': 2, '10.51.0.0/16': 2 });
  expect(own.updateKernel(rib, context())).toBe(true);
  expect(said.sort()).toEqual(['+10.50.0.0/16 4', '+10.51.0.0/16 4']);
  said = [];
  inKernel({ '10.50.0.0/16': 2, '10.51.0.0/16': 2 });
  expect(own.updateKernel(rib, context())).toBe(false);
  expect(said).toEqual([]);
  inKernel({ '10.50.0.0/16': 2 });
  expect(own.updateKernel(rib, context())).toBe(false);
  expect(said).toEqual(['-10.51.0.0/16 4']);
  expect(own.gateways()).toEqual([towards(2)]);
  said = [];
  // Another gateway is the same route to BGP, but its label may be another.
  inKernel({ '10.50.0.0/16': 3 });
  expect(own.updateKernel(rib, context())).toBe(true);
  expect(said).toEqual(['+10.50.0.0/16 4', '?3 10.50.0.0/16']);
  said = [];
  inKernel({});
  expect(own.updateKernel(rib, context())).toBe(true);
  expect(said).toEqual(['-10.50.0.0/16 4']);
});

it('knows the CE of each route, as forwarding prefers them', () => {
  inKernel({ '10.50.0.0/16': 2, '10.60.0.0/16': 3, '10.1.0.0/24': 3 });
  own.updateKernel(rib, context());
  expect(own.gateway('A', question('10.50.0.0/16'))).toEqual(towards(2));
  expect(own.gateway('A', question('10.60.0.0/16'))).toEqual(towards(7));
  expect(own.gateway('A', question('10.1.0.0/24'))).toBeUndefined();
  expect(own.gateway('A', question('10.99.0.0/24'))).toBeUndefined();
  const learnt = (nextHop: string) => {
    const attributes = { origin: 0 as const, asPath: [], nextHop: parseAddress(nextHop)! };
    return own.gateway('A', question('10.70.0.0/16', { from: 9, attributes }));
  };
  expect(learnt('10.1.0.4')).toEqual(towards(4));
  expect(learnt('::ffff:10.1.0.4')).toEqual(towards(4));
  expect(learnt('10.9.0.4')).toBe('unreachable');
});
