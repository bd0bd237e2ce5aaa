// SPDX-License-Identifier: Apache-2.0
/**
 * Transport labels on the way in: taken off where the neighbour is of the own SP, and opening nothing. What is
 * under them meets the checks that it meets without.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { AcceptSet } from '../../src/forwarding/addon/api.js';
import { gre, ip, labelEntry, macBytes, PROTOCOL } from '../lib/packets.js';
import { carried, innerPacket, mplsFrame, toCe, tunnelFrame, type TunnelPacket } from './frames.js';
import { ANY, ENCAPSULATIONS, FAMILIES, HERE, LOCAL, Pe, REMOTE, THERE, type Sa } from './pe.js';

const OWN_SP: AcceptSet = { secured: [], clear: ['mpls'] };
const VLAN = 20;

let pe: Pe;
/** Transport labels of ours, and a VPN label that accepts everything. */
let ours: readonly [number, number];
let vpn: number;
beforeAll(async () => {
  pe = await Pe.start('mpls-in');
  ours = [pe.pop(OWN_SP), pe.pop(OWN_SP)];
  vpn = pe.label('vrf', pe.vrfs.a, ANY);
});
afterAll(async () => {
  await pe.close();
});
beforeEach(() => {
  pe.setInterface('open', { acceptGre: true, acceptIp: true, mplsOwnSp: true });
});

const fromThere = (size = 40): Buffer =>
  innerPacket({ family: 4, source: THERE[4], destination: HERE[4], size });
const delivered = (size = 40): string =>
  toCe(innerPacket({ family: 4, source: THERE[4], destination: HERE[4], size, ttl: 32 })).toString(
    'hex',
  );

/** Transport entries, S on the last where nothing but IP follows. */
const transport = (labels: readonly number[], bottom: boolean, ttl = 255): Buffer =>
  Buffer.concat(
    labels.map((label, i) => labelEntry(label, { bottom: bottom && i === labels.length - 1, ttl })),
  );
const under = (labels: readonly number[], packet: Uint8Array, ttl = 255): Buffer =>
  mplsFrame(Buffer.concat([transport(labels, true, ttl), packet]), VLAN);

interface Got {
  readonly ce: readonly string[];
  readonly drops: Readonly<Record<string, number>>;
}
async function send(...frames: Buffer[]): Promise<Got> {
  const { out, drops } = await pe.run({ core: frames });
  expect(Object.keys(out).filter((place) => place !== 'ce')).toEqual([]);
  return { ce: (out['ce'] ?? []).map((frame) => frame.toString('hex')), drops };
}
const taken = (): Got => ({ ce: [delivered()], drops: {} });
const dropped = (reason: string, n = 1): Got => ({ ce: [], drops: { [reason]: n } });

/** A packet of the other PE's as it would come without labels, from its IP header on. */
function tunnelled(spec: Omit<TunnelPacket, 'direction' | 'label' | 'packet'>): Buffer {
  return tunnelFrame({ ...spec, direction: 'in', label: vpn, packet: fromThere() }).subarray(14);
}

describe('under transport labels of ours', () => {
  const stacks = (): [string, number[]][] => [
    ['one', [ours[0]]],
    ['two', [ours[1], ours[0]]],
    ['eight', Array.from({ length: 8 }, (_, i) => ours[i % 2] ?? 0)],
  ];

  it.each(FAMILIES)('ESP, GRE and protocol 137 over IPv%i are taken', async (family) => {
    for (const [, labels] of [...stacks(), ['explicit null', [family === 4 ? 0 : 2]] as const]) {
      for (const encapsulation of ENCAPSULATIONS) {
        const sa = await pe.sa('in', { family, encapsulation });
        expect(await send(under(labels, tunnelled({ encapsulation, family, sa })))).toEqual(
          taken(),
        );
        expect(pe.saState('in', sa)).toMatchObject({ packets: 1n, sequence: 1n });
        expect(await send(under(labels, tunnelled({ encapsulation, family })))).toEqual(taken());
      }
    }
  });

  it('a VPN label is taken as after penultimate hop popping', async () => {
    const packet = Buffer.concat([labelEntry(vpn), fromThere()]);
    expect(await send(mplsFrame(packet, VLAN))).toEqual(taken());
    for (const labels of [
      ...stacks().map(([, list]) => list),
      [0],
      [2],
      [0, ours[0]],
      [ours[0], 2],
    ]) {
      const stack = Buffer.concat([transport(labels, false), packet]);
      expect(await send(mplsFrame(stack, VLAN))).toEqual(taken());
    }
  });

  it('each label counts what came by it', async () => {
    const before = pe.harness.tables.labelCounters(ours[0]);
    const inside = tunnelled({ encapsulation: 'gre', family: 4 });
    await send(under([ours[0]], inside), under([ours[1], ours[0]], inside));
    const { packets, bytes } = pe.harness.tables.labelCounters(ours[0]);
    expect(packets - before.packets).toBe(2n);
    expect(bytes - before.bytes).toBe(BigInt(2 * inside.length));
  });

  it('what is for the kernel gets there as if it had come without', async () => {
    for (const family of FAMILIES) {
      const ends = { source: REMOTE[family], destination: LOCAL[family] };
      const udp = { ...ends, protocol: PROTOCOL.udp, payload: Buffer.alloc(16, 1) };
      // IKE, say: TTL 255 of a neighbour is not what came by a label of TTL 250 (RFC 5082)
      for (const [ttl, label, want] of [
        [255, 250, 250],
        [60, 250, 60],
        [255, 255, 255],
      ] as const) {
        const frame = under([ours[1], ours[0]], ip({ ...udp, ttl }), label);
        const { out, drops } = await pe.run({ core: [frame] });
        expect(drops).toEqual({});
        const [got] = out['tap:open'] ?? [];
        const head = frame.subarray(0, 12).toString('hex') + (family === 4 ? '0800' : '86dd');
        expect(got?.toString('hex')).toBe(head + ip({ ...udp, ttl: want }).toString('hex'));
      }
    }
  });
});

