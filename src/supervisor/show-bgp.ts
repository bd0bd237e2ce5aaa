// SPDX-License-Identifier: Apache-2.0
/** `sealane show bgp summary` and `neighbors`, `sealane bgp clear`. */
import { FAMILY_IDS, familyName } from '../bgp/codec/families.js';
import type { FamilyCounts, PeerCounts } from '../bgp/rib/peer-counts.js';
import type { MessageCounts } from '../bgp/session/stats.js';
import type { SessionView } from '../bgp/session/view.js';
import type {
  BgpClearRow,
  BgpNeighborRow,
  BgpState,
  BgpSummaryRow,
  SoftClear,
} from '../rpc/backend.js';
import type { BgpView } from '../vpn/bgp/view.js';

export const BGP_FAMILIES: readonly string[] = FAMILY_IDS.map(familyName);

const STATES = {
  ...{ idle: 'idle', connect: 'connect', active: 'active' },
  ...{ openSent: 'open-sent', openConfirm: 'open-confirm', established: 'established' },
} as const satisfies Record<SessionView['state'], BgpState>;

const stateOf = ({ state, shutdown }: SessionView): BgpState =>
  shutdown && state === 'idle' ? 'shutdown' : STATES[state];

/** Whole seconds. */
function uptime({ establishedAt }: SessionView): bigint | undefined {
  if (establishedAt === undefined) return undefined;
  return BigInt(Math.max(0, Math.trunc((Date.now() - establishedAt) / 1000)));
}

const allOf = (counts: MessageCounts): bigint =>
  BigInt(Object.values(counts).reduce((sum, count) => sum + count, 0));

/** Milliseconds since 1970 as ISO 8601, UTC. */
const timeOf = (at: number | undefined): string =>
  at === undefined ? '' : new Date(at).toISOString();

type RouteSums = Pick<BgpNeighborRow, 'received' | 'accepted' | 'rejected' | 'sent'>;

/** Of all families. */
function sums(counts: PeerCounts | undefined): RouteSums {
  const sum = (of: (family: FamilyCounts) => number): bigint =>
    BigInt((counts?.families ?? []).reduce((total, family) => total + of(family), 0));
  return {
    received: sum(({ routes, rejected }) => routes + rejected),
    accepted: sum(({ routes }) => routes),
    rejected: sum(({ rejected }) => rejected),
    sent: sum(({ told }) => told),
  };
}

const byName = (bgp: BgpView): SessionView[] =>
  bgp.speaker.show().sort((a, b) => (a.name < b.name ? -1 : 1));

export function* bgpSummaryRows(bgp: BgpView | undefined): Generator<BgpSummaryRow> {
  if (bgp === undefined) return;
  for (const session of byName(bgp)) {
    const { received, accepted, sent } = sums(bgp.rib.peerCounts(session.id));
    yield {
      ...{ neighbor: session.name, vrf: session.vrf ?? '', description: session.description },
      asn: String(session.asn ?? session.configuredAsn),
      ...{ state: stateOf(session), uptimeSeconds: uptime(session), received, accepted, sent },
      ...{ messagesIn: allOf(session.received), messagesOut: allOf(session.sent) },
      lastError: session.lastError?.reason ?? '',
    };
  }
}

// ---- Neighbours ----------------------------------------------------------------------------------

type Identity = Pick<
  BgpNeighborRow,
  | 'neighbor'
  | 'configured'
  | 'description'
  | 'vrf'
  | 'address'
  | 'localAddress'
  | 'configuredAsn'
  | 'asn'
  | 'localAsn'
  | 'routerId'
  | 'kind'
>;

function identity(session: SessionView): Identity {
  return {
    ...{ neighbor: session.name, configured: session.neighbor },
    ...{ description: session.description, vrf: session.vrf ?? '', address: session.address },
    ...{ localAddress: session.localAddress ?? '', configuredAsn: session.configuredAsn },
    ...{ asn: session.asn, localAsn: session.localAsn, routerId: session.routerId ?? '' },
    kind: session.kind ?? '',
  };
}

type Life = Pick<
  BgpNeighborRow,
  | 'state'
  | 'shutdown'
  | 'establishedAt'
  | 'uptimeSeconds'
  | 'establishedCount'
  | 'lastChange'
  | 'lastChangeAt'
>;

function life(session: SessionView): Life {
  const last = session.history.at(-1);
  const change = last && `${STATES[last.from]} -> ${STATES[last.to]}: ${last.reason}`;
  return {
    ...{ state: stateOf(session), shutdown: session.shutdown },
    establishedAt: timeOf(session.establishedAt),
    ...{ uptimeSeconds: uptime(session), establishedCount: BigInt(session.establishedCount) },
    ...{ lastChange: change ?? '', lastChangeAt: timeOf(last?.at) },
  };
}

type Agreed = Pick<
  BgpNeighborRow,
  | 'families'
  | 'addPathReceive'
  | 'addPathSend'
  | 'extendedNextHop'
  | 'gracefulRestart'
  | 'restartTime'
  | 'restartNotification'
  | 'longLived'
  | 'routeRefresh'
  | 'enhancedRefresh'
  | 'fourOctetAs'
  | 'maxMessage'
  | 'holdTime'
  | 'keepaliveTime'
  | 'sendHoldTime'
  | 'connectRetry'
>;

