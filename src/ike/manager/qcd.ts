// SPDX-License-Identifier: Apache-2.0
/**
 * Quick crash detection (RFC 6290). A token says of two SPIs that whoever shows it has lost their IKE SA:
 *
 *     token = HMAC-SHA-256(secret, SPIi | SPIr)                                        (RFC 6290 §5.1)
 *
 *     peer                                            we, who lost the IKE SA
 *     HDR(SPIi, SPIr) SK{...}                   -->
 *                       <--  HDR(SPIi, SPIr), N(INVALID_IKE_SPI), N(QCD_TOKEN)         (§4.3)
 *     the token is the one that we gave in IKE_AUTH: the IKE SA is over
 *
 * A token is only ever shown for SPIs that are not in use here, at whichever address they came (§9.2).
 */
import { timingSafeEqual } from 'node:crypto';
import { isFault } from '../codec/fault.js';
import type { IkeHeader } from '../codec/header.js';
import { decodeMessage, encodeMessage } from '../codec/message.js';
import { NOTIFY } from '../codec/names/notify.js';
import type { Payload, PayloadOf } from '../codec/payload.js';
import { primitives } from '../crypto/primitives.js';

const nothing = new Uint8Array(0);
/** §4.1: the token's protocol is 1, IKE. */
const notify = (type: number, protocol = 0, data: Uint8Array = nothing): Payload => ({
  kind: 'N',
  protocol,
  spi: nothing,
  notify: type,
  data,
});

const TOKEN_BYTES = 32;

/** 32 octets; their secret is the PE's. */
export function qcdToken(
  secret: Uint8Array,
  initiatorSpi: bigint,
  responderSpi: bigint,
): Uint8Array {
  const spis = Buffer.alloc(16);
  spis.writeBigUInt64BE(initiatorSpi, 0);
  spis.writeBigUInt64BE(responderSpi, 8);
  const token = new Uint8Array(TOKEN_BYTES);
  primitives().hmac('sha256', secret, [spis], token);
  return token;
}

/** In clear, to a request of an IKE SA that is not here (RFC 7296 §2.21.4); the token may be left out. */
export function unknownSpiAnswer(
  { initiatorSpi, responderSpi, exchange, messageId, initiator }: IkeHeader,
  token: Uint8Array | undefined,
): Uint8Array {
  const header = { initiatorSpi, responderSpi, exchange, messageId };
  const payloads = [notify(NOTIFY.INVALID_IKE_SPI)];
  if (token !== undefined) payloads.push(notify(NOTIFY.QUICK_CRASH_DETECTION, 1, token));
  return encodeMessage({ ...header, initiator: !initiator, response: true }, payloads).octets;
}

/** Those of a response in clear that says INVALID_IKE_SPI, which anybody can; of any other message none. */
function notifiesOfUnknown(octets: Uint8Array): readonly PayloadOf<'N'>[] {
  const message = decodeMessage(octets, 0, octets.length);
  if (isFault(message) || !message.header.response) return [];
  const notifies = message.payloads.filter((payload) => payload.kind === 'N');
  return notifies.some((each) => each.notify === NOTIFY.INVALID_IKE_SPI) ? notifies : [];
}

/** Whether somebody says in the peer's name that it does not know an IKE SA. */
export const saysUnknown = (octets: Uint8Array): boolean => notifiesOfUnknown(octets).length > 0;

/** Whether a message in clear shows the token that the peer gave us for this IKE SA. */
export function showsToken(octets: Uint8Array, token: Uint8Array): boolean {
  return notifiesOfUnknown(octets).some(
    (each) =>
      each.notify === NOTIFY.QUICK_CRASH_DETECTION &&
      each.data.length === token.length &&
      timingSafeEqual(each.data, token),
  );
}
