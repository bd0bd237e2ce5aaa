// SPDX-License-Identifier: Apache-2.0
/**
 * Loads a configuration file. TypeScript and JavaScript run in a child process of their own
 * (load-child.ts), with a time limit; JSON is only read. Nothing here judges what the file says.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import { findJsonFault } from './json-error.js';
import { loadError, type LoadResult } from './load-result.js';

export type { LoadError, LoadErrorCode, LoadResult } from './load-result.js';

const DEFAULT_TIMEOUT_MS = 60_000;
/** A million static routes are about 60 MB of JSON. */
const MAX_RESULT_BYTES = 512 * 1024 * 1024;
const MAX_OUTPUT_BYTES = 64 * 1024;
const HANG_UP_MS = 1000;

export interface LoadOptions {
  readonly timeoutMs?: number;
  /** Gets what the file prints, at its end. */
  readonly onOutput?: (text: string) => void;
}

/** Never throws. The value is plain data and otherwise unchecked: see validateConfig. */
export async function loadFile(path: string, options: LoadOptions = {}): Promise<LoadResult> {
  const file = resolve(path);
  try {
    const found = await stat(file);
    if (!found.isFile()) return loadError('UNREADABLE', `${file}: not a file`, 'name a file');
  } catch (error) {
    return unreadable(file, error);
  }
  return extname(file) === '.json' ? loadJson(file) : runChild(file, options);
}

function unreadable(file: string, error: unknown): LoadResult {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  if (code === 'ENOENT') {
    return loadError('NOT_FOUND', `no configuration file ${file}`, 'name it, or write one');
  }
  return loadError('UNREADABLE', `cannot read ${file} (${code})`, 'check its path and permissions');
}

async function loadJson(file: string): Promise<LoadResult> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    return unreadable(file, error);
  }
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch {
    const fault = findJsonFault(text);
    const place = fault === undefined ? file : `${file}:${fault.line}:${fault.column}`;
    const reason = fault === undefined ? 'not JSON' : fault.reason;
    return loadError('SYNTAX', `${place}: ${reason}`, 'correct the JSON');
  }
}

// ---- The child -----------------------------------------------------------------------------------

/** Else from the sources, in tests: jiti has to translate the child. */
const BUILT = import.meta.url.endsWith('.js');

function childCommand(file: string): readonly string[] {
  const entry = new URL(BUILT ? './load-child.js' : './load-child.ts', import.meta.url);
  const loader = BUILT ? [] : ['--import', import.meta.resolve('jiti/register')];
  return [process.execPath, '--max-old-space-size=2048', ...loader, fileURLToPath(entry), file];
}

/**
 * The time limit kills the child's whole process group. Should this process die first, the limit of
 * CPU seconds ends an endless loop, and the closed stdin everything else.
 */
function spawnChild(file: string, timeoutMs: number): ChildProcess {
  const cpuSeconds = String(Math.ceil(timeoutMs / 1000) + 5);
  const limited = 'ulimit -t "$0" && exec "$@"';
  const cache = BUILT ? 'false' : fileURLToPath(new URL('../../build/jiti', import.meta.url));
  return spawn('/bin/sh', ['-c', limited, cpuSeconds, ...childCommand(file)], {
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    detached: true,
    env: { ...process.env, JITI_FS_CACHE: cache },
  });
}

async function runChild(file: string, options: LoadOptions): Promise<LoadResult> {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const child = spawnChild(file, timeoutMs);
  let refused: LoadResult | undefined;
  const stop = (result: LoadResult): void => {
    refused ??= result;
    killGroup(child);
  };
  const timer = setTimeout(() => {
    const message = `${file}: not finished after ${timeoutMs / 1000} s`;
    stop(loadError('TIMEOUT', message, 'look for an endless loop or wait'));
  }, timeoutMs);
  const result = collect(child.stdio[3], MAX_RESULT_BYTES, () => {
    const message = `${file}: the configuration is larger than ${MAX_RESULT_BYTES} bytes`;
    stop(loadError('TOO_LARGE', message, 'make it smaller'));
  });
  // What the file prints beyond the limit is dropped, not waited for.
  const output = Promise.all([
    collect(child.stdout, MAX_OUTPUT_BYTES),
    collect(child.stderr, MAX_OUTPUT_BYTES),
  ]);
  const end = await ended(child);
  clearTimeout(timer);
  // Whatever it started in its process group ends with it; what left the group may hold the pipes.
  killGroup(child);
  const hangUp = setTimeout(() => {
    for (const stream of child.stdio) stream?.destroy();
  }, HANG_UP_MS);
  const printed = (await output).join('');
  const text = await result;
  clearTimeout(hangUp);
  if (printed !== '') options.onOutput?.(printed);
  return refused ?? parseResult(text) ?? crashed(file, end, printed);
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

type End = { readonly how: string } | { readonly error: Error };

async function ended(child: ChildProcess): Promise<End> {
  return new Promise((done) => {
    child.once('error', (error) => {
      done({ error });
    });
    child.once('exit', (code, signal) => {
      done({ how: signal === null ? `exit code ${code ?? 0}` : `signal ${signal}` });
    });
  });
}

/** Everything a stream says, up to a limit. Always settles when the stream ends, however it does. */
async function collect(
  stream: ChildProcess['stdio'][number] | undefined,
  limit: number,
  onTooMuch?: () => void,
): Promise<string> {
  if (!isReadable(stream)) return '';
  const chunks: Buffer[] = [];
  let size = 0;
  return new Promise((done) => {
    stream.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limit) chunks.push(chunk);
      else onTooMuch?.();
    });
    stream.once('error', () => undefined);
    stream.once('close', () => {
      done(Buffer.concat(chunks).toString('utf8'));
    });
  });
}

function isReadable(stream: ChildProcess['stdio'][number] | undefined): stream is Readable {
  return stream !== null && stream !== undefined && 'read' in stream;
}

// Only load-child.ts writes there, but the file it runs can reach the descriptor as well.
const words = z.string();
const resultSchema = z.union([
  z.object({ ok: z.literal(true), value: z.unknown() }),
  z.object({
    ok: z.literal(false),
    error: z.object({
      code: z.enum(['SYNTAX', 'THREW', 'NO_EXPORT', 'NOT_PLAIN']),
      ...{ message: words, remedy: words },
      issues: z.array(z.object({ path: words, value: words, reason: words, remedy: words })),
    }),
  }),
]);

/** What the child wrote; undefined when that is not a result. */
function parseResult(text: string): LoadResult | undefined {
  try {
    return resultSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function crashed(file: string, end: End, printed: string): LoadResult {
  if ('error' in end) {
    return loadError('CRASHED', `cannot start a process: ${end.error.message}`, 'see the message');
  }
  const last = printed.trim().split('\n').at(-1) ?? '';
  const said = last === '' ? '' : `; its last words: ${last.slice(0, 200)}`;
  const message = `${file}: the process ended (${end.how}) without a configuration${said}`;
  return loadError('CRASHED', message, 'a configuration must not end the process');
}
