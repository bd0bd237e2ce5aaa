// SPDX-License-Identifier: Apache-2.0
/**
 * Small JSON files of the state directory: mode 0600, replaced as a whole and on disk before the
 * call returns, so that a reader finds the old or the new contents after a crash at any instant.
 */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { codeOf, messageOf, SupervisorError } from './errors.js';

/** Contents of a file, or undefined when there is none. `check` narrows, or returns undefined to refuse. */
export function readState<T>(
  path: string,
  check: (value: unknown) => T | undefined,
): T | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw broken(path, messageOf(error));
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw broken(path, 'not JSON');
  }
  const checked = check(value);
  if (checked === undefined) throw broken(path, 'not of the expected form');
  return checked;
}

function broken(path: string, why: string): SupervisorError {
  // Starting without it could reuse a label or a key, so the operator decides.
  return new SupervisorError(
    'CONFIG',
    `cannot read ${path} (${why})`,
    'restore it from a backup, or remove it and give every manual SA a new key',
  );
}

export function writeState(path: string, value: unknown): void {
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const next = `${path}.new`;
  const fd = openSync(next, 'w', 0o600);
  try {
    writeFileSync(fd, `${JSON.stringify(value, undefined, 1)}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(next, path);
  const folderFd = openSync(folder, 'r');
  try {
    fsyncSync(folderFd);
  } finally {
    closeSync(folderFd);
  }
}

/** An object with string keys, as JSON has them. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
