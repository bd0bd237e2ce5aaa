// SPDX-License-Identifier: Apache-2.0
/** Why an imported route is sent the way it is: asked of the functions that decide, never decided here. */
import type { IpsecCommunityFormat } from '../../bgp/codec/communities/ipsec.js';
import { unmapped } from '../../bgp/rib/attribute-codec.js';
import type { RouteView } from '../../bgp/rib/query.js';
import { spNumbers } from '../../config/sp-numbers.js';
import type { Config, Protection } from '../../config/types.js';
import { formatAddress } from '../../lib/ip.js';
import { narrowed } from './encapsulation.js';
import { spOfRemotes } from './identity.js';
import type { Alternative, Ingress, TunnelChoice } from './ingress.js';
import { importsOf, importTerms, ruleFor } from './vrfs.js';

export interface ImportExplained {
  /** Name of the import rule that takes the route. */
  readonly rule: string;
  readonly fromSps: readonly string[];
  readonly nextHop: Uint8Array;
  /** Whose the next hop is; undefined: nobody's. */
  readonly sp: string | undefined;
  readonly floor: Protection | undefined;
  readonly chosen: TunnelChoice | undefined;
  /** Why nothing is chosen. */
  readonly why: string | undefined;
  /** In the order of preference. */
  readonly alternatives: readonly Alternative[];
}

export interface ExplainContext {
  readonly config: Config;
  readonly ingress: Ingress;
  readonly ipsec: IpsecCommunityFormat;
}

/** undefined: no import rule of the VRF takes the route. */
export function explainImport(
  { config, ingress, ipsec }: ExplainContext,
  vrf: string,
  route: RouteView,
): ImportExplained | undefined {
  const { extendedCommunities = [], tunnelEncapsulation = [], nextHop: told } = route.judged();
  const found = ruleFor(importsOf(config, vrf), extendedCommunities);
  if (found === undefined || told === undefined) return undefined;
  const nextHop = unmapped(told);
  const question = { extendedCommunities, tunnelEncapsulation };
  const signalled = narrowed(ipsec.read(extendedCommunities), question);
  const inside = { insideOwnSp: route.insideOwnSp(), toldBySp: route.toldBySp() };
  const terms = importTerms(config, spNumbers(config), found.rule, inside);
  const sp = spOfRemotes(config)(formatAddress(nextHop));
  const choice = ingress.choose(nextHop, signalled, terms);
  return {
    ...{ rule: found.rule.name, fromSps: terms.fromSps, nextHop, sp },
    floor: sp === undefined ? undefined : terms.floor(sp),
    ...{ chosen: ingress.meaning(choice), why: ingress.why(choice) },
    alternatives: sp === undefined ? [] : ingress.alternatives(nextHop, sp, signalled, terms),
  };
}
