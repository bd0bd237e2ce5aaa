// SPDX-License-Identifier: Apache-2.0
/** Errors as the operator sees them: one line with its remedy, and an exit code (docs/cli.md). */
import { KeyFileError } from '../lib/key-file.js';
import { ControlError, type ControlErrorCode, type ControlIssue } from '../rpc/errors.js';

export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  config: 3,
  unreachable: 4,
  notFound: 5,
  tryAgain: 6,
} as const;

const EXIT_OF: Readonly<Record<ControlErrorCode, number>> = {
  INVALID_ARGUMENT: EXIT.usage,
  INVALID_CONFIG: EXIT.config,
  CONFIG_LOAD: EXIT.config,
  NOT_FOUND: EXIT.notFound,
  BUSY: EXIT.tryAgain,
  TIMEOUT: EXIT.tryAgain,
  UNAVAILABLE: EXIT.unreachable,
  NO_PRIVILEGE: EXIT.unreachable,
  APPLY_FAILED: EXIT.failed,
  INTERNAL: EXIT.failed,
};

export function exitCodeOf(error: unknown): number {
  return error instanceof ControlError ? EXIT_OF[error.code] : EXIT.failed;
}

/** `severity: PATH: REASON (VALUE): REMEDY`. */
export function issueLine(severity: 'error' | 'warning', found: ControlIssue): string {
  const shown = found.value === '' ? '' : ` (${found.value})`;
  const remedy = found.remedy === '' ? '' : `: ${found.remedy}`;
  return `${severity}: ${found.path}: ${found.reason}${shown}${remedy}`;
}

/** Every mistake of a configuration, then the error itself. */
export function errorLines(error: unknown): readonly string[] {
  const issues = error instanceof ControlError ? error.issues : [];
  return [...issues.map((found) => issueLine('error', found)), `sealane: ${inOneLine(error)}`];
}

function inOneLine(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  const known = error instanceof ControlError || error instanceof KeyFileError;
  const remedy = known && error.remedy !== '' ? `: ${error.remedy}` : '';
  return `${error.message}${remedy}`.replace(/\s+/g, ' ');
}
