// SPDX-License-Identifier: Apache-2.0
/**
 * How each reason of drop_reasons.h that frames alone can cause is provoked. Each case sends COUNT packets that
 * must all end for that reason; a packet that is answered by ICMP is counted for its reason alone.
 */
import { ACTION_DROP, type Version } from '../../src/forwarding/addon/api.js';
import { sealEsp, trailerOf } from '../lib/esp.js';
import { ETHERTYPE, ethernet, gre, ip, labelEntry, PROTOCOL } from '../lib/packets.js';
import {
  carried,
  coreFrame,
  innerPacket,
  mplsFrame,
  toCe,
  tunnelFrame,
  type OuterOptions,
} from './frames.js';
import { ANY, ENCRYPTED, HERE, LOCAL, MAC, PE_CE, THERE, type Pe, type Sa } from './pe.js';
import type { Input, RunOptions } from './run.js';

export const COUNT = 3;

export interface Provocation {
  readonly input: Input;
  readonly options?: RunOptions;
  /** Other reasons that rise beside it, and by how much. */
  readonly beside?: Readonly<Record<string, number>>;
  /** ICMP errors are sent about these packets. */
  readonly answered?: boolean;
  /** Counted before the interface is known. */
  readonly anonymous?: boolean;
}

export type Provoke = (pe: Pe) => Provocation | Promise<Provocation>;

const times = <T>(make: (i: number) => T): T[] => Array.from({ length: COUNT }, (_, i) => make(i));

const fromCe = (packet: Uint8Array, mac: string = MAC.peCe): Buffer =>
  ethernet({
    ...{ destination: mac, source: MAC.a, payload: packet },
    type: (packet[0] ?? 0) >> 4 === 6 ? ETHERTYPE.ip6 : ETHERTYPE.ip4,
  });
const ce = (packet: Uint8Array, more: Partial<Provocation> = {}): Provocation => ({
  input: { ce: times(() => fromCe(packet)) },
  ...more,
});
const core = (make: (i: number) => Uint8Array, more: Partial<Provocation> = {}): Provocation => ({
  input: { core: times(make) },
  ...more,
});

/** Away from any route of VRF a. */
const NOWHERE = '203.0.113.9';
const UDP_DATA = Buffer.from('c350c35200080000', 'hex');

/** A packet of CE a. */
const packet = (destination: string, rest: Partial<Parameters<typeof ip>[0]> = {}): Buffer =>
  ip({
    ...{ source: HERE[destination.includes(':') ? 6 : 4], destination, protocol: PROTOCOL.udp },
    payload: UDP_DATA,
    ...rest,
  });

const changed = (bytes: Buffer, at: number, value: number): Buffer => {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(value, at);
  return copy;
};

/** The other site's packet as it comes out of a tunnel. */
const inner = (rest: Partial<Parameters<typeof ip>[0]> = {}): Buffer =>
  packet(HERE[4], { source: THERE[4], ...rest });

const OUTER: OuterOptions = { direction: 'in', family: 4, protocol: PROTOCOL.esp };

/** ESP of a correctly keyed peer around anything. */
const esp = (sa: Sa, sequence: number, payload: Uint8Array, protocol = sa.protocol): Buffer =>
  coreFrame(sealEsp(sa.esp, sequence, payload, protocol), { ...OUTER, family: sa.family });

/** Packets out of a new SA that end in the label lookup or behind it. */
async function outOfSa(
  pe: Pe,
  payload: (sa: Sa) => Uint8Array,
  options: Parameters<Pe['sa']>[1] = {},
): Promise<Provocation> {
  const sa = await pe.sa('in', options);
  return core((i) => esp(sa, i + 1, payload(sa)));
}

/** GRE | label | packet, for a label of this accepted set that leads to VRF a. */
const labelled = (label: number, within: Uint8Array = inner(), ttl = 255): Buffer =>
  carried({ encapsulation: 'gre', label, packet: within, labelTtl: ttl });

export const SA_MISSING: Version = {
  ...{ kind: 'drop', reason: 'sa_missing', icmpUnreachable: false, vrf: 0 },
};

function nowhereBy(pe: Pe, version: Parameters<Pe['nexthop']>[0]): string {
  const host = `198.51.100.${String(pe.newLabel() % 250)}`;
  pe.route('a', host, pe.nexthop(version));
  return host;
}

