// SPDX-License-Identifier: Apache-2.0
/** Routes for people and for BMP and MRT: filtered, page by page, decoded only when they are looked at. */
import type { FamilyId, PathAttributes } from '../codec/types.js';
import type { PeerId } from '../types.js';
import { type Core, OURSELVES } from './core.js';
import { vrfOfExport } from './fib.js';
import type { NetTable, Scope } from './net-table.js';
import { BEST, FILTERED, IMPORT, MULTIPATH, type PathId } from './path-store.js';
import type { NextHopKey } from './next-hops.js';
import {
  familyOfNumber,
  familyOfScope,
  scopeOf,
  shapeOf,
  type VrfId,
  vrfOfScope,
} from './scope.js';

export interface RouteQuery {
  /** 0: the core; undefined: everywhere, in no order. */
  readonly vrf: VrfId | undefined;
  readonly family: FamilyId;
  /** Only this prefix; `longer`: and those inside of it. Octets of a full-length address. */
  readonly prefix?: {
    readonly address: Uint8Array;
    readonly length: number;
    readonly longer?: boolean;
  };
  readonly rd?: bigint;
  readonly peer?: PeerId;
  readonly bestOnly?: boolean;
}

export interface RouteView {
  readonly vrf: VrfId;
  readonly family: FamilyId;
  readonly rd: bigint | undefined;
  /** 4, 16 or (route target) 12 octets. */
  readonly prefix: Uint8Array;
  readonly length: number;
  readonly best: boolean;
  readonly multipath: boolean;
  /** Refused by the import policy. */
  readonly filtered: boolean;
  /** The next hop can be reached, and the route counts. */
  readonly usable: boolean;
  readonly state: 'fresh' | 'stale' | 'long-lived' | 'dead';
  /** Whole seconds since it came or last changed; of an import: since the VPN route did. */
  readonly age: number;
  /** undefined: ourselves. */
  readonly peer: PeerId | undefined;
  readonly pathId: number;
  /** Outermost first. */
  readonly labels: readonly number[];
  /** Came into the VRF from the VPN table; `fromVrf`: from which VRF of ours. */
  readonly imported: boolean;
  readonly fromVrf: VrfId | undefined;
  /** Of the VPN route it was imported from. */
  readonly fromRd: bigint | undefined;
  /** What the tracker was asked; undefined: ourselves. */
  readonly nextHop: NextHopKey | undefined;
  readonly metric: number;
  /** See NextHopState. */
  readonly rank: number;
  readonly protection: number;
  /** Decodes. */
  attributes(): PathAttributes;
  /** Of an import the VPN route's own, which import rules judged. Decodes. */
  judged(): PathAttributes;
  /** See ImportQuestion.insideOwnSp. */
  insideOwnSp(): boolean;
  /** See ImportQuestion.toldBySp. */
  toldBySp(): string | undefined;
}

export interface RoutePage {
  readonly routes: readonly RouteView[];
  /** Where the next page begins; undefined: that was all. */
  readonly next: number | undefined;
}

/** Nets looked at per page at most, whether they match or not: a page takes a few milliseconds. */
const MOST_NETS = 4_096;

export class RouteQueries {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  /**
   * Up to about `limit` routes from place `from` (0: the beginning) on. Routes that come or go between two
   * pages may be missed; none is shown twice unless it was withdrawn and came back.
   */
  page(query: RouteQuery, from: number, limit: number): RoutePage {
    const table = this.#core.nets.of(query.family);
    const scope = query.vrf === undefined ? undefined : scopeOf(query.vrf, query.family);
    const exact = scope === undefined ? undefined : this.#exactNet(query, table, scope);
    const routes: RouteView[] = [];
    if (exact !== undefined) {
      if (exact !== 0) this.#collect(query, table, exact, routes);
      return { routes, next: undefined };
    }
    const begin = Math.max(1, from);
    for (let net = begin; net < table.limit; net++) {
      if (net - begin >= MOST_NETS || routes.length >= limit) return { routes, next: net };
      if (isOf(table.scope(net), scope, query.family)) this.#collect(query, table, net, routes);
    }
    return { routes, next: undefined };
  }

