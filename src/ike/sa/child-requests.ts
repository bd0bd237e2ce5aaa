// SPDX-License-Identifier: Apache-2.0
/** What the peer may do with the child SAs of an IKE SA, and what follows from it (RFC 7296 §2.25.1). */
import type { ChildSa } from '../child/child-sa.js';
import { bad, type IkeFailure } from '../types.js';
import { type ChildTable, final, GRACE_MS } from './child-table.js';
import { patienceMs, type SaContext } from './context.js';

/** Child SAs of one IKE SA, rekeyed ones included: above that the peer is told so. */
const MOST_CHILDREN = 64;
/** Rekeyed over and over and never deleted they are not to grow without end: the data plane is everybody's. */
const MOST_WITH_REPLACED = 2 * MOST_CHILDREN;
/** When it is not known whether the peer has a child SA that it asked for, and nothing else carries its traffic. */
export const CONFIRM_MS = 100;

export interface ChildRequestsHost extends SaContext {
  readonly table: ChildTable;
  readonly phase: string;
  childDown(child: ChildSa, failure: IkeFailure): void;
}

const notNow = bad('TEMPORARY_FAILURE', 'us', 'not while it is changed').failure;

/** Why there can be no new child SA now, or none in the place of this one. */
export function refuseChild(
  { phase, table }: ChildRequestsHost,
  replaces: ChildSa | undefined,
): IkeFailure | undefined {
  if (phase !== 'established') return notNow;
  if (replaces === undefined) {
    if (table.size < MOST_CHILDREN) return undefined;
    return bad('NO_ADDITIONAL_SAS', 'us', `${MOST_CHILDREN} child SAs`).failure;
  }
  const entry = table.find(replaces.inboundSpi);
  if (entry === undefined) return bad('CHILD_SA_NOT_FOUND', 'us', 'it is gone').failure;
  const isFree =
    table.size < MOST_WITH_REPLACED && (entry.phase === 'live' || entry.phase === 'rekeying');
  return isFree && entry.successor === undefined ? undefined : notNow;
}

/** A child SA that the peer asked for is installed. */
export function acceptChild(
  { table, policy }: ChildRequestsHost,
  child: ChildSa,
  replaces: ChildSa | undefined,
): void {
  const old = replaces === undefined ? undefined : table.find(replaces.inboundSpi);
  const confirmMs = old === undefined ? CONFIRM_MS : patienceMs(policy.retransmission);
  const entry = table.add(child, confirmMs);
  if (old !== undefined) table.replace(old, entry);
  table.settle(entry.key);
}

/** The peer has deleted the child SA that it receives with this SPI. Our SPI when the answer has to name it. */
export function childDeleted(host: ChildRequestsHost, outboundSpi: number): number | undefined {
  const { table } = host;
  const entry = table.findPeers(outboundSpi);
  if (entry === undefined) return undefined;
  const isCrossing = entry.phase === 'deleting';
  // Whoever deletes what was replaced has what replaces it.
  const last = final(entry);
  if (last !== entry && table.has(last)) table.prove(last);
  const { failure } = bad('CLOSED', 'peer', 'the peer deleted it');
  if (table.remove(entry, GRACE_MS)) host.childDown(entry.child, failure);
  return isCrossing ? undefined : entry.child.inboundSpi;
}

/**
 * The peer asks for something else: with one request at a time it has our last answer then, and has done what follows
 * from it.
 */
export function proveChildren({ table, open }: ChildRequestsHost): void {
  if (open.channel.ownWindow !== 1) return;
  for (const entry of table.all) if (!entry.isProven) table.prove(entry);
}

export const noChild = (inboundSpi: number): ReturnType<typeof bad> =>
  bad('CHILD_SA_NOT_FOUND', 'us', `no child SA ${inboundSpi.toString(16)}`);
