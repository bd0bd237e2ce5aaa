// SPDX-License-Identifier: Apache-2.0
/** Why a peer is not believed: one counter and one log line each, so many lines per peer and minute. */
import { formatAddress } from '../../lib/ip.js';
import type { LogFields } from '../../lib/log.js';
import type { IkeCounter } from '../counters.js';
import { bad, type IkeEnvironment } from '../types.js';

/** What speaks against a peer. `reason`: one line without secrets; `fields`: whose certificate, which anchor. */
export interface Refusal {
  readonly counter: IkeCounter;
  readonly reason: string;
  readonly fields?: LogFields;
}

export const refusal = (counter: IkeCounter, reason: string, fields?: LogFields): Refusal => ({
  counter,
  reason,
  ...(fields === undefined ? {} : { fields }),
});

export type Judged<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly refusal: Refusal };

export const accept = <T>(value: T): Judged<T> => ({ ok: true, value });
export const refuse = (
  counter: IkeCounter,
  reason: string,
  fields?: LogFields,
): { readonly ok: false; readonly refusal: Refusal } => ({
  ok: false,
  refusal: refusal(counter, reason, fields),
});

const LINES = { perWindow: 5, windowMs: 60_000, peers: 1024 } as const;

/** Log lines about peers: beyond {@link LINES} of one peer they are only counted, and the next line says how many. */
export class PeerLog {
  /** In order of the window's begin, oldest first. */
  private readonly windows = new Map<string, { begun: number; lines: number; dropped: number }>();

  private readonly env: Pick<IkeEnvironment, 'log' | 'timers' | 'count'>;

  constructor(env: Pick<IkeEnvironment, 'log' | 'timers' | 'count'>) {
    this.env = env;
  }

  /** Counts, logs, and makes of it what the caller of the authenticator gets. */
  refused(remote: Uint8Array, { counter, reason, fields }: Refusal): ReturnType<typeof bad> {
    this.env.count(counter);
    this.warn(remote, `peer refused: ${reason}`, { ...fields, counter });
    return bad('AUTHENTICATION_FAILED', 'us', reason);
  }

  warn(remote: Uint8Array, text: string, fields: LogFields): void {
    const peer = formatAddress(remote);
    const window = this.windowOf(peer);
    if (window.lines >= LINES.perWindow) {
      window.dropped++;
      return;
    }
    window.lines++;
    this.env.log.warning(text, { peer, ...fields });
  }

  private windowOf(peer: string): { begun: number; lines: number; dropped: number } {
    const now = this.env.timers.now();
    const current = this.windows.get(peer);
    if (current !== undefined && now - current.begun < LINES.windowMs) return current;
    if (current !== undefined) this.close(peer, current.dropped);
    const [oldest] = this.windows;
    if (oldest !== undefined && this.windows.size >= LINES.peers) {
      this.close(oldest[0], oldest[1].dropped);
    }
    const fresh = { begun: now, lines: 0, dropped: 0 };
    this.windows.set(peer, fresh);
    return fresh;
  }

  private close(peer: string, dropped: number): void {
    this.windows.delete(peer);
    if (dropped > 0) {
      this.env.log.warning('more lines about this peer were left out', { peer, lines: dropped });
    }
  }
}
