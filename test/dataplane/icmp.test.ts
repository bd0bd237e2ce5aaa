// SPDX-License-Identifier: Apache-2.0
/** The ICMP errors of the packet path: type, code, source, quote and way back, read by Scapy and tshark. */
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addressBytes, ETHERTYPE, ethernet, ip, PROTOCOL, udp } from '../lib/packets.js';
import { writePcap } from '../lib/pcap.js';
import { dissect } from '../lib/tshark.js';
import { openEsp } from '../lib/esp.js';
import { innerPacket, tunnelFrame, type Inner } from './frames.js';
import { field, ipLayer, layer, names } from './layers.js';
import { ANY, FAMILIES, HERE, MAC, PE_CE, Pe, THERE, type Family } from './pe.js';
import { fromCe } from './provoke.js';
import type { ReadLayer } from './wire.js';

let pe: Pe;
/** Every answer, for tshark. */
const answers: Buffer[] = [];
beforeAll(async () => {
  pe = await Pe.start('icmp');
});
afterAll(async () => {
  await pe.close();
});

interface Expected {
  readonly type: number;
  readonly code: number;
  readonly mtu?: number;
  readonly source?: string;
}

/** ICMP layer of what Scapy read, with the fields under one name. */
function icmpOf(
  layers: readonly ReadLayer[],
  family: Family,
): { type: number; code: number; mtu: number } {
  if (family === 4) {
    const icmp = layer(layers, 'ICMP');
    const mtu = icmp['nexthopmtu'];
    return { type: field(icmp, 'type'), code: field(icmp, 'code'), mtu: Number(mtu ?? 0) };
  }
  const icmp = layers.find((one) => String(one['layer']).startsWith('ICMPv6'));
  if (icmp === undefined) throw new Error(`no ICMPv6 in ${names(layers).join(' / ')}`);
  return { type: field(icmp, 'type'), code: field(icmp, 'code'), mtu: Number(icmp['mtu'] ?? 0) };
}

/** The answer, an IP packet, is right about the packet in error. */
async function check(answer: Buffer, about: Buffer, family: Family, want: Expected): Promise<void> {
  const [layers = []] = await pe.harness.wire.dissect([[ipLayer(family), answer]]);
  const head = layer(layers, ipLayer(family));
  const source = want.source ?? PE_CE[family];
  expect(head).toMatchObject({ src: source, dst: sourceOf(about, family) });
  expect(field(head, family === 4 ? 'ttl' : 'hlim')).toBe(64);
  const { type, code, mtu } = icmpOf(layers, family);
  expect({ type, code }).toEqual({ type: want.type, code: want.code });
  if (want.mtu !== undefined) expect(mtu).toBe(want.mtu);
  // the quote is the packet as it came, as much as fits into 576 or 1280 bytes
  const room = family === 4 ? 576 - 28 : 1280 - 48;
  expect(answer.subarray(family === 4 ? 28 : 48)).toEqual(about.subarray(0, room));
  const type2 = family === 4 ? ETHERTYPE.ip4 : ETHERTYPE.ip6;
  answers.push(ethernet({ destination: MAC.a, source: MAC.peCe, type: type2, payload: answer }));
}

const sourceOf = (packet: Buffer, family: Family): string => {
  const bytes = family === 4 ? packet.subarray(12, 16) : packet.subarray(8, 24);
  const known = [HERE[family], THERE[family]].find((text) => bytes.equals(addressBytes(text)));
  return known ?? [...bytes].join('.');
};

/** CE a sends a packet; the one answer it gets, and what was counted. */
async function provoke(packet: Buffer): Promise<{ answer: Buffer; drops: Record<string, number> }> {
  const { out, drops } = await pe.run({ ce: [fromCe(packet)] });
  expect(Object.keys(out)).toEqual(['ce']);
  const [frame = Buffer.alloc(0), more] = out['ce'] ?? [];
  expect(more).toBeUndefined();
  expect(frame.subarray(0, 12).toString('hex')).toBe(`${MAC.a}${MAC.peCe}`.replaceAll(':', ''));
  return { answer: frame.subarray(14), drops };
}

const inner = (family: Family, rest: Partial<Inner> = {}): Buffer =>
  innerPacket({ family, ...rest });

