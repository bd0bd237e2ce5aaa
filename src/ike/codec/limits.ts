// SPDX-License-Identifier: Apache-2.0
/**
 * The most that is decoded of one message. Far above what any implementation sends, and low enough that a
 * datagram of one sender costs bounded memory: a bare payload has four octets, its value in memory hundreds.
 */
export const LIMITS = {
  /** Octets of a message or of a decrypted chain: RFC 7383 may put together more than one datagram. */
  octets: 65_535,
  payloads: 128,
  proposals: 64,
  /** In all proposals of one SA payload. */
  transforms: 1024,
  /** In one transform. */
  attributes: 16,
  configurationAttributes: 256,
  /** In one Delete payload. */
  spis: 4096,
} as const;
