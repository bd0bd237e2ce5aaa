// SPDX-License-Identifier: Apache-2.0
/** Effective MTU of every tunnel against the bytes on the wire; IPv4 fragments, put together again by Scapy. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tunnelMtu } from '../../src/forwarding/mtu.js';
import { espOverhead } from '../../src/lib/esp-suites.js';
import type { Algorithm, Encapsulation } from '../../src/forwarding/addon/api.js';
import { openEsp } from '../lib/esp.js';
import { ip, PROTOCOL, udp } from '../lib/packets.js';
import { innerPacket } from './frames.js';
import { FAMILIES, HERE, Pe, type Family } from './pe.js';
import { fromCe } from './provoke.js';

let pe: Pe;
beforeAll(async () => {
  pe = await Pe.start('mtu');
});
afterAll(async () => {
  await pe.close();
});

const ETHERNET = 14;
const LINK_MTU = 1500;
const DESTINATION = { 4: '203.0.113.9', 6: '2001:db8:ffff::9' } as const;

const tunnels = (
  [undefined, 'aes-gcm-128', 'aes-gcm-256', 'aes-gmac-128', 'aes-gmac-256'] as const
).flatMap((algorithm) =>
  (['gre', 'ip'] as const).flatMap((encapsulation) =>
    FAMILIES.map((outer) => ({ algorithm, encapsulation, outer })),
  ),
);

/** A packet of exactly `size` bytes, with DF where there is such a bit. */
const sized = (family: Family, size: number): Buffer =>
  innerPacket({ family, destination: DESTINATION[family], size: size - (family === 4 ? 28 : 48) });

async function lead(tunnel: {
  readonly algorithm: Algorithm | undefined;
  readonly encapsulation: Encapsulation;
  readonly outer: Family;
  readonly mtu: number;
}) {
  const { algorithm, encapsulation, outer: family, mtu } = tunnel;
  const sa =
    algorithm === undefined ? undefined : await pe.sa('out', { algorithm, family, encapsulation });
  const nexthop = pe.tunnel({ encapsulation, family, mtu, ...(sa === undefined ? {} : { sa }) });
  const label = pe.newLabel();
  for (const inner of FAMILIES) pe.route('a', DESTINATION[inner], nexthop, { label });
  return sa;
}

describe.each(tunnels)('$algorithm $encapsulation over IPv$outer', (tunnel) => {
  it('fills the link’s MTU to the last byte that padding leaves, and tells what does not fit', async () => {
    const esp = tunnel.algorithm === undefined ? undefined : espOverhead(tunnel.algorithm, false);
    const mtu = tunnelMtu(LINK_MTU, tunnel.outer, tunnel.encapsulation, esp);
    await lead({ ...tunnel, mtu: mtu + 1 });
    for (const family of FAMILIES) {
      const whole = await pe.run({ ce: [mtu, mtu + 1].map((n) => fromCe(sized(family, n))) });
      const sizes = whole.out['core']?.map((frame) => frame.length - ETHERNET) ?? [];
      expect(sizes[0]).toBeLessThanOrEqual(LINK_MTU);
      expect(sizes[1]).toBeGreaterThan(LINK_MTU);
    }
    await lead({ ...tunnel, mtu });
    for (const family of FAMILIES) {
      const { out, drops } = await pe.run({ ce: [fromCe(sized(family, mtu + 1))] });
      expect(drops).toEqual({ mtu_exceeded: 1 });
      const [answer = Buffer.alloc(0)] = out['ce'] ?? [];
      // type, code, MTU of RFC 792 with RFC 1191, of RFC 4443
      const icmp = answer.subarray(ETHERNET + (family === 4 ? 20 : 40));
      expect([icmp.readUInt16BE(0), icmp.readUInt32BE(4)]).toEqual([
        family === 4 ? 0x0304 : 0x0200,
        mtu,
      ]);
    }
  });
});

describe('IPv4 without DF', () => {
  const datagram = (size: number): Buffer =>
    ip({
      ...{ source: HERE[4], destination: DESTINATION[4], protocol: PROTOCOL.udp, fragment: 0 },
      ...{ ttl: 9, id: 0x7777, payload: udp(HERE[4], DESTINATION[4], Buffer.alloc(size, 'mtu')) },
    });

  it.each([1000, 1430, 1438])('leaves in pieces, each in ESP, by an MTU of %i', async (mtu) => {
    const before = pe.harness.tables.vrfCounters(pe.vrfs.a).fragmented;
    const sa = await lead({ algorithm: 'aes-gcm-128', encapsulation: 'gre', outer: 4, mtu });
    const packet = datagram(1440);
    const { out, drops } = await pe.run({ ce: [fromCe(packet)] });
    expect(drops).toEqual({});
    const frames = out['core'] ?? [];
    expect(frames).toHaveLength(2);
    const pieces = frames.map((frame) => openEsp(sa!.esp, frame.subarray(34)).payload.subarray(8));
    for (const piece of pieces) expect(piece.length).toBeLessThanOrEqual(mtu);
    // DF of the outer header alone
    expect(frames.map((frame) => frame.readUInt16BE(20))).toEqual([0x4000, 0x4000]);
    const [whole] = await pe.harness.wire.join(pieces);
    expect(whole?.subarray(20)).toEqual(packet.subarray(20));
    expect(whole?.readUInt8(8)).toBe(8); // TTL
    expect(pe.harness.tables.vrfCounters(pe.vrfs.a).fragmented).toBe(before + 1n);
  });

  it('is whole when it fits', async () => {
    await lead({ algorithm: 'aes-gcm-128', encapsulation: 'gre', outer: 4, mtu: 1400 });
    const { out, drops } = await pe.run({ ce: [fromCe(datagram(1372))] });
    expect([drops, out['core']?.length]).toEqual([{}, 1]);
  });
});
