// SPDX-License-Identifier: Apache-2.0
/** Keeps the mappings of NATs in front of us (RFC 3948 §4): one timer for all IKE SAs that need it. */
import type { IkeSa } from '../sa/api.js';
import type { Path, Timers } from '../types.js';

const EVERY_MS = 20_000;

export class Keepalives {
  readonly #timers: Timers;
  readonly #send: (path: Path) => void;
  readonly #sas = new Set<IkeSa>();
  #cancel: (() => void) | undefined;

  constructor(timers: Timers, send: (path: Path) => void) {
    this.#timers = timers;
    this.#send = send;
  }

  add(sa: IkeSa): void {
    this.#sas.add(sa);
    this.#arm();
  }

  delete(sa: IkeSa): void {
    this.#sas.delete(sa);
  }

  close(): void {
    this.#sas.clear();
    this.#cancel?.();
  }

  #arm(): void {
    if (this.#sas.size === 0) return;
    this.#cancel ??= this.#timers.after(EVERY_MS, () => {
      this.#cancel = undefined;
      for (const sa of this.#sas) this.#send(sa.open.channel.path);
      this.#arm();
    });
  }
}
