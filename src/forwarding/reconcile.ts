// SPDX-License-Identifier: Apache-2.0
/**
 * Brings the live rows to the desired ones and touches nothing else: make before break. A change is
 *
 *   prepare   VRFs and interfaces that are new or differ   (then: kernel descriptors, SAs)
 *   publish   next hops, labels, routes that are new or differ
 *   retire    routes, labels, next hops, interfaces, VRFs that are desired no more
 *
 * After `prepare` nothing refers to the new rows; after `publish` nothing wanted is missing. Phases
 * are generators: the caller may let others run at each yield, and must finish one before the next.
 */
import { equalBytes, type Family } from '../lib/ip.js';
import type { AcceptSet, InterfaceRow, LabelRow, Tables, VrfRow } from './addon/api.js';
import { Mirror, type MirroredRoute } from './mirror.js';
import type { Overlay } from './overlay.js';
import { applyChanges, type RouteChange } from './route-batch.js';
import {
  acceptKey,
  CORE_VRF,
  RouteTable,
  type DesiredInterface,
  type DesiredLabel,
  type DesiredNexthop,
  type DesiredRoute,
  type DesiredRows,
  type DesiredVrf,
} from './rows.js';
import { resolveVersion, versionKey } from './version-row.js';

/** Rows written and removed; zero everywhere when nothing differed. */
export interface Changes {
  vrfs: number;
  interfaces: number;
  nexthops: number;
  labels: number;
  routes: number;
  /** Routes of before a restart that were right: only their stale mark went. */
  confirmed: number;
}
export const noChanges = (): Changes => ({
  ...{ vrfs: 0, interfaces: 0, nexthops: 0, labels: 0, routes: 0, confirmed: 0 },
});

const FAMILIES: readonly Family[] = [4, 6];
const NO_ROUTES = new RouteTable();

function sameField(a: unknown, b: unknown): boolean {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return equalBytes(a, b);
  return a === b;
}

/** Whether the live row says what is wanted; fields only the live row has (its id) do not matter. */
function sameRow<T extends object>(live: T | undefined, wanted: T): boolean {
  if (live === undefined) return false;
  const fields = new Map(Object.entries(live));
  const optional = ['address4', 'address6', 'linkLocal6', 'icmpSource4', 'icmpSource6'];
  const names = new Set([...Object.keys(wanted), ...optional]);
  const values = new Map(Object.entries(wanted));
  return [...names].every((name) => sameField(fields.get(name), values.get(name)));
}

/** Accept sets by content, looked up in the addon once per phase. */
class AcceptIds {
  readonly #ids = new Map<string, number>();
  readonly #bySet = new Map<AcceptSet, number>();
  readonly #tables: Tables;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  id(set: AcceptSet): number {
    const known = this.#bySet.get(set);
    if (known !== undefined) return known;
    const key = acceptKey(set);
    const id = this.#ids.get(key) ?? this.#tables.acceptSet(set);
    this.#ids.set(key, id);
    this.#bySet.set(set, id);
    return id;
  }
}

export class Reconciler {
  readonly #tables: Tables;
  readonly #mirror: Mirror;
  readonly #isRouteLabel: (label: number) => boolean;

  /**
   * Reads the live rows. `saId`: row id of an outbound SA by its name. `isRouteLabel`: labels that come and
   * go with routes, by {@link setLabels} and {@link clearLabel} alone.
   */
  constructor(
    tables: Tables,
    saId: (name: string) => number | undefined,
    isRouteLabel: (label: number) => boolean = () => false,
  ) {
    this.#tables = tables;
    this.#mirror = new Mirror(tables, saId);
    this.#isRouteLabel = isRouteLabel;
  }

  get live(): Mirror {
    return this.#mirror;
  }

