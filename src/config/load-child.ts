// SPDX-License-Identifier: Apache-2.0
/**
 * The child process that runs a configuration file: load-child FILE. The file is code of the
 * operator's; here it can neither block the supervisor nor change anything in it. The result goes to
 * descriptor 3 as JSON, {@link LoadResult}; whatever the file prints goes to stdout and stderr.
 */
import { readFileSync, writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createJiti } from 'jiti';
import { loadError, type LoadResult } from './load-result.js';
import { plainCopy } from './plain.js';

const RESULT_DESCRIPTOR = 3;

/** `import ... from 'sealane'` means this installation, wherever the file lies. */
function sealane(): string {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return fileURLToPath(new URL(`./index.${extension}`, import.meta.url));
}

async function run(file: string): Promise<LoadResult> {
  const jiti = createJiti(import.meta.url, {
    moduleCache: false,
    fsCache: false,
    tryNative: false,
    alias: { sealane: sealane() },
  });
  let exported: unknown;
  try {
    exported = await jiti.import(file);
  } catch (error) {
    return describe(file, error);
  }
  const value = defaultOf(exported);
  if (value === undefined) {
    const remedy = 'end it with: export default defineConfig({ ... })';
    return loadError('NO_EXPORT', `${file}: exports no default`, remedy);
  }
  const plain = plainCopy(value);
  if (plain.issues.length === 0) return { ok: true, value: plain.value };
  const message = `${file}: the configuration is not plain data`;
  return loadError(
    'NOT_PLAIN',
    message,
    'give plain objects, lists, words and numbers',
    plain.issues,
  );
}

function defaultOf(exported: unknown): unknown {
  if (typeof exported !== 'object' || exported === null) return undefined;
  return Object.hasOwn(exported, 'default') ? Reflect.get(exported, 'default') : undefined;
}

// ---- Errors of the file, with their place in it --------------------------------------------------

function describe(file: string, error: unknown): LoadResult {
  if (!(error instanceof Error)) {
    return loadError('THREW', `${file}: threw ${typeof error}, not an Error`, 'throw an Error');
  }
  const parse = /^ParseError: ([\s\S]*?)\s*\n\s*(\S.*:\d+:\d+)\s*$/.exec(error.message);
  if (parse !== null) {
    return loadError(
      'SYNTAX',
      `${parse[2] ?? file}: ${oneLine(parse[1] ?? '')}`,
      'correct the syntax',
    );
  }
  if ('code' in error && error.code === 'MODULE_NOT_FOUND') return missingModule(file, error);
  const at = placeOf(error) ?? file;
  const name = error.name === 'Error' ? '' : `${error.name}: `;
  return loadError('THREW', `${at}: ${name}${oneLine(error.message)}`, 'correct the configuration');
}

/** The place nearest to the throw that is the operator's own code. */
function placeOf(error: Error): string | undefined {
  for (const line of (error.stack ?? '').split('\n')) {
    const place = /\(?((?:file:\/\/)?\/[^()]*:\d+:\d+)\)?$/.exec(line.trim())?.[1];
    if (place === undefined || place.includes('/node_modules/') || isOurs(place)) continue;
    const [, file = place, at = ''] = /^(.*):(\d+):\d+$/.exec(place) ?? [];
    // The translation keeps lines, not columns.
    return `${file.startsWith('file://') ? fileURLToPath(file) : file}:${at}`;
  }
  return undefined;
}

function isOurs(place: string): boolean {
  const here = fileURLToPath(new URL('.', import.meta.url));
  return place.replace(/^file:\/\//, '').startsWith(here);
}

function missingModule(file: string, error: Error): LoadResult {
  const name = /'([^']*)'/.exec(error.message)?.[1] ?? '';
  const importer = /Require stack:\n- (.*)/.exec(error.message)?.[1] ?? file;
  const line = lineOf(importer, name);
  const place = line === undefined ? importer : `${importer}:${line}`;
  return loadError('THREW', `${place}: cannot find module "${name}"`, 'correct the import');
}

/** Line, from 1, on which a file first quotes `name`. */
function lineOf(file: string, name: string): number | undefined {
  try {
    const lines = readFileSync(file, 'utf8').split('\n');
    const at = lines.findIndex((text) => text.includes(`'${name}'`) || text.includes(`"${name}"`));
    return at < 0 ? undefined : at + 1;
  } catch {
    return undefined;
  }
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim().slice(0, 500);

// ---- Entry ---------------------------------------------------------------------------------------

/** All of it: a pipe takes 64 KiB at a time, and the reader may be slow. */
function send(result: LoadResult): void {
  const bytes = Buffer.from(JSON.stringify(result));
  let sent = 0;
  while (sent < bytes.length) sent += writeSync(RESULT_DESCRIPTOR, bytes, sent);
}

// The parent holds the other end: when it dies, so does a file that waits for ever.
process.stdin.on('end', () => process.exit(1));
process.stdin.resume();

send(await run(process.argv[2] ?? ''));
process.exit(0);
