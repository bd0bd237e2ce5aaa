// SPDX-License-Identifier: Apache-2.0
/**
 * The largest outer IP packet between two tunnel addresses: the smaller of two that are known of a way.
 *
 * What routers of the core have said, and the worker believed (policy-model 21). After a while it is forgotten, so that a way
 * that has become wider is noticed (RFC 1191 §6.3, RFC 8201 §4); what does not pass then is told anew. And what probes have
 * found (path-probes.ts), as long as they do not find something else. A restart forgets both.
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
  /** undefined: probes find out. */
  readonly expires: number | undefined;
  readonly source: 'icmp' | 'probe';
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
  readonly #probed = new Map<string, PathMtu>();
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
    const key = keyOf(ends);
    const [told, probed] = [this.#entries.get(key), this.#probed.get(key)];
    if (told === undefined || probed === undefined) return told ?? probed;
    return told.mtu < probed.mtu ? told : probed;
  }

  /** Probes found that packets of at most this size pass; undefined: they find nothing that does not. */
  probed(ends: Ends, mtu: number | undefined): void {
    const key = keyOf(ends);
    if (this.#closed || this.#probed.get(key)?.mtu === mtu) return;
    if (mtu === undefined) this.#probed.delete(key);
    else {
      const since = this.#deps.now();
      this.#probed.set(key, { mtu, since, expires: undefined, source: 'probe' });
    }
    this.#deps.changed(ends);
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
    const expires = since + this.#ageMs;
    this.#entries.set(key, { mtu, since, expires, source: 'icmp', cancel });
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
