import { defineConfig } from 'vitest/config';

const root = new URL('..', import.meta.url).pathname;

/** Projects that make namespaces, start workers or boot kernels: one file at a time. */
const serial = ['dataplane', 'interop', 'system'];

export default defineConfig({
  root,
  cacheDir: `${root}build/vitest`,
  test: {
    passWithNoTests: true,
    projects: [
      {
        root,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: serial.map((name) => `test/${name}/**`),
          pool: 'threads',
          maxWorkers: 2,
          testTimeout: 20_000,
        },
      },
      ...serial.map((name) => ({
        root,
        test: {
          name,
          include: [`test/${name}/**/*.test.ts`],
          pool: 'forks' as const,
          fileParallelism: false,
          maxWorkers: 1,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      })),
    ],
  },
});
