// SPDX-License-Identifier: Apache-2.0
/**
 * Prefixes ("nets") of one shape of key: what routes are routes to. All routing tables of a shape are
 * in one hash, the table's number being part of the key: a thousand small VRFs cost no more than their
 * prefixes.
 *
 *   word  0        next net in the bucket
 *         1        first path; the best path is always moved to the front
 *         2        prefix length << 24 | scope (table)
 *         3        pins << 16 | flags
 *         4..      key: RD if the shape has one, then the prefix, big endian, zero-filled
 *
 * The hash is 64 small chained hashes, chosen by the upper bits, that grow one by one: growing one of
 * a million nets' 64th part takes under a millisecond.
 */
import { IdQueue, Records } from './records.js';

const NEXT = 0;
const PATHS = 1;
const LENGTH_SCOPE = 2;
const FLAGS = 3;
const KEY = 4;

/** Waits in the queue of nets to be decided. */
const DIRTY = 1;
/** The FIB holds a route for it. */
const INSTALLED = 2;
/** A path that was best or multipath has changed or gone since the last decision. */
const TOUCHED = 4;
/** Waits for the FIB to be told. */
const TO_INSTALL = 8;
const PIN = 1 << 16;

const PARTS = 64;
const FIRST_BUCKETS = 16;
const NO_BUCKETS = new Uint32Array(0);

/** Number of a table: see scope.ts; below 2^24. */
export type Scope = number;
export type NetId = number;

export class NetTable {
  readonly keyWords: number;
  readonly #records: Records;
  readonly #buckets: Uint32Array[] = [];
  readonly #counts = new Uint32Array(PARTS);
  /** The key being looked for. */
  readonly #key: Uint32Array;
  readonly #dirty = new IdQueue();
  /** Walks under way: see {@link hold}. */
  #holds = 0;
  /** Nets that would have been forgotten meanwhile. */
  readonly #kept: NetId[] = [];

  /** `keyWords`: 32-bit words of a key at full length. */
  constructor(keyWords: number) {
    this.keyWords = keyWords;
    this.#records = new Records(KEY + keyWords);
    this.#key = new Uint32Array(keyWords);
    for (let part = 0; part < PARTS; part++) this.#buckets.push(NO_BUCKETS);
  }

  get live(): number {
    return this.#records.live;
  }

  /** Net ids are below this. */
  get limit(): number {
    return this.#records.limit;
  }

  get bytes(): number {
    return this.#records.bytes + this.#buckets.reduce((sum, part) => sum + part.byteLength, 0);
  }

  /** The net with this key, or 0. Key octets are bytes[at..at + count), host bits zero. */
  find(scope: Scope, length: number, bytes: Uint8Array, at: number, count: number): NetId {
    const hash = this.#load(scope, length, bytes, at, count);
    return this.#search(hash, ((length << 24) | scope) >>> 0);
  }

