// SPDX-License-Identifier: Apache-2.0
/**
 * Attribute sets, each once. A set is named by a number and counted by reference; its octets lie in an
 * arena, what the decision process compares lies beside in a record, and the whole is decoded only for
 * those who look.
 *
 *   word  0   next set in the bucket
 *         1   hash of the octets and the form
 *         2   references
 *         3   place of the octets in the arena
 *         4   number of octets << 16 | form
 *         5   LOCAL_PREF (100 when there is none)
 *         6   MULTI_EXIT_DISC (0 when there is none: see flag HAS_MED)
 *         7   neighbouring AS
 *         8   next hop: number of the address
 *         9   AS path length << 16 | CLUSTER_LIST length << 2 | ORIGIN
 *        10   ORIGINATOR_ID
 *        11   extended communities and tunnel encapsulation: number in VpnKeys
 *        12   occurrences of our AS in AS_PATH << 16 | flags
 *
 * The form says how the octets are to be read: as they came from a peer, by its context, or as we encoded
 * them (see attribute-codec.ts). Equal octets of different form are different sets.
 */
import type { PathAttributes } from '../codec/types.js';
import { Addresses } from './addresses.js';
import { Arena } from './arena.js';
import { Records } from './records.js';
import { VpnKeys } from './vpn-keys.js';

const NEXT = 0;
const HASH = 1;
const REFERENCES = 2;
const PLACE = 3;
const SHAPE = 4;
const LOCAL_PREF = 5;
const MED = 6;
const NEIGHBOUR_AS = 7;
const NEXT_HOP = 8;
const PATH = 9;
const ORIGINATOR = 10;
const VPN_KEY = 11;
const DETAIL = 12;
const WORDS = 13;

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

/** The numbers of a set; filled by whoever has read the octets. */
export interface AttributeFacts {
  flags: number;
  localPref: number;
  med: number;
  neighbourAs: number;
  /** 4 or 16 octets, or none. */
  nextHop: Uint8Array;
  pathLength: number;
  clusterLength: number;
  origin: number;
  originatorId: number;
  /** How often our AS is in AS_PATH. */
  ownAs: number;
  /** Values of the Extended Communities and Tunnel Encapsulation attributes. */
  extendedCommunities: Uint8Array;
  tunnelEncapsulation: Uint8Array;
}

const PARTS = 64;
const DECODED_MOST = 2048;
const NO_BUCKETS = new Uint32Array(0);

export class AttributeStore {
  readonly addresses = new Addresses();
  readonly vpnKeys = new VpnKeys();
  readonly #records = new Records(WORDS);
  readonly #arena = new Arena();
  readonly #buckets: Uint32Array[] = Array.from({ length: PARTS }, () => NO_BUCKETS);
  readonly #counts = new Uint32Array(PARTS);
  readonly #decode: (octets: Uint8Array, form: number) => PathAttributes;
  readonly #decoded = new Map<AttributeId, PathAttributes>();
  readonly #onVpnKeyGone: (key: number) => void;

  /** `decode`: octets of a form to the whole object. `onVpnKeyGone`: a number of VpnKeys is free again. */
  constructor(
    decode: (octets: Uint8Array, form: number) => PathAttributes,
    onVpnKeyGone: (key: number) => void,
  ) {
    this.#decode = decode;
    this.#onVpnKeyGone = onVpnKeyGone;
  }

  get live(): number {
    return this.#records.live;
  }

  get bytes(): number {
    return (
      this.#records.bytes +
      this.#arena.bytes +
      this.#buckets.reduce((sum, part) => sum + part.byteLength, 0)
    );
  }

