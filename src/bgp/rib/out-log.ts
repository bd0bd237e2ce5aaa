// SPDX-License-Identifier: Apache-2.0
/**
 * What an update group's members are to be told, in the order in which it last changed: a list in which each
 * route appears once, with its newest state, and each member has a marker at how far it has been told. A slow
 * member thus costs nothing but its marker and skips what has changed again meanwhile; a new one begins
 * at the front, which is the whole table.
 *
 *   word  0   previous node          Nodes are entries, named by net or (ADD-PATH) path, or markers,
 *         1   next node              whose numbers have bit 31 set.
 *         2   attribute set to be sent, a reference; 0: withdrawn
 *         3   label; of a withdrawn one: how many members have still to be told
 *         4   neighbour it came from (of a withdrawn one: last) << 16 | flags
 *         5   net
 */
import { SparseRecords } from './records.js';

const PREVIOUS = 0;
const NEXT = 1;
const SET = 2;
const LABEL = 3;
const WHO = 4;
const NET = 5;
const WORDS = 6;
const MARKER = 0x80000000;

/** In the list. */
export const PRESENT = 1;
/** It came from another neighbour before: that one may hold what we told it. */
export const SOURCE_CHANGED = 2;
/** It had other attributes before. */
export const CHANGED = 4;

export type NodeId = number;
export const isMarker = (node: NodeId): boolean => node >= MARKER;

export class OutLog {
  readonly #entries = new SparseRecords(WORDS);
  readonly #before: NodeId[] = [];
  readonly #after: NodeId[] = [];
  readonly #freeMarkers: NodeId[] = [];
  #first: NodeId = 0;
  #last: NodeId = 0;
  /** Raised with every change of the order. */
  #version = 1;
  /** By marker: the version at which nothing but markers lay ahead of it. */
  readonly #atEnd: number[] = [];
  #atEndVersion = 0;
  /** Entries, withdrawn ones included. */
  entries = 0;

  get bytes(): number {
    return this.#entries.bytes;
  }

  get first(): NodeId {
    return this.#first;
  }

  /** A marker at the end. */
  newMarker(): NodeId {
    const marker = this.#freeMarkers.pop() ?? MARKER + this.#before.length;
    this.#before[marker - MARKER] = 0;
    this.#after[marker - MARKER] = 0;
    this.#atEnd[marker - MARKER] = 0;
    this.#append(marker);
    return marker;
  }

  freeMarker(marker: NodeId): void {
    this.#unlink(marker);
    this.#freeMarkers.push(marker);
  }

  next(node: NodeId): NodeId {
    return isMarker(node) ? (this.#after[node - MARKER] ?? 0) : this.#entries.get(node, NEXT);
  }

  /**
   * Nothing but markers lies ahead of a marker. Worked out for all at once: with hundreds of members at the
   * end, walking past the others for each would be their number squared.
   */
  isAtEnd(marker: NodeId): boolean {
    if (this.#atEndVersion !== this.#version) {
      this.#atEndVersion = this.#version;
      let node = this.#last;
      while (isMarker(node)) {
        this.#atEnd[node - MARKER] = this.#version;
        node = this.#before[node - MARKER] ?? 0;
      }
    }
    return this.#atEnd[marker - MARKER] === this.#version;
  }

  /** Puts a marker behind another node. */
  moveBehind(marker: NodeId, node: NodeId): void {
    if (marker === node) return;
    this.#unlink(marker);
    const next = this.next(node);
    this.#setPrevious(marker, node);
    this.#setNext(marker, next);
    this.#setNext(node, marker);
    if (next === 0) this.#last = marker;
    else this.#setPrevious(next, marker);
  }

  moveToFront(marker: NodeId): void {
    if (this.#first === marker) return;
    this.#unlink(marker);
    this.#setPrevious(marker, 0);
    this.#setNext(marker, this.#first);
    if (this.#first === 0) this.#last = marker;
    else this.#setPrevious(this.#first, marker);
    this.#first = marker;
  }

  /** Makes an entry the newest. */
  touch(entry: NodeId): void {
    if (this.#last === entry) return;
    this.#unlink(entry);
    this.#append(entry);
  }

  /** Adds an entry at the end. */
  add(entry: NodeId, net: number): void {
    this.#entries.set(entry, WHO, PRESENT);
    this.#entries.set(entry, NET, net);
    this.#append(entry);
    this.entries++;
  }

  remove(entry: NodeId): void {
    this.#unlink(entry);
    for (let word = 0; word < WORDS; word++) this.#entries.set(entry, word, 0);
    this.entries--;
  }

  has(entry: NodeId, flag: number): boolean {
    return (this.#entries.get(entry, WHO) & flag) !== 0;
  }

  set(entry: NodeId): number {
    return this.#entries.get(entry, SET);
  }

  label(entry: NodeId): number {
    return this.#entries.get(entry, LABEL);
  }

  source(entry: NodeId): number {
    return this.#entries.get(entry, WHO) >>> 16;
  }

  net(entry: NodeId): number {
    return this.#entries.get(entry, NET);
  }

  /** Gives an entry its state; `flags` are added to those it has. */
  write(entry: NodeId, set: number, label: number, source: number, flags: number): void {
    const old = this.#entries.get(entry, WHO) & 0xffff;
    this.#entries.set(entry, SET, set);
    this.#entries.set(entry, LABEL, label);
    this.#entries.set(entry, WHO, (source << 16) | old | flags);
  }

  /** Members that have still to be told of a withdrawal. */
  pending(entry: NodeId): number {
    return this.#entries.get(entry, LABEL);
  }

  setPending(entry: NodeId, members: number): void {
    this.#entries.set(entry, LABEL, members);
  }

  #setNext(node: NodeId, next: NodeId): void {
    if (isMarker(node)) this.#after[node - MARKER] = next;
    else this.#entries.set(node, NEXT, next);
  }

  #setPrevious(node: NodeId, previous: NodeId): void {
    if (isMarker(node)) this.#before[node - MARKER] = previous;
    else this.#entries.set(node, PREVIOUS, previous);
  }

  #append(node: NodeId): void {
    this.#version++;
    this.#setPrevious(node, this.#last);
    this.#setNext(node, 0);
    if (this.#last === 0) this.#first = node;
    else this.#setNext(this.#last, node);
    this.#last = node;
  }

  #unlink(node: NodeId): void {
    this.#version++;
    const next = this.next(node);
    const previous = isMarker(node)
      ? (this.#before[node - MARKER] ?? 0)
      : this.#entries.get(node, PREVIOUS);
    if (previous === 0) this.#first = next;
    else this.#setNext(previous, next);
    if (next === 0) this.#last = previous;
    else this.#setPrevious(next, previous);
  }
}
