// SPDX-License-Identifier: Apache-2.0
/** PEs of two SPs that are external neighbours of each other over several hops, without reflector or border router. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config } from '../../../src/config/types.js';
import { attack } from './outsider.js';
import { PLACES, Providers, type Sp, TARGETS } from './providers.js';
import { expectEspAlone, far, labelOf } from './vpn.js';

let net: Providers;
const OWN_PREFIX = '10.255.0.1/32';

/** `believes`: SPs whose routes it imports; default the other's. */
const pe = (router: 'pe1' | 'pe2', other: 'pe1' | 'pe2', believes?: readonly Sp[]): Config => {
  const { sp } = PLACES[other];
  const site = router === 'pe1' ? '10.1.0.0/24' : '10.2.0.0/24';
  const common = { targets: TARGETS, protections: ['encrypt'] as const };
  return net.pe(router, net.bgp(router, { [PLACES[other].tunnel]: far(router, sp) }), {
    imports: [{ name: 'other', targets: TARGETS, fromSps: believes ?? [sp] }],
    exports: [
      { ...common, name: 'both', prefixes: [site], toSps: ['x', 'y'] },
      ...(router === 'pe1' ? [{ ...common, name: 'own', prefixes: [OWN_PREFIX] }] : []),
    ],
  });
};

beforeAll(async () => {
  net = await Providers.open('ipmh', ['pe1', 'pe2'], true);
  await net.up('pe1', pe('pe1', 'pe2'));
  await net.up('pe2', pe('pe2', 'pe1'));
}, 120_000);
afterAll(async () => {
  await net.close();
});

describe('EBGP over several hops', () => {
  it('carries a VPN between two SPs, encrypted, and what is exported there alone', async () => {
    const there = await net.route('pe1', '10.2.0.0/24');
    expect(there.tunnel).toBe('pe/203.0.113.2/encrypt/gre');
    await net.route('pe2', '10.1.0.0/24');
    await net.reach('ce1', '10.2.0.2');
    const frames = await net.capture('exch', 'ax', async () => {
      expect(await net.ping('ce1', '10.2.0.2', 10)).toBe(10);
    });
    expectEspAlone(frames, 20);
    const told = (await net.show('pe2', 'bgp routes')).map(({ prefix }) => prefix);
    expect(told).not.toContain(OWN_PREFIX);
  });

  it('loses nothing while the supervisor of a PE is killed and comes back', async () => {
    const pinging = net.ping('ce1', '10.2.0.2', 1000, 10);
    await net.killSupervisor('pe2');
    net.start('pe2');
    expect(await pinging).toBe(1000);
    await eventually('the route is there', async () => net.route('pe2', '10.1.0.0/24'));
  }, 60_000);

  it('brings nothing of an SP that the import rule does not believe (P14)', async () => {
    const way = async (): Promise<boolean> => {
      const rows = await net.show('pe1', 'routes');
      return rows.some((row) => row.vrf === 'A' && row.prefix === '10.2.0.0/24' && row.usable);
    };
    await net.reload('pe1', pe('pe1', 'pe2', ['x']));
    await eventually('the route is gone', async () => ((await way()) ? undefined : true));
    const count = async (): Promise<bigint> => (await net.drops('pe1')).get('no_route') ?? 0n;
    const before = await count();
    expect(await net.ping('ce1', '10.2.0.2', 10)).toBe(0);
    expect((await count()) - before).toBe(10n);
    await net.reload('pe1', pe('pe1', 'pe2'));
    await net.route('pe1', '10.2.0.0/24');
    await net.reach('ce1', '10.2.0.2');
  }, 60_000);

  it('by an outsider in clear: counted, not delivered', async () => {
    const sent = {
      from: '203.0.113.2',
      to: '192.0.2.1',
      label: await labelOf(net, 'both'),
      count: 20,
    };
    expect(await net.dropped('pe1', 'gre_clear', async () => attack(net, 'gre', sent))).toBe(20);
    const inIp = async (): Promise<void> => attack(net, 'ip', sent);
    expect(await net.dropped('pe1', 'mpls_in_ip_clear', inIp)).toBe(20);
  });

  it('by a PE of the other SP to a label that was not told it: counted, not delivered', async () => {
    await net.rogue('pe1', await labelOf(net, 'own'));
    const sent = async (): Promise<void> => {
      expect(await net.ping('ce9', '10.1.0.2', 20)).toBe(0);
    };
    expect(await net.dropped('pe1', 'label_wrong_sp', sent)).toBe(20);
  }, 60_000);
});
