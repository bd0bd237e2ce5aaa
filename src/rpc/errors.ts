// SPDX-License-Identifier: Apache-2.0
/**
 * Errors that cross the control socket. Whoever implements {@link ControlBackend} throws these; the
 * client gets the same code, message, remedy and issues back. Anything else that is thrown is a
 * defect and arrives as INTERNAL.
 */

/** Stable names; `sealane` derives its exit code from them (docs/cli.md). */
export const CONTROL_ERROR_CODES = [
  'INVALID_ARGUMENT', // the request itself makes no sense
  'INVALID_CONFIG', // the configuration has mistakes: `issues`
  'CONFIG_LOAD', // the configuration file cannot be read, compiled or run
  'NOT_FOUND', // no such VRF, instance, ...
  'BUSY', // another change is under way
  'UNAVAILABLE', // no supervisor listens, or it is stopping
  'TIMEOUT', // no answer in time
  'APPLY_FAILED', // the change could not be applied; the old configuration is in force
  'NO_PRIVILEGE', // the socket exists but may not be opened
  'INTERNAL',
] as const;
export type ControlErrorCode = (typeof CONTROL_ERROR_CODES)[number];

/** One mistake of a configuration. The same shape as `Issue` of src/config/issues.ts. */
export interface ControlIssue {
  readonly path: string;
  /** The offending value as JSON, shortened; empty: nothing was there. */
  readonly value: string;
  readonly reason: string;
  /** What would be right. */
  readonly remedy: string;
}

export class ControlError extends Error {
  override readonly name = 'ControlError';
  readonly code: ControlErrorCode;
  /** What to do about it, one line; may be empty. */
  readonly remedy: string;
  readonly issues: readonly ControlIssue[];

  constructor(
    code: ControlErrorCode,
    message: string,
    options: { remedy?: string; issues?: readonly ControlIssue[]; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.remedy = options.remedy ?? '';
    this.issues = options.issues ?? [];
  }
}
