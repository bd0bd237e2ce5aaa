import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import SummaryReporter from './reporter.js';

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * Projects that make namespaces, start workers or boot kernels, and how many files of theirs run at a time. A file's
 * namespaces have names of its own, and most of its time is spent waiting for timers; those of the data plane, and those
 * with thousands of peers, load both cores.
 */
const apart = { dataplane: 1, load: 1, interop: 2, system: 2, nic: 1 };

/** What a configuration imports; in the tests it is the source, not the build. */
const alias = { sealane: `${root}src/config/index.ts` };

export default defineConfig({
  root,
  cacheDir: `${root}build/vitest`,
  test: {
    passWithNoTests: true,
    reporters: [
      process.env['SEALANE_TEST_REPORTER'] ?? 'default',
      new SummaryReporter({
        outputFile: process.env['SEALANE_TEST_SUMMARY'] ?? `${root}build/test/vitest.json`,
      }),
    ],
    projects: [
      {
        root,
        resolve: { alias },
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: Object.keys(apart).map((name) => `test/${name}/**`),
          // Processes, not threads: the addon belongs to one thread of its process.
          pool: 'forks',
          maxWorkers: 2,
          // Property tests take seconds, on a busy machine many: none may fail for that.
          testTimeout: 120_000,
          sequence: { groupOrder: 0 },
        },
      },
      ...Object.entries(apart).map(([name, maxWorkers], index) => ({
        root,
        resolve: { alias },
        test: {
          name,
          include: [`test/${name}/**/*.test.ts`],
          pool: 'forks' as const,
          maxWorkers,
          testTimeout: 180_000,
          hookTimeout: 180_000,
          // The projects run one after the other, after the unit tests.
          sequence: { groupOrder: index + 1 },
        },
      })),
    ],
  },
});
