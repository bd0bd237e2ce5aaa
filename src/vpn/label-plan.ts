// SPDX-License-Identifier: Apache-2.0
/**
 * Labels (policy-model 1, 5): one meaning per label value and PE. A meaning is VRF, target and export
 * class; it never changes in place. A value that is no longer used is in quarantine for a time, in
 * which it may only come back with the meaning it had: an ingress with an old route would otherwise
 * reach another VRF, or the same one with less protection. How long is decided when it is freed: longer
 * than any neighbour may keep such a route (kept-routes.ts). The register of values is kept in the
 * state directory.
 *
 * A rule names its label, or has one of the pool: that which the same meaning had before, else the
 * next that is neither in use nor in quarantine, round and round, so that the one freed longest ago
 * comes first. Labels per CE and per prefix come with the routes: route-labels.ts has the values beyond
 * the pool's, of which a rule may name one that is free.
 */
import { createHash } from 'node:crypto';
import type { Config } from '../config/types.js';
import type { PlannedLabel } from '../forwarding/rows.js';
import { parseAddress } from '../lib/ip.js';
import {
  acceptOfClasses,
  NO_EXPORT_STATES,
  type Classes,
  type ExportStates,
} from './export-changes.js';
import { vrfExports, type VrfExport } from './export-rules.js';
import {
  followOffers,
  LABEL_QUARANTINE_SECONDS,
  longestKept,
  quarantineOf,
  type Offers,
} from './kept-routes.js';
import { FIRST_ROUTE_LABEL } from './label-register.js';
import type { SpTables } from './sp-tables.js';

/** Labels of the pool; those below are the configuration's alone. */
export const FIRST_POOL_LABEL = 24_000;
const LAST_POOL_LABEL = FIRST_ROUTE_LABEL - 1;

export interface LabelRegister {
  readonly labels: Readonly<Record<string, RegisteredLabel>>;
  /** Where the search for a free label of the pool goes on; default its beginning. */
  readonly next?: number;
  /** How long neighbours may keep what they were told; absent: nothing was told yet. */
  readonly offers?: Offers;
}
export interface RegisteredLabel {
  /** SHA-256 (hex) of the canonical meaning. */
  readonly meaning: string;
  /** In words, for messages. */
  readonly text: string;
  /** Seconds since 1970 at which it was freed; absent: in use. */
  readonly freedAt?: number;
  /** How long from then it keeps its meaning, seconds; default {@link LABEL_QUARANTINE_SECONDS}. */
  readonly quarantine?: number;
}
export const NO_LABELS: LabelRegister = { labels: {} };

export interface LabelConflict {
  readonly label: number;
  /** '': of the core, and `rule` is a path of the configuration. */
  readonly vrf: string;
  readonly rule: string;
  readonly reason: string;
  readonly remedy: string;
}
export interface LabelPlan {
  readonly labels: readonly PlannedLabel[];
  readonly register: LabelRegister;
  readonly conflicts: readonly LabelConflict[];
}

/** The class in one canonical spelling; SP names, because table numbers are only local. */
export function classText(rule: VrfExport['class'], sps: SpTables): string {
  const list = (values: readonly string[]): string => [...new Set(values)].sort().join(',');
  const own = rule.clearInsideOwnSp === true ? ', clear inside own SP' : '';
  const encapsulations = list(rule.encapsulations ?? ['gre', 'ip']);
  return `${list(rule.protections)} in ${encapsulations} to ${list(rule.toSps ?? [sps.own])}${own}`;
}

/** As {@link classText}, of several: what a label accepts while a change of class is announced. */
export const classesText = (classes: Classes, sps: SpTables): string =>
  [...new Set(classes.map((one) => classText(one, sps)))].sort().join(' and ');

function meaningText(
  vrf: string,
  { ce, classes }: Pick<VrfExport, 'ce' | 'classes'>,
  sps: SpTables,
): string {
  const target = ce === undefined ? `VRF ${vrf}` : `CE ${ce} of VRF ${vrf}`;
  return `${target}, ${classesText(classes, sps)}`;
}

/** What core.transportLabels mean. */
const TRANSPORT = 'transport label of this PE';
const transportOf = ({ core }: Config): readonly number[] => core.transportLabels ?? [];

const digest = (text: string): string => createHash('sha256').update(text).digest('hex');

interface Wanted {
  readonly planned: PlannedLabel & { readonly rules: string[]; readonly leaving: string[] };
  readonly text: string;
}

