// SPDX-License-Identifier: Apache-2.0
/**
 * The worker's process: found alive and attached to, or started. It is no child in the usual sense:
 * it has a session of its own, its output goes to files, and it outlives the supervisor.
 *
 * Whether a worker is alive is what the lock on its segment says ({@link WorkerStatus.alive}); a pid
 * is used only together with its start time, so that nobody else's process is ever signalled.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, statSync } from 'node:fs';
import { memoryMb, singleDevices } from '../config/defaults.js';
import type { Config } from '../config/types.js';
import type { Tables } from '../forwarding/addon/api.js';
import type { Kernel } from '../lib/kernel-api.js';
import type { Logger } from '../lib/log.js';
import type { HelloReply } from '../rpc/gen/worker.js';
import { messageOf, SupervisorError, type SupervisorErrorCode } from './errors.js';
import type { InstancePaths } from './paths.js';
import { WorkerClient, WorkerError, type WorkerEvents } from './worker-client.js';
import { lastWords } from './worker-words.js';

/** Until a started worker listens: EAL with a cold hugepage pool takes seconds. */
const START_TIMEOUT_MS = 30_000;
const END_TIMEOUT_MS = 10_000;
const POLL_MS = 20;
/** While nobody forwards. */
const HASTY_POLL_MS = 2;
/** Behind the path of the worker's socket: where one that stands by listens. */
const STANDBY_SUFFIX = '.standby';

/** By exit status, as `sealane-worker --help` lists them. */
const EXIT_CODES = new Map<number, SupervisorErrorCode>([
  [3, 'SEGMENTS'],
  [5, 'HUGEPAGES'],
  [6, 'PRIVILEGE'],
]);

export interface WorkerProcessDeps {
  readonly kernel: Kernel;
  readonly tables: Tables;
  readonly paths: InstancePaths;
  /** Path of sealane-worker. */
  readonly program: string;
  readonly log: Logger;
}

export interface AttachedWorker {
  readonly client: WorkerClient;
  readonly hello: HelloReply;
  /** Started just now: it has no ports yet. */
  readonly fresh: boolean;
}

