// SPDX-License-Identifier: Apache-2.0
/** What the exchanges see of the IKE SA in which they happen. */
import type { Retransmission } from '../channel/api.js';
import type { Payload } from '../codec/payload.js';
import type { OpenIkeSa } from '../open/types.js';
import type { PeerPolicy } from '../policy.js';
import type { IkeFailure, Outcome } from '../types.js';
import type { SaEnvironment } from './api.js';

export interface SaContext {
  readonly env: SaEnvironment;
  /** `policy` is the one it was opened with; the one in force is `policy` beside it. */
  readonly open: OpenIkeSa;
  readonly policy: PeerPolicy;
  /** It is being deleted, closed or replaced: nothing new may come of exchanges that are under way. */
  readonly isEnding: boolean;
  /** Its keys are wiped. */
  readonly isClosed: boolean;
  /**
   * A request and the payloads of its response, which may be error notifies. 'CLOSED' also when the SA ended while
   * waiting. What is fatal (no answer, one that cannot be read) has already ended the SA.
   */
  ask(exchange: number, payloads: readonly Payload[]): Promise<Outcome<readonly Payload[]>>;
}

/** A response, and what is done once it is sent. */
export interface Reply {
  readonly payloads: readonly Payload[];
  readonly after?: () => void;
}

export const closedMeanwhile: IkeFailure = {
  ...{ code: 'CLOSED', by: 'us', reason: 'the IKE SA ended meanwhile' },
};

/** Beyond the time in which a peer gives up asking. */
const LENIENCY_MS = 30_000;

/** How long a peer with such a policy goes on asking, ms: whatever it was not told by then it never will be. */
export function patienceMs({ firstMs, factor, tries, jitter }: Retransmission): number {
  let [whole, wait] = [0, firstMs];
  for (let i = 0; i < tries; i++) {
    whole += wait;
    wait *= factor;
  }
  return whole * (1 + jitter) + LENIENCY_MS;
}
