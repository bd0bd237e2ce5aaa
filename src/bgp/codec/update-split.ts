// SPDX-License-Identifier: Apache-2.0
/**
 * UPDATE, behind the header (RFC 4271 §4.3):
 *
 *     +-----------------------------------------------------+
 *     |   Withdrawn Routes Length (2 octets)                |
 *     |   Withdrawn Routes (variable)                       |
 *     |   Total Path Attribute Length (2 octets)            |
 *     |   Path Attributes (variable)                        |
 *     |   Network Layer Reachability Information (variable) |
 *     +-----------------------------------------------------+
 *
 * and of the multiprotocol attributes (RFC 4760 §3, §4):
 *
 *     MP_REACH_NLRI     | AFI 2 | SAFI 1 | next hop length 1 | next hop | reserved 1 | NLRI ... |
 *     MP_UNREACH_NLRI   | AFI 2 | SAFI 1 | NLRI ... |
 *
 * The splitter walks the list of attributes once, looks into these two alone, and copies nothing.
 */
import { scanAttributes } from './attributes/scan.js';
import { FLAG, newAttributeScan, TYPE } from './attributes/types.js';
import { headLength, valueLength } from './attributes/walk.js';
import { hex, u16, u8 } from './bytes.js';
import { describeFamily, familyOf, hasFamily } from './families.js';
import { nextHopAgreed, nextHopLayout } from './next-hop.js';
import { updateError } from './notification.js';
import {
  type AttributeFault,
  FAMILY,
  type FamilyId,
  NLRI_MODE,
  type NlriMode,
  type NlriRun,
  type Notification,
  type UpdateContext,
  type UpdateSplit,
} from './types.js';

const NO_FAULTS: readonly AttributeFault[] = [];

const newRun = (classic: boolean): NlriRun => ({
  family: FAMILY.ipv4Unicast,
  start: 0,
  end: 0,
  mode: 0,
  classic,
});

/** One list for each combination of its two runs, so that none has to be made per message. */
class RunLists {
  readonly classic = newRun(true);
  readonly multiprotocol = newRun(false);
  private readonly lists: readonly (readonly NlriRun[])[] = [
    [],
    [this.classic],
    [this.multiprotocol],
    [this.classic, this.multiprotocol],
  ];
  private used = 0;

  reset(): void {
    this.used = 0;
  }

  set(which: 'classic' | 'multiprotocol', family: FamilyId, mode: NlriMode): NlriRun {
    this.used |= which === 'classic' ? 1 : 2;
    const run = this[which];
    run.family = family;
    run.mode = mode;
    return run;
  }

  get list(): readonly NlriRun[] {
    return this.lists[this.used] ?? [];
  }
}

class Split implements UpdateSplit {
  bytes: Uint8Array = new Uint8Array(0);
  readonly withdrawnRuns = new RunLists();
  readonly announcedRuns = new RunLists();
  withdrawn: readonly NlriRun[] = [];
  announced: readonly NlriRun[] = [];
  endOfRib: FamilyId | -1 = -1;
  attributesStart = 0;
  attributesEnd = 0;
  reachNlriStart = 0;
  reachNlriEnd = 0;
  unreachStart = 0;
  unreachEnd = 0;
  faults: readonly AttributeFault[] = NO_FAULTS;
  /** Of the value of MP_UNREACH_NLRI. */
  unreachValue = 0;
  reachSeen = false;
  unreachSeen = false;

  reset(bytes: Uint8Array, attributesStart: number, attributesEnd: number): void {
    this.bytes = bytes;
    this.withdrawnRuns.reset();
    this.announcedRuns.reset();
    this.endOfRib = -1;
    this.attributesStart = attributesStart;
    this.attributesEnd = attributesEnd;
    this.reachNlriStart = attributesEnd;
    this.reachNlriEnd = attributesEnd;
    this.unreachStart = attributesEnd;
    this.unreachEnd = attributesEnd;
    this.faults = NO_FAULTS;
    this.reachSeen = false;
    this.unreachSeen = false;
  }

