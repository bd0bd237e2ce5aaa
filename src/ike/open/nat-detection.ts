// SPDX-License-Identifier: Apache-2.0
/**
 * NAT traversal (RFC 7296 §2.23): each side says hashes of the addresses and ports it believes in. Data of
 * NAT_DETECTION_SOURCE_IP and NAT_DETECTION_DESTINATION_IP:
 *
 *     SHA-1 (SPIi, 8 octets | SPIr, 8 octets | address, 4 or 16 octets | port, 2 octets)
 *
 * SPIs are those of the message's header, so that SPIr is 0 in the first request.
 */
import { NOTIFY } from '../codec/names/notify.js';
import type { Payload } from '../codec/payload.js';
import { primitives } from '../crypto/primitives.js';
import type { Endpoint, Path } from '../types.js';
import { allDataOf, dataOf, notifyOf } from './payloads.js';

/** Where IKE and ESP in UDP go when there is a NAT (RFC 7296 §2.23). */
export const NAT_PORT = 4500;

const SHA1_BYTES = 20;

export interface NatFound {
  /** We are behind a NAT, or the peer is. */
  readonly local: boolean;
  readonly remote: boolean;
}

/** Of the header of the message that the hashes are in. */
export interface HeaderSpis {
  readonly initiatorSpi: bigint;
  readonly responderSpi: bigint;
}

export function natHash(spis: HeaderSpis, { address, port }: Endpoint): Buffer {
  const octets = Buffer.allocUnsafe(18 + address.length);
  octets.writeBigUInt64BE(spis.initiatorSpi, 0);
  octets.writeBigUInt64BE(spis.responderSpi, 8);
  octets.set(address, 16);
  octets.writeUInt16BE(port, 16 + address.length);
  const hash = Buffer.alloc(SHA1_BYTES);
  primitives().sha1(octets, hash);
  return hash;
}

/** Both notifies of a message that we send. */
export const natPayloads = (spis: HeaderSpis, { local, remote }: Path): readonly Payload[] => [
  notifyOf(NOTIFY.NAT_DETECTION_SOURCE_IP, natHash(spis, local)),
  notifyOf(NOTIFY.NAT_DETECTION_DESTINATION_IP, natHash(spis, remote)),
];

/**
 * What the peer's notifies say of the path on which they came. undefined: it does not support NAT traversal. It
 * may say several sources when it does not know which of its addresses is used: one that fits is enough.
 */
export function findNat(
  payloads: readonly Payload[],
  spis: HeaderSpis,
  { local, remote }: Path,
): NatFound | undefined {
  const sources = allDataOf(payloads, NOTIFY.NAT_DETECTION_SOURCE_IP);
  const destination = dataOf(payloads, NOTIFY.NAT_DETECTION_DESTINATION_IP);
  if (sources.length === 0 || destination === undefined) return undefined;
  const theirs = natHash(spis, remote);
  return {
    local: Buffer.compare(natHash(spis, local), destination) !== 0,
    remote: !sources.some((source) => Buffer.compare(source, theirs) === 0),
  };
}

/** The initiator's path from its next message on when there is a NAT. */
export const floated = ({ local, remote }: Path): Path => ({
  local: { address: local.address, port: NAT_PORT },
  remote: { address: remote.address, port: NAT_PORT },
});
