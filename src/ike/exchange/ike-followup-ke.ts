// SPDX-License-Identifier: Apache-2.0
/**
 * IKE_FOLLOWUP_KE (RFC 9370 §2.2.4): the additional key exchanges of a CREATE_CHILD_SA exchange, one after the other.
 *
 *   Initiator                                        Responder
 *   CREATE_CHILD_SA {SA, Ni, KEi, ...}          -->
 *                                               <--  {SA, Nr, KEr, ..., N(ADDITIONAL_KEY_EXCHANGE)(link1)}
 *   IKE_FOLLOWUP_KE {KEi(1), N(A_K_E)(link1)}   -->
 *                                               <--  {KEr(1), N(A_K_E)(link2)}
 *   IKE_FOLLOWUP_KE {KEi(2), N(A_K_E)(link2)}   -->
 *                                               <--  {KEr(2)}
 *
 * A link is the responder's own; the SA exists when the last answer was made.
 */
import { NOTIFY } from '../codec/names/notify.js';
import { EXCHANGE } from '../codec/names/registries.js';
import type { Payload } from '../codec/payload.js';
import type { KeMethodId } from '../crypto/algorithms.js';
import { wipe } from '../crypto/secret.js';
import { closedMeanwhile, type Reply, type SaContext } from '../sa/context.js';
import { bad, good, type IkeFailure, type Outcome } from '../types.js';
import { finishKe, keFailure, respondKe } from './create-child-sa-key-exchange.js';
import { errorNotify, failureOf, findNotify, notify } from './notifies.js';

const LINK_BYTES = 16;
/** Exchanges of one IKE SA that wait for their next key exchange. */
const MOST_WAITING = 2;
/** How long they may. */
const WAIT_MS = 60_000;

type Additional = readonly { readonly method: KeMethodId }[];

/** The initiator: `shared` grows by one secret for each. They are the caller's to wipe, whatever happens. */
export async function followUp(
  context: SaContext,
  additional: Additional,
  response: readonly Payload[],
  shared: Buffer[],
): Promise<Outcome<void>> {
  let last = response;
  for (const { method } of additional) {
    const link = findNotify(last, NOTIFY.ADDITIONAL_KEY_EXCHANGE)?.data;
    if (link === undefined) return bad('INVALID_SYNTAX', 'us', 'no link to the next key exchange');
    const next = await followOnce(context, method, Uint8Array.from(link));
    if (!next.ok) return next;
    shared.push(next.value.secret);
    last = next.value.response;
    if (context.isEnding) return { ok: false, failure: closedMeanwhile };
  }
  return good(undefined);
}

async function followOnce(
  context: SaContext,
  method: KeMethodId,
  link: Uint8Array,
): Promise<Outcome<{ readonly secret: Buffer; readonly response: readonly Payload[] }>> {
  const started = await context.env.crypto.exchanges.start(method);
  if (!started.ok) return keFailure(context, started.error);
  const { publicData, secret } = started.value;
  if (context.isEnding) {
    wipe(secret);
    return { ok: false, failure: closedMeanwhile };
  }
  const response = await context.ask(EXCHANGE.ikeFollowupKe, [
    { kind: 'KE', method, data: publicData },
    notify(NOTIFY.ADDITIONAL_KEY_EXCHANGE, link),
  ]);
  const failure = response.ok ? failureOf(response.value) : response.failure;
  if (!response.ok || failure !== undefined) {
    wipe(secret);
    return { ok: false, failure: failure ?? closedMeanwhile };
  }
  const nonces = { initiator: link, responder: link };
  const own = { publicData, secret, method };
  const finished = await finishKe(context, { payloads: response.value, nonces, own }, method);
  if (!finished.ok) return finished;
  const [shared] = finished.value;
  if (shared === undefined) return bad('INTERNAL', 'us', 'a key exchange without secret');
  return good({ secret: shared, response: response.value });
}

