// SPDX-License-Identifier: Apache-2.0
/** A member of an update group: where it is in the group's log, and what of a batch is for it. */
import { encodeRouteRefresh } from '../codec/route-refresh.js';
import type { FamilyId, UpdateContext } from '../codec/types.js';
import { UpdateWriter } from '../codec/update-writer.js';
import type { AttributeStore } from './attribute-store.js';
import type { OutBatch, Part } from './out-batch.js';
import { CHANGED, type NodeId, type OutLog, SOURCE_CHANGED } from './out-log.js';
import type { Peer } from './peers.js';
import type { Membership } from './route-targets.js';

export interface Member {
  /** undefined: it has left; its place is walked to the end, so that what waits for it is let go. */
  peer: Peer | undefined;
  readonly position: NodeId;
  /** Up to here it is told again what it may have been told before; 0: it is told changes. */
  resume: NodeId;
  blocked: boolean;
  nextRound: number;
  /** What is to be sent when it has been told everything. */
  ending: 'end-of-rib' | 'end-of-refresh' | undefined;
  /** Telling has begun. */
  started: boolean;
  /** What it wanted when it was told what lies before `resume`: it is told the difference. */
  before: Membership | undefined;
  /** It may have been told anything of what lies before `resume`: what it does not want is withdrawn. */
  blind: boolean;
  /** Not to be told anything for now: it comes from another group and what that told it is worked out. */
  held: boolean;
}

/** One that begins: it is told everything, and then that this was all. */
export const newMember = (peer: Peer, position: NodeId, resume: NodeId): Member => ({
  peer,
  position,
  resume,
  blocked: false,
  nextRound: 0,
  ending: 'end-of-rib',
  started: false,
  before: undefined,
  blind: false,
  held: false,
});

/** Starts a member over; what it has been told so far it is known to have been told. */
export function startOver(log: OutLog, member: Member): void {
  if (member.resume === 0) {
    member.resume = log.newMarker();
    log.moveBehind(member.resume, member.position);
  }
  log.moveToFront(member.position);
}

/** One that was told again has come to where it was: from here on it is told changes. */
export function goOn(log: OutLog, member: Member): void {
  log.moveBehind(member.position, member.resume);
  log.freeMarker(member.resume);
  member.resume = 0;
  member.before = undefined;
  member.blind = false;
}

/** Gives up its place. */
export function freeMember(log: OutLog, member: Member): void {
  log.freeMarker(member.position);
  if (member.resume !== 0) log.freeMarker(member.resume);
  member.resume = 0;
}

/** Whether what the one is told at a place is what the other is told there. */
export const isAlike = (one: Member, other: Member): boolean =>
  (one.resume === 0) === (other.resume === 0) &&
  one.before === undefined &&
  other.before === undefined &&
  !one.blind &&
  !other.blind;

interface Selection {
  readonly parts: ReadonlySet<Part>;
  /** Routes of parts that are not for it, of which it may have been told before. */
  readonly withdrawn: readonly NodeId[];
}

/** What of a batch is for a member: nothing of its own routes, of VPN routes those it wants. */
export function partsFor(
  member: Member,
  peer: Peer,
  around: {
    readonly batch: OutBatch;
    /** It is told changes, as opposed to being told again. */
    readonly telling: boolean;
    /** undefined: it wants everything. */
    readonly membership: Membership | undefined;
    readonly log: OutLog;
    readonly attributes: AttributeStore;
  },
): Selection {
  const { telling, membership, log, attributes } = around;
  const { before, blind } = member;
  const parts = new Set<Part>();
  const withdrawn: NodeId[] = [];
  const collect = (part: Part, flag: number): void => {
    for (const entry of part.entries) if (log.has(entry, flag)) withdrawn.push(entry);
  };
  for (const part of around.batch.parts) {
    const wants = membership?.wants(attributes, part.set) ?? true;
    if (part.source === peer.id) {
      if (telling) collect(part, SOURCE_CHANGED);
      else if (blind) withdrawn.push(...part.entries);
    } else if (!telling && before !== undefined) {
      const had = before.wants(attributes, part.set);
      if (had && !wants) withdrawn.push(...part.entries);
      if (wants && !had) parts.add(part);
    } else if (wants) parts.add(part);
    else if (telling) collect(part, CHANGED);
    else if (blind) withdrawn.push(...part.entries);
  }
  return { parts, withdrawn };
}

/** The message that says that this was all. */
export function endOf(
  ending: 'end-of-rib' | 'end-of-refresh',
  family: FamilyId,
  context: UpdateContext,
): Uint8Array {
  if (ending === 'end-of-refresh') return encodeRouteRefresh(family, 2);
  const writer = new UpdateWriter(context, 64);
  writer.endOfRib(family);
  return writer.take();
}
