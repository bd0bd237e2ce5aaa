// SPDX-License-Identifier: Apache-2.0
/** Key files of TCP MD5 and TCP-AO. No message of this module contains anything read from a file. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

const LONGEST = 80; // TCP_MD5SIG_MAXKEYLEN

export class SecretError extends Error {
  override readonly name = 'SecretError';
}

/**
 * The octets of a key file without the line end behind them, 1 to 80. Only its owner, this user or root,
 * may be able to read or write it; symbolic links are not followed. Throws {@link SecretError}.
 */
export function readSecret(path: string): Uint8Array {
  let fd: number;
  try {
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new SecretError(`cannot open key file ${path} (${code})`);
  }
  const buffer = Buffer.alloc(LONGEST + 3);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new SecretError(`key file ${path} is not a regular file`);
    if ((stat.mode & 0o077) !== 0) {
      throw new SecretError(`key file ${path} may be used by others: chmod 600`);
    }
    if (stat.uid !== 0 && stat.uid !== process.geteuid?.()) {
      throw new SecretError(`key file ${path} belongs to another user`);
    }
    let length = readSync(fd, buffer, 0, buffer.length, 0);
    if (length > 0 && buffer[length - 1] === 0x0a) length--;
    if (length > 0 && buffer[length - 1] === 0x0d) length--;
    if (length === 0 || length > LONGEST) {
      throw new SecretError(`key file ${path} does not hold 1 to ${LONGEST} octets`);
    }
    return Uint8Array.from(buffer.subarray(0, length));
  } finally {
    buffer.fill(0);
    closeSync(fd);
  }
}
