// SPDX-License-Identifier: Apache-2.0
/** Each VPN's policy: as its egress signals it, as each ingress chooses by it, as it is on the wire. */
import type { Checks } from './checks.js';
import type { PolicyRow } from './findings.js';
import type { TopicRows } from '../../src/rpc/client.js';
import { show, type PeProcess, type Pes } from './pe.js';
import { NODES, NUMBERS, PES, site, VPNS, type PeName, type Vpn } from './topology.js';
import type { WirePacket } from './wire.js';

type Wires = Readonly<Record<PeName, readonly WirePacket[]>>;

/** What must come of it: the protection, and how a packet then looks. */
function expected(vpn: Vpn, inside: boolean): { community: string; wire: string } {
  if (vpn === 'A') return { community: 'ipsec:encrypt:gre', wire: 'ESP, encrypted | GRE | MPLS' };
  if (vpn === 'B') {
    return { community: 'ipsec:authenticate:ip', wire: 'ESP, authenticated | MPLS' };
  }
  return inside
    ? { community: 'ipsec:tunnel:gre', wire: 'GRE | MPLS' }
    : { community: 'ipsec:encrypt:gre', wire: 'ESP, encrypted | GRE | MPLS' };
}

/** Headers between the outer IP header and the customer's packet, in words. */
export function shape({ esp, gre, bgp, mpls }: WirePacket): string {
  return [
    ...(esp === undefined ? [] : [`ESP, ${esp.kind}`]),
    ...(gre ? ['GRE'] : []),
    ...(mpls === undefined ? [] : ['MPLS']),
    ...(bgp ? ['BGP'] : []),
  ].join(' | ');
}

/** Shapes of the packets with this label from one PE to another, with their numbers. */
function observed(
  wire: readonly WirePacket[],
  from: string,
  to: string,
  label: number,
): Map<string, { packets: number; spis: Set<number> }> {
  const shapes = new Map<string, { packets: number; spis: Set<number> }>();
  for (const packet of wire) {
    if (packet.outer?.source !== from || packet.outer.destination !== to) continue;
    if (packet.mpls?.label !== label) continue;
    const entry = shapes.get(shape(packet)) ?? { packets: 0, spis: new Set() };
    entry.packets++;
    if (packet.esp !== undefined) entry.spis.add(packet.esp.spi);
    shapes.set(shape(packet), entry);
  }
  return shapes;
}

const hexSpi = (spi: number): string => `0x${spi.toString(16).padStart(8, '0')}`;

/** The best path of a VRF for a prefix, and how it is used. */
async function choiceOf(
  pe: PeProcess,
  vrf: string,
  exact: string,
): Promise<{ path: TopicRows['bgp routes'] | undefined; chosen: string }> {
  const paths = await show(pe, 'bgp routes', { vrf, exact });
  const path = paths.find((one) => one.best && one.vrf === vrf);
  const tunnel = (await show(pe, 'tunnels')).find(({ name }) => name === path?.way);
  if (tunnel !== undefined) {
    return { path, chosen: `${tunnel.protection} in ${tunnel.encapsulation}` };
  }
  return { path, chosen: path?.reason ?? 'no route' };
}

async function rowOf(
  pes: Pes,
  wires: Wires,
  vpn: Vpn,
  [ingress, egress]: readonly [PeName, PeName],
): Promise<PolicyRow> {
  const number = NUMBERS[PES.indexOf(egress)] ?? 1;
  const prefix = site(vpn, number).lan4;
  const inside = NODES[ingress].sp === NODES[egress].sp;
  const { path, chosen } = await choiceOf(pes[ingress], vpn, prefix);
  const words = (path?.extendedCommunities ?? '').split(' ');
  const signalled = words.filter((word) => word.startsWith('ipsec:')).join(' ');
  const [from, to] = [NODES[ingress].loopback, NODES[egress].loopback];
  const shapes = observed(wires[egress], from, to, Number(path?.label ?? -1));
  const wanted = expected(vpn, inside);
  const right =
    signalled === wanted.community &&
    `ipsec:${chosen.replace(' in ', ':')}` === signalled &&
    shapes.size === 1 &&
    shapes.has(wanted.wire);
  const seen = [...shapes].map(([text, { packets, spis }]) => {
    const by = [...spis].map(hexSpi).join(', ');
    return `${text} (${String(packets)} packets${by === '' ? '' : `, SPI ${by}`})`;
  });
  return {
    ...{ vpn, ingress, egress, prefix, rd: path?.rd ?? '', signalled, chosen },
    targets: words.filter((word) => word.startsWith('target:')).join(' '),
    label: path?.label ?? '',
    observed: seen.length === 0 ? 'nothing' : seen.join('; '),
    ok: right,
  };
}

/** All three VPNs, every ingress and egress. `wires`: what was captured in front of each egress. */
export async function policies(checks: Checks, pes: Pes, wires: Wires): Promise<PolicyRow[]> {
  const rows: PolicyRow[] = [];
  for (const vpn of VPNS) {
    for (const ingress of PES) {
      for (const egress of PES) {
        if (egress !== ingress) rows.push(await rowOf(pes, wires, vpn, [ingress, egress]));
      }
    }
  }
  for (const vpn of VPNS) {
    const own = rows.filter((row) => row.vpn === vpn);
    const wrong = own.filter(({ ok }) => !ok);
    const words = (wrong.length === 0 ? own : wrong).map(
      (row) =>
        `${row.ingress} -> ${row.egress} signalled ${row.signalled || 'nothing'}, chosen ${row.chosen}, seen ${row.observed}`,
    );
    checks.add(
      `policy-${vpn.toLowerCase()}`,
      vpn === 'C' ? 'P4 P6 P7' : 'P4 P6',
      own.length === 6 && wrong.length === 0,
      words.join('; '),
    );
  }
  return rows;
}
