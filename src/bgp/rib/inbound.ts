// SPDX-License-Identifier: Apache-2.0
/**
 * What becomes of an attribute set on its way in from a neighbour: loop checks (RFC 4271 §5.1.3, §9.1.2, RFC
 * 4456 §8), what a CE may not say (policy-model 13), site of origin, graceful shutdown (RFC 8326), then the
 * neighbour's policy. The outcome for
 * a set is remembered, except where the policy looks at prefixes.
 */
import { FAMILY, type FamilyId, type PathAttributes } from '../codec/types.js';
import type { PolicyRoute } from '../types.js';
import { type AttributeReader, unmapped } from './attribute-codec.js';
import { type AttributeId, CLUSTER_LOOP, GRACEFUL_SHUTDOWN } from './attribute-store.js';
import type { Core } from './core.js';
import { sameOctets } from './octets.js';
import type { Peer } from './peers.js';
import { SetCache } from './set-cache.js';
import { isSiteOfOrigin, withoutVpnAttributes } from './vpn-communities.js';

/** A route's place, for policies that ask. */
export type RoutePlace = Pick<PolicyRoute, 'prefix' | 'length' | 'rd'>;

export type Loop =
  | 'own AS in path'
  | 'own cluster or originator'
  | 'own address as next hop'
  | 'first AS is not the neighbour';

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
  loop(set: AttributeId, family: FamilyId): Loop | undefined {
    const { attributes, options } = this.#core;
    const { info, config } = this.#peer;
    // The next hop of a route target is nobody's way to anywhere.
    const nextHop = attributes.addresses.get(attributes.nextHop(set));
    if (family !== FAMILY.routeTarget && sameOctets(nextHop, unmapped(info.localAddress))) {
      return 'own address as next hop';
    }
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
    if (plain && !this.#leaving(set)) {
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

  /** RFC 8326 §4: what a neighbour outside is about to stop forwarding is the last choice. */
  #leaving(set: AttributeId): boolean {
    return this.#peer.external && this.#core.attributes.has(set, GRACEFUL_SHUTDOWN);
  }

  #make(set: AttributeId, family: FamilyId, place: RoutePlace): AttributeId {
    const { attributes } = this.#core;
    const { config, info } = this.#peer;
    const before = attributes.decoded(set);
    let now = before;
    if (info.vrf !== undefined) now = withoutVpnAttributes(now, config.passVpn ?? []);
    if (config.siteOfOrigin !== undefined) now = withSiteOfOrigin(now, config.siteOfOrigin);
    if (this.#leaving(set)) now = { ...now, localPref: 0 };
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
