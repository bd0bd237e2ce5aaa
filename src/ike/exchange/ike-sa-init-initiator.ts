// SPDX-License-Identifier: Apache-2.0
/**
 * IKE_SA_INIT as initiator (RFC 7296 §1.2, §2.6, §2.7), in as many rounds as the responder asks for and we bear:
 *
 *     HDR(SPIi, 0), [N(COOKIE),] SAi1, KEi, Ni, N(...), V  -->
 *                                    <--  HDR(SPIi, 0), N(COOKIE) or N(INVALID_KE_PAYLOAD)
 *                                    <--  HDR(SPIi, SPIr), SAr1, KEr, Nr, N(...)
 *
 * Nothing in a response is authentic yet. So what an attacker would gain by it is not believed (RFC 7296 §2.21.1): a
 * response that says an error, or cannot be used, is put aside while we go on retransmitting; only when no better one
 * came for the time of two retransmissions it ends the attempt. COOKIE and INVALID_KE_PAYLOAD have to be obeyed at
 * once, but a bounded number of times, and only to groups of our own offer. Ni stays, so that a cookie stays good.
 */
import type { Received } from '../channel/api.js';
import { u16 } from '../../lib/octets.js';
import { NOTIFY, notifyName } from '../codec/names/notify.js';
import { EXCHANGE } from '../codec/names/registries.js';
import type { Payload } from '../codec/payload.js';
import { KE_METHODS, type KeMethodId } from '../crypto/algorithms.js';
import type { Offer } from '../crypto/groups.js';
import { wipe } from '../crypto/secret.js';
import { concludeIke, offerIke } from '../negotiation/ike-proposals.js';
import type { ChosenIke } from '../negotiation/types.js';
import { announcedIn, announcements } from '../open/announcements.js';
import { closed, exchangeFailure, isOver, type OpenContext } from '../open/context.js';
import { KeySchedule, spiOctets } from '../open/keys.js';
import { findNat, natPayloads } from '../open/nat-detection.js';
import { finishExchange, startExchange } from '../open/patience.js';
import { allOf, dataOf, errorIn, notifyOf, onlyOf, saysNotify } from '../open/payloads.js';
import { bad, good, type IkeFailure, type Outcome } from '../types.js';
import { type InitDone, isNonceFor, NONCE_BYTES } from './ike-sa-init.js';

/** COOKIEs and INVALID_KE_PAYLOADs that are obeyed in one attempt. */
const MOST_RETRIES = 5;
/** RFC 7296 §2.6. */
const MOST_COOKIE_BYTES = 64;

type Verdict =
  | { readonly kind: 'cookie'; readonly cookie: Uint8Array }
  | { readonly kind: 'group'; readonly method: KeMethodId }
  | { readonly kind: 'doubtful'; readonly failure: IkeFailure }
  | {
      readonly kind: 'usable';
      readonly chosen: ChosenIke;
      readonly data: Uint8Array;
      readonly nonce: Uint8Array;
    };
type Usable = Extract<Verdict, { kind: 'usable' }>;

interface Round {
  readonly method: KeMethodId;
  readonly cookie: Uint8Array | undefined;
  /** Groups that were sent: none is sent twice. */
  readonly tried: ReadonlySet<KeMethodId>;
}

