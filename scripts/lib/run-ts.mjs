// Runs one TypeScript file: node scripts/lib/run-ts.mjs FILE [ARGUMENT...]
//
// For scripts, the demo, performance runs and test helpers, which are type-checked by `npm run lint`
// but not compiled by the build. They may import src/**/*.ts directly; './x.js' finds ./x.ts.
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { createJiti } from 'jiti';

const root = fileURLToPath(new URL('../..', import.meta.url));
const file = process.argv[2];
if (file === undefined) {
  process.stderr.write('usage: node scripts/lib/run-ts.mjs FILE.ts [ARGUMENT...]\n');
  process.exit(2);
}

// The transformed files are kept in build/, never in a folder that others may write.
const jiti = createJiti(import.meta.url, {
  fsCache: `${root}build/jiti`,
  alias: { sealane: `${root}src/config/index.ts` },
  tryNative: false,
});
const path = resolve(file);
process.argv.splice(1, 2, path);
await jiti.import(pathToFileURL(path).href);
