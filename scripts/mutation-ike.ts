// SPDX-License-Identifier: Apache-2.0
/**
 * The part of npm run test:mutation that is about IKE: takes each check of test/mutation/ike.ts out of a copy of the
 * sources in build/mutation/ike, and sees the named unit tests fail. The last line is "N caught, N not caught".
 *
 *   node scripts/lib/run-ts.mjs scripts/mutation-ike.ts [WORD...]   only those whose file or description has one
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { IKE_MUTATIONS } from '../test/mutation/ike.js';
import type { Mutation } from '../test/mutation/mutation.js';
import { outcome } from './lib/lab.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const copy = join(root, 'build/mutation/ike');
const report = join(copy, 'report.json');
const TEST_TIMEOUT_MS = 600_000;

function prepare(): void {
  rmSync(copy, { recursive: true, force: true });
  mkdirSync(copy, { recursive: true });
  for (const part of ['src', 'test', 'scripts', 'proto', 'package.json', 'tsconfig.json']) {
    cpSync(join(root, part), join(copy, part), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
}

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

/** Of each of these test files, tests that passed and tests that failed. */
async function run(
  tests: readonly string[],
): Promise<ReadonlyMap<string, { readonly passed: number; readonly failed: number }>> {
  rmSync(report, { force: true });
  const files = tests.map((test) => `test/unit/ike/${test}`);
  const argv = [
    ...[process.execPath, join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--root', copy],
    ...['--config', join(copy, 'test/vitest.config.ts'), '--project', 'unit'],
    ...['--reporter', 'json', '--outputFile', report, ...files],
  ];
  const env = { ...process.env, SEALANE_ADDON: join(root, 'build/addon/Release/sealane.node') };
  const { stderr } = await outcome(argv, { timeoutMs: TEST_TIMEOUT_MS, env });
  if (!existsSync(report)) throw new Error(`no report of ${files.join(', ')}: ${stderr}`);
  const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as Report;
  return new Map(
    tests.map((test) => {
      const all = testResults
        .filter(({ name }) => name.endsWith(`/${test}`))
        .flatMap(({ assertionResults }) => assertionResults.map(({ status }) => status));
      const of = (status: string): number => all.filter((one) => one === status).length;
      return [test, { passed: of('passed'), failed: of('failed') }];
    }),
  );
}

const baseline = new Map<string, string | undefined>();

/** Why a test file is of no use; undefined: all of it passes. */
async function unusable(test: string): Promise<string | undefined> {
  if (!baseline.has(test)) {
    const counts = (await run([test])).get(test);
    const isGood = counts !== undefined && counts.passed > 0 && counts.failed === 0;
    baseline.set(test, isGood ? undefined : `${test} does not pass without a mutation`);
  }
  return baseline.get(test);
}

/** Why a mutation is not caught; undefined when in each of its test files a test fails. */
async function survives({ file, text, replacement, tests }: Mutation): Promise<string | undefined> {
  const path = join(copy, 'src/ike', file);
  const source = readFileSync(path, 'utf8');
  const found = source.split(text).length - 1;
  if (found !== 1) return `its text stands ${String(found)} times in ${file}`;
  for (const test of tests) {
    const why = await unusable(test);
    if (why !== undefined) return why;
  }
  try {
    writeFileSync(
      path,
      source.replace(text, () => replacement),
    );
    const counts = await run(tests);
    const blind = tests.filter((test) => (counts.get(test)?.failed ?? 0) === 0);
    return blind.length === 0 ? undefined : `${blind.join(', ')}: nothing fails`;
  } finally {
    writeFileSync(path, source);
  }
}

const words = process.argv.slice(2);
const chosen = IKE_MUTATIONS.filter(
  ({ file, what }) => words.length === 0 || words.some((word) => `${file} ${what}`.includes(word)),
);
prepare();
const survivors: string[] = [];
for (const mutation of chosen) {
  const why = await survives(mutation);
  const line = `${mutation.file}: ${mutation.what}`;
  if (why !== undefined) survivors.push(`${line}: ${why}`);
  process.stdout.write(`${why === undefined ? 'caught    ' : 'NOT CAUGHT'} ${line}\n`);
}
for (const survivor of survivors) process.stdout.write(`not caught: ${survivor}\n`);
const caught = chosen.length - survivors.length;
process.stdout.write(`${String(caught)} caught, ${String(survivors.length)} not caught\n`);
if (survivors.length > 0) process.exitCode = 1;
else if (chosen.length === 0) process.exitCode = 3; // nothing to try
