// SPDX-License-Identifier: Apache-2.0
/** UPDATEs into paths. The hot path: nothing is allocated per route, and no attribute decoded twice. */
import { CEASE, ERROR } from '../codec/notification-codes.js';
import { notification } from '../codec/notification.js';
import { newNlri, nlriFault, nlriReader, WITHDRAWN_LABEL } from '../codec/nlri/reader.js';
import {
  FAMILIES,
  FAMILY,
  type FamilyId,
  type Nlri,
  type NlriRun,
  type Notification,
  type UpdateSplit,
} from '../codec/types.js';
import { isNotification, splitUpdate } from '../codec/update-split.js';
import type { UpdateOutcome } from '../types.js';
import type { Logger } from '../../lib/log.js';
import type { AttributeReader } from './attribute-codec.js';
import type { AttributeId } from './attribute-store.js';
import type { Core } from './core.js';
import type { Inbound, RoutePlace } from './inbound.js';
import { NO_LABEL } from './label-stacks.js';
import type { NetTable, Scope } from './net-table.js';
import type { Peer } from './peers.js';
import { isVpn, scopeOf, shapeOf, type VrfId } from './scope.js';

const OK: UpdateOutcome = { kind: 'ok' };
const NOBODY = {
  id: 0,
  config: { policyIn: undefined, policyOut: undefined, policyOutKey: '' },
};

/** A neighbour, as UPDATEs of it are read. */
export interface Sender {
  readonly peer: Peer;
  readonly inbound: Inbound;
  readonly vrf: VrfId;
}

export interface RibInHooks {
  /** Whether a VPN route with this set is worth keeping. */
  readonly isWanted: (set: AttributeId) => boolean;
  readonly endOfRib: (peer: Peer, family: FamilyId) => void;
  /** Route targets of a neighbour have changed. */
  readonly routeTargets: (peer: Peer) => void;
}

export class RibIn {
  readonly #core: Core;
  readonly #reader: AttributeReader;
  readonly #hooks: RibInHooks;
  readonly #log: Logger;
  readonly #nlri: Nlri = newNlri();
  readonly #announcement = { peer: 0, identifier: 0, attributes: 0, label: 0, filtered: false };
  /** Routes of VPNs nobody here is in. */
  unwanted = 0;

  // What all routes of a run have in common: see #begin.
  #peer: Pick<Peer, 'id' | 'config'> = NOBODY;
  #bytes: Uint8Array = new Uint8Array(0);
  #family: FamilyId = 0;
  #vrf: VrfId = 0;
  #table: NetTable;
  #scope: Scope = 0;
  #selective = false;
  #wantedSet: AttributeId = 0;
  #wanted = false;

  constructor(core: Core, reader: AttributeReader, hooks: RibInHooks, log: Logger) {
    this.#table = core.nets.v4;
    this.#core = core;
    this.#reader = reader;
    this.#hooks = hooks;
    this.#log = log;
  }

  /** The body of an UPDATE of a neighbour: bytes[start..end). */
  update(state: Sender, bytes: Uint8Array, start: number, end: number): UpdateOutcome {
    const { peer } = state;
    const split = splitUpdate(bytes, start, end, peer.info.context);
    if (isNotification(split)) return { kind: 'reset', notification: split };
    peer.updates++;
    let fault: Notification | undefined;
    for (const { notification: found } of split.faults) fault ??= found;
    for (const run of split.withdrawn) {
      const bad = this.#withdraw(state, bytes, run);
      if (bad !== undefined) return { kind: 'reset', notification: bad };
    }
    if (split.announced.length > 0) {
      const outcome = this.#announceAll(state, split, bytes);
      if (outcome !== undefined && outcome.kind !== 'tolerated') return outcome;
      if (outcome?.kind === 'tolerated') fault ??= outcome.fault;
    }
    if (split.endOfRib !== -1) this.#hooks.endOfRib(peer, split.endOfRib);
    if (fault === undefined) return OK;
    peer.tolerated++;
    return { kind: 'tolerated', fault };
  }

