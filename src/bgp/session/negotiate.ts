// SPDX-License-Identifier: Apache-2.0
/** The OPEN we send, and what it and the peer's come to (RFC 4271 §6.2, RFC 5492). */
import { formatAddress } from '../../lib/ip.js';
import { AS_TRANS } from '../codec/attributes/as-path.js';
import { CAPABILITY } from '../codec/capabilities.js';
import { familiesOf, hasFamily } from '../codec/families.js';
import { cease, hardReset, openError } from '../codec/notification.js';
import { CEASE, ERROR } from '../codec/notification-codes.js';
import type { FamilySet, Notification } from '../codec/types.js';
import type { SessionEnd } from '../types.js';
import type { ResolvedFamily, ResolvedNeighbor } from './config.js';
import type { Agreement, OpenFacts, RestartState } from './fsm-types.js';

/** Capabilities left out because the peer cannot bear them (RFC 5492 §3). */
export interface Reduction {
  /** No optional parameter at all. */
  readonly all: boolean;
  /** Codes of capabilities. */
  readonly codes: ReadonlySet<number>;
}

export const NO_REDUCTION: Reduction = { all: false, codes: new Set() };

const IPV4_UNICAST: FamilySet = 1;

/** A dotted quad, as identifiers are written. */
export const formatId = (id: number): string =>
  formatAddress(Uint8Array.of(id >>> 24, (id >>> 16) & 255, (id >>> 8) & 255, id & 255));

const setWhere = (
  neighbor: ResolvedNeighbor,
  wanted: (family: ResolvedFamily) => boolean,
): FamilySet => {
  let set = 0;
  for (const [id, family] of neighbor.families) if (wanted(family)) set |= 1 << id;
  return set;
};

/** Our OPEN to this neighbour. */
export function ourOpen(
  neighbor: ResolvedNeighbor,
  routerId: number,
  restart: RestartState,
  reduction: Reduction = NO_REDUCTION,
): OpenFacts {
  const { localAsn, timers, familySet, gracefulRestart, longLived } = neighbor;
  const offers = (code: number): boolean => !reduction.all && !reduction.codes.has(code);
  const of = (code: number, set: FamilySet): FamilySet => (offers(code) ? set : 0);
  // An OPEN without multiprotocol capabilities means IPv4 unicast, whatever is configured.
  const families = reduction.all ? IPV4_UNICAST : familySet;
  const open: OpenFacts = {
    version: 4,
    asn: localAsn,
    holdTime: timers.hold,
    routerId,
    as4: offers(CAPABILITY.as4),
    families,
    routeRefresh: offers(CAPABILITY.routeRefresh),
    enhancedRefresh: offers(CAPABILITY.enhancedRefresh),
    extendedMessages: offers(CAPABILITY.extendedMessages),
    extendedNextHop: of(
      CAPABILITY.extendedNextHop,
      setWhere(neighbor, (family) => family.extendedNextHop),
    ),
    multipleLabels: 0,
    addPathSend: of(
      CAPABILITY.addPath,
      setWhere(neighbor, (family) => family.addPathSend),
    ),
    addPathReceive: of(
      CAPABILITY.addPath,
      setWhere(neighbor, (family) => family.addPathReceive),
    ),
  };
  if (gracefulRestart === undefined || !offers(CAPABILITY.gracefulRestart)) return open;
  const { restartTime, notification } = gracefulRestart;
  const restarts = {
    ...open,
    gracefulRestart: {
      ...{ restarting: restart.restarting, notification, restartTime },
      families: restartTime === 0 ? 0 : families,
      forwarding: restartTime === 0 ? 0 : restart.forwarding & families,
    },
  };
  // RFC 9494 §4.1: never without graceful restart.
  if (longLived === undefined || !offers(CAPABILITY.longLived)) return restarts;
  return {
    ...restarts,
    longLived: familiesOf(families).map((family) => ({
      family,
      forwarding: hasFamily(restart.forwarding, family),
      staleTime: longLived.staleTime,
    })),
  };
}

