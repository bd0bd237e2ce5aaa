// SPDX-License-Identifier: Apache-2.0
/** Failures an operator can do something about: one line, and the remedy. */

export class SupervisorError extends Error {
  override readonly name = 'SupervisorError';
  /** Stable; for tests and scripts. */
  readonly code: SupervisorErrorCode;
  readonly remedy: string;

  constructor(code: SupervisorErrorCode, message: string, remedy: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.code = code;
    this.remedy = remedy;
  }
}

export const SUPERVISOR_ERROR_CODES = [
  'CONFIG', // refused by the configuration check, or not found
  'SECOND_SUPERVISOR',
  'SEGMENTS', // another layout, no space
  'WORKER_MISSING', // no such program
  'WORKER_START', // it ended while starting, or does not answer
  'WORKER_COMMAND', // it refused a command
  'HUGEPAGES',
  'PRIVILEGE',
  'DEVICE', // unknown, bound to a kernel driver, in use
  'KERNEL', // a namespace, TAP, address or rule could not be made
  'KEY', // a manual SA's key file or its history
  'LABELS',
] as const;
export type SupervisorErrorCode = (typeof SUPERVISOR_ERROR_CODES)[number];

function field(error: unknown, name: string): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const value: unknown = Reflect.get(error, name);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

export const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

/** Stable code of an error that has one (addon, worker, key file, system call). */
export const codeOf = (error: unknown): string | undefined => field(error, 'code');

/** What to do about it; empty when the error does not say. */
export const remedyOf = (error: unknown): string => field(error, 'remedy') ?? '';

/** `MESSAGE: REMEDY`, on one line. */
export function oneLine(error: unknown): string {
  const remedy = remedyOf(error);
  const text = messageOf(error).replaceAll(/\s*\n\s*/g, '; ');
  return remedy === '' ? text : `${text}: ${remedy}`;
}
