// SPDX-License-Identifier: Apache-2.0
/**
 * From a CE into every kind of tunnel (P1, P11): Scapy makes the CE's packet; what leaves is compared byte by
 * byte with the RFCs' headers around node:crypto's ESP, and read again by Scapy and by tshark with the keys.
 */
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Algorithm, Encapsulation } from '../../src/forwarding/addon/api.js';
import { openEsp, trailerOf } from '../lib/esp.js';
import { writePcap } from '../lib/pcap.js';
import { dissect, type TsharkSa } from '../lib/tshark.js';
import { ceEthernet, innerPacket, innerStack, tunnelFrame, type Inner } from './frames.js';
import { field, ipFields, ipLayer, layer, names } from './layers.js';
import {
  ALGORITHMS,
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
  type TunnelOptions,
} from './pe.js';

let pe: Pe;
/** Everything that went into a tunnel, for tshark at the end. */
const seen: { frame: Buffer; sa: Sa | undefined; family: Family; inner: Family; label: number }[] =
  [];

beforeAll(async () => {
  pe = await Pe.start('ingress');
});
afterAll(async () => {
  await pe.close();
});

/** Routes the other site through the tunnel; returns the label its route carries. */
function routeThere(inner: Family, tunnel: TunnelOptions): number {
  const label = pe.newLabel();
  const length = inner === 4 ? 24 : 64;
  pe.route('a', THERE[inner], pe.tunnel(tunnel), { label, length });
  return label;
}

/** One packet of CE a into the tunnel: the one frame that left. */
async function send(inner: Inner): Promise<Buffer> {
  const [frame] = await pe.harness.wire.build([[...ceEthernet(MAC.a), ...innerStack(inner)]]);
  if (frame === undefined) throw new Error('Scapy built nothing');
  const { out, drops } = await pe.run({ ce: [frame] });
  expect(drops).toEqual({});
  expect(Object.keys(out)).toEqual(['core']);
  expect(out['core']).toHaveLength(1);
  const [sent] = out['core'] ?? [];
  if (sent === undefined) throw new Error('nothing left');
  return sent;
}

function note(
  frame: Buffer,
  sa: Sa | undefined,
  family: Family,
  inner: Family,
  label: number,
): void {
  seen.push({ frame, sa, family, inner, label });
}

describe.each(FAMILIES)('outer IPv%i', (family) => {
  describe.each(ENCAPSULATIONS)('MPLS-in-%s', (encapsulation) => {
    it.each([...ALGORITHMS, 'clear'] as const)('%s', async (algorithm: Algorithm | 'clear') => {
      const sa =
        algorithm === 'clear'
          ? undefined
          : await pe.sa('out', { algorithm, family, encapsulation });
      const tunnel: TunnelOptions = { encapsulation, family, ...(sa === undefined ? {} : { sa }) };
      let sequence = 0;
      for (const inner of FAMILIES) {
        const label = routeThere(inner, tunnel);
        // every padding length, and a large packet
        for (const size of [0, 1, 2, 3, 1200]) {
          const frame = await send({ family: inner, size });
          sequence++;
          const packet = innerPacket({ family: inner, size, ttl: 32 });
          expect(frame.toString('hex')).toBe(
            tunnelFrame({
              ...{ encapsulation, family, direction: 'out', label, sequence, packet },
              ...(sa === undefined ? {} : { sa }),
            }).toString('hex'),
          );
          note(frame, sa, family, inner, label);
        }
      }
      if (sa === undefined) return;
      const state = pe.saState('out', sa);
      expect(state).toMatchObject({ sequence: BigInt(sequence), packets: BigInt(sequence) });
      const bytes = seen
        .filter((one) => one.sa === sa)
        .reduce((n, one) => n + one.frame.length - 14, 0);
      expect(state.bytes).toBe(BigInt(bytes));
    });
  });
});

