// SPDX-License-Identifier: Apache-2.0
/**
 * Without a tunnel: CE to CE on this PE and between VRFs that import each other's routes (P2), VLAN sub-interfaces in
 * different VRFs with the same addresses, longest match (P11), and what goes to and comes from the kernel.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addressBytes, ETHERTYPE, ethernet, ip, PROTOCOL } from '../lib/packets.js';
import { ceEthernet, innerPacket, innerStack, toCe, tunnelFrame, type Inner } from './frames.js';
import {
  ANY,
  FAMILIES,
  HERE,
  MAC,
  PE_C,
  PE_CE,
  Pe,
  SITE_C,
  THERE,
  type Family,
  type InterfaceName,
} from './pe.js';
import { fromCe } from './provoke.js';

let pe: Pe;
beforeAll(async () => {
  pe = await Pe.start('local');
});
afterAll(async () => {
  await pe.close();
});

async function fromScapy(inner: Inner, mac: string, vlan?: number): Promise<Buffer> {
  const [frame] = await pe.harness.wire.build([[...ceEthernet(mac, vlan), ...innerStack(inner)]]);
  if (frame === undefined) throw new Error('Scapy built nothing');
  return frame;
}

/** One hop later, byte by byte. */
const later = (inner: Inner, mac: string, vlan?: number): Buffer =>
  toCe(innerPacket({ ...inner, ttl: (inner.ttl ?? 33) - 1 }), mac, vlan);

const host = (family: Family, n: number): string =>
  family === 4 ? `10.1.1.${String(n)}` : `2001:db8:a::${n.toString(16)}`;

describe('CE to CE on this PE', () => {
  it.each(FAMILIES)(
    'IPv%i within a VRF: no encapsulation, not even when a label exists',
    async (family) => {
      const inner = { family, source: host(family, 1), destination: host(family, 2), size: 64 };
      const { tables } = pe.harness;
      const before = tables.vrfCounters(pe.vrfs.a);
      const { out, drops } = await pe.run({ ce: [await fromScapy(inner, MAC.a)] });
      expect([drops, out]).toEqual([{}, { ce: [later(inner, MAC.a)] }]);
      const bytes = BigInt(innerPacket(inner).length);
      expect(tables.vrfCounters(pe.vrfs.a)).toEqual({
        ...before,
        ...{ fromCePackets: before.fromCePackets + 1n, fromCeBytes: before.fromCeBytes + bytes },
        ...{ localPackets: before.localPackets + 1n, localBytes: before.localBytes + bytes },
      });
    },
  );

  it.each(FAMILIES)(
    'IPv%i between VRFs that import each other’s routes, and none others',
    async (family) => {
      const length = family === 4 ? 24 : 64;
      const aToC = { family, source: HERE[family], destination: SITE_C[family] };
      const cToA = { family, source: SITE_C[family], destination: HERE[family] };
      const without = await pe.run({ ce: [await fromScapy(aToC, MAC.a)] });
      expect(without.drops).toEqual({ no_route: 1 });
      // as the projection does for a local import: the other VRF's next hop
      pe.route('a', SITE_C[family], pe.adjacency('ce8', MAC.c, family), { length });
      pe.route('c', HERE[family], pe.adjacency('ce', MAC.a, family), { length });
      const there = await pe.run({ ce: [await fromScapy(aToC, MAC.a)] });
      expect([there.drops, there.out]).toEqual([{}, { ce: [later(aToC, MAC.c, 8)] }]);
      const back = await pe.run({ ce: [await fromScapy(cToA, MAC.c, 8)] });
      expect([back.drops, back.out]).toEqual([{}, { ce: [later(cToA, MAC.a)] }]);
      // VRF b imports neither
      const b = await pe.run({ ce: [await fromScapy(aToC, MAC.b, 7)] });
      expect(b.drops).toEqual({ no_route: 1 });
    },
  );
});