  fault(severity: 'withdraw' | 'discard', type: number, notification: Notification): void {
    this.faults = [...this.faults, { severity, type, notification }];
  }
}

const reused = new Split();

/**
 * Splits the body of an UPDATE, bytes[start..end). Writes to `bytes`: the length octets of MP_REACH_NLRI
 * become those without NLRI (see UpdateSplit), so the same octets cannot be split twice. The answer is one
 * object, filled anew by each call. A Notification: the session must be reset (RFC 7606 §3 a, g, j).
 * NLRI are not read: nlri/reader.ts does, and finds its own faults.
 */
export function splitUpdate(
  bytes: Uint8Array,
  start: number,
  end: number,
  context: UpdateContext,
): UpdateSplit | Notification {
  const withdrawnEnd = start + 2 + (end - start >= 2 ? u16(bytes, start) : 0);
  if (end - start < 4 || end - withdrawnEnd < 2) {
    return updateError('malformedAttributeList', 'Withdrawn Routes Length exceeds the message');
  }
  const attributesStart = withdrawnEnd + 2;
  const attributesEnd = attributesStart + u16(bytes, withdrawnEnd);
  if (attributesEnd > end) {
    return updateError('malformedAttributeList', 'Total Attribute Length exceeds the message');
  }
  const split = reused;
  split.reset(bytes, attributesStart, attributesEnd);
  classicRuns(split, start + 2, end, context);
  const fault = walk(split, context);
  if (fault !== undefined) return fault;
  split.withdrawn = split.withdrawnRuns.list;
  split.announced = split.announcedRuns.list;
  if (end - start === 4) split.endOfRib = FAMILY.ipv4Unicast;
  return routelessFault(split, context) ?? split;
}

/** Whether splitUpdate answered with what to close the session with. */
export const isNotification = (answer: UpdateSplit | Notification): answer is Notification =>
  'subcode' in answer;

function modeOf(family: FamilyId, context: UpdateContext, withdrawn: boolean): NlriMode {
  const stack = context.multipleLabels !== undefined && hasFamily(context.multipleLabels, family);
  return (
    (hasFamily(context.addPathReceive, family) ? NLRI_MODE.addPath : 0) |
    (stack ? NLRI_MODE.labelStack : 0) |
    (withdrawn ? NLRI_MODE.withdrawn : 0)
  );
}

function classicRuns(
  split: Split,
  withdrawnStart: number,
  end: number,
  context: UpdateContext,
): void {
  const family = FAMILY.ipv4Unicast;
  const withdrawnEnd = split.attributesStart - 2;
  const nlriStart = split.attributesEnd;
  if (withdrawnEnd === withdrawnStart && end === nlriStart) return;
  if (!hasFamily(context.families, family)) {
    const words = 'IPv4 unicast routes, which were not negotiated';
    split.fault('discard', 0, updateError('malformedAttributeList', words));
    return;
  }
  if (withdrawnEnd > withdrawnStart) {
    const run = split.withdrawnRuns.set('classic', family, modeOf(family, context, true));
    run.start = withdrawnStart;
    run.end = withdrawnEnd;
  }
  if (end > nlriStart) {
    const run = split.announcedRuns.set('classic', family, modeOf(family, context, false));
    run.start = nlriStart;
    run.end = end;
  }
}

/** Walks the list of attributes; RFC 7606 §4 for lists that do not fit their length. */
function walk(split: Split, context: UpdateContext): Notification | undefined {
  const { bytes, attributesStart, attributesEnd } = split;
  let at = attributesStart;
  while (at < attributesEnd) {
    const head = headLength(bytes, at, attributesEnd);
    if (head === 0) {
      listFault(split, at, 'fewer octets left than an attribute has');
      return undefined;
    }
    const type = u8(bytes, at + 1);
    const next = at + head + valueLength(bytes, at, head);
    if (next > attributesEnd) {
      // The NLRI inside a cut-off multiprotocol attribute cannot be trusted: RFC 7606 §5.3, §3 j.
      if (type === TYPE.mpReach || type === TYPE.mpUnreach) {
        return multiprotocolFault(bytes, at, attributesEnd, 'exceeds the attribute list');
      }
      listFault(split, at, `the length of attribute ${type} exceeds the attribute list`);
      return undefined;
    }
    if (type === TYPE.mpReach || type === TYPE.mpUnreach) {
      const fault = multiprotocol(split, at, at + head, next, context);
      if (fault !== undefined) return fault;
    }
    at = next;
  }
  return undefined;
}

