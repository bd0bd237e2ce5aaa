// SPDX-License-Identifier: Apache-2.0
/** A thread of the pool: takes one job at a time, answers, forgets (see pool-driver.ts). */
import { parentPort } from 'node:worker_threads';
import { perform, secretsOf, type Job, type Output } from './jobs.js';
import type { Result } from './result.js';
import { join, wipe } from './secret.js';

parentPort?.on('message', (job: Job) => {
  const result = perform(job);
  wipe(...secretsOf(job));
  const { answer, memory } = toSend(result);
  parentPort?.postMessage(answer, memory);
});

/** The output in memory that moves to the other thread: no copy stays behind in this one. */
function toSend(result: Result<Output>): {
  readonly answer: Result<Output>;
  readonly memory: ArrayBuffer[];
} {
  if (!result.ok) return { answer: result, memory: [] };
  const memory: ArrayBuffer[] = [];
  const value = result.value.map((part) => {
    const { buffer, byteLength } = moveable(part);
    memory.push(buffer);
    return new Uint8Array(buffer, 0, byteLength);
  });
  return { answer: { ok: true, value }, memory };
}

function moveable(part: Uint8Array): { readonly buffer: ArrayBuffer; readonly byteLength: number } {
  const { buffer, byteLength } = join(part);
  wipe(part);
  if (!(buffer instanceof ArrayBuffer)) throw new TypeError('memory that cannot be moved');
  return { buffer, byteLength };
}