/** An answer of ours that is not finished: its SA comes to be with the last key exchange. */
export interface Unfinished {
  readonly methods: readonly KeMethodId[];
  readonly shared: readonly Buffer[];
  /** Makes the SA. The secrets are wiped when it has settled. */
  finish(shared: readonly Buffer[]): Promise<Outcome<Reply>>;
  /** It will never be finished: gives back what was reserved. */
  drop(): void;
}

interface Waiting {
  readonly link: Buffer;
  readonly methods: KeMethodId[];
  readonly shared: Buffer[];
  readonly finish: Unfinished['finish'];
  readonly drop: () => void;
  cancelTimer: () => void;
}

/** The responder's side of all of them in one IKE SA. */
export class FollowUps {
  readonly #context: SaContext;
  #waiting: Waiting[] = [];

  constructor(context: SaContext) {
    this.#context = context;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Finishes at once when there is no additional key exchange; else answers with a link. Takes the secrets over. */
  async begin(unfinished: Unfinished, payloads: readonly Payload[]): Promise<Outcome<Reply>> {
    const { methods, shared } = unfinished;
    if (methods.length === 0) {
      const finished = await unfinished.finish(shared);
      wipe(...shared);
      if (!finished.ok) return finished;
      return good({ ...finished.value, payloads: [...payloads, ...finished.value.payloads] });
    }
    if (this.#waiting.length >= MOST_WAITING) {
      wipe(...shared);
      unfinished.drop();
      return bad('TEMPORARY_FAILURE', 'us', 'too many unfinished key exchanges');
    }
    const link = this.#wait({
      ...{ methods: [...methods], shared: [...shared] },
      finish: (all) => unfinished.finish(all),
      drop: () => {
        unfinished.drop();
      },
    });
    return good({ payloads: [...payloads, notify(NOTIFY.ADDITIONAL_KEY_EXCHANGE, link)] });
  }

  #wait(unfinished: Omit<Waiting, 'link' | 'cancelTimer'>): Buffer {
    const { crypto, timers } = this.#context.env;
    const link = crypto.random(LINK_BYTES);
    const waiting: Waiting = { ...unfinished, link, cancelTimer: () => undefined };
    waiting.cancelTimer = timers.after(WAIT_MS, () => {
      this.#waiting = this.#waiting.filter((one) => one !== waiting);
      end(waiting);
    });
    this.#waiting.push(waiting);
    return link;
  }

  /** An IKE_FOLLOWUP_KE request. */
  async answer(payloads: readonly Payload[]): Promise<Reply> {
    const link = findNotify(payloads, NOTIFY.ADDITIONAL_KEY_EXCHANGE)?.data;
    const found = this.#waiting.find(
      (one) => link !== undefined && Buffer.compare(one.link, link) === 0,
    );
    if (found === undefined) {
      const { failure } = bad('STATE_NOT_FOUND', 'us', 'no such link');
      return { payloads: [errorNotify(failure)] };
    }
    this.#waiting = this.#waiting.filter((one) => one !== found);
    found.cancelTimer();
    const outcome = await this.#next(found, payloads);
    return outcome.ok ? outcome.value : { payloads: [errorNotify(outcome.failure)] };
  }

  async #next(waiting: Waiting, payloads: readonly Payload[]): Promise<Outcome<Reply>> {
    const [method, ...rest] = waiting.methods;
    const responded = await respondKe(this.#context, payloads, method);
    if (!responded.ok || this.#context.isEnding) {
      end(waiting);
      if (responded.ok) wipe(...responded.value.shared);
      const failure: IkeFailure = responded.ok ? closedMeanwhile : responded.failure;
      return { ok: false, failure };
    }
    const { finish, drop } = waiting;
    const shared = [...waiting.shared, ...responded.value.shared];
    return this.begin({ methods: rest, shared, finish, drop }, responded.value.payloads);
  }

  /** The IKE SA ends, or is replaced. */
  dropAll(): void {
    for (const waiting of this.#waiting.splice(0)) end(waiting);
  }
}

function end(waiting: Waiting): void {
  waiting.cancelTimer();
  wipe(...waiting.shared);
  waiting.drop();
}
