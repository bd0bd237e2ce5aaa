// SPDX-License-Identifier: Apache-2.0
/**
 * Option B (RFC 4364 §10 b) in plain MPLS between two providers, on packets: what PEs export in clear goes over LSPs inside each
 * provider and as MPLS over the exchange, swapped at both border routers. A label is taken on the exchange only
 * if it was told there (policy-model 4).
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { BgpNeighbour, Config, Interface, Lsp } from '../../../src/config/types.js';
import { attack } from './outsider.js';
import { ASN, type Lan, PLACES, Providers, TARGETS } from './providers.js';
import { expectNoLossAtKill, onEachLeg, VPN } from './vpn.js';

let net: Providers;
const EXPORT = {
  ...{ name: 'all', targets: TARGETS, protections: ['mpls'] as const },
  toSps: ['x', 'y'],
};
const IMPORT = { name: 'all', targets: TARGETS };
const EXCHANGE = { ax: '198.51.100.10', ay: '198.51.100.20' };

/** The far end is the next router, which takes the label without another above it. */
const lsp = (via: string): Lsp => ({ via, labels: [3] });

/** LSPs, and which labels the interfaces take. */
function withMpls(
  config: Config,
  lsps: Readonly<Record<string, Lsp>>,
  kinds: Readonly<Record<string, 'own-sp' | 'other-sp'>>,
): Config {
  const interfaces = Object.entries(config.interfaces).map(([name, one]): [string, Interface] => {
    const mpls = kinds[name];
    return [name, mpls === undefined || one.role !== 'core' ? one : { ...one, mpls }];
  });
  const core = { ...config.core, lsps };
  return { ...config, core, interfaces: Object.fromEntries(interfaces) };
}

function pe(router: 'pe1' | 'pe2', border: 'ax' | 'ay'): Config {
  const { sp, tunnel } = PLACES[border];
  const neighbours = { [tunnel]: { asn: ASN[sp], families: VPN } };
  const rules = { imports: [IMPORT], exports: [EXPORT] };
  const config = net.pe(router, net.bgp(router, neighbours), rules);
  return withMpls(config, { [`${tunnel}/32`]: lsp(tunnel) }, { [`core-${sp}`]: 'own-sp' });
}

function asbr(router: 'ax' | 'ay'): Config {
  const [own, other, peer, beyond] =
    router === 'ax' ? (['x', 'y', 'pe1', 'ay'] as const) : (['y', 'x', 'pe2', 'ax'] as const);
  const inside: BgpNeighbour = { asn: ASN[own], nextHopSelf: true, families: VPN };
  const outside: BgpNeighbour = {
    ...{ asn: ASN[other], sp: other, families: VPN, localAddress: EXCHANGE[router] },
    ...{ accepts: { protections: ['mpls'] }, transitFloor: 'mpls' },
    // Its address is on the exchange, where there is no IPsec in this agreement.
    ipsec: 'off',
  };
  const neighbours = { [PLACES[peer].tunnel]: inside, [EXCHANGE[beyond]]: outside };
  const bgp = net.bgp(router, neighbours, { keepAllVpnRoutes: true });
  const lsps = {
    [`${PLACES[peer].tunnel}/32`]: lsp(PLACES[peer].tunnel),
    [`${PLACES[beyond].tunnel}/32`]: lsp(EXCHANGE[beyond]),
  };
  const kinds = { [`core-${own}`]: 'own-sp', 'core-exch': 'other-sp' } as const;
  return withMpls({ ...net.base(router), bgp }, lsps, kinds);
}

beforeAll(async () => {
  net = await Providers.open('ipom', ['pe1', 'ax', 'ay', 'pe2']);
  await net.up('pe1', pe('pe1', 'ax'));
  await net.up('ax', asbr('ax'));
  await net.up('ay', asbr('ay'));
  await net.up('pe2', pe('pe2', 'ay'));
}, 120_000);
afterAll(async () => {
  await net.close();
});