const RECEIVE: Readonly<Record<string, Provoke>> = {
  rx_not_our_mac: () =>
    ce(packet(THERE[4]), {
      input: { ce: times(() => fromCe(packet(THERE[4]), '02:00:00:00:99:99')) },
    }),
  rx_unknown_vlan: () => ({
    input: { ce: times(() => toCe(packet(THERE[4]), MAC.peCe, 99)) },
    anonymous: true,
  }),
  rx_ethertype: () => ({
    input: {
      ce: times(() =>
        ethernet({ destination: MAC.peCe, source: MAC.a, type: 0x88cc, payload: Buffer.alloc(46) }),
      ),
    },
  }),
  mpls_not_accepted: (pe) =>
    core(() => mplsFrame(Buffer.concat([labelEntry(pe.label('vrf', pe.vrfs.a, ANY)), inner()]))),
  ip4_header: () => ce(changed(packet(THERE[4]), 0, 0x44)),
  ip4_checksum: () => ce(changed(packet(THERE[4]), 10, 0)),
  ip6_header: () => ce(packet(THERE[6]).subarray(0, 41)),
  ip_source: () => ce(packet(THERE[4], { source: '127.0.0.1' })),
  ip_multicast: () => ce(packet('239.1.2.3')),
  ip_destination: () => ce(packet('240.0.0.1')),
  // of a class of its own, so that no other packet is concerned
  policed: (pe) => {
    const classOfDscp = new Uint8Array(64).fill(1, 63);
    const names = ['default', 'policed', '', '', '', '', '', ''];
    pe.harness.tables.setClasses({ classOfDscp, names });
    pe.harness.tables.setPolicers(pe.interfaces.ce, [
      {
        ...{ slot: 1, meter: 'srtcm', rate: 8000n, peakRate: 8000n, burst: 1500, otherBurst: 0 },
        ...{ colourAware: false, actions: new Uint8Array(3).fill(ACTION_DROP) },
      },
    ]);
    return ce(packet(THERE[4], { dscp: 63 }));
  },
  core_transit: () =>
    core(() => coreFrame(UDP_DATA, { ...OUTER, protocol: PROTOCOL.udp, destination: NOWHERE })),
  outer_fragment: () =>
    // an end between two offsets, and more to follow
    core(() => coreFrame(Buffer.alloc(60), { ...OUTER, fragment: 0x2000 })),
};

const FORWARD: Readonly<Record<string, Provoke>> = {
  no_route: () => ce(packet(NOWHERE), { answered: true }),
  blackhole: (pe) =>
    ce(
      packet(
        nowhereBy(pe, {
          kind: 'drop',
          reason: 'blackhole',
          icmpUnreachable: false,
          vrf: pe.vrfs.a,
        }),
      ),
    ),
  unreachable: (pe) =>
    ce(
      packet(
        nowhereBy(pe, {
          kind: 'drop',
          reason: 'unreachable',
          icmpUnreachable: true,
          vrf: pe.vrfs.a,
        }),
      ),
      {
        answered: true,
      },
    ),
  nexthop_unusable: (pe) => ce(packet(nowhereBy(pe, undefined))),
  neighbour_pending: (pe) =>
    ce(packet(nowhereBy(pe, { kind: 'glean', interface: pe.interfaces.ce, vrf: pe.vrfs.a }))),
  // out of a label, because the first from a CE would be held (hold.test.ts)
  sa_missing: async (pe) => {
    const nexthop = pe.nexthop(SA_MISSING);
    return outOfSa(pe, () => labelled(pe.label('nexthop', nexthop, ANY)));
  },
  ttl_expired: () => ce(packet(HERE[4], { ttl: 1 }), { answered: true }),
  mtu_exceeded: (pe) => {
    const out = pe.adjacency('ce8', MAC.c, 4, 600);
    pe.route('a', '198.51.100.251', out);
    return ce(packet('198.51.100.251', { payload: Buffer.alloc(700) }), { answered: true });
  },
  icmp_forbidden: () => {
    // about an ICMP error no other is sent (RFC 1122 3.2.2)
    const error = Buffer.from('0b0000000000000000000000', 'hex');
    return ce(packet(NOWHERE, { protocol: PROTOCOL.icmp, payload: error }), {
      beside: { no_route: COUNT },
    });
  },
};

