// SPDX-License-Identifier: Apache-2.0
/**
 * IKE_INTERMEDIATE as initiator (RFC 9242), once per additional key exchange (RFC 9370 §2.2.2):
 *
 *     HDR(SPIi, SPIr), SK { KEi(n) }  -->
 *                                    <--  HDR(SPIi, SPIr), SK { KEr(n) }
 *
 * Each is protected by the keys before it; those after it come of its key exchange.
 */
import { EXCHANGE } from '../codec/names/registries.js';
import type { Payload } from '../codec/payload.js';
import { notifyName } from '../codec/names/notify.js';
import type { KeMethodId } from '../crypto/algorithms.js';
import { wipe } from '../crypto/secret.js';
import type { PeerAuthHints } from '../auth/api.js';
import type { Received } from '../channel/api.js';
import { addHints } from '../open/announcements.js';
import { closed, exchangeFailure, isOver, type OpenContext } from '../open/context.js';
import { finishExchange, startExchange } from '../open/patience.js';
import { errorIn, onlyOf } from '../open/payloads.js';
import { bad, good, type Outcome } from '../types.js';
import type { InitDone } from './ike-sa-init.js';

export interface IntermediatesDone {
  readonly hints: PeerAuthHints;
  /** Of the IKE_AUTH that comes next. */
  readonly messageId: number;
}

/**
 * All of them. Without an additional key exchange there is still one, empty, when the responder keeps its
 * SUPPORTED_AUTH_METHODS for it: an empty notify in IKE_SA_INIT says so (RFC 9593 §3.1).
 */
export async function initiateIntermediates(
  context: OpenContext,
  init: InitDone,
): Promise<Outcome<IntermediatesDone>> {
  const methods = init.chosen.additional.map(({ method }) => method);
  let { hints } = init.said;
  let messageId = 1;
  if (methods.length === 0 && hints.methods?.length === 0 && init.said.intermediate) {
    const answered = await exchange(context, init, []);
    if (!answered.ok) return answered;
    hints = addHints(hints, answered.value.payloads);
    messageId += 1;
  }
  for (const method of methods) {
    const answered = await exchangeKey(context, init, method);
    if (!answered.ok) return answered;
    hints = addHints(hints, answered.value.payloads);
    messageId += 1;
  }
  // Announced, and never said: as if there were no such notify.
  if (hints.methods?.length === 0) hints = { ...hints, methods: undefined };
  return good({ hints, messageId });
}

async function exchangeKey(
  context: OpenContext,
  init: InitDone,
  method: KeMethodId,
): Promise<Outcome<Received>> {
  const { env, channel, signal } = context;
  const started = await startExchange(context, method);
  if (!started.ok) return exchangeFailure(env.count, started.error);
  const { publicData, secret } = started.value;
  const answered = await exchange(context, init, [{ kind: 'KE', method, data: publicData }]);
  if (!answered.ok) {
    wipe(secret);
    return answered;
  }
  const ke = onlyOf(answered.value.payloads, 'KE');
  if (typeof ke !== 'object' || ke.method !== method) {
    wipe(secret);
    return bad('INVALID_SYNTAX', 'us', `not one KE payload of method ${method}`);
  }
  const shared = await finishExchange(context, method, secret, ke.data);
  if (!shared.ok) return exchangeFailure(env.count, shared.error);
  if (isOver(signal)) {
    wipe(shared.value);
    return closed();
  }
  init.keys.advance(method, shared.value);
  channel.protect(init.keys.channelKeys('initiator'));
  return answered;
}

/** One exchange, added to what AUTH covers. */
async function exchange(
  { channel, signal }: OpenContext,
  { keys }: InitDone,
  payloads: readonly Payload[],
): Promise<Outcome<Received>> {
  if (isOver(signal)) return closed();
  const answered = await channel.request(EXCHANGE.ikeIntermediate, payloads);
  if (isOver(signal)) return closed();
  if (!answered.ok) return answered;
  const { sent, response } = answered;
  const error = errorIn(response.payloads);
  if (error !== undefined) {
    const name = notifyName(error.notify);
    return bad(name, 'peer', `${name} in the response to IKE_INTERMEDIATE`);
  }
  if (sent.intermediate === undefined || response.intermediate === undefined) {
    throw new TypeError('IKE_INTERMEDIATE without its parts');
  }
  keys.cover(sent.intermediate, response.intermediate);
  return good(response);
}
