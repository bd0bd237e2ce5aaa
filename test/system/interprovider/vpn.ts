// SPDX-License-Identifier: Apache-2.0
/** What tests of VPNs between the two providers share. */
import { expect } from 'vitest';
import type { BgpNeighbour } from '../../../src/config/types.js';
import { ASN, kinds, PLACES, type Providers, type Router, type Sp } from './providers.js';

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
