// SPDX-License-Identifier: Apache-2.0
/** What src/kernel throws: one line saying what happened, one saying what to do. */
import { constants } from 'node:os';
import type { AddonError } from '../lib/addon-error.js';

export type KernelPartErrorCode =
  | 'NETLINK' // the kernel refused a request; errno and its own words in the message
  | 'NETLINK_CLOSED'
  | 'NO_INTERFACE'
  | 'INTERFACE_KIND' // a device of this name exists and is another's
  | 'ADDRESS_PRESENT' // an interface to be taken over has addresses
  | 'INTERFACE_IN_USE' // it is a port of a bridge, bond or VRF device
  | 'NOT_DEAF'
  | 'NETNS_FOREIGN' // a namespace of this name exists and is not ours
  | 'NETNS_MISSING'
  | 'COMMAND'; // a program (ip, nft) failed

export class KernelPartError extends Error {
  override readonly name = 'KernelPartError';
  readonly code: KernelPartErrorCode;
  readonly remedy: string | undefined;
  /** Name of the errno behind it, e.g. "EPERM". */
  readonly errno: string | undefined;

  constructor(code: KernelPartErrorCode, message: string, remedy?: string, errno?: string) {
    super(message);
    this.code = code;
    this.remedy = remedy;
    this.errno = errno;
  }
}

const names = new Map<number, string>(
  Object.entries(constants.errno).map(([name, number]) => [number, name]),
);

/** "EPERM" for 1. */
export function errnoName(errno: number): string {
  return names.get(errno) ?? `errno ${errno}`;
}

/** The errno name an error of the addon or of src/kernel carries, if any. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof KernelPartError) return error.errno;
  return isAddonError(error) ? error.errno : undefined;
}

export function isAddonError(error: unknown): error is AddonError {
  return error instanceof Error && 'code' in error && typeof error.code === 'string';
}
