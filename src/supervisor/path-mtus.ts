// SPDX-License-Identifier: Apache-2.0
/**
 * What routers of the core have said of the ways to far ends, and the worker believed (policy-model 21): the largest
 * outer IP packet between two tunnel addresses. After a while it is forgotten, so that a way that has become wider is
 * noticed (RFC 1191 §6.3, RFC 8201 §4); what does not pass then is told anew. A restart forgets it as well.
 */
import { DEFAULT_PATH_MTU_AGE_S } from '../config/defaults.js';
import type { Timers } from '../ike/types.js';
import { formatAddress } from '../lib/ip.js';
import type { Logger } from '../lib/log.js';

/** Two tunnel addresses. */
export interface Ends {
  readonly local: Uint8Array;
  readonly remote: Uint8Array;
}

export interface PathMtu {
  /** Largest outer IP packet, bytes. */
  readonly mtu: number;
  /** Since 1970, ms. */
  readonly since: number;
  readonly expires: number;
}

export interface PathMtusDeps {
  /** Since 1970, ms. */
  readonly now: () => number;
  readonly timers: Pick<Timers, 'after'>;
  /** Tunnels between these have another MTU. */
  readonly changed: (ends: Ends) => void;
  readonly log: Pick<Logger, 'notice'>;
}

interface Entry extends PathMtu {
  readonly cancel: () => void;
}

const keyOf = ({ local, remote }: Ends): string =>
  `${formatAddress(local)} ${formatAddress(remote)}`;

export class PathMtus {
  readonly #deps: PathMtusDeps;
  readonly #entries = new Map<string, Entry>();
  #ageMs = DEFAULT_PATH_MTU_AGE_S * 1000;
  #closed = false;

  constructor(deps: PathMtusDeps) {
    this.#deps = deps;
  }

  /** Seconds for which is believed what is told from now on. */
  configure(age: number): void {
    this.#ageMs = age * 1000;
  }

  get(ends: Ends): PathMtu | undefined {
    return this.#entries.get(keyOf(ends));
  }

  /** Packets between these that were larger did not pass. What is not less than what is known says nothing new. */
  learn(ends: Ends, mtu: number): void {
    const key = keyOf(ends);
    const known = this.#entries.get(key);
    if (this.#closed || (known !== undefined && known.mtu <= mtu)) return;
    known?.cancel();
    const since = this.#deps.now();
    const cancel = this.#deps.timers.after(this.#ageMs, () => {
      this.#entries.delete(key);
      this.#say(ends, 'the path MTU has aged: larger packets are tried again', { mtu });
      this.#deps.changed(ends);
    });
    this.#entries.set(key, { mtu, since, expires: since + this.#ageMs, cancel });
    this.#say(ends, 'the core passes no larger packets', { mtu });
    this.#deps.changed(ends);
  }

  /** Nothing comes by itself any more. */
  close(): void {
    this.#closed = true;
    for (const { cancel } of this.#entries.values()) cancel();
  }

  #say({ local, remote }: Ends, what: string, more: { mtu: number }): void {
    this.#deps.log.notice(what, {
      ...{ local: formatAddress(local), remote: formatAddress(remote) },
      ...more,
    });
  }
}
