// SPDX-License-Identifier: Apache-2.0
/**
 * Static labels (policy-model 1, 5): one meaning per label value and PE. A meaning is VRF, target and
 * export class; it never changes in place. A value that is no longer used is in quarantine for a
 * time, in which it may only come back with the meaning it had: an ingress with an old route would
 * otherwise reach another VRF, or the same one with less protection. The register of values is kept
 * in the state directory.
 */
import { createHash } from 'node:crypto';
import type { Config, ExportRule } from '../config/types.js';
import type { PlannedLabel } from '../forwarding/rows.js';
import { parseAddress } from '../lib/ip.js';
import { acceptSetOf } from './accept.js';
import type { SpTables } from './sp-tables.js';

/** Seconds for which a freed value keeps its meaning. */
export const LABEL_QUARANTINE_SECONDS = 3600;

export interface LabelRegister {
  readonly labels: Readonly<Record<string, RegisteredLabel>>;
}
export interface RegisteredLabel {
  /** SHA-256 (hex) of the canonical meaning. */
  readonly meaning: string;
  /** In words, for messages. */
  readonly text: string;
  /** Seconds since 1970 at which it was freed; absent: in use. */
  readonly freedAt?: number;
}
export const NO_LABELS: LabelRegister = { labels: {} };

export interface LabelConflict {
  readonly label: number;
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
function classText(rule: ExportRule, sps: SpTables): string {
  const list = (values: readonly string[]): string => [...new Set(values)].sort().join(',');
  const own = rule.clearInsideOwnSp === true ? ', clear inside own SP' : '';
  const encapsulations = list(rule.encapsulations ?? ['gre', 'ip']);
  return `${list(rule.protections)} in ${encapsulations} to ${list(rule.toSps ?? [sps.own])}${own}`;
}

function meaningText(vrf: string, rule: ExportRule, sps: SpTables): string {
  const labelFor = rule.labelFor ?? 'vrf';
  const target = labelFor === 'vrf' ? `VRF ${vrf}` : `CE ${labelFor.ce} of VRF ${vrf}`;
  return `${target}, ${classText(rule, sps)}`;
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex');

interface Wanted {
  readonly planned: PlannedLabel & { readonly rules: string[] };
  readonly text: string;
}

/** Rules by label; a rule that asks for a value another rule has with another meaning is a conflict. */
function collect(
  config: Config,
  sps: SpTables,
): { wanted: Map<number, Wanted>; conflicts: LabelConflict[] } {
  const wanted = new Map<number, Wanted>();
  const conflicts: LabelConflict[] = [];
  for (const [vrf, { exports = [] }] of Object.entries(config.vrfs ?? {})) {
    for (const rule of exports) {
      const text = meaningText(vrf, rule, sps);
      const known = wanted.get(rule.label);
      if (known === undefined) {
        const labelFor = rule.labelFor ?? 'vrf';
        const ce = labelFor === 'vrf' ? undefined : parseAddress(labelFor.ce);
        const accept = acceptSetOf(rule, sps);
        const planned = { label: rule.label, vrf, ce, accept, rules: [rule.name] };
        wanted.set(rule.label, { planned, text });
      } else if (known.text === text) {
        known.planned.rules.push(rule.name);
      } else {
        conflicts.push({
          ...{ label: rule.label, vrf, rule: rule.name },
          reason: `label ${rule.label} already means: ${known.text}`,
          remedy:
            'give the rule a label of its own; only rules of one VRF, class and target share one',
        });
      }
    }
  }
  return { wanted, conflicts };
}

function quarantineConflict(
  { planned, text }: Wanted,
  before: RegisteredLabel,
  now: number,
  quarantine: number,
): LabelConflict | undefined {
  if (before.meaning === digest(text)) return undefined;
  const { label, vrf, rules } = planned;
  const at = { label, vrf, rule: rules.join(' ') };
  if (before.freedAt === undefined) {
    return {
      ...at,
      reason: `label ${label} is in use with another meaning: ${before.text}`,
      remedy: 'use a label that was not in use: a meaning never changes in place',
    };
  }
  // A clock that went backwards does not end a quarantine early.
  const left = before.freedAt + quarantine - now;
  if (left <= 0) return undefined;
  return {
    ...at,
    reason: `label ${label} was freed ${Math.max(0, now - before.freedAt)} s ago and meant: ${before.text}`,
    remedy: `use another label, or wait ${left} s`,
  };
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
  quarantine: number = LABEL_QUARANTINE_SECONDS,
): LabelPlan {
  const { wanted, conflicts } = collect(config, sps);
  const register: Record<string, RegisteredLabel> = {};
  for (const [label, entry] of Object.entries(before.labels)) {
    if (wanted.has(Number(label))) continue;
    const freedAt = entry.freedAt ?? now;
    if (freedAt + quarantine > now) register[label] = { ...entry, freedAt };
  }
  for (const [label, want] of wanted) {
    const entry = before.labels[String(label)];
    const conflict = entry && quarantineConflict(want, entry, now, quarantine);
    if (conflict !== undefined) conflicts.push(conflict);
    register[String(label)] = { meaning: digest(want.text), text: want.text };
  }
  const labels = [...wanted.values()].map(({ planned }) => planned);
  return { labels, register: { labels: register }, conflicts };
}
