// SPDX-License-Identifier: Apache-2.0
/** Paths of BGP behind a route of a VRF: who told it, what the egress asks for, what was chosen and why. */
import { formatIpsec } from '../../bgp/codec/communities/ipsec.js';
import { FAMILY } from '../../bgp/codec/types.js';
import type { RouteView } from '../../bgp/rib/query.js';
import type { RouteRow } from '../../forwarding/addon/api.js';
import { formatExtendedCommunity } from '../../lib/bgp-words.js';
import { formatAddress, formatPrefix, networkOf } from '../../lib/ip.js';
import type { ImportExplained } from '../../vpn/bgp/explain.js';
import type { TunnelChoice } from '../../vpn/bgp/ingress.js';
import type { BgpView } from '../../vpn/bgp/view.js';
import { bgpRouteRow } from '../show-bgp-routes.js';
import type { Steps } from './steps.js';
import { encapsulationWord } from './way.js';

/** More paths of one prefix than anybody reads. */
const MOST_PATHS = 64;

type Place = Pick<RouteRow, 'family' | 'address' | 'length'>;

/** Paths of one prefix of a VRF. */
function pathsOf(bgp: BgpView, vrf: string, route: Place): readonly RouteView[] {
  const [id] = [...bgp.vrfs].find(([, name]) => name === vrf) ?? [];
  if (id === undefined) return [];
  const family = route.family === 4 ? FAMILY.ipv4Unicast : FAMILY.ipv6Unicast;
  const prefix = { address: route.address, length: route.length };
  return bgp.rib.queries.page({ vrf: id, family, prefix }, 0, MOST_PATHS).routes;
}

export function explainPaths(bgp: BgpView, vrf: string, route: Place, steps: Steps): void {
  const routes = pathsOf(bgp, vrf, route);
  const isUsed = ({ best, multipath }: RouteView): boolean => best || multipath;
  for (const path of routes.filter(isUsed)) explainUsed(bgp, vrf, path, steps);
  for (const path of routes.filter((one) => !isUsed(one))) explainOther(bgp, path, steps);
}

/**
 * A route that fits better than the one in the tables, and is not there because no path of it can be used: the
 * longest prefix of more than `above` bits that BGP knows. Undefined: there is none.
 */
export function explainUnusable(
  bgp: BgpView,
  vrf: string,
  { address, above }: { readonly address: Uint8Array; readonly above: number },
  steps: Steps,
): string | undefined {
  const family = address.length === 4 ? 4 : 6;
  for (let length = 8 * address.length; length > above; length--) {
    const place = networkOf({ family, address, length });
    const routes = pathsOf(bgp, vrf, place);
    if (routes.length === 0) continue;
    const prefix = formatPrefix(place);
    steps.bad('not installed', `${prefix}, known by BGP`, {
      ...{ why: 'none of its paths can be used', drop: '' },
    });
    for (const path of routes) {
      explainOther(bgp, path, steps);
      explainSignalled(bgp, vrf, path, steps);
    }
    return prefix;
  }
  return undefined;
}

function pathWords(bgp: BgpView, path: RouteView): string {
  const row = bgpRouteRow(bgp, path);
  const from = row.neighbor === '' ? 'our own' : `from ${row.neighbor}`;
  const imported = row.importedFrom === '' ? '' : `, imported from ${row.importedFrom}`;
  const words = [
    ...(row.rd === '' ? [] : [`RD ${row.rd}`]),
    ...(row.nextHop === '' ? [] : [`next hop ${row.nextHop}`]),
    `AS path ${row.asPath === '' ? 'empty' : row.asPath}`,
    ...(row.label === '' ? [] : [`label ${row.label}`]),
    ...(row.state === 'fresh' ? [] : [row.state]),
    `${row.ageSeconds} s old`,
  ];
  return `${from}${imported}: ${words.join(', ')}`;
}

function explainUsed(bgp: BgpView, vrf: string, path: RouteView, steps: Steps): void {
  steps.fact(path.best ? 'best path' : 'further path', pathWords(bgp, path));
  const communities = path.judged().extendedCommunities ?? [];
  const others = communities.filter((each) => !bgp.ipsec.is(each));
  if (others.length > 0) steps.fact('communities', others.map(formatExtendedCommunity).join(' '));
  explainSignalled(bgp, vrf, path, steps);
}

/** Of a route from another PE: what it asks for, and what we make of it. */
function explainSignalled(bgp: BgpView, vrf: string, path: RouteView, steps: Steps): void {
  if (!path.imported || path.fromVrf !== undefined) return;
  const meaning = bgp.ipsec.read(path.judged().extendedCommunities ?? []);
  steps.fact('signalled', meaning === undefined ? 'nothing' : formatIpsec(meaning));
  const explained = bgp.explainImport(vrf, path);
  if (explained !== undefined) explainImport(explained, steps);
}

function explainImport(explained: ImportExplained, steps: Steps): void {
  const { rule, fromSps, nextHop, sp, floor, chosen, alternatives, why } = explained;
  steps.fact('exporter', `${formatAddress(nextHop)} of SP ${sp ?? '(none)'}`);
  const believed = `believes ${fromSps.join(', ')}`;
  steps.fact('import rule', `${rule}: ${believed}${floor === undefined ? '' : `, floor ${floor}`}`);
  for (const one of alternatives) {
    if (one.refused !== undefined) steps.fact('not chosen', choiceWords(one), one.refused);
    else if (!isSame(one, chosen)) {
      steps.fact('not chosen', choiceWords(one), 'another goes before');
    }
  }
  if (chosen === undefined) steps.bad('chosen', 'nothing', { why: why ?? '', drop: '' });
  else steps.good('chosen', choiceWords(chosen));
}

const isSame = (a: TunnelChoice, b: TunnelChoice | undefined): boolean =>
  a.protection === b?.protection && a.encapsulation === b.encapsulation;

const choiceWords = ({ protection, encapsulation }: TunnelChoice): string =>
  protection === 'mpls' ? 'mpls' : `${protection}, ${encapsulationWord(encapsulation)}`;

function explainOther(bgp: BgpView, path: RouteView, steps: Steps): void {
  const { reason } = bgpRouteRow(bgp, path);
  steps.fact('other path', pathWords(bgp, path), reason === '' ? 'BGP prefers another' : reason);
}
