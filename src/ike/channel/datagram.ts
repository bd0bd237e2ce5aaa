// SPDX-License-Identifier: Apache-2.0
/** Datagrams as they come: where from, and what may be kept of them. */
import { u8 } from '../../lib/octets.js';
import type { Path } from '../types.js';

export const isSamePath = (one: Path, other: Path): boolean =>
  one.local.port === other.local.port &&
  one.remote.port === other.remote.port &&
  isSame(one.local.address, other.local.address) &&
  isSame(one.remote.address, other.remote.address);

export const isSame = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && Buffer.compare(one, other) === 0;

/**
 * A datagram may lie in memory that is used again for the next one. What is kept of a protected message is what is
 * decrypted of it; one in clear, or a fragment with its headers, is copied.
 */
export const ownOctets = (datagram: Uint8Array): Uint8Array =>
  u8(datagram, FIRST_PAYLOAD_AT) === SK ? datagram : new Uint8Array(datagram);

const FIRST_PAYLOAD_AT = 16;
const SK = 46;
