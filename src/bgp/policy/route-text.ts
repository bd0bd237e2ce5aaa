// SPDX-License-Identifier: Apache-2.0
/**
 * Routes in text, for `sealane bgp policy test`: a prefix, then words KEY=VALUE, lists with commas:
 *
 *   10.1.2.0/24 rd=65001:1 next-hop=192.0.2.7 as-path=65100,65101,{65102,65103} origin=igp med=5
 *   local-pref=200 communities=65001:100,no-export large=65001:1:2 extended=target:65001:1,color:5
 *   ipsec=encrypt,authenticate:gre from=10.1.0.2 from-asn=65100 family=vpnv4-unicast
 */
import {
  formatCommunity,
  formatExtendedCommunity,
  formatLargeCommunity,
  MAX_U32,
  parseCommunity,
  parseDecimal,
  parseExtendedCommunity,
  parseLargeCommunity,
  parseRd,
} from '../../lib/bgp-words.js';
import { formatAddress, networkOf, parseAddress, parsePrefix } from '../../lib/ip.js';
import { suggest } from '../../lib/suggest.js';
import { formatIpsec, parseIpsec, type IpsecCommunityFormat } from '../codec/communities/ipsec.js';
import { FAMILIES, FAMILY, type FamilyId, type PathAttributes } from '../codec/types.js';
import { FAMILY_IDS } from '../codec/families.js';
import type { PolicyRoute } from '../types.js';
import { formatPath, parsePath } from './as-path.js';

/** What cannot be read, and what would be right. */
export interface RouteTextError {
  readonly message: string;
  readonly remedy: string;
}

interface Draft {
  attributes: { -readonly [K in keyof PathAttributes]: PathAttributes[K] };
  rd?: bigint;
  family?: FamilyId;
  from?: Uint8Array;
  fromAsn?: number;
}

const ORIGINS = ['igp', 'egp', 'incomplete'] as const;

/** Takes a value into the draft; false: it is none. */
type Take = (draft: Draft, value: string, ipsec: IpsecCommunityFormat) => boolean;

/** Stores what could be read. */
function stored<T>(value: T | undefined, store: (value: T) => void): boolean {
  if (value === undefined) return false;
  store(value);
  return true;
}

/** Every member of a list, or undefined when one cannot be read. */
function all<T>(value: string, parse: (text: string) => T | undefined): T[] | undefined {
  const parsed = value.split(',').map(parse);
  const good = parsed.filter((each): each is T & {} => each !== undefined);
  return good.length === parsed.length ? good : undefined;
}

const KEYS: Readonly<Record<string, { readonly example: string; readonly take: Take }>> = {
  rd: {
    example: '65001:1',
    take: (draft, value) => stored(parseRd(value), (rd) => (draft.rd = rd)),
  },
  family: {
    example: 'vpnv4-unicast',
    take: (draft, value) =>
      stored(
        FAMILY_IDS.find((id) => FAMILIES[id].name === value),
        (id) => (draft.family = id),
      ),
  },
  'next-hop': {
    example: '192.0.2.7',
    take: (draft, value) =>
      stored(parseAddress(value), (address) => (draft.attributes.nextHop = address)),
  },
  'as-path': {
    example: '65100,65101',
    take: (draft, value) =>
      stored(parsePath(pathWords(value)), (path) => (draft.attributes.asPath = path)),
  },
  origin: {
    example: 'igp',
    take: (draft, value) => {
      const found = ([0, 1, 2] as const).find((each) => ORIGINS[each] === value);
      return stored(found, (origin) => (draft.attributes.origin = origin));
    },
  },
  med: {
    example: '10',
    take: (draft, value) =>
      stored(parseDecimal(value, MAX_U32), (med) => (draft.attributes.med = med)),
  },
  'local-pref': {
    example: '200',
    take: (draft, value) =>
      stored(parseDecimal(value, MAX_U32), (number) => (draft.attributes.localPref = number)),
  },
  communities: {
    example: '65001:100,no-export',
    take: (draft, value) =>
      stored(all(value, parseCommunity), (list) => (draft.attributes.communities = list)),
  },
  large: {
    example: '65001:1:2',
    take: (draft, value) =>
      stored(all(value, parseLargeCommunity), (list) => (draft.attributes.largeCommunities = list)),
  },
  extended: {
    example: 'target:65001:1,color:5',
    take: (draft, value) =>
      stored(all(value, parseExtendedCommunity), (list) => {
        addTo(draft, list);
      }),
  },
  ipsec: {
    example: 'encrypt,authenticate:gre,ip:outside=65001',
    take: (draft, value, format) =>
      stored(parseIpsec(`ipsec:${value}`), (meaning) => {
        addTo(draft, [format.write(meaning)]);
      }),
  },
  from: {
    example: '192.0.2.11',
    take: (draft, value) => stored(parseAddress(value), (address) => (draft.from = address)),
  },
  'from-asn': {
    example: '65100',
    take: (draft, value) => stored(parseDecimal(value, MAX_U32), (asn) => (draft.fromAsn = asn)),
  },
};

