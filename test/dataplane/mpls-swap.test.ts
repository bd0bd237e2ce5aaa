// SPDX-License-Identifier: Apache-2.0
/**
 * Swapped labels (option B, policy-model 26): from the neighbours and SAs that the label was advertised to, away by
 * an LSP or a tunnel of its own, whatever is under the label. And plain MPLS of another SP, which comes by labels
 * advertised on its interface or not at all (policy-model 4).
 */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AcceptSet, Version } from '../../src/forwarding/addon/api.js';
import { sealEsp } from '../lib/esp.js';
import { ethernet, ETHERTYPE, gre, labelEntry, PROTOCOL } from '../lib/packets.js';
import { coreFrame, innerPacket, mplsFrame, toCe, tunnelFrame } from './frames.js';
import { ANY, ENCAPSULATIONS, ENCRYPTED, FAMILIES, HERE, MAC, Pe, THERE } from './pe.js';

const OUT = 777;
const OTHER = 30;
const THIRD = 31;
const onOther: AcceptSet = { secured: [], clear: [], mplsInterface: 'other' };

let pe: Pe;
let lsp: number;
beforeAll(async () => {
  pe = await Pe.start('mpls-swap');
  lsp = pe.nexthop(pe.lspVersion({ labels: [99] }));
});
afterAll(async () => {
  await pe.close();
});

/** What no IP packet begins with, and no length of it is to be believed. */
const opaque = (size: number): Buffer => Buffer.concat([Buffer.of(0x1f), randomBytes(size - 1)]);
const stack = (label: number, packet: Uint8Array, ttl = 255, tc = 0): Buffer =>
  Buffer.concat([labelEntry(label, { ttl, tc }), packet]);

async function send(...frames: Buffer[]): Promise<{
  core: readonly string[];
  drops: Readonly<Record<string, number>>;
}> {
  const { out, drops } = await pe.run({ core: frames });
  expect(Object.keys(out).filter((place) => place !== 'core')).toEqual([]);
  return { core: (out['core'] ?? []).map((frame) => frame.toString('hex')), drops };
}
const dropped = (reason: string): { core: readonly string[]; drops: object } => ({
  ...{ core: [], drops: { [reason]: 1 } },
});
const byLsp = (packet: Uint8Array, ttl = 254, tc = 0): string =>
  ethernet({
    ...{ destination: MAC.p, source: MAC.peCore, type: ETHERTYPE.mpls },
    payload: Buffer.concat([labelEntry(99, { bottom: false }), stack(OUT, packet, ttl, tc)]),
  }).toString('hex');

describe('a label of another SP’s interface', () => {
  it('leaves by an LSP, whatever is under it, and is counted', async () => {
    const label = pe.swap(lsp, OUT, onOther);
    const packets = [opaque(1), opaque(57), opaque(1400), innerPacket({ family: 6 })];
    const frames = packets.map((packet, i) => mplsFrame(stack(label, packet, 70 + i, i), OTHER));
    const want = packets.map((packet, i) => byLsp(packet, 69 + i, i));
    expect(await send(...frames)).toEqual({ core: want, drops: {} });
    const bytes = packets.reduce((sum, { length }) => sum + length, 0);
    expect(pe.harness.tables.labelCounters(label)).toEqual({ packets: 4n, bytes: BigInt(bytes) });
  });

  it('is taken nowhere else: not on the next SP’s, nor in the own SP, nor out of tunnels', async () => {
    const label = pe.swap(lsp, OUT, onOther);
    const packet = opaque(64);
    expect(await send(mplsFrame(stack(label, packet), OTHER))).toMatchObject({ drops: {} });
    const away = dropped('label_not_advertised');
    expect(await send(mplsFrame(stack(label, packet), THIRD))).toEqual(away);
    expect(await send(mplsFrame(stack(label, packet), 20))).toEqual(dropped('label_protected'));
    expect(await send(mplsFrame(stack(label, packet)))).toEqual(dropped('mpls_not_accepted'));
    const inGre = { encapsulation: 'gre', family: 4, direction: 'in', label, packet } as const;
    expect(await send(tunnelFrame({ ...inGre, vlan: 20 }))).toEqual(dropped('label_protected'));
    const sa = await pe.sa('in');
    expect(await send(tunnelFrame({ ...inGre, sa }))).toEqual(dropped('label_wrong_sp'));
  });

  it('of packets in one burst each meets the set of its own interface', async () => {
    const one = pe.swap(lsp, OUT, onOther);
    const packet = opaque(64);
    const frames = Array.from({ length: 30 }, (_, i) =>
      mplsFrame(stack(one, packet), [OTHER, THIRD][i % 2] ?? 0),
    );
    const { core, drops } = await send(...frames);
    expect(core).toEqual(Array<string>(15).fill(byLsp(packet)));
    expect(drops).toEqual({ label_not_advertised: 15 });
  });

  it('leads to no VRF, CE or own stack of another’s', async () => {
    const packet = innerPacket({ family: 4, source: THERE[4], destination: HERE[4] });
    const away = dropped('label_not_advertised');
    const own = [
      pe.label('vrf', pe.vrfs.a, ANY),
      pe.label('vrf', pe.vrfs.a, { secured: [], clear: ['mpls-own-sp'] }),
      pe.label('nexthop', pe.adjacency('ce', MAC.a, 4), ANY),
      pe.swap(lsp, OUT, ANY),
      pe.pop(ANY),
      pe.newLabel(),
    ];
    for (const label of own) {
      expect(await send(mplsFrame(stack(label, packet), OTHER))).toEqual(away);
    }
    // a VRF label may be advertised there too; the route has a class of its own (policy-model 2)
    const vrf = pe.label('vrf', pe.vrfs.a, { ...ANY, mplsInterface: 'other' });
    expect(await send(mplsFrame(stack(vrf, packet), OTHER))).toEqual(
      dropped('route_not_exported_this_way'),
    );
  });

  it('follows its interface to a new row, and dies with it', () => {
    const { tables } = pe.harness;
    const core = pe.rows.get('core');
    if (core === undefined) throw new Error('no core interface');
    const row = { ...core, name: 'later', vlan: 3000, mplsOtherSp: true };
    const first = tables.putInterface(row);
    const set = { secured: [], clear: [], mplsInterface: 'later' } as const;
    const id = tables.acceptSet(set);
    const find = () => tables.acceptSets().find((one) => one.id === id)?.mplsInterface;
    expect(find()).toBe('later');
    const second = tables.putInterface({ ...row, mtu: 1400 });
    expect(second).not.toBe(first);
    tables.removeInterface(first);
    expect(find()).toBe('later');
    expect(tables.acceptSet(set)).toBe(id);
    tables.removeInterface(second);
    expect(find()).toBeUndefined();
  });
});

