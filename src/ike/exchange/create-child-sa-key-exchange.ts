// SPDX-License-Identifier: Apache-2.0
/**
 * What all CREATE_CHILD_SA exchanges have in common (RFC 7296 §1.3): nonces, and key exchanges with the group that the
 * responder wants.
 */
import { u16 } from '../../lib/octets.js';
import { EXCHANGE } from '../codec/names/registries.js';
import type { Payload } from '../codec/payload.js';
import type { KeMethodId } from '../crypto/algorithms.js';
import type { Offer } from '../crypto/groups.js';
import type { Nonces } from '../crypto/kdf.js';
import type { CryptoError } from '../crypto/result.js';
import { wipe } from '../crypto/secret.js';
import { KE_NONE } from '../negotiation/types.js';
import { closedMeanwhile, type SaContext } from '../sa/context.js';
import { bad, good, type Outcome } from '../types.js';
import { failureOf } from './notifies.js';

/** At least half of every PRF's key size (RFC 7296 §2.10). */
const NONCE_BYTES = 32;
/** A responder that wants yet another group each time is not followed for ever. */
const MOST_TRIES = 4;

const RANKS: Readonly<Record<string, number>> = { N: 0, SA: 1, Nonce: 2, KE: 3, TSi: 4, TSr: 5 };

/** The order of RFC 7296 §1.3, which some peers insist on. */
export const inOrder = (payloads: readonly Payload[]): Payload[] =>
  [...payloads].sort((a, b) => (RANKS[a.kind] ?? 0) - (RANKS[b.kind] ?? 0));

export const drawNonce = ({ env }: SaContext): Buffer => env.crypto.random(NONCE_BYTES);

/** Data of a peer that must not be used are its fault; a full queue is nobody's, and passes. */
export function keFailure(context: SaContext, { code, message }: CryptoError): Outcome<never> {
  if (code === 'LENGTH' || code === 'PUBLIC_VALUE') {
    context.env.count('ke_refused');
    return bad('INVALID_SYNTAX', 'us', `key exchange: ${message}`);
  }
  return bad(code === 'BUSY' ? 'BUSY' : 'INTERNAL', 'us', `key exchange: ${message}`);
}

/** What a request asks for, without nonce and KE payload. */
export interface AskedSa {
  readonly payloads: readonly Payload[];
  /** Methods that were offered for the KE payload, the one to begin with first; KE_NONE: none. */
  readonly methods: readonly (KeMethodId | typeof KE_NONE)[];
}

/** A response that makes an SA. Secret: `own.secret`, taken over by `finishKe`. */
export interface AnsweredSa {
  readonly payloads: readonly Payload[];
  readonly nonces: Nonces;
  readonly own: (Offer & { readonly method: KeMethodId }) | undefined;
}

type Tried = AnsweredSa | { readonly wanted: KeMethodId };

/** Asks until the responder is content with the group; INVALID_KE_PAYLOAD is followed only to one that was offered. */
export async function askForSa(context: SaContext, asked: AskedSa): Promise<Outcome<AnsweredSa>> {
  const left = new Set(asked.methods);
  let method = asked.methods[0] ?? KE_NONE;
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    left.delete(method);
    const tried = await askOnce(context, asked.payloads, method, left);
    if (!tried.ok) return tried;
    if (!('wanted' in tried.value)) return good(tried.value);
    method = tried.value.wanted;
  }
  return bad('INVALID_KE_PAYLOAD', 'peer', 'the peer wanted one group after the other');
}

async function askOnce(
  context: SaContext,
  payloads: readonly Payload[],
  method: KeMethodId | typeof KE_NONE,
  left: ReadonlySet<number>,
): Promise<Outcome<Tried>> {
  const nonce = drawNonce(context);
  let own: AnsweredSa['own'];
  if (method !== KE_NONE) {
    const started = await context.env.crypto.exchanges.start(method);
    if (!started.ok) return keFailure(context, started.error);
    own = { ...started.value, method };
  }
  const drop = (): void => {
    if (own !== undefined) wipe(own.secret);
  };
  if (context.isEnding) {
    drop();
    return { ok: false, failure: closedMeanwhile };
  }
  const request: Payload[] = [...payloads, { kind: 'Nonce', data: nonce }];
  if (own !== undefined) request.push({ kind: 'KE', method: own.method, data: own.publicData });
  const response = await context.ask(EXCHANGE.createChildSa, inOrder(request));
  const judged = response.ok ? judge(response.value, left) : response;
  if (judged.ok && judged.value !== 'an SA') {
    drop();
    return good({ wanted: judged.value });
  }
  const answer = response.ok ? response.value : [];
  const theirs = answer.find((payload) => payload.kind === 'Nonce');
  if (!judged.ok || theirs === undefined) {
    drop();
    return judged.ok ? bad('INVALID_SYNTAX', 'us', 'a response without nonce') : judged;
  }
  const nonces = { initiator: nonce, responder: Uint8Array.from(theirs.data) };
  return good({ payloads: answer, nonces, own });
}

function judge(
  payloads: readonly Payload[],
  left: ReadonlySet<number>,
): Outcome<'an SA' | KeMethodId> {
  const failure = failureOf(payloads);
  if (failure === undefined) return good('an SA');
  if (failure.code !== 'INVALID_KE_PAYLOAD' || failure.data?.length !== 2) {
    return { ok: false, failure };
  }
  const wanted = u16(failure.data, 0);
  return isOffered(wanted, left) ? good(wanted) : { ok: false, failure };
}

const isOffered = (id: number, left: ReadonlySet<number>): id is KeMethodId =>
  id !== KE_NONE && left.has(id);

/** The initiator's shared secret of the KE payloads; empty without. Takes `own.secret` over. */
export async function finishKe(
  context: SaContext,
  { payloads, own }: AnsweredSa,
  chosen: KeMethodId | undefined,
): Promise<Outcome<Buffer[]>> {
  const drop = (reason: string): Outcome<never> => {
    if (own !== undefined) wipe(own.secret);
    return bad('INVALID_SYNTAX', 'us', reason);
  };
  if (chosen === undefined) {
    if (own !== undefined) wipe(own.secret);
    return good([]);
  }
  const theirs = payloads.find((payload) => payload.kind === 'KE');
  if (own?.method !== chosen || theirs?.method !== chosen) return drop('another group in KE');
  const shared = await context.env.crypto.exchanges.finish(chosen, own.secret, theirs.data);
  return shared.ok ? good([shared.value]) : keFailure(context, shared.error);
}

/** The responder's half: what to send, and the shared secret. */
export async function respondKe(
  context: SaContext,
  payloads: readonly Payload[],
  chosen: KeMethodId | undefined,
): Promise<Outcome<{ readonly payloads: Payload[]; readonly shared: Buffer[] }>> {
  if (chosen === undefined) return good({ payloads: [], shared: [] });
  const theirs = payloads.find((payload) => payload.kind === 'KE');
  if (theirs?.method !== chosen) {
    const { failure } = bad('INVALID_KE_PAYLOAD', 'us', `group ${theirs?.method ?? 'none'}`);
    const data = Uint8Array.of(chosen >> 8, chosen & 0xff);
    return { ok: false, failure: { ...failure, data } };
  }
  const answer = await context.env.crypto.exchanges.respond(chosen, theirs.data);
  if (!answer.ok) return keFailure(context, answer.error);
  const { publicData, shared } = answer.value;
  return good({ payloads: [{ kind: 'KE', method: chosen, data: publicData }], shared: [shared] });
}
