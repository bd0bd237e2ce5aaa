// SPDX-License-Identifier: Apache-2.0
/** Opens the shared segments; the lock on `tables` makes this supervisor the only one. */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import type { Addon, Tables } from '../forwarding/addon/api.js';
import type { Logger } from '../lib/log.js';
import { codeOf, messageOf, remedyOf, SupervisorError } from './errors.js';
import type { InstancePaths } from './paths.js';

function refused(error: unknown, paths: InstancePaths): SupervisorError {
  const code = codeOf(error);
  const remedy = remedyOf(error);
  if (code === 'SEGMENT_LOCKED') {
    const use = 'use `sealane reload` to change its configuration, or `sealane stop` to end it';
    return new SupervisorError(
      'SECOND_SUPERVISOR',
      `another supervisor runs: ${messageOf(error)}`,
      use,
      error,
    );
  }
  const fallback = `check ${paths.segments}: it must be on a tmpfs with room`;
  return new SupervisorError(
    'SEGMENTS',
    messageOf(error),
    remedy === '' ? fallback : remedy,
    error,
  );
}

function open(addon: Addon, paths: InstancePaths): Tables {
  try {
    return addon.openTables({ tables: paths.tables, state: paths.state });
  } catch (error) {
    throw refused(error, paths);
  }
}

/**
 * Creates the segments, or attaches to those of before. Tables whose state is gone are made anew:
 * nobody knows any more what their SAs have sent (policy-model 22). Throws SECOND_SUPERVISOR, SEGMENTS.
 */
export function openSegments(addon: Addon, paths: InstancePaths, log: Logger): Tables {
  for (const folder of [paths.runtime, paths.stateDirectory, paths.segments]) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }
  const tables = open(addon, paths);
  const orphaned =
    tables.attached === 'reattached' && !existsSync(paths.state) && !tables.worker().alive;
  if (!orphaned) return tables;
  log.warning('the state segment is gone; starting with new segments', { tables: paths.tables });
  // Unlinked while we hold its lock: a second supervisor finds the old file locked or none.
  rmSync(paths.tables, { force: true });
  tables.close();
  return open(addon, paths);
}
