// SPDX-License-Identifier: Apache-2.0
/**
 * IKE_AUTH as responder (RFC 7296 §1.2; childless RFC 6023):
 *
 *     HDR, SK {IDi, [CERT,] [CERTREQ,] [IDr,] AUTH, [SAi2, TSi, TSr,] N(...)}  -->
 *                                 <--  HDR, SK {IDr, [CERT,] AUTH, [SAr2, TSi, TSr,] N(...)}
 *                              or <--  HDR, SK {IDr, [CERT,] AUTH, N(why no child SA), N(...)}
 *                              or <--  HDR, SK {N(AUTHENTICATION_FAILED)}
 *
 * The child SA takes packets before the response leaves, and sends after it.
 */
import type { PeerAuthHints } from '../auth/api.js';
import type { Received } from '../channel/api.js';
import { NOTIFY, type NotifyName } from '../codec/names/notify.js';
import type { Payload } from '../codec/payload.js';
import { type IkeKeys, wipeIkeKeys } from '../crypto/kdf.js';
import { keep } from '../crypto/secret.js';
import { addHints } from '../open/announcements.js';
import { closed, isOver, type OpenContext } from '../open/context.js';
import { allOf, dataOf, notifyOf, numberNotify, onlyOf } from '../open/payloads.js';
import { proveOurselves, verifyPeer } from '../open/patience.js';
import { authWithoutPpk, judgePpk, namesPpk } from '../open/ppk.js';
import { bad, good, type Outcome } from '../types.js';
import {
  authLifetime,
  type AuthDone,
  bringUpOf,
  type ChildOutcome,
  isForUs,
  ownTerms,
  termsIn,
} from './ike-auth.js';
import type { InitDone } from './ike-sa-init.js';

interface Responding {
  readonly context: OpenContext;
  readonly init: InitDone;
  readonly request: Received;
}

/**
 * Judges the request and answers it. When it fails the answer has been sent, unless the opening was closed; the
 * channel has to stay for as long as the initiator may ask for the answer again.
 */
export async function respondAuth(
  context: OpenContext,
  init: InitDone,
  request: Received,
): Promise<Outcome<AuthDone>> {
  const responding = { context, init, request };
  const done = await authenticate(responding);
  if (done.ok || isOver(context.signal)) return done;
  context.channel.respond(request, [notifyOf(NOTIFY.AUTHENTICATION_FAILED)]);
  return done;
}

async function authenticate(responding: Responding): Promise<Outcome<AuthDone>> {
  const { context, init, request } = responding;
  const ppk = choosePpk(responding);
  if (!ppk.ok) return ppk;
  const { payloads, isUsed } = ppk.value;
  const { policy } = context;
  const mixed = isUsed && policy.ppk !== undefined ? init.keys.mixed(policy.ppk.key) : undefined;
  const keys = mixed ?? init.keys.keys;
  try {
    const done = await prove(responding, payloads, keys);
    if (!done.ok) return done;
    const terms = termsIn(request.payloads);
    const { identity, child, childFailure } = done.value;
    return good({ identity, child, childFailure, skD: keep(keys.d), isPpkUsed: isUsed, terms });
  } finally {
    if (mixed !== undefined) wipeIkeKeys(mixed);
  }
}

interface PpkChoice {
  readonly isUsed: boolean;
  /** With the AUTH payload that is to be verified. */
  readonly payloads: readonly Payload[];
}

/** RFC 8784 §3, and that there is anything to verify at all: EAP would have no AUTH. */
function choosePpk({ context, init, request }: Responding): Outcome<PpkChoice> {
  const { env, policy } = context;
  const { payloads } = request;
  const auth = onlyOf(payloads, 'AUTH');
  const idi = onlyOf(payloads, 'IDi');
  if (typeof auth !== 'object' || typeof idi !== 'object') {
    env.count('auth_method_refused');
    return bad('AUTHENTICATION_FAILED', 'us', 'not one IDi and one AUTH payload: EAP is refused');
  }
  const { ppk } = policy;
  const id = dataOf(payloads, NOTIFY.PPK_IDENTITY);
  const noPpk = dataOf(payloads, NOTIFY.NO_PPK_AUTH);
  const isOffered = init.said.ppk && id !== undefined;
  const verdict = judgePpk({
    isOffered,
    isOptionalThere: noPpk !== undefined,
    isConfigured: ppk !== undefined && (!isOffered || namesPpk(id, ppk)),
    isRequiredHere: ppk?.required === true,
  });
  if (verdict === 'use') return good({ isUsed: true, payloads });
  if (verdict === 'without' && !isOffered) return good({ isUsed: false, payloads });
  const plain =
    verdict === 'without' && noPpk !== undefined ? authWithoutPpk(auth.method, noPpk) : undefined;
  if (plain === undefined) {
    env.count('ppk_failed');
    return bad('AUTHENTICATION_FAILED', 'us', 'postquantum preshared key missing or unknown');
  }
  const others = payloads.filter(({ kind }) => kind !== 'AUTH');
  return good({ isUsed: false, payloads: [...others, plain] });
}

type Proven = Omit<AuthDone, 'skD' | 'isPpkUsed' | 'terms'>;

