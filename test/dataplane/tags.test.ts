// SPDX-License-Identifier: Apache-2.0
/**
 * Interfaces of two VLAN tags (IEEE 802.1ad): Scapy writes what comes and reads what leaves, between two customers with the
 * same addresses, one behind VLAN 7 and one behind VLAN 7 of service VLAN 100.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ServiceTag } from '../../src/forwarding/addon/api.js';
import { ETHERTYPE, ethernet } from '../lib/packets.js';
import { innerPacket, innerStack } from './frames.js';
import { FAMILIES, HERE, MAC, Pe, SITE_C, type Family } from './pe.js';
import type { Stack } from './wire.js';

const NAMES = { 0x88a8: 'q88a8', 0x8100: 'q8100' } as const;
const LAYERS = { 0x88a8: 'Dot1AD', 0x8100: 'Dot1Q' } as const;
const TYPES = [0x88a8, 0x8100] as const;
const SERVICE_VLAN = { 0x88a8: 100, 0x8100: 4094 } as const;

let pe: Pe;

/** An interface of VRF c, and its VRF's next hop and route to the site behind it. */
async function stacked(type: ServiceTag['type']): Promise<void> {
  const from = pe.rows.get('ce8');
  if (from === undefined) throw new Error('no interface ce8');
  const serviceTag = { vlan: SERVICE_VLAN[type], type };
  const { tables } = pe.harness;
  const id = tables.putInterface({ ...from, name: NAMES[type], vlan: 7, serviceTag });
  await pe.harness.attach(id, NAMES[type]);
  for (const family of FAMILIES) {
    const tags = `${hex(type)}${hex(SERVICE_VLAN[type])}81000007${family === 4 ? '0800' : '86dd'}`;
    const nexthop = pe.nexthop({
      ...{ kind: 'adjacency', interface: id, vrf: from.vrf, mtu: 1500 },
      neighbour: new Uint8Array(family === 4 ? 4 : 16).fill(10),
      header: Buffer.from(`${MAC.b}${MAC.peCe}`.replaceAll(':', '') + tags, 'hex'),
    });
    pe.route('c', site(type, family), nexthop, { length: family === 4 ? 24 : 64 });
  }
}

const hex = (word: number): string => word.toString(16).padStart(4, '0');

function site(type: ServiceTag['type'], family: Family): string {
  if (type === 0x88a8) return HERE[family];
  return family === 4 ? '10.1.88.1' : '2001:db8:88::1';
}

const tags = (type: ServiceTag['type'], vlan = 7, service: number = SERVICE_VLAN[type]): Stack => [
  ['Ether', { dst: MAC.peCe, src: MAC.b }],
  // Scapy writes 0x88a8 in front of Dot1AD, 0x8100 in front of Dot1Q
  [LAYERS[type], { vlan: service, prio: 5 }],
  ['Dot1Q', { vlan, prio: 3 }],
];

async function build(stack: Stack): Promise<Buffer> {
  const [frame] = await pe.harness.wire.build([stack]);
  if (frame === undefined) throw new Error('Scapy built nothing');
  return frame;
}

beforeAll(async () => {
  pe = await Pe.start('tags');
  for (const type of TYPES) await stacked(type);
});
afterAll(async () => {
  await pe.close();
});