const sleep = async (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

/** Arguments of sealane-worker. Nothing secret: process arguments are public. */
export function workerArguments(config: Config, paths: InstancePaths): string[] {
  const { worker = {} } = config;
  const mtus = Object.values(config.interfaces).map(({ mtu = 1500 }) => mtu);
  const huge = { auto: 'auto', never: 'off', require: 'on' }[worker.hugepages ?? 'auto'];
  const pci = Object.values(config.interfaces).some(({ device }) =>
    singleDevices(device).some((one) => 'pci' in one),
  );
  return [
    ...['--instance-dir', paths.runtime, '--tables', paths.tables, '--state', paths.state],
    ...['--socket', paths.workerSocket, '--log', paths.workerLog],
    ...['--memory-mb', String(memoryMb(config)), '--max-mtu', String(Math.max(1900, ...mtus))],
    ...[
      '--huge',
      huge,
      '--idle',
      worker.idle ?? 'adaptive',
      '--lcores',
      String(worker.lcores ?? 1),
    ],
    ...(worker.cpus === undefined
      ? []
      : ['--lcore-map', `(0-${worker.lcores ?? 1})@(${worker.cpus})`]),
    ...(pci ? ['--pci'] : []),
    ...['--', ...(worker.eal ?? [])],
  ];
}

export class WorkerProcess {
  readonly #deps: WorkerProcessDeps;

  constructor(deps: WorkerProcessDeps) {
    this.#deps = deps;
  }

  /** Attaches to the worker that lives, or starts one. */
  async attach(config: Config, events: WorkerEvents): Promise<AttachedWorker> {
    const { tables, log } = this.#deps;
    if (tables.worker().alive) {
      const attached = await this.#attachLiving(events);
      if (attached !== undefined) return attached;
    }
    log.info('starting the worker', { program: this.#deps.program });
    return this.#startSomehow(config, events, false);
  }

  /** Starts a worker beside the one that forwards: it takes ports, and waits for TakeOver. */
  async standBy(config: Config, events: WorkerEvents): Promise<WorkerClient> {
    this.#deps.log.info('starting another worker, to stand by', { program: this.#deps.program });
    const { client } = await this.#startSomehow(config, events, true);
    return client;
  }

  async #startSomehow(
    config: Config,
    events: WorkerEvents,
    standby: boolean,
  ): Promise<AttachedWorker> {
    const { log } = this.#deps;
    try {
      return await this.#start(config, events, standby);
    } catch (error) {
      const mayDoWithout = (config.worker?.hugepages ?? 'auto') === 'auto';
      if (!mayDoWithout || !(error instanceof SupervisorError) || error.code !== 'HUGEPAGES') {
        throw error;
      }
      // Free when it looked, and gone when it took them: another worker started in the same moment.
      log.notice('no memory in hugepages: starting the worker with ordinary pages', {
        why: error.message,
      });
      const without: Config = { ...config, worker: { ...config.worker, hugepages: 'never' } };
      return this.#start(without, events, standby);
    }
  }

  /** undefined: it is of no use and has been ended. */
  async #attachLiving(events: WorkerEvents): Promise<AttachedWorker | undefined> {
    const { tables, log } = this.#deps;
    const { pid } = tables.worker();
    const alive = (): boolean => tables.worker().alive;
    const client = await this.#connect(events, alive, END_TIMEOUT_MS, '');
    if (client === undefined) {
      if (tables.worker().alive) await this.end(`worker ${pid} does not answer`);
      return undefined;
    }
    try {
      const hello = await this.#hello(client);
      log.notice('attached to the running worker', { pid, started: hello.started });
      return { client, hello, fresh: false };
    } catch (error) {
      client.close();
      await this.end(`worker ${pid} refused us: ${messageOf(error)}`);
      return undefined;
    }
  }

  /** A dead supervisor's connection may linger for an instant, so a refusal is not final at once. */
  async #hello(client: WorkerClient): Promise<HelloReply> {
    const { tables } = this.#deps;
    const hello = await client.hello(tables.epoch);
    if (hello.epoch !== tables.epoch) {
      throw new WorkerError('STATE', 'it runs on other segments', '');
    }
    return hello;
  }

  async #connect(
    events: WorkerEvents,
    alive: () => boolean,
    timeoutMs: number,
    suffix: string,
  ): Promise<WorkerClient | undefined> {
    const { kernel, paths } = this.#deps;
    const socket = `${paths.workerSocket}${suffix}`;
    for (let waited = 0; waited < timeoutMs && alive(); waited += POLL_MS) {
      if (existsSync(socket)) {
        try {
          return WorkerClient.connect(kernel, socket, events);
        } catch {
          // A dead worker's socket, or one that does not listen yet.
        }
      }
      await sleep(POLL_MS);
    }
    return undefined;
  }

  async #start(config: Config, events: WorkerEvents, standby: boolean): Promise<AttachedWorker> {
    const { paths, program } = this.#deps;
    if (!existsSync(program)) {
      throw new SupervisorError(
        'WORKER_MISSING',
        `there is no worker program ${program}`,
        'build it with `npm run build`, or name it in SEALANE_WORKER',
      );
    }
    const logged = sizeOf(paths.workerLog);
    const child = this.#spawn(config, standby ? ['--standby'] : []);
    const running = (): boolean => child.exitCode === null && child.signalCode === null;
    const suffix = standby ? STANDBY_SUFFIX : '';
    const client = await this.#connect(events, running, START_TIMEOUT_MS, suffix);
    if (client === undefined) {
      if (running()) child.kill('SIGKILL');
      throw this.#startError(child, logged);
    }
    try {
      const hello = await this.#hello(client);
      return { client, hello, fresh: true };
    } catch (error) {
      client.close();
      child.kill('SIGKILL');
      const what = `the worker refused the first command: ${messageOf(error)}`;
      throw new SupervisorError('WORKER_START', what, `see ${paths.workerLog}`, error);
    }
  }

  /** Own session, no pipe to us: neither our death nor our terminal's reaches it. */
  #spawn(config: Config, more: readonly string[]): ChildProcess {
    const { paths, program } = this.#deps;
    const output = openSync(paths.workerOutput, 'w', 0o600);
    try {
      // In front: what follows "--" is EAL's.
      const child = spawn(program, [...more, ...workerArguments(config, paths)], {
        ...{ detached: true, cwd: '/', stdio: ['ignore', output, output] },
        env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
      });
      child.on('error', () => undefined); // seen as an exit without a code
      child.unref();
      return child;
    } finally {
      closeSync(output);
    }
  }

  /** The worker's own words for why it ended: the last line it wrote. `logged`: bytes of earlier ones. */
  #startError(child: ChildProcess, logged: number): SupervisorError {
    const { paths } = this.#deps;
    const how =
      child.exitCode === null
        ? `was ended by ${child.signalCode ?? 'nobody'}`
        : `ended with status ${child.exitCode}`;
    // Whoever is killed has not said why.
    const last =
      child.signalCode === null
        ? (lastLine(paths.workerLog, logged) ?? lastLine(paths.workerOutput, 0))
        : undefined;
    const code = EXIT_CODES.get(child.exitCode ?? 0) ?? 'WORKER_START';
    const what = [last ?? `the worker ${how} while starting`, ...complaints(paths)].join('; ');
    return new SupervisorError(code, what, last === undefined ? `see ${paths.workerLog}` : '');
  }

  /** Ends the worker that holds the lock, whatever it does, and waits until it is gone. */
  async end(why: string): Promise<void> {
    const { tables, kernel, log } = this.#deps;
    const { alive, pid } = tables.worker();
    if (!alive) return;
    log.warning('ending the worker', { pid, why });
    const start = kernel.processStartTime(pid);
    if (start !== undefined && tables.worker().alive && tables.worker().pid === pid) {
      process.kill(pid, 'SIGKILL');
    }
    await this.gone();
  }

  /** Waits until no worker holds the lock. `hasty`: looks so often that waiting itself costs nothing. */
  async gone(hasty = false): Promise<void> {
    const { tables } = this.#deps;
    const poll = hasty ? HASTY_POLL_MS : POLL_MS;
    for (let waited = 0; tables.worker().alive; waited += poll) {
      if (waited > END_TIMEOUT_MS) {
        const { pid } = tables.worker();
        throw new SupervisorError(
          'WORKER_START',
          `worker ${pid} does not end`,
          `look at it (/proc/${pid}/stack), end it, and start again`,
        );
      }
      await sleep(poll);
    }
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** What getopt(3) says of an EAL argument: DPDK does not name it. */
function complaints({ workerOutput }: InstancePaths): readonly string[] {
  const text = lastPrinted(workerOutput);
  const [, words] = /^sealane-worker: (.+)$/m.exec(text) ?? [];
  return words === undefined ? [] : [words];
}

function lastPrinted(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function lastLine(path: string, from: number): string | undefined {
  try {
    return lastWords(readFileSync(path).subarray(from).toString('utf8'));
  } catch {
    return undefined;
  }
}