/**
 * RFC 7606 §5.2: with attributes but no routes, a malformed attribute may hide MP_REACH_NLRI, and the
 * session must be reset. What only costs the attribute is no matter. Rare: no list is copied for others.
 */
function routelessFault(split: Split, context: UpdateContext): Notification | undefined {
  const length = attributesLength(split);
  if (split.announced.length > 0 || split.reachSeen || length === 0) return undefined;
  const octets = new Uint8Array(length);
  copyAttributes(split, octets, 0);
  const environment = { context, classic: false, routeless: true } as const;
  const faults = [
    ...split.faults,
    ...scanAttributes(octets, 0, length, environment, routelessScan),
  ];
  return faults.find(({ severity }) => severity !== 'discard')?.notification;
}

const routelessScan = newAttributeScan();

/** RFC 7606 §4: routes of such an UPDATE are withdrawn. */
function listFault(split: Split, at: number, words: string): void {
  const octets = split.bytes.slice(at, split.attributesEnd);
  const reason = `malformed attribute list: ${words} (${hex(octets)})`;
  split.fault('withdraw', u8(octets, 1), updateError('malformedAttributeList', reason, octets));
}

function multiprotocolFault(
  bytes: Uint8Array,
  at: number,
  end: number,
  words: string,
): Notification {
  const name = u8(bytes, at + 1) === TYPE.mpReach ? 'MP_REACH_NLRI' : 'MP_UNREACH_NLRI';
  const octets = bytes.slice(at, end);
  return updateError('optionalAttribute', `${name} ${words} (${hex(octets)})`, octets);
}

/** MP_REACH_NLRI or MP_UNREACH_NLRI at bytes[at..next), its value from `value` on. */
function multiprotocol(
  split: Split,
  at: number,
  value: number,
  next: number,
  context: UpdateContext,
): Notification | undefined {
  const { bytes } = split;
  const reach = u8(bytes, at + 1) === TYPE.mpReach;
  if (reach ? split.reachSeen : split.unreachSeen) {
    const type = reach ? 'MP_REACH_NLRI' : 'MP_UNREACH_NLRI';
    return updateError('malformedAttributeList', `${type} appears twice`);
  }
  if ((u8(bytes, at) & (FLAG.optional | FLAG.transitive)) !== FLAG.optional) {
    return multiprotocolFault(bytes, at, next, 'is not optional non-transitive');
  }
  if (next - value < (reach ? 5 : 3)) {
    return multiprotocolFault(bytes, at, next, 'is too short');
  }
  if (reach) {
    split.reachSeen = true;
    return reachAttribute(split, at, value, next, context);
  }
  split.unreachSeen = true;
  unreachAttribute(split, at, value, next, context);
  return undefined;
}