  #announceAll(state: Sender, split: UpdateSplit, bytes: Uint8Array): UpdateOutcome | undefined {
    const { peer } = state;
    const bad = split.faults.find(({ severity }) => severity !== 'discard');
    let fault: Notification | undefined;
    for (const run of split.announced) {
      const set =
        bad === undefined ? this.#reader.received(split, peer.info.context, run.classic) : 0;
      const faults = bad === undefined ? this.#reader.faults : [bad];
      fault ??= faults[0]?.notification;
      const reset = faults.find(({ severity }) => severity === 'reset' || severity === 'disable');
      if (reset !== undefined) return { kind: 'reset', notification: reset.notification };
      const wrong =
        set === 0 ? this.#withdraw(state, bytes, run) : this.#announce(state, bytes, run, set);
      if (set !== 0) this.#core.attributes.release(set);
      if (wrong !== undefined) return { kind: 'reset', notification: wrong };
      const over = this.#overLimit(peer, run.family);
      if (over !== undefined) return { kind: 'reset', notification: over };
    }
    return fault && { kind: 'tolerated', fault };
  }

  /** Sets up what all routes of a run have in common. */
  #begin(state: Sender, bytes: Uint8Array, family: FamilyId): void {
    this.#peer = state.peer;
    this.#bytes = bytes;
    this.#family = family;
    this.#vrf = state.vrf;
    this.#table = this.#core.nets.of(family);
    this.#scope = scopeOf(state.vrf, family);
    this.#selective = isVpn(family) && !this.#core.options.retainVpn;
    this.#wantedSet = 0;
  }

  #withdraw(state: Sender, bytes: Uint8Array, run: NlriRun): Notification | undefined {
    const { peer } = state;
    const { family, end } = run;
    this.#begin(state, bytes, family);
    const read = nlriReader(family);
    const nlri = this.#nlri;
    let at = run.start;
    while (at < end) {
      const next = read(run.mode, bytes, at, end, nlri);
      if (next < 0) return nlriFault(run, bytes, at);
      at = next;
      peer.withdrawals++;
      this.#drop();
    }
    if (family === FAMILY.routeTarget) this.#hooks.routeTargets(peer);
    return undefined;
  }

  /** The neighbour has no route to the net in #nlri, or none that counts. */
  #drop(): void {
    const { length, keyAt, keyBytes, pathId } = this.#nlri;
    const net = this.#table.find(this.#scope, length, this.#bytes, keyAt, keyBytes);
    if (net === 0) return;
    const path = this.#core.findPath(this.#family, net, this.#peer.id, pathId);
    if (path !== 0) this.#core.remove(path);
  }

  #announce(
    state: Sender,
    bytes: Uint8Array,
    run: NlriRun,
    set: AttributeId,
  ): Notification | undefined {
    const { peer, inbound } = state;
    const { family, end } = run;
    this.#begin(state, bytes, family);
    const loop = inbound.loop(set, family);
    const perRoute = loop === undefined && inbound.perRoute;
    const common = loop === undefined && !perRoute ? inbound.transform(set, family) : 0;
    const read = nlriReader(family);
    const nlri = this.#nlri;
    let wrong: Notification | undefined;
    for (let at = run.start; at < end;) {
      const next = read(run.mode, bytes, at, end, nlri);
      if (next < 0) {
        wrong = nlriFault(run, bytes, at);
        break;
      }
      at = next;
      peer.announcements++;
      if (loop !== undefined) peer.loops++;
      const chosen = perRoute ? inbound.transform(set, family, this.#place()) : common;
      this.#route(chosen === 0 ? set : chosen, chosen === 0);
      if (perRoute && chosen !== 0) this.#core.attributes.release(chosen);
    }
    if (common !== 0) this.#core.attributes.release(common);
    if (family === FAMILY.routeTarget) this.#hooks.routeTargets(peer);
    return wrong;
  }

  /** The route in #nlri with its set, which stays the caller's. */
  #route(set: AttributeId, refused: boolean): void {
    const core = this.#core;
    const nlri = this.#nlri;
    if (refused ? this.#peer.config.keepRejected !== true : !this.#isWanted(set)) {
      if (!refused) this.unwanted++;
      this.#drop();
      return;
    }
    const { length, keyAt, keyBytes } = nlri;
    const net = this.#table.findOrAdd(this.#scope, length, this.#bytes, keyAt, keyBytes);
    const what = this.#announcement;
    what.peer = this.#peer.id;
    what.identifier = nlri.pathId;
    what.attributes = set;
    what.filtered = refused;
    what.label = nlri.labelCount < 2 ? singleLabel(nlri) : this.#stack(this.#bytes);
    core.announce(this.#family, net, what, core.acquireHop(this.#vrf, set, 0));
    if (nlri.labelCount > 1) core.labels.release(what.label);
  }

  #isWanted(set: AttributeId): boolean {
    if (!this.#selective) return true;
    if (set !== this.#wantedSet) {
      this.#wantedSet = set;
      this.#wanted = this.#hooks.isWanted(set);
    }
    return this.#wanted;
  }

  #stack(bytes: Uint8Array): number {
    const { labelsAt, labelCount } = this.#nlri;
    const labels: number[] = [];
    for (let i = 0; i < labelCount; i++) {
      const at = labelsAt + 3 * i;
      const field = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
      labels.push(field >>> 4);
    }
    return this.#core.labels.acquire(labels);
  }

  #place(): RoutePlace {
    const bytes = this.#bytes;
    const { rdBytes, prefixBytes } = shapeOf(this.#family);
    const { keyAt, keyBytes, length } = this.#nlri;
    const prefix = new Uint8Array(prefixBytes);
    prefix.set(bytes.subarray(keyAt + rdBytes, keyAt + keyBytes));
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    return { prefix, length, rd: rdBytes === 0 ? undefined : view.getBigUint64(keyAt) };
  }

  /** RFC 4486 §3: what to close the session with when it has sent too much. */
  #overLimit(peer: Peer, family: FamilyId): Notification | undefined {
    const limit = peer.config.prefixLimits?.[family];
    if (limit === undefined) return undefined;
    const held = (peer.routes[family] ?? 0) + (peer.rejected[family] ?? 0);
    if (held * 100 <= limit.routes * (limit.warnAt ?? 75)) {
      peer.warned.delete(family);
      return undefined;
    }
    if (!peer.warned.has(family)) {
      peer.warned.add(family);
      this.#log.warning('prefix limit is near or passed', {
        ...{ peer: peer.info.name, family, held, limit: limit.routes },
      });
    }
    if (held <= limit.routes || limit.action === 'warn') return undefined;
    return maximumPrefixes(family, limit.routes);
  }
}

const singleLabel = (nlri: Nlri): number =>
  nlri.labelCount === 0 || nlri.label === WITHDRAWN_LABEL ? NO_LABEL : nlri.label;

/** Data of the NOTIFICATION: AFI, SAFI and the limit (RFC 4486 §4). */
function maximumPrefixes(family: FamilyId, limit: number): Notification {
  const { afi, safi, name } = FAMILIES[family];
  const data = new Uint8Array(7);
  const view = new DataView(data.buffer);
  view.setUint16(0, afi);
  data[2] = safi;
  view.setUint32(3, limit);
  const reason = `more than ${String(limit)} routes of ${name}`;
  return notification(ERROR.cease, CEASE.maximumPrefixes, reason, data);
}