  /** The set with these octets (octets[0..length)), without a new reference; 0 when there is none. */
  find(octets: Uint8Array, length: number, form: number): AttributeId {
    const hash = hashOctets(octets, length, form);
    const buckets = this.#buckets[hash >>> 26] ?? NO_BUCKETS;
    if (buckets.length === 0) return 0;
    const shape = ((length << 16) | form) >>> 0;
    let id = buckets[hash & (buckets.length - 1)] ?? 0;
    while (id !== 0) {
      const same = this.#records.get(id, HASH) === hash && this.#records.get(id, SHAPE) === shape;
      if (same && this.#hasOctets(id, octets, length)) return id;
      id = this.#records.get(id, NEXT);
    }
    return 0;
  }

  /** Adds a set that {@link find} did not find; the caller has its only reference. */
  add(octets: Uint8Array, length: number, form: number, facts: AttributeFacts): AttributeId {
    const hash = hashOctets(octets, length, form);
    const part = hash >>> 26;
    if ((this.#counts[part] ?? 0) >= (this.#buckets[part] ?? NO_BUCKETS).length) this.#grow(part);
    const id = this.#records.allocate();
    const place = this.#arena.allocate(length);
    this.#arena.view(place, length).set(octets.subarray(0, length));
    const set = (word: number, value: number): void => {
      this.#records.set(id, word, value);
    };
    set(HASH, hash);
    set(REFERENCES, 1);
    set(PLACE, place);
    set(SHAPE, (length << 16) | form);
    set(DETAIL, (Math.min(facts.ownAs, 0xffff) << 16) | facts.flags);
    set(LOCAL_PREF, facts.localPref);
    set(MED, facts.med);
    set(NEIGHBOUR_AS, facts.neighbourAs);
    set(NEXT_HOP, this.addresses.acquire(facts.nextHop));
    const cluster = Math.min(facts.clusterLength, 0x3fff);
    set(PATH, (Math.min(facts.pathLength, 0xffff) << 16) | (cluster << 2) | facts.origin);
    set(ORIGINATOR, facts.originatorId);
    set(VPN_KEY, this.vpnKeys.acquire(facts.extendedCommunities, facts.tunnelEncapsulation));
    this.#link(id, hash);
    this.#counts[part] = (this.#counts[part] ?? 0) + 1;
    return id;
  }

  retain(id: AttributeId): void {
    this.#records.set(id, REFERENCES, this.#records.get(id, REFERENCES) + 1);
  }

  release(id: AttributeId): void {
    const references = this.#records.get(id, REFERENCES) - 1;
    if (references > 0) {
      this.#records.set(id, REFERENCES, references);
      return;
    }
    if (references < 0) throw new Error(`attribute set ${String(id)} released too often`);
    this.#unlink(id);
    this.#arena.free(this.#records.get(id, PLACE), this.length(id));
    this.addresses.release(this.nextHop(id));
    const key = this.vpnKey(id);
    if (this.vpnKeys.release(key)) this.#onVpnKeyGone(key);
    this.#records.free(id);
    this.#decoded.delete(id);
  }

  /** Octets as interned, valid until the set goes. */
  octets(id: AttributeId): Uint8Array {
    return this.#arena.view(this.#records.get(id, PLACE), this.length(id));
  }

  length(id: AttributeId): number {
    return this.#records.get(id, SHAPE) >>> 16;
  }

  form(id: AttributeId): number {
    return this.#records.get(id, SHAPE) & 0xffff;
  }

  has(id: AttributeId, flag: number): boolean {
    return (this.#records.get(id, DETAIL) & flag) !== 0;
  }

  localPref(id: AttributeId): number {
    return this.#records.get(id, LOCAL_PREF);
  }

  med(id: AttributeId): number {
    return this.#records.get(id, MED);
  }

  neighbourAs(id: AttributeId): number {
    return this.#records.get(id, NEIGHBOUR_AS);
  }

  /** Number of the address; 0: none. */
  nextHop(id: AttributeId): number {
    return this.#records.get(id, NEXT_HOP);
  }

  pathLength(id: AttributeId): number {
    return this.#records.get(id, PATH) >>> 16;
  }

  clusterLength(id: AttributeId): number {
    return (this.#records.get(id, PATH) >>> 2) & 0x3fff;
  }

  origin(id: AttributeId): number {
    return this.#records.get(id, PATH) & 3;
  }

  originatorId(id: AttributeId): number {
    return this.#records.get(id, ORIGINATOR);
  }

  ownAs(id: AttributeId): number {
    return this.#records.get(id, DETAIL) >>> 16;
  }

  vpnKey(id: AttributeId): number {
    return this.#records.get(id, VPN_KEY);
  }

  routeTargets(id: AttributeId): readonly bigint[] {
    return this.vpnKeys.targets(this.vpnKey(id));
  }

  /** All attributes; kept for a while, so that routes that share a set share the object. */
  decoded(id: AttributeId): PathAttributes {
    const known = this.#decoded.get(id);
    if (known !== undefined) return known;
    const attributes = this.#decode(this.octets(id), this.form(id));
    if (this.#decoded.size >= DECODED_MOST) {
      for (const oldest of this.#decoded.keys()) {
        this.#decoded.delete(oldest);
        break;
      }
    }
    this.#decoded.set(id, attributes);
    return attributes;
  }

  #hasOctets(id: AttributeId, octets: Uint8Array, length: number): boolean {
    const place = this.#records.get(id, PLACE);
    const chunk = this.#arena.chunk(place);
    const at = this.#arena.offset(place);
    for (let i = 0; i < length; i++) if (chunk[at + i] !== octets[i]) return false;
    return true;
  }

  #link(id: AttributeId, hash: number): void {
    const buckets = this.#buckets[hash >>> 26] ?? NO_BUCKETS;
    const bucket = hash & (buckets.length - 1);
    this.#records.set(id, NEXT, buckets[bucket] ?? 0);
    buckets[bucket] = id;
  }

  #unlink(id: AttributeId): void {
    const hash = this.#records.get(id, HASH);
    const part = hash >>> 26;
    const buckets = this.#buckets[part] ?? NO_BUCKETS;
    const bucket = hash & (buckets.length - 1);
    let at = buckets[bucket] ?? 0;
    if (at === id) buckets[bucket] = this.#records.get(id, NEXT);
    else {
      while (this.#records.get(at, NEXT) !== id) at = this.#records.get(at, NEXT);
      this.#records.set(at, NEXT, this.#records.get(id, NEXT));
    }
    this.#counts[part] = (this.#counts[part] ?? 0) - 1;
  }

  #grow(part: number): void {
    const old = this.#buckets[part] ?? NO_BUCKETS;
    this.#buckets[part] = new Uint32Array(Math.max(4, old.length * 2));
    for (const first of old) {
      let id = first;
      while (id !== 0) {
        const next = this.#records.get(id, NEXT);
        this.#link(id, this.#records.get(id, HASH));
        id = next;
      }
    }
  }
}

/** FNV-1a over the octets, four at a time, with a finish: the parts take the upper bits. */
function hashOctets(octets: Uint8Array, length: number, form: number): number {
  let hash = Math.imul(0x811c9dc5 ^ form, 0x01000193) ^ length;
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    const word =
      ((octets[i] ?? 0) << 24) |
      ((octets[i + 1] ?? 0) << 16) |
      ((octets[i + 2] ?? 0) << 8) |
      (octets[i + 3] ?? 0);
    hash = Math.imul(hash ^ word, 0x01000193);
    hash ^= hash >>> 15;
  }
  for (; i < length; i++) hash = Math.imul(hash ^ (octets[i] ?? 0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}