/** The label of a border router that it told to an SP and swaps for that of the PE, or border router, at `remote`. */
async function swapped(router: 'ax' | 'ay', sp: 'x' | 'y', remote: string): Promise<number> {
  return eventually(`label of ${router} for SP ${sp} towards ${remote}`, async () => {
    const rows = await net.show(router, 'labels').catch(() => []);
    const found = rows.filter(({ rules, target }) => {
      return rules === `to SP ${sp}` && target.includes(`pe/${remote}/mpls/none`);
    });
    if (found.length > 1) throw new Error(`${router} has several: ${JSON.stringify(found)}`);
    return found[0]?.label;
  });
}
const { pe1: PE1, pe2: PE2, ay: AY } = PLACES;

interface Seen {
  readonly label: number;
  readonly bottom: boolean;
  readonly ttl: number;
  /** Of the IPv4 packet under it. */
  readonly to: string;
}

/** All MPLS frames; whatever else carries a customer's packet fails the test. */
function mplsOf(frames: readonly Buffer[]): Seen[] {
  return frames.flatMap((frame) => {
    const type = frame.readUInt16BE(12);
    // BGP, and IKE if there were any.
    if (type === 0x0800) expect([6, 17]).toContain(frame.readUInt8(23));
    if (type !== 0x8847) return [];
    const entry = frame.readUInt32BE(14);
    return [
      {
        ...{ label: entry >>> 12, bottom: (entry & 0x100) !== 0, ttl: entry & 0xff },
        to: frame.subarray(34, 38).join('.'),
      },
    ];
  });
}

describe('option B in plain MPLS', () => {
  it('carries a VPN by one label on each leg, swapped at both border routers', async () => {
    const there = await net.route('pe1', '10.2.0.0/24');
    const back = await net.route('pe2', '10.1.0.0/24');
    expect([there.tunnel, back.tunnel]).toEqual([
      'pe/192.0.2.10/mpls/none',
      'pe/203.0.113.10/mpls/none',
    ]);
    await net.reach('ce1', '10.2.0.2');
    const told: Record<Lan, number | undefined> = {
      x: there.label,
      exch: await swapped('ay', 'x', PE2.tunnel),
      y: (await net.show('pe2', 'labels')).find(({ vrf }) => vrf === 'A')?.label,
    };
    expect(there.label).toBe(await swapped('ax', 'x', AY.tunnel));
    const ttls: number[] = [];
    await onEachLeg(net, (frames, lan) => {
      const seen = mplsOf(frames).filter(({ to }) => to === '10.2.0.2');
      expect(seen).toHaveLength(10);
      expect(new Set(seen.map(({ label }) => label))).toEqual(new Set([told[lan]]));
      expect(seen.every(({ bottom }) => bottom)).toBe(true);
      ttls.push(seen[0]?.ttl ?? 0);
    });
    // RFC 3443: a border router is a hop of the LSP.
    const [first = 0] = ttls;
    expect(ttls).toEqual([first, first - 1, first - 2]);
  }, 180_000);

  it('loses nothing while the supervisor of a border router is killed and comes back', async () => {
    const before = await swapped('ax', 'x', AY.tunnel);
    await expectNoLossAtKill(net, 'ax');
    expect(await swapped('ax', 'x', AY.tunnel)).toBe(before);
  }, 120_000);
});

describe('from the exchange', () => {
  const sent = (label: number) => ({
    ...{ from: '203.0.113.10', to: '192.0.2.10', label, count: 20 },
  });

  it('what the border router told there is taken: the neighbour is trusted with it', async () => {
    const label = await swapped('ax', 'y', PE1.tunnel);
    const frames = await net.capture('x', 'pe1', async () => attack(net, 'mpls', sent(label)));
    expect(mplsOf(frames).filter(({ to }) => to === '10.1.0.2')).toHaveLength(20);
  });

  it('what it told inside alone is not: counted, not delivered', async () => {
    const label = await swapped('ax', 'x', AY.tunnel);
    const during = async (): Promise<void> => attack(net, 'mpls', sent(label));
    expect(await net.dropped('ax', 'label_not_advertised', during)).toBe(20);
  });

  it('nor is a label that was told, in a tunnel in clear', async () => {
    const label = await swapped('ax', 'y', PE1.tunnel);
    for (const [how, reason] of [
      ['gre', 'gre_clear'],
      ['ip', 'mpls_in_ip_clear'],
    ] as const) {
      const during = async (): Promise<void> => attack(net, how, sent(label));
      expect(await net.dropped('ax', reason, during)).toBe(20);
    }
  });
});
