// SPDX-License-Identifier: Apache-2.0
/** What is wrong with a message of the peer, as a value: the decoder never throws. */

/** The error notifies by which a codec may refuse a message (RFC 7296 §3.10.1). */
export const FAULT = {
  unsupportedCriticalPayload: 1,
  invalidMajorVersion: 5,
  invalidSyntax: 7,
} as const;

/**
 * Whether it may be answered at all is the exchange's concern: nothing that was not authenticated is,
 * outside of IKE_SA_INIT and of INVALID_MAJOR_VERSION (RFC 7296 §2.21).
 */
export interface IkeFault {
  readonly fault: (typeof FAULT)[keyof typeof FAULT];
  /** Notification data: the payload type for UNSUPPORTED_CRITICAL_PAYLOAD, else empty. */
  readonly data: Uint8Array;
  /** Where it was found: an index into the octets that were given to the decoder. */
  readonly offset: number;
  /** In words, for logs. */
  readonly reason: string;
}

export const isFault = (value: object): value is IkeFault => 'fault' in value;

const NOTHING = new Uint8Array(0);

export const invalidSyntax = (offset: number, reason: string): IkeFault => ({
  fault: FAULT.invalidSyntax,
  data: NOTHING,
  offset,
  reason,
});

/** The version we could speak is in the header of the answer, not in its data (RFC 7296 §3.10.1). */
export const invalidMajorVersion = (offset: number, major: number): IkeFault => ({
  fault: FAULT.invalidMajorVersion,
  data: NOTHING,
  offset,
  reason: `major version ${major}`,
});

export const unsupportedCriticalPayload = (offset: number, type: number): IkeFault => ({
  fault: FAULT.unsupportedCriticalPayload,
  data: Uint8Array.of(type),
  offset,
  reason: `critical payload of unknown type ${type}`,
});
