// SPDX-License-Identifier: Apache-2.0
/** Octets of hexadecimal text; blanks are skipped. */
export const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s+/g, ''), 'hex');
