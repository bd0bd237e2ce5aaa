// SPDX-License-Identifier: Apache-2.0
/** Mutations that tests under vitest have to notice: what scripts/mutation-ike.ts and scripts/mutation-addon.ts share. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Mutation } from '../../test/mutation/mutation.js';
import { outcome } from './lab.js';
import { restore } from './mirror.js';
import { MutationReport } from './mutation-report.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const TEST_TIMEOUT_MS = 600_000;

/** Where the mutations are made, and what is to notice them. */
export interface Bench {
  /** Of the files that are changed: a copy. */
  readonly sources: string;
  /** Of the project that vitest runs. */
  readonly root: string;
  /** The addon that its tests load. */
  readonly addon: string;
  /** Where vitest reports to. */
  readonly report: string;
  /** Builds what is made of the sources; why it cannot. */
  readonly build: () => Promise<string | undefined>;
}

/** A test file below test/unit, or of one the tests whose title begins so: "FILE" or "FILE: TITLE". */
interface Target {
  readonly file: string;
  readonly title: string | undefined;
}

function target(text: string): Target {
  const at = text.indexOf(': ');
  return at < 0
    ? { file: text, title: undefined }
    : { file: text.slice(0, at), title: text.slice(at + 2) };
}

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly { readonly title: string; readonly status: string }[];
  }[];
}

interface Counts {
  readonly passed: number;
  readonly failed: number;
}

const escaped = (text: string): string => text.replace(/[^\w ]/g, '\\$&');

/** Runs these tests and no others of their files, if each has a title. */
async function run(bench: Bench, tests: readonly string[]): Promise<ReadonlyMap<string, Counts>> {
  rmSync(bench.report, { force: true });
  const targets = tests.map((text) => ({ text, ...target(text) }));
  const titles = targets.flatMap(({ title }) => (title === undefined ? [] : [escaped(title)]));
  const files = [...new Set(targets.map(({ file }) => `test/unit/${file}`))];
  const argv = [
    ...[process.execPath, join(repository, 'node_modules/vitest/vitest.mjs')],
    ...['run', '--root', bench.root, '--config', join(bench.root, 'test/vitest.config.ts')],
    ...['--project', 'unit', '--reporter', 'json', '--outputFile', bench.report],
    ...(titles.length === targets.length ? ['-t', titles.join('|')] : []),
    ...files,
  ];
  const env = { ...process.env, SEALANE_ADDON: bench.addon };
  const { stderr } = await outcome(argv, { timeoutMs: TEST_TIMEOUT_MS, env });
  if (!existsSync(bench.report)) throw new Error(`no report of ${files.join(', ')}: ${stderr}`);
  const { testResults } = JSON.parse(readFileSync(bench.report, 'utf8')) as Report;
  return new Map(
    targets.map(({ text, file, title = '' }) => {
      const all = testResults
        .filter(({ name }) => name.endsWith(`/test/unit/${file}`))
        .flatMap(({ assertionResults }) => assertionResults)
        .filter((each) => each.title.startsWith(title));
      const of = (status: string): number => all.filter((one) => one.status === status).length;
      return [text, { passed: of('passed'), failed: of('failed') }];
    }),
  );
}

class Trial {
  readonly #bench: Bench;
  /** Tests that were run without a mutation, and why they are of no use. */
  readonly #baseline = new Map<string, string | undefined>();

  constructor(bench: Bench) {
    this.#bench = bench;
  }

  async #unusable(tests: readonly string[]): Promise<string | undefined> {
    const unknown = tests.filter((test) => !this.#baseline.has(test));
    const broken = unknown.length > 0 ? await this.#bench.build() : undefined;
    if (broken !== undefined) return `does not build: ${broken}`;
    const counts = unknown.length > 0 ? await run(this.#bench, unknown) : new Map<string, Counts>();
    for (const test of unknown) {
      const { passed, failed } = counts.get(test) ?? { passed: 0, failed: 0 };
      const why = `${test} does not pass without a mutation`;
      this.#baseline.set(test, passed > 0 && failed === 0 ? undefined : why);
    }
    return tests.map((test) => this.#baseline.get(test)).find((why) => why !== undefined);
  }

  /** Why a mutation is not caught; undefined when of each of its tests one fails. */
  async survives(mutation: Mutation): Promise<string | undefined> {
    const { file, text, replacement, tests } = mutation;
    const path = join(this.#bench.sources, file);
    const source = readFileSync(path, 'utf8');
    const found = source.split(text).length - 1;
    if (found !== 1) return `its text stands ${String(found)} times in ${file}`;
    const unusable = await this.#unusable(tests);
    if (unusable !== undefined) return unusable;
    try {
      writeFileSync(
        path,
        source.replace(text, () => replacement),
      );
      const broken = await this.#bench.build();
      if (broken !== undefined) return `does not build: ${broken}`;
      const counts = await run(this.#bench, tests);
      const blind = tests.filter((test) => (counts.get(test)?.failed ?? 0) === 0);
      return blind.length === 0 ? undefined : `${blind.join(', ')}: nothing fails`;
    } finally {
      restore(path, source);
    }
  }
}

/** Those of the mutations that have one of the words in their file or description; all without words. */
export const chosenBy = (
  words: readonly string[],
  mutations: readonly Mutation[],
): readonly Mutation[] =>
  mutations.filter(
    ({ file, what }) =>
      words.length === 0 || words.some((word) => `${file} ${what}`.includes(word)),
  );

/** Tries mutations and says which are caught. */
export async function tryAll(bench: Bench, mutations: readonly Mutation[]): Promise<void> {
  const trial = new Trial(bench);
  const report = new MutationReport();
  for (const mutation of mutations) report.add(mutation, await trial.survives(mutation));
  report.close();
}
