// SPDX-License-Identifier: Apache-2.0
/** The export rules of a VRF in one form: those with static labels, and those that BGP carries. */
import { exportRulesOf } from '../config/bgp/resolve.js';
import type { Config, ExportClass, Vrf } from '../config/types.js';
import type { Classes, ExportState, Leaving } from './export-changes.js';

/** What BGP adds to a rule. */
export interface BgpExport {
  readonly rd: string;
  readonly targets: readonly string[];
  /** Name of a policy that changes or rejects what is exported. */
  readonly policy: string | undefined;
  readonly labelPer: 'vrf' | 'ce' | 'prefix';
  /** Which of the core's tunnel addresses; default the first. */
  readonly nextHop: string | undefined;
}

export interface VrfExport {
  readonly name: string;
  /** As configured. */
  readonly class: ExportClass;
  /** Whose arrivals the label that is told accepts: another than `class` alone while a change is under way. */
  readonly classes: Classes;
  /** What ingresses are told: `classes`, and what is to come. */
  readonly announced: Classes;
  /** Labels that were told until lately. */
  readonly leaving: readonly Leaving[];
  /** undefined: every prefix of the VRF. */
  readonly prefixes: readonly string[] | undefined;
  /** The configured label; undefined: one of the pool's. */
  readonly label: number | undefined;
  /** Address of the CE the label leads to; undefined: a lookup in the VRF. */
  readonly ce: string | undefined;
  readonly bgp: BgpExport | undefined;
}

/** Of a VRF by name. `states`: of the rules that BGP carries; absent: nothing is changing. */
export function vrfExports(
  { vrfs, bgp }: Pick<Config, 'vrfs' | 'bgp'>,
  name: string,
  states: Readonly<Record<string, ExportState>> = {},
): readonly VrfExport[] {
  const vrf = vrfs?.[name] ?? {};
  const fixed = (vrf.exports ?? []).map((rule): VrfExport => ({
    ...{ name: rule.name, class: rule, prefixes: rule.prefixes, label: rule.label },
    ...unchanging(rule),
    ce: rule.labelFor === undefined || rule.labelFor === 'vrf' ? undefined : rule.labelFor.ce,
    bgp: undefined,
  }));
  return [...fixed, ...bgpExports(vrf, bgp?.exportClass, states)];
}

const unchanging = (rule: ExportClass): Pick<VrfExport, 'classes' | 'announced' | 'leaving'> => ({
  ...{ classes: [rule], announced: [rule], leaving: [] },
});

function changing(
  rule: ExportClass,
  state: ExportState | undefined,
): Pick<VrfExport, 'classes' | 'announced' | 'leaving'> {
  if (state === undefined) return unchanging(rule);
  const { classes, announcing, leaving, target } = state;
  return { classes, announced: announcing === undefined ? classes : [...classes, target], leaving };
}

/** Apart from the names of rules with static labels. */
const bgpRuleName = (name: string): string => `bgp/${name}`;

function bgpExports(
  { bgp }: Vrf,
  ofPe: ExportClass | undefined,
  states: Readonly<Record<string, ExportState>>,
): VrfExport[] {
  if (bgp === undefined) return [];
  return exportRulesOf(bgp, ofPe).map((rule) => ({
    ...{ name: bgpRuleName(rule.name), class: rule, prefixes: rule.prefixes },
    ...{ label: undefined, ce: undefined },
    ...changing(rule, states[bgpRuleName(rule.name)]),
    bgp: {
      ...{ rd: rule.rd, targets: rule.targets, policy: rule.policy, labelPer: rule.labelPer },
      nextHop: rule.nextHop,
    },
  }));
}
