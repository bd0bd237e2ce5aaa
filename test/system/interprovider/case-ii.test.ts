// SPDX-License-Identifier: Apache-2.0
/**
 * Case ii of P §2.7 b: PE 1 asks protection of other SPs alone (P6). PE 3, inside, sends plain MPLS over a label switched
 * path; PE 2, of SP Y and an external neighbour over several hops, has to encrypt.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Config, Interface, Lsp } from '../../../src/config/types.js';
import { attack } from './outsider.js';
import { kinds, PLACES, Providers, TARGETS } from './providers.js';
import { expectEspAlone, far, VPN } from './vpn.js';

let net: Providers;
const EXPORT = {
  ...{ name: 'all', targets: TARGETS, protections: ['encrypt'] as const, toSps: ['x', 'y'] },
  clearInsideOwnSp: true,
};

/** Speaks MPLS inside, with LSPs of one hop to the others of X. */
function inside(config: Config, others: readonly string[]): Config {
  const interfaces = Object.entries(config.interfaces).map(([name, one]): [string, Interface] => [
    name,
    one.role === 'core' ? { ...one, mpls: 'own-sp' as const } : one,
  ]);
  const lsps = others.map((remote): [string, Lsp] => [
    `${remote}/32`,
    { via: remote, labels: [3] },
  ]);
  return {
    ...config,
    core: { ...config.core, lsps: Object.fromEntries(lsps) },
    interfaces: Object.fromEntries(interfaces),
  };
}
const imports = (...sps: readonly string[]) => [
  { name: 'all', targets: TARGETS, fromSps: [...sps] },
];

const pe1 = (): Config => {
  const neighbours = {
    [PLACES.pe2.tunnel]: far('pe1', 'y'),
    [PLACES.pe3.tunnel]: { asn: 65_001, families: VPN },
  };
  const vrf = { imports: imports('x', 'y'), exports: [EXPORT] };
  return inside(net.pe('pe1', net.bgp('pe1', neighbours), vrf), [PLACES.pe3.tunnel]);
};
const pe2 = (): Config =>
  net.pe('pe2', net.bgp('pe2', { [PLACES.pe1.tunnel]: far('pe2', 'x') }), {
    imports: imports('x'),
    exports: [{ name: 'all', targets: TARGETS, protections: ['encrypt'], toSps: ['y', 'x'] }],
  });
const pe3 = (): Config => {
  const neighbours = { [PLACES.pe1.tunnel]: { asn: 65_001, families: VPN } };
  const vrf = { imports: imports('x'), exports: [EXPORT] };
  return inside(net.pe('pe3', net.bgp('pe3', neighbours), vrf), [PLACES.pe1.tunnel]);
};

beforeAll(async () => {
  net = await Providers.open('ipc2', ['pe1', 'pe2', 'pe3'], true);
  await net.up('pe1', pe1());
  await net.up('pe2', pe2());
  await net.up('pe3', pe3());
}, 120_000);
afterAll(async () => {
  await net.close();
});

async function label(): Promise<number> {
  const rows = await net.show('pe1', 'labels');
  const row = rows.find(({ rules }) => rules === 'bgp/all');
  if (row === undefined) throw new Error('PE 1 has no label');
  return row.label;
}

describe('a route of which only other SPs have to protect packets', () => {
  it('is reached by plain MPLS inside, and encrypted over multihop EBGP, by one label', async () => {
    const outside = await net.route('pe2', '10.1.0.0/24');
    const own = await net.route('pe3', '10.1.0.0/24');
    expect([outside.tunnel, own.tunnel]).toEqual([
      'pe/192.0.2.1/encrypt/gre',
      'pe/192.0.2.1/mpls/none',
    ]);
    expect([outside.label, own.label]).toEqual([await label(), await label()]);
    await net.reach('ce2', '10.1.0.2');
    await net.reach('ce3', '10.1.0.2');
    const encrypted = await net.capture('exch', 'ax', async () => {
      expect(await net.ping('ce2', '10.1.0.2', 10)).toBe(10);
    });
    expectEspAlone(encrypted, 20);
    const plain = await net.capture('x', 'pe3', async () => {
      expect(await net.ping('ce3', '10.1.0.2', 10)).toBe(10);
    });
    expect(kinds(plain).filter((kind) => kind === '0x8847').length).toBeGreaterThanOrEqual(20);
  });

  it('loses nothing while the supervisor of its PE is killed and comes back', async () => {
    const pinging = Promise.all([
      net.ping('ce2', '10.1.0.2', 1000, 10),
      net.ping('ce3', '10.1.0.2', 1000, 10),
    ]);
    await net.killSupervisor('pe1');
    net.start('pe1');
    expect(await pinging).toEqual([1000, 1000]);
  }, 60_000);

  it('by an outsider in clear MPLS-in-GRE or MPLS-in-IP: counted, not delivered', async () => {
    const sent = {
      from: PLACES.pe3.tunnel,
      to: PLACES.pe1.tunnel,
      label: await label(),
      count: 20,
    };
    expect(await net.dropped('pe1', 'gre_clear', async () => attack(net, 'gre', sent))).toBe(20);
    const inIp = async (): Promise<void> => attack(net, 'ip', sent);
    expect(await net.dropped('pe1', 'mpls_in_ip_clear', inIp)).toBe(20);
  });

  it('by a PE of the other SP that only authenticates: counted, not delivered', async () => {
    await net.rogue('pe1', await label(), 'authenticate');
    const sent = async (): Promise<void> => {
      expect(await net.ping('ce9', '10.1.0.2', 20)).toBe(0);
    };
    expect(await net.dropped('pe1', 'label_wrong_protection', sent)).toBe(20);
  }, 60_000);
});