/** The initiator's proof, ours, the child SA, the response. */
async function prove(
  responding: Responding,
  payloads: readonly Payload[],
  keys: IkeKeys,
): Promise<Outcome<Proven>> {
  const { context, init, request } = responding;
  const { env, addresses, signal } = context;
  const { nonces } = init.keys;
  const { prf } = init.chosen.suite;
  const intAuth = init.keys.intAuth(request.header.messageId);
  const idr = onlyOf(payloads, 'IDr');
  if (idr === 'several' || !isForUs(idr, addresses)) {
    env.count('auth_identity_refused');
    return bad('AUTHENTICATION_FAILED', 'us', 'the initiator wants another identity than ours');
  }
  const theirs = {
    role: 'initiator',
    prf,
    message: init.request,
    peerNonce: nonces.responder,
    skP: keys.pi,
    intAuth,
  } as const;
  const verified = await verifyPeer(context, theirs, payloads);
  if (isOver(signal)) return closed();
  if (!verified.ok) return verified;
  const ours = {
    role: 'responder',
    prf,
    message: init.response,
    peerNonce: nonces.initiator,
    skP: keys.pr,
    intAuth,
  } as const;
  const hints: PeerAuthHints = addHints(init.said.hints, payloads);
  const proof = await proveOurselves(context, ours, hints);
  if (isOver(signal)) return closed();
  if (!proof.ok) return proof;
  return respond(responding, keys, { identity: verified.value, proof: proof.value });
}

interface Both {
  readonly identity: AuthDone['identity'];
  readonly proof: readonly Payload[];
}

/** Both are who they say. */
async function respond(
  responding: Responding,
  keys: IkeKeys,
  { identity, proof }: Both,
): Promise<Outcome<Proven>> {
  const { context, init, request } = responding;
  const { env, channel, signal, policy } = context;
  const child = await makeChild(responding, keys, identity);
  if (isOver(signal)) {
    if (child.child !== undefined) env.sink.remove(child.child.inboundSpi, 0);
    return closed();
  }
  const lifetime = authLifetime(context, identity);
  const isPpkUsed = keys !== init.keys.keys;
  const { initiatorSpi } = request.header;
  channel.respond(request, [
    ...proof,
    ...(isPpkUsed ? [notifyOf(NOTIFY.PPK_IDENTITY)] : []),
    ...ownTerms(context, initiatorSpi, init.responderSpi),
    ...(lifetime === undefined ? [] : [numberNotify(NOTIFY.AUTH_LIFETIME, lifetime)]),
    ...child.payloads,
  ]);
  channel.ownWindow = policy.window;
  channel.peerWindow = termsIn(request.payloads).window;
  return good({ identity, child: child.child, childFailure: child.childFailure });
}

interface ChildMade extends ChildOutcome {
  readonly payloads: readonly Payload[];
}

/** RFC 7296 §1.2: error notifies that leave the IKE SA up; another one might be taken to end it. */
const CHILD_ERRORS: ReadonlySet<NotifyName> = new Set<NotifyName>([
  ...(['NO_PROPOSAL_CHOSEN', 'TS_UNACCEPTABLE', 'SINGLE_PAIR_REQUIRED'] as const),
  ...(['INTERNAL_ADDRESS_FAILURE', 'FAILED_CP_REQUIRED', 'NO_ADDITIONAL_SAS'] as const),
]);
const childError = (code: string): number => {
  // No room for it, and none soon: TEMPORARY_FAILURE is not for IKE_AUTH (RFC 7296 §2.25).
  if (code === 'BUSY') return NOTIFY.NO_ADDITIONAL_SAS;
  const [name = 'NO_PROPOSAL_CHOSEN'] = [...CHILD_ERRORS].filter((each) => each === code);
  return NOTIFY[name];
};

async function makeChild(
  { context, init, request }: Responding,
  keys: IkeKeys,
  peer: AuthDone['identity'],
): Promise<ChildMade> {
  const { env, agreement, policy, addresses, channel } = context;
  const { payloads } = request;
  const { path } = channel;
  const isAskedFor = allOf(payloads, 'SA').length > 0 || allOf(payloads, 'TSi').length > 0;
  if (!isAskedFor) return { child: undefined, childFailure: undefined, payloads: [] };
  const policies = policy.children(addresses.local, addresses.remote);
  const how = { withKe: false, vpnId: init.said.vpnId };
  const answer = agreement.answer(env.sink, policies, payloads, how);
  const up = answer.ok
    ? await agreement.bringUp(
        answer.value.agreed,
        bringUpOf(context, init, { role: 'responder', keys, path, peer }),
      )
    : answer;
  if (up.ok && answer.ok) {
    return { child: up.value, childFailure: undefined, payloads: answer.value.payloads };
  }
  if (answer.ok) env.sink.releaseSpi(answer.value.agreed.inboundSpi);
  const childFailure = up.ok ? closed().failure : up.failure;
  env.log.notice('child SA refused', { code: childFailure.code, why: childFailure.reason });
  const refusal = notifyOf(childError(childFailure.code));
  return { child: undefined, childFailure, payloads: [refusal] };
}
