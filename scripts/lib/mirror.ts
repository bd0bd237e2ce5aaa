// SPDX-License-Identifier: Apache-2.0
/** Copies of source folders that are built again and again. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

/** Files below a folder, relative to it. */
function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

/** Makes `to` equal to `from`; files that are equal keep their times, so that they are not compiled again. */
export function mirror(from: string, to: string): void {
  const wanted = new Set(filesOf(from));
  for (const file of existsSync(to) ? filesOf(to) : []) {
    if (!wanted.has(file)) rmSync(join(to, file));
  }
  for (const file of wanted) {
    const [source, target] = [join(from, file), join(to, file)];
    if (existsSync(target) && readFileSync(source).equals(readFileSync(target))) continue;
    mkdirSync(dirname(target), { recursive: true });
    cpSync(source, target);
  }
}

/** Writes a file's old text again, newer than what was built of it, however coarse the clock of the file system. */
export function restore(file: string, text: string): void {
  writeFileSync(file, text);
  const now = new Date(Math.max(Date.now(), statSync(file).mtimeMs + 2));
  utimesSync(file, now, now);
}
