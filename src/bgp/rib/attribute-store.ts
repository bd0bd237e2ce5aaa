// SPDX-License-Identifier: Apache-2.0
/**
 * Attribute sets, each once. A set is a block in an arena, named by its place and counted by reference:
 *
 *   word  0   next set in the bucket
 *         1   references
 *         2   number of octets << 16 | 8 bits of the hash << 8 | form
 *         3   next hop, extended communities, tunnel encapsulation: number in Steerings
 *         4   occurrences of our AS in AS_PATH << 16 | flags
 *         5.. the octets
 *
 * The form says how the octets are to be read: as they came from a peer, by its context, or as we encoded
 * them (see attribute-codec.ts). Equal octets of different form are different sets. What the decision process
 * compares is read out of the octets when it is asked for, and kept for a while: nearly every net has one
 * path, and nothing is compared there.
 */
import type { PathAttributes } from '../codec/types.js';
import { Addresses } from './addresses.js';
import { Arena } from './arena.js';
import { PathFactCache, type PathFacts } from './path-facts.js';
import { Steerings, type SteeringValues } from './steering.js';
import { VpnKeys } from './vpn-keys.js';

const NEXT = 0;
const REFERENCES = 1;
const SHAPE = 2;
const STEERING = 3;
const DETAIL = 4;
const WORDS = 5;
const HEADER = 4 * WORDS;

export const HAS_MED = 1;
export const HAS_ORIGINATOR = 2;
export const NO_EXPORT = 4;
export const NO_ADVERTISE = 8;
export const LLGR_STALE = 16;
export const NO_LLGR = 32;
/** Something in it is to be discarded (RFC 7606): every message that carries it is worth a report. */
export const FAULTY = 64;
/** Our cluster is in its CLUSTER_LIST, or we are its originator (RFC 4456 §8). */
export const CLUSTER_LOOP = 128;
export const GRACEFUL_SHUTDOWN = 256;

export type AttributeId = number;

/** The form, beside what attribute-codec.ts says: the octets are all there is, nothing lies in Steerings. */
export const WHOLE = 16;

/** The numbers of a set; filled by whoever has read the octets. */
export interface AttributeFacts extends PathFacts {
  flags: number;
  /** How often our AS is in AS_PATH. */
  ownAs: number;
}

/** Reads octets of a form: see attribute-codec.ts. */
export interface SetReader {
  readonly decode: (octets: Uint8Array, form: number) => PathAttributes;
  /** Fills `out` from bytes[start..end). */
  readonly facts: (
    bytes: Uint8Array,
    start: number,
    end: number,
    form: number,
    out: PathFacts,
  ) => void;
}

const PARTS = 64;
const DECODED_MOST = 2048;
const NO_BUCKETS = new Uint32Array(0);
const FORM = 0xff;
const TAG = 0xff00;

export class AttributeStore {
  readonly addresses = new Addresses();
  readonly vpnKeys = new VpnKeys();
  readonly steerings: Steerings;
  readonly #arena = new Arena();
  readonly #buckets: Uint32Array[] = Array.from({ length: PARTS }, () => NO_BUCKETS);
  readonly #counts = new Uint32Array(PARTS);
  readonly #reader: SetReader;
  readonly #decoded = new Map<AttributeId, PathAttributes>();
  readonly #facts = new PathFactCache();
  #live = 0;
  /** Of the octets asked for last: see {@link find}. */
  #hash = 0;

  /** `onVpnKeyGone`: a number of VpnKeys is free again. */
  constructor(reader: SetReader, onVpnKeyGone: (key: number) => void) {
    this.#reader = reader;
    this.steerings = new Steerings(this.addresses, this.vpnKeys, onVpnKeyGone);
  }

  get live(): number {
    return this.#live;
  }

  get bytes(): number {
    return this.#arena.bytes + this.#buckets.reduce((sum, part) => sum + part.byteLength, 0);
  }

