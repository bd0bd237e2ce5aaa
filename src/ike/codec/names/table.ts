// SPDX-License-Identifier: Apache-2.0
/** Registries of numbers and their names. */

export type NameTable = Readonly<Record<number, string>>;

/** The name, or "WHAT NUMBER" for a number that has none. */
export const nameIn = (table: NameTable, number: number, what: string): string =>
  table[number] ?? `${what} ${number}`;
