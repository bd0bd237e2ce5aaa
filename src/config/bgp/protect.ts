// SPDX-License-Identifier: Apache-2.0
/** Which neighbours of the core BGP talks to inside an ESP transport SA alone (policy-model 18). */
import { type EspOverhead, espOverhead } from '../../lib/esp-suites.js';
import { parseEspWords } from '../../lib/ike-words.js';
import { DEFAULT_MTU } from '../defaults.js';
import { espProposalsOf } from '../ike/defaults.js';
import type { Config, Ike } from '../types.js';
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
const ESP_HEADER = 8; // SPI, sequence number
const ESP_TRAILER = 2; // pad length, next header

const BY_HASH = {
  sha256: 'aes-cbc-128-sha-256',
  sha384: 'aes-cbc-128-sha-384',
  sha512: 'aes-cbc-128-sha-512',
} as const;

/** Of the suites that encrypt: all AEADs are alike, and AES-CBC adds more with a longer hash. */
function overheadsOf(ike: Ike | undefined): readonly EspOverhead[] {
  const texts = Object.values(ike?.providers ?? {}).flatMap((provider) =>
    ike === undefined ? [] : espProposalsOf(ike, provider).encrypt,
  );
  const hashes = texts.flatMap((text) => {
    const words = parseEspWords(text);
    return 'reason' in words ? [] : words.integrity;
  });
  return [
    espOverhead('aes-gcm-128', false),
    ...hashes.map((hash) => espOverhead(BY_HASH[hash], false)),
  ];
}

/**
 * Octets of data, and of TCP's options, in the largest segment that fits the core's interfaces with ESP around
 * it, whichever of the configured suites is agreed on; what ESP protects grows in steps (RFC 4303 §2.4). The worker
 * drops what does not fit.
 */
export function protectedSegment({ interfaces, ike }: Config, family: 4 | 6): number {
  const mtus = Object.values(interfaces).flatMap(({ role, mtu }) =>
    role === 'core' ? [mtu ?? DEFAULT_MTU] : [],
  );
  const room = Math.min(...mtus, 65_535) - (family === 4 ? 20 : 40) - ESP_HEADER;
  const segments = overheadsOf(ike).map(({ iv, icv, align }) => {
    const sealed = room - iv - icv;
    return sealed - (sealed % align) - ESP_TRAILER - TCP_HEADER;
  });
  return Math.min(...segments);
}
