// SPDX-License-Identifier: Apache-2.0
/**
 * Paths: who says what about a net. One 36-byte record each; those of a net are a list.
 *
 *   word  0   next path of the net
 *         1   attribute set (a reference is held); of a zombie: how many update groups still know it
 *         2   net
 *         3   peer << 16 | epoch << 12 | family << 5 | flags
 *         4   label: bit 31 clear: the one label, 0 none; set: number of a label stack
 *         5   ADD-PATH identifier as received; of an import: the path it was imported from
 *         6   of a VPN path: its first import; of an import: the next import of the same path
 *         7   next hop (see next-hops.ts)
 *         8   when it came or was last changed, seconds of Core.seconds
 *
 * `epoch` counts a peer's restarts (see peers.ts), so that a million paths become stale in no time.
 */
import type { FamilyId } from '../codec/types.js';
import type { PeerId } from '../types.js';
import type { NetId, NetTable } from './net-table.js';
import { Records } from './records.js';

const NEXT = 0;
const ATTRIBUTES = 1;
const NET = 2;
const WHO = 3;
const LABEL = 4;
const IDENTIFIER = 5;
const IMPORTS = 6;
const HOP = 7;
const SINCE = 8;
const WORDS = 9;

/** The net's best path, first in the list. */
export const BEST = 1;
/** Used beside the best one. */
export const MULTIPATH = 2;
/** Refused by the import policy, kept because the neighbour is configured so. */
export const FILTERED = 4;
/** In a VRF's table on behalf of a path in the VPN table. */
export const IMPORT = 8;
/** Gone, but update groups have still to withdraw it. */
export const ZOMBIE = 16;

const FAMILY_SHIFT = 5;
const EPOCH_SHIFT = 12;
const PEER_SHIFT = 16;

export type PathId = number;

export interface PathInit {
  readonly net: NetId;
  readonly attributes: number;
  readonly peer: PeerId;
  readonly epoch: number;
  readonly family: FamilyId;
  readonly flags: number;
  readonly label: number;
  readonly identifier: number;
  readonly hop: number;
  readonly since: number;
}

export class PathStore {
  readonly #records = new Records(WORDS);

  get live(): number {
    return this.#records.live;
  }

  /** Path ids are below this. */
  get limit(): number {
    return this.#records.limit;
  }

  get bytes(): number {
    return this.#records.bytes;
  }

  /** Makes a path and puts it at the end of its net's list. Takes over the reference to `attributes`. */
  add(nets: NetTable, init: PathInit): PathId {
    const path = this.#records.allocate();
    this.#records.set(path, ATTRIBUTES, init.attributes);
    this.#records.set(path, NET, init.net);
    const who =
      (init.peer << PEER_SHIFT) |
      (init.epoch << EPOCH_SHIFT) |
      (init.family << FAMILY_SHIFT) |
      init.flags;
    this.#records.set(path, WHO, who);
    this.#records.set(path, LABEL, init.label);
    this.#records.set(path, IDENTIFIER, init.identifier);
    this.#records.set(path, HOP, init.hop);
    this.#records.set(path, SINCE, init.since);
    const first = nets.firstPath(init.net);
    if (first === 0) nets.setFirstPath(init.net, path);
    else {
      let last = first;
      for (let next = this.next(last); next !== 0; next = this.next(last)) last = next;
      this.#records.set(last, NEXT, path);
    }
    return path;
  }

  /** Takes a path out of its net's list. */
  unlink(nets: NetTable, path: PathId): void {
    const net = this.net(path);
    const next = this.next(path);
    let at = nets.firstPath(net);
    if (at === path) nets.setFirstPath(net, next);
    else {
      while (this.next(at) !== path) at = this.next(at);
      this.#records.set(at, NEXT, next);
    }
    this.#records.set(path, NEXT, 0);
  }

  /** Makes a path the first of its net. */
  moveToFront(nets: NetTable, path: PathId): void {
    const net = this.net(path);
    if (nets.firstPath(net) === path) return;
    this.unlink(nets, path);
    this.#records.set(path, NEXT, nets.firstPath(net));
    nets.setFirstPath(net, path);
  }

  /** Frees an unlinked path's record. */
  free(path: PathId): void {
    this.#records.free(path);
  }

  /** 0 for a free record: every path has a net. */
  net(path: PathId): NetId {
    return this.#records.get(path, NET);
  }

  next(path: PathId): PathId {
    return this.#records.get(path, NEXT);
  }

  attributes(path: PathId): number {
    return this.#records.get(path, ATTRIBUTES);
  }

  setAttributes(path: PathId, attributes: number): void {
    this.#records.set(path, ATTRIBUTES, attributes);
  }

  peer(path: PathId): PeerId {
    return this.#records.get(path, WHO) >>> PEER_SHIFT;
  }

  epoch(path: PathId): number {
    return (this.#records.get(path, WHO) >>> EPOCH_SHIFT) & 15;
  }

  setEpoch(path: PathId, epoch: number): void {
    const who = this.#records.get(path, WHO) & ~(15 << EPOCH_SHIFT);
    this.#records.set(path, WHO, who | (epoch << EPOCH_SHIFT));
  }

  /** The id is one of FAMILIES' by construction. */
  family(path: PathId): number {
    return (this.#records.get(path, WHO) >>> FAMILY_SHIFT) & 7;
  }

  has(path: PathId, flag: number): boolean {
    return (this.#records.get(path, WHO) & flag) !== 0;
  }

  setFlag(path: PathId, flag: number, on: boolean): void {
    const who = this.#records.get(path, WHO);
    this.#records.set(path, WHO, on ? who | flag : who & ~flag);
  }

  label(path: PathId): number {
    return this.#records.get(path, LABEL);
  }

  setLabel(path: PathId, label: number): void {
    this.#records.set(path, LABEL, label);
  }

  identifier(path: PathId): number {
    return this.#records.get(path, IDENTIFIER);
  }

  /** Of an import: where it came from. */
  source(path: PathId): PathId {
    return this.#records.get(path, IDENTIFIER);
  }

  /** Of a VPN path: its first import; of an import: the next one. */
  nextImport(path: PathId): PathId {
    return this.#records.get(path, IMPORTS);
  }

  setNextImport(path: PathId, next: PathId): void {
    this.#records.set(path, IMPORTS, next);
  }

  hop(path: PathId): number {
    return this.#records.get(path, HOP);
  }

  setHop(path: PathId, hop: number): void {
    this.#records.set(path, HOP, hop);
  }

  /** When it came or was last changed: see Core.seconds. */
  since(path: PathId): number {
    return this.#records.get(path, SINCE);
  }

  setSince(path: PathId, since: number): void {
    this.#records.set(path, SINCE, since);
  }
}
