// SPDX-License-Identifier: Apache-2.0
/**
 * What a route says of encapsulations beside the IPsec Extended Community: the Encapsulation Extended
 * Community and the Tunnel Encapsulation attribute (RFC 9012 §2, §4.1), which say how, never how well protected
 * (docs/ipsec-extended-community.md, section 5). Other kinds of tunnel are no business of a labelled route.
 */
import type { IpsecMeaning } from '../../bgp/codec/communities/ipsec.js';
import { TUNNEL_TYPE } from '../../bgp/codec/attributes/tunnel-encapsulation.js';
import type { ImportQuestion } from '../../bgp/rib/api.js';
import type { Encapsulation } from '../../config/types.js';
import { encapsulationType } from '../../lib/bgp-words.js';
import { NOTHING_SIGNALLED, type Signalled } from './ingress.js';

const ENCAPSULATION: ReadonlyMap<number, Encapsulation> = new Map([
  [TUNNEL_TYPE.mplsInGre, 'gre'],
  [TUNNEL_TYPE.gre, 'gre'],
  [TUNNEL_TYPE.ipInIp, 'ip'],
]);

type Route = Pick<ImportQuestion, 'extendedCommunities' | 'tunnelEncapsulation'>;

function named({ extendedCommunities, tunnelEncapsulation }: Route): Encapsulation[] {
  const types = [
    ...extendedCommunities.flatMap((community) => encapsulationType(community) ?? []),
    ...tunnelEncapsulation.map(({ type }) => type),
  ];
  const found = types.flatMap((type) => ENCAPSULATION.get(type) ?? []);
  return [...new Set(found)];
}

/**
 * What was signalled, in encapsulations that the route names as well. Where the two have none in common the
 * IPsec community counts; where there is no such community, what the route names.
 */
export function narrowed(meaning: IpsecMeaning | undefined, route: Route): Signalled {
  const encapsulations = named(route);
  if (meaning === undefined) {
    if (encapsulations.length === 0) return NOTHING_SIGNALLED;
    return { protections: undefined, encapsulations };
  }
  const common = meaning.encapsulations.filter((each) => encapsulations.includes(each));
  return common.length === 0 ? meaning : { ...meaning, encapsulations: common };
}
