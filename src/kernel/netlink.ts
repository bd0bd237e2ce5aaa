// SPDX-License-Identifier: Apache-2.0
/**
 * Requests, dumps and notifications over one netlink socket.
 *
 * Everything of a namespace comes through one socket, in the kernel's order: a notification that is
 * read before a piece of a dump happened before that piece was taken. State kept by applying both as they
 * come is therefore never older than what was read last.
 *
 * When the kernel drops messages (ENOBUFS) answers may be among them, so every open request is sent
 * again. Requests must thus be such that doing them twice is doing them once (CREATE | REPLACE, or a
 * DELETE whose "not there" the caller takes for success). Dumps, whose pieces are never dropped, begin
 * anew and say so.
 */
import { constants } from 'node:os';
import type { Kernel, PolledSocket } from '../lib/kernel-api.js';
import { NLM_F, NLMSG } from './codec/constants.js';
import {
  type Acknowledgement,
  decodeDone,
  decodeError,
  decodeMessages,
  encodeMessage,
  type NetlinkMessage,
} from './codec/message.js';
import { errnoName, KernelPartError } from './errors.js';

export interface NetlinkEvents {
  /** A notification of the kernel, or another's change. */
  readonly onEvent?: (message: NetlinkMessage) => void;
  /** Notifications were lost. Open requests and dumps are taken care of. */
  readonly onOverrun?: () => void;
  /** The socket is gone; open requests have been rejected. */
  readonly onClose?: (reason: string) => void;
}

export interface DumpHandler {
  readonly onMessage: (message: NetlinkMessage) => void;
  /** What came so far is void: the dump begins again. */
  readonly onRestart: () => void;
}

/** A dump that the kernel cannot begin is tried again, for ten seconds in all. */
const BUSY_MS = 20;
const MAX_ATTEMPTS = 500;

interface Pending {
  readonly what: string;
  readonly type: number;
  readonly flags: number;
  readonly payload: Uint8Array;
  readonly dump?: DumpHandler;
  answer: NetlinkMessage | undefined;
  /** A dump in which the kernel's table changed underneath (NLM_F_DUMP_INTR). */
  interrupted: boolean;
  attempts: number;
  readonly resolve: (answer: NetlinkMessage | undefined) => void;
  readonly reject: (error: KernelPartError) => void;
}

export class Netlink {
  readonly #events: NetlinkEvents;
  readonly #socket: PolledSocket & { readonly port: number };
  readonly #pending = new Map<number, Pending>();
  /** Requests not sent yet: the socket is full, or (dumps) another dump runs; the kernel allows one. */
  #unsent: Pending[] = [];
  #dumping = false;
  #sequence = 0;
  #closed: string | undefined;

