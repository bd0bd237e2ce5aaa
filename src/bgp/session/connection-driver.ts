// SPDX-License-Identifier: Apache-2.0
/**
 * One TCP connection: reading in place and in fair portions, writing in large ones.
 *
 * Input goes through Node's `onread` into a buffer of the connection's own, is split there, and every
 * message is handed out where it lies. A turn of the event loop gives a peer a portion of its time or one
 * buffer; then the others have theirs. Output is gathered into chunks and written when the turn ends; above HIGH_WATER
 * the caller is asked to wait.
 */
import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net';
import { splitMessages, type MessageVisitor } from '../codec/framing.js';
import type { Notification } from '../codec/types.js';
import { ReceiveBuffer } from './receive-buffer.js';
import { Turns } from './turns-driver.js';

/** Of the process, as the event loop is. */
const turns = new Turns(
  () => performance.now(),
  (turn) => {
    setImmediate(turn);
  },
);
/** Octets of messages after which the time is looked at again. */
const ASK_AFTER = 512;
const CHUNK = 64 << 10;
const HIGH_WATER = 512 << 10;
/** What was written last may take so long to reach a peer that is being left. */
const LINGER_MS = 2_000;
/** Octets of a wrong message that are kept for `show`. */
const FAULT_SHOWN = 128;
/** Output that waits longer than this is stuck, not merely under way. */
const STUCK_MS = 1_000;

/** Options that net.Socket takes too, and its types leave out. */
interface StreamOptions {
  readonly writableHighWaterMark: number;
  readonly onread: OnReadOpts;
}

export interface ConnectionEvents {
  /** Our connect() has succeeded. */
  readonly connected: () => void;
  /** One message; false: the connection was ended meanwhile. */
  readonly message: MessageVisitor;
  /** The next header is wrong; nothing more comes. `octets`: the beginning of what was read. */
  readonly fault: (fault: Notification, octets: Uint8Array) => void;
  /** Whole messages have come. */
  readonly heard: () => void;
  /** It is gone. Called once, and not after {@link Connection.end}. */
  readonly lost: (reason: string) => void;
  readonly blocked: () => void;
  readonly progress: () => void;
  readonly drained: () => void;
  /** After `send` returned false: there is room. */
  readonly writable: () => void;
}

export interface Target {
  /** Text, without zone: the socket is bound to its device. */
  readonly address: string;
  readonly port: number;
}

export class TcpConnection {
  readonly #socket: Socket;
  readonly #events: ConnectionEvents;
  readonly #input = new ReceiveBuffer();
  /** What the peer may send (RFC 8654). */
  maxMessage: 4096 | 65535 = 4096;
  #ended = false;
  #over = false;
  #paused = false;
  #chunk: Uint8Array | undefined;
  #chunkUsed = 0;
  #flushing = false;
  #inFlight = 0;
  #oldestWrite = 0;
  #stuck = false;
  #full = false;
  #linger: NodeJS.Timeout | undefined;
  /** Octets in and out. */
  readonly octets = { in: 0, out: 0 };

