// SPDX-License-Identifier: Apache-2.0
/** What loading a configuration file comes to; also what the child writes to its parent, as JSON. */
import type { Issue } from './issues.js';

export type LoadErrorCode =
  | 'NOT_FOUND'
  | 'UNREADABLE'
  | 'SYNTAX'
  | 'THREW' // the file ran and threw, or one of its imports is missing
  | 'NO_EXPORT' // no default export
  | 'NOT_PLAIN' // functions, class instances, cycles: `issues`
  | 'TIMEOUT'
  | 'TOO_LARGE'
  | 'CRASHED'; // the child ended without a result

export interface LoadError {
  readonly code: LoadErrorCode;
  /** What happened, one line, `FILE:LINE:COLUMN: ` first where known. */
  readonly message: string;
  readonly remedy: string;
  readonly issues: readonly Issue[];
}

export type LoadResult =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: LoadError };

export function loadError(
  code: LoadErrorCode,
  message: string,
  remedy: string,
  issues: readonly Issue[] = [],
): LoadResult & { ok: false } {
  return { ok: false, error: { code, message, remedy, issues } };
}
