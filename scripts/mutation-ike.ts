// SPDX-License-Identifier: Apache-2.0
/**
 * The part of npm run test:mutation that is about IKE: takes each check of test/mutation/ike.ts out of a copy of the
 * sources in build/mutation/ike, and sees the named unit tests fail. The last line is "N caught, N not caught".
 *
 *   node scripts/lib/run-ts.mjs scripts/mutation-ike.ts [WORD...]   only those whose file or description has one
 */
import { cpSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { IKE_MUTATIONS } from '../test/mutation/ike.js';
import { chosenBy, tryAll } from './lib/mutation-vitest.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const copy = join(root, 'build/mutation/ike');

function prepare(): void {
  rmSync(copy, { recursive: true, force: true });
  mkdirSync(copy, { recursive: true });
  for (const part of ['src', 'test', 'scripts', 'proto', 'package.json', 'tsconfig.json']) {
    cpSync(join(root, part), join(copy, part), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
}

const mutations = chosenBy(process.argv.slice(2), IKE_MUTATIONS);
if (mutations.length > 0) prepare();
await tryAll(
  {
    sources: join(copy, 'src/ike'),
    root: copy,
    addon: join(root, 'build/addon/Release/sealane.node'),
    report: join(copy, 'report.json'),
    build: () => Promise.resolve(undefined),
  },
  mutations.map((mutation) => ({
    ...mutation,
    tests: mutation.tests.map((test) => `ike/${test}`),
  })),
);
