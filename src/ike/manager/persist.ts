// SPDX-License-Identifier: Apache-2.0
/**
 * IKE SAs that outlive the supervisor (ADR 13): what is kept of each, as octets.
 *
 *    | "SLIKESA" 1 | SHA-256 of the rest, 32 | { format, epoch, kept } as V8 serializes it |
 *
 * The epoch is that of the segments: the child SAs of another one are gone. Octets that are cut, of another format
 * or epoch are no IKE SA. The digest is for what was half written; who can write there needs no forgery.
 */
import { createHash } from 'node:crypto';
import { deserialize, serialize } from 'node:v8';
import { wipe } from '../crypto/secret.js';
import type { ChildSa } from '../child/child-sa.js';
import type { IkeSa, IkeSaState } from '../sa/api.js';
import type { Timers } from '../types.js';
import type { Lineage } from './duplicates.js';
import { ownSpiOf } from './tables.js';

const MAGIC = Buffer.from('SLIKESA\x01', 'latin1');
const DIGEST_BYTES = 32;
/** Raised with each change of Kept, and of what is in it. */
const FORMAT = 4;

/** Where they are kept: the driver's, by our SPI. None of it throws for want of room: it says so in the log. */
export interface SaStore {
  readonly epoch: string;
  load(): readonly Uint8Array[];
  put(ownSpi: bigint, octets: Uint8Array): void;
  remove(ownSpi: bigint): void;
}

const digestOf = (body: Uint8Array): Buffer => createHash('sha256').update(body).digest();

/** What is left of an IKE SA that cannot be gone on with: its child SAs live until others replace them. */
export interface Remains {
  readonly open: Pick<
    IkeSaState['open'],
    'role' | 'initiatorSpi' | 'responderSpi' | 'path' | 'identity'
  >;
  readonly children: readonly { readonly child: ChildSa; readonly hardMs: number | undefined }[];
}

/** `state` undefined: in the middle of something; only its remains are of use. */
export interface Kept {
  readonly state: IkeSaState | undefined;
  /** undefined: of no peer yet. Its times are of the machine's clock, which goes on between two supervisors. */
  readonly lineage: Lineage | undefined;
  readonly remains: Remains;
}

export function encodeKept(kept: Kept, epoch: string): Uint8Array {
  const body = serialize({ format: FORMAT, epoch, kept });
  const octets = new Uint8Array(MAGIC.length + DIGEST_BYTES + body.length);
  octets.set(MAGIC);
  octets.set(digestOf(body), MAGIC.length);
  octets.set(body, MAGIC.length + DIGEST_BYTES);
  wipe(body);
  return octets;
}

/** undefined: of another epoch or format, or damaged. Nothing in the answer is a view of `octets`. */
export function decodeKept(octets: Uint8Array, epoch: string): Kept | undefined {
  const body = octets.subarray(MAGIC.length + DIGEST_BYTES);
  if (Buffer.compare(octets.subarray(0, MAGIC.length), MAGIC) !== 0) return undefined;
  const digest = octets.subarray(MAGIC.length, MAGIC.length + DIGEST_BYTES);
  if (Buffer.compare(digest, digestOf(body)) !== 0) return undefined;
  const file = read(body);
  return isFile(file) && file.epoch === epoch ? file.kept : undefined;
}

/** Another Node may not read what this one has written: that is another format, and no reason not to start. */
function read(body: Uint8Array): unknown {
  try {
    return owned(deserialize(body));
  } catch {
    return undefined;
  }
}

/** What the digest covers was written by us: its format says what is in it. */
function isFile(value: unknown): value is { readonly epoch: string; readonly kept: Kept } {
  if (typeof value !== 'object' || value === null || !('format' in value)) return false;
  return value.format === FORMAT && 'epoch' in value && 'kept' in value;
}

