// SPDX-License-Identifier: Apache-2.0
/**
 * Rows into a stream of messages: in chunks, at the reader's pace, with a turn for the event loop
 * after each. A reader that takes nothing for a while is given up.
 */
import type { ServerWritableStream } from '@grpc/grpc-js';
import type { Rows } from './backend.js';
import { ControlError } from './errors.js';

/** Rows per message: some 30 KB, and well under a millisecond to make. */
const CHUNK_ROWS = 256;

export interface StreamOptions {
  /** A reader that takes nothing for so long is given up. */
  readonly stallMs: number;
  /** At most so many rows; 0 = all. */
  readonly limit: number;
}

/** Sends all rows; returns how many. Throws TIMEOUT for a stuck reader; a gone one just ends it. */
export async function pump<Row, Reply>(
  call: ServerWritableStream<unknown, Reply>,
  rows: Rows<Row>,
  wrap: (rows: Row[]) => Reply,
  options: StreamOptions,
): Promise<number> {
  const iterator = iteratorOf(rows);
  let sent = 0;
  try {
    for (;;) {
      const most = options.limit === 0 ? CHUNK_ROWS : Math.min(CHUNK_ROWS, options.limit - sent);
      const { chunk, done } = await take(iterator, most);
      // The reader may have gone while rows were made: a write would be lost, and no event follow.
      if (isGone(call)) return sent;
      if (chunk.length > 0 && !call.write(wrap(chunk))) await drained(call, options.stallMs);
      sent += chunk.length;
      if (done || isGone(call) || (options.limit !== 0 && sent >= options.limit)) return sent;
      await turn();
    }
  } finally {
    // A generator that is left early gets to its own `finally`.
    await iterator.return?.();
  }
}

/** What of a call to a reader is needed here. */
export interface ReplyStream {
  readonly cancelled: boolean;
  readonly destroyed: boolean;
  on(event: string, listener: () => void): unknown;
  off(event: string, listener: () => void): unknown;
}

export function isGone(call: ReplyStream): boolean {
  return call.cancelled || call.destroyed;
}

function iteratorOf<Row>(rows: Rows<Row>): Iterator<Row> | AsyncIterator<Row> {
  return Symbol.asyncIterator in rows ? rows[Symbol.asyncIterator]() : rows[Symbol.iterator]();
}

async function take<Row>(
  iterator: Iterator<Row> | AsyncIterator<Row>,
  most: number,
): Promise<{ chunk: Row[]; done: boolean }> {
  const chunk: Row[] = [];
  while (chunk.length < most) {
    // No await for plain generators: it would cost more than the row.
    const next = iterator.next();
    const result = next instanceof Promise ? await next : next;
    if (result.done === true) return { chunk, done: true };
    chunk.push(result.value);
  }
  return { chunk, done: false };
}

async function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Until the reader has taken what was written, or is gone. */
export async function drained(call: ReplyStream, stallMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const events = ['drain', 'cancelled', 'close', 'error'] as const;
    const settle = (): void => {
      clearTimeout(timer);
      for (const event of events) call.off(event, settle);
      resolve();
    };
    const timer = setTimeout(() => {
      for (const event of events) call.off(event, settle);
      const message = `the reader took nothing for ${stallMs / 1000} s`;
      reject(new ControlError('TIMEOUT', message, { remedy: 'read faster' }));
    }, stallMs);
    for (const event of events) call.on(event, settle);
  });
}