describe('VLAN sub-interfaces', () => {
  it.each(FAMILIES)(
    'IPv%i: the tag alone tells two customers with the same addresses apart',
    async (family) => {
      const inner = { family, source: host(family, 1), destination: host(family, 2) };
      const untagged = await fromScapy(inner, MAC.a);
      const tagged = await fromScapy(inner, MAC.b, 7);
      const { out, drops, interfaces } = await pe.run({ ce: [untagged, tagged] });
      expect([drops, out]).toEqual([{}, { ce: [later(inner, MAC.a), later(inner, MAC.b, 7)] }]);
      expect(interfaces).toEqual({
        ce: {
          ...{ rxPackets: 1, rxBytes: untagged.length, txPackets: 1, txBytes: untagged.length },
        },
        ce7: { rxPackets: 1, rxBytes: tagged.length, txPackets: 1, txBytes: tagged.length },
      });
    },
  );

  it('a priority tag (VLAN 0) is no VLAN', async () => {
    const inner = { family: 4, source: host(4, 1), destination: host(4, 2) } as const;
    const { out, drops } = await pe.run({ ce: [await fromScapy(inner, MAC.a, 0)] });
    expect([drops, out]).toEqual([{}, { ce: [later(inner, MAC.a)] }]);
  });

  it('the other site’s packets of two VPNs leave by one port with their tags', async () => {
    const sa = await pe.sa('in');
    const packet = innerPacket({ family: 4, source: THERE[4], destination: HERE[4] });
    const frames = (['a', 'b'] as const).map((vrf, i) =>
      tunnelFrame({
        ...{ encapsulation: 'gre', family: 4, direction: 'in', sa, sequence: i + 1, packet },
        label: pe.label('vrf', pe.vrfs[vrf], ANY),
      }),
    );
    const { out } = await pe.run({ core: frames });
    const inner = { family: 4, source: THERE[4], destination: HERE[4] } as const;
    expect(out).toEqual({ ce: [later(inner, MAC.a), later(inner, MAC.b, 7)] });
  });
});

describe('the longest match', () => {
  it.each(FAMILIES)(
    'IPv%i: nested prefixes, replaced and removed while packets come',
    async (family) => {
      const target = family === 4 ? '172.16.1.1' : '2001:db8:1:2:3::1';
      const lengths =
        family === 4 ? [0, 8, 16, 23, 24, 31, 32] : [0, 16, 32, 48, 63, 64, 65, 127, 128];
      const inner = { family, source: HERE[family], destination: target };
      const frame = await fromScapy(inner, MAC.a);
      const macOf = (length: number): string =>
        `02:00:00:00:dd:${length.toString(16).padStart(2, '0')}`;
      const expectMac = async (length: number): Promise<void> => {
        const { out } = await pe.run({ ce: [frame] });
        expect(out).toEqual({ ce: [later(inner, macOf(length), 8)] });
      };
      for (const length of lengths) {
        pe.route('a', target, pe.adjacency('ce8', macOf(length), family), { length });
        await expectMac(length);
      }
      for (const length of [...lengths].reverse()) {
        await expectMac(length);
        pe.removeRoute('a', target, length);
      }
      expect((await pe.run({ ce: [frame] })).drops).toEqual({ no_route: 1 });
    },
  );

  it('a next hop changes with one store, for all its routes', async () => {
    const nexthop = pe.adjacency('ce8', MAC.c, 4);
    const hosts = ['172.20.0.1', '172.20.0.2', '172.20.0.3'];
    for (const one of hosts) pe.route('a', one, nexthop);
    const frames = await Promise.all(
      hosts.map(async (destination) => fromScapy({ family: 4, destination }, MAC.a)),
    );
    const to = (mac: string, vlan?: number): Buffer[] =>
      hosts.map((destination) => later({ family: 4, destination }, mac, vlan));
    expect((await pe.run({ ce: frames })).out).toEqual({ ce: to(MAC.c, 8) });
    const { tables } = pe.harness;
    const direct = pe.adjacency('ce', MAC.a, 4);
    const other = tables.nexthops().find(({ id }) => id === direct);
    tables.setNexthop(nexthop, other?.active);
    expect((await pe.run({ ce: frames })).out).toEqual({ ce: to(MAC.a) });
    tables.setNexthop(nexthop, undefined);
    expect((await pe.run({ ce: frames })).drops).toEqual({ nexthop_unusable: 3 });
  });
});

