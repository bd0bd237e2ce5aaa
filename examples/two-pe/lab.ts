// SPDX-License-Identifier: Apache-2.0
// What the two PEs of the lab have in common. A configuration is code: what repeats becomes a function
// that returns plain data.
import type { ManualSa } from 'sealane';

/** Where README.md has the key files made. */
export const KEYS = '/etc/sealane/keys';

interface Direction {
  readonly spi: number;
  readonly keyFile: string;
}

/** Both directions of a protected GRE tunnel: PEER-out and PEER-in. Each has its own SPI and key. */
export function protectedPair(pair: {
  readonly peer: string;
  readonly local: string;
  readonly remote: string;
  readonly out: Direction;
  readonly in: Direction;
}): Record<string, ManualSa> {
  const { peer, local, remote } = pair;
  const both = { local, remote, encapsulation: 'gre', algorithm: 'aes-gcm-128' } as const;
  return {
    [`${peer}-out`]: { ...both, direction: 'out', ...pair.out },
    [`${peer}-in`]: { ...both, direction: 'in', ...pair.in },
  };
}
