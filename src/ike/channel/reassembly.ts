// SPDX-License-Identifier: Apache-2.0
/**
 * Fragments to messages (RFC 7383 §2.6). Every fragment was authenticated before it gets here, so what is kept is
 * the peer's own; still it is bounded: in octets, in number, in time, and by the windows in messages at once.
 */
import type { Protection } from '../codec/chain.js';
import type { IkeHeader } from '../codec/header.js';
import { LIMITS } from '../codec/limits.js';
import type { Timers } from '../types.js';

/** More fragments than the largest message has in the smallest packets that we send ourselves. */
const MOST_FRAGMENTS = 1024;
/** From the first fragment on. A peer sends all of them at once, and again when it gets no answer. */
export const REASSEMBLY_MS = 30_000;

/** The fragment with number 1, whose headers stand for the message. */
export interface FirstFragment {
  readonly header: IkeHeader;
  readonly octets: Uint8Array;
  readonly protection: Protection;
  readonly firstInner: number;
}

export interface Fragment {
  readonly number: number;
  readonly total: number;
  readonly exchange: number;
  /** Decrypted. */
  readonly piece: Uint8Array;
  /** Of fragment 1. */
  readonly first?: FirstFragment;
}

export interface Reassembled extends FirstFragment {
  readonly inner: Uint8Array;
}

interface Assembly {
  readonly total: number;
  readonly exchange: number;
  readonly pieces: (Uint8Array | undefined)[];
  missing: number;
  octets: number;
  first: FirstFragment | undefined;
  readonly cancel: () => void;
}

export class Reassembly {
  readonly #timers: Timers;
  readonly #onDropped: () => void;
  /** Made when the first fragment comes: most IKE SAs never see one again. */
  #assemblies: Map<number, Assembly> | undefined;

  /** @param onDropped a message was given up, or a fragment is not taken */
  constructor(timers: Timers, onDropped: () => void) {
    this.#timers = timers;
    this.#onDropped = onDropped;
  }

  /** Before the costly check of its integrity: whether a fragment could be of use. */
  isWanted(key: number, number: number, total: number): boolean {
    const known = this.#assemblies?.get(key);
    if (total <= MOST_FRAGMENTS) {
      if (known === undefined || total > known.total) return true;
      if (total === known.total) return known.pieces[number - 1] === undefined; // else a duplicate
    }
    this.#onDropped();
    return false;
  }

  /** Takes a wanted, authenticated fragment; the message when it was the last that missed. */
  add(key: number, fragment: Fragment): Reassembled | undefined {
    const assembly = this.#assemblyFor(key, fragment);
    const { number, piece, first } = fragment;
    if (assembly.exchange !== fragment.exchange || assembly.octets + piece.length > LIMITS.octets) {
      this.forget(key);
      this.#onDropped();
      return undefined;
    }
    assembly.pieces[number - 1] = piece;
    assembly.octets += piece.length;
    assembly.first ??= first;
    assembly.missing -= 1;
    if (assembly.missing > 0 || assembly.first === undefined) return undefined;
    this.forget(key);
    const inner = new Uint8Array(assembly.octets);
    let at = 0;
    for (const each of assembly.pieces) {
      if (each === undefined) continue;
      inner.set(each, at);
      at += each.length;
    }
    return { inner, ...assembly.first };
  }

  /** The message came whole, or nobody waits for it any more. */
  forget(key: number): void {
    this.#assemblies?.get(key)?.cancel();
    this.#assemblies?.delete(key);
  }

  forgetAll(): void {
    for (const { cancel } of this.#assemblies?.values() ?? []) cancel();
    this.#assemblies = undefined;
  }

  get size(): number {
    return this.#assemblies?.size ?? 0;
  }

  /** RFC 7383 §2.6: a larger total means that the peer has cut the message anew, the older pieces go. */
  #assemblyFor(key: number, { total, exchange }: Fragment): Assembly {
    const known = this.#assemblies?.get(key);
    if (known?.total === total) return known;
    this.forget(key);
    const cancel = this.#timers.after(REASSEMBLY_MS, () => {
      this.#assemblies?.delete(key);
      this.#onDropped();
    });
    const assembly: Assembly = {
      total,
      exchange,
      pieces: [],
      missing: total,
      octets: 0,
      first: undefined,
      cancel,
    };
    this.#assemblies ??= new Map();
    this.#assemblies.set(key, assembly);
    return assembly;
  }
}
