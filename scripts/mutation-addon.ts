// SPDX-License-Identifier: Apache-2.0
/**
 * The part of npm run test:mutation that is about certificates: takes each check of test/mutation/x509.ts out of a copy
 * of the addon in build/mutation/addon, builds it, and sees the named unit tests fail that load it. A second run
 * compiles only what changed. The last line is "N caught, N not caught".
 *
 *   node scripts/lib/run-ts.mjs scripts/mutation-addon.ts [WORD...]   only those whose file or description has one
 */
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { X509_MUTATIONS } from '../test/mutation/x509.js';
import { outcome } from './lib/lab.js';
import { mirror } from './lib/mirror.js';
import { chosenBy, tryAll } from './lib/mutation-vitest.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const copy = join(root, 'build/mutation/addon');
const build = join(copy, 'build');
const BUILD_TIMEOUT_MS = 1_800_000;

async function prepare(): Promise<void> {
  mkdirSync(copy, { recursive: true });
  for (const part of ['addon', 'dpdk-app']) mirror(join(root, part), join(copy, part));
  const modules = join(copy, 'node_modules');
  if (!existsSync(modules)) symlinkSync(join(root, 'node_modules'), modules);
  const { code, stdout, stderr } = await outcome(
    [
      ...['cmake', '-S', join(copy, 'addon'), '-B', build, '-G', 'Ninja'],
      '-DCMAKE_BUILD_TYPE=Mutation',
    ],
    { timeoutMs: BUILD_TIMEOUT_MS },
  );
  if (code !== 0) throw new Error(`cmake: ${stdout}${stderr}`);
}

async function compile(): Promise<string | undefined> {
  const ninja = ['ninja', '-C', build, '-j', '2', 'sealane', 'x509'];
  const { code, stdout, stderr } = await outcome(ninja, { timeoutMs: BUILD_TIMEOUT_MS });
  return code === 0 ? undefined : `${stdout}${stderr}`;
}

const mutations = chosenBy(process.argv.slice(2), X509_MUTATIONS);
if (mutations.length > 0) await prepare();
await tryAll(
  {
    sources: join(copy, 'addon/src'),
    root,
    addon: join(build, 'Release/sealane.node'),
    report: join(copy, 'report.json'),
    build: compile,
  },
  mutations,
);