function asnAllowed(neighbor: ResolvedNeighbor, asn: number): boolean {
  if (asn === 0 || asn === AS_TRANS) return false; // RFC 7607, RFC 6793 §9
  if (neighbor.asn === 'external') return asn !== neighbor.localAsn;
  return typeof neighbor.asn === 'number' ? asn === neighbor.asn : neighbor.asn.includes(asn);
}

/** What forbids a session with the sender of this OPEN (RFC 4271 §6.2). */
function openFault(
  neighbor: ResolvedNeighbor,
  ours: OpenFacts,
  theirs: OpenFacts,
): Notification | undefined {
  if (theirs.version !== 4) {
    const largest = Uint8Array.of(0, 4); // the data says what we speak
    return openError('unsupportedVersion', `version ${theirs.version}`, largest);
  }
  if (!asnAllowed(neighbor, theirs.asn)) return openError('badPeerAs', `AS ${theirs.asn}`);
  // RFC 6286 §2.2: not zero, and of another router than we inside an AS.
  const internal = theirs.asn === ours.asn;
  if (theirs.routerId === 0 || (internal && theirs.routerId === ours.routerId)) {
    return openError('badIdentifier', `identifier ${formatId(theirs.routerId)}`);
  }
  if (theirs.holdTime === 1 || theirs.holdTime === 2) {
    return openError('unacceptableHoldTime', `hold time ${theirs.holdTime}`);
  }
  if ((ours.families & theirs.families) === 0) {
    return openError('unsupportedCapability', 'no address family in common');
  }
  return undefined;
}

function longLivedOf(ours: OpenFacts, theirs: OpenFacts, kept: FamilySet): SessionEnd['longLived'] {
  return (theirs.longLived ?? []).flatMap(({ family, staleTime }) => {
    const own = ours.longLived?.find((entry) => entry.family === family);
    if (own === undefined || !hasFamily(kept, family)) return [];
    // Ours is how long we are willing to keep them.
    return [{ family, seconds: Math.min(staleTime, own.staleTime) }];
  });
}

const familySetOf = (offered: OpenFacts['longLived'] = []): FamilySet =>
  offered.reduce<FamilySet>((set, { family }) => set | (1 << family), 0);

/** What the peer's graceful restart capability comes to (RFC 4724); undefined: not both speak it. */
function restartAgreed(
  peer: OpenFacts['gracefulRestart'],
  families: FamilySet,
): Pick<
  Agreement,
  'restartFamilies' | 'restartTime' | 'forwardingKept' | 'awaitEndOfRib' | 'laterEndOfRib'
> {
  if (peer === undefined) {
    return { restartFamilies: 0, restartTime: 0, forwardingKept: 0, awaitEndOfRib: 0 };
  }
  return {
    restartFamilies: peer.families & families,
    restartTime: peer.restartTime,
    forwardingKept: peer.forwarding & families,
    // Whoever speaks it ends its initial routes with End-of-RIB, restarted or not (§2); but one that has
    // restarted may be waiting for ours, and is not to be waited for (§4.1).
    awaitEndOfRib: peer.restarting ? 0 : families,
    ...(peer.restarting && { laterEndOfRib: families }),
  };
}