describe.each(FAMILIES)('IPv%i, about a CE’s packet', (family) => {
  const v4 = family === 4;

  it.each([0, 1])('TTL %i: time exceeded', async (ttl) => {
    const packet = inner(family, { ttl, destination: HERE[family] });
    const { answer, drops } = await provoke(packet);
    expect(drops).toEqual({ ttl_expired: 1 });
    await check(answer, packet, family, { type: v4 ? 11 : 3, code: 0 });
  });

  it('no route: network unreachable', async () => {
    const packet = inner(family, { destination: v4 ? '203.0.113.1' : '2001:db8:ffff::1' });
    const { answer, drops } = await provoke(packet);
    expect(drops).toEqual({ no_route: 1 });
    await check(answer, packet, family, { type: v4 ? 3 : 1, code: 0 });
  });

  it('a route that says unreachable: host (address) unreachable', async () => {
    const destination = v4 ? '203.0.113.2' : '2001:db8:ffff::2';
    const version = {
      kind: 'drop',
      reason: 'unreachable',
      icmpUnreachable: true,
      vrf: pe.vrfs.a,
    } as const;
    pe.route('a', destination, pe.nexthop(version));
    const packet = inner(family, { destination });
    const { answer, drops } = await provoke(packet);
    expect(drops).toEqual({ unreachable: 1 });
    await check(answer, packet, family, { type: v4 ? 3 : 1, code: v4 ? 1 : 3 });
  });

  it('larger than the tunnel: too big, with the MTU, and at the MTU not', async () => {
    const destination = v4 ? '203.0.113.3' : '2001:db8:ffff::3';
    const sa = await pe.sa('out', { family });
    const tunnel = pe.tunnel({ encapsulation: 'gre', family, sa, mtu: 1380 });
    pe.route('a', destination, tunnel, { label: 4711 });
    const head = v4 ? 28 : 48;
    const packet = inner(family, { destination, size: 1381 - head });
    const { answer, drops } = await provoke(packet);
    expect(drops).toEqual({ mtu_exceeded: 1 });
    await check(answer, packet, family, { type: v4 ? 3 : 2, code: v4 ? 4 : 0, mtu: 1380 });
    const fits = await pe.run({ ce: [fromCe(inner(family, { destination, size: 1380 - head }))] });
    expect([fits.drops, fits.out['core']?.length]).toEqual([{}, 1]);
    // nothing was encapsulated for the one that did not fit
    expect(pe.saState('out', sa).packets).toBe(1n);
  });

  it('comes from the VRF’s address when the interface has none, and not at all without either', async () => {
    const none = { address4: new Uint8Array(4), address6: new Uint8Array(16) };
    pe.setInterface('ce', none);
    const packet = inner(family, { ttl: 1, destination: HERE[family] });
    const silent = await pe.run({ ce: [fromCe(packet)] });
    expect([silent.out, silent.drops]).toEqual([{}, { ttl_expired: 1, icmp_forbidden: 1 }]);
    const source = v4 ? '10.255.0.1' : '2001:db8:ff::1';
    pe.setVrf(
      'a',
      v4 ? { icmpSource4: addressBytes(source) } : { icmpSource6: addressBytes(source) },
    );
    const { answer } = await provoke(packet);
    await check(answer, packet, family, { type: v4 ? 11 : 3, code: 0, source });
    pe.setVrf('a', {});
    pe.setInterface('ce', { address4: addressBytes(PE_CE[4]), address6: addressBytes(PE_CE[6]) });
  });

  it('is not sent about ICMP errors, later fragments, or what came in a group frame', async () => {
    const source = HERE[family];
    const destination = v4 ? '203.0.113.1' : '2001:db8:ffff::1';
    const errors = v4
      ? [[PROTOCOL.icmp, [3, 4, 5, 11, 12]] as const]
      : [[PROTOCOL.icmp6, [1, 2, 3, 4, 137]] as const];
    for (const [protocol, types] of errors) {
      for (const type of types) {
        const packet = ip({
          source,
          destination,
          protocol,
          payload: Buffer.of(type, 0, 0, 0, 0, 0, 0, 0),
        });
        const { out, drops } = await pe.run({ ce: [fromCe(packet)] });
        expect([out, drops]).toEqual([{}, { no_route: 1, icmp_forbidden: 1 }]);
      }
    }
    const payload = udp(source, destination, Buffer.alloc(16));
    const later = v4
      ? ip({ source, destination, protocol: PROTOCOL.udp, fragment: 0x00b9, payload })
      : ip({
          source,
          destination,
          protocol: 44,
          payload: Buffer.concat([Buffer.from([17, 0, 5, 0xc8, 0, 0, 0, 1]), payload]),
        });
    const { out, drops } = await pe.run({ ce: [fromCe(later)] });
    expect([out, drops]).toEqual([{}, { no_route: 1, icmp_forbidden: 1 }]);
    // but about the first one, and about an echo request
    const first = v4
      ? ip({ source, destination, protocol: PROTOCOL.udp, fragment: 0x2000, payload })
      : ip({
          source,
          destination,
          protocol: 44,
          payload: Buffer.concat([Buffer.from([17, 0, 0, 1, 0, 0, 0, 1]), payload]),
        });
    await check((await provoke(first)).answer, first, family, { type: v4 ? 3 : 1, code: 0 });
    const echo = ip({
      ...{ source, destination, protocol: v4 ? PROTOCOL.icmp : PROTOCOL.icmp6 },
      payload: Buffer.of(v4 ? 8 : 128, 0, 0, 0, 0, 0, 0, 0),
    });
    await check((await provoke(echo)).answer, echo, family, { type: v4 ? 3 : 1, code: 0 });
  });
});

