// SPDX-License-Identifier: Apache-2.0
/**
 * BGP policies as plain data: what the builders of builders.ts yield, the schema checks and
 * src/bgp/policy compiles. Each condition and each action is an object with one key that says what
 * it is.
 */

export type BgpFamilyName =
  | 'ipv4-unicast'
  | 'ipv6-unicast'
  | 'vpnv4-unicast'
  | 'vpnv6-unicast'
  | 'ipv4-labelled'
  | 'ipv6-labelled'
  | 'route-target';

/** Prefixes inside `prefix` of lengths `ge`..`le`; neither: the prefix itself, `ge` alone: up to full length. */
export interface PrefixMatch {
  readonly prefix: string;
  readonly ge?: number;
  readonly le?: number;
}

/** A number in a range, both ends included; `absent` says what to think of a route without one. */
export interface Comparison {
  readonly atLeast?: number;
  readonly atMost?: number;
  /** Default false: a route without the attribute does not match. */
  readonly absent?: boolean;
}

export type Condition =
  | { readonly all: readonly Condition[] }
  | { readonly any: readonly Condition[] }
  | { readonly not: Condition }
  /** The name of a prefix list, or its entries. */
  | { readonly prefix: string | readonly PrefixMatch[] }
  | { readonly family: readonly BgpFamilyName[] }
  /** "65001:1", "65001:*". A route without RD matches none. */
  | { readonly rd: readonly string[] }
  /** Next hop inside one of these prefixes. */
  | { readonly nextHop: readonly string[] }
  /** At least one community like one of these: "65001:100", "65001:*", "no-export". */
  | { readonly community: readonly string[] }
  | { readonly largeCommunity: readonly string[] }
  /** "target:65001:100", "target:65001:*", "origin:*", "color:100". */
  | { readonly extendedCommunity: readonly string[] }
  /** An AS number of these anywhere in the path: "65001", "64512-65534". */
  | { readonly asPathContains: readonly string[] }
  /** The AS that originated the route, last in the path. */
  | { readonly asPathOrigin: readonly string[] }
  /** The AS it came through last, first in the path. */
  | { readonly asPathNeighbour: readonly string[] }
  /** Hops as the decision process counts them: an AS_SET is one (RFC 4271 §9.1.2.2). */
  | { readonly asPathLength: Comparison }
  /** The whole path like one of these: "65001+ .*" (docs/configuration.md). */
  | { readonly asPath: readonly string[] }
  | { readonly origin: readonly BgpOrigin[] }
  | { readonly med: Comparison }
  | { readonly localPref: Comparison }
  /** It came from a neighbour of these AS numbers. */
  | { readonly fromAsn: readonly string[] }
  /** It came from a neighbour with an address in these prefixes. */
  | { readonly fromAddress: readonly string[] }
  /** true: it is our own; false: it came from a neighbour. */
  | { readonly local: boolean }
  /** true: it carries an IPsec community. */
  | { readonly ipsec: boolean };

export type BgpOrigin = 'igp' | 'egp' | 'incomplete';

/** Protections that an IPsec community may accept; plain MPLS is the absence of one (P §2.4). */
export type IpsecProtection = 'encrypt' | 'authenticate' | 'tunnel';

export interface IpsecPolicy {
  readonly protections: readonly IpsecProtection[];
  /** Default both. */
  readonly encapsulations?: readonly ('gre' | 'ip')[];
  /** The community asks only ingresses outside the SP of this number. */
  readonly onlyOutsideSp?: number;
}

export type Action =
  | { readonly localPref: number }
  | { readonly med: number }
  /** May be negative; the result stays within 0..4294967295. An absent MED counts as 0. */
  | { readonly addMed: number }
  | { readonly removeMed: true }
  | { readonly origin: BgpOrigin }
  /** An address, or 'peer': that of the neighbour it came from. */
  | { readonly nextHop: string }
  /** Own AS number (default) or another one, in front of the path. */
  | { readonly prepend: { readonly times: number; readonly asn?: number } }
  | { readonly setCommunities: readonly string[] }
  | { readonly addCommunities: readonly string[] }
  /** Patterns. */
  | { readonly deleteCommunities: readonly string[] }
  | { readonly setLargeCommunities: readonly string[] }
  | { readonly addLargeCommunities: readonly string[] }
  | { readonly deleteLargeCommunities: readonly string[] }
  /** Those three leave IPsec communities alone (policy-model 13). */
  | { readonly setExtendedCommunities: readonly string[] }
  | { readonly addExtendedCommunities: readonly string[] }
  | { readonly deleteExtendedCommunities: readonly string[] }
  /** Raises what the route's community accepts; with `weaken` replaces it whatever it was. */
  | { readonly ipsec: IpsecPolicy; readonly weaken?: true }
  /** Leaves no IPsec community: plain MPLS. */
  | { readonly removeIpsec: true; readonly weaken: true };

/** 'next': with the changes made so far, to the next rule. */
export type Verdict = 'accept' | 'reject' | 'next';

export interface PolicyRule {
  /** For `sealane bgp policy test` and logs. */
  readonly name?: string;
  /** Default: every route. */
  readonly when?: Condition;
  /** In order. */
  readonly do?: readonly Action[];
  readonly then: Verdict;
}

export interface BgpPolicy {
  readonly rules: readonly PolicyRule[];
  /** Of a route that no rule decided; default 'reject'. */
  readonly otherwise?: 'accept' | 'reject';
}
