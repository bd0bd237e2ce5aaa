// SPDX-License-Identifier: Apache-2.0
/**
 * What becomes of an attribute set on its way in from a neighbour: loop checks (RFC 4271 §9.1.2, RFC 4456
 * §8), what a CE may not say (policy-model 13), site of origin, then the neighbour's policy. The outcome for
 * a set is remembered, except where the policy looks at prefixes.
 */
import type { FamilyId, PathAttributes } from '../codec/types.js';
import type { PolicyRoute } from '../types.js';
import type { AttributeReader } from './attribute-codec.js';
import { type AttributeId, CLUSTER_LOOP } from './attribute-store.js';
import type { Core } from './core.js';
import type { Peer } from './peers.js';
import { SetCache } from './set-cache.js';
import { isSiteOfOrigin, withoutVpnAttributes } from './vpn-communities.js';

/** A route's place, for policies that ask. */
export type RoutePlace = Pick<PolicyRoute, 'prefix' | 'length' | 'rd'>;

export type Loop = 'own AS in path' | 'own cluster or originator' | 'first AS is not the neighbour';

const NOWHERE: RoutePlace = { prefix: new Uint8Array(0), length: 0, rd: undefined };

export class Inbound {
  readonly #core: Core;
  readonly #reader: AttributeReader;
  readonly #peer: Peer;
  readonly #caches = new Map<FamilyId, SetCache>();

  constructor(core: Core, reader: AttributeReader, peer: Peer) {
    this.#core = core;
    this.#reader = reader;
    this.#peer = peer;
  }

  /** The policy must be asked for each route. */
  get perRoute(): boolean {
    return this.#peer.config.policyIn?.usesPrefix === true;
  }

  /** Why no route with this set may be taken; undefined: it may. */
  loop(set: AttributeId): Loop | undefined {
    const { attributes, options } = this.#core;
    const { info, config } = this.#peer;
    const allowed = config.allowAsIn ?? 0;
    if (attributes.ownAs(set) > allowed) return 'own AS in path';
    if (info.localAsn !== options.asn && count(attributes.decoded(set), info.localAsn) > allowed) {
      return 'own AS in path';
    }
    if (!this.#peer.external) {
      return attributes.has(set, CLUSTER_LOOP) ? 'own cluster or originator' : undefined;
    }
    const first = (config.enforceFirstAs ?? true) && attributes.neighbourAs(set) !== info.asn;
    return first ? 'first AS is not the neighbour' : undefined;
  }

  /** The set as it enters the table, with a reference; 0: the policy refuses it. */
  transform(set: AttributeId, family: FamilyId, place: RoutePlace = NOWHERE): AttributeId {
    const { attributes } = this.#core;
    const { config, info } = this.#peer;
    const inVrf = info.vrf !== undefined;
    const plain = config.policyIn === undefined && config.siteOfOrigin === undefined && !inVrf;
    if (plain) {
      attributes.retain(set);
      return set;
    }
    const make = (): AttributeId => this.#make(set, family, place);
    if (this.perRoute) return make();
    const cache = this.#caches.get(family) ?? new SetCache(attributes);
    this.#caches.set(family, cache);
    return cache.resolve(set, set, make);
  }

  /** The policy is another one, or the neighbour goes. */
  clear(): void {
    for (const cache of this.#caches.values()) cache.clear();
  }

  #make(set: AttributeId, family: FamilyId, place: RoutePlace): AttributeId {
    const { attributes } = this.#core;
    const { config, info } = this.#peer;
    const before = attributes.decoded(set);
    let now = before;
    if (info.vrf !== undefined) now = withoutVpnAttributes(now, config.passVpn ?? []);
    if (config.siteOfOrigin !== undefined) now = withSiteOfOrigin(now, config.siteOfOrigin);
    const from = { asn: info.asn, address: info.address };
    const after = config.policyIn
      ? config.policyIn.apply({ family, ...place, attributes: now, from })
      : now;
    if (after === undefined) return 0;
    if (after !== before) return this.#reader.own(after);
    attributes.retain(set);
    return set;
  }
}

function count(attributes: PathAttributes, asn: number): number {
  let found = 0;
  for (const { asns } of attributes.asPath) for (const one of asns) if (one === asn) found++;
  return found;
}

/** A CE's own idea of its site does not count. */
function withSiteOfOrigin(attributes: PathAttributes, site: bigint): PathAttributes {
  const others = (attributes.extendedCommunities ?? []).filter((one) => !isSiteOfOrigin(one));
  return { ...attributes, extendedCommunities: [...others, site] };
}