export async function initiateInit(
  context: OpenContext,
  initiatorSpi: bigint,
): Promise<Outcome<InitDone>> {
  const { env, policy, signal } = context;
  const [first] = policy.proposals;
  const method = first?.ke[0];
  if (method === undefined) return bad('POLICY', 'us', 'no proposal for an IKE SA');
  const nonce = env.crypto.random(NONCE_BYTES);
  let round: Round = { method, cookie: undefined, tried: new Set([method]) };
  let offer: Offer | undefined;
  for (let retries = 0; retries <= MOST_RETRIES; retries++) {
    if (offer === undefined) {
      const started = await startExchange(context, round.method);
      if (!started.ok) return exchangeFailure(env.count, started.error);
      offer = started.value;
    }
    const answered = isOver(signal)
      ? closed()
      : await ask(context, initiatorSpi, round, { nonce, offer });
    if (!answered.ok || isOver(signal)) {
      wipe(offer.secret);
      return answered.ok ? closed() : answered;
    }
    const { verdict } = answered.value;
    if (verdict.kind === 'usable') {
      return conclude(context, initiatorSpi, { ...answered.value, verdict }, { nonce, offer });
    }
    if (verdict.kind === 'cookie') {
      round = { ...round, cookie: verdict.cookie };
    } else if (verdict.kind === 'group') {
      round = { ...round, method: verdict.method, tried: new Set(round.tried).add(verdict.method) };
      wipe(offer.secret);
      offer = undefined;
    }
  }
  if (offer !== undefined) wipe(offer.secret);
  return bad('TIMEOUT', 'peer', `more than ${MOST_RETRIES} cookies or other groups asked for`);
}

interface Own {
  readonly nonce: Buffer;
  readonly offer: Offer;
}
interface Heard {
  readonly verdict: Verdict;
  readonly request: Uint8Array;
  readonly response: Received;
  /** When it came. */
  readonly at: number;
}

/** One request, and the first response that is of use. */
async function ask(
  context: OpenContext,
  initiatorSpi: bigint,
  round: Round,
  own: Own,
): Promise<Outcome<Heard>> {
  const { env, policy, channel, addresses } = context;
  let verdict: Verdict | undefined;
  let doubt: IkeFailure | undefined;
  let cancel = (): void => undefined;
  const { firstMs, factor } = policy.retransmission;
  const payloads: Payload[] = [
    ...(round.cookie === undefined ? [] : [notifyOf(NOTIFY.COOKIE, round.cookie)]),
    { kind: 'SA', ...offerIke(policy.proposals) },
    { kind: 'KE', method: round.method, data: own.offer.publicData },
    { kind: 'Nonce', data: own.nonce },
    ...natPayloads({ initiatorSpi, responderSpi: 0n }, channel.path),
    ...env.authenticator.initNotifies(addresses),
    ...announcements(policy),
  ];
  const answered = await channel.request(EXCHANGE.ikeSaInit, payloads, (response) => {
    verdict = judge(context, round, response);
    if (verdict.kind !== 'doubtful') return true;
    const { failure } = verdict;
    env.log.debug('IKE_SA_INIT response put aside', { code: failure.code, why: failure.reason });
    if (doubt === undefined) {
      cancel = env.timers.after(firstMs * (1 + factor), () => {
        channel.close();
      });
    }
    doubt = failure;
    return false;
  });
  cancel();
  if (!answered.ok) return { ok: false, failure: doubt ?? answered.failure };
  if (verdict === undefined) return bad('INTERNAL', 'us', 'a response that was not judged');
  return good({
    verdict,
    request: answered.sent.octets,
    response: answered.response,
    at: env.timers.now(),
  });
}

const doubtful = (code: string, by: IkeFailure['by'], reason: string): Verdict => ({
  kind: 'doubtful',
  failure: { code, by, reason },
});

function judge(context: OpenContext, round: Round, response: Received): Verdict {
  const { payloads } = response;
  if (saysNotify(payloads, NOTIFY.REDIRECT)) {
    context.env.count('redirect_refused');
    return doubtful('REDIRECT', 'peer', 'redirects are not followed');
  }
  const error = errorIn(payloads);
  if (error?.notify === NOTIFY.INVALID_KE_PAYLOAD) {
    return otherGroup(context.policy, round, error.data);
  }
  if (error !== undefined) {
    const name = notifyName(error.notify);
    return doubtful(name, 'peer', `${name} in the response to IKE_SA_INIT`);
  }
  const cookie = dataOf(payloads, NOTIFY.COOKIE);
  return cookie !== undefined && allOf(payloads, 'SA').length === 0
    ? newCookie(round, cookie)
    : judgeChoice(context, round, response);
}