describe('ways in', () => {
  it.each(FAMILIES)('out of SAs and tunnels over IPv%i that its set names', async (family) => {
    const secured = [{ protection: 'encrypt', encapsulation: 'gre', sps: [2] }] as const;
    const label = pe.swap(lsp, OUT, { secured, clear: ['ip'] });
    const packet = opaque(99);
    const common = { family, direction: 'in', label, packet } as const;
    const sa = await pe.sa('in', { family, spTable: 2 });
    const want = { core: [byLsp(packet)], drops: {} };
    expect(await send(tunnelFrame({ ...common, encapsulation: 'gre', sa }))).toEqual(want);
    expect(await send(tunnelFrame({ ...common, encapsulation: 'ip', vlan: 20 }))).toEqual(want);
    const own = await pe.sa('in', { family, spTable: 1 });
    expect(await send(tunnelFrame({ ...common, encapsulation: 'gre', sa: own }))).toEqual(
      dropped('label_wrong_sp'),
    );
    const gmac = await pe.sa('in', { family, spTable: 2, algorithm: 'aes-gmac-128' });
    expect(await send(tunnelFrame({ ...common, encapsulation: 'gre', sa: gmac }))).toEqual(
      dropped('label_wrong_protection'),
    );
    expect(await send(tunnelFrame({ ...common, encapsulation: 'gre', vlan: 20 }))).toEqual(
      dropped('label_wrong_encap'),
    );
  });

  it('in plain MPLS of the own SP, also under a transport label of ours', async () => {
    const label = pe.swap(lsp, OUT, { secured: [], clear: ['mpls'] });
    const pop = pe.pop({ secured: [], clear: ['mpls'] });
    const packet = opaque(80);
    const want = { core: [byLsp(packet)], drops: {} };
    expect(await send(mplsFrame(stack(label, packet), 20))).toEqual(want);
    const above = labelEntry(pop, { bottom: false });
    expect(await send(mplsFrame(Buffer.concat([above, stack(label, packet)]), 20))).toEqual(want);
  });
});

