// SPDX-License-Identifier: Apache-2.0
/** What a configuration in force says of routes that are passed on as next hop (see transit.ts), for as long as it is. */
import { ipsecCommunityFormat } from '../../bgp/codec/communities/ipsec.js';
import type { NextHopKey } from '../../bgp/rib/next-hops.js';
import type { Transit } from '../../bgp/rib/transit.js';
import type { EstablishedPeer } from '../../bgp/types.js';
import type { SpNumbers } from '../../config/sp-numbers.js';
import type { BgpNeighbourOptions, Config } from '../../config/types.js';
import type { RouteLabels } from '../route-labels.js';
import type { SpTables } from '../sp-tables.js';
import { spOfRemotes } from './identity.js';
import type { Ingress } from './ingress.js';
import type { Neighbour } from './neighbours.js';
import type { Way } from './tracker.js';
import { audienceOf, type TransitContext } from './transit-context.js';
import { vpnTransit } from './transit.js';

export class Passing {
  readonly #labels: Pick<RouteLabels, 'ask'>;
  readonly #way: (key: NextHopKey) => Way | undefined;
  #context: TransitContext | undefined;

  constructor(labels: Pick<RouteLabels, 'ask'>, way: (key: NextHopKey) => Way | undefined) {
    this.#labels = labels;
    this.#way = way;
  }

  apply(
    { config, sps }: { readonly config: Config; readonly sps: SpTables },
    ingress: Ingress,
    numbers: SpNumbers,
    neighbours: ReadonlyMap<string, Neighbour>,
  ): void {
    this.#context = {
      ...{ config, sps, ingress, numbers, routeLabels: this.#labels },
      ipsec: ipsecCommunityFormat(config.bgp?.ipsecCommunitySubType),
      spOf: spOfRemotes(config),
      neighbour: (name) => neighbours.get(name)?.options,
      row: (key) => {
        const way = this.#way(key);
        return way?.kind === 'tunnel' ? way.row : undefined;
      },
    };
  }

  /** How routes of others are passed on to a neighbour; asks what is in force whenever it is used. */
  readonly transit = (peer: EstablishedPeer, options: BgpNeighbourOptions): Transit => {
    const need = (): TransitContext => {
      if (this.#context === undefined) throw new Error('no configuration is in force');
      return this.#context;
    };
    return vpnTransit(need, audienceOf(need().config, options, peer));
  };
}
