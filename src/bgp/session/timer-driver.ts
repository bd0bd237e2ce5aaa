// SPDX-License-Identifier: Apache-2.0
/** Real time. */
import type { ConnectionId, TimerName } from './fsm-types.js';

/** Calls back after so many milliseconds, unless cancelled by what it returns. Keeps no process alive. */
export function after(ms: number, work: () => void): () => void {
  const handle = setTimeout(work, ms);
  handle.unref();
  return () => {
    clearTimeout(handle);
  };
}

/** The timers that a session's machine sets. */
export class SessionTimers {
  readonly #running = new Map<string, NodeJS.Timeout>();
  readonly #over: (timer: TimerName, connection: ConnectionId | undefined) => void;

  constructor(over: (timer: TimerName, connection: ConnectionId | undefined) => void) {
    this.#over = over;
  }

  set(timer: TimerName, connection: ConnectionId | undefined, ms: number): void {
    const key = keyOf(timer, connection);
    clearTimeout(this.#running.get(key));
    const fire = (): void => {
      this.#running.delete(key);
      this.#over(timer, connection);
    };
    // Timers run before the sockets of a turn: what has come meanwhile is read first.
    const handle = setTimeout(() => {
      if (timer !== 'hold') {
        fire();
        return;
      }
      setImmediate(() => {
        if (this.#running.get(key) === handle) fire();
      });
    }, ms);
    this.#running.set(key, handle);
  }

  clear(timer: TimerName, connection: ConnectionId | undefined): void {
    const key = keyOf(timer, connection);
    clearTimeout(this.#running.get(key));
    this.#running.delete(key);
  }

  clearAll(): void {
    for (const timer of this.#running.values()) clearTimeout(timer);
    this.#running.clear();
  }
}

const keyOf = (timer: TimerName, connection: ConnectionId | undefined): string =>
  `${timer}/${connection ?? ''}`;