describe('ways out', () => {
  it.each(FAMILIES)('a tunnel in clear or of ESP over IPv%i', async (family) => {
    for (const encapsulation of ENCAPSULATIONS) {
      for (const algorithm of ['aes-gcm-256', 'aes-gmac-128', undefined] as const) {
        const sa = algorithm && (await pe.sa('out', { algorithm, family, encapsulation }));
        const tunnel = { encapsulation, family, dscpCopy: true, ...(sa && { sa }) } as const;
        const label = pe.swap(pe.tunnel(tunnel), OUT, onOther);
        const packet = opaque(333);
        // the DSCP is the class selector that the TC stands for
        const want = tunnelFrame({
          ...{ encapsulation, family, direction: 'out', label: OUT, packet, dscp: 5 << 3 },
          ...{ labelTtl: 8, tc: 5, ...(sa && { sa }) },
        });
        expect(await send(mplsFrame(stack(label, packet, 9, 5), OTHER))).toEqual({
          ...{ core: [want.toString('hex')], drops: {} },
        });
      }
    }
  });

  it('a tunnel under transport labels', async () => {
    const sa = await pe.sa('out');
    const tunnel = pe.tunnel({ encapsulation: 'gre', family: 4, sa, labels: [55], dscpCopy: true });
    const label = pe.swap(tunnel, OUT, onOther);
    const packet = opaque(64);
    const spec = { encapsulation: 'gre', family: 4, direction: 'out', label: OUT } as const;
    const inside = { ...spec, packet, labelTtl: 6, tc: 3, dscp: 24, sa };
    const payload = Buffer.concat([
      ...[labelEntry(55, { tc: 3, ttl: 64 }), tunnelFrame(inside).subarray(14)],
    ]);
    const frame = { destination: MAC.p, source: MAC.peCore, type: ETHERTYPE.mpls, payload };
    expect(await send(mplsFrame(stack(label, packet, 7, 3), OTHER))).toEqual({
      ...{ core: [ethernet(frame).toString('hex')], drops: {} },
    });
  });

  const through = async (
    version: Version | undefined,
    reason: string,
    options?: { swallowed: number },
  ): Promise<void> => {
    const label = pe.swap(pe.nexthop(version), OUT, onOther);
    const packet = innerPacket({ family: 4, source: THERE[4], destination: HERE[4] });
    const frame = mplsFrame(stack(label, packet), OTHER);
    expect(await pe.run({ core: [frame] }, options)).toMatchObject({
      ...{ out: {}, drops: { [reason]: 1 } },
    });
  };
  it('nothing else: neither to a CE, nor to the kernel, nor answered', async () => {
    const vrf = pe.vrfs.a;
    const on = { interface: pe.interfaces.ce, vrf };
    const header = toCe(innerPacket({ family: 4 })).subarray(0, 14);
    const neighbour = Uint8Array.of(10, 1, 1, 1);
    await through({ kind: 'adjacency', ...on, neighbour, mtu: 1500, header }, 'nexthop_unusable');
    await through({ kind: 'receive', ...on }, 'nexthop_unusable');
    await through({ kind: 'glean', ...on }, 'nexthop_unusable');
    await through(undefined, 'nexthop_unusable');
    const drop = { kind: 'drop', vrf, icmpUnreachable: true } as const;
    await through({ ...drop, reason: 'unreachable' }, 'unreachable');
    await through({ ...drop, reason: 'blackhole' }, 'blackhole');
    await through({ ...drop, reason: 'sa_missing' }, 'sa_missing');
  });

  it('what came by a label that is not swapped leaves by none of them', async () => {
    const sa = await pe.sa('in');
    const packet = innerPacket({ family: 4, source: THERE[4], destination: HERE[4] });
    const label = pe.label('nexthop', lsp, ANY);
    const frame = tunnelFrame({
      ...{ encapsulation: 'gre', family: 4, direction: 'in', label, packet, sa },
    });
    expect(await send(frame)).toEqual(dropped('route_not_exported_this_way'));
  });
});

describe('limits', () => {
  it('TTL 0 and 1 end here', async () => {
    const label = pe.swap(lsp, OUT, onOther);
    for (const ttl of [0, 1]) {
      const frame = mplsFrame(stack(label, opaque(60), ttl), OTHER);
      expect(await send(frame)).toEqual(dropped('label_ttl_expired'));
    }
    const packet = opaque(60);
    expect(await send(mplsFrame(stack(label, packet, 2), OTHER))).toEqual({
      ...{ core: [byLsp(packet, 1)], drops: {} },
    });
  });

  it('MTU, S = 0, nothing under the label', async () => {
    const label = pe.swap(pe.nexthop(pe.lspVersion({ labels: [], mtu: 100 })), OUT, onOther);
    expect((await send(mplsFrame(stack(label, opaque(100)), OTHER))).drops).toEqual({});
    // innerPacket would be answered were it the PE's own: DF is set
    const big = innerPacket({ family: 4, source: THERE[4], destination: HERE[4], size: 73 });
    expect(big.length).toBe(101);
    expect(await send(mplsFrame(stack(label, big), OTHER))).toEqual(dropped('mtu_exceeded'));
    const open = Buffer.concat([labelEntry(label, { bottom: false }), stack(OUT, opaque(60))]);
    expect(await send(mplsFrame(open, OTHER))).toEqual(dropped('label_stack'));
    expect(await send(mplsFrame(labelEntry(label), OTHER))).toEqual(dropped('label_truncated'));
    for (const cut of [2, 3]) {
      const short = labelEntry(label).subarray(0, cut);
      expect(await send(mplsFrame(short, OTHER))).toEqual(dropped('label_truncated'));
    }
  });

  it('out of an SA one label with S = 1, explicit null above it tolerated', async () => {
    const label = pe.swap(lsp, OUT, ENCRYPTED);
    const sa = await pe.sa('in');
    const packet = opaque(60);
    let sequence = 0;
    const of = (...parts: Uint8Array[]): Buffer => {
      const payload = gre(Buffer.concat(parts));
      const esp = sealEsp(sa.esp, ++sequence, payload, PROTOCOL.gre);
      return coreFrame(esp, { direction: 'in', family: 4, protocol: PROTOCOL.esp });
    };
    const above = labelEntry(0, { bottom: false });
    expect(await send(of(above, stack(label, packet)))).toMatchObject({ core: [byLsp(packet)] });
    const open = labelEntry(label, { bottom: false });
    expect(await send(of(open, stack(label, packet)))).toEqual(dropped('label_stack'));
  });
});
