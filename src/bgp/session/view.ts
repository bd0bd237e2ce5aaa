// SPDX-License-Identifier: Apache-2.0
/** A session as `show` prints it. */
import { formatAddress } from '../../lib/ip.js';
import { familiesOf, familyName } from '../codec/families.js';
import type { FamilyName } from '../codec/types.js';
import type { PeerId } from '../types.js';
import type { ResolvedNeighbor } from './config.js';
import type { Agreement, SessionState } from './fsm-types.js';
import { formatId } from './negotiate.js';
import type { NeighborSession } from './session-driver.js';
import type { MessageCounts, SessionError, StateChange } from './stats.js';
import { keepaliveMs, sendHoldMs } from './timing.js';

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
  /** As configured: a number, several, or "external". */
  readonly configuredAsn: string;
  /** Of the peer's OPEN; undefined while down. */
  readonly asn: number | undefined;
  readonly routerId: string | undefined;
  readonly kind: 'ibgp' | 'ebgp' | undefined;
  readonly state: SessionState;
  /** To stay down: so configured, or an operator's word. */
  readonly shutdown: boolean;
  readonly byOperator: boolean;
  /** Milliseconds since 1970; undefined while down. */
  readonly establishedAt: number | undefined;
  readonly establishedCount: number;
  /** Seconds agreed on. */
  readonly holdTime: number | undefined;
  /** Seconds between keepalives (undefined also where there are none), and until a stuck peer is given up. */
  readonly keepaliveTime: number | undefined;
  readonly sendHoldTime: number | undefined;
  /** Seconds, of the first wait. */
  readonly connectRetry: number;
  readonly families: readonly FamilyName[];
  readonly addPathSend: readonly FamilyName[];
  readonly addPathReceive: readonly FamilyName[];
  readonly extendedNextHop: readonly FamilyName[];
  readonly gracefulRestart: readonly FamilyName[];
  /** Seconds that the peer's routes stay for its restart. */
  readonly restartTime: number | undefined;
  /** Both have the N bit (RFC 8538). */
  readonly notificationRestart: boolean;
  readonly longLived: readonly { readonly family: FamilyName; readonly seconds: number }[];
  readonly routeRefresh: boolean;
  readonly enhancedRefresh: boolean;
  readonly as4: boolean;
  readonly maxMessage: number | undefined;
  readonly received: MessageCounts;
  readonly sent: MessageCounts;
  /** Faulty UPDATEs that the session outlived (RFC 7606). */
  readonly tolerated: number;
  readonly lastError: SessionError | undefined;
  readonly history: readonly StateChange[];
}

type Agreed = Pick<
  SessionView,
  | 'asn'
  | 'routerId'
  | 'kind'
  | 'holdTime'
  | 'keepaliveTime'
  | 'sendHoldTime'
  | 'families'
  | 'addPathSend'
  | 'addPathReceive'
  | 'extendedNextHop'
  | 'gracefulRestart'
  | 'restartTime'
  | 'notificationRestart'
  | 'longLived'
  | 'routeRefresh'
  | 'enhancedRefresh'
  | 'as4'
  | 'maxMessage'
>;

const names = (set: number): FamilyName[] => familiesOf(set).map(familyName);

/** While down nothing is agreed on. */
const NOTHING: Agreed = {
  ...{ asn: undefined, routerId: undefined, kind: undefined },
  ...{ holdTime: undefined, keepaliveTime: undefined, sendHoldTime: undefined },
  ...{ families: [], addPathSend: [], addPathReceive: [], extendedNextHop: [] },
  ...{ gracefulRestart: [], restartTime: undefined, notificationRestart: false, longLived: [] },
  ...{ routeRefresh: false, enhancedRefresh: false, as4: false, maxMessage: undefined },
};

/** Seconds by which the machine's timers run; no keepalives where the hold time is 0 (RFC 4271 §4.2). */
function timersOf(
  { timers }: ResolvedNeighbor,
  hold: number,
): Pick<Agreed, 'holdTime' | 'keepaliveTime' | 'sendHoldTime'> {
  return {
    holdTime: hold,
    keepaliveTime: hold === 0 ? undefined : keepaliveMs(hold, timers.keepalive) / 1000,
    sendHoldTime: sendHoldMs(hold, timers.sendHold) / 1000,
  };
}

function agreed(neighbor: ResolvedNeighbor, agreement: Agreement): Agreed {
  const { context, restartFamilies } = agreement;
  return {
    ...{ asn: agreement.asn, routerId: formatId(agreement.routerId), kind: agreement.kind },
    ...timersOf(neighbor, agreement.holdTime),
    families: names(context.families),
    addPathSend: names(context.addPathSend),
    addPathReceive: names(context.addPathReceive),
    extendedNextHop: names(context.extendedNextHop),
    gracefulRestart: names(restartFamilies),
    restartTime: restartFamilies === 0 ? undefined : agreement.restartTime,
    notificationRestart: agreement.notificationRestart,
    longLived: agreement.longLived.map(({ family, seconds }) => ({
      ...{ family: familyName(family), seconds },
    })),
    ...{ routeRefresh: agreement.routeRefresh, enhancedRefresh: agreement.enhancedRefresh },
    ...{ as4: context.as4, maxMessage: context.maxMessage },
  };
}

export function viewOf(session: NeighborSession): SessionView {
  const { neighbor, agreement, history } = session;
  return {
    ...{ id: session.id, name: session.name, neighbor: neighbor.name },
    ...{ description: neighbor.description, vrf: neighbor.vrf },
    address: formatAddress(session.address),
    ...{ localAddress: session.localAddress, localAsn: neighbor.localAsn },
    configuredAsn: [neighbor.asn].flat().join(' '),
    state: session.state,
    shutdown: neighbor.shutdown !== undefined || session.isShutDown,
    byOperator: session.isShutDown,
    establishedAt: session.establishedAt,
    establishedCount: history.establishedCount,
    connectRetry: neighbor.timers.connectRetry,
    ...(agreement === undefined ? NOTHING : agreed(neighbor, agreement)),
    received: session.received.counts(),
    sent: session.sent.counts(),
    ...{ tolerated: history.tolerated, lastError: history.lastError },
    history: [...history.changes],
  };
}
