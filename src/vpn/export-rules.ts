// SPDX-License-Identifier: Apache-2.0
/** The export rules of a VRF in one form: those with static labels, and those that BGP carries. */
import { exportRulesOf } from '../config/bgp/resolve.js';
import type { ExportClass, Vrf } from '../config/types.js';

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
  readonly class: ExportClass;
  /** undefined: every prefix of the VRF. */
  readonly prefixes: readonly string[] | undefined;
  /** The configured label; undefined: one of the pool's. */
  readonly label: number | undefined;
  /** Address of the CE the label leads to; undefined: a lookup in the VRF. */
  readonly ce: string | undefined;
  readonly bgp: BgpExport | undefined;
}

export function vrfExports(vrf: Vrf): readonly VrfExport[] {
  const fixed = (vrf.exports ?? []).map((rule): VrfExport => ({
    ...{ name: rule.name, class: rule, prefixes: rule.prefixes, label: rule.label },
    ce: rule.labelFor === undefined || rule.labelFor === 'vrf' ? undefined : rule.labelFor.ce,
    bgp: undefined,
  }));
  return [...fixed, ...bgpExports(vrf)];
}

/** Apart from the names of rules with static labels. */
const bgpRuleName = (name: string): string => `bgp/${name}`;

function bgpExports({ bgp }: Vrf): VrfExport[] {
  if (bgp === undefined) return [];
  return exportRulesOf(bgp).map((rule) => ({
    ...{ name: bgpRuleName(rule.name), class: rule, prefixes: rule.prefixes },
    ...{ label: undefined, ce: undefined },
    bgp: {
      ...{ rd: rule.rd, targets: rule.targets, policy: rule.policy, labelPer: rule.labelPer },
      nextHop: rule.nextHop,
    },
  }));
}
