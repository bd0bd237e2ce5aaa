// SPDX-License-Identifier: Apache-2.0
/**
 * The live rows as the supervisor knows them, without the routes of BGP, which are written and kept
 * elsewhere (src/vpn): read once from the tables, then kept in step by the one who writes them. Comparing
 * with it costs no call into the addon.
 */
import type { Family } from '../lib/ip.js';
import type { InterfaceRow, LabelRow, Tables, VrfRow } from './addon/api.js';
import type { LiveRoute } from './route-batch.js';
import { CORE_VRF, prefixKey } from './rows.js';
import { versionKey, type RowIds } from './version-row.js';

export interface LiveNexthop {
  readonly id: number;
  /** {@link versionKey} of the active version; undefined: unusable. */
  readonly version: string | undefined;
}

/** Live route with the prefix its key stands for. */
export interface MirroredRoute extends LiveRoute {
  readonly address: Uint8Array;
  readonly length: number;
  /** Kept from before a restart and not confirmed. */
  readonly stale: boolean;
}

/** By name, and names by row: packets that wait for an SA name a row, thousands of times a second if it must be. */
export class LiveNexthops extends Map<string, LiveNexthop> {
  readonly #names = new Map<number, string>();

  nameOf(id: number): string | undefined {
    return this.#names.get(id);
  }

  override set(name: string, live: LiveNexthop): this {
    this.#forget(name, this.get(name)?.id);
    this.#names.set(live.id, name);
    return super.set(name, live);
  }

  override delete(name: string): boolean {
    this.#forget(name, this.get(name)?.id);
    return super.delete(name);
  }

  #forget(name: string, id: number | undefined): void {
    if (id !== undefined && this.#names.get(id) === name) this.#names.delete(id);
  }

  override clear(): void {
    this.#names.clear();
    super.clear();
  }
}

export class Mirror implements RowIds {
  readonly vrfs = new Map<string, VrfRow & { readonly id: number }>();
  readonly interfaces = new Map<string, InterfaceRow & { readonly id: number }>();
  /** Interface rows that another row of the same name has replaced. */
  readonly replacedInterfaces = new Set<number>();
  readonly nexthops = new LiveNexthops();
  readonly labels = new Map<number, LabelRow>();
  readonly #routes = new Map<string, Map<string, MirroredRoute>>();
  readonly #saId: (name: string) => number | undefined;

  constructor(tables: Tables, saId: (name: string) => number | undefined) {
    this.#saId = saId;
    for (const row of tables.vrfs()) this.vrfs.set(row.name, row);
    for (const row of tables.interfaces()) this.interfaceLive(row);
    for (const { id, name, active } of tables.nexthops()) {
      this.nexthops.set(name, { id, version: active && versionKey(active) });
    }
    for (const row of tables.labels()) this.labels.set(row.label, row);
    for (const { id } of tables.vrfs()) {
      for (const family of [4, 6] as const) this.#readRoutes(tables, id, family);
    }
  }

  #readRoutes(tables: Tables, vrf: number, family: Family): void {
    const table = this.routes(vrf, family);
    for (const row of tables.routes(vrf, family, 'bgp')) table.set(prefixKey(row), row);
  }

  /** Routes of a VRF row by {@link prefixKey}. */
  routes(vrf: number, family: Family): Map<string, MirroredRoute> {
    const id = vrf * 2 + (family === 6 ? 1 : 0);
    let table = this.#routes.get(String(id));
    if (table === undefined) {
      table = new Map<string, MirroredRoute>();
      this.#routes.set(String(id), table);
    }
    return table;
  }

  /** Notes a live interface row; one of the same name with another id is now the replaced one. */
  interfaceLive(row: InterfaceRow & { readonly id: number }): void {
    const known = this.interfaces.get(row.name);
    if (known !== undefined && known.id !== row.id) {
      // Killed in between, the newer row is the one with the higher id in doubt: either will do,
      // because what differs from the desired row is written again.
      this.replacedInterfaces.add(known.id);
    }
    this.interfaces.set(row.name, row);
  }

  vrf(name: string): number | undefined {
    return name === CORE_VRF ? 0 : this.vrfs.get(name)?.id;
  }
  interface(name: string): number | undefined {
    return this.interfaces.get(name)?.id;
  }
  sa(name: string): number | undefined {
    return this.#saId(name);
  }
  nexthop(name: string): number | undefined {
    return this.nexthops.get(name)?.id;
  }
  nexthopName(id: number): string | undefined {
    return this.nexthops.nameOf(id);
  }
}