  /** Takes over the descriptor. `target`: connects; else it is connected already. */
  constructor(fd: number, target: Target | undefined, events: ConnectionEvents) {
    this.#events = events;
    const options: SocketConstructorOpts & StreamOptions = {
      fd,
      readable: true,
      writable: true,
      writableHighWaterMark: HIGH_WATER,
      onread: {
        buffer: () => this.#input.offer(),
        callback: (count: number) => this.#onRead(count),
      },
    };
    this.#socket = new Socket(options);
    this.#socket.on('error', (error) => {
      this.#lose(error.message);
    });
    this.#socket.on('end', () => {
      this.#lose('closed by the peer');
    });
    this.#socket.on('close', () => {
      clearTimeout(this.#linger);
      this.#over = true;
      this.#lose('closed');
    });
    this.#socket.on('drain', () => {
      this.#onDrain();
    });
    if (target === undefined) this.#socket.resume();
    else {
      this.#socket.connect({ host: target.address, port: target.port }, () => {
        if (this.#ended) return;
        this.#events.connected();
      });
    }
  }

  /** Own address as the kernel has it, text. */
  get localAddress(): string | undefined {
    return this.#socket.localAddress?.split('%')[0];
  }

  get ports(): { readonly local: number; readonly remote: number } {
    return { local: this.#socket.localPort ?? 0, remote: this.#socket.remotePort ?? 0 };
  }

  /** Unparsed messages wait for their turn: the peer cannot be called silent. */
  get behind(): boolean {
    return this.#paused;
  }

  // ---- Input ---------------------------------------------------------------------------------------

  #onRead(count: number): boolean {
    this.octets.in += count;
    if (this.#ended) {
      this.#input.start = this.#input.end = 0;
      return true; // read away, or the close would become a reset and take our last words with it
    }
    const full = this.#input.added(count);
    const done = this.#parse(turns.portion());
    this.#input.compact();
    if (done && !full) return true;
    this.#paused = true;
    turns.wait(() => this.#goOn());
    return false;
  }

  /** See {@link Turns.wait}. */
  #goOn(): boolean {
    if (this.#over) return false;
    if (!this.#ended && !this.#parse(turns.portion())) return true;
    this.#paused = false;
    this.#socket.resume();
    return false;
  }

  /** Hands out whole messages until then; undefined: not now. True: only part of a message is left. */
  #parse(until: number | undefined): boolean {
    if (until === undefined) return false;
    const input = this.#input;
    let inTime = true;
    let asked = input.start;
    const { consumed, fault } = splitMessages(
      input.bytes,
      input.start,
      input.end,
      this.maxMessage,
      (type, start, end) => {
        this.#events.message(type, start, end);
        // Asking for the time costs as much as a small message: one of a route or two is a hundred octets.
        if (end - asked >= ASK_AFTER) {
          asked = end;
          inTime = performance.now() < until;
        }
        return inTime && !this.#ended;
      },
    );
    input.start += consumed;
    if (this.#ended) {
      input.start = input.end;
      return true;
    }
    if (consumed > 0) this.#events.heard();
    if (fault !== undefined) {
      const octets = input.bytes.slice(input.start, Math.min(input.end, input.start + FAULT_SHOWN));
      input.start = input.end;
      this.#events.fault(fault, octets);
    }
    return inTime;
  }

  /** The buffer messages lie in. */
  get bytes(): Uint8Array {
    return this.#input.bytes;
  }

  // ---- Output --------------------------------------------------------------------------------------

  /** Copies whole messages into the output. false: more than HIGH_WATER waits, `writable` will tell. */
  send(messages: Uint8Array): boolean {
    if (this.#ended) return true;
    for (let at = 0; at < messages.length;) {
      this.#chunk ??= Buffer.allocUnsafeSlow(CHUNK);
      const part = messages.subarray(at, at + CHUNK - this.#chunkUsed);
      this.#chunk.set(part, this.#chunkUsed);
      this.#chunkUsed += part.length;
      at += part.length;
      if (this.#chunkUsed === CHUNK) this.#write();
    }
    if (!this.#flushing) {
      this.#flushing = true;
      setImmediate(() => {
        this.#flushing = false;
        this.#write();
      });
    }
    if (this.#socket.writableLength + this.#chunkUsed < HIGH_WATER) return true;
    this.#full = true;
    return false;
  }

  #write(): void {
    const chunk = this.#chunk;
    const length = this.#chunkUsed;
    if (chunk === undefined || length === 0 || this.#socket.destroyed) return;
    this.#chunkUsed = 0;
    // A small remainder is copied, so that a keepalive does not hold 64 KiB until it is sent.
    const small = length <= CHUNK / 4;
    if (!small) this.#chunk = undefined;
    const data = small ? Buffer.from(chunk.subarray(0, length)) : chunk.subarray(0, length);
    this.octets.out += length;
    const now = performance.now();
    if (this.#inFlight++ === 0) this.#oldestWrite = now;
    else if (!this.#stuck && now - this.#oldestWrite > STUCK_MS) {
      this.#stuck = true;
      this.#events.blocked();
    }
    this.#socket.write(data, () => {
      this.#written();
    });
  }

  #written(): void {
    this.#inFlight -= 1;
    this.#oldestWrite = performance.now();
    if (this.#ended) return;
    this.#events.progress();
    if (this.#inFlight > 0) return;
    if (this.#stuck) {
      this.#stuck = false;
      this.#events.drained();
    }
    this.#onDrain();
  }

  #onDrain(): void {
    if (!this.#full || this.#ended || this.#socket.writableLength >= HIGH_WATER / 2) return;
    this.#full = false;
    this.#events.writable();
  }

  // ---- End -----------------------------------------------------------------------------------------

  /** Closes behind what was sent; no event comes after this. */
  end(): void {
    if (this.#ended) return;
    this.#write();
    this.#ended = true;
    if (this.#socket.connecting || this.#over) {
      this.#socket.destroy();
      return;
    }
    this.#socket.end();
    if (!this.#paused) this.#socket.resume();
    this.#linger = setTimeout(() => {
      this.#socket.destroy();
    }, LINGER_MS);
  }

  /** Asked behind a call that may have changed it. */
  #isEnded(): boolean {
    return this.#ended;
  }

  /** Closes at once. */
  destroy(): void {
    this.#ended = true;
    this.#socket.destroy();
  }

  #lose(reason: string): void {
    if (this.#ended) {
      if (!this.#socket.destroyed && reason === 'closed by the peer') this.#socket.destroySoon();
      return;
    }
    // What came before the end is still to be parsed: a NOTIFICATION says why it ended.
    this.#parse(Infinity);
    if (this.#isEnded()) return;
    this.#ended = true;
    this.#socket.destroy();
    this.#events.lost(reason);
  }
}
