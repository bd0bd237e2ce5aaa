// SPDX-License-Identifier: Apache-2.0
/**
 * Out of every kind of tunnel to a CE (P12): ESP by Scapy (AES-GCM) and by node:crypto (AES-GCM and AES-GMAC);
 * what the CE gets is compared byte by byte with Scapy's packet one hop later.
 */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Algorithm, Encapsulation } from '../../src/forwarding/addon/api.js';
import { checksum, ethernet, etherTypeOf, labelEntry, PROTOCOL } from '../lib/packets.js';
import { sealEsp } from '../lib/esp.js';
import {
  coreFrame,
  innerPacket,
  innerStack,
  mplsFrame,
  toCe,
  tunnelFrame,
  type Inner,
} from './frames.js';
import {
  ALGORITHMS,
  ANY,
  ENCAPSULATIONS,
  FAMILIES,
  HERE,
  LOCAL,
  MAC,
  Pe,
  REMOTE,
  THERE,
  type Family,
  type Sa,
} from './pe.js';
import type { Stack } from './wire.js';

let pe: Pe;
/** Leads to VRF a, however it came. */
let label: number;

beforeAll(async () => {
  pe = await Pe.start('egress');
  label = pe.label('vrf', pe.vrfs.a, ANY);
});
afterAll(async () => {
  await pe.close();
});

/** From the host there to the one here. */
const inner = (family: Family, rest: Partial<Inner> = {}): Inner => ({
  ...{ family, source: THERE[family], destination: HERE[family], ttl: 33 },
  ...rest,
});

async function scapy(stack: Stack): Promise<Buffer> {
  const [packet] = await pe.harness.wire.build([stack]);
  if (packet === undefined) throw new Error('Scapy built nothing');
  return packet;
}

/** Frames that come out towards CE a, and nothing is dropped. */
async function deliver(frames: readonly Uint8Array[], on = 'core'): Promise<string[]> {
  const { out, drops } = await pe.run({ [on]: frames });
  expect(drops).toEqual({});
  expect(Object.keys(out)).toEqual(['ce']);
  return (out['ce'] ?? []).map((frame) => frame.toString('hex'));
}

/** Outer IP to the label, for Scapy to seal. */
function tunnelStack(encapsulation: Encapsulation, family: Family, packet: Stack): Stack {
  const [src, dst] = [REMOTE[family], LOCAL[family]];
  const protocol = encapsulation === 'gre' ? PROTOCOL.gre : PROTOCOL.mpls;
  const outer: Stack =
    family === 4
      ? [['IP', { src, dst, proto: protocol, flags: 'DF', ttl: 60 }]]
      : [['IPv6', { src, dst, nh: protocol, hlim: 60 }]];
  const gre: Stack = encapsulation === 'gre' ? [['GRE', { proto: 0x8847 }]] : [];
  return [...outer, ...gre, ['MPLS', { label, s: 1, ttl: 200 }], ...packet];
}

describe.each(FAMILIES)('outer IPv%i', (family) => {
  describe.each(ENCAPSULATIONS)('MPLS-in-%s', (encapsulation) => {
    it.each(ALGORITHMS)('%s', async (algorithm: Algorithm) => {
      const sa = await pe.sa('in', { algorithm, family, encapsulation });
      let sequence = 0;
      const send: Buffer[] = [];
      const want: string[] = [];
      for (const innerFamily of FAMILIES) {
        for (const size of [0, 1, 2, 3, 1200]) {
          const one = inner(innerFamily, { size, tos: 0xb9 });
          const packet = await scapy(innerStack(one));
          const tunnel = { encapsulation, family, direction: 'in', label, sa, packet } as const;
          send.push(tunnelFrame({ ...tunnel, sequence: ++sequence }));
          const later = await scapy(innerStack({ ...one, ttl: 32 }));
          want.push(toCe(later).toString('hex'));
          if (sa.esp.authenticateOnly) continue;
          const [sealed] = await pe.harness.wire.seal([
            {
              ethernet: [['Ether', { dst: MAC.peCore, src: MAC.p }]],
              packet: tunnelStack(encapsulation, family, innerStack(one)),
              sa: { spi: sa.row.spi, key: sa.esp.key },
              sequence: ++sequence,
            },
          ]);
          if (sealed !== undefined) send.push(sealed);
          want.push(toCe(later).toString('hex'));
        }
      }
      expect(send).toHaveLength(sequence);
      expect(await deliver(send)).toEqual(want);
      const bytes = send.reduce((sum, frame) => sum + frame.length - 14, 0);
      expect(pe.saState('in', sa)).toMatchObject({
        ...{ sequence: BigInt(sequence), packets: BigInt(sequence), bytes: BigInt(bytes) },
        ...{ replayed: 0n, authFailed: 0n },
      });
    });

    it('in clear, where the interface accepts it', async () => {
      for (const innerFamily of FAMILIES) {
        const packet = await scapy([
          ...([
            ['Ether', { dst: MAC.peCore, src: MAC.p }],
            ['Dot1Q', { vlan: 20 }],
          ] as const),
          ...tunnelStack(encapsulation, family, innerStack(inner(innerFamily))),
        ]);
        const want = toCe(innerPacket(inner(innerFamily, { ttl: 32 })));
        expect(await deliver([packet])).toEqual([want.toString('hex')]);
      }
    });
  });
});

