// SPDX-License-Identifier: Apache-2.0
/** Reading the files that the `ike` section names. No message has anything in it that was read from a file. */
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';

/** 'secret': only its owner, this user or root, may read or write it, and it is no symbolic link. */
export type Secrecy = 'secret' | 'public';

/** The whole content; who asked for a secret wipes it. Throws {@link IkeFileError}. */
export type ReadFile = (path: string, secrecy: Secrecy) => Promise<Buffer>;

/** Keys are small. CRLs may have a million entries. */
const MOST_OCTETS: Readonly<Record<Secrecy, number>> = { secret: 65_536, public: 64 << 20 };

export class IkeFileError extends Error {
  override readonly name = 'IkeFileError';
  readonly path: string;
  readonly remedy: string;
  /** @param what what is wrong, behind the path */
  constructor(path: string, what: string, remedy: string) {
    super(`${path} ${what}`);
    this.path = path;
    this.remedy = remedy;
  }
}

/** {@link ReadFile} of the file system. */
export async function readIkeFile(path: string, secrecy: Secrecy): Promise<Buffer> {
  const isSecret = secrecy === 'secret';
  let handle: FileHandle;
  try {
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    const flags = constants.O_RDONLY | constants.O_NONBLOCK;
    handle = await open(path, isSecret ? flags | constants.O_NOFOLLOW : flags);
  } catch (error) {
    throw openError(path, error);
  }
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw new IkeFileError(path, 'is not a regular file', 'check its path');
    if (isSecret) checkOwner(path, stat);
    if (stat.size > MOST_OCTETS[secrecy]) {
      throw new IkeFileError(path, 'is too long for what it is meant to be', 'check its path');
    }
    return await readAll(handle, stat.size);
  } finally {
    await handle.close();
  }
}

/** Up to `size` octets: what grows meanwhile is cut off, and then cannot be decoded. */
async function readAll(handle: FileHandle, size: number): Promise<Buffer> {
  const buffer = Buffer.from(new ArrayBuffer(size));
  let at = 0;
  while (at < size) {
    const { bytesRead } = await handle.read(buffer, at, size - at, at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return buffer.subarray(0, at);
}

function checkOwner(path: string, stat: { readonly mode: number; readonly uid: number }): void {
  if ((stat.mode & 0o077) !== 0) {
    throw new IkeFileError(
      path,
      'may be used by others',
      `chmod 600 ${path}, or better make a new key`,
    );
  }
  if (stat.uid !== 0 && stat.uid !== process.geteuid?.()) {
    throw new IkeFileError(path, 'belongs to another user', 'give it to the user Sealane runs as');
  }
}

function openError(path: string, error: unknown): IkeFileError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  if (code === 'ENOENT') return new IkeFileError(path, 'does not exist', 'check its path');
  if (code === 'ELOOP') return new IkeFileError(path, 'is a symbolic link', 'name the file itself');
  return new IkeFileError(path, `cannot be opened (${code})`, 'check its path and permissions');
}
