// SPDX-License-Identifier: Apache-2.0
/** What the native addon throws: the tables half and the kernel half alike. */

/** Stable codes of refusals; `message` says what happened, `remedy` what to do. */
export type AddonErrorCode =
  | 'SEGMENT_LOCKED' // another live process writes this segment
  | 'SEGMENT_LAYOUT' // other magic, version or layout hash
  | 'SEGMENT_SPACE' // tmpfs is full
  | 'SEGMENT_SYSTEM' // another system call failed; errno in the message
  | 'TABLE_FULL'
  | 'NOT_FOUND'
  | 'IN_USE' // a live row still refers to it
  | 'KEY_REUSED' // key is live in another row, or was used before (policy-model 22)
  | 'SPI_TAKEN' // SPI, or its slot, belongs to another live SA
  | 'WRONG_THREAD'
  | 'CLOSED'
  | 'BAD_ARGUMENT'
  | 'KERNEL'; // a namespace, TAP or socket call failed; errno name in `errno`

export interface AddonError extends Error {
  readonly code: AddonErrorCode;
  readonly remedy?: string;
  readonly errno?: string;
}
