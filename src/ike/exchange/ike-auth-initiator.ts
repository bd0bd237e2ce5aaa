// SPDX-License-Identifier: Apache-2.0
/**
 * IKE_AUTH as initiator; see ike-auth-responder.ts for the messages. A responder that answered believes that the
 * IKE SA is up: when we then do not, it is told so in an INFORMATIONAL (RFC 7296 §2.21.2).
 */
import type { AuthInput, PeerAuthHints } from '../auth/api.js';
import type { Received } from '../channel/api.js';
import type { ChildOffer } from '../child/api.js';
import type { ChildPolicy, ChildSink } from '../child/types.js';
import { NOTIFY, notifyName } from '../codec/names/notify.js';
import { EXCHANGE } from '../codec/names/registries.js';
import type { Payload } from '../codec/payload.js';
import { type IkeKeys, wipeIkeKeys } from '../crypto/kdf.js';
import { keep } from '../crypto/secret.js';
import { PROTOCOL } from '../negotiation/transforms.js';
import { closed, isOver, type OpenContext } from '../open/context.js';
import { allOf, errorIn, notifyOf, onlyOf, saysNotify } from '../open/payloads.js';
import { proveOurselves, verifyPeer } from '../open/patience.js';
import { noPpkAuth, ppkIdentity } from '../open/ppk.js';
import type { OpenRequest } from '../open/types.js';
import type { Ppk } from '../policy.js';
import { bad, good, type IkeFailure, type Outcome } from '../types.js';
import {
  addressIdentity,
  type AuthDone,
  bringUpOf,
  type ChildOutcome,
  ownTerms,
  termsIn,
} from './ike-auth.js';
import type { IntermediatesDone } from './ike-intermediate-initiator.js';
import type { InitDone } from './ike-sa-init.js';

interface Initiating {
  readonly context: OpenContext;
  readonly init: InitDone;
  readonly request: Pick<OpenRequest, 'child' | 'initialContact' | 'initiatorSpi'>;
  readonly before: IntermediatesDone;
  /** What is used with this peer. */
  readonly ppk: Ppk | undefined;
  /** With the PPK mixed in, when there is one, and without. */
  readonly keys: { readonly mixed: IkeKeys | undefined; readonly plain: IkeKeys };
  readonly intAuth: Uint8Array | undefined;
}

export async function initiateAuth(
  context: OpenContext,
  init: InitDone,
  before: IntermediatesDone,
  request: Initiating['request'],
): Promise<Outcome<AuthDone>> {
  const { env, policy } = context;
  const ppk = init.said.ppk ? policy.ppk : undefined;
  if (policy.ppk?.required === true && ppk === undefined) {
    env.count('ppk_failed');
    return bad('AUTHENTICATION_FAILED', 'us', 'the peer uses no postquantum preshared keys');
  }
  const mixed = ppk === undefined ? undefined : init.keys.mixed(ppk.key);
  const keys = { mixed, plain: init.keys.keys };
  const intAuth = init.keys.intAuth(before.messageId);
  try {
    return await authenticate({ context, init, request, before, ppk, keys, intAuth });
  } finally {
    if (mixed !== undefined) wipeIkeKeys(mixed);
  }
}

/** The SPI of a child SA that we offer, until it is known what comes of it. */
class Reserved {
  readonly offer: ChildOffer;
  readonly #sink: ChildSink;
  #isHeld = true;

  constructor(sink: ChildSink, offer: ChildOffer) {
    this.#sink = sink;
    this.offer = offer;
  }

  /** The child SA is installed: its SPI goes with it. */
  handOver(): void {
    this.#isHeld = false;
  }

