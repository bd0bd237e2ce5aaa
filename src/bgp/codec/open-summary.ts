// SPDX-License-Identifier: Apache-2.0
/** What an OPEN says with its capabilities taken together, and an OPEN that says it. */
import type { AddPathEntry, AfiSafi, Capability, GracefulRestart } from './capabilities.js';
import { familiesOf, familyBit, familyOf, hasFamily } from './families.js';
import { asnOf, type Open, shortAsn } from './open.js';
import { FAMILIES, FAMILY, type FamilyId, type FamilySet } from './types.js';

export interface OpenSummary {
  readonly version: number;
  /** From the four-octet capability when there is one (RFC 6793). */
  readonly asn: number;
  /** Seconds. */
  readonly holdTime: number;
  readonly routerId: number;
  readonly as4: boolean;
  /** Without any multiprotocol capability IPv4 unicast (RFC 4760 §8). */
  readonly families: FamilySet;
  readonly routeRefresh: boolean;
  readonly enhancedRefresh: boolean;
  readonly extendedMessages: boolean;
  /** IPv6 next hops for these IPv4 families (RFC 8950). */
  readonly extendedNextHop: FamilySet;
  /** More than one label (RFC 8277 §2.1). */
  readonly multipleLabels: FamilySet;
  /** What the sender of the OPEN sends and receives (RFC 7911 §4). */
  readonly addPathSend: FamilySet;
  readonly addPathReceive: FamilySet;
  readonly gracefulRestart?: RestartSummary;
  readonly longLived?: readonly LongLivedSummary[];
}

/** RFC 4724 §3, RFC 8538 §2; restartTime in seconds. */
export interface RestartSummary {
  readonly restarting: boolean;
  readonly notification: boolean;
  readonly restartTime: number;
  readonly families: FamilySet;
  readonly forwarding: FamilySet;
}

/** RFC 9494 §3; staleTime in seconds. */
export interface LongLivedSummary {
  readonly family: FamilyId;
  readonly forwarding: boolean;
  readonly staleTime: number;
}

const IPV6 = 2;

/** The families of ours among entries. */
function setOf<Entry extends AfiSafi>(
  entries: readonly Entry[],
  wanted: (entry: Entry) => boolean = () => true,
): FamilySet {
  let set = 0;
  for (const entry of entries) {
    const family = familyOf(entry.afi, entry.safi);
    if (family !== undefined && wanted(entry)) set |= familyBit(family);
  }
  return set;
}

type Kind = Capability['kind'];

/** All capabilities of a kind, in order. */
function allOf<Wanted extends Kind>(
  open: Open,
  kind: Wanted,
): Extract<Capability, { kind: Wanted }>[] {
  return open.capabilities.filter(
    (one): one is Extract<Capability, { kind: Wanted }> => one.kind === kind,
  );
}

export function summarizeOpen(open: Open): OpenSummary {
  const multiprotocol = allOf(open, 'multiprotocol');
  const addPaths = allOf(open, 'addPath').flatMap(({ entries }) => entries);
  const labels = allOf(open, 'multipleLabels').flatMap(({ entries }) => entries);
  const nextHops = allOf(open, 'extendedNextHop').flatMap(({ entries }) => entries);
  const has = (kind: Kind): boolean => open.capabilities.some((one) => one.kind === kind);
  return {
    version: open.version,
    asn: asnOf(open),
    holdTime: open.holdTime,
    routerId: open.routerId,
    as4: has('as4'),
    families: multiprotocol.length === 0 ? familyBit(FAMILY.ipv4Unicast) : setOf(multiprotocol),
    routeRefresh: has('routeRefresh'),
    enhancedRefresh: has('enhancedRefresh'),
    extendedMessages: has('extendedMessages'),
    extendedNextHop: setOf(nextHops, ({ afi, nextHopAfi }) => afi === 1 && nextHopAfi === IPV6),
    // RFC 8277 §2.1: counts of 0 and 1 are to be ignored.
    multipleLabels: setOf(labels, ({ count }) => count > 1),
    addPathSend: setOf(addPaths, ({ send }) => send),
    addPathReceive: setOf(addPaths, ({ receive }) => receive),
    ...restartOf(open),
  };
}

