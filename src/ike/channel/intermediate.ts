// SPDX-License-Identifier: Apache-2.0
/** What IntAuth covers of an IKE_INTERMEDIATE message (RFC 9242 §3.3.2), sent or received, fragmented or not. */
import type { Protection } from '../codec/chain.js';
import { HEADER_LENGTH, type HeaderFields } from '../codec/header.js';
import { encodeMessage } from '../codec/message.js';
import { u16, u8 } from '../../lib/octets.js';
import type { IntermediateParts } from './api.js';

const GENERIC_HEADER = 4;
const SK = 46;
const SKF = 53;
const FIRST_PAYLOAD_AT = 16;
const LENGTH_AT = 24;

/**
 * Of a message that we send, with nothing in front of SK: an SK payload that holds the plaintext and nothing else
 * has just the lengths that are asked for.
 */
export function partsOfSent(
  header: HeaderFields,
  firstInner: number,
  inner: Uint8Array,
): IntermediateParts {
  const { octets } = encodeMessage(header, [{ kind: 'SK', firstInner, body: inner }]);
  return { a: octets.subarray(0, HEADER_LENGTH + GENERIC_HEADER), p: inner };
}

/**
 * Of a message that came: `octets` is the whole one or its first fragment. Lengths leave out IV, padding and
 * checksum; SKF is made SK, its reserved octet stays as it was in the first fragment.
 */
export function partsOfReceived(
  octets: Uint8Array,
  protection: Protection,
  inner: Uint8Array,
): IntermediateParts {
  const { headerAt } = protection;
  const a = new Uint8Array(octets.subarray(0, headerAt + GENERIC_HEADER));
  const view = new DataView(a.buffer);
  view.setUint32(LENGTH_AT, a.length + inner.length);
  view.setUint16(headerAt + 2, GENERIC_HEADER + inner.length);
  const typeAt = typeOfLastAt(a, headerAt);
  if (u8(a, typeAt) === SKF) view.setUint8(typeAt, SK);
  return { a, p: inner };
}

/** Where the type of the payload at `headerAt` is said: in the header or in the payload before. */
function typeOfLastAt(octets: Uint8Array, headerAt: number): number {
  let typeAt = FIRST_PAYLOAD_AT;
  let at = HEADER_LENGTH;
  while (at < headerAt) {
    typeAt = at;
    at += u16(octets, at + 2);
  }
  return typeAt;
}
