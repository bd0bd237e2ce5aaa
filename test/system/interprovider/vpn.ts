// SPDX-License-Identifier: Apache-2.0
/** What tests of VPNs between the two providers share. */
import { expect } from 'vitest';
import type { BgpNeighbour } from '../../../src/config/types.js';
import { ASN, kinds, type Lan, PLACES, type Providers, type Router, type Sp } from './providers.js';

export const VPN = { 'vpnv4-unicast': {} };

/** A neighbour of another SP over several hops, by the tunnel address. */
export const far = (router: Router, sp: Sp): BgpNeighbour => ({
  ...{ asn: ASN[sp], sp, multihop: 8, families: VPN },
  localAddress: PLACES[router].tunnel,
});

/** The label of an export rule of PE 1. */
export async function labelOf(net: Providers, rule: string): Promise<number> {
  const rows = await net.show('pe1', 'labels');
  const row = rows.find(({ rules }) => rules === `bgp/${rule}`);
  if (row === undefined) throw new Error(`PE 1 has no label for ${rule}`);
  return row.label;
}

/** So many packets of ESP at least, and none of what carries a VPN in clear. */
export function expectEspAlone(frames: readonly Buffer[], atLeast: number): void {
  const seen = kinds(frames);
  expect(seen.filter((kind) => kind === 'ip 50').length).toBeGreaterThanOrEqual(atLeast);
  for (const clear of ['ip 47', 'ip 137', '0x8847']) expect(seen).not.toContain(clear);
}

/** Ten pings from customer 1 to customer 2, all answered, as seen on each LAN on their way past both borders. */
export async function onEachLeg(
  net: Providers,
  look: (frames: readonly Buffer[], lan: Lan) => void,
): Promise<void> {
  for (const [lan, port] of [
    ['x', 'pe1'],
    ['exch', 'ax'],
    ['y', 'pe2'],
  ] as const) {
    const frames = await net.capture(lan, port, async () => {
      expect(await net.ping('ce1', '10.2.0.2', 10)).toBe(10);
    });
    look(frames, lan);
  }
}

/** Pings go for 15 s, a hundred a second, while the supervisor of a router is killed and comes back: none is lost. */
export async function expectNoLossAtKill(net: Providers, router: Router): Promise<void> {
  const pinging = net.ping('ce1', '10.2.0.2', 1500, 10);
  await net.killSupervisor(router);
  net.start(router);
  expect(await pinging).toBe(1500);
}
