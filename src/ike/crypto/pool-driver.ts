// SPDX-License-Identifier: Apache-2.0
/**
 * Threads for operations that would hold up the event loop: a pool of worker_threads for modular
 * exponentiation and KEMs; libuv's own for signatures, which node:crypto makes there by itself and
 * whose keys would take longer to hand to a worker than to use. Threads start when first needed and do
 * one job at a time; the queues are bounded, so a flood of requests is answered 'BUSY' instead of
 * growing memory.
 *
 * Secrets move: a job's are copied once into memory that changes thread (the given buffers are zeroed
 * at once), zeroed over there when the job is done, and the results move back.
 */
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Cancellation } from './api.js';
import {
  type ExchangeJob,
  performLater,
  secretsOf,
  type Job,
  type Output,
  type SignatureJob,
} from './jobs.js';
import { fail, type Result } from './result.js';
import { join, wipe } from './secret.js';

export interface PoolOptions {
  readonly threads: number;
  /** Jobs that may wait, those under way not counted. */
  readonly queue: number;
}

export interface PoolCounts {
  readonly threads: number;
  readonly waiting: number;
  readonly underWay: number;
}

interface Task {
  readonly job: ExchangeJob;
  readonly memory: readonly ArrayBuffer[];
  readonly done: (result: Result<Output>) => void;
}
interface Thread {
  readonly worker: Worker;
  task: Task | undefined;
}