function addTo(draft: Draft, list: readonly bigint[]): void {
  draft.attributes.extendedCommunities = [...(draft.attributes.extendedCommunities ?? []), ...list];
}

/** Commas outside of sets stand for the white space of paths. */
const pathWords = (value: string): string =>
  value.replaceAll(/\{[^}]*\}|,/g, (found) => (found === ',' ? ' ' : found));

/** Reads a route; without from= and from-asn= it is our own. */
export function parseRoute(
  words: readonly string[],
  ipsec: IpsecCommunityFormat,
): PolicyRoute | RouteTextError {
  const [text = '', ...rest] = words;
  const parsed = text.includes('/') ? parsePrefix(text) : undefined;
  if (parsed === undefined) {
    return { message: `"${text}" is no prefix`, remedy: 'first a prefix, e.g. 10.1.2.0/24' };
  }
  const draft: Draft = { attributes: { origin: 0, asPath: [] } };
  for (const word of rest) {
    const at = word.indexOf('=');
    const key = at < 0 ? word : word.slice(0, at);
    const known = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
    if (known === undefined || at < 0) {
      const remedy =
        known === undefined ? suggest(key, Object.keys(KEYS), 'keys') : `${key}=${known.example}`;
      return { message: `"${word}" says nothing of a route`, remedy };
    }
    if (!known.take(draft, word.slice(at + 1), ipsec)) {
      return { message: `${key} cannot be read in "${word}"`, remedy: `${key}=${known.example}` };
    }
  }
  return routeOf(parsed.family, networkOf(parsed), draft);
}

function routeOf(
  version: 4 | 6,
  prefix: { readonly address: Uint8Array; readonly length: number },
  { attributes, rd, family, from, fromAsn }: Draft,
): PolicyRoute {
  const plain = version === 4 ? FAMILY.ipv4Unicast : FAMILY.ipv6Unicast;
  const vpn = version === 4 ? FAMILY.vpnv4 : FAMILY.vpnv6;
  const came = from !== undefined || fromAsn !== undefined;
  const address = from ?? new Uint8Array(4);
  return {
    family: family ?? (rd === undefined ? plain : vpn),
    ...{ prefix: prefix.address, length: prefix.length, rd, attributes },
    from: came ? { asn: fromAsn ?? 0, address } : undefined,
  };
}

/** The attributes as words in the order of the head of this file; those that are absent are left out. */
export function formatAttributes(
  attributes: PathAttributes,
  ipsec: IpsecCommunityFormat,
): readonly string[] {
  const extended = attributes.extendedCommunities ?? [];
  const meaning = ipsec.read(extended);
  const others = extended.filter((each) => !ipsec.is(each));
  const words: readonly (readonly [string, string | undefined])[] = [
    ['next-hop', attributes.nextHop && formatAddress(attributes.nextHop)],
    ['as-path', attributes.asPath.length === 0 ? undefined : pathText(attributes.asPath)],
    ['origin', ORIGINS[attributes.origin]],
    ['med', attributes.med?.toString()],
    ['local-pref', attributes.localPref?.toString()],
    ['communities', attributes.communities?.map(formatCommunity).join(',')],
    ['large', attributes.largeCommunities?.map(formatLargeCommunity).join(',')],
    ['extended', others.map(formatExtendedCommunity).join(',')],
    ['ipsec', meaning && formatIpsec(meaning).replace(/^ipsec:/, '')],
  ];
  return words.flatMap(([key, value]) =>
    value === undefined || value === '' ? [] : [`${key}=${value}`],
  );
}

const pathText = (path: PathAttributes['asPath']): string => formatPath(path).replaceAll(' ', ',');
