// SPDX-License-Identifier: Apache-2.0
/** One child SA pair that somebody wants of one peer, with its state (policy-model 8 and 11). */
import type { ChildPolicy } from '../child/types.js';
import type { WantedState } from './api.js';
import type { Backoff } from './pace.js';

const PENDING: WantedState = { state: 'pending' };

export class Want {
  policy: ChildPolicy;
  /** Of asking for the child SA itself, and for the further ones of RFC 9611. */
  readonly backoff: Backoff;
  readonly resourceBackoff: Backoff;
  /** It is being asked for. */
  isAsking = false;
  readonly #listeners = new Map<object, (state: WantedState) => void>();
  #state: WantedState = PENDING;

  constructor(policy: ChildPolicy, backoff: Backoff, resourceBackoff: Backoff) {
    this.policy = policy;
    this.backoff = backoff;
    this.resourceBackoff = resourceBackoff;
  }

  get state(): WantedState {
    return this.#state;
  }
  get isUp(): boolean {
    return this.#state.state === 'up';
  }
  get isWanted(): boolean {
    return this.#listeners.size > 0;
  }

  /** Says the state at once, and each change. */
  add(key: object, listener: (state: WantedState) => void): void {
    this.#listeners.set(key, listener);
    listener(this.#state);
  }

  delete(key: object): void {
    this.#listeners.delete(key);
  }

  up(inboundSpi: number): void {
    this.backoff.succeeded();
    if (this.#state.state === 'up' && this.#state.inboundSpi === inboundSpi) return;
    this.#say({ state: 'up', inboundSpi });
  }

  /** It was up; another one is asked for. */
  down(): void {
    if (this.#state.state === 'up') this.#say(PENDING);
  }

  /** Stays so until it is up: a route does not come and go with each attempt. */
  failed(why: string): void {
    if (this.#state.state === 'failed' && this.#state.why === why) return;
    this.#say({ state: 'failed', why });
  }

  close(): void {
    this.backoff.close();
    this.resourceBackoff.close();
    this.#listeners.clear();
  }

  #say(state: WantedState): void {
    this.#state = state;
    for (const listener of [...this.#listeners.values()]) listener(state);
  }
}
