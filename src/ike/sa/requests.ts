// SPDX-License-Identifier: Apache-2.0
/** The peer's requests, one after the other, although the work on each may take a while. */
import type { Request } from '../channel/api.js';
import { NOTIFY } from '../codec/names/notify.js';
import { EXCHANGE } from '../codec/names/registries.js';
import type { Payload } from '../codec/payload.js';
import { answerIkeRekey, type IkeResponder } from '../exchange/create-child-sa-ike.js';
import { answerChild, type ChildResponder } from '../exchange/create-child-sa-responder.js';
import { answerInformational, type InformationalResponder } from '../exchange/informational.js';
import { findNotify, notify, PROTOCOL } from '../exchange/notifies.js';
import { bad, type IkeFailure } from '../types.js';
import type { Reply } from './context.js';
import { DONE } from './sa-core.js';

export interface RequestHost extends ChildResponder, IkeResponder, InformationalResponder {
  /** The peer uses the IKE SA for something else than to delete it. */
  peerUses(): void;
  /** A request that cannot be read ends the IKE SA on both sides without further words (RFC 7296 §2.21.3). */
  fatal(failure: IkeFailure): void;
  /** Of ours: it ends this IKE SA, not the process. */
  mistake(when: string, error: unknown): void;
}

export class Requests {
  readonly #host: RequestHost;
  #last = DONE;
  #waiting = 0;

  constructor(host: RequestHost) {
    this.#host = host;
  }

  /** One is being worked on. */
  get isBusy(): boolean {
    return this.#waiting > 0;
  }

  take(request: Request): void {
    this.#waiting += 1;
    this.#last = this.#last
      .then(() => this.#handle(request))
      .catch((error: unknown) => {
        this.#host.mistake('while a request was answered', error);
      })
      .then(() => {
        this.#waiting -= 1;
      });
  }

  async #handle(request: Request): Promise<void> {
    const host = this.#host;
    if (this.#isClosed()) return;
    const reply = await this.#replyTo(request);
    if (this.#isClosed()) return;
    host.open.channel.respond(request.message, reply.payloads);
    reply.after?.();
    if (findNotify(reply.payloads, NOTIFY.INVALID_SYNTAX) !== undefined) {
      host.fatal(bad('INVALID_SYNTAX', 'us', 'a request that cannot be read').failure);
    }
  }

  #isClosed(): boolean {
    return this.#host.isClosed;
  }

  async #replyTo(request: Request): Promise<Reply> {
    if (request.fault !== undefined) {
      const { fault, data, reason } = request.fault;
      this.#host.env.log.warning('a request that cannot be read', { reason });
      return { payloads: [notify(fault, data)] };
    }
    const { header, payloads } = request.message;
    if (!isDeleteOfIke(payloads)) this.#host.peerUses();
    switch (header.exchange) {
      case EXCHANGE.createChildSa:
        return isIkeRekey(payloads)
          ? answerIkeRekey(this.#host, payloads)
          : answerChild(this.#host, payloads);
      case EXCHANGE.ikeFollowupKe:
        return this.#host.followUps.answer(payloads);
      case EXCHANGE.informational:
        return answerInformational(this.#host, payloads);
      default:
        // Of an RFC that was not agreed on, or out of place.
        return { payloads: [notify(NOTIFY.INVALID_SYNTAX)] };
    }
  }
}

const isDeleteOfIke = (payloads: readonly Payload[]): boolean =>
  payloads.some((payload) => payload.kind === 'D' && payload.protocol === PROTOCOL.ike);

/** The SA payload of an IKE SA, and no traffic selectors. */
const isIkeRekey = (payloads: readonly Payload[]): boolean =>
  payloads.some(
    (payload) => payload.kind === 'SA' && payload.proposals[0]?.protocol === PROTOCOL.ike,
  );
