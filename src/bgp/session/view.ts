// SPDX-License-Identifier: Apache-2.0
/** A session as `show` prints it. */
import { formatAddress } from '../../lib/ip.js';
import { familiesOf, familyName } from '../codec/families.js';
import type { FamilyName } from '../codec/types.js';
import type { PeerId } from '../types.js';
import type { SessionState } from './fsm-types.js';
import { formatId } from './negotiate.js';
import type { NeighborSession } from './session-driver.js';
import type { MessageCounts, SessionError, StateChange } from './stats.js';

export interface SessionView {
  readonly id: PeerId;
  /** Address, with %VRF inside a VRF. */
  readonly name: string;
  /** The configured neighbour: the same, or the prefix it came out of. */
  readonly neighbor: string;
  readonly description: string;
  readonly vrf: string | undefined;
  readonly address: string;
  readonly localAddress: string | undefined;
  readonly localAsn: number;
  /** Of the peer's OPEN; undefined while down. */
  readonly asn: number | undefined;
  readonly routerId: string | undefined;
  readonly kind: 'ibgp' | 'ebgp' | undefined;
  readonly state: SessionState;
  /** Configured to stay down. */
  readonly shutdown: boolean;
  /** Milliseconds since 1970; undefined while down. */
  readonly establishedAt: number | undefined;
  readonly establishedCount: number;
  /** Seconds agreed on. */
  readonly holdTime: number | undefined;
  readonly families: readonly FamilyName[];
  readonly addPathSend: readonly FamilyName[];
  readonly addPathReceive: readonly FamilyName[];
  readonly gracefulRestart: readonly FamilyName[];
  readonly maxMessage: number | undefined;
  readonly received: MessageCounts;
  readonly sent: MessageCounts;
  /** Faulty UPDATEs that the session outlived (RFC 7606). */
  readonly tolerated: number;
  readonly lastError: SessionError | undefined;
  readonly history: readonly StateChange[];
}

const names = (set: number | undefined): FamilyName[] => familiesOf(set ?? 0).map(familyName);

export function viewOf(session: NeighborSession): SessionView {
  const { neighbor, agreement, history } = session;
  const context = agreement?.context;
  return {
    ...{ id: session.id, name: session.name, neighbor: neighbor.name },
    ...{ description: neighbor.description, vrf: neighbor.vrf },
    address: formatAddress(session.address),
    ...{ localAddress: session.localAddress, localAsn: neighbor.localAsn },
    asn: agreement?.asn,
    routerId: agreement && formatId(agreement.routerId),
    kind: agreement?.kind,
    state: session.state,
    shutdown: neighbor.shutdown !== undefined,
    establishedAt: session.establishedAt,
    establishedCount: history.establishedCount,
    holdTime: agreement?.holdTime,
    families: names(context?.families),
    addPathSend: names(context?.addPathSend),
    addPathReceive: names(context?.addPathReceive),
    gracefulRestart: names(agreement?.restartFamilies),
    maxMessage: context?.maxMessage,
    received: session.received.counts(),
    sent: session.sent.counts(),
    ...{ tolerated: history.tolerated, lastError: history.lastError },
    history: [...history.changes],
  };
}
