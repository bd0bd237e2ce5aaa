// SPDX-License-Identifier: Apache-2.0
/** What whoever sits in the core has seen, from the first packet of the demo on. */
import { occurrences } from './captures.js';
import type { Checks } from './checks.js';
import { PATTERN } from './customers.js';
import { shape } from './policy.js';
import { VPNS } from './topology.js';
import type { WirePacket } from './wire.js';

interface Where {
  readonly name: string;
  readonly files: readonly string[];
  readonly packets: readonly WirePacket[];
}

/** Times that each VPN's payload stands readable in captures. */
const payloads = (files: readonly string[]): Record<(typeof VPNS)[number], number> => {
  const [A = 0, B = 0, C = 0] = VPNS.map((vpn) =>
    files.reduce((sum, file) => sum + occurrences(file, Buffer.from(PATTERN[vpn])), 0),
  );
  return { A, B, C };
};

function kinds(packets: readonly WirePacket[]): string {
  const counts = new Map<string, number>();
  for (const packet of packets) {
    const name = shape(packet) || 'ICMP';
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts].map(([name, n]) => `${String(n)} of ${name}`).join(', ');
}

/** Customers' packets that crossed without anything of ours around them. */
function bare(packets: readonly WirePacket[]): number {
  return packets.filter(
    ({ outer, mpls, inner }) =>
      outer === undefined && mpls === undefined && inner?.source.startsWith('10.') === true,
  ).length;
}

/** Sessions between the providers run inside an SA of their own from their first packet on (policy-model 18). */
function bgp(checks: Checks, between: readonly WirePacket[]): void {
  const sessions = between.filter((packet) => packet.bgp);
  const clear = sessions.filter(({ esp }) => esp === undefined).length;
  checks.add(
    'eavesdropper-bgp',
    'P8',
    clear === 0 && sessions.length > 0,
    `of BGP between the providers ${String(clear)} packets in clear, ${String(sessions.length - clear)} inside ESP`,
  );
}

/** Before anything was changed: `inside` in the north, `between` the providers. */
export function eavesdropper(checks: Checks, inside: Where, between: Where): string[] {
  const [near, far] = [payloads(inside.files), payloads(between.files)];
  checks.add(
    'eavesdropper-encrypted',
    'P6 P9',
    near.A === 0 && far.A === 0 && far.C === 0,
    `VPN A's payload readable ${String(near.A)} times inside north, ${String(far.A)} between the providers; VPN C's ${String(far.C)} between them`,
  );
  checks.add(
    'eavesdropper-authenticated',
    'P6 P9',
    near.B > 0 && far.B > 0,
    `VPN B's payload readable ${String(near.B + far.B)} times, as "authenticate" says`,
  );
  checks.add(
    'eavesdropper-clear',
    'P6 P7',
    near.C > 0,
    `VPN C's payload readable ${String(near.C)} times inside north, as its policy says`,
  );
  const naked = [inside, between].map(({ packets }) => bare(packets));
  checks.add(
    'eavesdropper-no-bare',
    'P1',
    naked.every((n) => n === 0),
    `${naked.join(' and ')} customers' packets without a tunnel, inside north and between the providers`,
  );
  bgp(checks, between.packets);
  return [
    `${inside.name}: ${kinds(inside.packets)}. Readable payloads: VPN A ${String(near.A)}, VPN B ${String(near.B)}, VPN C ${String(near.C)}.`,
    `${between.name}: ${kinds(between.packets)}. Readable payloads: VPN A ${String(far.A)}, VPN B ${String(far.B)}, VPN C ${String(far.C)}.`,
  ];
}
