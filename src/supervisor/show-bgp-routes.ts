// SPDX-License-Identifier: Apache-2.0
/**
 * `sealane show bgp routes`: paths of the RIB, page by page. The event loop turns between two pages, also
 * while nothing matches, so that looking at a million routes holds up nobody.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { formatIpsec, type IpsecCommunityFormat } from '../bgp/codec/communities/ipsec.js';
import { FAMILY_IDS, familyName } from '../bgp/codec/families.js';
import { FAMILY, type FamilyId, type PathAttributes } from '../bgp/codec/types.js';
import { formatPath } from '../bgp/policy/as-path.js';
import type { RouteQuery, RouteView } from '../bgp/rib/query.js';
import type { PeerId } from '../bgp/types.js';
import {
  addressOf,
  formatCommunity,
  formatExtendedCommunity,
  formatLargeCommunity,
  formatRd,
} from '../lib/bgp-words.js';
import { formatAddress, formatPrefix } from '../lib/ip.js';
import type { BgpRouteFilter, BgpRouteRow } from '../rpc/backend.js';
import type { BgpView } from '../vpn/bgp/view.js';

/** Routes made into rows at once: a millisecond or two. */
const PAGE = 64;

/** A page is rows before the event loop turns: a view of a route is good only until then. */
export async function* bgpRouteRows(
  bgp: BgpView | undefined,
  filter: BgpRouteFilter,
): AsyncGenerator<BgpRouteRow> {
  if (bgp === undefined) return;
  const peers = filter.neighbor === undefined ? undefined : peersOf(bgp, filter.neighbor);
  const words = new Words(bgp);
  for (const query of queriesOf(bgp, filter)) {
    let from: number | undefined = 0;
    while (from !== undefined) {
      const page = bgp.rib.queries.page(query, from, PAGE);
      const rows = page.routes
        .filter(({ peer }) => peers === undefined || (peer !== undefined && peers.has(peer)))
        .map((route) => words.row(route));
      from = page.next;
      yield* rows;
      await turn();
    }
  }
}

/** A neighbour's sessions; of a prefix several. */
function peersOf(bgp: BgpView, name: string): ReadonlySet<PeerId> {
  const named = bgp.speaker.show().filter((one) => one.name === name || one.neighbor === name);
  return new Set(named.map(({ id }) => id));
}

function queriesOf(bgp: BgpView, filter: BgpRouteFilter): RouteQuery[] {
  const families = FAMILY_IDS.filter((id) => isAskedFor(id, filter));
  const prefix = filter.prefix && {
    ...filter.prefix,
    ...(filter.longer === true && { longer: true }),
  };
  return families.flatMap((family) =>
    placesOf(bgp, filter).map((vrf) => ({ vrf, family, ...(prefix && { prefix }) })),
  );
}

/** A prefix is of one kind of address: others are not searched. */
function isAskedFor(id: FamilyId, { family, prefix }: BgpRouteFilter): boolean {
  if (family !== undefined && familyName(id) !== family) return false;
  if (prefix === undefined) return true;
  return id !== FAMILY.routeTarget && addressBytes(id) === prefix.address.length;
}

const IPV6: readonly FamilyId[] = [FAMILY.ipv6Unicast, FAMILY.vpnv6, FAMILY.ipv6Labelled];
const addressBytes = (family: FamilyId): 4 | 16 => (IPV6.includes(family) ? 16 : 4);

/** One prefix is found at once in each VRF; everything else is one walk for all of them. */
function placesOf(bgp: BgpView, { vrf, prefix, longer }: BgpRouteFilter): (number | undefined)[] {
  const ids = [...bgp.vrfs].filter(([, name]) => name === vrf).map(([id]) => id);
  if (vrf !== undefined) return ids;
  return prefix === undefined || longer === true ? [undefined] : [0, ...bgp.vrfs.keys()];
}

// ---- Words ---------------------------------------------------------------------------------------

type AttributeWords = Pick<
  BgpRouteRow,
  | 'nextHop'
  | 'localPref'
  | 'med'
  | 'asPath'
  | 'origin'
  | 'communities'
  | 'largeCommunities'
  | 'extendedCommunities'
  | 'originatorId'
  | 'clusterList'
  | 'aggregator'
  | 'atomicAggregate'
  | 'tunnelEncapsulation'
  | 'otherAttributes'
>;

const ORIGINS = ['igp', 'egp', 'incomplete'] as const;

const formatId = (id: number): string => formatAddress(addressOf(id));