describe('a transport label opens nothing', () => {
  it('in clear, the tunnels that the interface does not accept', async () => {
    pe.setInterface('open', { acceptGre: false, acceptIp: false, mplsOwnSp: true });
    for (const family of FAMILIES) {
      const labels = [ours[0]];
      expect(await send(under(labels, tunnelled({ encapsulation: 'gre', family })))).toEqual(
        dropped('gre_clear'),
      );
      expect(await send(under(labels, tunnelled({ encapsulation: 'ip', family })))).toEqual(
        dropped('mpls_in_ip_clear'),
      );
    }
  });

  it('transit, fragments, unknown SPIs, forged ESP', async () => {
    const outer = { source: REMOTE[4], destination: LOCAL[4], protocol: PROTOCOL.gre };
    const inside = carried({ encapsulation: 'gre', label: vpn, packet: fromThere() });
    const transit = ip({ ...outer, destination: '192.0.2.99', payload: inside });
    expect(await send(under([ours[0]], transit))).toEqual(dropped('core_transit'));
    // malformed: seven bytes that others are to follow
    const fragment = ip({ ...outer, fragment: 0x2000, payload: inside.subarray(0, 7) });
    expect(await send(under([ours[0]], fragment))).toEqual(dropped('outer_fragment'));
    const sa: Sa = await pe.sa('in');
    const spec = { encapsulation: 'gre', family: 4, sa } as const;
    const unknown = { ...sa, esp: { ...sa.esp, spi: (sa.row.spi ^ 0x100000) >>> 0 } };
    expect(await send(under([0], tunnelled({ ...spec, sa: unknown })))).toEqual(
      dropped('esp_unknown_spi'),
    );
    const forged = tunnelled(spec);
    forged.writeUInt8(forged.readUInt8(forged.length - 1) ^ 1, forged.length - 1);
    expect(await send(under([0], forged))).toEqual(dropped('esp_auth_failed'));
    const good = under([ours[0]], tunnelled(spec));
    expect(await send(good)).toEqual(taken());
    expect(await send(good)).toEqual(dropped('esp_replayed'));
  });

  it('what concerns a link alone', async () => {
    const ospf = { source: REMOTE[4], protocol: 89, payload: Buffer.alloc(24), ttl: 1 };
    expect(await send(under([ours[0]], ip({ ...ospf, destination: '224.0.0.5' })))).toEqual(
      dropped('ip_multicast'),
    );
    const nd = { source: 'fe80::1', destination: 'fe80::2', protocol: PROTOCOL.icmp6, ttl: 255 };
    expect(await send(under([2], ip({ ...nd, payload: Buffer.alloc(24, 0x87) })))).toEqual(
      dropped('ip_destination'),
    );
  });

  it('on interfaces without MPLS, of another SP, by a group’s frame', async () => {
    const stack = Buffer.concat([transport([ours[0]], true), tunnelled(GRE)]);
    expect(await send(mplsFrame(stack))).toEqual(dropped('mpls_not_accepted'));
    expect(await send(mplsFrame(stack, 30))).toEqual(dropped('label_not_advertised'));
    const nulls = Buffer.concat([transport([0], true), tunnelled(GRE)]);
    expect(await send(mplsFrame(nulls, 30))).toEqual(dropped('label_stack'));
    const group = mplsFrame(stack, VLAN);
    group.set(macBytes('01:00:5e:00:00:01'));
    expect(await send(group)).toEqual(dropped('rx_not_our_mac'));
  });

  it('inside an SA or a tunnel', async () => {
    const sa = await pe.sa('in');
    const within = { ...GRE, direction: 'in', label: ours[0], packet: fromThere() } as const;
    expect(await send(tunnelFrame({ ...within, sa }))).toEqual(dropped('label_unknown'));
    expect(await send(tunnelFrame({ ...within, vlan: VLAN }))).toEqual(dropped('label_unknown'));
    const above = gre(Buffer.concat([transport([ours[0]], false), labelEntry(vpn), fromThere()]));
    const outer = { source: REMOTE[4], destination: LOCAL[4], protocol: PROTOCOL.gre };
    expect(await send(under([0], ip({ ...outer, payload: above })))).toEqual(
      dropped('label_stack'),
    );
  });

  it('when its own set does not name plain MPLS', async () => {
    const label = pe.pop({ ...ANY, clear: ['gre', 'ip'] });
    expect(await send(under([label], tunnelled(GRE)))).toEqual(dropped('label_wrong_protection'));
    const nothing = pe.pop({ secured: [], clear: [] });
    expect(await send(under([nothing], tunnelled(GRE)))).toEqual(dropped('label_protected'));
    const caseTwo = pe.pop({ secured: [], clear: ['mpls-own-sp'] });
    expect(await send(under([caseTwo], tunnelled(GRE)))).toEqual(taken());
  });
});

