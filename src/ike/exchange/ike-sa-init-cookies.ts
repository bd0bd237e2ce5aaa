// SPDX-License-Identifier: Apache-2.0
/**
 * Cookies without state (RFC 7296 §2.6): whoever shows one receives at the address it sends from.
 *
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |  generation   | HMAC-SHA-256(secret, SPIi | IPi | Ni), cut to 16 octets
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * The secret of the current generation and that of the one before are good, so a cookie is for one to two times
 * the life of a secret. Under a flood each datagram comes here first: payloads are skipped, not decoded.
 */
import { timingSafeEqual } from 'node:crypto';
import { u16, u8 } from '../../lib/octets.js';
import { type IkeHeader, HEADER_LENGTH } from '../codec/header.js';
import { LIMITS } from '../codec/limits.js';
import { NOTIFY } from '../codec/names/notify.js';
import type { IkeCrypto } from '../crypto/api.js';
import { primitives } from '../crypto/primitives.js';
import { wipe } from '../crypto/secret.js';
import type { Timers } from '../types.js';

const LIFE_MS = 60_000;
const SECRET_BYTES = 32;
const MAC_BYTES = 16;
const GENERIC_HEADER = 4;
const NOTIFY_HEADER = 4;
const TYPE = { nonce: 40, notify: 41 } as const;

/** Of an IKE_SA_INIT request, as views of it. */
interface Found {
  readonly nonce: Uint8Array;
  readonly cookie: Uint8Array | undefined;
}

/** Walks to Ni, which there is in every request; undefined when it cannot be found. */
function find(octets: Uint8Array, firstPayload: number): Found | undefined {
  let type = firstPayload;
  let at = HEADER_LENGTH;
  let cookie: Uint8Array | undefined;
  for (let count = 0; count < LIMITS.payloads && type !== 0; count++) {
    if (octets.length - at < GENERIC_HEADER) return undefined;
    const end = at + u16(octets, at + 2);
    const body = at + GENERIC_HEADER;
    if (end < body || end > octets.length) return undefined;
    if (type === TYPE.nonce) return { nonce: octets.subarray(body, end), cookie };
    // RFC 7296 §2.6: it is the first payload.
    if (count === 0 && type === TYPE.notify && u16(octets, body + 2) === NOTIFY.COOKIE) {
      const dataAt = body + NOTIFY_HEADER + u8(octets, body + 1);
      if (dataAt <= end) cookie = octets.subarray(dataAt, end);
    }
    type = u8(octets, at);
    at = end;
  }
  return undefined;
}

export class CookieJar {
  readonly #crypto: Pick<IkeCrypto, 'random'>;
  readonly #timers: Pick<Timers, 'now'>;
  #generation = 0;
  #since: number;
  #secret: Buffer;
  #secretBefore: Buffer | undefined;

  constructor(crypto: Pick<IkeCrypto, 'random'>, timers: Pick<Timers, 'now'>) {
    this.#crypto = crypto;
    this.#timers = timers;
    this.#since = timers.now();
    this.#secret = crypto.random(SECRET_BYTES);
  }

  /**
   * Whether the request shows a cookie of ours for this address; 'none' when it shows none, 'unreadable' when no
   * nonce is found in it. @param octets the whole message, of which `header` was decoded
   */
  check(
    octets: Uint8Array,
    header: Pick<IkeHeader, 'initiatorSpi' | 'firstPayload'>,
    remote: Uint8Array,
  ): 'right' | 'wrong' | 'none' | 'unreadable' {
    const found = find(octets, header.firstPayload);
    if (found === undefined) return 'unreadable';
    const { cookie, nonce } = found;
    if (cookie === undefined) return 'none';
    this.#rotate();
    const secret = this.#secretOf(cookie[0]);
    if (secret === undefined || cookie.length !== 1 + MAC_BYTES) return 'wrong';
    const right = mac(secret, header.initiatorSpi, remote, nonce);
    return timingSafeEqual(right, cookie.subarray(1)) ? 'right' : 'wrong';
  }

  /** The cookie that this request has to show; undefined when no nonce is found in it. */
  make(
    octets: Uint8Array,
    header: Pick<IkeHeader, 'initiatorSpi' | 'firstPayload'>,
    remote: Uint8Array,
  ): Uint8Array | undefined {
    const found = find(octets, header.firstPayload);
    if (found === undefined) return undefined;
    this.#rotate();
    const code = mac(this.#secret, header.initiatorSpi, remote, found.nonce);
    return Buffer.concat([Uint8Array.of(this.#generation), code]);
  }

  #secretOf(generation: number | undefined): Buffer | undefined {
    if (generation === this.#generation) return this.#secret;
    return generation === ((this.#generation - 1) & 0xff) ? this.#secretBefore : undefined;
  }

  #rotate(): void {
    const age = this.#timers.now() - this.#since;
    if (age < LIFE_MS) return;
    if (this.#secretBefore !== undefined) wipe(this.#secretBefore);
    // One that nobody asked for in its whole life would be two lives old.
    this.#secretBefore = age < 2 * LIFE_MS ? this.#secret : undefined;
    if (this.#secretBefore === undefined) wipe(this.#secret);
    this.#secret = this.#crypto.random(SECRET_BYTES);
    this.#generation = (this.#generation + 1) & 0xff;
    this.#since += age;
  }
}

function mac(secret: Buffer, spi: bigint, address: Uint8Array, nonce: Uint8Array): Buffer {
  const spiOctets = Buffer.alloc(8);
  spiOctets.writeBigUInt64BE(spi);
  const whole = Buffer.alloc(SECRET_BYTES);
  primitives().hmac('sha256', secret, [spiOctets, address, nonce], whole);
  return whole.subarray(0, MAC_BYTES);
}