describe('TTL, traffic class and DSCP', () => {
  const into = async (
    inner: Family,
    tos: number,
    options: Partial<TunnelOptions>,
    vrf: { ttlUniform?: boolean; tcUniform?: boolean; dscp?: number },
  ): Promise<{ tc: number; ttl: number; traffic: number; outerTtl: number; flow: number }> => {
    const family = options.family ?? 4;
    const encapsulation: Encapsulation = options.encapsulation ?? 'gre';
    pe.setVrf('a', vrf);
    const label = routeThere(inner, { encapsulation, family, ...options });
    const frame = await send({ family: inner, tos, ttl: 33 });
    pe.setVrf('a', {});
    const [layers = []] = await pe.harness.wire.dissect([['Ether', frame]]);
    const mpls = layer(layers, 'MPLS');
    const behind = layers[layers.indexOf(mpls) + 1] ?? {};
    // the customer's packet keeps its class and ECN, and loses one hop
    expect(ipFields(behind)).toEqual({ traffic: tos, ttl: 32 });
    expect(field(mpls, 'label')).toBe(label);
    const outer = layers[1] ?? {};
    return {
      ...{
        tc: field(mpls, 'cos'),
        ttl: field(mpls, 'ttl'),
        flow: family === 4 ? 0 : field(outer, 'fl'),
      },
      ...{ traffic: ipFields(outer).traffic, outerTtl: ipFields(outer).ttl },
    };
  };
  const EF = 0xb9; // DSCP 46, ECN 01

  for (const inner of FAMILIES) {
    for (const family of FAMILIES) {
      it(`IPv${String(inner)} in IPv${String(family)}: pipe hides the customer's TTL and class`, async () => {
        const pipe = { dscp: 0 };
        expect(await into(inner, EF, { family, dscp: 10, ttl: 71 }, pipe)).toEqual({
          ...{ tc: 0, ttl: 255, traffic: 10 << 2, outerTtl: 71, flow: 0 },
        });
      });
      it(`IPv${String(inner)} in IPv${String(family)}: uniform shows both in the label`, async () => {
        const uniform = { ttlUniform: true, tcUniform: true };
        expect(await into(inner, EF, { family }, uniform)).toMatchObject({ tc: 5, ttl: 32 });
        expect(await into(inner, EF, { family }, { ttlUniform: true, dscp: 8 })).toMatchObject({
          tc: 1,
          ttl: 32,
        });
        expect(await into(inner, EF, { family }, { tcUniform: true })).toMatchObject({
          tc: 5,
          ttl: 255,
        });
      });
      it(`IPv${String(inner)} in IPv${String(family)}: a short pipe shows the class`, async () => {
        expect(await into(inner, EF, { family, dscp: 10 }, {})).toMatchObject({
          ...{ tc: 5, ttl: 255, traffic: 10 << 2 },
        });
      });
      it(`IPv${String(inner)} in IPv${String(family)}: what is copied is the VRF's in a pipe`, async () => {
        const both = { family, dscpCopy: true, ecnCopy: true };
        expect(await into(inner, EF, both, { dscp: 26 })).toMatchObject({
          ...{ tc: 3, traffic: (26 << 2) | 1 },
        });
      });
      it(`IPv${String(inner)} in IPv${String(family)}: ECN is copied in normal mode`, async () => {
        for (const ecn of [0, 1, 2, 3]) {
          const alone = await into(inner, (46 << 2) | ecn, { family, ecnCopy: true }, {});
          expect(alone).toMatchObject({ traffic: ecn });
        }
      });
      it(`IPv${String(inner)} in IPv${String(family)}: DSCP is copied, ECN is not`, async () => {
        const copied = await into(inner, EF, { family, dscpCopy: true, dscp: 10 }, {});
        expect(copied).toMatchObject({ traffic: 46 << 2 });
        expect(await into(inner, 3, { family, dscpCopy: true }, {})).toMatchObject({ traffic: 0 });
      });
    }
  }
  it('the IPv6 flow label is the tunnel version’s', async () => {
    const flow = await into(4, EF, { family: 6, flowLabel: 0xabcde, dscpCopy: true }, {});
    expect(flow).toMatchObject({ flow: 0xabcde, traffic: 46 << 2 });
  });
});

describe('a tunnel over a tagged interface', () => {
  it('carries the 802.1Q tag of the version', async () => {
    const label = routeThere(4, { encapsulation: 'gre', family: 4, over: 'open' });
    const frame = await send({ family: 4 });
    expect(frame.toString('hex')).toBe(
      tunnelFrame({
        ...{ encapsulation: 'gre', family: 4, direction: 'out', label, vlan: 20 },
        packet: innerPacket({ family: 4, ttl: 32 }),
      }).toString('hex'),
    );
  });
});