describe('plain MPLS, where the interface accepts it', () => {
  it.each(FAMILIES)('IPv%i under one label', async (family) => {
    const packet = Buffer.concat([labelEntry(label), innerPacket(inner(family))]);
    const want = toCe(innerPacket(inner(family, { ttl: 32 })));
    expect(await deliver([mplsFrame(packet, 20)])).toEqual([want.toString('hex')]);
  });
});

describe('what a label leads to', () => {
  const through = async (
    to: number,
    packet: Buffer,
  ): Promise<Readonly<Record<string, readonly Buffer[]>>> => {
    const sa = await pe.sa('in');
    const spec = {
      encapsulation: 'gre',
      family: 4,
      direction: 'in',
      label: to,
      sa,
      packet,
    } as const;
    const { out, drops } = await pe.run({ core: [tunnelFrame(spec)] });
    expect(drops).toEqual({});
    return out;
  };

  it('the VRF: the same address behind two labels reaches two customers', async () => {
    const packet = innerPacket(inner(4));
    const later = innerPacket(inner(4, { ttl: 32 }));
    expect(await through(label, packet)).toEqual({ ce: [toCe(later, MAC.a)] });
    const b = pe.label('vrf', pe.vrfs.b, ANY);
    expect(await through(b, packet)).toEqual({ ce: [toCe(later, MAC.b, 7)] });
  });

  it.each(FAMILIES)('a CE’s next hop: IPv%i goes there whatever the VRF says', async (family) => {
    const toC = pe.label('nexthop', pe.adjacency('ce8', MAC.c, family), ANY);
    // 198.51.100.7 is in no table
    const destination = family === 4 ? '198.51.100.7' : '2001:db8:77::7';
    const packet = innerPacket(inner(family, { destination }));
    const later = innerPacket(inner(family, { destination, ttl: 32 }));
    expect(await through(toC, packet)).toEqual({ ce: [toCe(later, MAC.c, 8)] });
  });

  it('counts packets and bytes per label, VRF and interface', async () => {
    const mine = pe.label('vrf', pe.vrfs.c, ANY);
    const packet = innerPacket(inner(4, { destination: '10.3.3.9', size: 100 }));
    const { tables } = pe.harness;
    const before = tables.vrfCounters(pe.vrfs.c);
    const sa = await pe.sa('in');
    const frames = [1, 2, 3].map((sequence) =>
      tunnelFrame({
        ...{ encapsulation: 'gre', family: 4, direction: 'in', label: mine, sa, sequence, packet },
      }),
    );
    const { interfaces } = await pe.run({ core: frames });
    const bytes = BigInt(3 * packet.length);
    expect(tables.labelCounters(mine)).toEqual({ packets: 3n, bytes });
    expect(tables.vrfCounters(pe.vrfs.c)).toEqual({
      ...before,
      ...{
        fromCorePackets: before.fromCorePackets + 3n,
        fromCoreBytes: before.fromCoreBytes + bytes,
      },
    });
    const rxBytes = frames.reduce((sum, frame) => sum + frame.length, 0);
    expect(interfaces).toEqual({
      core: { rxPackets: 3, rxBytes },
      ce8: { txPackets: 3, txBytes: 3 * (18 + packet.length) },
    });
  });
});

describe('the label’s TTL and class', () => {
  const arrive = async (
    family: Family,
    uniform: { ttlUniform?: boolean; tcUniform?: boolean },
    entry: { labelTtl: number; tc: number },
  ): Promise<string[]> => {
    pe.setVrf('a', uniform);
    const sa = await pe.sa('in');
    const packet = innerPacket(inner(family, { tos: 0xb9 }));
    const spec = { encapsulation: 'gre', family: 4, direction: 'in', label, sa, packet } as const;
    const frames = await deliver([tunnelFrame({ ...spec, ...entry })]);
    pe.setVrf('a', {});
    return frames;
  };
  const want = (family: Family, rest: Partial<Inner>): string[] => [
    toCe(innerPacket(inner(family, { tos: 0xb9, ttl: 32, ...rest }))).toString('hex'),
  ];

  it.each(FAMILIES)('pipe: IPv%i keeps its own', async (family) => {
    expect(await arrive(family, {}, { labelTtl: 5, tc: 2 })).toEqual(want(family, {}));
  });
  it.each(FAMILIES)('uniform: IPv%i takes the label’s, TTL only downwards', async (family) => {
    const both = { ttlUniform: true, tcUniform: true };
    const low = await arrive(family, both, { labelTtl: 5, tc: 2 });
    expect(low).toEqual(want(family, { ttl: 4, tos: (2 << 5) | 1 }));
    const high = await arrive(family, { ttlUniform: true }, { labelTtl: 250, tc: 2 });
    expect(high).toEqual(want(family, {}));
    // class 5 is EF's: its other bits stay
    expect(await arrive(family, both, { labelTtl: 250, tc: 5 })).toEqual(want(family, {}));
  });
});