/** The response that makes an IKE SA. */
function judgeChoice(
  { env, policy }: OpenContext,
  round: Round,
  { header, payloads }: Received,
): Verdict {
  const sa = onlyOf(payloads, 'SA');
  const ke = onlyOf(payloads, 'KE');
  const nonce = onlyOf(payloads, 'Nonce');
  if (typeof sa !== 'object' || typeof ke !== 'object' || typeof nonce !== 'object') {
    return doubtful('INVALID_SYNTAX', 'us', 'SA, KE and Nonce are not there once each');
  }
  if (header.responderSpi === 0n) return doubtful('INVALID_SYNTAX', 'us', "responder's SPI 0");
  const concluded = concludeIke(sa, policy.proposals, false);
  if (!concluded.ok) {
    env.count('init_no_proposal');
    return { kind: 'doubtful', failure: concluded.failure };
  }
  const { chosen } = concluded.value;
  if (ke.method !== round.method || chosen.ke !== round.method) {
    return doubtful('INVALID_SYNTAX', 'us', `key exchange ${ke.method}, not ${round.method}`);
  }
  if (!isNonceFor(nonce.data, chosen)) return doubtful('INVALID_SYNTAX', 'us', 'nonce too short');
  if (chosen.additional.length > 0 && !announcedIn(payloads).intermediate) {
    return doubtful('INVALID_SYNTAX', 'us', 'additional key exchanges without IKE_INTERMEDIATE');
  }
  return { kind: 'usable', chosen, data: ke.data, nonce: nonce.data };
}

/** RFC 7296 §1.2: the group that the responder wants. One that we did not offer would be a downgrade. */
function otherGroup(policy: OpenContext['policy'], round: Round, data: Uint8Array): Verdict {
  const name = 'INVALID_KE_PAYLOAD';
  if (data.length !== 2) return doubtful(name, 'peer', `${name} of ${data.length} octets`);
  const wanted = u16(data, 0);
  const method = policy.proposals.flatMap(({ ke }) => ke).find((each) => each === wanted);
  if (method === undefined) {
    return doubtful(name, 'peer', `key exchange ${wanted} wanted, which was not offered`);
  }
  if (round.tried.has(method)) {
    return doubtful(name, 'peer', `${KE_METHODS[method].name} wanted, which was sent already`);
  }
  return { kind: 'group', method };
}

function newCookie({ cookie: old }: Round, cookie: Uint8Array): Verdict {
  if (cookie.length === 0 || cookie.length > MOST_COOKIE_BYTES) {
    return doubtful('COOKIE', 'peer', `cookie of ${cookie.length} octets`);
  }
  // Of a retransmission before we sent it; or it is wanted again, then the retransmission brings it.
  if (old !== undefined && Buffer.compare(old, cookie) === 0) {
    return doubtful('COOKIE', 'peer', 'the cookie that was sent already');
  }
  return { kind: 'cookie', cookie: Uint8Array.from(cookie) };
}

/** The response is usable: the shared secret and the first keys. */
async function conclude(
  context: OpenContext,
  initiatorSpi: bigint,
  heard: Heard & { readonly verdict: Usable },
  { nonce, offer }: Own,
): Promise<Outcome<InitDone>> {
  const { response, request, verdict, at } = heard;
  const { chosen, data } = verdict;
  const { env, channel, signal } = context;
  const { crypto, count } = env;
  const shared = await finishExchange(context, chosen.ke, offer.secret, data);
  if (!shared.ok) return exchangeFailure(count, shared.error);
  if (isOver(signal)) {
    wipe(shared.value);
    return closed();
  }
  const { responderSpi } = response.header;
  channel.responderSpi = responderSpi;
  const spis = { initiator: spiOctets(initiatorSpi), responder: spiOctets(responderSpi) };
  const nonces = { initiator: nonce, responder: Uint8Array.from(verdict.nonce) };
  const init = { nonces, spis, method: chosen.ke };
  return good({
    chosen,
    said: announcedIn(response.payloads),
    responderSpi,
    request,
    keys: new KeySchedule(crypto.kdf, chosen.suite, init, shared.value),
    nat: findNat(response.payloads, response.header, response.path),
    response: response.octets,
    at,
  });
}
