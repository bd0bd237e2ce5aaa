// SPDX-License-Identifier: Apache-2.0
/**
 * Labels on the way out: the LSP as an ingress choice (P1), and transport labels above the outer IP header of
 * tunnels (P3). Byte by byte from the RFCs, and read again by Scapy and tshark.
 */
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Algorithm } from '../../src/forwarding/addon/api.js';
import { ethernet, ETHERTYPE, labelEntry } from '../lib/packets.js';
import { writePcap } from '../lib/pcap.js';
import { dissect } from '../lib/tshark.js';
import { ceEthernet, innerPacket, innerStack, tunnelFrame, type Inner } from './frames.js';
import { field, layer, names } from './layers.js';
import {
  ENCAPSULATIONS,
  FAMILIES,
  LOCAL,
  MAC,
  Pe,
  REMOTE,
  THERE,
  type Family,
  type LspOptions,
  type Sa,
} from './pe.js';

let pe: Pe;
beforeAll(async () => {
  pe = await Pe.start('mpls-out');
});
afterAll(async () => {
  await pe.close();
});

const DEPTHS = [0, 1, 2, 8] as const;
const stackOf = (depth: number): number[] =>
  Array.from({ length: depth }, (_, i) => 16 + i * 131_071);

function routeThere(inner: Family, nexthop: number): number {
  const label = pe.newLabel();
  pe.route('a', THERE[inner], nexthop, { label, length: inner === 4 ? 24 : 64 });
  return label;
}

async function send(inner: Inner): Promise<Buffer> {
  const frames = await pe.harness.wire.build([[...ceEthernet(MAC.a), ...innerStack(inner)]]);
  const { out, drops } = await pe.run({ ce: frames });
  expect(drops).toEqual({});
  expect(Object.keys(out)).toEqual(['core']);
  const [sent, ...more] = out['core'] ?? [];
  if (sent === undefined || more.length > 0) throw new Error('not one frame left');
  return sent;
}

/** Ethernet 0x8847 | entries | packet, as it leaves for the core. */
const labelled = (entries: readonly Uint8Array[], packet: Uint8Array, vlan?: number): Buffer =>
  ethernet({
    ...{ destination: MAC.p, source: MAC.peCore, type: ETHERTYPE.mpls },
    payload: Buffer.concat([...entries, packet]),
    ...(vlan === undefined ? {} : { vlan }),
  });

describe('an LSP', () => {
  it.each(DEPTHS)('with %i transport labels', async (depth) => {
    const labels = stackOf(depth);
    for (const inner of FAMILIES) {
      const label = routeThere(inner, pe.nexthop(pe.lspVersion({ labels })));
      for (const size of [0, 1200]) {
        const frame = await send({ family: inner, size });
        const entries = [...labels.map((one) => labelEntry(one, { bottom: false }))];
        const packet = innerPacket({ family: inner, size, ttl: 32 });
        expect(frame.toString('hex')).toBe(
          labelled([...entries, labelEntry(label)], packet).toString('hex'),
        );
      }
    }
  });

  it('over a tagged interface', async () => {
    const label = routeThere(4, pe.nexthop(pe.lspVersion({ labels: [17], over: 'open' })));
    const frame = await send({ family: 4 });
    const entries = [labelEntry(17, { bottom: false }), labelEntry(label)];
    const packet = innerPacket({ family: 4, ttl: 32 });
    expect(frame.toString('hex')).toBe(labelled(entries, packet, 20).toString('hex'));
  });

  const marks = async (
    inner: Family,
    lsp: Partial<LspOptions>,
    vrf: { ttlUniform?: boolean; tcUniform?: boolean; dscp?: number },
  ): Promise<{ tc: number[]; ttl: number[] }> => {
    pe.setVrf('a', vrf);
    routeThere(inner, pe.nexthop(pe.lspVersion({ labels: [16, 17], ttl: 200, ...lsp })));
    const frame = await send({ family: inner, tos: 0xb9, ttl: 33 });
    pe.setVrf('a', {});
    const [layers = []] = await pe.harness.wire.dissect([['Ether', frame]]);
    const stack = layers.filter((one) => one['layer'] === 'MPLS');
    expect(stack.map((one) => field(one, 's'))).toEqual([0, 0, 1]);
    return {
      tc: stack.map((one) => field(one, 'cos')),
      ttl: stack.map((one) => field(one, 'ttl')),
    };
  };
  it.each(FAMILIES)('marks TTL and TC of IPv%i: pipe and uniform', async (inner) => {
    expect(await marks(inner, {}, {})).toEqual({ tc: [0, 0, 5], ttl: [200, 200, 255] });
    expect(await marks(inner, { dscp: 26 }, {})).toEqual({ tc: [3, 3, 5], ttl: [200, 200, 255] });
    expect(await marks(inner, { dscpCopy: true }, { dscp: 10 })).toEqual({
      ...{ tc: [1, 1, 1], ttl: [200, 200, 255] },
    });
    // 26 is not copied: what the packet says counts
    expect(await marks(inner, { dscp: 26, dscpCopy: true }, { tcUniform: true })).toEqual({
      ...{ tc: [5, 5, 5], ttl: [200, 200, 255] },
    });
    expect(await marks(inner, {}, { ttlUniform: true })).toEqual({
      ...{ tc: [0, 0, 5], ttl: [32, 32, 32] },
    });
  });

  it('holds packets of its MTU, and answers larger ones', async () => {
    routeThere(4, pe.nexthop(pe.lspVersion({ labels: [16], mtu: 600 })));
    await send({ family: 4, size: 600 - 28 });
    const stack = [...ceEthernet(MAC.a), ...innerStack({ family: 4, size: 601 - 28 })];
    const { out, drops } = await pe.run({ ce: await pe.harness.wire.build([stack]) });
    expect(drops).toEqual({ mtu_exceeded: 1 });
    expect(Object.keys(out)).toEqual(['ce']);
  });
});

