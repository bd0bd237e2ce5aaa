// SPDX-License-Identifier: Apache-2.0
/** Routes for policies. */
import type { BgpPolicy, IpsecProtection, PrefixMatch } from '../../../../src/config/types.js';
import { ipsecCommunityFormat } from '../../../../src/bgp/codec/communities/ipsec.js';
import { FAMILY, type PathAttributes } from '../../../../src/bgp/codec/types.js';
import { PolicyCompiler, type CompiledPolicy } from '../../../../src/bgp/policy/compile.js';
import type { PolicyRoute } from '../../../../src/bgp/types.js';
import { parseAddress, parsePrefix } from '../../../../src/lib/ip.js';

export const format = ipsecCommunityFormat();

export function ipsec(
  protections: readonly IpsecProtection[],
  encapsulations: readonly ('gre' | 'ip')[] = ['gre', 'ip'],
  onlyOutsideSp?: number,
): bigint {
  return format.write({ protections, encapsulations, onlyOutsideSp });
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
