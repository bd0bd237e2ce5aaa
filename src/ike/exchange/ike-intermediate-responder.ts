// SPDX-License-Identifier: Apache-2.0
/** IKE_INTERMEDIATE as responder (RFC 9242, RFC 9370 §2.2.2); see ike-intermediate-initiator.ts for the messages. */
import type { Received } from '../channel/api.js';
import { NOTIFY } from '../codec/names/notify.js';
import type { Payload } from '../codec/payload.js';
import type { KeMethodId } from '../crypto/algorithms.js';
import { wipe } from '../crypto/secret.js';
import { closed, exchangeFailure, isOver, type OpenContext } from '../open/context.js';
import { respondExchange } from '../open/patience.js';
import { notifyOf, onlyOf } from '../open/payloads.js';
import { bad, good, type Outcome } from '../types.js';
import type { InitDone } from './ike-sa-init.js';

/**
 * Answers one. @param expected the method of the next additional key exchange; undefined: none is outstanding
 * @returns whether it was a key exchange. A failure has been answered and ends the IKE SA, unless we are short of
 * something: then it has not been, so that the peer tries again until it gives up.
 */
export async function respondIntermediate(
  context: OpenContext,
  { keys }: InitDone,
  request: Received,
  expected: KeMethodId | undefined,
): Promise<Outcome<boolean>> {
  const { env, channel, signal } = context;
  const ke = onlyOf(request.payloads, 'KE');
  if (ke === undefined) {
    // Of an extension that we do not have: answered by nothing (RFC 9242 §3.2).
    cover(context, keys, request, []);
    return good(false);
  }
  if (ke === 'several' || expected === undefined || ke.method !== expected) {
    channel.respond(request, [notifyOf(NOTIFY.INVALID_SYNTAX)]);
    return bad('INVALID_SYNTAX', 'us', 'not the additional key exchange that was agreed on');
  }
  const answer = await respondExchange(context, expected, ke.data);
  if (!answer.ok) {
    const failed = exchangeFailure(env.count, answer.error);
    if (failed.failure.code === 'INVALID_SYNTAX' && !isOver(signal)) {
      channel.respond(request, [notifyOf(NOTIFY.INVALID_SYNTAX)]);
    }
    return failed;
  }
  const { publicData, shared } = answer.value;
  if (isOver(signal)) {
    wipe(shared);
    return closed();
  }
  cover(context, keys, request, [{ kind: 'KE', method: expected, data: publicData }]);
  keys.advance(expected, shared);
  channel.protect(keys.channelKeys('responder'));
  return good(true);
}

/** Responds, with the keys of the request, and adds both messages to what AUTH covers. */
function cover(
  { channel }: OpenContext,
  keys: InitDone['keys'],
  request: Received,
  payloads: readonly Payload[],
): void {
  const sent = channel.respond(request, payloads);
  if (sent.intermediate === undefined || request.intermediate === undefined) {
    throw new TypeError('IKE_INTERMEDIATE without its parts');
  }
  keys.cover(request.intermediate, sent.intermediate);
}
