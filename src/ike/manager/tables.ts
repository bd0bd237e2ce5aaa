// SPDX-License-Identifier: Apache-2.0
/** Where a datagram belongs: every lookup is one in a Map. */
import type { IkeCrypto } from '../crypto/api.js';
import type { OpeningIkeSa } from '../open/types.js';
import type { IkeSa } from '../sa/api.js';
import type { Role } from '../types.js';

export interface OpeningEntry {
  readonly kind: 'opening';
  readonly role: Role;
  readonly opening: OpeningIkeSa;
  readonly local: Uint8Array;
  readonly remote: Uint8Array;
  /** Milliseconds of timers.now(). */
  readonly startedAt: number;
  /** To be called when the peer says, in clear, that it does not know this one. */
  readonly onHint?: (() => void) | undefined;
}

export interface SaEntry {
  readonly kind: 'sa';
  readonly sa: IkeSa;
}

export type Entry = OpeningEntry | SaEntry;

/** A character for each octet; of an address. Asking for its memory would move a small array out of the heap. */
export function latin1(octets: Uint8Array): string {
  let text = '';
  for (const octet of octets) text += String.fromCharCode(octet);
  return text;
}

/** Addresses of one family have one length, so that no two pairs have one key. */
export const pairKey = (local: Uint8Array, remote: Uint8Array): string =>
  latin1(local) + latin1(remote);

const halfOpenKey = (initiatorSpi: bigint, remote: Uint8Array): string =>
  `${initiatorSpi.toString(36)}/${latin1(remote)}`;

/** Our SPI of an IKE SA. */
export const ownSpiOf = (sa: {
  readonly role: Role;
  readonly initiatorSpi: bigint;
  readonly responderSpi: bigint;
}): bigint => (sa.role === 'initiator' ? sa.initiatorSpi : sa.responderSpi);

export class SaTables {
  readonly #crypto: Pick<IkeCrypto, 'random'>;
  readonly #bySpi = new Map<bigint, Entry>();
  /** Those that we answered and that are not authenticated. */
  readonly #halfOpen = new Map<string, OpeningEntry>();
  readonly #halfOpenOf = new Map<string, number>();

  constructor(crypto: Pick<IkeCrypto, 'random'>) {
    this.#crypto = crypto;
  }

  get size(): number {
    return this.#bySpi.size;
  }
  get halfOpen(): number {
    return this.#halfOpen.size;
  }

  halfOpenOf(remote: Uint8Array): number {
    return this.#halfOpenOf.get(latin1(remote)) ?? 0;
  }

  /** An SPI of ours: unpredictable, not 0, not in use. */
  drawSpi(): bigint {
    for (;;) {
      const spi = this.#crypto.random(8).readBigUInt64BE();
      if (spi !== 0n && !this.#bySpi.has(spi)) return spi;
    }
  }

  find(ownSpi: bigint): Entry | undefined {
    return this.#bySpi.get(ownSpi);
  }

  has(spi: bigint): boolean {
    return this.#bySpi.has(spi);
  }

  /** The one that we answered, when the same request comes again. */
  findHalfOpen(initiatorSpi: bigint, remote: Uint8Array): OpeningEntry | undefined {
    return this.#halfOpen.get(halfOpenKey(initiatorSpi, remote));
  }

  /** Instead of what had this SPI: an opening becomes an IKE SA. */
  put(ownSpi: bigint, entry: Entry): void {
    this.remove(ownSpi);
    this.#bySpi.set(ownSpi, entry);
    if (entry.kind !== 'opening' || entry.role !== 'responder') return;
    this.#halfOpen.set(halfOpenKey(entry.opening.initiatorSpi, entry.remote), entry);
    const peer = latin1(entry.remote);
    this.#halfOpenOf.set(peer, (this.#halfOpenOf.get(peer) ?? 0) + 1);
  }

  remove(ownSpi: bigint): void {
    const entry = this.#bySpi.get(ownSpi);
    if (entry === undefined) return;
    this.#bySpi.delete(ownSpi);
    if (entry.kind !== 'opening' || entry.role !== 'responder') return;
    const key = halfOpenKey(entry.opening.initiatorSpi, entry.remote);
    if (this.#halfOpen.get(key) === entry) this.#halfOpen.delete(key);
    const peer = latin1(entry.remote);
    const left = (this.#halfOpenOf.get(peer) ?? 0) - 1;
    if (left > 0) this.#halfOpenOf.set(peer, left);
    else this.#halfOpenOf.delete(peer);
  }

  entries(): IterableIterator<[bigint, Entry]> {
    return this.#bySpi.entries();
  }

  *sas(): IterableIterator<IkeSa> {
    for (const entry of this.#bySpi.values()) if (entry.kind === 'sa') yield entry.sa;
  }
}
