// SPDX-License-Identifier: Apache-2.0
/** Payloads to protected datagrams: one SK message, or the SKF fragments of one (RFC 7383 §2.5). */
import { encodeChain } from '../codec/chain.js';
import { HEADER_LENGTH, type HeaderFields } from '../codec/header.js';
import { encodeMessage } from '../codec/message.js';
import { EXCHANGE } from '../codec/names/registries.js';
import type { Payload } from '../codec/payload.js';
import type { Sealer } from '../crypto/protect.js';
import type { Path } from '../types.js';
import type { IntermediateParts } from './api.js';
import { partsOfSent } from './intermediate.js';

const SK_HEADERS = HEADER_LENGTH + 4;
const SKF_HEADERS = HEADER_LENGTH + 8;
const UDP_AND_MARKER = 8 + 4;
/** Below this little would be left beside headers, IV and checksum. RFC 7383 §2.5.1 advises 576 and 1280. */
export const LEAST_FRAGMENT_BYTES = 256;

export interface SealedMessage {
  readonly datagrams: readonly Uint8Array[];
  /** Of IKE_INTERMEDIATE. */
  readonly intermediate?: IntermediateParts;
}

/**
 * Octets of an IKE message that an IP packet of `fragmentBytes` holds. Room for the non-ESP marker is left on
 * every port: a path may move to port 4500 while its fragments are being sent again.
 */
export const roomFor = (fragmentBytes: number, path: Path): number =>
  fragmentBytes - (path.remote.address.length === 16 ? 40 : 20) - UDP_AND_MARKER;

/**
 * @param room the largest message, octets; undefined: never fragmented
 * @returns undefined when the IVs of the key are spent
 */
export function sealMessage(
  sealer: Sealer,
  header: HeaderFields,
  payloads: readonly Payload[],
  room: number | undefined,
): SealedMessage | undefined {
  const { first, octets: inner } = encodeChain(payloads);
  const isWhole = room === undefined || SK_HEADERS + sealer.sealedLength(inner.length) <= room;
  const datagrams = isWhole
    ? sealWhole(sealer, header, first, inner)
    : sealFragments(sealer, header, { first, inner, room });
  if (datagrams === undefined) return undefined;
  if (header.exchange !== EXCHANGE.ikeIntermediate) return { datagrams };
  return { datagrams, intermediate: partsOfSent(header, first, inner) };
}

function sealWhole(
  sealer: Sealer,
  header: HeaderFields,
  firstInner: number,
  inner: Uint8Array,
): readonly Uint8Array[] | undefined {
  const body = new Uint8Array(sealer.sealedLength(inner.length));
  const message = encodeMessage(header, [{ kind: 'SK', firstInner, body }]).octets;
  return sealInto(sealer, message, SK_HEADERS, inner) ? [message] : undefined;
}

function sealFragments(
  sealer: Sealer,
  header: HeaderFields,
  {
    first,
    inner,
    room,
  }: { readonly first: number; readonly inner: Uint8Array; readonly room: number },
): readonly Uint8Array[] | undefined {
  // Padding makes CBC's lengths steps: the largest that fits is within a block of the first guess.
  let size = room - SKF_HEADERS;
  while (SKF_HEADERS + sealer.sealedLength(size) > room) size -= 1;
  const total = Math.ceil(inner.length / size);
  const datagrams: Uint8Array[] = [];
  for (let number = 1; number <= total; number++) {
    const piece = inner.subarray((number - 1) * size, number * size);
    const body = new Uint8Array(sealer.sealedLength(piece.length));
    const firstInner = number === 1 ? first : 0;
    const message = encodeMessage(header, [{ kind: 'SKF', firstInner, number, total, body }]);
    if (!sealInto(sealer, message.octets, SKF_HEADERS, piece)) return undefined;
    datagrams.push(message.octets);
  }
  return datagrams;
}

/** Lengths are final before: what lies in front of the body is authenticated (RFC 7296 §3.14, RFC 5282 §5.1). */
function sealInto(sealer: Sealer, message: Uint8Array, bodyAt: number, inner: Uint8Array): boolean {
  const sealed = sealer.seal(message.subarray(0, bodyAt), inner);
  if (!sealed.ok) return false;
  message.set(sealed.value, bodyAt);
  return true;
}