function reachAttribute(
  split: Split,
  at: number,
  value: number,
  next: number,
  context: UpdateContext,
): Notification | undefined {
  const { bytes } = split;
  const nextHopLength = u8(bytes, value + 3);
  const nlri = value + 4 + nextHopLength + 1;
  if (nlri > next) return multiprotocolFault(bytes, at, next, 'ends within its next hop');
  split.reachNlriStart = nlri;
  split.reachNlriEnd = next;
  setLength(bytes, at, value, nlri - value);
  const family = familyOf(u16(bytes, value), u8(bytes, value + 2));
  if (family === undefined || !hasFamily(context.families, family)) {
    notNegotiated(split, TYPE.mpReach, value);
    return undefined;
  }
  const layout = nextHopLayout(family, nextHopLength);
  if (layout === undefined) {
    const words = `has a next hop of ${nextHopLength} octets`;
    return multiprotocolFault(bytes, at, nlri, words);
  }
  if (nlri === next) return undefined;
  const run = split.announcedRuns.set('multiprotocol', family, modeOf(family, context, false));
  run.start = nlri;
  run.end = next;
  if (!nextHopAgreed(family, layout.size, context)) {
    const reason = 'MP_REACH_NLRI has an IPv6 next hop for IPv4 without RFC 8950';
    split.fault('withdraw', TYPE.mpReach, updateError('optionalAttribute', reason));
  }
  return undefined;
}

function unreachAttribute(
  split: Split,
  at: number,
  value: number,
  next: number,
  context: UpdateContext,
): void {
  const { bytes } = split;
  split.unreachStart = at;
  split.unreachEnd = next;
  const family = familyOf(u16(bytes, value), u8(bytes, value + 2));
  if (family === undefined || !hasFamily(context.families, family)) {
    notNegotiated(split, TYPE.mpUnreach, value);
    return;
  }
  const nlri = value + 3;
  if (nlri === next) {
    // RFC 4724 §2: an UPDATE with nothing else in it.
    const alone = at === split.attributesStart && next === split.attributesEnd;
    if (alone && split.withdrawnRuns.list.length + split.announcedRuns.list.length === 0) {
      split.endOfRib = family;
    }
    return;
  }
  const run = split.withdrawnRuns.set('multiprotocol', family, modeOf(family, context, true));
  run.start = nlri;
  run.end = next;
}

/** Such routes are not for us and not understood to be ours to keep: they are left out, counted and shown. */
function notNegotiated(split: Split, type: number, value: number): void {
  const { bytes } = split;
  const name = describeFamily(u16(bytes, value), u8(bytes, value + 2));
  const reason = `routes of ${name}, which was not negotiated`;
  split.fault('discard', type, updateError('optionalAttribute', reason));
}

/** Writes the length of the attribute whose value begins at `value`, in as many octets as it has. */
function setLength(bytes: Uint8Array, at: number, value: number, length: number): void {
  if (value - at === 4) bytes[at + 2] = length >>> 8;
  bytes[value - 1] = length;
}

/** Octets of the attributes without NLRI: what copyAttributes writes. */
export function attributesLength(split: UpdateSplit): number {
  return (
    split.attributesEnd -
    split.attributesStart -
    (split.reachNlriEnd - split.reachNlriStart) -
    (split.unreachEnd - split.unreachStart)
  );
}

/**
 * Copies the attributes without NLRI and without MP_UNREACH_NLRI to target[at..): equal for UPDATEs that
 * differ in NLRI alone, and a well-formed list of attributes for scanAttributes. Returns the offset behind.
 */
export function copyAttributes(split: UpdateSplit, target: Uint8Array, at: number): number {
  const { bytes, attributesStart, attributesEnd } = split;
  const { reachNlriStart, reachNlriEnd, unreachStart, unreachEnd } = split;
  const reachFirst = reachNlriStart <= unreachStart;
  const firstStart = reachFirst ? reachNlriStart : unreachStart;
  const firstEnd = reachFirst ? reachNlriEnd : unreachEnd;
  const secondStart = reachFirst ? unreachStart : reachNlriStart;
  const secondEnd = reachFirst ? unreachEnd : reachNlriEnd;
  let out = copyRange(bytes, attributesStart, firstStart, target, at);
  out = copyRange(bytes, firstEnd, secondStart, target, out);
  return copyRange(bytes, secondEnd, attributesEnd, target, out);
}

function copyRange(
  from: Uint8Array,
  start: number,
  end: number,
  to: Uint8Array,
  at: number,
): number {
  for (let i = start; i < end; i++) to[at + i - start] = from[i] ?? 0;
  return at + Math.max(0, end - start);
}