function keptOf(sa: IkeSa, lineage: Lineage | undefined): Kept | undefined {
  const state = sa.state();
  const { role, initiatorSpi, responderSpi, identity, channel } = sa.open;
  const open = { role, initiatorSpi, responderSpi, identity, path: channel.path };
  if (state !== undefined) {
    const children = state.children.filter(({ replacedBy }) => replacedBy === undefined);
    return {
      ...{ state, lineage },
      remains: { open, children: children.map(({ child, hardMs }) => ({ child, hardMs })) },
    };
  }
  if (sa.phase !== 'rekeying') return undefined;
  const children = sa.children.map((child) => ({ child, hardMs: undefined }));
  return { state, lineage, remains: { open, children } };
}

/** V8 gives views of what it reads: each becomes a Buffer of its own, as secret.ts wants them. */
function owned(value: unknown): unknown {
  if (value instanceof Uint8Array) {
    const copy = Buffer.from(new ArrayBuffer(value.length));
    copy.set(value);
    return copy;
  }
  if (Array.isArray(value)) return value.map(owned);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, owned(each)]));
}

/** After a change that nothing was sent for; what is sent is kept before it leaves. */
const SOON_MS = 50;
/** While it is in the middle of something, whose end may show in nothing that we hear of. */
const AGAIN_MS = 1_000;

/** Keeps the state of each IKE SA up to date in the store. */
export class Saver {
  readonly #store: SaStore;
  readonly #timers: Timers;
  readonly #lineageOf: (sa: IkeSa) => Lineage | undefined;
  /** Exchange, flags and message ID of what was last sent: fragments and retransmissions change nothing. */
  readonly #sent = new WeakMap<IkeSa, number>();
  readonly #dirty = new Set<IkeSa>();
  readonly #busy = new Set<IkeSa>();
  readonly #kept = new Set<bigint>();
  #soon: (() => void) | undefined;
  #again: (() => void) | undefined;

  constructor(store: SaStore, timers: Timers, lineageOf: (sa: IkeSa) => Lineage | undefined) {
    this.#store = store;
    this.#timers = timers;
    this.#lineageOf = lineageOf;
  }

  /** A message is about to leave: a supervisor that goes on must know that it did. */
  beforeSend(sa: IkeSa, message: Uint8Array): void {
    let mark = message[18] ?? 0;
    for (let at = 19; at < 24; at++) mark = mark * 256 + (message[at] ?? 0);
    if (this.#sent.get(sa) === mark) return;
    this.#sent.set(sa, mark);
    this.save(sa);
  }

  changed(sa: IkeSa): void {
    this.#dirty.add(sa);
    this.#soon ??= this.#timers.after(SOON_MS, () => {
      this.#soon = undefined;
      for (const each of [...this.#dirty]) this.save(each);
    });
  }

  save(sa: IkeSa): void {
    this.#dirty.delete(sa);
    this.#busy.delete(sa);
    const spi = ownSpiOf(sa.open);
    const kept = keptOf(sa, this.#lineageOf(sa));
    if (kept === undefined) {
      this.remove(spi);
      return;
    }
    const { state } = kept;
    const octets = encodeKept(kept, this.#store.epoch);
    if (state !== undefined) wipeState(state);
    this.#store.put(spi, octets);
    this.#kept.add(spi);
    wipe(octets);
    if (state === undefined || state.pending === 'exchange') this.#saveAgain(sa);
  }

  remove(ownSpi: bigint): void {
    if (this.#kept.delete(ownSpi)) this.#store.remove(ownSpi);
  }

  /** One that was there when we came: it is ours to remove now. */
  found(ownSpi: bigint): void {
    this.#kept.add(ownSpi);
  }

  close(): void {
    this.#soon?.();
    this.#again?.();
    this.#dirty.clear();
    this.#busy.clear();
  }

  #saveAgain(sa: IkeSa): void {
    this.#busy.add(sa);
    this.#again ??= this.#timers.after(AGAIN_MS, () => {
      this.#again = undefined;
      for (const each of [...this.#busy]) this.save(each);
    });
  }
}

/** A copy that was taken; what lives on has its own. */
export function wipeState({ skD, channel }: IkeSaState): void {
  const { send, receive } = channel.keys;
  wipe(skD, send.encryption, send.integrity, receive.encryption, receive.integrity);
}
