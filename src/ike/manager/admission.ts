// SPDX-License-Identifier: Apache-2.0
/**
 * Which IKE_SA_INIT requests become half-open IKE SAs (RFC 7296 §2.6, RFC 8019 §4): cheapest questions first, so
 * that a flood of forged ones costs a lookup and a cookie each, and no memory.
 */
import type { Authenticator } from '../auth/api.js';
import type { IkeHeader } from '../codec/header.js';
import type { IkeCounter } from '../counters.js';
import { cookieChallenge } from '../exchange/ike-sa-init-answers.js';
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
  if (all >= halfOpen.cookieAbove) {
    const shown = cookies.check(octets, header, remote.address);
    if (shown !== 'right') {
      if (shown === 'wrong') count('init_cookies_wrong');
      const cookie = cookies.make(octets, header, remote.address);
      const answer = cookie === undefined ? undefined : cookieChallenge(header, cookie);
      if (answer === undefined) {
        count('rx_malformed');
        return DROP;
      }
      count('init_cookies_sent');
      return { verdict: 'answer', octets: answer };
    }
  }
  const ofPeer = tables.halfOpenOf(remote.address) + waiting.of(latin1(remote.address));
  if (all >= halfOpen.most || ofPeer >= halfOpen.mostPerPeer) {
    count('init_limited');
    return DROP;
  }
  return { verdict: 'admit', policy };
}
