// SPDX-License-Identifier: Apache-2.0
/**
 * How export rules pass from one class to another (policy-model 5, 24). Pure: states in, states out; what is
 * kept on disk is exactly this, so that a supervisor that is started again goes on where the last one was.
 *
 *   new class ⊇ what the label accepts    ──────────────────────────────┐
 *                                                                       ▼
 *   anything else ──► announce ──(announce seconds)──► switch: a label of the new class alone
 *                                                                       │ told to everybody
 *                                                                       ▼
 *                                      grace: the old label still accepts what it did ──► gone, quarantine
 *
 * While a change is announced the label told accepts old and new: the old label itself when it does (one
 * exported without protection accepts IPsec unasked), else one of its own that means both. So a label's
 * protection never changes in place, and that of the new class never accepts anything else.
 */
import type { Encapsulation, ExportClass, Protection } from '../config/types.js';
import type { AcceptSet } from '../forwarding/addon/api.js';
import { covers, parsePrefix } from '../lib/ip.js';
import { acceptsAll, acceptSetOf, type TablesOfSps, unionOf } from './accept.js';
import type { SpTables } from './sp-tables.js';

/** What the arrivals of a label may be: those of any of the classes. Never empty. */
export type Classes = readonly ExportClass[];

/** A class that packets may still come by, though nobody is told so any more. */
export interface Leaving {
  readonly classes: Classes;
  /** Of the rule at that time; absent: every prefix of the VRF. */
  readonly prefixes?: readonly string[];
  /** Seconds since 1970 at which it was told no more. */
  readonly since: number;
  /** At which it goes; absent: not everybody has been told yet. */
  readonly until?: number;
}

export interface ExportState {
  /** As configured. */
  readonly target: ExportClass;
  readonly prefixes?: readonly string[];
  /** Of the label that is told. */
  readonly classes: Classes;
  /** A change to `target` is announced until then, seconds since 1970. */
  readonly announcing?: number;
  readonly leaving: readonly Leaving[];
}

/** By VRF and name of the rule. */
export type ExportStates = Readonly<Record<string, Readonly<Record<string, ExportState>>>>;
export const NO_EXPORT_STATES: ExportStates = {};

/** Seconds. */
export interface Timing {
  readonly announce: number;
  readonly grace: number;
}
export const DEFAULT_TIMING: Timing = { announce: 30, grace: 60 };
/** A neighbour that does not take what it is to be told holds the grace time up for so long, seconds. */
export const TELLING = 60;

export interface ExportWish {
  readonly class: ExportClass;
  readonly prefixes: readonly string[] | undefined;
}

const sorted = <T extends string>(list: Iterable<T>): T[] => [...new Set(list)].sort();

