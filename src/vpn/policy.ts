// SPDX-License-Identifier: Apache-2.0
/** The export rules of all VRFs as projection asks for them: which arrivals may use a route. */
import type { Config } from '../config/types.js';
import type { AcceptSet } from '../forwarding/addon/api.js';
import { ACCEPT_NOTHING, type PlannedLabel, type VpnPolicy } from '../forwarding/rows.js';
import { covers, networkOf, parsePrefix, type Prefix } from '../lib/ip.js';
import { acceptSetOf, unionOf } from './accept.js';
import { vrfExports } from './export-rules.js';
import type { SpTables } from './sp-tables.js';

interface Rule {
  /** undefined: every prefix of the VRF. */
  readonly prefixes: readonly Prefix[] | undefined;
  readonly accept: AcceptSet;
}

/** The rules of one VRF; unions are computed once per combination of matching rules. */
class VrfRules {
  readonly #rules: readonly Rule[];
  readonly #unions = new Map<string, AcceptSet>();

  constructor(rules: readonly Rule[]) {
    this.#rules = rules;
  }

  /** A rule matches prefixes inside its own: it does not let in what only a shorter route covers. */
  acceptOf(prefix: Prefix): AcceptSet {
    const matching = this.#rules.filter(
      ({ prefixes }) => prefixes?.some((outer) => covers(outer, prefix)) ?? true,
    );
    const key = matching.map((rule) => this.#rules.indexOf(rule)).join(' ');
    let union = this.#unions.get(key);
    if (union === undefined) {
      union = unionOf(matching.map(({ accept }) => accept));
      this.#unions.set(key, union);
    }
    return union;
  }
}

/** `labels`: of the label plan that goes with this configuration. */
export function vpnPolicy(
  config: Config,
  sps: SpTables,
  labels: readonly PlannedLabel[],
): VpnPolicy {
  const vrfs = new Map<string, VrfRules>();
  for (const [name, vrf] of Object.entries(config.vrfs ?? {})) {
    const rules = vrfExports(vrf).map((rule) => ({
      accept: acceptSetOf(rule.class, sps),
      prefixes: rule.prefixes
        ?.map(parsePrefix)
        .filter((prefix): prefix is Prefix => prefix !== undefined)
        .map(networkOf),
    }));
    vrfs.set(name, new VrfRules(rules));
  }
  return {
    labels,
    acceptOf: (vrf, prefix) => vrfs.get(vrf)?.acceptOf(prefix) ?? ACCEPT_NOTHING,
  };
}
