// SPDX-License-Identifier: Apache-2.0
/** Opening an IKE SA as responder: what the initiator asks, one request after the other. */
import type { Received } from '../channel/api.js';
import type { ChildAgreement } from '../child/api.js';
import { NOTIFY, notifyName } from '../codec/names/notify.js';
import { EXCHANGE, exchangeName } from '../codec/names/registries.js';
import { respondAuth } from '../exchange/ike-auth-responder.js';
import { respondIntermediate } from '../exchange/ike-intermediate-responder.js';
import type { InitDone } from '../exchange/ike-sa-init.js';
import { type InitRequest, respondInit } from '../exchange/ike-sa-init-responder.js';
import { bad, good, type Outcome } from '../types.js';
import { closed, isOver, type OpenContext } from './context.js';
import type { Inbox } from './inbox.js';
import { type Begun, begin, openedOf } from './opening.js';
import { allOf, errorIn, notifyOf } from './payloads.js';
import type { OpenEnvironment, OpeningIkeSa, OpenIkeSa } from './types.js';

export interface RespondRequest {
  /** A datagram that was screened (screenInit), from an address that may have an IKE SA. */
  readonly init: InitRequest;
  /** Ours, drawn by the manager. */
  readonly responderSpi: bigint;
  /** How long the initiator has for all of it, ms. */
  readonly expireMs: number;
}

/** IKE_INTERMEDIATEs that are no key exchange, of extensions that we do not have. */
const MOST_EMPTY = 4;

/**
 * Answers the request of `init` and those that follow. Datagrams with these SPIs, and the same request again, go to
 * `channel`. After a refusal it goes on answering retransmissions for a while before `result` says so.
 */
export function openAsResponder(
  env: OpenEnvironment,
  { init, responderSpi, expireMs }: RespondRequest,
  agreement: ChildAgreement,
): OpeningIkeSa {
  const { policy, path, header, octets } = init;
  const { initiatorSpi } = header;
  const options = { role: 'responder', initiatorSpi, responderSpi, path, policy } as const;
  const opening = begin(env, agreement, options, async (begun) => {
    const cancel = env.timers.after(expireMs, () => {
      env.count('half_open_expired');
      begun.close(bad('TIMEOUT', 'peer', 'not authenticated in time').failure);
    });
    const { outcome, isRefused } = await open(begun, init, responderSpi).finally(cancel);
    if (isRefused && !isOver(begun.context.signal)) await linger(begun.context);
    return outcome;
  });
  opening.channel.receive(octets, path);
  return opening;
}

interface Ended {
  readonly outcome: Outcome<OpenIkeSa>;
  /** The initiator was told so, protected; it may have to be told again. */
  readonly isRefused: boolean;
}

async function open(begun: Begun, request: InitRequest, responderSpi: bigint): Promise<Ended> {
  const { context, inbox } = begun;
  const first = await inbox.next();
  if (first === undefined) return { outcome: closed(), isRefused: false };
  if (first.fault !== undefined) throw new TypeError('a request that was screened has a fault');
  const init = await respondInit(context, request, first.message, responderSpi);
  if (!init.ok) return { outcome: init, isRefused: false };
  const { channel, policy } = context;
  if (init.value.said.fragmentation) channel.fragmentBytes = policy.fragmentBytes;
  const outcome = await authenticate(begun, init.value).finally(() => {
    init.value.keys.wipe();
  });
  return { outcome, isRefused: !outcome.ok && !NOT_ANSWERED.has(outcome.failure.code) };
}

/** Failures of ours at which the request stays without an answer. */
const NOT_ANSWERED: ReadonlySet<string> = new Set(['BUSY', 'INTERNAL']);

/** For as long as an initiator that did not get our refusal would ask for it twice more. */
function linger({ env, policy, signal }: OpenContext): Promise<void> {
  const { firstMs, factor } = policy.retransmission;
  return new Promise((resolve) => {
    const cancel = env.timers.after(firstMs * (1 + factor), resolve);
    signal.addEventListener('abort', () => {
      cancel();
      resolve();
    });
  });
}

async function authenticate(
  { context, inbox, initiatorSpi }: Begun,
  init: InitDone,
): Promise<Outcome<OpenIkeSa>> {
  const outstanding = init.chosen.additional.map(({ method }) => method);
  let empty = 0;
  for (;;) {
    const asked = await nextRequest(context, inbox);
    if (!asked.ok) return asked;
    const request = asked.value;
    const { exchange } = request.header;
    if (exchange === EXCHANGE.ikeIntermediate && empty < MOST_EMPTY) {
      const answered = await respondIntermediate(context, init, request, outstanding[0]);
      if (!answered.ok) return answered;
      if (answered.value) outstanding.shift();
      else empty += 1;
    } else if (exchange === EXCHANGE.ikeAuth && outstanding.length === 0) {
      adoptPath(context, request);
      const auth = await respondAuth(context, init, request);
      if (!auth.ok) return auth;
      return good(openedOf(context, init, auth.value, { role: 'responder', initiatorSpi }));
    } else {
      return refuse(context, request);
    }
  }
}

/** One that cannot be read is answered by its fault, and ends it (RFC 7296 §2.21.3). */
async function nextRequest({ channel }: OpenContext, inbox: Inbox): Promise<Outcome<Received>> {
  const request = await inbox.next();
  if (request === undefined) return closed();
  if (request.fault === undefined) return good(request.message);
  const { fault, data, reason } = request.fault;
  channel.respond(request.message, [notifyOf(fault, data)]);
  return bad(notifyName(fault), 'us', reason);
}

/**
 * RFC 7296 §2.23: after IKE_SA_INIT the initiator may come from port 4500, or what a NAT makes of it. Not from
 * another address: what is in front of the IKE header is not authentic.
 */
function adoptPath({ channel, addresses }: OpenContext, { path }: Received): void {
  const { local, remote } = path;
  const isSame = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0;
  if (isSame(local.address, addresses.local) && isSame(remote.address, addresses.remote)) {
    channel.path = path;
  }
}

/** Nothing else is asked of an IKE SA that is not up; but the initiator may say that it gives up. */
function refuse({ channel }: OpenContext, request: Received): Outcome<never> {
  const { header, payloads } = request;
  const error = errorIn(payloads);
  const isEnd = error !== undefined || allOf(payloads, 'D').length > 0;
  if (header.exchange === EXCHANGE.informational && isEnd) {
    channel.respond(request, []);
    const name = error === undefined ? 'a delete' : notifyName(error.notify);
    return bad('CLOSED', 'peer', `${name} before the IKE SA was authenticated`);
  }
  channel.respond(request, [notifyOf(NOTIFY.INVALID_SYNTAX)]);
  return bad('INVALID_SYNTAX', 'us', `${exchangeName(header.exchange)} before its time`);
}