/** One spelling for each class: what the state directory has, and nothing of the rule around it. */
export function canonicalClass(from: ExportClass, own: string): ExportClass {
  return {
    protections: sorted<Protection>(from.protections),
    encapsulations: sorted(from.encapsulations ?? ['gre', 'ip']),
    toSps: sorted(from.toSps ?? [own]),
    ...(from.clearInsideOwnSp === true && { clearInsideOwnSp: true }),
  };
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** What the label of these classes accepts. */
export const acceptOfClasses = (classes: Classes, sps: TablesOfSps): AcceptSet =>
  unionOf(classes.map((one) => acceptSetOf(one, sps)));

/** Without those that add nothing: a change made over and over again does not make it longer. */
function withoutCovered(classes: Classes, sps: SpTables): Classes {
  const kept: ExportClass[] = [];
  for (const one of [...classes].reverse()) {
    const isCovered = acceptsAll(acceptOfClasses(kept, sps), acceptSetOf(one, sps));
    if (!isCovered) kept.unshift(one);
  }
  return kept;
}

/** Whether every prefix of `inner` is one of `outer`, or inside of one. */
function coversAll(
  outer: readonly string[] | undefined,
  inner: readonly string[] | undefined,
): boolean {
  if (outer === undefined) return true;
  if (inner === undefined) return false;
  const around = outer.flatMap((text) => parsePrefix(text) ?? []);
  return inner.every((text) => {
    const prefix = parsePrefix(text);
    return prefix !== undefined && around.some((one) => covers(one, prefix));
  });
}

/** The label of these classes is told no more. */
function leave(state: ExportState, now: number): Leaving {
  const { classes, prefixes } = state;
  return { classes, ...(prefixes && { prefixes }), since: now };
}

/** What leaves, without what is told (again). */
const tidy = (
  leaving: readonly Leaving[],
  now: Pick<ExportState, 'classes' | 'prefixes'>,
): readonly Leaving[] =>
  leaving.filter(
    (one, i) =>
      !(same(one.classes, now.classes) && same(one.prefixes, now.prefixes)) &&
      // Of what left twice the later counts.
      !leaving.some(
        (other, j) =>
          j > i && same(other.classes, one.classes) && same(other.prefixes, one.prefixes),
      ),
  );

/**
 * Where encapsulations change too, no community names old and new pairs and nothing else. As long as the change is
 * announced packets may come protected as of then, and encapsulated as before.
 */
function bridge(before: Classes, target: ExportClass, sps: SpTables): Classes {
  const protections = target.protections.filter(
    (one) => one === 'encrypt' || one === 'authenticate',
  );
  const encapsulations = sorted(
    before.flatMap((one): readonly Encapsulation[] => one.encapsulations ?? ['gre', 'ip']),
  );
  const known = new Set(before.flatMap(({ toSps = [sps.own] }) => toSps));
  const toSps = (target.toSps ?? [sps.own]).filter((sp) => known.has(sp));
  if (protections.length === 0 || toSps.length === 0) return [];
  const between: ExportClass = { protections, encapsulations, toSps };
  const live = acceptOfClasses(before, sps);
  return acceptsAll(live, acceptSetOf(between, sps)) ? [] : [between];
}

/** The rule as it is told when it is new, or when what was before need not be kept. */
export function settled(wish: ExportWish, own: string): ExportState {
  const target = canonicalClass(wish.class, own);
  const { prefixes } = wish;
  return { target, ...(prefixes && { prefixes }), classes: [target], leaving: [] };
}

/** `now`: seconds since 1970. */
export function followRule(
  before: ExportState | undefined,
  wish: ExportWish,
  sps: SpTables,
  now: number,
  timing: Timing,
): ExportState {
  const wanted = settled(wish, sps.own);
  if (before === undefined) return wanted;
  const { prefixes, target } = wanted;
  const moved = coversAll(prefixes, before.prefixes) ? [] : [leave(before, now)];
  const base = { target, ...(prefixes && { prefixes }) };
  if (same(target, before.target)) {
    const { classes, announcing } = before;
    const leaving = tidy([...before.leaving, ...moved], { ...base, classes });
    return { ...base, classes, ...(announcing !== undefined && { announcing }), leaving };
  }
  const live = acceptOfClasses(before.classes, sps);
  const wider = acceptsAll(acceptSetOf(target, sps), live);
  if (wider || timing.announce === 0) {
    const classes = [target];
    const leaving = tidy([...before.leaving, leave(before, now)], { ...base, classes });
    return { ...base, classes, leaving };
  }
  const announcing = now + timing.announce;
  if (acceptsAll(live, acceptSetOf(target, sps))) {
    const { classes } = before;
    const leaving = tidy([...before.leaving, ...moved], { ...base, classes });
    return { ...base, classes, announcing, leaving };
  }
  const classes = withoutCovered(
    [...before.classes, ...bridge(before.classes, target, sps), target],
    sps,
  );
  const leaving = tidy([...before.leaving, leave(before, now)], { ...base, classes });
  return { ...base, classes, announcing, leaving };
}

/**
 * What time does to a rule. `told`: every neighbour has been sent what it is to be sent. The same state when
 * nothing has changed.
 */
export function tickRule(
  state: ExportState,
  now: number,
  told: boolean,
  timing: Timing,
): ExportState {
  const { announcing, ...rest } = state;
  // A clock that was set back makes no step longer than it was to be.
  if (announcing !== undefined && announcing - now > timing.announce) {
    return { ...state, announcing: now + timing.announce };
  }
  if (announcing !== undefined && announcing <= now) {
    const classes = [state.target];
    const leaving = tidy([...state.leaving, leave(state, now)], { ...rest, classes });
    return { ...rest, classes, leaving };
  }
  const leaving = state.leaving.flatMap((one): Leaving[] => {
    const due = dueOf(one, now, told, timing);
    if (due !== undefined && due <= now) return [];
    return [due === one.until || due === undefined ? one : { ...one, until: due }];
  });
  return same(leaving, state.leaving) ? state : { ...state, leaving };
}

/** When what is told no more goes, s; undefined: that is not known before everybody has been told. */
export function dueOf(
  { since, until }: Pick<Leaving, 'since' | 'until'>,
  now: number,
  told: boolean,
  { grace }: Timing,
): number | undefined {
  const latest = Math.min(since, now) + TELLING + grace;
  if (until !== undefined) return Math.min(until, now + grace, latest);
  if (told) return Math.min(now + grace, latest);
  return now >= since + TELLING || since > now ? Math.min(latest, now + grace) : undefined;
}

/** Nothing of before is kept any more: loss rather than clear text. */
export function endRule({ announcing: _, ...state }: ExportState): ExportState {
  return { ...state, classes: [state.target], leaving: [] };
}

export const isChanging = ({ announcing, leaving }: ExportState): boolean =>
  announcing !== undefined || leaving.length > 0;