describe('to the kernel', () => {
  const TAPS: readonly (readonly [InterfaceName, string, number | undefined])[] = [
    ['ce', 'ce', undefined],
    ['ce7', 'ce', 7],
    ['core', 'core', undefined],
    ['open', 'core', 20],
  ];
  const own = (port: string): string => (port === 'ce' ? MAC.peCe : MAC.peCore);

  it.each(TAPS)(
    '%s: ARP, neighbour discovery and link-local traffic, untagged on its own TAP',
    async (name, port, vlan) => {
      const link = { source: MAC.a, payload: Buffer.alloc(46) };
      const nd = ip({
        ...{ source: '::', destination: 'ff02::1:ff00:1', protocol: PROTOCOL.icmp6, ttl: 255 },
        payload: Buffer.alloc(24),
      });
      const toUs = ip({
        ...{ source: 'fe80::2', destination: 'fe80::1', protocol: PROTOCOL.icmp6, ttl: 255 },
        payload: Buffer.alloc(24),
      });
      const ospf = ip({
        ...{ source: '10.1.1.9', destination: '224.0.0.5', protocol: 89, ttl: 1 },
        payload: Buffer.alloc(44),
      });
      const sent = [
        { ...link, destination: 'ff:ff:ff:ff:ff:ff', type: ETHERTYPE.arp },
        { ...link, destination: own(port), type: ETHERTYPE.arp },
        { ...link, destination: '33:33:ff:00:00:01', type: ETHERTYPE.ip6, payload: nd },
        { ...link, destination: own(port), type: ETHERTYPE.ip6, payload: toUs },
        { ...link, destination: '01:00:5e:00:00:05', type: ETHERTYPE.ip4, payload: ospf },
      ];
      const tagged = sent.map((one) => ethernet(vlan === undefined ? one : { ...one, vlan }));
      const { out, drops, interfaces } = await pe.run({ [port]: tagged });
      expect([drops, out]).toEqual([{}, { [`tap:${name}`]: sent.map((one) => ethernet(one)) }]);
      expect(interfaces[name]).toMatchObject({ rxPackets: 5, punted: 5 });
    },
  );

  it.each(TAPS)('%s: what the kernel sends leaves as it is, tagged', async (name, port, vlan) => {
    const frame = {
      source: own(port),
      destination: MAC.a,
      type: ETHERTYPE.arp,
      payload: Buffer.alloc(46),
    };
    const { out, interfaces } = await pe.run({ [`tap:${name}`]: [ethernet(frame)] });
    expect(out).toEqual({ [port]: [ethernet(vlan === undefined ? frame : { ...frame, vlan })] });
    expect(interfaces[name]).toMatchObject({ injected: 1, txPackets: 1 });
  });

  it('a neighbour that is not known is asked for', async () => {
    const glean = pe.nexthop({ kind: 'glean', interface: pe.interfaces.ce8, vrf: pe.vrfs.a });
    for (const [address, family] of [
      ['192.168.44.7', 4],
      ['2001:db8:44::7', 6],
    ] as const) {
      pe.route('a', address, glean);
      pe.harness.events.length = 0;
      const { drops } = await pe.run({
        ce: [await fromScapy({ family, destination: address }, MAC.a)],
      });
      expect(drops).toEqual({ neighbour_pending: 1 });
      await expect.poll(() => pe.harness.events.length).toBe(1);
      const value = { interface: pe.interfaces.ce8, address: expect.anything() as unknown };
      expect(pe.harness.events).toEqual([{ $case: 'resolveNeighbour', value }]);
      const [event] = pe.harness.events;
      if (event?.$case !== 'resolveNeighbour') throw new Error('another event');
      expect(Buffer.from(event.value.address)).toEqual(Buffer.from(addressBytes(address)));
    }
  });
});

describe('a VRF’s host TAP', () => {
  let tap: string;
  beforeAll(async () => {
    const name = 'host-a';
    const none = {
      acceptGre: false,
      acceptIp: false,
      mplsOwnSp: false,
      mplsOtherSp: false,
      mac: new Uint8Array(6),
    };
    const row = { name, role: 'host', vrf: pe.vrfs.a, port: 0, vlan: 0, mtu: 1500 } as const;
    const id = pe.harness.tables.putInterface({ ...row, ...none });
    await pe.harness.attach(id, name, 'tun');
    pe.setVrf('a', { hostInterface: id });
    tap = `tap:${name}`;
  });

  it.each(FAMILIES)(
    'IPv%i from the PE’s own address: routed in the VRF, its TTL untouched',
    async (family) => {
      const inner = { family, source: PE_CE[family], destination: HERE[family], ttl: 1 };
      const { out, drops } = await pe.run({ [tap]: [innerPacket(inner)] });
      expect([drops, out]).toEqual([{}, { ce: [toCe(innerPacket(inner))] }]);
    },
  );

  it.each(FAMILIES)(
    'IPv%i out of a tunnel to the PE’s own address: the packet as it came',
    async (family) => {
      const packet = innerPacket({
        family,
        source: THERE[family],
        destination: PE_CE[family],
        ttl: 9,
      });
      const receive = { kind: 'receive', interface: pe.interfaces.ce, vrf: pe.vrfs.a } as const;
      pe.route('a', PE_CE[family], pe.nexthop(receive), { accept: ANY });
      const frame = tunnelFrame({
        ...{ encapsulation: 'gre', family: 4, direction: 'in', packet },
        ...{ label: pe.label('vrf', pe.vrfs.a, ANY), sa: await pe.sa('in') },
      });
      const { out, drops } = await pe.run({ core: [frame] });
      expect([drops, out]).toEqual([{}, { [tap]: [packet] }]);
    },
  );

  it.each(FAMILIES)(
    'IPv%i to an address of another VRF goes to that VRF’s host TAP, or nowhere',
    async (family) => {
      const inner = { family, source: HERE[family], destination: PE_C[family] };
      const receive = { kind: 'receive', interface: pe.interfaces.ce8, vrf: pe.vrfs.c } as const;
      pe.route('a', PE_C[family], pe.nexthop(receive));
      const { out, drops } = await pe.run({ ce: [fromCe(innerPacket(inner))] });
      expect([drops, out]).toEqual([{ punt_tap: 1 }, {}]);
    },
  );
});