describe('what a correct peer may do', () => {
  let sa: Sa;
  beforeAll(async () => {
    sa = await pe.sa('in');
  });
  const spec = { encapsulation: 'gre', family: 4, direction: 'in' } as const;
  const want = (): string => toCe(innerPacket(inner(4, { ttl: 32 }))).toString('hex');

  it('choose any IV (RFC 4106 3.1)', async () => {
    const packet = innerPacket(inner(4));
    const iv = randomBytes(8).readBigUInt64BE();
    const frame = tunnelFrame({ ...spec, label, sa, sequence: 1, packet }, { iv });
    expect(await deliver([frame])).toEqual([want()]);
  });

  it.each([0, 4, 100, 255])('pad with %i bytes (RFC 4303 2.4)', async (padding) => {
    const packet = innerPacket(inner(4));
    const pad = Buffer.from(Array.from({ length: padding }, (_, i) => i + 1));
    const trailer = Buffer.concat([pad, Buffer.of(padding, PROTOCOL.gre)]);
    const sequence = 10 + padding;
    const frame = tunnelFrame({ ...spec, label, sa, sequence, packet }, { trailer });
    expect(await deliver([frame])).toEqual([want()]);
  });

  it('put an explicit null above the label (policy-model 5)', async () => {
    for (const [i, over] of [0, 2].entries()) {
      const stack = Buffer.concat([
        ...[labelEntry(over, { bottom: false }), labelEntry(label), innerPacket(inner(4))],
      ]);
      const payload = Buffer.concat([Buffer.from('00008847', 'hex'), stack]);
      const esp = sealEsp(sa.esp, 1000 + i, payload, PROTOCOL.gre);
      const frame = coreFrame(esp, { direction: 'in', family: 4, protocol: PROTOCOL.esp });
      expect(await deliver([frame])).toEqual([want()]);
    }
  });

  it('send a frame with link padding behind the packet', async () => {
    const packet = innerPacket(inner(4));
    const frame = tunnelFrame({ ...spec, label, sa, sequence: 1100, packet });
    expect(await deliver([Buffer.concat([frame, Buffer.alloc(11, 0xee)])])).toEqual([want()]);
  });

  it('use options in the outer and the inner header', async () => {
    const options = Buffer.from('01010100', 'hex');
    const long = (packet: Buffer): Buffer => {
      const bytes = Buffer.concat([packet.subarray(0, 20), options, packet.subarray(20)]);
      bytes.writeUInt8(0x46, 0);
      bytes.writeUInt16BE(bytes.length, 2);
      bytes.writeUInt16BE(0, 10);
      bytes.writeUInt16BE(checksum(bytes.subarray(0, 24)), 10);
      return bytes;
    };
    const packet = long(innerPacket(inner(4)));
    const frame = tunnelFrame({ ...spec, label, sa, sequence: 1200, packet });
    const outer = long(frame.subarray(14));
    const whole = ethernet({
      ...{ destination: MAC.peCore, source: MAC.p, type: etherTypeOf(outer), payload: outer },
    });
    const later = long(innerPacket(inner(4, { ttl: 32 })));
    expect(await deliver([whole])).toEqual([toCe(later).toString('hex')]);
  });

  it('come over a tagged interface, with IPv6 extension headers in front of ESP', async () => {
    const six = await pe.sa('in', { family: 6 });
    const packet = innerPacket(inner(4));
    const plain = tunnelFrame({ ...spec, family: 6, label, sa: six, packet });
    const esp = plain.subarray(14 + 40);
    // Destination Options of 8 bytes: next header ESP, PadN
    const options = Buffer.from([PROTOCOL.esp, 0, 1, 4, 0, 0, 0, 0]);
    const frame = coreFrame(Buffer.concat([options, esp]), {
      ...{ direction: 'in', family: 6, protocol: 60, vlan: 20 },
    });
    expect(await deliver([frame])).toEqual([want()]);
  });
});
