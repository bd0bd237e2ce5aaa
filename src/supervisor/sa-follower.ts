// SPDX-License-Identifier: Apache-2.0
/**
 * Who finds its SA by some key is brought to the SA that there is now, and nobody else: with a thousand remote PEs
 * whose SAs come up one after the other, all tunnels looked at for each would be a million looks.
 */
import type { TunnelModel } from '../forwarding/model.js';
import type { Timers } from '../ike/types.js';
import { tunnelSaKey } from './ike-sa-row.js';
import type { Serial } from './serial.js';

export interface SaFollowerDeps {
  /** What it does comes after all changes that were asked for before. */
  readonly serial: Pick<Serial, 'run'>;
  /** Brings the rows of these keys to their SAs. What it throws is the caller's of {@link SaFollower.now}. */
  readonly follow: (keys: ReadonlySet<string>) => void;
  readonly timers: Pick<Timers, 'after'>;
  /** What {@link SaFollower.soon} asked for has failed. */
  readonly failed: (error: unknown) => void;
}

/** What is not waited for comes together, ms. */
const SOON_MS = 5;

export class SaFollower {
  readonly #deps: SaFollowerDeps;
  #keys = new Set<string>();
  #running: Promise<void> | undefined;
  #cancel: (() => void) | undefined;
  #closed = false;

  constructor(deps: SaFollowerDeps) {
    this.#deps = deps;
  }

  /** Resolves when the rows follow. Whoever asks before a run has begun shares it. */
  async now(keys: Iterable<string>): Promise<void> {
    for (const key of keys) this.#keys.add(key);
    this.#running ??= this.#deps.serial.run(() => {
      this.#running = undefined;
      this.#run();
      return Promise.resolve();
    });
    return this.#running;
  }

  #run(): void {
    const keys = this.#keys;
    this.#keys = new Set();
    try {
      this.#deps.follow(keys);
    } catch (error) {
      // With whatever comes next it is tried again.
      for (const key of keys) this.#keys.add(key);
      throw error;
    }
  }

  soon(key: string): void {
    if (this.#closed) return;
    this.#keys.add(key);
    this.#cancel ??= this.#deps.timers.after(SOON_MS, () => {
      this.#cancel = undefined;
      this.now([]).catch(this.#deps.failed);
    });
  }

  /** Nothing comes by itself any more. */
  close(): void {
    this.#closed = true;
    this.#cancel?.();
    this.#cancel = undefined;
  }
}

/** The tunnels of a set by the SA that they share. */
export class TunnelsBySa {
  #of: ReadonlyMap<string, TunnelModel> | undefined;
  readonly #byKey = new Map<string, TunnelModel[]>();

  /** `all`: another object when it has other tunnels than before. */
  sharing(all: ReadonlyMap<string, TunnelModel>, key: string): readonly TunnelModel[] {
    if (all !== this.#of) this.#index(all);
    return this.#byKey.get(key) ?? [];
  }

  #index(all: ReadonlyMap<string, TunnelModel>): void {
    this.#of = all;
    this.#byKey.clear();
    for (const tunnel of all.values()) {
      const key = tunnelSaKey(tunnel);
      const sharing = this.#byKey.get(key);
      if (sharing === undefined) this.#byKey.set(key, [tunnel]);
      else sharing.push(tunnel);
    }
  }
}