export class CryptoPool {
  readonly #options: PoolOptions;
  readonly #threads = new Set<Thread>();
  readonly #waiting: Task[] = [];
  /** Signatures with libuv. */
  readonly #signatures = new Set<Task['done']>();
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  get counts(): PoolCounts {
    const underWay = [...this.#threads].filter(({ task }) => task !== undefined).length;
    return { threads: this.#threads.size, waiting: this.#waiting.length, underWay };
  }

  /**
   * Takes the job's secrets over: they are zeros when this returns. Never rejects. A job that is
   * cancelled while it waits is not done; one under way is, and its result is thrown away.
   */
  run(job: Job, signal?: Cancellation): Promise<Result<Output>> {
    return job.kind === 'sign' || job.kind === 'verify'
      ? this.#signature(job, signal)
      : this.#exchange(job, signal);
  }

  #signature(job: SignatureJob, signal: Cancellation | undefined): Promise<Result<Output>> {
    if (this.#closed) return Promise.resolve(closed());
    if (signal?.aborted === true) return Promise.resolve(cancelled());
    const { threads, queue } = this.#options;
    if (this.#signatures.size >= threads + queue) return Promise.resolve(busy());
    return new Promise((resolve) => {
      const done = settleOnce(resolve, signal, () => undefined);
      this.#signatures.add(done);
      void performLater(job).then((result) => {
        this.#signatures.delete(done);
        done(result);
      });
    });
  }

  #exchange(job: ExchangeJob, signal: Cancellation | undefined): Promise<Result<Output>> {
    const { moved, memory } = takeOver(job);
    const refuse = (result: Result<never>): Promise<Result<Output>> => {
      wipe(...secretsOf(moved));
      return Promise.resolve(result);
    };
    if (this.#closed) return refuse(closed());
    if (signal?.aborted === true) return refuse(cancelled());
    const idle = this.#idleThread();
    if (idle === undefined && this.#waiting.length >= this.#options.queue) {
      return refuse(busy());
    }
    return new Promise((resolve) => {
      const drop = (): void => {
        this.#drop(task);
      };
      const task = { job: moved, memory, done: settleOnce(resolve, signal, drop) };
      if (idle === undefined) this.#waiting.push(task);
      else start(idle, task);
    });
  }

  /** Ends the threads; what waits or is under way is answered 'WORKER'. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const task of this.#waiting.splice(0)) {
      wipe(...secretsOf(task.job));
      task.done(closed());
    }
    for (const done of this.#signatures) done(closed());
    await Promise.all([...this.#threads].map(({ worker }) => worker.terminate()));
  }

  #idleThread(): Thread | undefined {
    for (const thread of this.#threads) if (thread.task === undefined) return thread;
    return this.#threads.size < this.#options.threads ? this.#newThread() : undefined;
  }

  #newThread(): Thread {
    const thread: Thread = { worker: spawn(), task: undefined };
    thread.worker.on('message', (result: Result<Output>) => {
      this.#finished(thread, result);
    });
    // 'exit' follows and says the same; without a listener the error would end the process.
    thread.worker.on('error', () => undefined);
    thread.worker.on('exit', () => {
      this.#threads.delete(thread);
      thread.task?.done(fail('WORKER', 'the thread of the operation ended'));
      if (!this.#closed && this.#waiting.length > 0) this.#next(this.#newThread());
    });
    this.#threads.add(thread);
    return thread;
  }

  #finished(thread: Thread, result: Result<Output>): void {
    const { task } = thread;
    thread.task = undefined;
    task?.done(result);
    this.#next(thread);
  }

  #next(thread: Thread): void {
    const task = this.#waiting.shift();
    if (task !== undefined) start(thread, task);
    else thread.worker.unref(); // an idle pool does not keep the process
  }

  #drop(task: Task): void {
    const at = this.#waiting.indexOf(task);
    if (at < 0) return;
    this.#waiting.splice(at, 1);
    wipe(...secretsOf(task.job));
  }
}

function start(thread: Thread, task: Task): void {
  thread.task = task;
  thread.worker.ref();
  thread.worker.postMessage(task.job, task.memory);
}

/** The first outcome counts: a result, or the signal. A result that comes too late is zeroed. */
function settleOnce(
  resolve: (result: Result<Output>) => void,
  signal: Cancellation | undefined,
  onAbort: () => void,
): (result: Result<Output>) => void {
  let settled = false;
  const abort = (): void => {
    settled = true;
    onAbort();
    resolve(cancelled());
  };
  signal?.addEventListener('abort', abort, { once: true });
  return (result) => {
    signal?.removeEventListener('abort', abort);
    if (!settled) {
      settled = true;
      resolve(result);
    } else if (result.ok) wipe(...result.value);
  };
}

/**
 * The job in memory of its own, which `memory` lists; the secrets given are zeroed. Copied is exactly
 * what is meant: a Buffer may be a slice of memory that it shares with others, and posting it would
 * take all of that along.
 */
function takeOver(job: ExchangeJob): {
  readonly moved: ExchangeJob;
  readonly memory: readonly ArrayBuffer[];
} {
  const memory: ArrayBuffer[] = [];
  const copy = (part: Uint8Array): Uint8Array => {
    const own = join(part);
    if (own.buffer instanceof ArrayBuffer) memory.push(own.buffer);
    return own;
  };
  const moved = copyJob(job, copy);
  wipe(...secretsOf(job));
  return { moved, memory };
}

function copyJob(job: ExchangeJob, copy: (part: Uint8Array) => Uint8Array): ExchangeJob {
  switch (job.kind) {
    case 'offer':
      return { ...job, seed: copy(job.seed) };
    case 'answer':
      return { ...job, seed: copy(job.seed), data: copy(job.data) };
    case 'agree':
      return { ...job, secret: copy(job.secret), data: copy(job.data) };
  }
}

const busy = (): Result<never> => fail('BUSY', 'too many operations are waiting');
const closed = (): Result<never> => fail('WORKER', 'the pool is closed');
const cancelled = (): Result<never> => fail('CANCELLED', 'cancelled');

/** Else from the sources, in tests: jiti has to translate the thread's code. */
const BUILT = import.meta.url.endsWith('.js');

function spawn(): Worker {
  const entry = new URL(BUILT ? './pool-worker.js' : './pool-worker.ts', import.meta.url);
  if (BUILT) return new Worker(entry, { execArgv: [] });
  const cache = fileURLToPath(new URL('../../../build/jiti', import.meta.url));
  const env = { ...process.env, JITI_FS_CACHE: cache };
  return new Worker(entry, { execArgv: ['--import', import.meta.resolve('jiti/register')], env });
}