function restartOf(open: Open): Pick<OpenSummary, 'gracefulRestart' | 'longLived'> {
  // RFC 4724 §3: of several the last one counts.
  const restart = allOf(open, 'gracefulRestart').at(-1);
  if (restart === undefined) return {};
  const { restarting, notification, restartTime, entries } = restart;
  const gracefulRestart = {
    ...{ restarting, notification, restartTime },
    families: setOf(entries),
    forwarding: setOf(entries, ({ forwarding }) => forwarding),
  };
  const last = allOf(open, 'longLived').at(-1);
  // RFC 9494 §4.1: without graceful restart it means nothing.
  if (last === undefined) return { gracefulRestart };
  const longLived = last.entries.flatMap(({ afi, safi, forwarding, staleTime }) => {
    const family = familyOf(afi, safi);
    return family === undefined ? [] : [{ family, forwarding, staleTime }];
  });
  return { gracefulRestart, longLived };
}

const numbers = (family: FamilyId): AfiSafi => ({
  afi: FAMILIES[family].afi,
  safi: FAMILIES[family].safi,
});

/**
 * The OPEN that says this, followed by `more` capabilities. `bare`: without any capability, for peers that
 * refuse them (RFC 5492 §3).
 */
export function openFrom(
  summary: OpenSummary,
  more: readonly Capability[] = [],
  bare = false,
): Open {
  return {
    version: 4,
    asn2: shortAsn(summary.asn),
    holdTime: summary.holdTime,
    routerId: summary.routerId,
    capabilities: bare ? [] : [...capabilitiesOf(summary), ...more],
  };
}

function capabilitiesOf(summary: OpenSummary): Capability[] {
  const { families, addPathSend, addPathReceive, extendedNextHop, multipleLabels } = summary;
  const list: Capability[] = familiesOf(families).map((family) => ({
    kind: 'multiprotocol',
    ...numbers(family),
  }));
  if (summary.routeRefresh) list.push({ kind: 'routeRefresh' });
  if (extendedNextHop !== 0) {
    const entries = familiesOf(extendedNextHop).map((family) => ({
      ...numbers(family),
      nextHopAfi: IPV6,
    }));
    list.push({ kind: 'extendedNextHop', entries });
  }
  if (summary.extendedMessages) list.push({ kind: 'extendedMessages' });
  if (multipleLabels !== 0) {
    const entries = familiesOf(multipleLabels).map((family) => ({ ...numbers(family), count: 8 }));
    list.push({ kind: 'multipleLabels', entries });
  }
  if (summary.gracefulRestart !== undefined) list.push(restartCapability(summary.gracefulRestart));
  if (summary.as4) list.push({ kind: 'as4', asn: summary.asn });
  if ((addPathSend | addPathReceive) !== 0) {
    const entries = familiesOf(addPathSend | addPathReceive).map((family): AddPathEntry => ({
      ...numbers(family),
      send: hasFamily(addPathSend, family),
      receive: hasFamily(addPathReceive, family),
    }));
    list.push({ kind: 'addPath', entries });
  }
  if (summary.enhancedRefresh) list.push({ kind: 'enhancedRefresh' });
  if (summary.longLived !== undefined) {
    const entries = summary.longLived.map(({ family, forwarding, staleTime }) => ({
      ...numbers(family),
      forwarding,
      staleTime,
    }));
    list.push({ kind: 'longLived', entries });
  }
  return list;
}

function restartCapability(restart: RestartSummary): GracefulRestart {
  const { restarting, notification, restartTime, families, forwarding } = restart;
  const entries = familiesOf(families).map((family) => ({
    ...numbers(family),
    forwarding: hasFamily(forwarding, family),
  }));
  return { kind: 'gracefulRestart', restarting, notification, restartTime, entries };
}
