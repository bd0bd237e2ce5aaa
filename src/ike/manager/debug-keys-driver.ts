// SPDX-License-Identifier: Apache-2.0
/** The files of `--debug-keys`, named as Wireshark wants them in a profile's folder. Mode 0600. */
import { chmodSync, closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../../lib/log.js';
import type { DebugKeys } from './debug-keys.js';

const LINES_BETWEEN_WARNINGS = 100;

export interface DebugKeyFiles extends DebugKeys {
  close(): void;
}

export function openDebugKeys(directory: string, log: Logger): DebugKeyFiles {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const open = (name: string): number => {
    const path = join(directory, name);
    const fd = openSync(path, 'a', 0o600);
    chmodSync(path, 0o600);
    return fd;
  };
  const files = { ikev2_decryption_table: open('ikev2_decryption_table'), esp_sa: open('esp_sa') };
  let written = 0;
  const warn = (): void => {
    log.warning(
      '--debug-keys: ALL KEYS ARE WRITTEN TO A FILE, whoever reads it reads all traffic',
      {
        directory,
      },
    );
  };
  warn();
  return {
    write(table, line) {
      writeSync(files[table], `${line}\n`);
      written++;
      if (written % LINES_BETWEEN_WARNINGS === 0) warn();
    },
    close() {
      for (const fd of Object.values(files)) closeSync(fd);
    },
  };
}
