// SPDX-License-Identifier: Apache-2.0
/** Labelled unicast (RFC 8277) as it is told to whoever makes LSPs of it. */
import type { LabelledRoute } from './api.js';
import { unmapped } from './attribute-codec.js';
import { type Core, OURSELVES } from './core.js';
import type { NetId, NetTable } from './net-table.js';
import { BEST } from './path-store.js';

/** The best route of a net by what a neighbour says; without next hop: there is none, or it is our own. */
export function labelledRoute(core: Core, table: NetTable, net: NetId): LabelledRoute {
  const { paths, labels, attributes } = core;
  const address = new Uint8Array(4 * table.keyWords);
  table.copyKey(net, address, 0);
  const family = address.length === 4 ? 4 : 6;
  const prefix = { family, address, length: table.length(net) } as const;
  const best = table.firstPath(net);
  const learnt = best !== 0 && paths.has(best, BEST) && paths.peer(best) !== OURSELVES;
  if (!learnt) return { prefix, labels: [], nextHop: undefined, toldBySp: undefined };
  const { nextHop } = attributes.decoded(paths.attributes(best));
  return {
    ...{ prefix, labels: labels.labels(paths.label(best)) },
    ...{ nextHop: nextHop && unmapped(nextHop), toldBySp: core.toldBySp(best) },
  };
}
