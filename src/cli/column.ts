// SPDX-License-Identifier: Apache-2.0
/** What a column is. */

export type CellType = 'string' | 'integer' | 'number' | 'boolean';

export interface Column {
  readonly title: string;
  readonly type: CellType;
  /** In the table only with --wide; always in the JSON. */
  readonly wide?: true;
  /** Running text: folded before names and addresses are. */
  readonly prose?: true;
  /** An integer for which 0 stands for none: the table shows "-". */
  readonly zeroIsNone?: true;
}

/** Every key of a row, in order. */
export type Columns<Row> = { readonly [K in keyof Row]-?: Column };

export const text = (title: string): Column => ({ title, type: 'string' });
export const prose = (title: string): Column => ({ title, type: 'string', prose: true });
export const count = (title: string): Column => ({ title, type: 'integer' });
export const decimal = (title: string): Column => ({ title, type: 'number' });
export const flag = (title: string): Column => ({ title, type: 'boolean' });
export const wide = (column: Column): Column => ({ ...column, wide: true });
export const orNone = (column: Column): Column => ({ ...column, zeroIsNone: true });