const OUTBOUND: Readonly<Record<string, Provoke>> = {
  sa_exhausted: async (pe) => {
    const sa = await pe.sa('out', { packetLimit: 2n });
    const host = '198.51.100.252';
    pe.route('a', host, pe.tunnel({ encapsulation: 'gre', family: 4, sa }), {
      label: pe.newLabel(),
    });
    await pe.run({ ce: [fromCe(packet(host)), fromCe(packet(host))] });
    return ce(packet(host));
  },
};

const INBOUND: Readonly<Record<string, Provoke>> = {
  esp_truncated: async (pe) => {
    const sa = await pe.sa('in');
    return core(() => coreFrame(sealEsp(sa.esp, 1, inner(), 47).subarray(0, 33), OUTER));
  },
  esp_unknown_spi: async (pe) => {
    const sa = await pe.sa('in');
    const other = { ...sa.esp, spi: (sa.row.spi ^ 0x100000) >>> 0 };
    return core((i) => coreFrame(sealEsp(other, i + 1, labelled(1000), 47), OUTER));
  },
  esp_outer_address: async (pe) => {
    const sa = await pe.sa('in');
    const bytes = sealEsp(sa.esp, 1, labelled(1000), 47);
    return core(() => coreFrame(bytes, { ...OUTER, source: '192.0.2.77' }));
  },
  esp_udp: async (pe) => {
    const ports = { source: 61_234, destination: 4500 };
    const sa = await pe.sa('in', { udp: ports });
    return core(() => coreFrame(sealEsp(sa.esp, 1, labelled(1000), 47), OUTER));
  },
  esp_replayed: async (pe) => {
    const sa = await pe.sa('in');
    const frame = esp(sa, 9, labelled(pe.label('vrf', pe.vrfs.a, ANY)));
    await pe.run({ core: [frame] });
    return core(() => frame);
  },
  esp_auth_failed: async (pe) => {
    const sa = await pe.sa('in');
    const bytes = esp(sa, 1, labelled(1000));
    return core(() => changed(bytes, bytes.length - 1, bytes.readUInt8(bytes.length - 1) ^ 1));
  },
  esp_padding: async (pe) => {
    const sa = await pe.sa('in');
    const trailer = Buffer.of(1, 2, 9, 3, PROTOCOL.gre);
    return core((i) => coreFrame(sealEsp(sa.esp, i + 1, labelled(1000), 47, { trailer }), OUTER));
  },
  esp_dummy: async (pe) => {
    const sa = await pe.sa('in');
    return core((i) => esp(sa, i + 1, Buffer.alloc(20), PROTOCOL.none));
  },
  // an SA negotiated for GRE yields an IP packet in tunnel mode
  esp_selector: async (pe) => {
    const sa = await pe.sa('in');
    return core((i) => esp(sa, i + 1, inner(), 4));
  },
};

const DECAPSULATION: Readonly<Record<string, Provoke>> = {
  // a key, as of RFC 2890
  gre_header: async (pe) => outOfSa(pe, () => gre(Buffer.alloc(40), ETHERTYPE.mpls, 0x2000)),
  // what Linux sends into a GRE device by itself
  gre_protocol: async (pe) => outOfSa(pe, () => gre(packet(THERE[6]), ETHERTYPE.ip6)),
  gre_clear: (pe) =>
    core(() =>
      tunnelFrame({ ...clear('gre'), label: pe.label('vrf', pe.vrfs.a, ANY), packet: inner() }),
    ),
  mpls_in_ip_clear: (pe) =>
    core(() =>
      tunnelFrame({ ...clear('ip'), label: pe.label('vrf', pe.vrfs.a, ANY), packet: inner() }),
    ),
};

const clear = (encapsulation: 'gre' | 'ip') =>
  ({ encapsulation, family: 4, direction: 'in' }) as const;