describe.each(TYPES)('a service tag of type %i', (type) => {
  it.each(FAMILIES)('IPv%i: comes in, and leaves with one tag', async (family) => {
    // the largest packet
    const size = 1500 - (family === 4 ? 28 : 48);
    const inner = { family, source: site(type, family), destination: SITE_C[family], size };
    const frame = await build([...tags(type), ...innerStack(inner)]);
    const { out, drops, interfaces } = await pe.run({ ce: [frame] });
    const payload = innerPacket({ ...inner, ttl: 32 });
    const etherType = family === 4 ? ETHERTYPE.ip4 : ETHERTYPE.ip6;
    const sent = ethernet({
      ...{ destination: MAC.c, source: MAC.peCe, vlan: 8, type: etherType, payload },
    });
    expect([drops, out]).toEqual([{}, { ce: [sent] }]);
    expect(interfaces).toMatchObject({ [NAMES[type]]: { rxPackets: 1, rxBytes: 1522 } });
  });

  it.each(FAMILIES)('IPv%i: leaves, as Scapy reads it', async (family) => {
    const size = 1500 - (family === 4 ? 28 : 48);
    const inner = { family, source: SITE_C[family], destination: site(type, family), size };
    const one = await build([
      ...[['Ether', { dst: MAC.peCe, src: MAC.c }] as const, ['Dot1Q', { vlan: 8 }] as const],
      ...innerStack(inner),
    ]);
    const { out, drops } = await pe.run({ ce: [one] });
    expect([drops, Object.keys(out)]).toEqual([{}, ['ce']]);
    const [sent] = out['ce'] ?? [];
    if (sent === undefined) throw new Error('nothing left');
    expect(sent).toHaveLength(1522);
    const [layers = []] = await pe.harness.wire.dissect([['Ether', sent]]);
    expect(layers.slice(0, 4)).toMatchObject([
      { layer: 'Ether', dst: MAC.b, src: MAC.peCe, type },
      { layer: LAYERS[type], vlan: SERVICE_VLAN[type], prio: 0, type: 0x8100 },
      { layer: 'Dot1Q', vlan: 7, prio: 0 },
      { layer: family === 4 ? 'IP' : 'IPv6' },
    ]);
    expect(sent.subarray(22)).toEqual(innerPacket({ ...inner, ttl: 32 }));
  });

  it('ARP reaches the kernel without tags, and what the kernel sends gets both', async () => {
    const arp: Stack = [['ARP', { psrc: '10.1.1.1', pdst: '10.1.1.254' }]];
    const tap = `tap:${NAMES[type]}`;
    const plain = await build([['Ether', { dst: MAC.peCe, src: MAC.b }], ...arp]);
    const { out } = await pe.run({ ce: [await build([...tags(type), ...arp])] });
    expect(out).toEqual({ [tap]: [plain] });
    const answer = await build([['Ether', { dst: MAC.b, src: MAC.peCe }], ...arp]);
    const wanted = Buffer.concat([
      ...[answer.subarray(0, 12), Buffer.from(`${hex(type)}${hex(SERVICE_VLAN[type])}`, 'hex')],
      ...[Buffer.from('81000007', 'hex'), answer.subarray(12)],
    ]);
    expect((await pe.run({ [tap]: [answer] })).out).toEqual({ ce: [wanted] });
  });
});

it.each([
  ['another VLAN', 0x88a8, 8, 100],
  ['another service VLAN', 0x88a8, 7, 101],
  ['the tags in the other order', 0x88a8, 100, 7],
] as const)('%s is nobody’s', async (_, type, vlan, service) => {
  const inner = { family: 4, source: HERE[4], destination: SITE_C[4] } as const;
  const frame = await build([...tags(type, vlan, service), ...innerStack(inner)]);
  const { out, drops } = await pe.run({ ce: [frame] });
  expect([out, drops]).toEqual([{}, { rx_unknown_vlan: 1 }]);
});

it('a service tag alone is nobody’s, and VLAN 7 alone another customer’s', async () => {
  const inner = { family: 4, source: HERE[4], destination: SITE_C[4] } as const;
  const [ether, , vlan] = tags(0x88a8);
  if (ether === undefined || vlan === undefined) throw new Error('no tags');
  const alone = await build([ether, ['Dot1Q', { vlan: 100 }], ...innerStack(inner)]);
  expect((await pe.run({ ce: [alone] })).drops).toEqual({ rx_unknown_vlan: 1 });
  const other = await build([ether, vlan, ...innerStack(inner)]);
  const { drops, interfaces } = await pe.run({ ce: [other] });
  expect(drops).toEqual({ no_route: 1 }); // of VRF b
  expect(interfaces).toMatchObject({ ce7: { rxPackets: 1 } });
});
