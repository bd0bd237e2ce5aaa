// SPDX-License-Identifier: Apache-2.0
/** Frames of the scenario of pe.ts: what CEs send (by Scapy), and tunnel packets byte by byte from the RFCs. */
import type { Encapsulation } from '../../src/forwarding/addon/api.js';
import { sealEsp, type SealOptions } from '../lib/esp.js';
import {
  ETHERTYPE,
  ethernet,
  etherTypeOf,
  gre,
  ip,
  labelEntry,
  PROTOCOL,
  udp,
} from '../lib/packets.js';
import { HERE, LOCAL, MAC, REMOTE, THERE, type Family, type Sa } from './pe.js';
import type { Stack } from './wire.js';

export interface Inner {
  readonly family: Family;
  readonly source?: string;
  readonly destination?: string;
  readonly ttl?: number;
  /** 8 bits: DSCP and ECN. */
  readonly tos?: number;
  /** Bytes of UDP payload. */
  readonly size?: number;
}

const pattern = (size: number): Buffer =>
  Buffer.from(Array.from({ length: size }, (_, i) => i & 255));

/** IP / UDP for Scapy; from a host here to one there. */
export function innerStack(inner: Inner): Stack {
  const { family, ttl = 33, tos = 0 } = inner;
  const src = inner.source ?? HERE[family];
  const dst = inner.destination ?? THERE[family];
  const head: Stack =
    family === 4
      ? [['IP', { src, dst, ttl, tos, id: 0x1234, flags: 'DF' }]]
      : [['IPv6', { src, dst, hlim: ttl, tc: tos, fl: 0x54321 }]];
  const load = pattern(inner.size ?? 40).toString('hex');
  return [...head, ['UDP', { sport: 50001, dport: 50002 }], ['Raw', load]];
}

/** The same packet from the RFCs. */
export function innerPacket(inner: Inner): Buffer {
  const { family, ttl = 33, tos = 0 } = inner;
  const source = inner.source ?? HERE[family];
  const destination = inner.destination ?? THERE[family];
  return ip({
    ...{ source, destination, protocol: PROTOCOL.udp, ttl, dscp: tos >> 2, ecn: tos & 3 },
    ...{ id: 0x1234, flowLabel: 0x54321 },
    payload: udp(source, destination, pattern(inner.size ?? 40)),
  });
}

/** Ethernet in front of a CE's packet. */
export function ceEthernet(from: string, vlan?: number): Stack {
  const ether: Stack = [['Ether', { dst: MAC.peCe, src: from }]];
  return vlan === undefined ? ether : [...ether, ['Dot1Q', { vlan }]];
}

/** An IP packet in the frame that CE a gets. */
export function toCe(packet: Uint8Array, mac: string = MAC.a, vlan?: number): Buffer {
  return ethernet({
    ...{ destination: mac, source: MAC.peCe, type: etherTypeOf(packet), payload: packet },
    ...(vlan === undefined ? {} : { vlan }),
  });
}

export interface TunnelPacket {
  readonly encapsulation: Encapsulation;
  readonly family: Family;
  /** From us to the other PE, or the other way. */
  readonly direction: 'out' | 'in';
  readonly label: number;
  readonly labelTtl?: number;
  readonly tc?: number;
  readonly sa?: Sa;
  readonly sequence?: number;
  readonly dscp?: number;
  readonly ecn?: number;
  readonly ttl?: number;
  readonly flowLabel?: number;
  /** 802.1Q tag of the core frame. */
  readonly vlan?: number;
  readonly packet: Uint8Array;
}

/** What stands behind ESP, or behind the outer IP header without: [GRE] | label | packet. */
export function carried(
  spec: Pick<TunnelPacket, 'encapsulation' | 'label' | 'labelTtl' | 'tc' | 'packet'>,
): Buffer {
  const entry = labelEntry(spec.label, { tc: spec.tc ?? 0, ttl: spec.labelTtl ?? 255 });
  const stack = Buffer.concat([entry, spec.packet]);
  return spec.encapsulation === 'gre' ? gre(stack) : stack;
}

export interface OuterOptions {
  readonly direction: 'out' | 'in';
  readonly family: Family;
  readonly protocol: number;
  readonly ttl?: number;
  readonly dscp?: number;
  readonly ecn?: number;
  readonly flowLabel?: number;
  readonly vlan?: number;
  readonly source?: string;
  readonly destination?: string;
  readonly fragment?: number;
  readonly id?: number;
}

function coreMacs(direction: 'out' | 'in'): { destination: string; source: string } {
  const [destination, source] = direction === 'out' ? [MAC.p, MAC.peCore] : [MAC.peCore, MAC.p];
  return { destination, source };
}

/** A core frame with an outer IP packet around `payload`. */
export function coreFrame(payload: Uint8Array, options: OuterOptions): Buffer {
  const { direction, family, vlan } = options;
  const ends = direction === 'out' ? [LOCAL, REMOTE] : [REMOTE, LOCAL];
  const packet = ip({
    source: options.source ?? ends[0]?.[family] ?? '',
    destination: options.destination ?? ends[1]?.[family] ?? '',
    ...{ protocol: options.protocol, ttl: options.ttl ?? 64, dscp: options.dscp ?? 0 },
    ...{ flowLabel: options.flowLabel ?? 0, payload, ecn: options.ecn ?? 0 },
    ...(options.fragment === undefined ? {} : { fragment: options.fragment }),
    ...(options.id === undefined ? {} : { id: options.id }),
  });
  return ethernet({
    ...{ ...coreMacs(direction), type: etherTypeOf(packet) },
    ...{ payload: packet, ...(vlan === undefined ? {} : { vlan }) },
  });
}

/** A whole tunnel frame, byte by byte. */
export function tunnelFrame(spec: TunnelPacket, seal: SealOptions = {}): Buffer {
  const protocol = spec.encapsulation === 'gre' ? PROTOCOL.gre : PROTOCOL.mpls;
  const inside = carried(spec);
  const outer = {
    ...{ direction: spec.direction, family: spec.family, ttl: spec.ttl ?? 64 },
    ...{ dscp: spec.dscp ?? 0, ecn: spec.ecn ?? 0, flowLabel: spec.flowLabel ?? 0 },
    ...(spec.vlan === undefined ? {} : { vlan: spec.vlan }),
  };
  if (spec.sa === undefined) return coreFrame(inside, { ...outer, protocol });
  const esp = sealEsp(spec.sa.esp, spec.sequence ?? 1, inside, protocol, seal);
  return coreFrame(esp, { ...outer, protocol: PROTOCOL.esp });
}

/** Plain MPLS in a frame from the core. */
export function mplsFrame(stack: Uint8Array, vlan?: number): Buffer {
  return ethernet({
    ...{ destination: MAC.peCore, source: MAC.p, type: ETHERTYPE.mpls, payload: stack },
    ...(vlan === undefined ? {} : { vlan }),
  });
}
