// SPDX-License-Identifier: Apache-2.0
/**
 * Option C (RFC 4364 §10 c): reflectors of two SPs tell each other VPN routes by multihop EBGP with their next hops as they are;
 * PEs of both send to each other directly, across border routers that only route IP.
 *
 *   PE 1 -- reflector of X ===== EBGP, multihop ===== reflector of Y -- PE 2
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { BgpNeighbour, Config } from '../../../src/config/types.js';
import { attack } from './outsider.js';
import { ASN, PLACES, Providers, TARGETS } from './providers.js';
import { expectEspAlone, far, labelOf, VPN } from './vpn.js';

let net: Providers;
const OWN_PREFIX = '10.255.0.1/32';

/** PE 1 keeps one of its prefixes to its own SP. */
const pe = (router: 'pe1' | 'pe2', reflector: 'rx' | 'ry'): Config => {
  const { sp } = PLACES[router];
  const other = sp === 'x' ? 'y' : 'x';
  const neighbours = { [PLACES[reflector].tunnel]: { asn: ASN[sp], families: VPN } };
  const site = router === 'pe1' ? '10.1.0.0/24' : '10.2.0.0/24';
  const common = { targets: TARGETS, protections: ['encrypt'] as const };
  return net.pe(router, net.bgp(router, neighbours), {
    imports: [{ name: 'other', targets: TARGETS, fromSps: [other] }],
    exports: [
      { ...common, name: 'both', prefixes: [site], toSps: ['x', 'y'] },
      ...(router === 'pe1' ? [{ ...common, name: 'own', prefixes: [OWN_PREFIX] }] : []),
    ],
  });
};
const reflector = (router: 'rx' | 'ry'): Config => {
  const [own, other, client, peer] =
    router === 'rx' ? (['x', 'y', 'pe1', 'ry'] as const) : (['y', 'x', 'pe2', 'rx'] as const);
  const inside: BgpNeighbour = { asn: ASN[own], routeReflectorClient: true, families: VPN };
  const outside: BgpNeighbour = { ...far(router, other), nextHopUnchanged: true };
  const neighbours = { [PLACES[client].tunnel]: inside, [PLACES[peer].tunnel]: outside };
  return { ...net.base(router), bgp: net.bgp(router, neighbours, { keepAllVpnRoutes: true }) };
};

beforeAll(async () => {
  net = await Providers.open('ipoc', ['pe1', 'rx', 'ry', 'pe2'], true);
  await net.up('pe1', pe('pe1', 'rx'));
  await net.up('rx', reflector('rx'));
  await net.up('ry', reflector('ry'));
  await net.up('pe2', pe('pe2', 'ry'));
}, 120_000);
afterAll(async () => {
  await net.close();
});

describe('option C', () => {
  it('carries a VPN between PEs of two SPs directly, encrypted, past both borders', async () => {
    const there = await net.route('pe1', '10.2.0.0/24');
    const back = await net.route('pe2', '10.1.0.0/24');
    expect(there.tunnel).toBe('pe/203.0.113.2/encrypt/gre');
    expect(back.tunnel).toBe('pe/192.0.2.1/encrypt/gre');
    await net.reach('ce1', '10.2.0.2');
    const frames = await net.capture('exch', 'ax', async () => {
      expect(await net.ping('ce1', '10.2.0.2', 10)).toBe(10);
    });
    expectEspAlone(frames, 20);
  });

  it('tells the other SP nothing that is not exported to it, though a reflector tells it (policy-model 6)', async () => {
    const prefixes = async (router: 'rx' | 'ry'): Promise<string[]> =>
      (await net.show(router, 'bgp routes')).map(({ prefix }) => prefix);
    await eventually('the reflector of X has it', async () =>
      (await prefixes('rx')).includes(OWN_PREFIX) ? true : undefined,
    );
    const there = await prefixes('ry');
    expect(there).toContain('10.1.0.0/24');
    expect(there).not.toContain(OWN_PREFIX);
  });

  it('loses nothing while the supervisor of a reflector is killed and comes back', async () => {
    const pinging = net.ping('ce1', '10.2.0.2', 1000, 10);
    await net.killSupervisor('rx');
    net.start('rx');
    expect(await pinging).toBe(1000);
    await net.route('pe1', '10.2.0.0/24');
  }, 60_000);
});

describe('labels that were not told to who sends them', () => {
  it('by an outsider in clear: counted, not delivered', async () => {
    const sent = {
      from: '203.0.113.2',
      to: '192.0.2.1',
      label: await labelOf(net, 'both'),
      count: 20,
    };
    expect(await net.dropped('pe1', 'gre_clear', async () => attack(net, 'gre', sent))).toBe(20);
    expect(await net.dropped('pe1', 'mpls_in_ip_clear', async () => attack(net, 'ip', sent))).toBe(
      20,
    );
  });

  it('by a PE of the other SP in its own SA: counted, not delivered', async () => {
    await net.rogue('pe1', await labelOf(net, 'own'));
    const sent = async (): Promise<void> => {
      expect(await net.ping('ce9', '10.1.0.2', 20)).toBe(0);
    };
    expect(await net.dropped('pe1', 'label_wrong_sp', sent)).toBe(20);
  }, 60_000);
});
