// SPDX-License-Identifier: Apache-2.0
/** What a batch of the addon holds (src/lib/udp-sockets.ts), and what is IKE on port 4500 (RFC 3948 §2). */

/** RFC 3948 §2.2: four zero octets in front of each IKE message, where the SPI of ESP would be. */
export const MARKER_LENGTH = 4;
/** RFC 3948 §2.3. */
export const KEEPALIVE = Uint8Array.of(0xff);

export type MarkedKind = 'ike' | 'esp' | 'keepalive' | 'short';

/** Calls `take` for each datagram of a batch. What it is given are views of `records`. */
export function eachRecord(
  records: Uint8Array,
  addressLength: number,
  take: (address: Uint8Array, port: number, octets: Uint8Array) => void,
): void {
  const head = 4 + addressLength;
  for (let at = 0; at + head <= records.length;) {
    const length = ((records[at] ?? 0) << 8) | (records[at + 1] ?? 0);
    const port = ((records[at + 2] ?? 0) << 8) | (records[at + 3] ?? 0);
    const end = at + head + length;
    take(records.subarray(at + 4, at + head), port, records.subarray(at + head, end));
    at = end;
  }
}

/** What came to port 4500: IKE only behind a marker. */
export function kindOfMarked(octets: Uint8Array): MarkedKind {
  if (octets.length === 1 && octets[0] === KEEPALIVE[0]) return 'keepalive';
  if (octets.length < MARKER_LENGTH) return 'short';
  const marker =
    (octets[0] ?? 0) | (octets[1] ?? 0) | (octets[2] ?? 0) | (octets[MARKER_LENGTH - 1] ?? 0);
  return marker === 0 ? 'ike' : 'esp';
}

export function withMarker(octets: Uint8Array): Uint8Array {
  const marked = new Uint8Array(MARKER_LENGTH + octets.length);
  marked.set(octets, MARKER_LENGTH);
  return marked;
}
