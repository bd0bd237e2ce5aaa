// SPDX-License-Identifier: Apache-2.0
/**
 * Labels that come and go with routes: per CE and per prefix (policy-model 1, 5), and those that are swapped for others'
 * (RFC 4364 §10 b).
 *
 *   asked for ──► on disk ──► row in the tables ──► advertised ──► withdrawn everywhere
 *      │ 'later'                   │ asked again: the value            │ after a while
 *      └───────────────────────────┘                    row cleared, quarantine, free again
 *
 * A value is on disk before its row is there, and its row is there before a route with it is told: whoever
 * asks too early is told 'later' and asked to ask again. What is asked for in one turn of the event loop, or
 * while the disk works, is one write. A value in quarantine comes back at once for the meaning it had.
 *
 * After a restart the values of before wait for their routes until {@link RouteLabels.settled}.
 */
import type { Clock, Scheduler } from '../bgp/rib/api.js';
import type { GatewayModel } from '../forwarding/model.js';
import { adjacency } from '../forwarding/names.js';
import { acceptKey } from '../forwarding/rows.js';
import type { Logger } from '../lib/log.js';
import { EndingLabels, securedOnly, swapClassOf } from './ending-labels.js';
import type { Timing } from './export-changes.js';
import type { Meaning, RouteLabelRegister } from './label-register.js';
import {
  keyOf,
  leadsAlike,
  rowOf,
  type LabelAnswer,
  type LabelledRoute,
  type LabelRefusal,
  type LabelSource,
  type LabelWish,
  type RouteLabelRow,
} from './label-wish.js';
import { type LabelJournal, LabelWriter } from './label-writer.js';
import { RefusedRoutes } from './refused-labels.js';

/** How long a row stays after its last route was withdrawn: others are still to hear of that, ms. */
export const LINGER_MS = 10_000;
const TICK_MS = 1_000;

/** The end of the words for a label of routes: VRF, and the classes it is exported by. */
export const labelClass = (vrf: string, classes: string): string => `of VRF ${vrf}, ${classes}`;

/** What {@link labelClass} was for the meaning; undefined: it is not such a one. */
function classOf({ text }: Meaning): string | undefined {
  const at = text.indexOf(' of VRF ');
  return at < 0 ? undefined : text.slice(at + 1);
}

export interface RouteLabelPorts {
  readonly register: RouteLabelRegister;
  readonly journal: LabelJournal;
  readonly scheduler: Scheduler;
  /** Monotonic. */
  readonly clock: Clock;
  /** Seconds since 1970. */
  readonly epoch: () => number;
  /** Seconds for which a value that is freed now keeps its meaning. */
  readonly quarantine: () => number;
  readonly log: Logger;
  /** Puts rows into the tables, or changes where they lead. */
  readonly set: (rows: readonly RouteLabelRow[]) => void;
  readonly clear: (label: number) => void;
  /** Labels below this will be used. */
  readonly reserve: (labels: number) => void;
}

/** Who asks for labels. */
export interface LabelUser {
  /** The answer for these routes may be another now. */
  askAgain(routes: readonly LabelledRoute[]): void;
  /** Everything that was to be told has been. */
  readonly quiet: boolean;
  /** Nor is anybody away who may go by what it heard before. */
  readonly told: boolean;
  /** {@link RouteLabels.gateways} are others now. */
  gatewaysChanged(): void;
}

interface Label {
  readonly meaning: Meaning;
  /** undefined: of before a restart, and not asked for since. */
  wish: LabelWish | undefined;
  readonly rules: Set<string>;
  /** On disk, and its row is in the tables. */
  ready: boolean;
  /** Routes exported with it. */
  routes: number;
  /** Asked for it too early. */
  readonly waiting: Map<string, LabelledRoute>;
  idleSince: number;
}