function agreed(session: SessionView): Agreed {
  return {
    families: session.families.join(' '),
    addPathReceive: session.addPathReceive.join(' '),
    addPathSend: session.addPathSend.join(' '),
    extendedNextHop: session.extendedNextHop.join(' '),
    gracefulRestart: session.gracefulRestart.join(' '),
    restartTime: session.restartTime,
    restartNotification: session.notificationRestart,
    longLived: session.longLived.map(({ family, seconds }) => `${family}:${seconds}`).join(' '),
    ...{ routeRefresh: session.routeRefresh, enhancedRefresh: session.enhancedRefresh },
    ...{ fourOctetAs: session.as4, maxMessage: session.maxMessage },
    ...{ holdTime: session.holdTime, keepaliveTime: session.keepaliveTime },
    ...{ sendHoldTime: session.sendHoldTime, connectRetry: session.connectRetry },
  };
}

type Messages = Pick<
  BgpNeighborRow,
  | 'opensIn'
  | 'opensOut'
  | 'updatesIn'
  | 'updatesOut'
  | 'notificationsIn'
  | 'notificationsOut'
  | 'keepalivesIn'
  | 'keepalivesOut'
  | 'refreshesIn'
  | 'refreshesOut'
>;

function messages({ received, sent }: SessionView): Messages {
  return {
    ...{ opensIn: BigInt(received.open), opensOut: BigInt(sent.open) },
    ...{ updatesIn: BigInt(received.update), updatesOut: BigInt(sent.update) },
    notificationsIn: BigInt(received.notification),
    notificationsOut: BigInt(sent.notification),
    ...{ keepalivesIn: BigInt(received.keepalive), keepalivesOut: BigInt(sent.keepalive) },
    ...{ refreshesIn: BigInt(received.routeRefresh), refreshesOut: BigInt(sent.routeRefresh) },
  };
}

type Routes = RouteSums &
  Pick<
    BgpNeighborRow,
    'familyRoutes' | 'endOfRib' | 'stale' | 'announcements' | 'withdrawals' | 'loops'
  >;

function routeCounts(counts: PeerCounts | undefined): Routes {
  const families = counts?.families ?? [];
  const names = (those: (family: FamilyCounts) => boolean): string =>
    families
      .filter(those)
      .map(({ family }) => familyName(family))
      .join(' ');
  return {
    ...sums(counts),
    familyRoutes: families
      .map((one) => `${familyName(one.family)} ${one.routes}/${one.rejected}/${one.told}`)
      .join(', '),
    endOfRib: names(({ endOfRib }) => endOfRib),
    stale: names(({ stale }) => stale),
    announcements: BigInt(counts?.announcements ?? 0),
    withdrawals: BigInt(counts?.withdrawals ?? 0),
    loops: BigInt(counts?.loops ?? 0),
  };
}

type LastError = Pick<
  BgpNeighborRow,
  'error' | 'errorAt' | 'errorBy' | 'errorCode' | 'errorSubcode' | 'errorData' | 'errorOctets'
>;

function lastError({ lastError: error }: SessionView): LastError {
  return {
    ...{ error: error?.reason ?? '', errorAt: timeOf(error?.at), errorBy: error?.by ?? '' },
    ...{ errorCode: error?.code, errorSubcode: error?.subcode },
    ...{ errorData: error?.data ?? '', errorOctets: error?.octets ?? '' },
  };
}

/** `ipsec`: how it stands with the SA of a neighbour of the core, by its address; empty: it needs none. */
export function* bgpNeighborRows(
  bgp: BgpView | undefined,
  ipsec: (address: string) => string,
): Generator<BgpNeighborRow> {
  if (bgp === undefined) return;
  for (const session of byName(bgp)) {
    yield {
      ...identity(session),
      ...life(session),
      ...agreed(session),
      ...messages(session),
      ...routeCounts(bgp.rib.peerCounts(session.id)),
      tolerated: BigInt(session.tolerated),
      ...lastError(session),
      bfd: bgp.bfd(session.name) ?? '',
      ipsec: session.vrf === undefined ? ipsec(session.address) : '',
    };
  }
}

// ---- Clear ---------------------------------------------------------------------------------------

/**
 * `name`: a session, or a configured neighbour with all of its sessions; undefined: every session. `soft`
 * undefined: they are begun anew.
 */
export function clearBgp(
  bgp: BgpView | undefined,
  name: string | undefined,
  soft: SoftClear | undefined,
): BgpClearRow[] {
  if (bgp === undefined) return [];
  const sessions = byName(bgp).filter(
    (one) => name === undefined || one.name === name || one.neighbor === name,
  );
  return sessions.map((session) => {
    const reason = soft === undefined ? hard(bgp, session) : softly(bgp, session, soft);
    return { neighbor: session.name, cleared: reason === '', reason };
  });
}

/** Why not; empty: it was done. */
function softly({ speaker, rib }: BgpView, session: SessionView, way: SoftClear): string {
  if (session.state !== 'established') return `not established: ${stateOf(session)}`;
  if (way !== 'in') rib.resend(session.id);
  const deaf = way === 'out' ? [] : speaker.clearSoft(session.name);
  return deaf.length === 0 ? '' : 'the peer has no route refresh (RFC 2918)';
}

function hard({ speaker }: BgpView, session: SessionView): string {
  if (session.byOperator) return 'shut down by an operator';
  if (session.shutdown) return 'configured to stay down';
  return speaker.clear(session.name) ? '' : 'it has just gone';
}