const LABEL: Readonly<Record<string, Provoke>> = {
  label_truncated: async (pe) => outOfSa(pe, () => gre(Buffer.of(0, 0, 1))),
  label_stack: async (pe) => {
    const label = pe.label('vrf', pe.vrfs.a, ANY);
    const stack = [labelEntry(label, { bottom: false }), labelEntry(label), inner()];
    return outOfSa(pe, () => gre(Buffer.concat(stack)));
  },
  // CE around a packet that is not ECT (RFC 6040 4.2)
  ecn_not_ect: (pe) => {
    const label = pe.label('vrf', pe.vrfs.a, ANY);
    return core(() => tunnelFrame({ ...clear('gre'), label, vlan: 20, ecn: 3, packet: inner() }));
  },
  // another SP's neighbour, by a label that was advertised to the next one
  label_not_advertised: (pe) => {
    const label = pe.label('vrf', pe.vrfs.a, { ...ANY, mplsInterface: 'third' });
    return core(() => mplsFrame(Buffer.concat([labelEntry(label), inner()]), 30));
  },
  label_unknown: async (pe) => outOfSa(pe, () => labelled(pe.newLabel())),
  label_protected: (pe) => {
    const label = pe.label('vrf', pe.vrfs.a, ENCRYPTED);
    return core(() => tunnelFrame({ ...clear('gre'), label, vlan: 20, packet: inner() }));
  },
  label_wrong_sp: async (pe) => {
    const label = pe.label('vrf', pe.vrfs.a, ENCRYPTED);
    return outOfSa(pe, () => labelled(label), { spTable: 2 });
  },
  label_wrong_protection: async (pe) => {
    const label = pe.label('vrf', pe.vrfs.a, ENCRYPTED);
    return outOfSa(pe, () => labelled(label), { algorithm: 'aes-gmac-128' });
  },
  label_wrong_encap: async (pe) => {
    const secured = [{ protection: 'encrypt', encapsulation: 'ip', sps: [1] } as const];
    const label = pe.label('vrf', pe.vrfs.a, { secured, clear: [] });
    return outOfSa(pe, () => labelled(label));
  },
  label_ttl_expired: async (pe) => {
    const label = pe.label('vrf', pe.vrfs.a, ANY);
    return outOfSa(pe, () => labelled(label, inner(), 0));
  },
  route_not_exported_this_way: async (pe) => {
    pe.route('a', '198.51.100.253', pe.adjacency('ce', MAC.a, 4), { accept: ENCRYPTED });
    const label = pe.label('vrf', pe.vrfs.a, ANY);
    const to = inner({ destination: '198.51.100.253' });
    return outOfSa(pe, () => labelled(label, to), { algorithm: 'aes-gmac-128' });
  },
  inner_not_ip: async (pe) => {
    const label = pe.label('vrf', pe.vrfs.a, ANY);
    return outOfSa(pe, () => labelled(label, changed(inner(), 0, 0x55)));
  },
};

const KERNEL: Readonly<Record<string, Provoke>> = {
  tx_no_port: (pe) => {
    const { tables } = pe.harness;
    const row = pe.rows.get('ce');
    if (row === undefined) throw new Error('no interface ce');
    const port = tables.portId('absent');
    const out = tables.putInterface({ ...row, name: 'absent', port });
    const header = toCe(innerPacket({ family: 4 })).subarray(0, 14);
    const vrf = pe.vrfs.a;
    const neighbour = Uint8Array.of(10, 1, 1, 1);
    pe.route(
      'a',
      '198.51.100.254',
      pe.nexthop({ kind: 'adjacency', interface: out, vrf, neighbour, mtu: 1500, header }),
    );
    return ce(packet('198.51.100.254'));
  },
  // an address of VRF c reached by a label: the VRF has no host interface to give it to
  punt_tap: async (pe) => {
    const own = { interface: pe.interfaces.ce8, vrf: pe.vrfs.c } as const;
    pe.route('c', '10.3.3.250', pe.nexthop({ kind: 'receive', ...own }), { accept: ANY });
    const label = pe.label('vrf', pe.vrfs.c, ANY);
    return outOfSa(pe, () => labelled(label, inner({ destination: '10.3.3.250' })));
  },
};

/** By reason. */
export const PROVOKE: Readonly<Record<string, Provoke>> = {
  ...{ ...RECEIVE, ...FORWARD, ...OUTBOUND, ...INBOUND },
  ...{ ...DECAPSULATION, ...LABEL, ...KERNEL },
};

export {
  fromCe,
  packet as cePacket,
  esp as espFrame,
  labelled,
  inner as fromThere,
  OUTER,
  NOWHERE,
  PE_CE,
  LOCAL,
  trailerOf,
};