/** What two OPENs came to, or the NOTIFICATION that answers the peer's. */
export function negotiate(
  neighbor: ResolvedNeighbor,
  ours: OpenFacts,
  theirs: OpenFacts,
): Agreement | Notification {
  const fault = openFault(neighbor, ours, theirs);
  if (fault !== undefined) return fault;
  const families = ours.families & theirs.families;
  const [own, peer] = [ours.gracefulRestart, theirs.gracefulRestart];
  // RFC 4724 §4.2: only when both speak it; that we restart ourselves is not needed to help.
  const helps = own !== undefined && peer !== undefined;
  const restart = restartAgreed(helps ? peer : undefined, families);
  const kind = theirs.asn === ours.asn ? 'ibgp' : 'ebgp';
  return {
    asn: theirs.asn,
    routerId: theirs.routerId,
    kind,
    holdTime: Math.min(ours.holdTime, theirs.holdTime),
    context: {
      ibgp: kind === 'ibgp',
      as4: ours.as4 && theirs.as4,
      maxMessage: ours.extendedMessages && theirs.extendedMessages ? 65535 : 4096,
      families,
      addPathReceive: ours.addPathReceive & theirs.addPathSend & families,
      addPathSend: ours.addPathSend & theirs.addPathReceive & families,
      extendedNextHop: ours.extendedNextHop & theirs.extendedNextHop & families,
      multipleLabels: ours.multipleLabels & theirs.multipleLabels & families,
    },
    routeRefresh: ours.routeRefresh && theirs.routeRefresh,
    enhancedRefresh: ours.enhancedRefresh && theirs.enhancedRefresh,
    notificationRestart: helps && own.notification && peer.notification,
    ...restart,
    longLived: helps ? longLivedOf(ours, theirs, restart.restartFamilies) : [],
    longLivedOffered: families & familySetOf(theirs.longLived),
  };
}

export const isNotification = (value: Agreement | Notification): value is Notification =>
  'subcode' in value;

/** Cease subcodes that mean the end of forwarding too (RFC 8538 §4). */
const HARD: ReadonlySet<number> = new Set([
  ...[CEASE.maximumPrefixes, CEASE.administrativeShutdown, CEASE.peerDeconfigured],
  ...[CEASE.administrativeReset, CEASE.hardReset, CEASE.bfdDown],
]);

/** The notification as it is sent: with the N bit agreed, those that end forwarding too are wrapped. */
export function asSent(notification: Notification, agreement: Agreement | undefined): Notification {
  const hard = endsForwarding(notification) && notification.subcode !== CEASE.hardReset;
  return hard && agreement?.notificationRestart === true ? hardReset(notification) : notification;
}

const endsForwarding = ({ code, subcode }: Notification): boolean =>
  code === ERROR.cease && HARD.has(subcode);

/** Why a session ended: by a lost connection, or by a NOTIFICATION of either side. */
export type EndCause =
  | { readonly kind: 'lost'; readonly reason: string }
  | { readonly kind: 'sent' | 'received'; readonly notification: Notification };

/** What becomes of the peer's routes (RFC 4724 §4.2, RFC 8538 §4, RFC 9494 §4.2). */
export function sessionEnd(agreement: Agreement, cause: EndCause): SessionEnd {
  const kept =
    cause.kind === 'lost' ||
    // What is received is as the peer wrapped it; what we send is judged before it is wrapped.
    (agreement.notificationRestart &&
      !(cause.kind === 'sent'
        ? endsForwarding(cause.notification)
        : cause.notification.code === ERROR.cease &&
          cause.notification.subcode === CEASE.hardReset));
  const keepStale = kept ? agreement.restartFamilies : 0;
  return {
    keepStale,
    restartTime: keepStale === 0 ? 0 : agreement.restartTime,
    longLived: keepStale === 0 ? [] : agreement.longLived,
    reason: cause.kind === 'lost' ? cause.reason : `${cause.kind}: ${cause.notification.reason}`,
  };
}

/**
 * Which of two connections with the same peer is to stay: that which the speaker with the higher
 * identifier began, of equal identifiers that with the higher AS (RFC 4271 §6.8, RFC 6286 §2.3).
 */
export function survivor(ours: OpenFacts, theirs: Agreement): 'out' | 'in' {
  if (ours.routerId !== theirs.routerId) return ours.routerId > theirs.routerId ? 'out' : 'in';
  return ours.asn > theirs.asn ? 'out' : 'in';
}

/** Of a connection that loses against another. */
export const collision = (): Notification => cease('collisionResolution');

/** Nothing but IPv4 unicast and no other capability is said by none at all (RFC 5492 §3). */
export const isBare = (open: OpenFacts): boolean =>
  open.families === IPV4_UNICAST &&
  !open.as4 &&
  !open.routeRefresh &&
  !open.enhancedRefresh &&
  !open.extendedMessages &&
  open.gracefulRestart === undefined;
