// SPDX-License-Identifier: Apache-2.0
/**
 * An opening of ours, and at most one more beside it. A peer that begins anew between IKE_SA_INIT and IKE_AUTH does not
 * know the IKE SA of our request any more, and each retransmission is answered by what nobody has authenticated:
 *
 *     HDR, SAi1, KEi, Ni             -->
 *                               <--  HDR, SAr1, KEr, Nr
 *     HDR, SK{IDi, AUTH, ...}        -->                            (the peer begins anew)
 *     HDR, SK{IDi, AUTH, ...}        -->
 *                               <--  HDR, N(INVALID_IKE_SPI)        a hint
 *
 * RFC 7296 §2.4 and §2.21.4: a hint ends nothing, the opening goes on. When nothing authentic has come until what
 * is sent again should have been answered, another opening is begun. Hints that are forged cost this one and no more, however many.
 *
 * Neither is closed when the other is up: the peer may have authenticated it already, and would go on sending by an SA
 * that is not here any more. When both come up they are duplicates as others are.
 */
import type { OpeningIkeSa } from '../open/types.js';
import type { IkeSa } from '../sa/api.js';
import type { IkeEnvironment, Outcome } from '../types.js';

export interface Begun {
  readonly opening: Pick<OpeningIkeSa, 'channel' | 'close'>;
  /** Good: the IKE SA was adopted. */
  readonly result: Promise<Outcome<IkeSa>>;
}

export interface AttemptOptions {
  readonly env: Pick<IkeEnvironment, 'timers' | 'count'>;
  /** From a hint to the second opening, milliseconds. */
  readonly waitMs: number;
  /** @param onHint whom to tell that the peer says it does not know this one */
  readonly begin: (onHint?: () => void) => Begun;
}

export class Attempt {
  /** Of the first that is good, or the last that is not. */
  readonly result: Promise<Outcome<IkeSa>>;
  readonly #options: AttemptOptions;
  readonly #openings: Begun[] = [];
  #settle: (outcome: Outcome<IkeSa>) => void = nothing;
  #pending = 0;
  #isOver = false;
  #cancel: (() => void) | undefined;

  /** Begins at once. */
  constructor(options: AttemptOptions) {
    this.#options = options;
    this.result = new Promise((settle) => {
      this.#settle = settle;
    });
    this.#follow(
      options.begin(() => {
        this.#hint();
      }),
    );
  }

  /** Ends all of it that is not open yet. */
  close(): void {
    this.#end();
    for (const { opening } of this.#openings) opening.close();
  }

  #follow(begun: Begun): void {
    this.#openings.push(begun);
    this.#pending += 1;
    void begun.result.then((outcome) => {
      this.#pending -= 1;
      if (!outcome.ok && this.#pending > 0) return;
      this.#end();
      this.#settle(outcome);
    });
  }

  #end(): void {
    this.#isOver = true;
    this.#cancel?.();
  }

  #hint(): void {
    const [first, second] = this.#openings;
    if (this.#isOver || this.#cancel !== undefined) return;
    if (first === undefined || second !== undefined) return;
    const { env, waitMs, begin } = this.#options;
    const { channel } = first.opening;
    const { lastHeard } = channel;
    this.#cancel = env.timers.after(waitMs, () => {
      this.#cancel = undefined;
      if (channel.lastHeard !== lastHeard) return;
      env.count('openings_repeated');
      this.#follow(begin());
    });
  }
}

const nothing = (): void => undefined;
