// SPDX-License-Identifier: Apache-2.0
/**
 * Key files of manual SAs: made by `sealane lab keygen`, read by the supervisor. One file holds the
 * keying material of one SA direction (policy-model 22); the two PEs hold copies of the same file.
 *
 *   {
 *     "format": "sealane-key-1",
 *     "algorithm": "aes-gcm-128",   one of src/lib/esp-suites.ts
 *     "run": "5f0c...",             16 random bytes, hex: tells files apart without showing a key
 *     "key": "...",                 hex; as long as the algorithm says, the cipher's before the integrity's
 *     "salt": "..."                 hex, 4 bytes (RFC 4106 §4, RFC 4543 §3.2, RFC 7634 §2); "" where there is none
 *   }
 *
 * No message of this module contains anything read from a file.
 */
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { type Algorithm, ESP_SUITES, isAlgorithm, keyBytes } from './esp-suites.js';

export const KEY_FILE_FORMAT = 'sealane-key-1';
/** A key file is under 300 bytes; nothing longer is read. */
const MAX_BYTES = 4096;
const RUN_BYTES = 16;

export interface KeyMaterial {
  readonly algorithm: Algorithm;
  /** Hex, 16 bytes. Not secret. */
  readonly run: string;
  /** Keys, then the salt: KEYMAT in the order of RFC 7296 §2.17 and RFC 4106 §8.1. Secret: fill with 0 after use. */
  readonly keying: Uint8Array;
}

export type KeyFileErrorCode =
  | 'NOT_FOUND'
  | 'UNREADABLE' // no permission, a directory, ...
  | 'PERMISSIONS' // others may read it, or it is not ours
  | 'MALFORMED'
  | 'ALGORITHM' // not one of the suites
  | 'EXISTS' // keygen never overwrites
  | 'SYSTEM';

export class KeyFileError extends Error {
  override readonly name = 'KeyFileError';
  readonly code: KeyFileErrorCode;
  readonly remedy: string;
  constructor(code: KeyFileErrorCode, message: string, remedy: string) {
    super(message);
    this.code = code;
    this.remedy = remedy;
  }
}

const MADE_BY = 'make the file with: sealane lab keygen --algorithm ALGORITHM --out FILE';

/** Parses the text of a key file. Throws {@link KeyFileError} MALFORMED or ALGORITHM. */
export function parseKeyFile(text: string): KeyMaterial {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // JSON.parse quotes the text it fails on: its message must not leave this place.
    throw malformed('it is not JSON');
  }
  if (typeof value !== 'object' || value === null) throw malformed('it is not a JSON object');
  const fields = new Map<string, unknown>(Object.entries(value));
  if (fields.get('format') !== KEY_FILE_FORMAT) {
    throw malformed(`"format" is not "${KEY_FILE_FORMAT}"`);
  }
  const algorithm = fields.get('algorithm');
  if (typeof algorithm !== 'string' || !isAlgorithm(algorithm)) {
    throw new KeyFileError('ALGORITHM', 'unknown "algorithm" in the key file', MADE_BY);
  }
  const run = hexField(fields, 'run', RUN_BYTES);
  const key = hexField(fields, 'key', keyBytes(algorithm));
  const salt = hexField(fields, 'salt', ESP_SUITES[algorithm].salt);
  const keying = new Uint8Array(key.length + salt.length);
  keying.set(key);
  keying.set(salt, key.length);
  key.fill(0);
  return { algorithm, run: Buffer.from(run).toString('hex'), keying };
}

function malformed(why: string): KeyFileError {
  return new KeyFileError('MALFORMED', `malformed key file: ${why}`, MADE_BY);
}

function hexField(fields: ReadonlyMap<string, unknown>, name: string, bytes: number): Uint8Array {
  const text = fields.get(name);
  if (typeof text !== 'string' || text.length !== 2 * bytes || !/^[0-9a-f]*$/.test(text)) {
    throw malformed(`"${name}" is not ${bytes} bytes of lower-case hex`);
  }
  return Uint8Array.from(Buffer.from(text, 'hex'));
}

/**
 * Reads a key file that only its owner (this user or root) may read or write; symbolic links are not
 * followed. Throws {@link KeyFileError}.
 */
export async function readKeyFile(path: string): Promise<KeyMaterial> {
  let handle: FileHandle;
  try {
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    handle = await open(path, flags);
  } catch (error) {
    throw openError(path, error);
  }
  const buffer = Buffer.alloc(MAX_BYTES);
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) {
      throw new KeyFileError('UNREADABLE', `key file ${path} is not a regular file`, MADE_BY);
    }
    checkOwner(path, stat);
    if (stat.size > MAX_BYTES) throw malformed('it is too long');
    const { bytesRead } = await handle.read(buffer, 0, MAX_BYTES, 0);
    return parseKeyFile(buffer.toString('utf8', 0, bytesRead));
  } finally {
    buffer.fill(0);
    await handle.close();
  }
}

function checkOwner(path: string, stat: { readonly mode: number; readonly uid: number }): void {
  if ((stat.mode & 0o077) !== 0) {
    throw new KeyFileError(
      'PERMISSIONS',
      `key file ${path} may be used by others`,
      `chmod 600 ${path}, or better make a new key`,
    );
  }
  if (stat.uid !== 0 && stat.uid !== process.geteuid?.()) {
    throw new KeyFileError(
      'PERMISSIONS',
      `key file ${path} belongs to another user`,
      'make it as the user Sealane runs as',
    );
  }
}

function openError(path: string, error: unknown): KeyFileError {
  const code = errno(error);
  if (code === 'ENOENT') return new KeyFileError('NOT_FOUND', `no key file ${path}`, MADE_BY);
  if (code === 'ELOOP') {
    return new KeyFileError('UNREADABLE', `key file ${path} is a symbolic link`, 'name the file');
  }
  return new KeyFileError('UNREADABLE', `cannot open key file ${path} (${code})`, 'check its path');
}

function errno(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}

/** The text of a key file with fresh random key, salt and run id. Secret. */
export function generateKeyFile(algorithm: Algorithm): string {
  const hex = (bytes: number): string => randomBytes(bytes).toString('hex');
  const fields = {
    format: KEY_FILE_FORMAT,
    algorithm,
    run: hex(RUN_BYTES),
    key: hex(keyBytes(algorithm)),
    salt: hex(ESP_SUITES[algorithm].salt),
  };
  return `${JSON.stringify(fields, undefined, 2)}\n`;
}

/**
 * Makes a new key file, mode 0600; an existing file is left alone. Returns its run id.
 * Throws {@link KeyFileError} EXISTS or SYSTEM.
 */
export async function writeKeyFile(path: string, algorithm: Algorithm): Promise<string> {
  const text = generateKeyFile(algorithm);
  let handle: FileHandle;
  try {
    handle = await open(path, 'wx', 0o600);
  } catch (error) {
    if (errno(error) === 'EEXIST') {
      const remedy = 'a key is never overwritten: name another file, or remove it first';
      throw new KeyFileError('EXISTS', `${path} exists`, remedy);
    }
    const what = `cannot make ${path} (${errno(error)})`;
    throw new KeyFileError('SYSTEM', what, 'check the folder and its permissions');
  }
  try {
    await handle.chmod(0o600); // whatever the umask left
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return parseKeyFile(text).run;
}