  /**
   * The set with these octets (octets[0..length)), without a new reference; 0 when there is none. `steering`
   * counts when the rest of the set lies in Steerings; of a {@link WHOLE} set it is 0.
   */
  find(octets: Uint8Array, length: number, form: number, steering: number): AttributeId {
    const hash = hashOctets(octets, 0, length, form, steering);
    this.#hash = hash;
    const buckets = this.#buckets[hash >>> 26] ?? NO_BUCKETS;
    if (buckets.length === 0) return 0;
    const shape = shapeOf(length, hash, form);
    let id = buckets[hash & (buckets.length - 1)] ?? 0;
    while (id !== 0) {
      const words = this.#arena.words(id);
      const at = this.#arena.wordOffset(id);
      const same =
        words[at + SHAPE] === shape && (words[at + STEERING] === steering || isWhole(form));
      if (same && this.#hasOctets(id, octets, length)) return id;
      id = words[at + NEXT] ?? 0;
    }
    return 0;
  }

  /**
   * Adds the set that the last call of {@link find} did not find; the caller has its only reference. The
   * reference to `steering` is taken over.
   */
  add(
    octets: Uint8Array,
    length: number,
    form: number,
    steering: number,
    facts: AttributeFacts,
  ): AttributeId {
    const hash = this.#hash;
    const part = hash >>> 26;
    if ((this.#counts[part] ?? 0) >= (this.#buckets[part] ?? NO_BUCKETS).length) this.#grow(part);
    const id = this.#arena.allocate(HEADER + length);
    const words = this.#arena.words(id);
    const at = this.#arena.wordOffset(id);
    words[at + REFERENCES] = 1;
    words[at + SHAPE] = shapeOf(length, hash, form);
    words[at + STEERING] = steering;
    words[at + DETAIL] = (Math.min(facts.ownAs, 0xffff) << 16) | facts.flags;
    const chunk = this.#arena.chunk(id);
    const to = this.#arena.offset(id) + HEADER;
    for (let i = 0; i < length; i++) chunk[to + i] = octets[i] ?? 0;
    this.#link(id, hash);
    this.#counts[part] = (this.#counts[part] ?? 0) + 1;
    this.#live++;
    this.#facts.keep(id, facts);
    return id;
  }

  /** A number of Steerings for a set whose octets are all there is, with a reference. */
  steer(values: SteeringValues): number {
    return this.steerings.acquire(values);
  }

  retain(id: AttributeId): void {
    const words = this.#arena.words(id);
    const at = this.#arena.wordOffset(id) + REFERENCES;
    words[at] = (words[at] ?? 0) + 1;
  }

  release(id: AttributeId): void {
    const words = this.#arena.words(id);
    const at = this.#arena.wordOffset(id) + REFERENCES;
    const references = (words[at] ?? 0) - 1;
    if (references < 0) throw new Error(`attribute set ${String(id)} released too often`);
    words[at] = references;
    if (references > 0) return;
    this.#unlink(id);
    this.#decoded.delete(id);
    this.#facts.forget(id);
    this.steerings.release(this.#word(id, STEERING));
    this.#arena.free(id, HEADER + this.length(id));
    this.#live--;
  }

  /** Octets as interned, with those in Steerings behind them; valid until the set goes. */
  octets(id: AttributeId): Uint8Array {
    const at = this.#arena.offset(id) + HEADER;
    const own = this.#arena.chunk(id).subarray(at, at + this.length(id));
    const steering = this.steerings.octets(this.#word(id, STEERING));
    if (steering.length === 0) return own;
    const all = new Uint8Array(own.length + steering.length);
    all.set(own);
    all.set(steering, own.length);
    return all;
  }

  /** Of the octets that are its own. */
  length(id: AttributeId): number {
    return this.#word(id, SHAPE) >>> 16;
  }

  form(id: AttributeId): number {
    return this.#word(id, SHAPE) & FORM;
  }

  has(id: AttributeId, flag: number): boolean {
    return (this.#word(id, DETAIL) & flag) !== 0;
  }

  /** What the decision process compares; valid until the next call. */
  facts(id: AttributeId): PathFacts {
    const known = this.#facts.get(id);
    if (known !== undefined) return known;
    const start = this.#arena.offset(id) + HEADER;
    const found = this.#facts.scratch;
    const end = start + this.length(id);
    this.#reader.facts(this.#arena.chunk(id), start, end, this.form(id), found);
    this.#facts.keep(id, found);
    return found;
  }

  neighbourAs(id: AttributeId): number {
    return this.facts(id).neighbourAs;
  }

  /** Number of the address; 0: none. */
  nextHop(id: AttributeId): number {
    return this.steerings.address(this.#word(id, STEERING));
  }

  ownAs(id: AttributeId): number {
    return this.#word(id, DETAIL) >>> 16;
  }

  vpnKey(id: AttributeId): number {
    return this.steerings.vpnKey(this.#word(id, STEERING));
  }

  routeTargets(id: AttributeId): readonly bigint[] {
    return this.vpnKeys.targets(this.vpnKey(id));
  }

  /** All attributes; kept for a while, so that routes that share a set share the object. */
  decoded(id: AttributeId): PathAttributes {
    const known = this.#decoded.get(id);
    if (known !== undefined) return known;
    const attributes = this.#reader.decode(this.octets(id), this.form(id));
    if (this.#decoded.size >= DECODED_MOST) {
      for (const oldest of this.#decoded.keys()) {
        this.#decoded.delete(oldest);
        break;
      }
    }
    this.#decoded.set(id, attributes);
    return attributes;
  }

  #word(id: AttributeId, word: number): number {
    return this.#arena.words(id)[this.#arena.wordOffset(id) + word] ?? 0;
  }

  #setNext(id: AttributeId, next: AttributeId): void {
    this.#arena.words(id)[this.#arena.wordOffset(id) + NEXT] = next;
  }

  #hasOctets(id: AttributeId, octets: Uint8Array, length: number): boolean {
    const chunk = this.#arena.chunk(id);
    const at = this.#arena.offset(id) + HEADER;
    for (let i = 0; i < length; i++) if (chunk[at + i] !== octets[i]) return false;
    return true;
  }

  /** The hash it was added with, worked out again: cheaper than a word for each of a million. */
  #hashOf(id: AttributeId): number {
    const form = this.form(id);
    const steering = isWhole(form) ? 0 : this.#word(id, STEERING);
    const at = this.#arena.offset(id) + HEADER;
    return hashOctets(this.#arena.chunk(id), at, this.length(id), form, steering);
  }

  #link(id: AttributeId, hash: number): void {
    const buckets = this.#buckets[hash >>> 26] ?? NO_BUCKETS;
    const bucket = hash & (buckets.length - 1);
    this.#setNext(id, buckets[bucket] ?? 0);
    buckets[bucket] = id;
  }

  #unlink(id: AttributeId): void {
    const hash = this.#hashOf(id);
    const part = hash >>> 26;
    const buckets = this.#buckets[part] ?? NO_BUCKETS;
    const bucket = hash & (buckets.length - 1);
    let at = buckets[bucket] ?? 0;
    if (at === id) buckets[bucket] = this.#word(id, NEXT);
    else {
      while (this.#word(at, NEXT) !== id) at = this.#word(at, NEXT);
      this.#setNext(at, this.#word(id, NEXT));
    }
    this.#counts[part] = (this.#counts[part] ?? 0) - 1;
  }

  #grow(part: number): void {
    const old = this.#buckets[part] ?? NO_BUCKETS;
    this.#buckets[part] = new Uint32Array(Math.max(4, old.length * 4));
    for (const first of old) {
      let id = first;
      while (id !== 0) {
        const next = this.#word(id, NEXT);
        this.#link(id, this.#hashOf(id));
        id = next;
      }
    }
  }
}

const isWhole = (form: number): boolean => (form & WHOLE) !== 0;

const shapeOf = (length: number, hash: number, form: number): number =>
  ((length << 16) | ((hash >>> 8) & TAG) | form) >>> 0;

/** FNV-1a over octets[start..start + length), four at a time, with a finish: the parts take the upper bits. */
function hashOctets(
  octets: Uint8Array,
  start: number,
  length: number,
  form: number,
  steering: number,
): number {
  let hash = Math.imul(0x811c9dc5 ^ form, 0x01000193) ^ length;
  hash = Math.imul(hash ^ steering, 0x85ebca6b);
  const end = start + length;
  let i = start;
  for (; i + 4 <= end; i += 4) {
    const word =
      ((octets[i] ?? 0) << 24) |
      ((octets[i + 1] ?? 0) << 16) |
      ((octets[i + 2] ?? 0) << 8) |
      (octets[i + 3] ?? 0);
    hash = Math.imul(hash ^ word, 0x01000193);
    hash ^= hash >>> 15;
  }
  for (; i < end; i++) hash = Math.imul(hash ^ (octets[i] ?? 0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}
