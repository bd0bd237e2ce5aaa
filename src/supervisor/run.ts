// SPDX-License-Identifier: Apache-2.0
/** `sealane run`: the supervisor as a process. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { configDigestHex } from '../config/canonical.js';
import { readConfig, problemsOf } from '../config/check.js';
import { stateDirectory } from '../config/defaults.js';
import { formatIssue, type Issue } from '../config/issues.js';
import { CommittedStore } from '../config/store.js';
import type { Config } from '../config/types.js';
import { validateConfig } from '../config/validate.js';
import { loadAddon } from '../forwarding/addon/load.js';
import type { Logger } from '../lib/log.js';
import { startControlServer } from '../rpc/server.js';
import { Backend } from './backend.js';
import { DebugKeys } from './debug-keys.js';
import { messageOf, oneLine, remedyOf, SupervisorError } from './errors.js';
import { KernelSync } from './kernel-sync.js';
import { instancePaths } from './paths.js';
import { checkPrivileges } from './privileges.js';
import { Supervisor } from './supervisor.js';

export interface RunOptions {
  /** Absolute path of a configuration; undefined: the committed one of `instance`. */
  readonly file: string | undefined;
  readonly instance: string | undefined;
  readonly log: Logger;
  /** Absolute path of a folder for the keys of SAs; undefined: they are written nowhere. */
  readonly debugKeys: string | undefined;
}

interface Source {
  readonly config: Config;
  readonly store: CommittedStore;
  /** The file it came from; empty: committed before. */
  readonly file: string;
  readonly warnings: readonly Issue[];
}

/** Left by a stop that took everything down: the next run begins with the file again. */
const stoppedMark = (config: Config): string => `${stateDirectory(config)}/stopped`;

async function readFile(path: string): Promise<{ config: Config; warnings: readonly Issue[] }> {
  const read = await readConfig(path);
  if (read.ok) return read;
  const lines = problemsOf(read).map(formatIssue);
  const [only] = lines;
  const one = lines.length === 1 && only !== undefined;
  const what = one ? only : `${path}: ${lines.length} mistakes`;
  throw new SupervisorError('CONFIG', what, one ? '' : 'see the lines above', lines);
}

/**
 * What to run: the committed configuration while an instance lives on (after a crash, a kill, a
 * reboot), never an edited file; the file at the first start and after a stop.
 */
async function choose({ file, instance, log }: RunOptions): Promise<Source> {
  if (file === undefined) return chooseCommitted(instance);
  const read = await readFile(file);
  const store = new CommittedStore(stateDirectory(read.config));
  const committed = await store.load();
  if (committed === undefined || existsSync(stoppedMark(read.config))) {
    return { ...read, store, file };
  }
  if (configDigestHex(read.config) !== committed.digest) {
    log.warning('the file differs from the committed configuration, which is used', {
      ...{ file, committedAt: committed.committedAt, remedy: 'apply it with: sealane reload' },
    });
  }
  return { config: committed.config, store, file: committed.configFile, warnings: read.warnings };
}

async function chooseCommitted(instance: string | undefined): Promise<Source> {
  if (instance === undefined || !/^[a-z0-9-]{1,12}$/.test(instance)) {
    throw new SupervisorError(
      'CONFIG',
      'nothing to run',
      'name a configuration file, or --instance',
    );
  }
  const store = new CommittedStore(`/var/lib/sealane/${instance}`);
  const committed = await store.load();
  if (committed === undefined) {
    const what = `instance ${instance} has no committed configuration`;
    throw new SupervisorError('CONFIG', what, 'run it once with its configuration file');
  }
  const { warnings } = validateConfig(committed.config);
  return { config: committed.config, store, file: committed.configFile, warnings };
}

/** SEALANE_WORKER, or where the build puts it. */
function workerProgram(): string {
  const named = process.env['SEALANE_WORKER'];
  if (named !== undefined && named !== '') return named;
  const built = import.meta.url.endsWith('.js')
    ? '../../dpdk-app/sealane-worker'
    : '../../build/dpdk-app/sealane-worker';
  return fileURLToPath(new URL(built, import.meta.url));
}

