// SPDX-License-Identifier: Apache-2.0
/** Client of tracer.py: stops single threads of the worker, and at exact places. */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { JsonChild } from './json-child.js';

const LAYOUT = fileURLToPath(new URL('../../build/dpdk-app/tool_layout', import.meta.url));

export type Field =
  | 'group.member'
  | 'sa_in.application'
  | `sa_${'in' | 'out'}.${'key' | 'salt'}`
  | 'sa_out_state.last_sequence';

/** Where a field lies in its segment's file, in bytes, as the C headers say. */
export function fieldOffset(field: Field, row: number): number {
  return Number(execFileSync(LAYOUT, [field, String(row)], { encoding: 'utf8' }));
}

/** Writes a field of a row behind the product's back. */
export function spoil(tables: string, field: Field, row: number, value: Uint8Array): void {
  const file = openSync(tables, 'r+');
  try {
    writeSync(file, value, 0, value.length, fieldOffset(field, row));
  } finally {
    closeSync(file);
  }
}

/** Address at which a process has mapped `offset` of a file. */
export function mappedAt(pid: number, file: string, offset: number): number {
  for (const line of readFileSync(`/proc/${String(pid)}/maps`, 'utf8').split('\n')) {
    const found = /^([0-9a-f]+)-([0-9a-f]+) \S+ ([0-9a-f]+) \S+ \d+ +(.*)$/.exec(line);
    if (found?.[4] !== file) continue;
    const [start = 0, end = 0, from = 0] = found.slice(1, 4).map((hex) => Number.parseInt(hex, 16));
    if (offset >= from && offset < from + end - start) return start + offset - from;
  }
  throw new Error(`process ${String(pid)} has not mapped ${file} at ${String(offset)}`);
}

interface Answer {
  readonly error?: string;
  readonly hit?: boolean;
}

export class Tracer {
  readonly #child = new JsonChild<Answer>('tracer.py', [
    ...['/usr/bin/python3', '-B', fileURLToPath(new URL('./tracer.py', import.meta.url))],
  ]);

  /** Stops one thread, until {@link release}. */
  async stop(tid: number): Promise<void> {
    await this.#child.ask({ op: 'stop', tid });
  }
  async release(tid: number): Promise<void> {
    await this.#child.ask({ op: 'release', tid });
  }
  /** Lets a stopped thread run until it has written the 8 bytes at `address`. */
  async watch(tid: number, address: number): Promise<void> {
    await this.#child.ask({ op: 'watch', tid, address });
  }
  /** Whether it has stopped there. */
  async hit(tid: number, timeoutMs: number): Promise<boolean> {
    return (await this.#child.ask({ op: 'wait', tid, timeout_ms: timeoutMs })).hit === true;
  }
  /** SIGKILL for the process of a stopped thread; resolves when the thread is gone. */
  async kill(pid: number, tid: number): Promise<void> {
    await this.#child.ask({ op: 'kill', pid, tid });
  }
  async close(): Promise<void> {
    await this.#child.close();
  }
}
