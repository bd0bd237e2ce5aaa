// SPDX-License-Identifier: Apache-2.0
/**
 * Which IKE_SA_INIT requests become half-open IKE SAs (RFC 7296 §2.6, RFC 8019 §4): cheapest questions first, so
 * that a flood of forged ones costs a lookup and a cookie each, and no memory.
 */
import type { Authenticator } from '../auth/api.js';
import { HEADER_LENGTH, type IkeHeader } from '../codec/header.js';
import { NOTIFY } from '../codec/names/notify.js';
import { EXCHANGE } from '../codec/names/registries.js';
import type { IkeCounter } from '../counters.js';
import type { CookieJar } from '../exchange/ike-sa-init-cookies.js';
import type { IkePolicy, PeerPolicy } from '../policy.js';
import type { Datagram } from '../types.js';
import { latin1, type SaTables } from './tables.js';

/** Requests that wait for their slice, by (SPIi, address). */
export class Waiting {
  readonly #keys = new Set<string>();
  readonly #ofPeer = new Map<string, number>();

  get size(): number {
    return this.#keys.size;
  }

  of(peer: string): number {
    return this.#ofPeer.get(peer) ?? 0;
  }

  has(spi: bigint, peer: string): boolean {
    return this.#keys.has(`${spi.toString(36)}/${peer}`);
  }

  add(spi: bigint, peer: string): void {
    this.#keys.add(`${spi.toString(36)}/${peer}`);
    this.#ofPeer.set(peer, this.of(peer) + 1);
  }

  delete(spi: bigint, peer: string): void {
    this.#keys.delete(`${spi.toString(36)}/${peer}`);
    const left = this.of(peer) - 1;
    if (left > 0) this.#ofPeer.set(peer, left);
    else this.#ofPeer.delete(peer);
  }
}

export interface AdmissionDeps {
  readonly tables: SaTables;
  readonly cookies: CookieJar;
  readonly authenticator: Pick<Authenticator, 'admits'>;
  readonly count: (counter: IkeCounter) => void;
  /** Admitted, and waiting for their turn: in all, and of one peer. */
  readonly waiting: Waiting;
}

export type Admission =
  | { readonly verdict: 'admit'; readonly policy: PeerPolicy }
  | { readonly verdict: 'answer'; readonly octets: Uint8Array }
  | { readonly verdict: 'drop' };

/**
 * HDR(SPIi, 0), N(COOKIE): the same as encodeMessage makes of it, in a quarter of the time. A flood asks for fifty
 * thousand of them a second.
 */
function cookieAnswer(request: Uint8Array, cookie: Uint8Array): Uint8Array {
  const octets = new Uint8Array(HEADER_LENGTH + 8 + cookie.length);
  octets.set(request.subarray(0, 8));
  // Next payload N, version 2.0, exchange, R; message ID 0.
  octets.set([41, 0x20, EXCHANGE.ikeSaInit, 0x20], 16);
  octets[26] = octets.length >>> 8;
  octets[27] = octets.length & 0xff;
  // | next 0 | 0 | length 2 | protocol 0 | SPI size 0 | type 2 | cookie |
  octets[31] = 8 + cookie.length;
  octets[34] = NOTIFY.COOKIE >>> 8;
  octets[35] = NOTIFY.COOKIE & 0xff;
  octets.set(cookie, HEADER_LENGTH + 8);
  return octets;
}

const DROP: Admission = { verdict: 'drop' };

export function admit(
  { tables, cookies, authenticator, count, waiting }: AdmissionDeps,
  { forPeer, halfOpen }: IkePolicy,
  header: IkeHeader,
  { octets, local, remote }: Datagram,
): Admission {
  const policy = forPeer(remote.address);
  const addresses = { local: local.address, remote: remote.address };
  if (policy === undefined || !authenticator.admits(addresses).ok) {
    count('init_no_policy');
    return DROP;
  }
  const all = tables.halfOpen + waiting.size;
  const ofPeer = tables.halfOpenOf(remote.address) + waiting.of(latin1(remote.address));
  // Half of a peer's share is for who receives at its address: a few forged requests must not shut it out.
  const isProofWanted = all >= halfOpen.cookieAbove || 2 * (ofPeer + 1) > halfOpen.mostPerPeer;
  if (isProofWanted) {
    const shown = cookies.check(octets, header, remote.address);
    if (shown !== 'right') {
      if (shown === 'wrong') count('init_cookies_wrong');
      const cookie = cookies.make(octets, header, remote.address);
      if (cookie === undefined) {
        count('rx_malformed');
        return DROP;
      }
      count('init_cookies_sent');
      return { verdict: 'answer', octets: cookieAnswer(octets, cookie) };
    }
  }
  if (all >= halfOpen.most || ofPeer >= halfOpen.mostPerPeer) {
    count('init_limited');
    return DROP;
  }
  return { verdict: 'admit', policy };
}
