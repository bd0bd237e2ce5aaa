// SPDX-License-Identifier: Apache-2.0
/**
 * One prefix exported twice (P7): inside SP X by authentication alone, to SP Y encrypted, each with a route distinguisher and
 * route target of its own. PE 1 and PE 2 are external neighbours over several hops; PE 3 is of X.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Config } from '../../../src/config/types.js';
import { attack } from './outsider.js';
import { PLACES, Providers, TARGETS } from './providers.js';
import { expectEspAlone, far, labelOf, VPN } from './vpn.js';

let net: Providers;
const INSIDE = ['65001:1'];

const pe1 = (): Config =>
  net.pe(
    'pe1',
    net.bgp('pe1', {
      [PLACES.pe2.tunnel]: far('pe1', 'y'),
      [PLACES.pe3.tunnel]: { asn: 65_001, families: VPN },
    }),
    {
      imports: [
        { name: 'own', targets: INSIDE },
        { name: 'other', targets: TARGETS, fromSps: ['y'] },
      ],
      exports: [
        { name: 'own', targets: INSIDE, protections: ['authenticate'] },
        {
          name: 'other',
          rd: '65001:101',
          targets: TARGETS,
          protections: ['encrypt'],
          toSps: ['y'],
        },
      ],
    },
  );
const pe2 = (): Config =>
  net.pe('pe2', net.bgp('pe2', { [PLACES.pe1.tunnel]: far('pe2', 'x') }), {
    imports: [{ name: 'other', targets: TARGETS, fromSps: ['x'] }],
    exports: [{ name: 'other', targets: TARGETS, protections: ['encrypt'], toSps: ['y', 'x'] }],
  });
const pe3 = (): Config =>
  net.pe('pe3', net.bgp('pe3', { [PLACES.pe1.tunnel]: { asn: 65_001, families: VPN } }), {
    imports: [{ name: 'own', targets: INSIDE }],
    exports: [{ name: 'own', targets: INSIDE, protections: ['authenticate'] }],
  });

beforeAll(async () => {
  net = await Providers.open('iptx', ['pe1', 'pe2', 'pe3'], true);
  await net.up('pe1', pe1());
  await net.up('pe2', pe2());
  await net.up('pe3', pe3());
}, 120_000);
afterAll(async () => {
  await net.close();
});

describe('a prefix exported twice', () => {
  it('is reached encrypted over multihop EBGP, and authenticated inside', async () => {
    const outside = await net.route('pe2', '10.1.0.0/24');
    const inside = await net.route('pe3', '10.1.0.0/24');
    expect([outside.tunnel, inside.tunnel]).toEqual([
      'pe/192.0.2.1/encrypt/gre',
      'pe/192.0.2.1/authenticate/gre',
    ]);
    expect([outside.label, inside.label]).toEqual([
      await labelOf(net, 'other'),
      await labelOf(net, 'own'),
    ]);
    await net.route('pe1', '10.2.0.0/24');
    await net.route('pe1', '10.3.0.0/24');
    await net.reach('ce2', '10.1.0.2');
    await net.reach('ce3', '10.1.0.2');
    const frames = await net.capture('x', 'pe1', async () => {
      expect(await net.ping('ce2', '10.1.0.2', 10)).toBe(10);
      expect(await net.ping('ce3', '10.1.0.2', 10)).toBe(10);
    });
    expectEspAlone(frames, 40);
    // Authenticated packets can be read, encrypted ones cannot.
    const readable = (of: string): boolean =>
      frames.some((frame) => frame.includes(Buffer.from(of.split('.').map(Number))));
    expect(readable('10.3.0.2')).toBe(true);
    expect(readable('10.2.0.2')).toBe(false);
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
});

describe('labels that were not told to who sends them', () => {
  it('by an outsider in clear: counted, not delivered', async () => {
    for (const rule of ['own', 'other']) {
      const sent = {
        from: '203.0.113.2',
        to: '192.0.2.1',
        label: await labelOf(net, rule),
        count: 20,
      };
      expect(await net.dropped('pe1', 'gre_clear', async () => attack(net, 'gre', sent))).toBe(20);
      const inIp = async (): Promise<void> => attack(net, 'ip', sent);
      expect(await net.dropped('pe1', 'mpls_in_ip_clear', inIp)).toBe(20);
    }
  });

  it('by a PE of the other SP in its own SA: counted, not delivered', async () => {
    await net.rogue('pe1', await labelOf(net, 'own'));
    const sent = async (): Promise<void> => {
      expect(await net.ping('ce9', '10.1.0.2', 20)).toBe(0);
    };
    expect(await net.dropped('pe1', 'label_wrong_sp', sent)).toBe(20);
  }, 60_000);
});
