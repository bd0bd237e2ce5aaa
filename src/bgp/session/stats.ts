// SPDX-License-Identifier: Apache-2.0
/** What is counted and remembered of a session, for `show`. */
import { hex } from '../codec/bytes.js';
import { MESSAGE, type MessageType } from '../codec/message.js';
import type { Notification } from '../codec/types.js';
import type { SessionState } from './fsm-types.js';

export type MessageName = 'open' | 'update' | 'notification' | 'keepalive' | 'routeRefresh';
export type MessageCounts = Readonly<Record<MessageName, number>>;

/** Counts by message type. */
export class MessageCounter {
  readonly #counts = new Uint32Array(6);

  /** `type`: as in the header. */
  add(type: number): void {
    if (type < this.#counts.length) this.#counts[type] = (this.#counts[type] ?? 0) + 1;
  }

  counts(): MessageCounts {
    const of = (type: MessageType): number => this.#counts[type] ?? 0;
    return {
      open: of(MESSAGE.open),
      update: of(MESSAGE.update),
      notification: of(MESSAGE.notification),
      keepalive: of(MESSAGE.keepalive),
      routeRefresh: of(MESSAGE.routeRefresh),
    };
  }
}

/** Messages of each type in `messages`, whole ones with their headers. */
export function countMessages(messages: Uint8Array, counter: MessageCounter): void {
  for (let at = 0; at + 19 <= messages.length;) {
    counter.add(messages[at + 18] ?? 0);
    at += Math.max(19, ((messages[at + 16] ?? 0) << 8) | (messages[at + 17] ?? 0));
  }
}

export interface StateChange {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly from: SessionState;
  readonly to: SessionState;
  readonly reason: string;
}

/** The last error of a session: which side found it, and in what octets. */
export interface SessionError {
  readonly at: number;
  readonly by: 'us' | 'peer';
  readonly code: number;
  readonly subcode: number;
  readonly reason: string;
  /** Data of the NOTIFICATION, hexadecimal. */
  readonly data: string;
  /** Beginning of the message that was wrong, hexadecimal; '' when there is none. */
  readonly octets: string;
}

const HISTORY = 32;
const OCTETS_SHOWN = 128;

export class SessionHistory {
  readonly changes: StateChange[] = [];
  lastError: SessionError | undefined;
  /** Faults of UPDATEs that the session outlived (RFC 7606). */
  tolerated = 0;
  establishedCount = 0;

  change(change: StateChange): void {
    this.changes.push(change);
    if (this.changes.length > HISTORY) this.changes.shift();
  }

  error(at: number, by: 'us' | 'peer', fault: Notification, octets?: Uint8Array): void {
    const { code, subcode, reason } = fault;
    this.lastError = {
      ...{ at, by, code, subcode, reason },
      data: hex(fault.data.subarray(0, OCTETS_SHOWN)),
      octets: octets === undefined ? '' : hex(octets.subarray(0, OCTETS_SHOWN)),
    };
  }
}
