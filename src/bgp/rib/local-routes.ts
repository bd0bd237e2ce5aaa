// SPDX-License-Identifier: Apache-2.0
/** Routes of our own: network statements, redistributed routes of VRFs, and route targets (RFC 4684). */
import { FAMILY, type FamilyId, type PathAttributes } from '../codec/types.js';
import type { AttributeReader } from './attribute-codec.js';
import { type Core, OURSELVES } from './core.js';
import { NO_LABEL } from './label-stacks.js';
import { IMPORT, ZOMBIE } from './path-store.js';
import { CORE, isVpn, scopeOf, shapeOf, type VrfId, vrfOfScope } from './scope.js';

export interface LocalRoute {
  /** 0: the core. */
  readonly vrf: VrfId;
  readonly family: FamilyId;
  /** Octets of a full-length prefix, host bits zero. Not for VPN families: those are exported by VRFs. */
  readonly prefix: Uint8Array;
  readonly length: number;
  /** Tells routes to the same prefix apart, by source: connected, static, and so on. */
  readonly source: number;
  /** Labelled families: our label for the prefix. */
  readonly label?: number;
}

const TARGET_SOURCE = 0;

export class LocalRoutes {
  readonly #core: Core;
  readonly #reader: AttributeReader;
  #targets = new Set<bigint>();
  #all = false;

  constructor(core: Core, reader: AttributeReader) {
    this.#core = core;
    this.#reader = reader;
  }

  originate(route: LocalRoute, attributes: PathAttributes): void {
    const { family, prefix, length } = route;
    if (isVpn(family)) throw new RangeError('VPN routes are made by export rules');
    const scope = scopeOf(route.vrf, family);
    const { prefixBytes } = shapeOf(family);
    if (prefix.length !== prefixBytes) throw new RangeError('a prefix of the wrong size');
    const table = this.#core.nets.of(family);
    const net = table.findOrAdd(scope, length, prefix, 0, prefixBytes);
    const set = this.#reader.own(attributes);
    if (set === 0) throw new RangeError('attributes of an own route that fit no message');
    // The next hop of a route of our own matters to those we tell it to, not to whether it is one.
    const what = {
      peer: OURSELVES,
      identifier: route.source,
      attributes: set,
      label: route.label ?? NO_LABEL,
      filtered: false,
    };
    this.#core.announce(family, net, what, 0);
    this.#core.attributes.release(set);
  }

  retract(route: LocalRoute): void {
    const { family, prefix, length } = route;
    const table = this.#core.nets.of(family);
    const net = table.find(scopeOf(route.vrf, family), length, prefix, 0, prefix.length);
    if (net === 0) return;
    const path = this.#core.findPath(family, net, OURSELVES, route.source);
    if (path !== 0) this.#core.remove(path);
  }

  /** All of a VRF go. */
  removeVrf(id: VrfId): void {
    const { paths, nets } = this.#core;
    for (let path = 1; path < paths.limit; path++) {
      if (paths.net(path) === 0 || paths.has(path, ZOMBIE | IMPORT)) continue;
      const table = nets.of(paths.family(path));
      const ours = paths.peer(path) === OURSELVES && !isVpn(paths.family(path));
      if (ours && vrfOfScope(table.scope(paths.net(path))) === id) this.#core.remove(path);
    }
  }

  /**
   * What we want VPN routes of: these targets; all, as the default route target, when we keep every VPN
   * route (RFC 4684 §3.2).
   */
  setRouteTargets(targets: readonly bigint[]): void {
    const all = this.#core.options.retainVpn;
    const wanted = new Set(all ? [] : targets);
    for (const target of this.#targets) if (!wanted.has(target)) this.retract(this.#route(target));
    for (const target of wanted) {
      if (!this.#targets.has(target)) this.originate(this.#route(target), OWN_TARGET);
    }
    this.#targets = wanted;
    if (all && !this.#all) this.originate(EVERY_TARGET, OWN_TARGET);
    this.#all = all;
  }

  #route(target: bigint): LocalRoute {
    const prefix = new Uint8Array(12);
    const view = new DataView(prefix.buffer);
    view.setUint32(0, this.#core.options.asn);
    view.setBigUint64(4, target);
    return { vrf: CORE, family: FAMILY.routeTarget, prefix, length: 96, source: TARGET_SOURCE };
  }
}

const OWN_TARGET: PathAttributes = { origin: 0, asPath: [] };
const EVERY_TARGET: LocalRoute = {
  ...{ vrf: CORE, family: FAMILY.routeTarget, prefix: new Uint8Array(12), length: 0 },
  source: TARGET_SOURCE,
};