  constructor(
    kernel: Kernel,
    netns: number,
    groups: readonly number[] = [],
    events: NetlinkEvents = {},
  ) {
    this.#events = events;
    this.#socket = kernel.openNetlink(netns, groups, {
      onMessage: (datagram) => {
        this.#receive(datagram);
      },
      onOverrun: () => {
        this.#overrun();
      },
      onWritable: () => {
        this.#flush();
      },
      onClose: (reason) => {
        this.#end(reason);
        events.onClose?.(reason);
      },
    });
  }

  /** A change. Resolves when the kernel has made it; `what` begins the error message. */
  async request(type: number, flags: number, payload: Uint8Array, what: string): Promise<void> {
    await this.#ask({ what, type, flags: flags | NLM_F.REQUEST | NLM_F.ACK, payload });
  }

  /** A question with one answer; undefined when the kernel acknowledges without answering. */
  async get(type: number, payload: Uint8Array, what: string): Promise<NetlinkMessage | undefined> {
    return this.#ask({ what, type, flags: NLM_F.REQUEST | NLM_F.ACK, payload });
  }

  /** A whole table, message by message in order with the notifications. */
  async dump(type: number, payload: Uint8Array, what: string, dump: DumpHandler): Promise<void> {
    await this.#ask({ what, type, flags: NLM_F.REQUEST | NLM_F.DUMP, payload, dump });
  }

  close(): void {
    if (this.#closed !== undefined) return;
    this.#socket.close();
    this.#end('closed');
  }

  async #ask(
    request: Pick<Pending, 'what' | 'type' | 'flags' | 'payload'> & { dump?: DumpHandler },
  ): Promise<NetlinkMessage | undefined> {
    return new Promise((resolve, reject) => {
      this.#unsent.push({
        ...request,
        answer: undefined,
        interrupted: false,
        attempts: 0,
        resolve,
        reject,
      });
      this.#flush();
    });
  }

  #flush(): void {
    const waiting: Pending[] = [];
    let full = false;
    for (const pending of this.#unsent) {
      if (this.#closed !== undefined) pending.reject(closedError(pending.what, this.#closed));
      else if (full || (pending.dump && this.#dumping)) waiting.push(pending);
      else if (!this.#send(pending)) {
        full = true;
        waiting.push(pending);
      }
    }
    this.#unsent = waiting;
  }

  /** False when the socket has no room. A refused send rejects the request. */
  #send(pending: Pending): boolean {
    this.#sequence = (this.#sequence + 1) >>> 0 || 1; // 0 is the sequence of notifications
    const { type, flags, payload } = pending;
    try {
      const bytes = encodeMessage({ type, flags, sequence: this.#sequence, payload });
      if (!this.#socket.send(bytes)) return false;
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      pending.reject(new KernelPartError('NETLINK', `${pending.what}: ${text}`));
      return true;
    }
    this.#pending.set(this.#sequence, pending);
    if (pending.dump) this.#dumping = true;
    return true;
  }

  #receive(datagram: Uint8Array): void {
    // The kernel never sends a malformed datagram; one that is not understood may have held anything.
    const messages = decodeMessages(datagram);
    if (messages === undefined) this.#overrun();
    else for (const message of messages) this.#message(message);
  }

  #message(message: NetlinkMessage): void {
    // Changes of another process carry its port and sequence.
    const pending =
      message.port === this.#socket.port ? this.#pending.get(message.sequence) : undefined;
    switch (message.type) {
      case NLMSG.NOOP:
        return;
      case NLMSG.ERROR: {
        const result = decodeError(message);
        if (pending && result) this.#finish(message.sequence, pending, result);
        return;
      }
      case NLMSG.DONE:
        if (pending) this.#finish(message.sequence, pending, decodeDone(message));
        return;
      default:
        break;
    }
    if (pending?.dump) {
      if ((message.flags & NLM_F.DUMP_INTR) !== 0) pending.interrupted = true;
      pending.dump.onMessage(message);
    } else if (pending && isQuestion(pending)) pending.answer = message;
    else this.#events.onEvent?.(message);
  }

  #finish(sequence: number, pending: Pending, result: Acknowledgement): void {
    this.#pending.delete(sequence);
    if (pending.dump) this.#dumping = false;
    if (pending.dump && isBusy(result) && pending.attempts < MAX_ATTEMPTS) this.#later(pending);
    else if (result.errno !== 0) pending.reject(refusal(pending.what, result));
    else if (pending.interrupted) this.#again(pending);
    else pending.resolve(pending.answer);
    this.#flush();
  }

  #overrun(): void {
    this.#events.onOverrun?.();
    for (const [sequence, pending] of [...this.#pending]) {
      if (pending.dump) pending.interrupted = true;
      else {
        this.#pending.delete(sequence);
        this.#unsent.push(pending);
      }
    }
    this.#flush();
  }

  #again(pending: Pending): void {
    pending.interrupted = false;
    pending.attempts += 1;
    pending.dump?.onRestart();
    this.#unsent.push(pending);
  }

  #later(pending: Pending): void {
    setTimeout(() => {
      this.#again(pending);
      this.#flush();
    }, BUSY_MS);
  }

  #end(reason: string): void {
    this.#closed = reason;
    const open = [...this.#pending.values(), ...this.#unsent];
    this.#pending.clear();
    this.#unsent = [];
    for (const pending of open) pending.reject(closedError(pending.what, reason));
  }
}

/** The socket's buffer was full when the dump was to begin, or an abandoned one has not ended. */
function isBusy({ errno }: Acknowledgement): boolean {
  return errno === constants.errno.EBUSY || errno === constants.errno.ENOBUFS;
}

/** Types come in fours: NEW, DEL, GET, SET. Only GET is answered by data and causes no notification. */
function isQuestion(pending: Pending): boolean {
  return pending.type % 4 === 2;
}

function closedError(what: string, reason: string): KernelPartError {
  return new KernelPartError('NETLINK_CLOSED', `${what}: netlink socket ended: ${reason}`);
}

function refusal(what: string, { errno, text }: Acknowledgement): KernelPartError {
  const name = errnoName(errno);
  const words = text === undefined ? name : `${name} (${text})`;
  const remedy = name === 'EPERM' ? 'CAP_NET_ADMIN is needed in that namespace' : undefined;
  return new KernelPartError('NETLINK', `${what}: ${words}`, remedy, name);
}