  /** The only net that can match; 0: there is none; undefined: several can. */
  #exactNet(query: RouteQuery, table: NetTable, scope: Scope): number | undefined {
    const { prefix, rd } = query;
    const { rdBytes } = shapeOf(query.family);
    if (prefix === undefined || prefix.longer === true) return undefined;
    if (rdBytes === 8 && rd === undefined) return undefined;
    const key = new Uint8Array(rdBytes + prefix.address.length);
    if (rd !== undefined && rdBytes === 8) new DataView(key.buffer).setBigUint64(0, rd);
    key.set(prefix.address, rdBytes);
    return table.find(scope, prefix.length, key, 0, key.length);
  }

  #collect(query: RouteQuery, table: NetTable, net: number, into: RouteView[]): void {
    const { paths } = this.#core;
    const { rdBytes, prefixBytes } = shapeOf(query.family);
    const key = new Uint8Array(rdBytes + prefixBytes);
    table.copyKey(net, key, 0);
    const rd = rdBytes === 0 ? undefined : new DataView(key.buffer).getBigUint64(0);
    const prefix = key.subarray(rdBytes);
    const length = table.length(net);
    if (query.rd !== undefined && query.rd !== rd) return;
    if (query.prefix !== undefined && !matches(query.prefix, prefix, length)) return;
    for (let path = table.firstPath(net); path !== 0; path = paths.next(path)) {
      if (query.peer !== undefined && paths.peer(path) !== query.peer) continue;
      if (query.bestOnly === true && !paths.has(path, BEST)) continue;
      into.push(this.#view(path, vrfOfScope(table.scope(net)), { rd, prefix, length }));
    }
  }

  #view(path: PathId, vrf: VrfId, place: Pick<RouteView, 'rd' | 'prefix' | 'length'>): RouteView {
    const { paths, attributes, hops, labels } = this.#core;
    const imported = paths.has(path, IMPORT);
    const source = imported ? paths.source(path) : path;
    const id = paths.peer(source);
    const peer = this.#core.peers[id];
    const hop = hops.state(paths.hop(path));
    const nextHop = hops.key(paths.hop(path));
    const set = paths.attributes(path);
    // Field by field: spreading `place` costs many times as much, and there may be a million.
    return {
      rd: place.rd,
      prefix: place.prefix,
      length: place.length,
      vrf,
      family: familyOfNumber(paths.family(path)),
      best: paths.has(path, BEST),
      multipath: paths.has(path, MULTIPATH),
      filtered: paths.has(path, FILTERED),
      usable: this.#core.isUsable(path),
      state: peer?.state(paths.family(source), paths.epoch(source)) ?? 'fresh',
      age: Math.max(0, Math.floor(this.#core.elapsed) - this.#core.since(path)),
      peer: id === OURSELVES ? undefined : id,
      pathId: id === OURSELVES ? 0 : paths.identifier(source),
      labels: labels.labels(paths.label(source)),
      imported,
      fromVrf: imported && id === OURSELVES ? vrfOfExport(paths.identifier(source)) : undefined,
      fromRd: imported ? this.#rdOf(source) : undefined,
      nextHop,
      metric: hop.metric,
      rank: hop.rank,
      protection: nextHop?.protection ?? 0,
      attributes: () => attributes.decoded(set),
      judged: () => attributes.decoded(paths.attributes(source)),
      insideOwnSp: () => this.#core.isInsideOwnSp(source),
      toldBySp: () => this.#core.toldBySp(source),
    };
  }

  #rdOf(path: PathId): bigint {
    const family = this.#core.paths.family(path);
    const { rdBytes, prefixBytes } = shapeOf(familyOfNumber(family));
    const key = new Uint8Array(rdBytes + prefixBytes);
    this.#core.nets.of(family).copyKey(this.#core.paths.net(path), key, 0);
    return new DataView(key.buffer).getBigUint64(0);
  }
}

/** A free net has scope 0, which is no table's. */
const isOf = (scope: Scope, wanted: Scope | undefined, family: FamilyId): boolean =>
  wanted === undefined ? scope !== 0 && familyOfScope(scope) === family : scope === wanted;

function matches(
  wanted: NonNullable<RouteQuery['prefix']>,
  prefix: Uint8Array,
  length: number,
): boolean {
  if (wanted.longer === true ? length < wanted.length : length !== wanted.length) return false;
  for (let bit = 0; bit < wanted.length; bit += 8) {
    const bits = Math.min(8, wanted.length - bit);
    const difference = (prefix[bit >> 3] ?? 0) ^ (wanted.address[bit >> 3] ?? 0);
    if (difference >> (8 - bits) !== 0) return false;
  }
  return true;
}
