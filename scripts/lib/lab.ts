// SPDX-License-Identifier: Apache-2.0
/**
 * A laboratory of network namespaces for the demo and the system tests: namespaces, links and
 * processes that are known by name, and are gone afterwards even when the run before was killed.
 *
 * What a lab owns is written to /run/sealane-lab/NAME.json before it is made. The next lab of the same
 * name ends and removes whatever that file names, and refuses to touch a namespace it does not name.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, rmSync, writeFileSync, existsSync } from 'node:fs';
import { promisify } from 'node:util';

const run = promisify(execFile);
const STATE = '/run/sealane-lab';

/** Result of a command that may fail without that being an error of the lab. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly timeoutMs?: number;
  readonly input?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs a program and reports how it ended; never rejects for a non-zero exit. */
export function outcome(argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const [program, ...rest] = argv;
  if (program === undefined) throw new Error('outcome: empty command');
  return new Promise((resolve) => {
    const child = execFile(
      program,
      rest,
      {
        timeout: options.timeoutMs ?? 60_000,
        maxBuffer: 64 << 20,
        ...(options.env === undefined ? {} : { env: options.env }),
      },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 124;
        resolve({ code, stdout, stderr });
      },
    );
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input ?? '');
  });
}

/** The command as seen from inside a namespace, in the mount namespace of the caller. */
export function inNetns(netns: string, argv: readonly string[]): string[] {
  return ['nsenter', `--net=/run/netns/${netns}`, '--', ...argv];
}

/** Repeats `probe` until it yields a value; fails with `what` after `timeoutMs`. */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined> | T | undefined,
  timeoutMs = 120_000,
): Promise<T> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined) return value;
    if (Date.now() > end) throw new Error(`timed out after ${String(timeoutMs)} ms: ${what}`);
    await new Promise((wake) => setTimeout(wake, 50));
  }
}

interface Owned {
  readonly namespaces: string[];
  readonly processes: { readonly pid: number; readonly start: string }[];
}

