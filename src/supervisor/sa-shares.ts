// SPDX-License-Identifier: Apache-2.0
/**
 * By which outbound SA each packet thread sends where a next hop names another thread's (policy-model 23). The SAs of
 * one service with one peer (RFC 9611) belong to a thread each; a thread without one passes its packets to the owner of the
 * SA that the next hop names.
 */
import type { SaRow } from '../forwarding/addon/api.js';

/** An outbound row. */
export interface Shareable {
  readonly id: number;
  readonly row: SaRow;
}

/** A template of one serves the other; addresses and encapsulation are the service's. */
const fits = (a: SaRow, b: SaRow): boolean =>
  a.algorithm === b.algorithm &&
  a.udp?.source === b.udp?.source &&
  a.udp?.destination === b.udp?.destination;

/** Row ids by thread, 0: none of its own. Of several of one thread's the first in `others`. */
export function sharesOf(
  primary: Shareable,
  others: readonly Shareable[],
  threads: number,
): readonly number[] {
  const shares = new Array<number>(threads).fill(0);
  const threadOf = ({ row }: Shareable): number => (row.worker ?? 0) % threads;
  for (const other of others) {
    const thread = threadOf(other);
    if (thread === threadOf(primary) || shares[thread] !== 0) continue;
    if (fits(primary.row, other.row)) shares[thread] = other.id;
  }
  return shares;
}