  release(): void {
    if (this.#isHeld) this.#sink.releaseSpi(this.offer.inboundSpi);
    this.#isHeld = false;
  }
}

async function authenticate(initiating: Initiating): Promise<Outcome<AuthDone>> {
  const { context, request } = initiating;
  const { env, channel, addresses, signal } = context;
  const policy = childPolicy(initiating);
  if (!policy.ok) return policy;
  const proof = await prove(initiating);
  if (isOver(signal)) return closed();
  if (!proof.ok) return proof;
  const { sink, authenticator } = env;
  const { said, responderSpi } = initiating.init;
  const reserved =
    policy.value === undefined
      ? undefined
      : new Reserved(sink, context.agreement.offer(sink, policy.value, false, said.vpnId, 0));
  const answered = await channel.request(EXCHANGE.ikeAuth, [
    ...proof.value,
    ...(request.initialContact() ? [notifyOf(NOTIFY.INITIAL_CONTACT)] : []),
    ...authenticator.requests(addresses),
    addressIdentity(addresses.remote),
    ...ownTerms(context, request.initiatorSpi, responderSpi),
    ...(reserved?.offer.payloads ?? []),
  ]);
  try {
    return answered.ok ? await judge(initiating, answered.response, reserved) : answered;
  } finally {
    reserved?.release();
  }
}

/** undefined: childless, which the responder has to have said that it supports (RFC 6023). */
function childPolicy({ context, init, request }: Initiating): Outcome<ChildPolicy | undefined> {
  if (request.child !== undefined) return good(request.child);
  if (init.said.childless) return good(undefined);
  const { policy, addresses } = context;
  const [first] = policy.children(addresses.local, addresses.remote);
  return first === undefined
    ? bad('POLICY', 'us', 'the peer wants a child SA with the IKE SA, and there is none to have')
    : good(first);
}

/** ID, CERT and AUTH; with a PPK its name, and how it would be without when it is optional (RFC 8784 §3). */
async function prove(initiating: Initiating): Promise<Outcome<readonly Payload[]>> {
  const { context, init, before, ppk, keys } = initiating;
  const { signal } = context;
  const { hints }: { readonly hints: PeerAuthHints } = before;
  const input = (with_: IkeKeys): AuthInput => ({
    role: 'initiator',
    prf: init.chosen.suite.prf,
    skP: with_.pi,
    message: init.request,
    peerNonce: init.keys.nonces.responder,
    intAuth: initiating.intAuth,
  });
  const proof = await proveOurselves(context, input(keys.mixed ?? keys.plain), hints);
  if (!proof.ok || ppk === undefined) return proof;
  const payloads = [...proof.value, ppkIdentity(ppk)];
  if (ppk.required || isOver(signal)) return good(payloads);
  const without = await proveOurselves(context, input(keys.plain), hints);
  if (!without.ok) return without;
  const [auth] = allOf(without.value, 'AUTH');
  if (auth === undefined) throw new TypeError('a proof without AUTH');
  return good([...payloads, noPpkAuth(auth)]);
}

async function judge(
  initiating: Initiating,
  { payloads }: Received,
  reserved: Reserved | undefined,
): Promise<Outcome<AuthDone>> {
  const { context, init, keys } = initiating;
  const { channel, policy, signal } = context;
  if (isOver(signal)) return closed();
  const refused = refusal(initiating, payloads);
  if (refused !== undefined) {
    if (refused.goodbye !== undefined) await sayGoodbye(context, refused.goodbye);
    return { ok: false, failure: refused.failure };
  }
  const mixed = saysNotify(payloads, NOTIFY.PPK_IDENTITY) ? keys.mixed : undefined;
  const used = mixed ?? keys.plain;
  const verified = await verifyPeer(
    context,
    {
      role: 'responder',
      prf: init.chosen.suite.prf,
      skP: used.pr,
      message: init.response,
      peerNonce: init.keys.nonces.initiator,
      intAuth: initiating.intAuth,
    },
    payloads,
  );
  if (isOver(signal)) return closed();
  if (!verified.ok) {
    const isOurs = verified.failure.code === 'BUSY';
    await sayGoodbye(context, isOurs ? DELETE_IKE : NOT_AUTHENTIC);
    return verified;
  }
  const identity = verified.value;
  const terms = termsIn(payloads);
  channel.peerWindow = terms.window;
  channel.ownWindow = policy.window;
  const child = await concludeChild(initiating, reserved, payloads, { keys: used, identity });
  // Closed or not: what is in the data plane now is taken out again by who discards the whole.
  const { child: childSa, childFailure } = child;
  const isPpkUsed = mixed !== undefined;
  return good({ child: childSa, childFailure, identity, skD: keep(used.d), isPpkUsed, terms });
}

const NOT_AUTHENTIC = notifyOf(NOTIFY.AUTHENTICATION_FAILED);
const DELETE_IKE: Payload = { kind: 'D', protocol: PROTOCOL.ike, spis: [] };

/** Why a response is refused before anything is verified. `goodbye`: the responder may think that it is up. */
interface Refusal {
  readonly failure: IkeFailure;
  readonly goodbye: Payload | undefined;
}

function refusal(
  { context, ppk, keys }: Initiating,
  payloads: readonly Payload[],
): Refusal | undefined {
  const { count } = context.env;
  const fails = (reason: string, goodbye: Payload): Refusal => ({
    ...bad('AUTHENTICATION_FAILED', 'us', reason),
    goodbye,
  });
  if (saysNotify(payloads, NOTIFY.REDIRECT)) {
    count('redirect_refused');
    return { ...bad('REDIRECT', 'peer', 'redirects are not followed'), goodbye: DELETE_IKE };
  }
  const auth = onlyOf(payloads, 'AUTH');
  const error = errorIn(payloads);
  const isRefused = error?.notify === NOTIFY.AUTHENTICATION_FAILED;
  if (isRefused) count('peer_refused_us');
  if (error !== undefined && (isRefused || auth === undefined)) {
    const name = notifyName(error.notify);
    return { ...bad(name, 'peer', `${name} in the response to IKE_AUTH`), goodbye: undefined };
  }
  if (typeof auth !== 'object' || typeof onlyOf(payloads, 'IDr') !== 'object') {
    count('auth_method_refused');
    return fails('not one IDr and one AUTH payload: EAP is refused', NOT_AUTHENTIC);
  }
  const isMixed = keys.mixed !== undefined && saysNotify(payloads, NOTIFY.PPK_IDENTITY);
  if (ppk?.required === true && !isMixed) {
    count('ppk_failed');
    return fails('the peer did without the postquantum preshared key', NOT_AUTHENTIC);
  }
  return undefined;
}

/** Tells the responder and waits for its answer, but not for long: what counts has been decided. */
async function sayGoodbye({ channel, env, policy }: OpenContext, payload: Payload): Promise<void> {
  const { firstMs, factor } = policy.retransmission;
  const cancel = env.timers.after(firstMs * (1 + factor), () => {
    channel.close();
  });
  await channel.request(EXCHANGE.informational, [payload]);
  cancel();
}

/** The IKE SA is authenticated; without a child SA it stays up (RFC 7296 §1.2). */
async function concludeChild(
  { context, init }: Initiating,
  reserved: Reserved | undefined,
  payloads: readonly Payload[],
  { keys, identity }: { readonly keys: IkeKeys; readonly identity: AuthDone['identity'] },
): Promise<ChildOutcome> {
  const { agreement, channel, env, signal } = context;
  if (reserved === undefined) return { child: undefined, childFailure: undefined };
  const { offer } = reserved;
  const error = errorIn(payloads);
  if (error !== undefined) {
    const name = notifyName(error.notify);
    const { failure } = bad(name, 'peer', `${name} in the response to IKE_AUTH`);
    return { child: undefined, childFailure: failure };
  }
  const agreed = agreement.conclude(offer, payloads, false);
  const path = { role: 'initiator', keys, path: channel.path, peer: identity } as const;
  const up = agreed.ok
    ? await agreement.bringUp(agreed.value, bringUpOf(context, init, path))
    : agreed;
  if (!up.ok) {
    // The responder has it already; nobody waits for its answer.
    const spis = [offer.inboundSpi];
    if (!isOver(signal)) {
      void channel.request(EXCHANGE.informational, [{ kind: 'D', protocol: PROTOCOL.esp, spis }]);
    }
    return { child: undefined, childFailure: up.failure };
  }
  reserved.handOver();
  if (!isOver(signal)) await env.sink.activate(offer.inboundSpi);
  return { child: up.value, childFailure: undefined };
}
