// SPDX-License-Identifier: Apache-2.0
/**
 * Our requests: message IDs, the peer's window, retransmission (RFC 7296 §2.1 to §2.4). Who answers is told by
 * `settle`; what is sent again is octet for octet what was sent first.
 */
import type { Payload } from '../codec/payload.js';
import { bad, type IkeEnvironment, type IkeFailure } from '../types.js';
import type { Answered, Received, Retransmission, Sent } from './api.js';

/** A request that waits for its turn. */
export interface Waiting {
  readonly exchange: number;
  readonly payloads: readonly Payload[];
  readonly settle: (answered: Answered) => void;
  /** Of responses in clear; undefined: any. */
  readonly accepts?: ((response: Received) => boolean) | undefined;
}

export interface Transmission {
  readonly datagrams: readonly Uint8Array[];
  readonly sent: Sent;
}

/** A request that was sent and is not answered. */
export interface InFlight extends Transmission {
  readonly exchange: number;
  readonly isProtected: boolean;
  readonly settle: (answered: Answered) => void;
  readonly accepts?: Waiting['accepts'];
  transmissions: number;
  cancel: () => void;
}

/** Its channel: functions made for each IKE SA instead would take as much memory as its keys. */
export interface OutgoingHost {
  readonly env: IkeEnvironment;
  readonly retransmission: Retransmission;
  /** Makes the datagrams of a request whose turn has come. */
  make(
    id: number,
    waiting: Waiting,
  ): (Transmission & { readonly isProtected: boolean }) | IkeFailure;
  transmit(datagrams: readonly Uint8Array[]): void;
}

const NONE: ReadonlyMap<number, InFlight> = new Map();
const LAST_ID = 0xffffffff;

export class Outgoing {
  /** Of the next request; in clear it is 0 each time (RFC 7296 §2.2). */
  nextId = 0;
  readonly #host: OutgoingHost;
  /** Requests were sent in clear: ID 0 is spent once they are protected. */
  #isInClear = false;
  #window = 1;
  readonly #waiting: Waiting[] = [];
  /** By message ID, ascending. Made with the first request: a responder may never have one. */
  #inFlight: Map<number, InFlight> | undefined;
  /** Why nothing can be sent any more. */
  #ended: IkeFailure | undefined;

  constructor(host: OutgoingHost) {
    this.#host = host;
  }

  get window(): number {
    return this.#window;
  }
  set window(size: number) {
    this.#window = size;
    this.pump();
  }

  get isIdle(): boolean {
    return this.inFlight.size === 0 && this.#waiting.length === 0;
  }

  get inFlight(): ReadonlyMap<number, InFlight> {
    return this.#inFlight ?? NONE;
  }

  /** From now on requests are protected. */
  leaveClear(): void {
    if (this.#isInClear) this.nextId = 1;
    this.#isInClear = false;
  }

  add(waiting: Waiting): void {
    if (this.#ended !== undefined) {
      waiting.settle({ ok: false, failure: this.#ended });
      return;
    }
    this.#waiting.push(waiting);
    this.pump();
  }

  /** Sends what waits and has its turn. */
  pump(): void {
    while (this.#waiting.length > 0 && this.#isTurn()) {
      const waiting = this.#waiting.shift();
      if (waiting !== undefined) this.#start(waiting);
    }
  }

  /** RFC 7296 §2.3: request X waits until all requests up to X - N are answered. */
  #isTurn(): boolean {
    const [oldest = this.nextId] = this.inFlight.keys();
    return this.nextId - oldest < this.#window && !(this.inFlight.get(0)?.isProtected === false);
  }

  #start(waiting: Waiting): void {
    const id = this.nextId;
    const made =
      id > LAST_ID
        ? bad('INTERNAL', 'us', 'message IDs are spent').failure
        : this.#host.make(id, waiting);
    if ('code' in made) {
      waiting.settle({ ok: false, failure: made });
      return;
    }
    if (made.isProtected) this.nextId += 1;
    else this.#isInClear = true;
    const { exchange, settle, accepts } = waiting;
    const request: InFlight = {
      exchange,
      settle,
      accepts,
      transmissions: 1,
      cancel: nothing,
      ...made,
    };
    this.#inFlight ??= new Map();
    this.#inFlight.set(id, request);
    this.#host.transmit(made.datagrams);
    this.#arm(id, request);
  }

  /** Of a supervisor before this one: sent again soon, and nobody here waits for the answer. */
  resume(id: number, datagrams: readonly Uint8Array[], exchange: number): void {
    const request: InFlight = {
      datagrams,
      sent: { octets: new Uint8Array(0) },
      exchange,
      isProtected: true,
      settle: nothing,
      transmissions: 0,
      cancel: nothing,
    };
    this.#inFlight ??= new Map();
    this.#inFlight.set(id, request);
    request.cancel = this.#host.env.timers.after(0, () => {
      this.#expire(id, request);
    });
  }

  /** The answer to a request in flight came, or one that cannot be read: it is not waited for any more. */
  settle(id: number, answered: Answered): void {
    const request = this.inFlight.get(id);
    if (request === undefined) return;
    request.cancel();
    this.#inFlight?.delete(id);
    request.settle(answered);
    this.pump();
  }

  /** Fails all that is in flight or waits, and all that comes. */
  end(failure: IkeFailure): void {
    if (this.#ended !== undefined) return;
    this.#ended = failure;
    const all = [...this.inFlight.values()];
    const waiting = this.#waiting.splice(0);
    this.#inFlight = undefined;
    for (const { cancel } of all) cancel();
    for (const { settle } of [...all, ...waiting]) settle({ ok: false, failure });
  }

  #arm(id: number, request: InFlight): void {
    const { env, retransmission } = this.#host;
    const { firstMs, factor, jitter } = retransmission;
    const random = jitter === 0 ? 0 : env.crypto.random(4).readUInt32BE(0) / 2 ** 32;
    const wait = firstMs * factor ** (request.transmissions - 1) * (1 - jitter * random);
    request.cancel = env.timers.after(wait, () => {
      this.#expire(id, request);
    });
  }

  #expire(id: number, request: InFlight): void {
    const { env, retransmission } = this.#host;
    if (request.transmissions < retransmission.tries) {
      request.transmissions += 1;
      env.count('tx_retransmissions');
      this.#host.transmit(request.datagrams);
      this.#arm(id, request);
      return;
    }
    env.count('exchange_timeouts');
    const { failure } = bad('TIMEOUT', 'us', `no answer to request ${id}`);
    // Its message ID is spent and the window stands: the IKE SA is of no use any more (RFC 7296 §2.4).
    if (request.isProtected) this.end(failure);
    else this.settle(id, { ok: false, failure });
  }
}

const nothing = (): void => undefined;
