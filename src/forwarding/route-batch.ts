// SPDX-License-Identifier: Apache-2.0
/** Collects route changes of one VRF and family and hands them to the addon in columns. */
import type { Family } from '../lib/ip.js';
import type { RouteBatch, RouteOwner, Tables } from './addon/api.js';
import { ROUTE_OWNERS } from './addon/api.js';

/** Rows per batch: about a millisecond of the addon's work. */
export const BATCH_ROWS = 2048;

/** A route as a live row has it. */
export interface LiveRoute {
  readonly nexthop: number;
  readonly label: number;
  readonly accept: number;
  readonly owner: RouteOwner;
}

export interface RouteChange {
  readonly address: Uint8Array;
  readonly length: number;
  /** undefined: delete. */
  readonly to: LiveRoute | undefined;
}

export function columns(vrf: number, family: Family, changes: readonly RouteChange[]): RouteBatch {
  const size = family === 4 ? 4 : 16;
  const count = changes.length;
  const batch = {
    ...{ vrf, family, count },
    remove: new Uint8Array(count),
    addresses: new Uint8Array(count * size),
    lengths: new Uint8Array(count),
    nexthops: new Uint32Array(count),
    labels: new Uint32Array(count),
    accepts: new Uint16Array(count),
    owners: new Uint8Array(count),
  };
  changes.forEach(({ address, length, to }, i) => {
    batch.addresses.set(address, i * size);
    batch.lengths[i] = length;
    batch.remove[i] = to === undefined ? 1 : 0;
    batch.nexthops[i] = to?.nexthop ?? 0;
    batch.labels[i] = to?.label ?? 0;
    batch.accepts[i] = to?.accept ?? 0;
    batch.owners[i] = to === undefined ? 0 : ROUTE_OWNERS.indexOf(to.owner) + 1;
  });
  return batch;
}

/** Applies the changes a batch at a time; the caller may pause at each step. */
export function* applyChanges(
  tables: Pick<Tables, 'applyRoutes'>,
  vrf: number,
  family: Family,
  changes: readonly RouteChange[],
): Generator<void> {
  for (let from = 0; from < changes.length; from += BATCH_ROWS) {
    tables.applyRoutes(columns(vrf, family, changes.slice(from, from + BATCH_ROWS)));
    yield;
  }
}