describe('about a packet that came out of a tunnel', () => {
  const SOURCE = { 4: '10.255.0.1', 6: '2001:db8:ff::1' } as const;
  beforeAll(() => {
    pe.setVrf('a', { icmpSource4: addressBytes(SOURCE[4]), icmpSource6: addressBytes(SOURCE[6]) });
  });

  it.each(FAMILIES)(
    'IPv%i: goes back through the tunnel, from the VRF’s address',
    async (family) => {
      const sa = await pe.sa('out');
      const back = pe.tunnel({ encapsulation: 'gre', family: 4, sa });
      pe.route('a', THERE[family], back, { label: 4713, length: family === 4 ? 24 : 64 });
      const packet = innerPacket({
        family,
        source: THERE[family],
        destination: HERE[family],
        ttl: 1,
      });
      const label = pe.label('vrf', pe.vrfs.a, ANY);
      const frame = tunnelFrame({
        ...{
          encapsulation: 'gre',
          family: 4,
          direction: 'in',
          label,
          sa: await pe.sa('in'),
          packet,
        },
      });
      const { out, drops } = await pe.run({ core: [frame] });
      expect([Object.keys(out), drops]).toEqual([['core'], { ttl_expired: 1 }]);
      const { payload } = openEsp(sa.esp, (out['core']?.[0] ?? Buffer.alloc(0)).subarray(34));
      // GRE, label 4713 with the pipe model's TTL and the answer's class (IPv4: CS6), the answer
      const entry = 4713 * 4096 + ((family === 4 ? 6 : 0) << 9) + 0x1ff;
      expect(payload.subarray(0, 8).toString('hex')).toBe(
        `00008847${entry.toString(16).padStart(8, '0')}`,
      );
      const want = { type: family === 4 ? 11 : 3, code: 0, source: SOURCE[family] };
      await check(payload.subarray(8), packet, family, want);
    },
  );

  it('with the uniform model the label’s TTL ends it', async () => {
    pe.setVrf('a', { ttlUniform: true, icmpSource4: addressBytes(SOURCE[4]) });
    const label = pe.label('vrf', pe.vrfs.a, ANY);
    const packet = innerPacket({ family: 4, source: THERE[4], destination: HERE[4] });
    const frame = tunnelFrame({
      ...{ encapsulation: 'gre', family: 4, direction: 'in', label, labelTtl: 1 },
      ...{ sa: await pe.sa('in'), packet },
    });
    const { out, drops } = await pe.run({ core: [frame] });
    expect([drops, out['core']?.length]).toEqual([{ label_ttl_expired: 1 }, 1]);
    pe.setVrf('a', {});
  });
});

describe('what tshark reads', () => {
  it('every checksum is right, and nothing is malformed', async () => {
    expect(answers.length).toBeGreaterThanOrEqual(14);
    const file = pe.harness.path('icmp.pcap');
    await writeFile(file, writePcap(answers));
    const fields = [
      ...(['icmp.checksum.status', 'icmpv6.checksum.status', 'ip.checksum.status'] as const),
      ...(['_ws.malformed', 'icmp.type', 'icmpv6.type'] as const),
    ] as const;
    const rows = await dissect(file, fields);
    expect(rows).toHaveLength(answers.length);
    for (const row of rows) {
      expect(row['_ws.malformed']).toBe('');
      const [outer] = `${row['icmp.checksum.status']}${row['icmpv6.checksum.status']}`.split(',');
      expect(outer).toBe('1');
      if (row['icmp.type'] !== '') expect(row['ip.checksum.status'].split(',')[0]).toBe('1');
    }
  });
});
