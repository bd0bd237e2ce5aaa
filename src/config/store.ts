// SPDX-License-Identifier: Apache-2.0
/**
 * The committed configuration in the state directory. A restart loads it, never an edited file.
 *
 *   committed.json            the configuration in force, with the digest of its canonical JSON
 *   committed.previous.json   the one before
 *
 * A crash at any instant leaves either the old or the new one in place: the file is written beside,
 * on disk before it is renamed, and never edited. There is one writer, the supervisor.
 */
import { constants } from 'node:fs';
import { link, mkdir, open, readFile, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { configDigestHex } from './canonical.js';
import { formatIssue } from './issues.js';
import type { Config } from './types.js';
import { validateConfig } from './validate.js';

const CURRENT = 'committed.json';
const PREVIOUS = 'committed.previous.json';
const FORMAT = 'sealane-committed-1';

export interface Committed {
  readonly config: Config;
  /** SHA-256 of the canonical JSON, hex. */
  readonly digest: string;
  /** ISO 8601. */
  readonly committedAt: string;
  /** The file it came from; empty when unknown. */
  readonly configFile: string;
}

export type StoreErrorCode =
  | 'CORRUPT' // no JSON, or the digest does not fit: damaged or edited
  | 'INVALID' // this version of Sealane does not accept it
  | 'SYSTEM';

export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;
  readonly remedy: string;
  constructor(code: StoreErrorCode, message: string, remedy: string) {
    super(message);
    this.code = code;
    this.remedy = remedy;
  }
}

const envelope = z.object({
  format: z.literal(FORMAT),
  digest: z.string(),
  committedAt: z.string(),
  configFile: z.string(),
  config: z.unknown(),
});

function isGenuine({ config, digest }: z.infer<typeof envelope>): boolean {
  return configDigestHex(config) === digest;
}

export class CommittedStore {
  readonly #folder: string;
  readonly #afterStep: (step: string) => Promise<void>;

  /** @param afterStep called after each change on disk (tests look at what a crash there would leave) */
  constructor(stateDirectory: string, afterStep?: (step: string) => Promise<void>) {
    this.#folder = stateDirectory;
    this.#afterStep = afterStep ?? (async () => Promise.resolve());
  }

  /**
   * Makes a configuration the committed one; on disk when the promise is fulfilled. Committing what
   * is committed already keeps the previous one. Throws {@link StoreError} SYSTEM.
   */
  async commit(config: Config, from: Pick<Committed, 'committedAt' | 'configFile'>): Promise<void> {
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      const digest = configDigestHex(config);
      const { committedAt, configFile } = from;
      const text = JSON.stringify({ format: FORMAT, digest, committedAt, configFile, config });
      const unchanged = (await this.#digestOf(CURRENT)) === digest;
      await this.#writeBeside(text);
      if (!unchanged) await this.#keepPrevious();
      await rename(this.#path(`${CURRENT}.new`), this.#path(CURRENT));
      await this.#afterStep('renamed');
      await this.#syncFolder();
    } catch (error) {
      throw this.#systemError('keep', error);
    }
  }

  /** The committed configuration, checked; undefined when there is none. Throws {@link StoreError}. */
  async load(): Promise<Committed | undefined> {
    return this.#load(CURRENT);
  }

  /** The one before, for going back by hand. Throws {@link StoreError}. */
  async loadPrevious(): Promise<Committed | undefined> {
    return this.#load(PREVIOUS);
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }

  async #writeBeside(text: string): Promise<void> {
    const path = this.#path(`${CURRENT}.new`);
    await rm(path, { force: true }); // of a crash before
    const handle = await open(path, 'wx', 0o600);
    try {
      await this.#afterStep('opened');
      await handle.writeFile(`${text}\n`);
      await this.#afterStep('written');
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  /** A second name for the current file, put in place of the previous one. */
  async #keepPrevious(): Promise<void> {
    const path = this.#path(`${PREVIOUS}.new`);
    await rm(path, { force: true });
    try {
      await link(this.#path(CURRENT), path);
    } catch (error) {
      if (errno(error) === 'ENOENT') return; // the first one
      throw error;
    }
    await this.#afterStep('linked');
    await rename(path, this.#path(PREVIOUS));
    await this.#afterStep('previous kept');
  }

  async #syncFolder(): Promise<void> {
    const handle: FileHandle = await open(this.#folder, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  async #digestOf(name: string): Promise<string | undefined> {
    try {
      return (await this.#read(name))?.digest;
    } catch {
      return undefined; // a damaged one is replaced
    }
  }

  /** Digest checked, contents not yet. */
  async #read(name: string): Promise<z.infer<typeof envelope> | undefined> {
    let text: string;
    try {
      text = await readFile(this.#path(name), 'utf8');
    } catch (error) {
      if (errno(error) === 'ENOENT') return undefined;
      throw this.#systemError('read', error);
    }
    const stored = envelope.safeParse(parse(text)).data;
    if (stored !== undefined && isGenuine(stored)) return stored;
    throw new StoreError(
      'CORRUPT',
      `${this.#path(name)} is damaged or was edited`,
      `restore it (${this.#path(PREVIOUS)} is the one before), or remove it and run with a file`,
    );
  }

  async #load(name: string): Promise<Committed | undefined> {
    const stored = await this.#read(name);
    if (stored === undefined) return undefined;
    const checked = validateConfig(stored.config);
    if (!checked.ok) {
      const first = checked.issues[0];
      const words = first === undefined ? '' : `: ${formatIssue(first)}`;
      throw new StoreError(
        'INVALID',
        `${this.#path(name)} has ${checked.issues.length} mistake(s) for this version${words}`,
        'correct the configuration file and run with it',
      );
    }
    const { digest, committedAt, configFile } = stored;
    return { config: checked.config, digest, committedAt, configFile };
  }

  #systemError(what: string, error: unknown): StoreError {
    if (error instanceof StoreError) return error;
    const message = `cannot ${what} the committed configuration in ${this.#folder} (${errno(error)})`;
    return new StoreError('SYSTEM', message, 'check the folder, its permissions and free space');
  }
}

function errno(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
