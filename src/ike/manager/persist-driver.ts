// SPDX-License-Identifier: Apache-2.0
/**
 * The files of ADR 13: one per IKE SA, mode 0600, in a directory of mode 0700 that must be memory, not a disk.
 * A file is written beside its place and renamed, so that it is whole or not there.
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../../lib/log.js';
import type { SaStore } from './persist.js';

/** statfs(2): f_type of file systems that are memory. */
const TMPFS = 0x0102_1994;
const RAMFS = 0x8584_58f6;
const NAME = /^[0-9a-f]{16}\.sa$/;
/** Far above the state of any IKE SA. */
const MOST_BYTES = 1 << 20;

export interface FileStoreOptions {
  readonly directory: string;
  /** Of the segments. */
  readonly epoch: string;
  readonly log: Logger;
}

/** Throws when the directory is not ours alone, or is on a disk: keys must not be written there. */
export function openFileStore({ directory, epoch, log }: FileStoreOptions): SaStore {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const { uid, mode } = lstatSync(directory);
  if (
    uid !== process.geteuid?.() ||
    (mode & 0o077) !== 0 ||
    (mode & constants.S_IFMT) !== constants.S_IFDIR
  ) {
    throw new Error(`${directory} must be a directory of our own, mode 0700`);
  }
  const { type } = statfsSync(directory);
  if (type !== TMPFS && type !== RAMFS) {
    throw new Error(`${directory} must be on a tmpfs: it holds keys`);
  }
  return new FileStore(directory, epoch, log);
}

class FileStore implements SaStore {
  readonly epoch: string;
  readonly #directory: string;
  readonly #log: Logger;
  #complained = false;

  constructor(directory: string, epoch: string, log: Logger) {
    this.#directory = directory;
    this.epoch = epoch;
    this.#log = log;
  }

  /** What cannot be read is removed: nobody will ever go on with it. */
  load(): readonly Uint8Array[] {
    const all: Uint8Array[] = [];
    for (const name of readdirSync(this.#directory)) {
      const path = join(this.#directory, name);
      const octets = NAME.test(name) ? read(path) : undefined;
      if (octets === undefined) rmSync(path, { force: true, recursive: true });
      else all.push(octets);
    }
    return all;
  }

  put(ownSpi: bigint, octets: Uint8Array): void {
    const path = this.#path(ownSpi);
    const { O_CREAT, O_NOFOLLOW, O_TRUNC, O_WRONLY } = constants;
    try {
      const fd = openSync(`${path}.new`, O_CREAT | O_NOFOLLOW | O_TRUNC | O_WRONLY, 0o600);
      try {
        for (let at = 0; at < octets.length;) at += writeSync(fd, octets, at);
      } finally {
        closeSync(fd);
      }
      renameSync(`${path}.new`, path);
      this.#complained = false;
    } catch (error) {
      // What is there is old: going on from it would use message IDs anew.
      for (const each of [path, `${path}.new`]) rmSync(each, { force: true, recursive: true });
      if (this.#complained) return;
      this.#complained = true;
      const reason = error instanceof Error ? error.message : String(error);
      this.#log.warning('IKE SAs will not outlive a restart', { reason });
    }
  }

  remove(ownSpi: bigint): void {
    rmSync(this.#path(ownSpi), { force: true });
  }

  #path(ownSpi: bigint): string {
    return join(this.#directory, `${ownSpi.toString(16).padStart(16, '0')}.sa`);
  }
}

function read(path: string): Uint8Array | undefined {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const { size, uid, mode } = fstatSync(fd);
      const isOurs = uid === process.geteuid?.() && (mode & 0o077) === 0;
      return isOurs && size <= MOST_BYTES ? readFileSync(fd) : undefined;
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
}
