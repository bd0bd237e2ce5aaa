// SPDX-License-Identifier: Apache-2.0
/** Classes that labels of routes passed on (transit.ts) may have by a configuration: all that its `accepts` allow. */
import { isInternal, neighboursOf, type ConfiguredNeighbour } from '../../config/bgp/resolve.js';
import type { Bgp, Config, ExportClass, Protection } from '../../config/types.js';
import { covers, hostPrefix, parseAddress, parsePrefix } from '../../lib/ip.js';
import { classText } from '../label-plan.js';
import type { SpTables } from '../sp-tables.js';
import { BOTH, offeredTo } from './transit-context.js';

/** In words, as the end of a label's. `on`: the interface for which plain MPLS was told. */
export const swapClass = (exported: ExportClass, sps: SpTables, on: string | undefined): string =>
  `${classText(exported, sps)}${on === undefined ? '' : ` on ${on}`}`;

/** Core interfaces for plain MPLS with another SP on whose subnet a neighbour, or one of a range, may be. */
function mplsInterfaces(config: Config, { address, prefix }: ConfiguredNeighbour): string[] {
  const bytes = address === undefined ? undefined : parseAddress(address);
  const where = bytes === undefined ? parsePrefix(prefix ?? '') : hostPrefix(bytes);
  if (where === undefined) return [];
  return Object.entries(config.interfaces).flatMap(([name, one]) => {
    if (one.role !== 'core' || one.mpls !== 'other-sp') return [];
    const subnets = one.addresses.flatMap((text) => parsePrefix(text) ?? []);
    return subnets.some((subnet) => covers(subnet, where) || covers(where, subnet)) ? [name] : [];
  });
}

/** Of each neighbour the SPs that it may be told as: a range may have some of our own AS. */
function spsOf(neighbour: ConfiguredNeighbour, bgp: Bgp, ownSp: string): string[] {
  if (isInternal(neighbour, bgp)) return [ownSp];
  const its = neighbour.sp ?? ownSp;
  return typeof neighbour.asn === 'number' ? [its] : [its, ownSp];
}

/** Without the empty set. */
function subsets<T>(of: readonly T[]): T[][] {
  const all = Array.from({ length: 2 ** of.length }, (_, bits) =>
    of.filter((__, i) => ((bits >> i) & 1) === 1),
  );
  return all.slice(1);
}

function* classesTo(
  config: Config,
  sps: SpTables,
  neighbour: ConfiguredNeighbour,
  sp: string,
): Generator<string> {
  const { accepts } = neighbour;
  const own = sp === config.ownSp;
  const encapsulations = accepts?.encapsulations ?? BOTH;
  const offered =
    offeredTo({ sp, accepts }, config.ownSp) ?? (['encrypt', 'authenticate', 'tunnel'] as const);
  const asked: readonly Protection[] = offered.filter((one) => one !== 'mpls');
  for (const protections of subsets(asked)) {
    const exported = { protections, encapsulations, toSps: [sp] };
    yield swapClass(exported, sps, undefined);
    if (own) yield swapClass({ ...exported, clearInsideOwnSp: true }, sps, undefined);
  }
  const plain = accepts?.protections ?? (own ? (['mpls'] as const) : []);
  if (!plain.includes('mpls')) return;
  const exported = { protections: plain, toSps: [sp] };
  yield swapClass(exported, sps, undefined);
  if (own) return;
  for (const on of mplsInterfaces(config, neighbour)) yield swapClass(exported, sps, on);
}

/** Expects a checked configuration. */
export function swapClasses(config: Config, sps: SpTables): ReadonlySet<string> {
  const { bgp, ownSp } = config;
  // Only a border router passes routes on.
  if (bgp?.keepAllVpnRoutes !== true) return new Set();
  const neighbours = neighboursOf(config).filter(({ vrf }) => vrf === undefined);
  return new Set(
    neighbours.flatMap((one) =>
      spsOf(one, bgp, ownSp).flatMap((sp) => [...classesTo(config, sps, one, sp)]),
    ),
  );
}