describe.each(FAMILIES)('transport labels above outer IPv%i (P3)', (family) => {
  const seen: { frame: Buffer; sa: Sa; label: number; depth: number }[] = [];

  describe.each(ENCAPSULATIONS)('MPLS-in-%s', (encapsulation) => {
    it.each(['aes-gcm-256', 'aes-gmac-128', 'clear'] as const)(
      '%s',
      async (algorithm: Algorithm | 'clear') => {
        const sa =
          algorithm === 'clear'
            ? undefined
            : await pe.sa('out', { algorithm, family, encapsulation });
        let sequence = 0;
        for (const depth of [1, 2, 8]) {
          const labels = stackOf(depth);
          const tunnel = pe.tunnel({ encapsulation, family, labels, ttl: 71, ...(sa && { sa }) });
          const label = routeThere(4, tunnel);
          const frame = await send({ family: 4, size: 77 });
          const packet = innerPacket({ family: 4, size: 77, ttl: 32 });
          const plain = tunnelFrame({
            ...{ encapsulation, family, direction: 'out', label, packet, ttl: 71 },
            ...(sa && { sa, sequence: ++sequence }),
          });
          const entries = labels.map((one, i) =>
            labelEntry(one, { bottom: i === depth - 1, ttl: 71 }),
          );
          const want = labelled(entries, plain.subarray(14));
          expect(frame.toString('hex')).toBe(want.toString('hex'));
          if (sa?.esp.authenticateOnly === false) seen.push({ frame, sa, label, depth });
        }
      },
    );
  });

  it('copy the class selector of the packet when the DSCP is copied', async () => {
    const labels = [16, 17];
    for (const [dscpCopy, tc] of [
      [true, 5],
      [false, 1],
    ] as const) {
      routeThere(
        4,
        pe.tunnel({ encapsulation: 'gre', family, labels, dscpCopy, dscp: 10, ttl: 64 }),
      );
      const frame = await send({ family: 4, tos: 0xb8 });
      const [layers = []] = await pe.harness.wire.dissect([['Ether', frame]]);
      expect(names(layers).slice(0, 3)).toEqual(['Ether', 'MPLS', 'MPLS']);
      const stack = layers.slice(1, 3);
      expect(stack.map((one) => [field(one, 'cos'), field(one, 's')])).toEqual([
        [tc, 0],
        [tc, 1],
      ]);
      const outer = layer(layers, family === 4 ? 'IP' : 'IPv6');
      const traffic = field(outer, family === 4 ? 'tos' : 'tc');
      expect(traffic).toBe(dscpCopy ? 0xb8 : 10 << 2);
    }
  });

  it('tshark reads the stack, and decrypts what is under it', async () => {
    expect(seen.length).toBe(6);
    const file = pe.harness.path(`stack${String(family)}.pcap`);
    await writeFile(file, writePcap(seen.map(({ frame }) => frame)));
    const sas = [...new Set(seen.map(({ sa }) => sa))].map((sa) => ({
      ...{ source: LOCAL[family], destination: REMOTE[family], spi: sa.row.spi },
      ...{ cipher: 'aes-gcm' as const, key: sa.esp.key },
    }));
    const rows = await dissect(file, ['mpls.label', 'esp.icv_good', 'udp.dstport'], { sas });
    expect(rows).toEqual(
      seen.map(({ label, depth }) => ({
        'mpls.label': [...stackOf(depth), label].join(','),
        ...{ 'esp.icv_good': '1', 'udp.dstport': '50002' },
      })),
    );
  });
});
