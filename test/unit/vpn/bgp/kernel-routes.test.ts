// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import type { Config } from '../../../../src/config/types.js';
import { forwardingModel } from '../../../../src/forwarding/model.js';
import { projectOverlay } from '../../../../src/forwarding/overlay.js';
import { projectConfig } from '../../../../src/forwarding/project.js';
import { prefixKey } from '../../../../src/forwarding/rows.js';
import { parseAddress, parsePrefix } from '../../../../src/lib/ip.js';
import {
  KernelRedistribution,
  kernelVrfs,
  type KernelRoute,
} from '../../../../src/vpn/bgp/kernel-routes.js';
import { vpnPolicy } from '../../../../src/vpn/policy.js';
import { NO_SP_TABLES, SpTables } from '../../../../src/vpn/sp-tables.js';
import { FACTS, MACS } from '../../forwarding/fixture.js';

const route = (prefix: string, gateway: string, name = 'ce-a'): KernelRoute => ({
  ...{ prefix: parsePrefix(prefix)!, interface: name, gateway: parseAddress(gateway)! },
});

function config(kernel: boolean | { readonly policy: string }): Config {
  const ce = (vrf: string, ...addresses: string[]) => ({
    ...{ role: 'ce' as const, vrf, device: { kernel: 'cust' }, addresses },
  });
  return {
    ...{ instance: 'pe', ownSp: 'own', core: { tunnelAddresses: [] } },
    interfaces: {
      'ce-a': ce('A', '10.1.0.1/24', '2001:db8:a::1/64', '10.1.5.1/32'),
      'ce-b': { ...ce('B', '10.2.0.1/24'), vlan: 7 },
    },
    bgp: {
      ...{ asn: 65001, routerId: '192.0.2.1' },
      policies: {
        some: {
          rules: [
            {
              when: { prefix: [{ prefix: '10.50.0.0/16', le: 24 }] },
              do: [{ med: 7 }],
              then: 'accept',
            },
          ],
        },
      },
    },
    vrfs: {
      A: {
        routes: [{ prefix: '10.60.0.0/16', via: '10.1.0.7' }],
        exports: [{ name: 'x', protections: ['encrypt'], label: 100 }],
        bgp: { rd: '65001:1', redistribute: { kernel } },
      },
      B: { bgp: { rd: '65001:2' } },
    },
  };
}

function taken(routes: readonly KernelRoute[], kernel: boolean | { policy: string } = true) {
  const given = config(kernel);
  const take = new KernelRedistribution(given, forwardingModel(given));
  return [...take.take(new Map([['A', routes]])).values()];
}

describe('routes of the kernel that are taken', () => {
  it('are those by a neighbour on an interface of the VRF', () => {
    const good = [
      route('10.50.0.0/16', '10.1.0.2'),
      route('2001:db8:50::/48', '2001:db8:a::2'),
      route('2001:db8:51::/48', 'fe80::2'),
    ];
    const bad = [
      route('10.51.0.0/16', '10.2.0.2'), // of another VRF's subnet
      route('10.51.1.0/24', '10.2.0.2', 'ce-b'), // of another VRF's interface
      route('10.51.2.0/24', '10.1.0.2', 'sealane0'),
      route('10.51.3.0/24', '10.1.0.1'), // ourselves
      route('10.51.4.0/24', '10.1.5.1'),
    ];
    const found = taken([...bad, ...good]);
    expect(found.map(({ prefix }) => prefix)).toEqual(good.map(({ prefix }) => prefix));
    expect(found[0]).toMatchObject({
      ...{ vrf: 'A', attributes: { origin: 2, asPath: [] } },
      gateway: { vrf: 'A', interface: 'ce-a', address: parseAddress('10.1.0.2') },
    });
  });

  it('are none unless the VRF says so, and then as its policy has them', () => {
    const routes = [route('10.50.1.0/24', '10.1.0.2'), route('10.59.0.0/16', '10.1.0.2')];
    expect(taken(routes, false)).toEqual([]);
    expect(kernelVrfs(config(false))).toEqual([]);
    expect(kernelVrfs(config({ policy: 'some' }))).toEqual(['A']);
    const [only, ...more] = taken(routes, { policy: 'some' });
    expect(more).toEqual([]);
    expect(only).toMatchObject({ prefix: routes[0]!.prefix, attributes: { med: 7 } });
  });

  it('stay the same objects while nothing changes', () => {
    const given = config(true);
    const take = new KernelRedistribution(given, forwardingModel(given));
    const of = (gateway: string) =>
      [...take.take(new Map([['A', [route('10.50.0.0/16', gateway)]]])).values()][0];
    const first = of('10.1.0.2');
    expect(of('10.1.0.2')).toBe(first);
    expect(of('10.1.0.3')).not.toBe(first);
  });

  it('are forwarded by, behind static routes, with the classes by which they are exported', () => {
    const given = config(true);
    const model = forwardingModel(given);
    const sps = SpTables.assign(NO_SP_TABLES, 'own', [])!;
    const policy = vpnPolicy(given, sps, [], model);
    const rows = projectConfig(model, MACS, policy);
    const kernelRoutes = taken([
      route('10.50.0.0/16', '10.1.0.2'),
      route('10.60.0.0/16', '10.1.0.2'),
      route('10.1.0.0/24', '10.1.0.2'),
    ]);
    const overlay = projectOverlay(model, { ...FACTS, kernelRoutes }, rows.routes, policy, []);
    const table = overlay.routes.table('A', 4);
    expect(table.get(prefixKey(parsePrefix('10.50.0.0/16')!))).toMatchObject({
      ...{ nexthop: 'ce/A/ce-a/10.1.0.2', owner: 'static', label: 0 },
      accept: policy.acceptOf('A', parsePrefix('10.50.0.0/16')!),
    });
    for (const own of ['10.60.0.0/16', '10.1.0.0/24']) {
      expect(table.has(prefixKey(parsePrefix(own)!))).toBe(false);
    }
    // The gateway is a next hop, whether or not it has answered yet.
    expect(overlay.nexthops.has('ce/A/ce-a/10.1.0.2')).toBe(true);
  });

  it('are not reached by the class of a rule whose policy refuses them (policy-model 2)', () => {
    const base = config(true);
    const clear = { name: 'clear', targets: ['65001:1'], protections: ['tunnel' as const] };
    const given: Config = {
      ...base,
      vrfs: {
        A: {
          bgp: {
            ...{ rd: '65001:1', redistribute: { kernel: true } },
            exports: [{ ...clear, policy: 'some' }],
          },
        },
      },
    };
    const model = forwardingModel(given);
    const policy = vpnPolicy(given, SpTables.assign(NO_SP_TABLES, 'own', [])!, [], model);
    const take = new KernelRedistribution(given, model);
    const routes = ['10.50.1.0/24', '10.59.0.0/16'].map((text) => route(text, '10.1.0.2'));
    const kernelRoutes = [...take.take(new Map([['A', routes]])).values()];
    const rows = projectConfig(model, MACS, policy);
    const overlay = projectOverlay(model, { ...FACTS, kernelRoutes }, rows.routes, policy, []);
    const clearOf = (text: string) =>
      overlay.routes.table('A', 4).get(prefixKey(parsePrefix(text)!))?.accept.clear;
    expect(clearOf('10.50.1.0/24')).toEqual(['gre', 'ip']);
    expect(clearOf('10.59.0.0/16')).toEqual([]);
  });
});
