// SPDX-License-Identifier: Apache-2.0
/** A child SA as its IKE SA keeps it. Keys are not in it: they are the data plane's alone. */
import type { EspSuite, Selector } from '../negotiation/types.js';
import type { ChildPolicy } from './types.js';

export interface ChildSa {
  readonly policy: ChildPolicy;
  readonly inboundSpi: number;
  readonly outboundSpi: number;
  readonly suite: EspSuite;
  /** Key exchange methods of the exchange it was made in; empty without PFS. */
  readonly keyExchanges: readonly string[];
  readonly local: readonly Selector[];
  readonly remote: readonly Selector[];
  readonly resource: number;
  /** Wall clock, seconds. */
  readonly createdAt: number;
  /** Whether the exchange that made it was ours; matters in collisions. */
  readonly isOurs: boolean;
  /** Least of the four nonces of a rekey decides (RFC 7296 §2.8.1): the two of this one's exchange. */
  readonly nonces: readonly [Uint8Array, Uint8Array];
}
