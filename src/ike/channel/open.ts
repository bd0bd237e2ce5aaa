// SPDX-License-Identifier: Apache-2.0
/** Protected datagrams to payloads. */
import { decodeChain, type Protection } from '../codec/chain.js';
import { FAULT, invalidSyntax, type IkeFault, isFault } from '../codec/fault.js';
import type { IkeMessage } from '../codec/message.js';
import type { Payload, PayloadOf } from '../codec/payload.js';
import { EXCHANGE } from '../codec/names/registries.js';
import type { Opener } from '../crypto/protect.js';
import { bad, type Path } from '../types.js';
import type { Answered, Received } from './api.js';
import { partsOfReceived } from './intermediate.js';
import type { FirstFragment } from './reassembly.js';

/** A message whose last payload is SK or SKF. */
export interface ProtectedMessage extends Pick<IkeMessage, 'header'> {
  readonly octets: Uint8Array;
  readonly protection: Protection;
  readonly last: PayloadOf<'SK'> | PayloadOf<'SKF'>;
}

/** undefined: the message is in clear. */
export function protectedMessage(
  octets: Uint8Array,
  { header, payloads, protection }: IkeMessage,
): ProtectedMessage | undefined {
  const last = payloads.at(-1);
  if (protection === undefined || (last?.kind !== 'SK' && last?.kind !== 'SKF')) return undefined;
  return { header, octets, protection, last };
}

/** A message that is authentic and complete: what was inside, and the headers that were around it. */
export interface Complete extends FirstFragment {
  readonly inner: Uint8Array | IkeFault;
}

/** What is inside, without padding. 'forged': wrong integrity; a fault: authentic, but wrongly padded. */
export function decrypt(
  opener: Opener,
  { octets, protection }: Pick<ProtectedMessage, 'octets' | 'protection'>,
): Uint8Array | IkeFault | 'forged' {
  const { bodyAt, end } = protection;
  const opened = opener.open(octets.subarray(0, bodyAt), octets.subarray(bodyAt, end));
  if (opened.ok) {
    // A plain array, as views of a datagram are: a Buffer's slice() would share its memory.
    const { buffer, byteOffset, length } = opened.value;
    return new Uint8Array(buffer, byteOffset, length);
  }
  return opened.error.code === 'PADDING' ? invalidSyntax(bodyAt, opened.error.message) : 'forged';
}

export function readComplete(complete: Complete, path: Path): Received | IkeFault {
  const { header, octets, protection, firstInner, inner } = complete;
  if (isFault(inner)) return inner;
  const payloads = innerPayloads(firstInner, inner);
  if (isFault(payloads)) return payloads;
  const received = { header, payloads, path, octets: new Uint8Array(0), isProtected: true };
  return header.exchange === EXCHANGE.ikeIntermediate
    ? { intermediate: partsOfReceived(octets, protection, inner), ...received }
    : received;
}

/** The payloads inside of SK, whose indices count from its plaintext. RFC 7296 §3.14: SK is never in SK. */
function innerPayloads(firstInner: number, inner: Uint8Array): readonly Payload[] | IkeFault {
  const chain = decodeChain(inner, firstInner, 0, inner.length);
  if (isFault(chain)) return chain;
  return chain.protection === undefined
    ? chain.payloads
    : invalidSyntax(chain.protection.headerAt, 'a protected payload in a protected payload');
}

/** The notifies by which a codec's faults are named. */
const FAULT_NAMES = {
  [FAULT.unsupportedCriticalPayload]: 'UNSUPPORTED_CRITICAL_PAYLOAD',
  [FAULT.invalidMajorVersion]: 'INVALID_MAJOR_VERSION',
  [FAULT.invalidSyntax]: 'INVALID_SYNTAX',
} as const;

/** What a response gives that is authentic and cannot be read. */
export const unreadable = ({ fault, reason }: IkeFault): Answered =>
  bad(FAULT_NAMES[fault], 'us', reason);
