// SPDX-License-Identifier: Apache-2.0
/** The labels that one update group tells routes with: those received, or ours where we become next hop. */
import type { FamilyId } from '../codec/types.js';
import type { Core } from './core.js';
import type { NetId } from './net-table.js';
import type { Outbound } from './outbound.js';
import type { PathId } from './path-store.js';
import { TransitWays } from './transit-ways.js';

export class OutLabels {
  /** Where routes of others are passed on with ourselves as next hop. */
  readonly ways: TransitWays | undefined;
  readonly #core: Core;
  readonly #outbound: Outbound;
  readonly #family: FamilyId;

  constructor(core: Core, outbound: Outbound, family: FamilyId) {
    const { transit } = outbound;
    this.ways = transit && new TransitWays(core, transit);
    this.#core = core;
    this.#outbound = outbound;
    this.#family = family;
  }

  /** Whether a path may be told: where we would be next hop, its way can be used. */
  isPassable(path: PathId): boolean {
    const { paths } = this.#core;
    return !this.#outbound.swapsFrom(paths.peer(path)) || this.ways?.hop(path) !== undefined;
  }

  /** With a reference; undefined: the route needs a label of ours and there is none. `told`: its set. */
  acquire(net: NetId, path: PathId, told: number): number | 'later' | undefined {
    const { paths, labels } = this.#core;
    if (this.#outbound.swapsFrom(paths.peer(path))) return this.#swap(net, path, told);
    const label = paths.label(path);
    labels.retain(label);
    return label;
  }

  #swap(net: NetId, path: PathId, told: number): number | 'later' | undefined {
    const core = this.#core;
    const hop = this.ways?.hop(path);
    const key = hop === undefined ? undefined : core.hops.key(hop);
    if (key === undefined) return undefined;
    const label = this.#outbound.transit?.label({
      ...{ family: this.#family, net, labels: core.labels.labels(core.paths.label(path)) },
      ...{ nextHop: key.address, protection: key.protection },
      told: core.attributes.decoded(told),
    });
    if (typeof label === 'number') core.swapLabels.retain(label);
    return label;
  }

  /** `source`: the neighbour whose route had the label. */
  release(source: number, label: number): void {
    if (this.#outbound.swapsFrom(source)) this.#core.swapLabels.release(label);
    else this.#core.labels.release(label);
  }
}