  prepare(rows: DesiredRows, changes: Changes): void {
    for (const vrf of rows.vrfs.values()) {
      // Its host interface needs the VRF's id, so the VRF comes first, without one.
      if (!this.#mirror.vrfs.has(vrf.name)) this.#putVrf(vrf, 0, changes);
    }
    for (const row of rows.interfaces.values()) this.#putInterface(row, changes);
    for (const vrf of rows.vrfs.values()) {
      const host = vrf.hostInterface === undefined ? 0 : this.#mirror.interface(vrf.hostInterface);
      this.#putVrf(vrf, host ?? 0, changes);
    }
  }

  #putVrf(desired: DesiredVrf, hostInterface: number, changes: Changes): void {
    const row: VrfRow = { ...desired, hostInterface };
    if (sameRow<VrfRow>(this.#mirror.vrfs.get(row.name), row)) return;
    const id = this.#tables.putVrf(row);
    this.#mirror.vrfs.set(row.name, { ...row, id });
    changes.vrfs++;
  }

  #putInterface(desired: DesiredInterface, changes: Changes): void {
    const vrf = this.#mirror.vrf(desired.vrf);
    if (vrf === undefined) return;
    const port = desired.port === undefined ? 0 : this.#tables.portId(desired.port);
    const row: InterfaceRow = { ...desired, vrf, port };
    if (sameRow<InterfaceRow>(this.#mirror.interfaces.get(row.name), row)) return;
    const id = this.#tables.putInterface(row);
    this.#mirror.interfaceLive({ ...row, id });
    changes.interfaces++;
  }

  *publish(rows: DesiredRows, overlay: Overlay, changes: Changes): Generator<void> {
    for (const nexthop of rows.nexthops.values()) this.#putNexthop(nexthop, changes);
    for (const nexthop of overlay.nexthops.values()) this.#putNexthop(nexthop, changes);
    const accepts = new AcceptIds(this.#tables);
    for (const label of rows.labels.values()) this.#putLabel(label, accepts, changes);
    for (const vrf of [CORE_VRF, ...rows.vrfs.keys()]) {
      for (const family of FAMILIES) {
        const base = rows.routes.table(vrf, family);
        const over = overlay.routes.table(vrf, family);
        const keys = new Set([...base.keys(), ...over.keys()]);
        yield* this.#putRoutes(vrf, family, keys, { base, over }, { accepts, changes });
      }
    }
  }

  /** As {@link publish} and {@link retire}, for what may differ between two overlays only. */
  *publishOverlay(
    rows: DesiredRows,
    before: Overlay | undefined,
    overlay: Overlay,
    changes: Changes,
  ): Generator<void> {
    for (const nexthop of overlay.nexthops.values()) this.#putNexthop(nexthop, changes);
    const accepts = new AcceptIds(this.#tables);
    const old = before?.routes ?? NO_ROUTES;
    for (const vrf of [CORE_VRF, ...rows.vrfs.keys()]) {
      for (const family of FAMILIES) {
        const base = rows.routes.table(vrf, family);
        const over = overlay.routes.table(vrf, family);
        const keys = new Set([...old.table(vrf, family).keys(), ...over.keys()]);
        yield* this.#putRoutes(vrf, family, keys, { base, over }, { accepts, changes });
      }
    }
    for (const name of before?.nexthops.keys() ?? []) {
      if (!overlay.nexthops.has(name) && !rows.nexthops.has(name)) {
        this.#removeNexthop(name, changes);
      }
    }
  }

  /** Of next hops of the overlay, these alone may differ. */
  publishNexthops(nexthops: Iterable<DesiredNexthop>, changes: Changes): void {
    for (const nexthop of nexthops) this.#putNexthop(nexthop, changes);
  }

  #putNexthop(desired: DesiredNexthop, changes: Changes): void {
    const version = desired.version && resolveVersion(desired.version, this.#mirror);
    const key = version && versionKey(version);
    const live = this.#mirror.nexthops.get(desired.name);
    if (live !== undefined && live.version === key) return;
    const id = live?.id ?? this.#tables.nexthop(desired.name);
    this.#mirror.nexthops.set(desired.name, { id, version: undefined });
    if (key !== live?.version) this.#tables.setNexthop(id, version);
    this.#mirror.nexthops.set(desired.name, { id, version: key });
    changes.nexthops++;
  }

  #putLabel(desired: DesiredLabel, accepts: AcceptIds, changes: Changes): void {
    const { label, action } = desired;
    const target = this.#labelTarget(desired);
    if (target === undefined) return;
    const out = action === 'swap' ? { out: desired.out } : {};
    const row: LabelRow = { label, action, target, accept: accepts.id(desired.accept), ...out };
    if (sameRow<LabelRow>(this.#mirror.labels.get(label), row)) return;
    this.#tables.setLabel(row);
    this.#mirror.labels.set(label, row);
    changes.labels++;
  }

  #labelTarget(desired: DesiredLabel): number | undefined {
    if (desired.action === 'pop') return 0;
    if (desired.action === 'vrf') return this.#mirror.vrf(desired.target);
    return this.#mirror.nexthop(desired.target);
  }

  /** Brings the routes of these keys to what overlay, or else configuration, says. */
  *#putRoutes(
    vrfName: string,
    family: Family,
    keys: Iterable<string>,
    wanted: { base: ReadonlyMap<string, DesiredRoute>; over: ReadonlyMap<string, DesiredRoute> },
    { accepts, changes }: { accepts: AcceptIds; changes: Changes },
  ): Generator<void> {
    const vrf = this.#mirror.vrf(vrfName);
    if (vrf === undefined) return;
    const live = this.#mirror.routes(vrf, family);
    const batch: RouteChange[] = [];
    let confirmed = 0;
    const now = new Map<string, MirroredRoute | undefined>();
    for (const key of keys) {
      const desired = wanted.over.get(key) ?? wanted.base.get(key);
      const present = live.get(key);
      const row = desired && this.#routeRow(desired, accepts);
      const at = row ?? present;
      if (at === undefined || isRoute(present, row)) continue;
      if (present?.stale === true && isRoute({ ...present, stale: false }, row)) confirmed++;
      batch.push({ address: at.address, length: at.length, to: row });
      now.set(key, row);
    }
    yield* this.#apply(vrf, family, batch, now, changes);
    changes.confirmed += confirmed;
    changes.routes -= confirmed;
  }

  #routeRow(desired: DesiredRoute, accepts: AcceptIds): MirroredRoute | undefined {
    const nexthop = this.#mirror.nexthop(desired.nexthop);
    if (nexthop === undefined) return undefined;
    const { address, length } = desired.prefix;
    const { label, owner } = desired;
    return {
      address,
      length,
      nexthop,
      label,
      accept: accepts.id(desired.accept),
      owner,
      stale: false,
    };
  }

  *#apply(
    vrf: number,
    family: Family,
    batch: readonly RouteChange[],
    now: ReadonlyMap<string, MirroredRoute | undefined>,
    changes: Changes,
  ): Generator<void> {
    if (batch.length === 0) return;
    yield* applyChanges(this.#tables, vrf, family, batch);
    const live = this.#mirror.routes(vrf, family);
    for (const [key, row] of now) {
      if (row === undefined) live.delete(key);
      else live.set(key, row);
    }
    changes.routes += batch.length;
  }

  *retire(rows: DesiredRows, overlay: Overlay, changes: Changes): Generator<void> {
    for (const [name, { id }] of [[CORE_VRF, { id: 0 }] as const, ...this.#mirror.vrfs]) {
      const kept = name === CORE_VRF || rows.vrfs.has(name);
      for (const family of FAMILIES) {
        const live = this.#mirror.routes(id, family);
        const base = kept ? rows.routes.table(name, family) : NO_ROUTES.table(name, family);
        const over = kept ? overlay.routes.table(name, family) : NO_ROUTES.table(name, family);
        const gone = [...live].filter(([key]) => !base.has(key) && !over.has(key));
        const batch = gone.map(([, { address, length }]) => ({ address, length, to: undefined }));
        yield* this.#apply(
          id,
          family,
          batch,
          new Map(gone.map(([key]) => [key, undefined])),
          changes,
        );
      }
    }
    for (const label of [...this.#mirror.labels.keys()]) {
      if (rows.labels.has(label) || this.#isRouteLabel(label)) continue;
      this.clearLabel(label);
      changes.labels++;
    }
    for (const name of [...this.#mirror.nexthops.keys()]) {
      if (!rows.nexthops.has(name) && !overlay.nexthops.has(name)) {
        this.#removeNexthop(name, changes);
      }
    }
  }

  /** Labels of routes, one store each; a next hop that is not there yet is made, unusable. */
  setLabels(labels: readonly DesiredLabel[]): void {
    const accepts = new AcceptIds(this.#tables);
    const changes = noChanges();
    for (const label of labels) {
      if (label.action === 'nexthop' || label.action === 'swap') this.ensureNexthop(label.target);
      this.#putLabel(label, accepts, changes);
    }
  }

  clearLabel(label: number): void {
    if (!this.#mirror.labels.delete(label)) return;
    this.#tables.clearLabel(label);
  }

  /** Row of a next hop; made, unusable, when it is not there. */
  ensureNexthop(name: string): number {
    const live = this.#mirror.nexthop(name);
    if (live !== undefined) return live;
    const id = this.#tables.nexthop(name);
    this.#mirror.nexthops.set(name, { id, version: undefined });
    return id;
  }

  /** Routes of BGP from before a restart may still lead to it: unusable at once, it goes after them. */
  #removeNexthop(name: string, changes: Changes): void {
    const live = this.#mirror.nexthops.get(name);
    if (live === undefined) return;
    try {
      this.#tables.removeNexthop(live.id);
      this.#mirror.nexthops.delete(name);
    } catch (error) {
      if (!isInUse(error)) throw error;
      if (live.version === undefined) return;
      this.#tables.setNexthop(live.id, undefined);
      this.#mirror.nexthops.set(name, { id: live.id, version: undefined });
    }
    changes.nexthops++;
  }

  /**
   * Removes interfaces and VRFs that are desired no more; after {@link retire}, and after the worker
   * has let go of their descriptors.
   */
  retireInterfaces(rows: DesiredRows, changes: Changes): void {
    for (const id of this.#mirror.replacedInterfaces) this.#tables.removeInterface(id);
    changes.interfaces += this.#mirror.replacedInterfaces.size;
    this.#mirror.replacedInterfaces.clear();
    const gone = [...this.#mirror.interfaces.values()].filter(
      ({ name }) => !rows.interfaces.has(name),
    );
    const vrfs = [...this.#mirror.vrfs.values()].filter(
      ({ name }) => name !== CORE_VRF && !rows.vrfs.has(name),
    );
    // A VRF and its host interface name each other: the VRF lets go first.
    for (const row of vrfs) this.#tables.putVrf({ ...row, hostInterface: 0 });
    for (const { id, name } of gone) {
      this.#tables.removeInterface(id);
      this.#mirror.interfaces.delete(name);
      changes.interfaces++;
    }
    for (const { id, name } of vrfs) {
      for (const family of FAMILIES) {
        this.#tables.removeRoutes(id, family, 'bgp', false, 0xffff_ffff);
      }
      this.#tables.removeVrf(id);
      this.#mirror.vrfs.delete(name);
      changes.vrfs++;
    }
  }
}

const isInUse = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'IN_USE';

/** Whether a live row is this one and needs no confirmation. */
function isRoute(live: MirroredRoute | undefined, row: MirroredRoute | undefined): boolean {
  return (
    live !== undefined &&
    row !== undefined &&
    !live.stale &&
    live.nexthop === row.nexthop &&
    live.label === row.label &&
    live.accept === row.accept &&
    live.owner === row.owner
  );
}