export class RouteLabels {
  readonly #ports: RouteLabelPorts;
  readonly #labels = new Map<number, Label>();
  /** Ready and without route, the longest so in front. */
  readonly #idle = new Set<Label>();
  readonly #refused: RefusedRoutes;
  readonly #writer: LabelWriter<Label>;
  #user: LabelUser | undefined;
  #settled = false;
  #closed = false;
  #tick: (() => void) | undefined;
  #highest = -1;
  readonly #ending = new EndingLabels<Label>();
  /** Routes that still have a value which was taken from them. */
  readonly #orphans = new Map<number, number>();
  /** Classes that were told until lately: see {@link RouteLabels.keepClasses}. */
  #leaving: ReadonlySet<string> = new Set();

  constructor(ports: RouteLabelPorts) {
    this.#ports = ports;
    const { journal, register, scheduler, log } = ports;
    this.#refused = new RefusedRoutes(log);
    this.#writer = new LabelWriter({
      ...{ journal, register, scheduler, log },
      written: (labels) => {
        this.#publish(labels);
      },
    });
    for (const meaning of register.all()) {
      if (meaning.freedAt === undefined) this.#add(meaning, true);
    }
    this.#watch();
  }

  /** Values in use. */
  get live(): number {
    return this.#labels.size;
  }
  /** How many routes are not exported because there is no value for them: in words, a line for each cause. */
  get starvingWords(): readonly string[] {
    return this.#refused.words;
  }
  /** The largest value in use so far; -1: none. */
  get highest(): number {
    return this.#highest;
  }

  /** Who uses the labels from now on; routes that another user had do not count any more. */
  serve(user: LabelUser | undefined): void {
    this.#user = user;
    this.#settled = false;
    this.#idle.clear();
    this.#refused.clear();
    this.#orphans.clear();
    for (const label of this.#labels.values()) {
      label.routes = 0;
      label.waiting.clear();
    }
  }

  // ---- What the plan of a configuration must know ----

  /** What a value means or meant until lately; undefined: it is free. */
  taken(label: number): string | undefined {
    return this.#ports.register.get(label)?.text;
  }

  /** These values are the configuration's. */
  avoid(labels: Iterable<number>): void {
    this.#ports.register.avoid(labels);
  }

  /** Whether the row of a label in the tables is ours. */
  holds(label: number): boolean {
    return this.#labels.has(label);
  }

  /** Whether a route has asked for it since the start: its row is as that wants it. */
  isAsked(label: number): boolean {
    return this.#labels.get(label)?.wish !== undefined;
  }

  /** VRFs that are there; labels of others go at once, since nothing may refer to a VRF that goes. */
  keepVrfs(names: ReadonlySet<string>): void {
    for (const label of [...this.#labels.values()]) {
      if (!names.has(label.meaning.vrf)) this.#free(label);
    }
  }

  /**
   * Classes by which routes are told, and those by which they were until lately ({@link labelClass}). Labels
   * of the latter stay as long as they are named here, those of any other go at once, whatever routes still
   * have them (policy-model 24, 25).
   */
  keepClasses(told: ReadonlySet<string>, leaving: ReadonlySet<string>): void {
    this.#leaving = leaving;
    for (const label of [...this.#labels.values()]) {
      const mine = classOf(label.meaning);
      if (mine !== undefined && !told.has(mine) && !leaving.has(mine)) this.#free(label);
    }
    this.#watch();
  }

  /**
   * Classes that labels of routes passed on may have ({@link swapClassOf}). Those of any other are accepted in
   * clear no more, and go after the grace time, whatever routes still have them (policy-model 24, 26). One of
   * before a restart that was not asked for since goes at once: what it was accepted for is not known.
   */
  keepSwaps(allowed: ReadonlySet<string>, timing: Timing): void {
    this.#ending.timing = timing;
    for (const label of [...this.#labels.values()]) {
      const mine = swapClassOf(label.meaning.text);
      if (mine === undefined) continue;
      if (allowed.has(mine)) this.#ending.delete(label);
      else if (!this.#ending.has(label)) this.#end(label);
    }
    this.#watch();
  }

  #end(label: Label): void {
    const { wish } = label;
    const accept = label.ready && wish !== undefined ? securedOnly(wish.accept) : undefined;
    if (wish === undefined || accept === undefined) {
      this.#free(label);
      return;
    }
    if (acceptKey(accept) !== acceptKey(wish.accept)) {
      label.wish = { ...wish, accept };
      this.#ports.set([rowOf(label.meaning.label, label.wish)]);
    }
    this.#ending.add(label, this.#seconds());
  }

  /** Labels of routes passed on that are in their grace time. */
  get ending(): number {
    return this.#ending.size;
  }

  /** They go at once: loss rather than what is allowed no more. How many there were. */
  endNow(): number {
    const all = this.#ending.all;
    for (const label of all) this.#free(label);
    return all.length;
  }

  /** Monotonic. */
  #seconds(): number {
    return this.#ports.clock.now() / 1000;
  }

  /** Labels in use whose class is this one ({@link labelClass}). */
  labelsOf(wanted: string): number[] {
    const found = [...this.#labels.values()].filter(({ meaning }) => classOf(meaning) === wanted);
    return found.map(({ meaning }) => meaning.label);
  }

  #isLeaving(label: Label): boolean {
    if (this.#ending.has(label)) return true;
    const mine = this.#leaving.size === 0 ? undefined : classOf(label.meaning);
    return mine !== undefined && this.#leaving.has(mine);
  }

  /** CEs that labels lead to: they are to stay resolved as long as the labels are in the tables. */
  gateways(): GatewayModel[] {
    const found = new Map<string, GatewayModel>();
    for (const { wish } of this.#labels.values()) {
      if (wish?.gateway !== undefined) found.set(adjacency(wish.gateway), wish.gateway);
    }
    return [...found.values()];
  }

  *rows(): Generator<RouteLabelRow & { readonly rules: readonly string[] }> {
    for (const { meaning, wish, ready, rules } of this.#labels.values()) {
      if (!ready || wish === undefined) continue;
      yield { ...rowOf(meaning.label, wish), rules: [...rules] };
    }
  }

  // ---- What exports ask ----

  /**
   * The label under which a route may be told now, or why it must not be: then {@link LabelUser.askAgain} is
   * called for it now and again.
   */
  ask(wish: LabelWish, route: LabelledRoute): LabelAnswer {
    const label = this.#of(wish);
    if (typeof label === 'string') {
      this.#refuse(route, label === 'no value is free' ? undefined : wish.source);
      return label;
    }
    if (this.#refused.size > 0) this.#refused.delete(keyOf(route));
    label.rules.add(wish.rule);
    // Whoever asks goes by what is in force: then it is allowed again.
    this.#ending.delete(label);
    const before = label.wish;
    label.wish = wish;
    if (!label.ready) {
      label.waiting.set(keyOf(route), route);
      return 'later';
    }
    if (!leadsAlike(before, wish)) {
      this.#ports.set([rowOf(label.meaning.label, wish)]);
      this.#user?.gatewaysChanged();
    }
    return label.meaning.label;
  }

  /** A route is exported with this label; labels that are not ours are nobody's business here. */
  retain(value: number): void {
    const label = this.#labels.get(value);
    if (label === undefined) return;
    label.routes++;
    this.#idle.delete(label);
  }

  release(value: number): void {
    const orphans = this.#orphans.get(value) ?? 0;
    if (orphans > 1) this.#orphans.set(value, orphans - 1);
    else this.#orphans.delete(value);
    if (orphans > 0) return;
    const label = this.#labels.get(value);
    if (label === undefined || label.routes === 0 || --label.routes > 0) return;
    this.#rest(label);
  }

  /** All routes of before a restart have come, or will not. */
  settled(): void {
    this.#settled = true;
    for (const label of this.#labels.values()) {
      if (label.ready && label.routes === 0) this.#rest(label);
    }
  }

  close(): void {
    this.#closed = true;
    this.#writer.close();
    this.#user = undefined;
    this.#tick?.();
    this.#tick = undefined;
  }

  // ---- How labels come and go ----

  #add(meaning: Meaning, ready: boolean): Label {
    const label: Label = {
      ...{ meaning, wish: undefined, ready, rules: new Set<string>(), routes: 0 },
      ...{ waiting: new Map<string, LabelledRoute>(), idleSince: 0 },
    };
    this.#labels.set(meaning.label, label);
    this.#highest = Math.max(this.#highest, meaning.label);
    return label;
  }

  #of({ text, vrf, source }: LabelWish): Label | LabelRefusal {
    const { register } = this.#ports;
    const known = register.find(text);
    const present = known && this.#labels.get(known.label);
    if (present !== undefined) return present;
    if (known !== undefined) register.revive(known);
    else if (source !== undefined && register.countOf(source.name) >= source.most) {
      return 'the source has its share';
    }
    const meaning = known ?? register.choose(text, vrf, source?.name);
    if (meaning === undefined) return 'no value is free';
    const label = this.#add(meaning, false);
    const by = meaning.source === undefined ? {} : { source: meaning.source };
    this.#writer.note({ label: meaning.label, text, vrf, ...by }, label);
    return label;
  }

  #refuse(route: LabelledRoute, source: LabelSource | undefined): void {
    this.#refused.add(keyOf(route), route, source, this.#ports.clock.now());
    this.#watch();
  }

  #rest(label: Label): void {
    if (!this.#settled && label.wish === undefined) return;
    label.idleSince = this.#ports.clock.now();
    this.#idle.delete(label);
    this.#idle.add(label);
    this.#watch();
  }

  #free(label: Label): void {
    const { register, clear, epoch, quarantine } = this.#ports;
    const { meaning } = label;
    this.#idle.delete(label);
    this.#ending.delete(label);
    this.#labels.delete(meaning.label);
    const orphans = (this.#orphans.get(meaning.label) ?? 0) + label.routes;
    if (orphans > 0) this.#orphans.set(meaning.label, orphans);
    if (label.ready) clear(meaning.label);
    const freed = { freedAt: epoch(), quarantine: quarantine() };
    register.free(meaning, freed.freedAt, freed.quarantine);
    this.#writer.note({ label: meaning.label, ...freed });
    this.#watch();
    if (label.wish?.gateway !== undefined) this.#user?.gatewaysChanged();
  }

  #watch(): void {
    const { freed } = this.#ports.register;
    const busy = this.#idle.size + this.#refused.size + this.#ending.size + freed > 0;
    if (!busy || this.#closed || this.#tick !== undefined) return;
    this.#tick = this.#ports.scheduler.after(TICK_MS, () => {
      this.#tick = undefined;
      this.#look();
      this.#watch();
    });
  }

  #look(): void {
    const { register, clock, epoch } = this.#ports;
    const given = register.expire(epoch());
    const due = this.#ending.due(this.#seconds(), this.#user?.told ?? true);
    for (const label of due) this.#free(label);
    for (const label of this.#idle) {
      const over = label.idleSince + LINGER_MS <= clock.now();
      if (!over || this.#user?.quiet === false) break;
      if (!this.#isLeaving(label)) this.#free(label);
    }
    const routes = this.#refused.take(given, clock.now());
    if (routes.length > 0) this.#user?.askAgain(routes);
  }

  /** On disk, so that they can be in the tables, and then be told. */
  #publish(fresh: readonly Label[]): void {
    const live = fresh.filter((label) => this.#labels.get(label.meaning.label) === label);
    const rows = live.flatMap(({ meaning, wish }) => (wish ? [rowOf(meaning.label, wish)] : []));
    if (rows.length === 0) return;
    this.#ports.reserve(this.#highest + 1);
    this.#ports.set(rows);
    const routes: LabelledRoute[] = [];
    for (const label of live) {
      label.ready = true;
      // A CE may have any number of routes: too many for the arguments of one call.
      for (const route of label.waiting.values()) routes.push(route);
      label.waiting.clear();
      if (label.routes === 0) this.#rest(label);
    }
    this.#user?.gatewaysChanged();
    this.#user?.askAgain(routes);
  }
}