  /** As {@link find}; a net not yet there is made. */
  findOrAdd(scope: Scope, length: number, bytes: Uint8Array, at: number, count: number): NetId {
    const hash = this.#load(scope, length, bytes, at, count);
    const lengthScope = ((length << 24) | scope) >>> 0;
    const found = this.#search(hash, lengthScope);
    if (found !== 0) return found;
    const part = hash >>> 26;
    if ((this.#counts[part] ?? 0) >= (this.#buckets[part] ?? NO_BUCKETS).length) this.#grow(part);
    const net = this.#records.allocate();
    this.#records.set(net, LENGTH_SCOPE, lengthScope);
    for (let i = 0; i < this.keyWords; i++) this.#records.set(net, KEY + i, this.#key[i] ?? 0);
    this.#link(net, hash);
    this.#counts[part] = (this.#counts[part] ?? 0) + 1;
    return net;
  }

  /**
   * Until {@link letGo} a net whose paths have gone keeps its number: if they come back, a walk in order of
   * numbers does not meet the same prefix again further on.
   */
  hold(): void {
    this.#holds++;
  }

  letGo(): void {
    this.#holds--;
  }

  /** Forgets up to `most` nets that {@link hold} kept. False: none is left to forget now. */
  forgetKept(most: number): boolean {
    for (let i = 0; i < most && this.#holds === 0; i++) {
      const net = this.#kept.pop();
      if (net === undefined) return false;
      if (this.isLive(net) && this.isUnused(net)) this.remove(net);
    }
    return this.#holds === 0;
  }

  /** Forgets a net that has neither paths nor pins and is not queued; while it is held, later. */
  remove(net: NetId): void {
    if (this.#holds > 0) {
      this.#kept.push(net);
      return;
    }
    const hash = this.#hashOf(net);
    const part = hash >>> 26;
    const buckets = this.#buckets[part] ?? NO_BUCKETS;
    const bucket = hash & (buckets.length - 1);
    const next = this.#records.get(net, NEXT);
    let at = buckets[bucket] ?? 0;
    if (at === net) buckets[bucket] = next;
    else {
      while (this.#records.get(at, NEXT) !== net) at = this.#records.get(at, NEXT);
      this.#records.set(at, NEXT, next);
    }
    this.#counts[part] = (this.#counts[part] ?? 0) - 1;
    this.#records.free(net);
  }

  scope(net: NetId): Scope {
    return this.#records.get(net, LENGTH_SCOPE) & 0xffffff;
  }

  /** Prefix length in bits; a live net's record is told from a free one by {@link isLive}. */
  length(net: NetId): number {
    return this.#records.get(net, LENGTH_SCOPE) >>> 24;
  }

  /** Freed records have no scope; every table's scope is at least 1. */
  isLive(net: NetId): boolean {
    return (this.#records.get(net, LENGTH_SCOPE) & 0xffffff) !== 0;
  }

  keyWord(net: NetId, word: number): number {
    return this.#records.get(net, KEY + word);
  }

  /** Writes all key octets, 4 * keyWords, to out[at..]. */
  copyKey(net: NetId, out: Uint8Array, at: number): void {
    this.#copy(net, 0, out, at);
  }

  /** Writes the key octets behind an RD to out[0..]. */
  copyPrefix(net: NetId, out: Uint8Array): void {
    this.#copy(net, 2, out, 0);
  }

  #copy(net: NetId, from: number, out: Uint8Array, at: number): void {
    let to = at;
    for (let i = from; i < this.keyWords; i++) {
      const word = this.#records.get(net, KEY + i);
      out[to] = word >>> 24;
      out[to + 1] = word >>> 16;
      out[to + 2] = word >>> 8;
      out[to + 3] = word;
      to += 4;
    }
  }

  firstPath(net: NetId): number {
    return this.#records.get(net, PATHS);
  }

  setFirstPath(net: NetId, path: number): void {
    this.#records.set(net, PATHS, path);
  }

  /** Queues the net for a decision. */
  markDirty(net: NetId): void {
    const flags = this.#records.get(net, FLAGS);
    if ((flags & DIRTY) !== 0) return;
    this.#records.set(net, FLAGS, flags | DIRTY);
    this.#dirty.push(net);
  }

  /** As {@link markDirty}, and what the FIB and neighbours were told is out of date. */
  markTouched(net: NetId): void {
    const flags = this.#records.get(net, FLAGS);
    this.#records.set(net, FLAGS, flags | DIRTY | TOUCHED);
    if ((flags & DIRTY) === 0) this.#dirty.push(net);
  }

  /** The next net to decide, no longer dirty; 0 when there is none. */
  nextDirty(): NetId {
    const net = this.#dirty.shift();
    if (net !== 0) this.#records.set(net, FLAGS, this.#records.get(net, FLAGS) & ~DIRTY);
    return net;
  }

  get dirtyCount(): number {
    return this.#dirty.length;
  }

  isDirty(net: NetId): boolean {
    return (this.#records.get(net, FLAGS) & DIRTY) !== 0;
  }

  /** Whether it was touched since this was last asked. */
  takeTouched(net: NetId): boolean {
    const flags = this.#records.get(net, FLAGS);
    if ((flags & TOUCHED) === 0) return false;
    this.#records.set(net, FLAGS, flags & ~TOUCHED);
    return true;
  }

  isInstalled(net: NetId): boolean {
    return (this.#records.get(net, FLAGS) & INSTALLED) !== 0;
  }

  setInstalled(net: NetId, installed: boolean): void {
    const flags = this.#records.get(net, FLAGS);
    this.#records.set(net, FLAGS, installed ? flags | INSTALLED : flags & ~INSTALLED);
  }

  /** False: it waits already. */
  markToInstall(net: NetId): boolean {
    const flags = this.#records.get(net, FLAGS);
    this.#records.set(net, FLAGS, flags | TO_INSTALL);
    return (flags & TO_INSTALL) === 0;
  }

  clearToInstall(net: NetId): void {
    this.#records.set(net, FLAGS, this.#records.get(net, FLAGS) & ~TO_INSTALL);
  }

  /** Nobody knows of it: no path, no update group, no queue. */
  isUnused(net: NetId): boolean {
    const flags = this.#records.get(net, FLAGS);
    return (
      this.#records.get(net, PATHS) === 0 && (flags & (DIRTY | TO_INSTALL)) === 0 && flags < PIN
    );
  }

  /** An update group remembers the net: it stays although its paths are gone. */
  pin(net: NetId): void {
    this.#records.set(net, FLAGS, this.#records.get(net, FLAGS) + PIN);
  }

  unpin(net: NetId): void {
    this.#records.set(net, FLAGS, this.#records.get(net, FLAGS) - PIN);
  }

  /** Puts the key looked for into #key and returns its hash. */
  #load(scope: Scope, length: number, bytes: Uint8Array, at: number, count: number): number {
    let hash = Math.imul(scope ^ (length << 24), 0x9e3779b1);
    for (let i = 0; i < this.keyWords; i++) {
      const left = count - 4 * i;
      const from = at + 4 * i;
      let word = 0;
      if (left >= 4) {
        word =
          ((bytes[from] ?? 0) << 24) |
          ((bytes[from + 1] ?? 0) << 16) |
          ((bytes[from + 2] ?? 0) << 8) |
          (bytes[from + 3] ?? 0);
      } else {
        for (let j = 0; j < left; j++) word |= (bytes[from + j] ?? 0) << (24 - 8 * j);
      }
      this.#key[i] = word;
      hash = mix(hash, word);
    }
    return finish(hash);
  }

  #hashOf(net: NetId): number {
    let hash = Math.imul(this.#records.get(net, LENGTH_SCOPE), 0x9e3779b1);
    for (let i = 0; i < this.keyWords; i++) hash = mix(hash, this.#records.get(net, KEY + i));
    return finish(hash);
  }

  #search(hash: number, lengthScope: number): NetId {
    const buckets = this.#buckets[hash >>> 26] ?? NO_BUCKETS;
    if (buckets.length === 0) return 0;
    let net = buckets[hash & (buckets.length - 1)] ?? 0;
    while (net !== 0) {
      if (this.#records.get(net, LENGTH_SCOPE) === lengthScope && this.#hasKey(net)) return net;
      net = this.#records.get(net, NEXT);
    }
    return 0;
  }

  #hasKey(net: NetId): boolean {
    // From the end: the RD at the front is what many nets have in common.
    for (let i = this.keyWords - 1; i >= 0; i--) {
      if (this.#records.get(net, KEY + i) !== this.#key[i]) return false;
    }
    return true;
  }

  #link(net: NetId, hash: number): void {
    const buckets = this.#buckets[hash >>> 26] ?? NO_BUCKETS;
    const bucket = hash & (buckets.length - 1);
    this.#records.set(net, NEXT, buckets[bucket] ?? 0);
    buckets[bucket] = net;
  }

  #grow(part: number): void {
    const old = this.#buckets[part] ?? NO_BUCKETS;
    // By four: looking at every net of the part again is what growing costs.
    this.#buckets[part] = new Uint32Array(Math.max(FIRST_BUCKETS, old.length * 4));
    for (const first of old) {
      let net = first;
      while (net !== 0) {
        const next = this.#records.get(net, NEXT);
        this.#link(net, this.#hashOf(net));
        net = next;
      }
    }
  }
}

/** One step and the end of MurmurHash3's 32-bit form (public domain), without its seed and length. */
function mix(hash: number, word: number): number {
  const k = Math.imul(word, 0xcc9e2d51);
  const h = hash ^ Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}

function finish(hash: number): number {
  let h = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
