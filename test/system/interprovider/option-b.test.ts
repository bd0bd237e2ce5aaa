// SPDX-License-Identifier: Apache-2.0
/**
 * Option B (RFC 4364 §10 b, policy-model 26) on packets: labels swapped at the border routers, IPsec on every leg, and what
 * outsiders and a correctly keyed PE of the other SP get for their labels.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { BgpNeighbour, Config } from '../../../src/config/types.js';
import { attack } from './outsider.js';
import { ASN, PLACES, Providers, TARGETS } from './providers.js';
import { expectEspAlone, expectNoLossAtKill, onEachLeg, VPN } from './vpn.js';

let net: Providers;
const EXPORT = {
  ...{ name: 'all', targets: TARGETS, protections: ['encrypt'] as const },
  toSps: ['x', 'y'],
};
const IMPORT = { name: 'all', targets: TARGETS };

const pe = (router: 'pe1' | 'pe2', border: 'ax' | 'ay'): Config => {
  const { sp, tunnel } = PLACES[border];
  const neighbours = { [tunnel]: { asn: ASN[sp], families: VPN } };
  return net.pe(router, net.bgp(router, neighbours), { imports: [IMPORT], exports: [EXPORT] });
};
const asbr = (router: 'ax' | 'ay'): Config => {
  const [own, other, peer, beyond] =
    router === 'ax' ? (['x', 'y', 'pe1', 'ay'] as const) : (['y', 'x', 'pe2', 'ax'] as const);
  const inside: BgpNeighbour = { asn: ASN[own], nextHopSelf: true, families: VPN };
  // Between tunnel addresses, not those of the exchange: BGP is in an SA of its own.
  const outside: BgpNeighbour = {
    ...{ asn: ASN[other], sp: other, families: VPN, multihop: 2 },
    localAddress: PLACES[router].tunnel,
  };
  const neighbours = { [PLACES[peer].tunnel]: inside, [PLACES[beyond].tunnel]: outside };
  return { ...net.base(router), bgp: net.bgp(router, neighbours, { keepAllVpnRoutes: true }) };
};

beforeAll(async () => {
  net = await Providers.open('ipob', ['pe1', 'ax', 'ay', 'pe2']);
  await net.up('pe1', pe('pe1', 'ax'));
  await net.up('ax', asbr('ax'));
  await net.up('ay', asbr('ay'));
  await net.up('pe2', pe('pe2', 'ay'));
}, 120_000);
afterAll(async () => {
  await net.close();
});

/** Labels of a border router that are swapped, by whom they were told to. */
async function swapped(router: 'ax' | 'ay', sp: 'x' | 'y'): Promise<number> {
  const rows = await net.show(router, 'labels');
  const row = rows.find(({ rules }) => rules === `to SP ${sp}`);
  if (row === undefined) throw new Error(`no label of ${router} for SP ${sp}`);
  return row.label;
}

describe('option B', () => {
  it('carries a VPN between two SPs, encrypted on all three legs, by a label of its own on each', async () => {
    const there = await net.route('pe1', '10.2.0.0/24');
    const back = await net.route('pe2', '10.1.0.0/24');
    expect(there.tunnel).toBe('pe/192.0.2.10/encrypt/gre');
    expect(back.tunnel).toBe('pe/203.0.113.10/encrypt/gre');
    await net.reach('ce1', '10.2.0.2');
    await onEachLeg(net, (frames) => {
      expectEspAlone(frames, 20);
    });
    // What PE 1 pushes is the border router's, what goes on is another one's.
    expect(there.label).toBe(await swapped('ax', 'x'));
    expect(await swapped('ay', 'x')).not.toBe(there.label);
  });

  it('loses nothing while the supervisor of a border router is killed and comes back', async () => {
    await expectNoLossAtKill(net, 'ax');
    // The same labels as before.
    const there = await net.route('pe1', '10.2.0.0/24');
    await eventually('the label is there again', async () => {
      const rows = await net.show('ax', 'labels').catch(() => []);
      return rows.find(({ label, rules }) => label === there.label && rules === 'to SP x');
    });
  }, 60_000);
});

describe('labels that were not told to who sends them', () => {
  it('by an outsider in clear: counted, not delivered', async () => {
    const label = await swapped('ax', 'y');
    const sent = { from: '203.0.113.10', to: '192.0.2.10', label, count: 20 };
    expect(await net.dropped('ax', 'gre_clear', async () => attack(net, 'gre', sent))).toBe(20);
    expect(await net.dropped('ax', 'mpls_in_ip_clear', async () => attack(net, 'ip', sent))).toBe(
      20,
    );
    expect(
      await net.dropped('ax', 'mpls_not_accepted', async () => attack(net, 'mpls', sent)),
    ).toBe(20);
  });

  it('by a PE of the other SP in its own SA: counted, not delivered', async () => {
    await net.rogue('ax', await swapped('ax', 'x'));
    const sent = async (): Promise<void> => {
      expect(await net.ping('ce9', '10.1.0.2', 20)).toBe(0);
    };
    expect(await net.dropped('ax', 'label_wrong_sp', sent)).toBe(20);
  }, 60_000);
});
