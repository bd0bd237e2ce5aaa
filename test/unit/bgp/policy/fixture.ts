// SPDX-License-Identifier: Apache-2.0
/** Routes for policies, and a stand-in for the octets of IPsec communities. */
import type { BgpPolicy, IpsecProtection, PrefixMatch } from '../../../../src/config/types.js';
import { FAMILY, type PathAttributes } from '../../../../src/bgp/codec/types.js';
import { PolicyCompiler, type CompiledPolicy } from '../../../../src/bgp/policy/compile.js';
import type { IpsecCommunityFormat, IpsecMeaning } from '../../../../src/bgp/policy/ipsec.js';
import type { PolicyRoute } from '../../../../src/bgp/types.js';
import { parseAddress, parsePrefix } from '../../../../src/lib/ip.js';

const PROTECTIONS = ['encrypt', 'authenticate', 'tunnel'] as const;
const ENCAPSULATIONS = ['gre', 'ip'] as const;
const HEAD = 0x83f0n;

/** | 0x83 0xf0 | protections | encapsulations | SP + 1, or 0: no scope | */
export const format: IpsecCommunityFormat = {
  is: (community) => community >> 48n === HEAD,
  read: (communities) => {
    const found = communities.filter((each) => format.is(each));
    const [first] = found;
    if (first === undefined) return undefined;
    const pick = <T>(words: readonly T[], bits: bigint): T[] =>
      words.filter((_, i) => ((bits >> BigInt(i)) & 1n) === 1n);
    const scope = Number(first & 0xffff_ffffn);
    return {
      protections: pick(PROTECTIONS, first >> 40n),
      encapsulations: pick(ENCAPSULATIONS, first >> 32n),
      onlyOutsideSp: scope === 0 ? undefined : scope - 1,
    };
  },
  write: ({ protections, encapsulations, onlyOutsideSp }) => {
    const bits = <T>(words: readonly T[], chosen: readonly T[]): bigint =>
      words.reduce((sum, word, i) => (chosen.includes(word) ? sum | (1n << BigInt(i)) : sum), 0n);
    return (
      (HEAD << 48n) |
      (bits(PROTECTIONS, protections) << 40n) |
      (bits(ENCAPSULATIONS, encapsulations) << 32n) |
      BigInt(onlyOutsideSp === undefined ? 0 : onlyOutsideSp + 1)
    );
  },
};

export function ipsec(
  protections: readonly IpsecProtection[],
  encapsulations: readonly ('gre' | 'ip')[] = ENCAPSULATIONS,
  onlyOutsideSp?: number,
): bigint {
  const meaning: IpsecMeaning = { protections, encapsulations, onlyOutsideSp };
  return format.write(meaning);
}

export function route(
  attributes: Partial<PathAttributes> = {},
  rest: { prefix?: string; rd?: bigint; from?: { asn: number; address: string } | null } = {},
): PolicyRoute {
  const { prefix: text = '10.1.2.0/24', rd, from = { asn: 65001, address: '192.0.2.7' } } = rest;
  const prefix = parsePrefix(text)!;
  const plain = prefix.family === 4 ? FAMILY.ipv4Unicast : FAMILY.ipv6Unicast;
  return {
    family: rd === undefined ? plain : prefix.family === 4 ? FAMILY.vpnv4 : FAMILY.vpnv6,
    prefix: prefix.address,
    length: prefix.length,
    rd,
    attributes: {
      origin: 0,
      asPath: [{ type: 2, asns: [65001, 65002] }],
      nextHop: parseAddress('192.0.2.7')!,
      ...attributes,
    },
    from: from === null ? undefined : { asn: from.asn, address: parseAddress(from.address)! },
  };
}

export function compiled(
  policy: BgpPolicy,
  prefixLists: Record<string, readonly PrefixMatch[]> = {},
): CompiledPolicy {
  return new PolicyCompiler({ policies: { p: policy }, prefixLists }, format).compile('p', 65000);
}