/** Field 22 of /proc/PID/stat, or undefined when there is no such process. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

async function endProcess(pid: number, signal: NodeJS.Signals, graceMs: number): Promise<void> {
  const start = startTime(pid);
  if (start === undefined) return;
  try {
    process.kill(pid, signal);
  } catch {
    return;
  }
  const end = Date.now() + graceMs;
  while (startTime(pid) === start) {
    if (Date.now() > end) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        return;
      }
    }
    if (Date.now() > end + 2000) return;
    await new Promise((wake) => setTimeout(wake, 20));
  }
}

export class Lab {
  readonly #name: string;
  readonly #owned: Owned = { namespaces: [], processes: [] };
  readonly #children = new Set<ChildProcess>();

  private constructor(name: string) {
    this.#name = name;
  }

  /** A lab of this name, after removing what an earlier one of the same name left behind. */
  static async open(name: string): Promise<Lab> {
    await Lab.clear(name);
    return new Lab(name);
  }

  /** Ends and removes what a lab of this name has left behind. */
  static async clear(name: string): Promise<void> {
    const file = `${STATE}/${name}.json`;
    if (!existsSync(file)) return;
    let owned: Owned;
    try {
      owned = JSON.parse(readFileSync(file, 'utf8')) as Owned;
    } catch {
      rmSync(file); // killed while writing: nothing was made after the last whole version
      return;
    }
    for (const { pid, start } of owned.processes) {
      if (startTime(pid) === start) await endProcess(pid, 'SIGTERM', 3000);
    }
    await Promise.all(owned.namespaces.map((netns) => Lab.#removeNamespace(netns)));
    rmSync(file, { force: true });
  }

  static async #removeNamespace(netns: string): Promise<void> {
    const pids = (await outcome(['ip', 'netns', 'pids', netns])).stdout.split('\n');
    await Promise.all(pids.filter((p) => p !== '').map((p) => endProcess(Number(p), 'SIGKILL', 0)));
    await outcome(['ip', 'netns', 'del', netns]);
  }

  #save(): void {
    mkdirSync(STATE, { recursive: true, mode: 0o700 });
    const file = `${STATE}/${this.#name}.json`;
    writeFileSync(file, JSON.stringify(this.#owned));
  }

  /** Takes responsibility for a namespace that something else makes or made. */
  own(netns: string): void {
    if (this.#owned.namespaces.includes(netns)) return;
    this.#owned.namespaces.push(netns);
    this.#save();
  }

  /** Makes a namespace with loopback up and forwarding off. */
  async namespace(netns: string): Promise<void> {
    if (existsSync(`/run/netns/${netns}`)) {
      throw new Error(
        `namespace ${netns} exists and is not this lab's; remove it: ip netns del ${netns}`,
      );
    }
    this.own(netns);
    await run('ip', ['netns', 'add', netns]);
    await this.must(netns, ['ip', 'link', 'set', 'lo', 'up']);
    await this.must(netns, ['sysctl', '-qw', 'net.ipv6.conf.default.accept_dad=0']);
  }

  /** Joins two namespaces by a veth pair, up, with whole checksums and no segmentation offload. */
  async link(a: string, nameA: string, b: string, nameB: string): Promise<void> {
    await run('ip', [
      ...['link', 'add', nameA, 'netns', a, 'type', 'veth'],
      ...['peer', 'name', nameB, 'netns', b],
    ]);
    for (const [netns, name] of [
      [a, nameA],
      [b, nameB],
    ] as const) {
      const off = ['tx', 'off', 'tso', 'off', 'gso', 'off', 'gro', 'off'];
      await outcome(inNetns(netns, ['ethtool', '-K', name, ...off]));
      await this.must(netns, ['ip', 'link', 'set', name, 'up']);
    }
  }

  /** Runs a command in a namespace. */
  exec(netns: string, argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return outcome(inNetns(netns, argv), options);
  }

  /** Runs a command in a namespace; throws with its error output when it fails. */
  async must(netns: string, argv: readonly string[], options: RunOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.exec(netns, argv, options);
    if (code !== 0) {
      throw new Error(`${argv.join(' ')} in ${netns}: exit ${String(code)}: ${stderr || stdout}`);
    }
    return stdout;
  }

  /** Runs `ip` commands, one per line, in a namespace; `-6 ` may stand before one. */
  async ip(netns: string, lines: readonly string[]): Promise<void> {
    // A batch takes no options, so the lines of each family are a batch of their own.
    const six = lines.filter((line) => line.startsWith('-6 ')).map((line) => line.slice(3));
    const other = lines.filter((line) => !line.startsWith('-6 '));
    for (const [options, batch] of [
      [[], other],
      [['-6'], six],
    ] as const) {
      if (batch.length === 0) continue;
      await this.must(netns, ['ip', ...options, '-batch', '-'], { input: `${batch.join('\n')}\n` });
    }
  }

  /** Starts a program in a namespace (undefined: ours) with its output in `log`; ended with the lab. */
  start(
    netns: string | undefined,
    argv: readonly string[],
    log: string,
    env: NodeJS.ProcessEnv = process.env,
  ): ChildProcess {
    const fd = openSync(log, 'a', 0o600);
    const [program, ...rest] = netns === undefined ? argv : inNetns(netns, argv);
    if (program === undefined) throw new Error('start: empty command');
    const child = spawn(program, rest, { stdio: ['ignore', fd, fd], detached: true, env });
    this.#children.add(child);
    child.on('exit', () => this.#children.delete(child));
    const start = child.pid === undefined ? undefined : startTime(child.pid);
    if (child.pid !== undefined && start !== undefined) {
      this.#owned.processes.push({ pid: child.pid, start });
      this.#save();
    }
    return child;
  }

  /** Ends one program and waits for it. */
  async stop(
    child: ChildProcess,
    signal: NodeJS.Signals = 'SIGTERM',
    graceMs = 5000,
  ): Promise<void> {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
    await gone;
    clearTimeout(timer);
  }

  /** Leaves everything running: this process may end and the lab stays until cleared. */
  release(): void {
    for (const child of this.#children) child.unref();
  }

  /** Ends all programs, removes all namespaces. */
  async close(): Promise<void> {
    await Promise.all([...this.#children].map((child) => this.stop(child)));
    await Lab.clear(this.#name);
  }
}
