// SPDX-License-Identifier: Apache-2.0
/**
 * Policy-model 17 and 19 on packets: what comes out of an SA that a correctly keyed peer fills with something else,
 * and what customers send at the PE's own addresses.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Encapsulation } from '../../src/forwarding/addon/api.js';
import { sealEsp } from '../lib/esp.js';
import { ETHERTYPE, gre, ip, labelEntry, PROTOCOL, udp } from '../lib/packets.js';
import { carried, coreFrame, innerPacket, toCe } from './frames.js';
import { ANY, FAMILIES, HERE, LOCAL, MAC, PE_CE, Pe, REMOTE, THERE, type Sa } from './pe.js';
import { cePacket, fromCe } from './provoke.js';

let pe: Pe;
beforeAll(async () => {
  pe = await Pe.start('edges');
});
afterAll(async () => {
  await pe.close();
});

const fromThere = (): Buffer => innerPacket({ family: 4, source: THERE[4], destination: HERE[4] });

describe('17: an SA yields what it was negotiated for', () => {
  const through = async (
    encapsulation: Encapsulation,
    payload: Uint8Array,
    nextHeader: number,
  ): Promise<Record<string, number>> => {
    const sa = await pe.sa('in', { encapsulation });
    const esp = sealEsp(sa.esp, 1, payload, nextHeader);
    const frame = coreFrame(esp, { direction: 'in', family: 4, protocol: PROTOCOL.esp });
    const { out, drops } = await pe.run({ core: [frame] });
    if (Object.keys(drops).length > 0) expect(out).toEqual({});
    return drops;
  };
  const stack = (): Buffer =>
    Buffer.concat([labelEntry(pe.label('vrf', pe.vrfs.a, ANY)), fromThere()]);

  it('MPLS-in-GRE out of an SA for GRE, MPLS-in-IP out of one for 137', async () => {
    expect(await through('gre', gre(stack()), PROTOCOL.gre)).toEqual({});
    expect(await through('ip', stack(), PROTOCOL.mpls)).toEqual({});
    expect(await through('gre', stack(), PROTOCOL.mpls)).toEqual({ esp_selector: 1 });
    expect(await through('ip', gre(stack()), PROTOCOL.gre)).toEqual({ esp_selector: 1 });
  });

  it.each([
    ['ICMP', PROTOCOL.icmp],
    ['an IPv4 packet (tunnel mode)', 4],
    ['TCP', 6],
    ['UDP', PROTOCOL.udp],
    ['an IPv6 packet (tunnel mode)', 41],
    ['ESP', PROTOCOL.esp],
    ['AH', 51],
    ['ICMPv6', PROTOCOL.icmp6],
    ['OSPF', 89],
    ['Destination Options', 60],
  ])('not %s', async (_, protocol) => {
    expect(await through('gre', fromThere(), protocol)).toEqual({ esp_selector: 1 });
    expect(await through('ip', fromThere(), protocol)).toEqual({ esp_selector: 1 });
  });

  it.each([
    ['IPv4', ETHERTYPE.ip4],
    ['IPv6', ETHERTYPE.ip6],
    ['MPLS multicast', 0x8848],
    ['Ethernet', 0x6558],
  ])('not GRE with %s', async (_, type) => {
    expect(await through('gre', gre(fromThere(), type), PROTOCOL.gre)).toEqual({ gre_protocol: 1 });
  });

  it.each([0x8000, 0x4000, 0x2000, 0x1000, 0x0800, 0x0001, 0x0080])(
    'not GRE with flags %i',
    async (flags) => {
      expect(await through('gre', gre(stack(), ETHERTYPE.mpls, flags), PROTOCOL.gre)).toEqual({
        gre_header: 1,
      });
    },
  );

  it('multicast, OSPF and link-local traffic has no place in a VPN SA (P8)', async () => {
    const label = pe.label('vrf', pe.vrfs.a, ANY);
    const send = async (packet: Buffer): Promise<Record<string, number>> =>
      through('gre', carried({ encapsulation: 'gre', label, packet }), PROTOCOL.gre);
    const ospf = { source: THERE[4], protocol: 89, payload: Buffer.alloc(44) };
    expect(await send(ip({ ...ospf, destination: '224.0.0.5' }))).toEqual({ ip_multicast: 1 });
    expect(await send(ip({ ...ospf, destination: '239.1.1.1' }))).toEqual({ ip_multicast: 1 });
    expect(await send(ip({ ...ospf, destination: '255.255.255.255' }))).toEqual({
      ip_destination: 1,
    });
    const six = { source: THERE[6], protocol: 89, payload: Buffer.alloc(44) };
    expect(await send(ip({ ...six, destination: 'ff02::5' }))).toEqual({ ip_multicast: 1 });
    expect(await send(ip({ ...six, destination: 'fe80::1' }))).toEqual({ ip_destination: 1 });
    const linkLocal = ip({ ...six, source: 'fe80::2', destination: HERE[6] });
    expect(await send(linkLocal)).toEqual({ ip_source: 1 });
  });
});

describe('19: what a CE sends concerns its VRF alone', () => {
  const PAYLOADS: readonly (readonly [string, number, (sa: Sa) => Buffer])[] = [
    [
      'ESP of a live core SA',
      PROTOCOL.esp,
      (sa) => sealEsp(sa.esp, 1, gre(Buffer.alloc(24)), PROTOCOL.gre),
    ],
    ['MPLS-in-GRE', PROTOCOL.gre, () => gre(Buffer.concat([labelEntry(anyLabel()), fromThere()]))],
    ['MPLS-in-IP', PROTOCOL.mpls, () => Buffer.concat([labelEntry(anyLabel()), fromThere()])],
    ['IKE', PROTOCOL.udp, () => Buffer.from('01f401f4000c0000deadbeef', 'hex')],
    ['BGP', 6, () => Buffer.from('c35000b3000000010000000050020400000000000000', 'hex')],
  ];
  const anyLabel = (): number => pe.label('vrf', pe.vrfs.a, ANY);

  describe.each(FAMILIES)('IPv%i', (family) => {
    it.each(PAYLOADS)(
      '%s at the PE’s loopback address: a route of the VRF, or none',
      async (_, protocol, make) => {
        const sa = await pe.sa('in', { family });
        const payload = make(sa);
        // with the SA's own outer addresses, as the other PE would send it
        const packet = ip({
          source: REMOTE[family],
          destination: LOCAL[family],
          protocol,
          payload,
        });
        const later = ip({
          source: REMOTE[family],
          destination: LOCAL[family],
          protocol,
          payload,
          ttl: 63,
        });
        const none = await pe.run({ ce: [fromCe(packet)] });
        // the packet, and the ICMP error about it, whose way back is not there either
        expect(none.drops).toEqual({ no_route: 2, icmp_forbidden: 1 });
        expect(none.out['tap:core']).toBeUndefined();
        // the customer may use the PE's loopback address itself
        const site = pe.adjacency('ce8', MAC.c, family);
        pe.route('a', LOCAL[family], site);
        const { out, drops } = await pe.run({ ce: [fromCe(packet)] });
        expect([drops, out]).toEqual([{}, { ce: [toCe(later, MAC.c, 8)] }]);
        expect(pe.saState('in', sa)).toMatchObject({
          packets: 0n,
          sequence: 0n,
          replayed: 0n,
          authFailed: 0n,
        });
        pe.removeRoute('a', LOCAL[family]);
      },
    );

    it.each(PAYLOADS)(
      '%s at the VRF’s own address: the kernel’s, on that VRF’s TAP',
      async (_, protocol, make) => {
        const sa = await pe.sa('in', { family });
        const packet = ip({
          source: HERE[family],
          destination: PE_CE[family],
          protocol,
          payload: make(sa),
        });
        const frame = fromCe(packet);
        const { out, drops } = await pe.run({ ce: [frame] });
        expect([drops, out]).toEqual([{}, { 'tap:ce': [frame] }]);
        expect(pe.saState('in', sa).packets).toBe(0n);
      },
    );
  });

  it('and a customer’s address in the core’s table is not for us', async () => {
    for (const family of FAMILIES) {
      const payload = udp(REMOTE[family], PE_CE[family], Buffer.alloc(4));
      const outer = { direction: 'in', family, protocol: PROTOCOL.udp } as const;
      const frame = coreFrame(payload, { ...outer, destination: PE_CE[family] });
      const { out, drops } = await pe.run({ core: [frame] });
      expect([out, drops]).toEqual([{}, { core_transit: 1 }]);
      const mine = coreFrame(payload, outer);
      expect((await pe.run({ core: [mine] })).out).toEqual({ 'tap:core': [mine] });
    }
  });

  it('and the addresses of two VRFs are two', async () => {
    const packet = cePacket(PE_CE[4]);
    const tagged = Buffer.concat([
      ...[
        fromCe(packet).subarray(0, 12),
        Buffer.from('81000007', 'hex'),
        fromCe(packet).subarray(12),
      ],
    ]);
    const { out } = await pe.run({ ce: [tagged] });
    expect(out).toEqual({ 'tap:ce7': [fromCe(packet)] });
  });
});
