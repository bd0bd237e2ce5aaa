// SPDX-License-Identifier: Apache-2.0
/** The schema of policies; the types are in policy-types.ts, and schema.ts compares both. */
import { z } from 'zod';
import { MAX_U32 } from '../../lib/bgp-words.js';
import { address, boolean, integer, name, network, nonEmpty, oneOf, scalar } from '../scalars.js';
import { byType, choiceByKey, list, set, strict, type Equal, type Plain } from '../shapes.js';
import type { Condition } from './policy-types.js';
import {
  asn,
  asnRange,
  community,
  communityPattern,
  extendedCommunity,
  extendedPattern,
  largeCommunity,
  largeCommunityPattern,
  pathPattern,
  rdPattern,
  unsigned32,
} from './scalars.js';

export const policyName = name(64);
const ruleName = nonEmpty('a name of a rule', '"no private space"');

export const family = oneOf(
  'ipv4-unicast',
  'ipv6-unicast',
  'vpnv4-unicast',
  'vpnv6-unicast',
  'ipv4-labelled',
  'ipv6-labelled',
  'route-target',
);
const origin = oneOf('igp', 'egp', 'incomplete');

const bits = integer(0, 128, 'a prefix length');
export const prefixMatch = strict({
  prefix: network,
  ge: bits.exactOptional(),
  le: bits.exactOptional(),
});

const comparison = strict({
  atLeast: unsigned32('a number').exactOptional(),
  atMost: unsigned32('a number').exactOptional(),
  absent: boolean.exactOptional(),
});

/** The name of a prefix list, or its entries. */
const prefixes = byType('the name of a prefix list, or a list of { prefix, ge?, le? }', {
  string: policyName,
  list: list(prefixMatch),
});

// A condition may hold conditions: the type is named, and compared with the schema's by hand below.
export const condition: z.ZodType<Condition> = z.lazy(() =>
  choiceByKey<string, z.ZodType<Condition>>({
    all: strict({ all: list(condition) }),
    any: strict({ any: list(condition) }),
    not: strict({ not: condition }),
    ...plainConditions,
  }),
);

const plainConditions = {
  prefix: strict({ prefix: prefixes }),
  family: strict({ family: set(family) }),
  rd: strict({ rd: set(rdPattern) }),
  nextHop: strict({ nextHop: set(network) }),
  community: strict({ community: set(communityPattern) }),
  largeCommunity: strict({ largeCommunity: set(largeCommunityPattern) }),
  extendedCommunity: strict({ extendedCommunity: set(extendedPattern) }),
  asPathContains: strict({ asPathContains: set(asnRange) }),
  asPathOrigin: strict({ asPathOrigin: set(asnRange) }),
  asPathNeighbour: strict({ asPathNeighbour: set(asnRange) }),
  asPathLength: strict({ asPathLength: comparison }),
  asPath: strict({ asPath: set(pathPattern) }),
  origin: strict({ origin: set(origin) }),
  med: strict({ med: comparison }),
  localPref: strict({ localPref: comparison }),
  fromAsn: strict({ fromAsn: set(asnRange) }),
  fromAddress: strict({ fromAddress: set(network) }),
  local: strict({ local: boolean }),
  ipsec: strict({ ipsec: boolean }),
};

const yes = scalar<true>('true', (value) =>
  value === true
    ? value
    : { reason: 'only true means something here', remedy: 'true, or remove it' },
);
const ipsecPolicy = strict({
  protections: set(oneOf('encrypt', 'authenticate', 'tunnel')),
  encapsulations: set(oneOf('gre', 'ip')).exactOptional(),
  onlyOutsideSp: integer(1, MAX_U32, 'the number of an SP').exactOptional(),
});

const nextHop = scalar<string>('an address, or "peer"', (value) => {
  if (value === 'peer') return value;
  const parsed = address().safeParse(value);
  if (parsed.success) return parsed.data;
  return { reason: 'not an address as next hop', remedy: 'e.g. "192.0.2.1", or "peer"' };
});

const u32 = unsigned32('a number');
const action = choiceByKey({
  localPref: strict({ localPref: u32 }),
  med: strict({ med: u32 }),
  addMed: strict({ addMed: integer(-MAX_U32, MAX_U32, 'a difference') }),
  removeMed: strict({ removeMed: yes }),
  origin: strict({ origin }),
  nextHop: strict({ nextHop }),
  prepend: strict({
    prepend: strict({
      times: integer(1, 25, 'how often it is prepended'),
      asn: asn.exactOptional(),
    }),
  }),
  setCommunities: strict({ setCommunities: list(community) }),
  addCommunities: strict({ addCommunities: set(community) }),
  deleteCommunities: strict({ deleteCommunities: set(communityPattern) }),
  setLargeCommunities: strict({ setLargeCommunities: list(largeCommunity) }),
  addLargeCommunities: strict({ addLargeCommunities: set(largeCommunity) }),
  deleteLargeCommunities: strict({ deleteLargeCommunities: set(largeCommunityPattern) }),
  setExtendedCommunities: strict({ setExtendedCommunities: list(extendedCommunity) }),
  addExtendedCommunities: strict({ addExtendedCommunities: set(extendedCommunity) }),
  deleteExtendedCommunities: strict({ deleteExtendedCommunities: set(extendedPattern) }),
  ipsec: strict({ ipsec: ipsecPolicy, weaken: yes.exactOptional() }),
  removeIpsec: strict({ removeIpsec: yes, weaken: yes }),
});

const rule = strict({
  name: ruleName.exactOptional(),
  when: condition.exactOptional(),
  do: list(action).exactOptional(),
  then: oneOf('accept', 'reject', 'next'),
});

export const bgpPolicy = strict({
  rules: list(rule),
  otherwise: oneOf('accept', 'reject').exactOptional(),
});

// The branches of `condition` without those that nest: with them, exactly the type's.
type Flat = { [K in keyof typeof plainConditions]: z.output<(typeof plainConditions)[K]> };
type Branches = Flat[keyof Flat];
type Nested = Extract<Condition, { all: unknown } | { any: unknown } | { not: unknown }>;
true satisfies Equal<Plain<Branches>, Plain<Exclude<Condition, Nested>>>;
