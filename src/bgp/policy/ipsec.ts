// SPDX-License-Identifier: Apache-2.0
/**
 * What policies may do with the IPsec extended community (policy-model 13): raise what it asks for,
 * never lower it, unless the configuration says `weaken: true`.
 */
import type { IpsecPolicy, IpsecProtection } from '../../config/types.js';
import type { IpsecCommunityFormat, IpsecMeaning } from '../codec/communities/ipsec.js';

const RANK: Readonly<Record<IpsecProtection, number>> = { tunnel: 0, authenticate: 1, encrypt: 2 };
const BOTH = ['gre', 'ip'] as const;

/** The action as it stands in the configuration, defaults filled in. */
export function meaningOf(policy: IpsecPolicy): IpsecMeaning {
  return {
    protections: policy.protections,
    encapsulations: policy.encapsulations ?? BOTH,
    onlyOutsideSp: policy.onlyOutsideSp,
  };
}

/**
 * `wanted` on top of what the route carries. The weakest protection of `wanted` becomes a floor: what
 * the route accepts at or above it stays, so the egress is never sent what it does not accept and no
 * ingress has to use less than it could. If nothing stays, `wanted` is stronger throughout and
 * replaces it. A scope remains only if both have it: without one, all ingresses are asked.
 */
export function strengthen(now: IpsecMeaning | undefined, wanted: IpsecMeaning): IpsecMeaning {
  if (now === undefined) return wanted;
  // Nothing is accepted: there is nothing stronger.
  if (now.protections.length === 0) return now;
  const floor = Math.min(...wanted.protections.map((each) => RANK[each]));
  const kept = now.protections.filter((each) => RANK[each] >= floor);
  const common = now.encapsulations.filter((each) => wanted.encapsulations.includes(each));
  return {
    protections: kept.length > 0 ? kept : wanted.protections,
    // An encapsulation protects nothing: what the egress takes counts where nothing is common.
    encapsulations: common.length > 0 ? common : now.encapsulations,
    onlyOutsideSp: now.onlyOutsideSp === wanted.onlyOutsideSp ? now.onlyOutsideSp : undefined,
  };
}

/** The route's extended communities with its IPsec communities replaced by one, or by none. */
export function replaceIpsec(
  communities: readonly bigint[],
  meaning: IpsecMeaning | undefined,
  format: IpsecCommunityFormat,
): readonly bigint[] {
  const others = communities.filter((each) => !format.is(each));
  return meaning === undefined ? others : [...others, format.write(meaning)];
}
