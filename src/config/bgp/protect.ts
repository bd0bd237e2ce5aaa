// SPDX-License-Identifier: Apache-2.0
/** Which neighbours of the core BGP talks to inside an ESP transport SA alone (policy-model 18). */
import { DEFAULT_MTU } from '../defaults.js';
import type { Config } from '../types.js';
import { type ConfiguredNeighbour, neighboursOf } from './resolve.js';
import type { BgpNeighbourOptions } from './types.js';

type Judged = Pick<BgpNeighbourOptions, 'ipsec' | 'sp'> & { readonly vrf?: string };

/** What holds for a neighbour, its template merged in: between providers 'require' unless it says otherwise. */
export function ipsecOf({ ipsec, sp, vrf }: Judged, ownSp: string): 'require' | 'off' {
  if (vrf !== undefined) return 'off';
  return ipsec ?? (sp === undefined || sp === ownSp ? 'off' : 'require');
}

/** The two ends of TCP sessions that have to be protected, and the SP of the remote one. */
export interface ProtectedPair {
  readonly local: string;
  readonly remote: string;
  readonly sp: string;
}

/** Expects a checked configuration; each pair once. */
export function protectedPairs(config: Config): readonly ProtectedPair[] {
  return neighboursOf(config).flatMap((neighbour) => pairOf(neighbour, config.ownSp));
}

function pairOf(neighbour: ConfiguredNeighbour, ownSp: string): ProtectedPair[] {
  const { address, localAddress, sp = ownSp } = neighbour;
  if (ipsecOf(neighbour, ownSp) === 'off' || address === undefined) return [];
  // Nobody would be told to drop what is in clear.
  if (localAddress === undefined) throw new TypeError(`no localAddress towards ${address}`);
  return [{ local: localAddress, remote: address, sp }];
}

const TCP_HEADER = 20;
const ESP_FRONT = 16; // SPI, sequence number, IV
const ESP_TRAILER = 2; // pad length, next header
const ESP_ICV = 16;

/**
 * Octets of data, and of TCP's options, in the largest segment that fits the core's interfaces with ESP around
 * it; what ESP protects grows in steps of 4 (RFC 4303 §2.4). The worker drops what does not fit.
 */
export function protectedSegment({ interfaces }: Config, family: 4 | 6): number {
  const mtus = Object.values(interfaces).flatMap(({ role, mtu }) =>
    role === 'core' ? [mtu ?? DEFAULT_MTU] : [],
  );
  const room = Math.min(...mtus, 65_535) - (family === 4 ? 20 : 40) - ESP_FRONT - ESP_ICV;
  return room - (room % 4) - ESP_TRAILER - TCP_HEADER;
}
