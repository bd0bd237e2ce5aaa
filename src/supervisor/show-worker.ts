// SPDX-License-Identifier: Apache-2.0
/** State of the worker, from its heartbeats in shared memory: it is never asked. */
import { readFileSync } from 'node:fs';
import type { Config } from '../config/types.js';
import type { Tables, WorkerStatus } from '../forwarding/addon/api.js';
import type { Logger } from '../lib/log.js';
import type { WorkerRow, WorkerState } from '../rpc/backend.js';
import type { WorkerLink } from './worker-link.js';

/** Threads sleep 1 ms at most, the control thread 10 ms; a second without a beat is a stall. */
const STALL_NS = 1_000_000_000n;
/** The only one there is: SAs are not shared between workers (policy-model 23). */
const WORKER_ID = 1;

type BufferCounts = Pick<
  WorkerRow,
  `${'b' | 'largeB'}uffers` | `${'b' | 'largeB'}uffersFree` | `${'b' | 'largeB'}uffersLeast`
>;

export interface WorkerHealth {
  readonly state: WorkerState;
  readonly reason: string;
}

/** `now`: CLOCK_MONOTONIC, ns. */
export function workerHealth(status: WorkerStatus, link: WorkerLink, now: bigint): WorkerHealth {
  if (!status.alive) {
    return { state: 'down', reason: link.up ? 'it has just ended' : 'it is not running' };
  }
  if (!link.started) return { state: 'starting', reason: '' };
  const beats = [
    { who: 'control thread', at: status.controlHeartbeatNs },
    ...status.lcores.map(({ index, heartbeatNs }) => ({ who: `thread ${index}`, at: heartbeatNs })),
  ];
  const late = beats.find(({ at }) => now - at > STALL_NS);
  if (late === undefined) return { state: 'running', reason: '' };
  const seconds = Number((now - late.at) / 100_000_000n) / 10;
  return { state: 'stalled', reason: `no sign of life of the ${late.who} for ${seconds} s` };
}

/** Kilobytes in hugepages; undefined when the process is gone or hidden. */
function hugetlbKb(pid: number): number | undefined {
  try {
    const found = /^HugetlbPages:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return found === null ? undefined : Number(found[1]);
  } catch {
    return undefined;
  }
}

/** Those of a worker that is gone went with it. */
function buffers({ alive, pools }: WorkerStatus): BufferCounts {
  const none = { size: 0n, free: 0n, least: 0n };
  const [ordinary = none, large = none] = alive ? pools : [];
  return {
    ...{ buffers: ordinary.size, buffersFree: ordinary.free, buffersLeast: ordinary.least },
    ...{ largeBuffers: large.size, largeBuffersFree: large.free, largeBuffersLeast: large.least },
  };
}

/** Says so when the worker would have taken hugepages, and has none. */
export function noteHugepages(log: Logger, config: Config, rows: Iterable<WorkerRow>): void {
  const wanted = (config.worker?.hugepages ?? 'auto') === 'auto';
  const [row] = rows;
  if (!wanted || row === undefined || row.pid === 0 || row.hugepages) return;
  const remedy = 'write their number to /proc/sys/vm/nr_hugepages and start the worker again';
  log.notice('the worker runs without hugepages, which is slower', { remedy });
}

/** Polls per thread at the last look, for the share that found packets. */
export class WorkerRows {
  readonly #tables: Tables;
  readonly #link: WorkerLink;
  readonly #startTime: (pid: number) => bigint | undefined;
  readonly #last = new Map<number, { rounds: bigint; busy: bigint; percent: number }>();

  constructor(tables: Tables, link: WorkerLink, startTime: (pid: number) => bigint | undefined) {
    this.#tables = tables;
    this.#link = link;
    this.#startTime = startTime;
  }

  health(): WorkerHealth {
    return workerHealth(this.#tables.worker(), this.#link, process.hrtime.bigint());
  }

  *rows(): Generator<WorkerRow> {
    const status = this.#tables.worker();
    const now = process.hrtime.bigint();
    const common = {
      worker: WORKER_ID,
      pid: status.alive ? status.pid : 0,
      ...workerHealth(status, this.#link, now),
      uptimeSeconds: status.alive ? this.#uptime(status.pid) : 0n,
      starts: status.starts,
      hugepages: status.alive && (hugetlbKb(status.pid) ?? 0) > 0,
      ...buffers(status),
    };
    if (!status.alive || status.lcores.length === 0) {
      yield {
        ...common,
        lcore: undefined,
        tid: undefined,
        busyPercent: undefined,
        heartbeatAgeMs: undefined,
        held: undefined,
        released: undefined,
        ...{ passed: undefined, taken: undefined, passFull: undefined },
      };
      return;
    }
    for (const lcore of status.lcores) {
      const { index, tid, rounds, busyRounds, heartbeatNs, held, released } = lcore;
      const { passed, taken, passFull } = lcore;
      yield {
        ...{ ...common, lcore: index, tid },
        busyPercent: this.#busy(index, rounds, busyRounds),
        heartbeatAgeMs: now > heartbeatNs ? (now - heartbeatNs) / 1_000_000n : 0n,
        ...{ held, released, passed, taken, passFull },
      };
    }
  }

  #uptime(pid: number): bigint {
    const start = this.#startTime(pid); // clock ticks since boot, 100 a second on Linux
    if (start === undefined) return 0n;
    const boot = BigInt(
      Math.round(Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 100),
    );
    return boot > start ? (boot - start) / 100n : 0n;
  }

  #busy(index: number, rounds: bigint, busy: bigint): number {
    const last = this.#last.get(index);
    const fresh = last === undefined || rounds < last.rounds;
    const passed = fresh ? rounds : rounds - last.rounds;
    if (passed === 0n) return last?.percent ?? 0;
    const found = fresh ? busy : busy - last.busy;
    const percent = Number((found * 1000n) / passed) / 10;
    this.#last.set(index, { rounds, busy, percent });
    return percent;
  }
}