/** A community that its text does not say all of is followed by its octets. */
function communityWord(community: bigint, ipsec: IpsecCommunityFormat): string {
  const meaning = ipsec.is(community) ? ipsec.read([community]) : undefined;
  if (meaning === undefined) return formatExtendedCommunity(community);
  const word = formatIpsec(meaning);
  if (meaning.protections.length > 0 && ipsec.write(meaning) === community) return word;
  return `${word}=0x${community.toString(16).padStart(16, '0')}`;
}

function attributeWords(attributes: PathAttributes, ipsec: IpsecCommunityFormat): AttributeWords {
  const { nextHop, linkLocalNextHop, aggregator } = attributes;
  const hops = [nextHop, linkLocalNextHop].flatMap((hop) => (hop ? [formatAddress(hop)] : []));
  const extended = attributes.extendedCommunities ?? [];
  return {
    nextHop: hops.join(' '),
    ...{ localPref: attributes.localPref, med: attributes.med },
    asPath: formatPath(attributes.asPath),
    origin: ORIGINS[attributes.origin],
    communities: (attributes.communities ?? []).map(formatCommunity).join(' '),
    largeCommunities: (attributes.largeCommunities ?? []).map(formatLargeCommunity).join(' '),
    extendedCommunities: extended.map((each) => communityWord(each, ipsec)).join(' '),
    originatorId: attributes.originatorId === undefined ? '' : formatId(attributes.originatorId),
    clusterList: (attributes.clusterList ?? []).map(formatId).join(' '),
    aggregator: aggregator ? `${aggregator.asn} ${formatAddress(aggregator.address)}` : '',
    atomicAggregate: attributes.atomicAggregate ?? false,
    tunnelEncapsulation: (attributes.tunnelEncapsulation ?? []).map(({ type }) => type).join(' '),
    otherAttributes: (attributes.others ?? []).map(({ type }) => type).join(' '),
  };
}

/** Routes that share a set of attributes share its words. */
class Words {
  readonly #bgp: BgpView;
  readonly #made = new WeakMap<PathAttributes, AttributeWords>();

  constructor(bgp: BgpView) {
    this.#bgp = bgp;
  }

  row(route: RouteView): BgpRouteRow {
    const { bgp } = { bgp: this.#bgp };
    const { rib, vrfs } = bgp;
    const rd = route.rd ?? route.fromRd;
    const { way, reason } = wayOf(bgp, route);
    const lender = route.fromVrf === undefined ? 'vpn' : (vrfs.get(route.fromVrf) ?? '');
    return {
      ...{ vrf: vrfs.get(route.vrf) ?? '', family: familyName(route.family) },
      ...{ rd: rd === undefined ? '' : formatRd(rd), prefix: prefixWord(route) },
      pathId: route.pathId === 0 ? undefined : route.pathId,
      ...{ best: route.best, multipath: route.multipath, filtered: route.filtered },
      ...{ usable: route.usable, reason, state: route.state, ageSeconds: BigInt(route.age) },
      neighbor: route.peer === undefined ? '' : (rib.core.peers[route.peer]?.info.name ?? ''),
      importedFrom: route.imported ? lender : '',
      ...{ way, label: route.labels.join(' ') },
      ...this.#attributes(route.attributes()),
    };
  }

  #attributes(attributes: PathAttributes): AttributeWords {
    const made = this.#made.get(attributes) ?? attributeWords(attributes, this.#bgp.ipsec);
    this.#made.set(attributes, made);
    return made;
  }
}

/** One route by itself. */
export const bgpRouteRow = (bgp: BgpView, route: RouteView): BgpRouteRow =>
  new Words(bgp).row(route);

/** "10.1.0.0/24"; of a route target (RFC 4684) "AS:target:65001:100/96", or "default". */
function prefixWord({ family, prefix, length }: RouteView): string {
  if (family !== FAMILY.routeTarget) return formatPrefix({ address: prefix, length });
  if (length === 0) return 'default';
  const view = new DataView(prefix.buffer, prefix.byteOffset, prefix.byteLength);
  return `${view.getUint32(0)}:${formatExtendedCommunity(view.getBigUint64(4))}/${length}`;
}

/** Where a route leads, and why it cannot be used. */
function wayOf(bgp: BgpView, route: RouteView): { way: string; reason: string } {
  const hop = bgp.way(route.nextHop);
  if (route.usable) return { way: hop.way, reason: '' };
  if (route.filtered) return { way: hop.way, reason: 'refused by the import policy' };
  if (route.state === 'dead') return { way: hop.way, reason: 'withdrawn, about to go' };
  if (hop.reason !== '') return hop;
  return { way: hop.way, reason: 'long-lived stale, and not to be kept so (NO_LLGR, RFC 9494)' };
}
