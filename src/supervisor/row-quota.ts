// SPDX-License-Identifier: Apache-2.0
/**
 * How many child SAs one peer may have in the data plane, those in their grace time included: one that makes and
 * deletes them as fast as it can must not use up rows that are everybody's.
 */

/**
 * Twice what one IKE SA may have with its replaced ones (src/ike/sa/child-requests.ts): enough for every service and
 * resource to be rekeyed at once between several tunnel addresses. Rows for 512 such peers are there.
 */
export const MOST_PAIRS_OF_PEER = 256;

export class RowQuota {
  readonly #counts = new Map<string, number>();

  has(peer: string): boolean {
    return this.of(peer) < MOST_PAIRS_OF_PEER;
  }

  of(peer: string): number {
    return this.#counts.get(peer) ?? 0;
  }

  take(peer: string): void {
    this.#counts.set(peer, this.of(peer) + 1);
  }

  give(peer: string): void {
    const left = this.of(peer) - 1;
    if (left > 0) this.#counts.set(peer, left);
    else this.#counts.delete(peer);
  }
}
