// SPDX-License-Identifier: Apache-2.0
/** Schemas of BGP's own words: communities, route targets, AS numbers, patterns. */
import {
  parseCommunityPattern,
  parseExtendedPattern,
  parseLargeCommunityPattern,
  parsePathPattern,
  parseRange,
  parseRdPattern,
} from '../../lib/bgp-patterns.js';
import {
  formatExtendedCommunity,
  MAX_U32,
  parseCommunity,
  parseExtendedCommunity,
  parseLargeCommunity,
  parseRd,
  parseRouterId,
  parseRouteTarget,
  parseSiteOfOrigin,
} from '../../lib/bgp-words.js';
import { typeInWords, type Mistake } from '../issues.js';
import { integer, scalar } from '../scalars.js';

type TextSchema = ReturnType<typeof scalar<string>>;

/** A string that `parse` understands, kept as it is. */
function worded(
  what: string,
  examples: string,
  parse: (text: string) => unknown,
  wrong?: (text: string) => Mistake | undefined,
): TextSchema {
  return scalar<string>(what, (value) => {
    if (typeof value !== 'string') {
      return { reason: `expected a string, got ${typeInWords(value)}`, remedy: `e.g. ${examples}` };
    }
    const mistake = wrong?.(value);
    if (mistake !== undefined) return mistake;
    if (parse(value) !== undefined) return value;
    return { reason: `not ${what}`, remedy: `e.g. ${examples}` };
  });
}

/** 23456 stands for "does not fit in two octets" (RFC 6793 §9), 0 and the largest for nothing (RFC 7607, RFC 7300). */
export const asn = scalar<number>('an AS number, 1..4294967294', (value) => {
  const remedy = 'an AS number, 1..4294967294, but not 23456 or 65535';
  if (typeof value !== 'number') {
    return { reason: `expected a number, got ${typeInWords(value)}`, remedy };
  }
  const valid = Number.isInteger(value) && value > 0 && value < MAX_U32;
  if (valid && value !== 23_456 && value !== 65_535) return value;
  return { reason: 'not an AS number that a router can have', remedy };
});

export const routerId = worded('a router id', '"192.0.2.1"', (text) => {
  const id = parseRouterId(text);
  return id === 0 ? undefined : id;
});

export const rd = worded(
  'a route distinguisher',
  '"65001:1", "192.0.2.1:1" or "4200000000:1"',
  parseRd,
);
export const routeTargetText = worded(
  'a route target',
  '"65001:100", "192.0.2.1:100" or "4200000000:100"',
  parseRouteTarget,
  (text) =>
    text.startsWith('target:')
      ? { reason: 'a route target with its word', remedy: `"${text.slice('target:'.length)}"` }
      : undefined,
);

export const siteOfOriginText = worded(
  'a site of origin',
  '"65001:100" or "192.0.2.1:100"',
  parseSiteOfOrigin,
);

export const community = worded(
  'a community',
  '"65001:100" or a name as "no-export"',
  parseCommunity,
);
export const largeCommunity = worded('a large community', '"65001:1:2"', parseLargeCommunity);

/** Type octet of the IPsec extended community (docs/ipsec-extended-community.md): experimental use. */
const IPSEC_TYPE = '0x83';

/** A value to set or add: IPsec communities have an action of their own, which cannot weaken unasked. */
export const extendedCommunity = worded(
  'an extended community',
  '"target:65001:100", "origin:65001:1", "color:100" or "0x" and 16 hexadecimal digits',
  parseExtendedCommunity,
  (text) => {
    if (text.startsWith(IPSEC_TYPE)) {
      return {
        reason: 'an IPsec community by its octets (policy-model 13)',
        remedy: 'set.ipsec({ protections: [...] })',
      };
    }
    const value = parseExtendedCommunity(text);
    const right = value === undefined ? text : formatExtendedCommunity(value);
    return right === text ? undefined : { reason: 'not in its usual form', remedy: `"${right}"` };
  },
);

export const communityPattern = worded(
  'a community or pattern',
  '"65001:100", "65001:*" or "no-export"',
  parseCommunityPattern,
);
export const largeCommunityPattern = worded(
  'a large community or pattern',
  '"65001:1:2" or "65001:*:*"',
  parseLargeCommunityPattern,
);
export const extendedPattern = worded(
  'an extended community or pattern',
  '"target:65001:100", "target:65001:*" or "origin:*"',
  parseExtendedPattern,
);
export const rdPattern = worded(
  'a route distinguisher or pattern',
  '"65001:1" or "65001:*"',
  parseRdPattern,
);
export const asnRange = worded('AS numbers', '"65001" or "64512-65534"', (text) =>
  text === '*' ? undefined : parseRange(text, MAX_U32),
);
export const pathPattern = worded(
  'a pattern of an AS path',
  '"65001 .*", "[65001 65002]+" or "" for the empty path',
  parsePathPattern,
);

export const unsigned32 = (what: string): ReturnType<typeof integer> => integer(0, MAX_U32, what);
