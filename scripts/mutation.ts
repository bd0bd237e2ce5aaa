// SPDX-License-Identifier: Apache-2.0
/**
 * npm run test:mutation: takes each check of test/mutation/mutations.ts out of a copy of dpdk-app, rebuilds what the
 * named test needs, and sees that test fail. Copies and builds are kept in build/mutation/, one per CPU, so that a
 * second run compiles only what changed. The last line is "N caught, N not caught".
 *
 *   npm run test:mutation [-- WORD...]     only mutations whose file or description has one of the words
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { locate, problem, type CTest } from '../test/mutation/locate.js';
import type { Mutation } from '../test/mutation/mutation.js';
import { MUTATIONS } from '../test/mutation/mutations.js';
import { mirror, restore } from './lib/mirror.js';
import { MutationReport } from './lib/mutation-report.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const SOURCES = ['dpdk-app', 'proto'];
const TEST_TIMEOUT_MS = 600_000;

interface Ended {
  readonly code: number | null;
  readonly output: string;
  /** It was killed for taking too long. */
  readonly isLate: boolean;
}

const children = new Set<ChildProcess>();

async function run(argv: readonly string[], timeoutMs = 600_000): Promise<Ended> {
  const [program = '', ...rest] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
    children.add(child);
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = child.kill('SIGKILL');
    }, timeoutMs);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    }
    child.on('error', reject);
    child.on('close', (code) => {
      children.delete(child);
      clearTimeout(timer);
      resolve({ code, output, isLate });
    });
  });
}

/** A copy of the sources and its build folder. */
class Lane {
  readonly folder: string;
  readonly build: string;
  readonly #passing = new Set<string>();

  constructor(number: number) {
    this.folder = join(root, 'build/mutation', String(number));
    this.build = join(this.folder, 'build');
  }

  async prepare(): Promise<void> {
    for (const source of SOURCES) mirror(join(root, source), join(this.folder, source));
    // Without optimisation: it is compiled more often than it is run.
    const flags = ['-G', 'Ninja', '-DCMAKE_BUILD_TYPE=Mutation', '-DCMAKE_C_FLAGS=-O0'];
    const configured = await run([
      'cmake',
      '-S',
      join(this.folder, 'dpdk-app'),
      '-B',
      this.build,
      ...flags,
    ]);
    if (configured.code !== 0) throw new Error(`cmake: ${configured.output}`);
  }

  async #compile(program: string): Promise<string | undefined> {
    // What programs do by starting the worker needs the worker, too.
    const targets = [
      `test_${program}`,
      ...(program.startsWith('eal_worker') ? ['sealane-worker'] : []),
    ];
    const { code, output } = await run(['ninja', '-C', this.build, '-j', '1', ...targets]);
    return code === 0 ? undefined : output;
  }

  /** The result of one test in the output of its program: a crash in it is a failure, too, a slow machine is none. */
  async #passes(program: string, test: string): Promise<boolean | 'not run' | 'out of time'> {
    const { output, isLate } = await run([join(this.build, `test_${program}`)], TEST_TIMEOUT_MS);
    if (isLate) return 'out of time'; // and has not written all of its results
    const has = (mark: string): boolean =>
      new RegExp(`^\\[ *${mark} *\\] ${test}\\s*$`, 'm').test(output);
    return has('RUN') ? has('OK') : 'not run';
  }

  async #baseline({ program, name }: CTest): Promise<string | undefined> {
    const test = `${program}: ${name}`;
    if (this.#passing.has(test)) return undefined;
    const broken = await this.#compile(program);
    if (broken !== undefined) return `does not build: ${broken}`;
    if ((await this.#passes(program, name)) !== true) {
      return `${test} does not pass without a mutation`;
    }
    this.#passing.add(test);
    return undefined;
  }

  /** Why a mutation is not caught; undefined when each of its tests fails. */
  async survives(mutation: Mutation): Promise<string | undefined> {
    const copy = join(this.folder, 'dpdk-app');
    const stale = problem(copy, mutation);
    if (stale !== undefined) return stale;
    const file = join(copy, 'src', mutation.file);
    const source = readFileSync(file, 'utf8');
    const tests = mutation.tests
      .map((test) => locate(copy, test))
      .filter((test) => typeof test !== 'string');
    for (const test of tests) {
      const wrong = await this.#baseline(test);
      if (wrong !== undefined) return wrong;
    }
    try {
      writeFileSync(
        file,
        source.replace(mutation.text, () => mutation.replacement),
      );
      for (const { program, name } of tests) {
        const broken = await this.#compile(program);
        if (broken !== undefined) return `does not compile: ${broken}`;
        const passes = await this.#passes(program, name);
        if (passes !== false) {
          return `${program}: ${name} ${passes === true ? 'still passes' : `is ${passes}`}`;
        }
      }
      return undefined;
    } finally {
      restore(file, source);
    }
  }
}

async function main(): Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      for (const child of children) child.kill();
      process.exit(1);
    });
  }
  const words = process.argv.slice(2);
  const chosen = MUTATIONS.filter(
    ({ file, what }) =>
      words.length === 0 || words.some((word) => `${file} ${what}`.includes(word)),
  );
  const lanes = Array.from({ length: Math.min(2, availableParallelism()) }, (_, i) => new Lane(i));
  const report = new MutationReport();
  // Mutations of one file stay together: each compiles that file alone.
  const files = [...new Set(chosen.map(({ file }) => file))];
  const queue = files.map((file) => chosen.filter((mutation) => mutation.file === file));
  await Promise.all(
    lanes.map(async (lane) => {
      await lane.prepare();
      for (let group = queue.shift(); group !== undefined; group = queue.shift()) {
        for (const mutation of group) report.add(mutation, await lane.survives(mutation));
      }
    }),
  );
  report.close();
}

await main();
