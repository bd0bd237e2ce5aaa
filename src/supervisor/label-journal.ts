// SPDX-License-Identifier: Apache-2.0
/**
 * The labels of routes on disk: one JSON record a line, in the order in which things happened, mode 0600.
 * Only added to while it is small, so that ten thousand labels are not ten thousand times a whole file.
 *
 * A record is on disk before what it says is acted upon. A last line without end was being written when the
 * machine stopped: nobody acted upon it, and it is left out.
 */
import { readFileSync } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { LabelRecord } from '../vpn/label-register.js';
import type { LabelJournal } from '../vpn/label-writer.js';
import { codeOf, messageOf, SupervisorError } from './errors.js';
import { isRecord } from './state-file.js';

/** Lines turned into text at once. */
const LINES = 1_000;

/** Records of the file, none when there is no file. Throws CONFIG when it cannot be read. */
export function readLabelJournal(path: string): LabelRecord[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw broken(path, messageOf(error));
  }
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line, i) => {
    const record = recordOf(line);
    if (record === undefined) throw broken(path, `line ${i + 1} is not of the expected form`);
    return record;
  });
}

function recordOf(line: string): LabelRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!isRecord(value)) return undefined;
  const { label, freedAt, quarantine, next } = value;
  if (isLabel(next)) return { next };
  if (!isLabel(label)) return undefined;
  if (typeof freedAt === 'number') {
    if (quarantine === undefined) return { label, freedAt };
    return typeof quarantine === 'number' ? { label, freedAt, quarantine } : undefined;
  }
  return meaningOf(label, value);
}

function meaningOf(label: number, value: Record<string, unknown>): LabelRecord | undefined {
  const { text, vrf, source } = value;
  if (typeof text !== 'string' || typeof vrf !== 'string') return undefined;
  if (source === undefined) return { label, text, vrf };
  return typeof source === 'string' ? { label, text, vrf, source } : undefined;
}

const isLabel = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 0xfffff;

function broken(path: string, why: string): SupervisorError {
  // Starting without it could give a label another meaning, so the operator decides.
  const remedy = `restore it from a backup, or remove it when no PE can have our routes any more`;
  return new SupervisorError('CONFIG', `cannot read ${path} (${why})`, remedy);
}

export class FileLabelJournal implements LabelJournal {
  readonly #path: string;
  #length = 0;
  /** The file ends with a whole record; false until it has been written anew once. */
  #clean = false;

  constructor(path: string) {
    this.#path = path;
  }

  get length(): number {
    return this.#clean ? this.#length : Infinity;
  }

  async append(records: readonly LabelRecord[]): Promise<void> {
    const file = await open(this.#path, 'a', 0o600);
    this.#clean = false;
    try {
      await file.appendFile(textOf(records));
      await file.datasync();
    } finally {
      await file.close();
    }
    this.#clean = true;
    this.#length += records.length;
  }

  async replace(records: readonly LabelRecord[]): Promise<void> {
    const folder = dirname(this.#path);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const next = `${this.#path}.new`;
    const file = await open(next, 'w', 0o600);
    try {
      for (let at = 0; at < records.length; at += LINES) {
        await file.appendFile(textOf(records.slice(at, at + LINES)));
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(next, this.#path);
    const directory = await open(folder, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
    this.#clean = true;
    this.#length = records.length;
  }
}

const textOf = (records: readonly LabelRecord[]): string =>
  records.map((record) => `${JSON.stringify(record)}\n`).join('');
