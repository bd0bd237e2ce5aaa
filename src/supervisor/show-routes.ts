// SPDX-License-Identifier: Apache-2.0
/** `sealane show routes`: the live rows, not the wanted ones. A generator: a million rows take a while. */
import type { RouteRow as LiveRow } from '../forwarding/addon/api.js';
import { CORE_VRF, type DesiredNexthop } from '../forwarding/rows.js';
import { covers, familyOf, formatPrefix, type Prefix } from '../lib/ip.js';
import type { RouteFilter, RouteRow } from '../rpc/backend.js';
import type { InForce } from './instance.js';
import { acceptWords, nexthopWords, type NexthopWords, type ShowSource } from './show-rows.js';

/** Rows read at once: about a millisecond. */
const PAGE = 1024;

/** Words by next-hop row id, made when first needed. */
class Words {
  readonly #names: ReadonlyMap<number, string>;
  readonly #made = new Map<number, NexthopWords>();
  readonly #inForce: InForce;

  constructor(source: ShowSource, inForce: InForce) {
    const { nexthops } = source.instance.reconciler.live;
    this.#names = new Map([...nexthops].map(([name, { id }]) => [id, name]));
    this.#inForce = inForce;
  }

  of(id: number): NexthopWords {
    const made = this.#made.get(id);
    if (made !== undefined) return made;
    const name = this.#names.get(id) ?? '';
    const { overlay, rows } = this.#inForce;
    const nexthop: DesiredNexthop | undefined =
      overlay.nexthops.get(name) ?? rows.nexthops.get(name);
    const words = nexthopWords(this.#inForce, name, nexthop);
    this.#made.set(id, words);
    return words;
  }
}

function matches(filter: RouteFilter, route: LiveRow): boolean {
  if (filter.prefix === undefined) return true;
  const { address, length } = filter.prefix;
  const outerFamily = familyOf(address);
  if (outerFamily === undefined) return false;
  const outer: Prefix = { family: outerFamily, address, length };
  return covers(outer, route);
}

function* routesOf(source: ShowSource, filter: RouteFilter, vrf: number): Generator<LiveRow> {
  const { tables } = source;
  if (filter.address !== undefined) {
    const found = tables.lookup(vrf, filter.address);
    if (found !== undefined && matches(filter, found)) yield found;
    return;
  }
  for (const family of [4, 6] as const) {
    // Routes that come and go meanwhile may be missed or seen twice.
    for (let from = 0; from < tables.routeCount(vrf, family); from += PAGE) {
      const page = tables.routes(vrf, family, undefined, from, PAGE);
      yield* page.filter((route) => matches(filter, route));
    }
  }
}

export function* routeRows(source: ShowSource, filter: RouteFilter): Generator<RouteRow> {
  const { inForce } = source.instance;
  if (inForce === undefined) return;
  const accepts = acceptWords(source, inForce);
  const words = new Words(source, inForce);
  const all = [CORE_VRF, ...inForce.rows.vrfs.keys()];
  for (const vrf of filter.vrf === undefined ? all : [filter.vrf]) {
    const id = source.instance.reconciler.live.vrf(vrf);
    if (id === undefined) continue;
    for (const route of routesOf(source, filter, id)) {
      // Of a route with several ways a row each.
      const ways = route.ways ?? [route];
      for (const way of ways) {
        const nexthop = words.of(way.nexthop);
        yield {
          ...{ vrf, prefix: formatPrefix(route), owner: route.owner },
          ...nexthop,
          label: nexthop.nexthop === 'tunnel' ? way.label : undefined,
          accept: route.accept === 0 ? '' : (accepts.get(route.accept) ?? ''),
          ...{ stale: route.stale, ways: ways.length },
        };
      }
    }
  }
}
