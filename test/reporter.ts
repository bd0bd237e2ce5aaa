import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Reporter, TestCase, TestModule } from 'vitest/node';

interface Entry {
  readonly name: string;
  readonly reason: string;
  /** Of this test file, from the root of the project. */
  readonly file?: string;
}

/** What scripts/test.sh sums up; the same shape is made for the C tests. */
export interface Summary {
  passed: number;
  /** Of them, by test file; not of the C tests. */
  passedIn: Record<string, number>;
  failed: Entry[];
  skipped: Entry[];
}

/** Writes the result of a run as one small JSON file, skipped tests with their reason. */
export default class SummaryReporter implements Reporter {
  readonly #outputFile: string;

  constructor(options: { outputFile: string }) {
    this.#outputFile = options.outputFile;
  }

  onTestRunEnd(
    modules: readonly TestModule[],
    unhandled: readonly { message: string }[],
    reason: 'passed' | 'interrupted' | 'failed',
  ): void {
    const summary: Summary = { passed: 0, passedIn: {}, failed: [], skipped: [] };
    for (const module of modules) addModule(summary, module);
    for (const error of unhandled) {
      summary.failed.push({ name: 'error outside of a test', reason: error.message });
    }
    if (reason !== 'passed' && summary.failed.length === 0) {
      summary.failed.push({ name: 'the run', reason });
    }
    mkdirSync(dirname(this.#outputFile), { recursive: true });
    writeFileSync(this.#outputFile, JSON.stringify(summary));
  }
}

function addModule(summary: Summary, module: TestModule): void {
  const errors = [...module.errors()];
  for (const suite of module.children.allSuites()) errors.push(...suite.errors());
  for (const error of errors) {
    const file = module.relativeModuleId;
    summary.failed.push({ name: file, reason: error.message, file });
  }
  for (const test of module.children.allTests()) addTest(summary, module, test, errors.length > 0);
}

function addTest(summary: Summary, module: TestModule, test: TestCase, broken: boolean): void {
  const result = test.result();
  const file = module.relativeModuleId;
  const name = `${file}: ${test.fullName}`;
  if (result.state === 'passed') {
    summary.passed += 1;
    summary.passedIn[file] = (summary.passedIn[file] ?? 0) + 1;
  } else if (result.state === 'failed') {
    summary.failed.push({ name, reason: result.errors[0]?.message ?? 'failed', file });
  } else {
    const note = result.state === 'skipped' ? result.note : 'it never ran';
    const why = broken
      ? 'a hook or the file itself failed'
      : `${test.options.mode}, no reason given`;
    summary.skipped.push({ name, reason: note ?? why, file });
  }
}