/** Chooses labels of the pool. */
class Pool {
  next: number;
  readonly #before: LabelRegister;
  readonly #byMeaning = new Map<string, number>();
  readonly #busy: (label: number) => boolean;

  constructor(before: LabelRegister, busy: (label: number) => boolean) {
    this.#before = before;
    this.#busy = busy;
    const { next = FIRST_POOL_LABEL } = before;
    this.next = next > LAST_POOL_LABEL ? FIRST_POOL_LABEL : next;
    for (const [label, { meaning }] of Object.entries(before.labels)) {
      if (Number(label) >= FIRST_POOL_LABEL) this.#byMeaning.set(meaning, Number(label));
    }
  }

  /** undefined: every label is in use or in quarantine. */
  choose(text: string): number | undefined {
    const known = this.#byMeaning.get(digest(text));
    if (known !== undefined && !this.#busy(known)) return known;
    for (let tried = FIRST_POOL_LABEL; tried <= LAST_POOL_LABEL; tried++) {
      const label = this.next;
      this.next = label === LAST_POOL_LABEL ? FIRST_POOL_LABEL : label + 1;
      if (!this.#busy(label) && this.#before.labels[String(label)] === undefined) return label;
    }
    return undefined;
  }
}

/** Of a rule with a label for each prefix, routes alone have labels. */
const hasOwnLabel = ({ bgp }: VrfExport): boolean => bgp?.labelPer !== 'prefix';

/** A label that a rule is told with, or was until lately. */
interface Wish extends Pick<VrfExport, 'name' | 'label' | 'ce' | 'classes'> {
  readonly vrf: string;
  readonly leaving: boolean;
}

function wishesOf(config: Config, states: ExportStates): Wish[] {
  const rules = Object.keys(config.vrfs ?? {}).flatMap((vrf) =>
    vrfExports(config, vrf, states[vrf]).flatMap((rule) =>
      hasOwnLabel(rule) ? [{ vrf, ...rule }] : [],
    ),
  );
  const wishes = rules.flatMap(({ leaving, ...rule }): Wish[] => [
    { ...rule, leaving: false },
    ...leaving.map(({ classes }) => ({ ...rule, classes, leaving: true })),
  ]);
  // Labels of the configuration first: the pool goes round them. Those that leave only take what is theirs.
  const rank = ({ label, leaving }: Wish): number =>
    (label === undefined ? 1 : 0) + (leaving ? 1 : 0);
  return wishes.sort((a, b) => rank(a) - rank(b));
}

interface Collected {
  readonly wanted: Map<number, Wanted>;
  readonly conflicts: LabelConflict[];
  readonly next: number;
}

/** Rules by label; a rule that asks for a value another rule has with another meaning is a conflict. */
function collect(
  config: Config,
  sps: SpTables,
  before: LabelRegister,
  states: ExportStates,
): Collected {
  const wanted = new Map<number, Wanted>();
  const conflicts: LabelConflict[] = [];
  const transport = new Set(transportOf(config));
  const pool = new Pool(before, (label) => wanted.has(label) || transport.has(label));
  const shared = new Map<string, number>();
  for (const wish of wishesOf(config, states)) {
    const { vrf, name } = wish;
    const text = meaningText(vrf, wish, sps);
    const label = wish.label ?? shared.get(text) ?? pool.choose(text);
    if (label === undefined) {
      const reason = 'every label of the pool is in use or in quarantine';
      conflicts.push({ label: 0, vrf, rule: name, reason, remedy: 'wait, or use fewer' });
      continue;
    }
    if (wish.label === undefined) shared.set(text, label);
    const known = wanted.get(label) ?? { planned: plannedOf(wish, label, sps), text };
    if (known.text === text) {
      wanted.set(label, known);
      const { rules, leaving } = known.planned;
      if (!wish.leaving) rules.push(name);
      else if (!leaving.includes(name) && !rules.includes(name)) leaving.push(name);
    } else {
      conflicts.push({
        ...{ label, vrf, rule: name },
        reason: `label ${label} already means: ${known.text}`,
        remedy:
          'give the rule a label of its own; only rules of one VRF, class and target share one',
      });
    }
  }
  return { wanted, conflicts, next: pool.next };
}

/** A label that is wanted, and who wants it. */
interface Claim extends Pick<LabelConflict, 'label' | 'vrf' | 'rule'> {
  readonly text: string;
}

const claimOf = ({ planned: { label, vrf, rules }, text }: Wanted): Claim => ({
  ...{ label, vrf, rule: rules.join(' '), text },
});

function plannedOf({ vrf, ce, classes }: Wish, label: number, sps: SpTables): Wanted['planned'] {
  const address = ce === undefined ? undefined : parseAddress(ce);
  const accept = acceptOfClasses(classes, sps);
  return { label, vrf, ce: address, accept, rules: [], leaving: [] };
}

function quarantineConflict(
  { text, ...at }: Claim,
  before: RegisteredLabel,
  now: number,
  quarantine: number,
): LabelConflict | undefined {
  if (before.meaning === digest(text)) return undefined;
  const { label } = at;
  if (before.freedAt === undefined) {
    return {
      ...at,
      reason: `label ${label} is in use with another meaning: ${before.text}`,
      remedy: 'use a label that was not in use: a meaning never changes in place',
    };
  }
  // A clock that went backwards does not end a quarantine early.
  const left = before.freedAt + (before.quarantine ?? quarantine) - now;
  if (left <= 0) return undefined;
  return {
    ...at,
    reason: `label ${label} was freed ${Math.max(0, now - before.freedAt)} s ago and meant: ${before.text}`,
    remedy: `use another label, or wait ${left} s`,
  };
}

/** A value that a route has, or had until lately, is not the configuration's. */
function routeConflict({ label, vrf, rule }: Claim, meaning: string): LabelConflict {
  return {
    ...{ label, vrf, rule },
    reason: `label ${label} is or was a route's: ${meaning}`,
    remedy: `use a label below ${FIRST_ROUTE_LABEL}`,
  };
}

/** What is known beside configuration and register. */
export interface LabelPlanOptions {
  /** At least, seconds; default {@link LABEL_QUARANTINE_SECONDS}. */
  readonly quarantine?: number;
  /** What a value means, or meant until lately, as a label of routes. */
  readonly ofRoute?: (label: number) => string | undefined;
  /** How rules of BGP pass from one class to another; default: none does. */
  readonly states?: ExportStates;
}

/**
 * Plans the labels of a configuration. `now` is seconds since 1970. With conflicts the plan must not
 * be applied; `register` is what to store once it is.
 */
export function planLabels(
  config: Config,
  sps: SpTables,
  before: LabelRegister,
  now: number,
  {
    quarantine = LABEL_QUARANTINE_SECONDS,
    ofRoute,
    states = NO_EXPORT_STATES,
  }: LabelPlanOptions = {},
): LabelPlan {
  const { wanted, conflicts, next } = collect(config, sps, before, states);
  const offers = followOffers(before.offers, longestKept(config), now);
  const claims: Claim[] = [
    ...[...wanted.values()].map(claimOf),
    ...transportOf(config).map((label) => ({
      ...{ label, vrf: '', rule: 'core.transportLabels', text: TRANSPORT },
    })),
  ];
  const ifNow = quarantineOf(offers, now, quarantine);
  const register = freedOf(before, claims, now, { least: quarantine, ifNow });
  for (const claim of claims) {
    const { label, text } = claim;
    const entry = before.labels[String(label)];
    const conflict = entry && quarantineConflict(claim, entry, now, quarantine);
    if (conflict !== undefined) conflicts.push(conflict);
    const route = ofRoute?.(label);
    if (route !== undefined) conflicts.push(routeConflict(claim, route));
    register[String(label)] = { meaning: digest(text), text };
  }
  const labels = [...wanted.values()].map(({ planned: { leaving, ...label } }): PlannedLabel =>
    leaving.length === 0 ? label : { ...label, leaving },
  );
  return { labels, register: { labels: register, next, offers }, conflicts };
}

/** What is in quarantine. `least`: of what was freed when that was not noted; `ifNow`: of what is freed now. */
function freedOf(
  before: LabelRegister,
  claims: readonly Claim[],
  now: number,
  { least, ifNow }: { readonly least: number; readonly ifNow: number },
): Record<string, RegisteredLabel> {
  const freed: Record<string, RegisteredLabel> = {};
  const claimed = new Set(claims.map(({ label }) => label));
  for (const [label, entry] of Object.entries(before.labels)) {
    if (claimed.has(Number(label))) continue;
    const { freedAt = now } = entry;
    const quarantine = entry.freedAt === undefined ? ifNow : (entry.quarantine ?? least);
    if (freedAt + quarantine > now) freed[label] = { ...entry, freedAt, quarantine };
  }
  return freed;
}