describe('what others read in the frames that left', () => {
  const gcm = (): { frame: Buffer; sa: Sa; family: Family; inner: Family; label: number }[] =>
    seen.flatMap((one) =>
      one.sa === undefined || one.sa.esp.authenticateOnly ? [] : [{ ...one, sa: one.sa }],
    );

  it('Scapy verifies and decrypts every AES-GCM packet', async () => {
    const packets = gcm();
    expect(packets).toHaveLength(2 * 2 * 2 * 10);
    const opened = await pe.harness.wire.openEsp(
      packets.map(({ frame, sa }) => ({ frame, sa: { spi: sa.row.spi, key: sa.esp.key } })),
    );
    const layers = await pe.harness.wire.dissect(
      opened.map((packet, i) => [packets[i]?.family === 4 ? 'IP' : 'IPv6', packet] as const),
    );
    for (const [i, list] of layers.entries()) {
      const { sa, inner = 4, label } = packets[i] ?? {};
      const gre = sa?.row.encapsulation === 'gre' ? ['GRE'] : [];
      expect(
        names(list)
          .slice(1, -1)
          .slice(0, gre.length + 2),
      ).toEqual([...gre, 'MPLS', ipLayer(inner)]);
      expect(layer(list, 'MPLS')).toMatchObject({ label, s: 1, ttl: 255 });
    }
  });

  it('node:crypto verifies every AES-GMAC packet, its padding is 1, 2, 3 …', () => {
    const packets = seen.filter(({ sa }) => sa?.esp.authenticateOnly === true);
    expect(packets).toHaveLength(2 * 2 * 2 * 10);
    for (const { frame, sa, family } of packets) {
      if (sa === undefined) continue;
      const { payload, padding, nextHeader } = openEsp(
        sa.esp,
        frame.subarray(family === 4 ? 34 : 54),
      );
      expect(nextHeader).toBe(sa.protocol);
      const trailer = trailerOf(payload.length, sa.protocol);
      expect(padding).toEqual(trailer.subarray(0, -2));
    }
  });

  it('tshark decrypts every AES-GCM packet to MPLS and the customer’s packet', async () => {
    const packets = gcm();
    const sas = new Map<Sa, TsharkSa>(
      packets.map(({ sa, family }) => [
        sa,
        {
          ...{ source: LOCAL[family], destination: REMOTE[family], spi: sa.row.spi },
          ...{ cipher: 'aes-gcm', key: sa.esp.key },
        },
      ]),
    );
    const file = pe.harness.path('ingress.pcap');
    await writeFile(file, writePcap(packets.map(({ frame }) => frame)));
    const fields = [
      ...(['ip.src', 'ip.dst', 'ipv6.src', 'ipv6.dst', 'esp.icv_good', 'mpls.label'] as const),
      ...([
        'mpls.ttl',
        'ip.flags.df',
        'ip.checksum.status',
        'udp.dstport',
        'udp.checksum.status',
      ] as const),
    ] as const;
    const rows = await dissect(file, fields, { sas: [...sas.values()] });
    const list = (values: string): string[] => values.split(',').filter((value) => value !== '');
    expect(rows).toHaveLength(packets.length);
    for (const [i, row] of rows.entries()) {
      const { family, inner, label } = packets[i] ?? {};
      expect(row['esp.icv_good']).toBe('1');
      const both = {
        4: `${row['ip.src']} ${row['ip.dst']}`,
        6: `${row['ipv6.src']} ${row['ipv6.dst']}`,
      };
      expect(both[family ?? 4]).toContain(LOCAL[family ?? 4]);
      expect(both[family ?? 4]).toContain(REMOTE[family ?? 4]);
      expect(row['mpls.label']).toBe(String(label));
      expect(row['mpls.ttl']).toBe('255');
      expect(both[inner ?? 4]).toContain(HERE[inner ?? 4]);
      expect(both[inner ?? 4]).toContain(THERE[inner ?? 4]);
      expect(row['udp.dstport']).toBe('50002');
      expect(row['udp.checksum.status']).toBe('1');
      for (const good of list(row['ip.checksum.status'])) expect(good).toBe('1');
      // outer DF, and the customer's own
      for (const df of list(row['ip.flags.df'])) expect(df).toBe('1');
    }
  });
});