const GRE = { encapsulation: 'gre', family: 4 } as const;

describe('hostile stacks', () => {
  const inside = (): Buffer => Buffer.concat([labelEntry(vpn), fromThere()]);

  it('nine transport labels and more', async () => {
    for (const n of [9, 10, 300]) {
      const many = Array.from({ length: n }, (_, i) => (i % 3 === 2 ? 0 : (ours[i % 2] ?? 0)));
      expect(await send(under(many, tunnelled(GRE)))).toEqual(dropped('label_stack'));
      const stack = Buffer.concat([transport(many, false), inside()]);
      expect(await send(mplsFrame(stack, VLAN))).toEqual(dropped('label_stack'));
    }
  });

  it('without a bottom', async () => {
    for (const label of [ours[0], 0, 2]) {
      for (const n of [1, 2, 8]) {
        const stack = transport(Array<number>(n).fill(label), false);
        // padded to Ethernet's least by nothing: the frame ends with the stack
        expect(await send(mplsFrame(stack, VLAN))).toEqual(dropped('label_truncated'));
      }
    }
    const vpnAlone = labelEntry(vpn, { bottom: false });
    expect(await send(mplsFrame(vpnAlone, VLAN))).toEqual(dropped('label_stack'));
  });

  it('with S too early or too late', async () => {
    // S in the transport label, a label under it
    const early = Buffer.concat([labelEntry(ours[0]), inside()]);
    expect(await send(mplsFrame(early, VLAN))).toEqual(dropped('inner_not_ip'));
    // no S, and an IP header where a label should be
    const late = Buffer.concat([labelEntry(ours[0], { bottom: false }), tunnelled(GRE)]);
    const { ce, drops } = await send(mplsFrame(late, VLAN));
    expect(ce).toEqual([]);
    expect(Object.values(drops)).toEqual([1]);
    expect(Object.keys(drops)[0]).toMatch(/^label_(unknown|stack)$/);
  });

  it('explicit null of the other family, above nothing, above a reserved label', async () => {
    expect(await send(under([2], tunnelled(GRE)))).toEqual(dropped('inner_not_ip'));
    expect(await send(under([0], tunnelled({ ...GRE, family: 6 })))).toEqual(
      dropped('inner_not_ip'),
    );
    expect(await send(mplsFrame(labelEntry(0), VLAN))).toEqual(dropped('label_truncated'));
    for (const reserved of [1, 3, 7, 13, 14, 15]) {
      const bottom = Buffer.concat([labelEntry(reserved), fromThere()]);
      expect(await send(mplsFrame(bottom, VLAN))).toEqual(dropped('label_unknown'));
      const above = Buffer.concat([transport([0, reserved], false), inside()]);
      expect(await send(mplsFrame(above, VLAN))).toEqual(dropped('label_stack'));
    }
  });

  it('TTL 0 in any of them', async () => {
    expect(await send(under([ours[0]], tunnelled(GRE), 0))).toEqual(dropped('label_ttl_expired'));
    expect(await send(under([0], tunnelled(GRE), 0))).toEqual(dropped('label_ttl_expired'));
    const second = Buffer.concat([transport([ours[0]], false), transport([ours[1]], true, 0)]);
    expect(await send(mplsFrame(Buffer.concat([second, tunnelled(GRE)]), VLAN))).toEqual(
      dropped('label_ttl_expired'),
    );
    expect(await send(under([ours[0]], tunnelled(GRE), 1))).toEqual(taken());
  });

  it('cut at every length', async () => {
    const whole = under([ours[0], ours[1]], tunnelled(GRE));
    // the kernel drops tagged frames with fewer than two bytes behind the tag
    const cut = Array.from({ length: whole.length - 20 }, (_, i) => whole.subarray(0, 20 + i));
    const { ce, drops } = await send(...cut);
    expect(ce).toEqual([]);
    expect(Object.values(drops).reduce((sum, n) => sum + n, 0)).toBe(cut.length);
    expect(drops).toMatchObject({ label_truncated: 7 });
    const other = Object.keys(drops).filter(
      (reason) => !/^(label_truncated|ip4_header)$/.test(reason),
    );
    expect(other).toEqual([]);
  });

  it('with link padding behind the packet', async () => {
    const frame = under([ours[0]], tunnelled(GRE));
    expect(await send(Buffer.concat([frame, Buffer.alloc(13, 0xee)]))).toEqual(taken());
  });
});
