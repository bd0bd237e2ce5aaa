// SPDX-License-Identifier: Apache-2.0
/** Answers in clear to messages of no IKE SA: a responder sends them and keeps nothing (RFC 7296 §1.5, §2.6, §2.21). */
import type { IkeFault } from '../codec/fault.js';
import type { IkeHeader } from '../codec/header.js';
import { encodeMessage } from '../codec/message.js';
import { NOTIFY } from '../codec/names/notify.js';
import type { Payload } from '../codec/payload.js';
import type { KeMethodId } from '../crypto/algorithms.js';
import { notifyOf } from '../open/payloads.js';

type Asked = Pick<IkeHeader, 'initiatorSpi' | 'responderSpi' | 'exchange' | 'messageId'>;

/** Exchange, message ID and SPIs of the request; undefined when it has no SPI to answer to. */
function answer(to: Asked, payload: Payload): Uint8Array | undefined {
  if (to.initiatorSpi === 0n) return undefined;
  const { initiatorSpi, responderSpi, exchange, messageId } = to;
  const header = { initiatorSpi, responderSpi, exchange, messageId };
  return encodeMessage({ ...header, initiator: false, response: true }, [payload]).octets;
}

/** To a request of a higher major version: ours is in the header of the answer (RFC 7296 §2.5). */
export const invalidMajorVersion = (to: Asked): Uint8Array | undefined =>
  answer(to, notifyOf(NOTIFY.INVALID_MAJOR_VERSION));

export const cookieChallenge = (to: Asked, cookie: Uint8Array): Uint8Array | undefined =>
  answer(to, notifyOf(NOTIFY.COOKIE, cookie));

/** `method`: the one that we want, in two octets. */
export const invalidKePayload = (to: Asked, method: KeMethodId): Uint8Array | undefined =>
  answer(to, notifyOf(NOTIFY.INVALID_KE_PAYLOAD, Uint8Array.of(method >>> 8, method & 0xff)));

export const noProposalChosen = (to: Asked): Uint8Array | undefined =>
  answer(to, notifyOf(NOTIFY.NO_PROPOSAL_CHOSEN));

export const invalidSyntax = (to: Asked): Uint8Array | undefined =>
  answer(to, notifyOf(NOTIFY.INVALID_SYNTAX));

/** What is wrong with an IKE_SA_INIT request that cannot be read. */
export const faultAnswer = (to: Asked, { fault, data }: IkeFault): Uint8Array | undefined =>
  answer(to, notifyOf(fault, data));
