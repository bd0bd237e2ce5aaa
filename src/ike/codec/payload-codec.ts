// SPDX-License-Identifier: Apache-2.0
/** What the chain knows of a payload's codec. */
import type { ByteWriter } from '../../lib/octets.js';
import type { IkeFault } from './fault.js';

export interface PayloadCodec<Body> {
  /** IANA "IKEv2 Payload Types". */
  readonly type: number;
  /**
   * Reads the body bytes[start..end) behind the generic header, never outside of it. Octet strings in the
   * answer are views of `bytes`. `next` is the generic header's Next Payload.
   */
  readonly decode: (bytes: Uint8Array, start: number, end: number, next: number) => Body | IkeFault;
  /** Writes the body. Throws RangeError for what the wire has no room for. */
  readonly encode: (body: Body, writer: ByteWriter) => void;
  /**
   * Only of payloads that end a chain: their Next Payload is the type of the first payload inside
   * (RFC 7296 §3.14). `lead`: octets of the body that are authenticated but not encrypted.
   */
  readonly last?: { readonly next: (body: Body) => number; readonly lead: number };
}

/** Programmer errors of those who encode. */
export function must(condition: boolean, message: string): void {
  if (!condition) throw new RangeError(message);
}

export const inOctet = (value: number): boolean =>
  Number.isInteger(value) && value >= 0 && value <= 0xff;
export const inTwoOctets = (value: number): boolean =>
  Number.isInteger(value) && value >= 0 && value <= 0xffff;
export const inFourOctets = (value: number): boolean =>
  Number.isInteger(value) && value >= 0 && value <= 0xffffffff;