function version(): string {
  const up = import.meta.url.endsWith('.js') ? '../../../' : '../../';
  const text = readFileSync(new URL(`${up}package.json`, import.meta.url), 'utf8');
  return /"version":\s*"([^"]+)"/.exec(text)?.[1] ?? '';
}

/** Runs until it is told to end; resolves then. Throws {@link SupervisorError} when it cannot start. */
export async function run(options: RunOptions): Promise<void> {
  const { log } = options;
  checkPrivileges();
  const addon = loadAddon();
  addon.kernel.hideMemory(); // before there is a key in it
  const source = await choose(options);
  const { config, store } = source;
  const paths = instancePaths(config);
  const present = { file: source.file, warnings: source.warnings };
  for (const issue of source.warnings) log.warning(formatIssue(issue));

  const ending = new Ending(log);
  const supervisor = new Supervisor({
    ...{ addon, paths, log, workerProgram: workerProgram() },
    wasStopped: existsSync(stoppedMark(config)),
    debugKeys: options.debugKeys === undefined ? undefined : new DebugKeys(options.debugKeys),
    kernelPort: (kernel, events) =>
      new KernelSync({ kernel, paths, log: log.area('kernel'), events }),
    store: async (committed) => {
      const committedAt = new Date().toISOString();
      await store.commit(committed, { committedAt, configFile: present.file });
      rmSync(stoppedMark(committed), { force: true });
    },
    clock: () => Math.floor(Date.now() / 1000),
    onFatal: () => {
      ending.ask('fail');
    },
  });
  const backend = new Backend({
    ...{ supervisor, version: version(), source: present },
    stop: ({ keepWorker }) => {
      ending.ask(keepWorker ? 'leave' : 'stop');
    },
  });
  const server = await startControlServer({
    socketPath: paths.controlSocket,
    backend,
    onDefect: (error) => {
      log.error('a request met a defect', { why: messageOf(error) });
    },
  });
  try {
    await supervisor.start(config);
    backend.committed();
    log.notice('running', { instance: config.instance, socket: paths.controlSocket });
    const how = await ending.asked;
    await server.close();
    await supervisor.stop(how === 'stop');
    if (how === 'stop') writeFileSync(stoppedMark(config), '', { mode: 0o600 });
    if (how === 'fail') {
      throw new SupervisorError('KERNEL', 'ended by a fault', 'see the log above');
    }
  } catch (error) {
    await server.close();
    throw asOperatorError(error);
  }
}

function asOperatorError(error: unknown): SupervisorError {
  if (error instanceof SupervisorError) return error;
  return new SupervisorError('KERNEL', messageOf(error), remedyOf(error), error);
}

/** `leave` the worker forwarding; the same, but it is a failure; or `stop` everything. */
type End = 'leave' | 'fail' | 'stop';

/** How the process is to end. */
class Ending {
  readonly asked: Promise<End>;
  #resolve: (how: End) => void = () => undefined;

  constructor(log: Logger) {
    this.asked = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    process.on('SIGTERM', () => {
      log.notice('SIGTERM: ending; the worker goes on');
      this.ask('leave');
    });
    process.on('SIGINT', () => {
      log.notice('SIGINT: stopping everything');
      this.ask('stop');
    });
    process.on('SIGHUP', () => undefined);
  }

  ask(how: End): void {
    this.#resolve(how);
  }
}

/** What an operator gets: one line, after a line for each mistake where the configuration has several. */
export function failureLines(error: unknown): string[] {
  const cause = error instanceof SupervisorError ? error.cause : undefined;
  const mistakes =
    Array.isArray(cause) && cause.length > 1 ? cause.map((line) => `error: ${line}`) : [];
  return [...mistakes, `sealane: ${oneLine(error)}`];
}
