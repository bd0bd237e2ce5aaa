// SPDX-License-Identifier: Apache-2.0
/** One renderer for all topics: rows and columns into a table or a JSON array, as they come. */
import type { Column } from './column.js';

/** What a row may hold. Undefined: does not apply. */
type Cell = string | number | bigint | boolean | undefined;

export interface NamedColumn extends Column {
  readonly key: string;
}

export function columnList(columns: Readonly<Record<string, Column>>): readonly NamedColumn[] {
  return Object.entries(columns).map(([key, column]) => ({ key, ...column }));
}

function cellOf(row: object, key: string): Cell {
  const value: unknown = Reflect.get(row, key);
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'bigint':
    case 'boolean':
      return value;
    default:
      return undefined;
  }
}

// ---- JSON ----------------------------------------------------------------------------------------

/**
 * A flat JSON object. Integers have all their digits, also above 2^53 where JSON.stringify could not
 * write them; what does not apply is null.
 */
export function jsonRow(row: object, columns: readonly NamedColumn[]): string {
  const members = columns.map(({ key }) => `${JSON.stringify(key)}:${jsonCell(cellOf(row, key))}`);
  return `{${members.join(',')}}`;
}

function jsonCell(cell: Cell): string {
  if (cell === undefined) return 'null';
  return typeof cell === 'bigint' ? cell.toString() : JSON.stringify(cell);
}

/** Exactly one JSON array, a row a line. */
export async function* jsonArray(
  rows: AsyncIterable<object>,
  columns: readonly NamedColumn[],
): AsyncGenerator<string> {
  let before = '[';
  for await (const row of rows) {
    yield `${before}${jsonRow(row, columns)}`;
    before = ',\n';
  }
  yield before === '[' ? '[]\n' : ']\n';
}

// ---- Paragraphs ----------------------------------------------------------------------------------

/** A line for each key that says something, an empty line between rows. */
export async function* paragraphs(
  rows: AsyncIterable<object>,
  columns: readonly NamedColumn[],
): AsyncGenerator<string> {
  const widest = Math.max(...columns.map(({ title }) => title.length));
  let before = '';
  for await (const row of rows) {
    const lines = columns.flatMap((column) => {
      const cell = tableCell(cellOf(row, column.key), column);
      return cell === '-' ? [] : [`${column.title.toLowerCase().padEnd(widest)}  ${cell}\n`];
    });
    yield `${before}${lines.join('')}`;
    before = '\n';
  }
}

// ---- Table ---------------------------------------------------------------------------------------

const GAP = '  ';
/** A column is never made narrower than this to fit the line. */
const NARROWEST = 8;
/** Widths are chosen from so many rows; wider cells of later rows are folded. */
const MEASURED_ROWS = 500;

export interface TableOptions {
  /** Characters of a line. */
  readonly width: number;
  readonly wide: boolean;
}

/** Lines of a table, each ending in a newline. Cells that do not fit go on in the next line. */
export async function* table(
  rows: AsyncIterable<object>,
  columns: readonly NamedColumn[],
  options: TableOptions,
): AsyncGenerator<string> {
  const shown = columns.filter((column) => options.wide || column.wide !== true);
  const first: string[][] = [];
  let widths: readonly number[] | undefined;
  for await (const row of rows) {
    const cells = shown.map((column) => tableCell(cellOf(row, column.key), column));
    if (widths !== undefined) {
      yield line(cells, widths, shown);
      continue;
    }
    first.push(cells);
    if (first.length < MEASURED_ROWS) continue;
    widths = chooseWidths(shown, first, options.width);
    yield* head(shown, first, widths);
  }
  if (widths === undefined) yield* head(shown, first, chooseWidths(shown, first, options.width));
}

function* head(
  columns: readonly NamedColumn[],
  rows: readonly (readonly string[])[],
  widths: readonly number[],
): Generator<string> {
  const titles = columns.map(({ title }) => title);
  yield line(titles, widths, columns);
  for (const cells of rows) yield line(cells, widths, columns);
}

export function tableCell(cell: Cell, column: Column): string {
  if (cell === undefined || cell === '') return '-';
  if (column.zeroIsNone === true && (cell === 0 || cell === 0n)) return '-';
  if (typeof cell === 'boolean') return cell ? 'yes' : 'no';
  if (column.type === 'number' && typeof cell === 'number') return cell.toFixed(1);
  return printable(String(cell));
}

/** Names come from configurations and kernels: nothing in them may drive the terminal. */
export function printable(cell: string): string {
  return cell.replace(/[\p{Cc}\p{Cf}]/gu, '?');
}

/** As wide as the widest cell, made narrower where the line would be too long: the widest first. */
function chooseWidths(
  columns: readonly NamedColumn[],
  rows: readonly (readonly string[])[],
  lineWidth: number,
): readonly number[] {
  const widths = columns.map(({ title }, i) =>
    rows.reduce((most, cells) => Math.max(most, (cells[i] ?? '').length), title.length),
  );
  const room = lineWidth - GAP.length * (columns.length - 1);
  const total = (): number => widths.reduce((sum, width) => sum + width, 0);
  // Only words are folded: half a number is a wrong number. Running text goes first.
  const widestOf = (candidates: readonly NamedColumn[]): number | undefined =>
    columns.reduce<number | undefined>((best, column, i) => {
      const width = widths[i] ?? 0;
      if (width <= NARROWEST || !candidates.includes(column)) return best;
      return best === undefined || width > (widths[best] ?? 0) ? i : best;
    }, undefined);
  const words = columns.filter(({ type }) => type === 'string');
  const running = words.filter((column) => column.prose === true);
  while (total() > room) {
    const widest = widestOf(running) ?? widestOf(words);
    if (widest === undefined) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

/** One row, as many lines as its most folded cell. */
function line(
  cells: readonly string[],
  widths: readonly number[],
  columns: readonly NamedColumn[],
): string {
  const folded = cells.map((cell, i) => fold(cell, widths[i] ?? cell.length));
  const lines = Math.max(...folded.map((parts) => parts.length));
  let text = '';
  for (let n = 0; n < lines; n++) {
    const parts = folded.map((each, i) => {
      const right = columns[i]?.type === 'integer' || columns[i]?.type === 'number';
      const part = each[n] ?? '';
      return right ? part.padStart(widths[i] ?? 0) : part.padEnd(widths[i] ?? 0);
    });
    text += `${parts.join(GAP).trimEnd()}\n`;
  }
  return text;
}

/** Breaks at spaces where there are any, else anywhere. */
export function fold(cell: string, width: number): readonly string[] {
  const lines: string[] = [];
  let rest = cell;
  while (rest.length > width) {
    const space = rest.lastIndexOf(' ', width);
    const at = space > 0 ? space : width;
    lines.push(rest.slice(0, at).trimEnd());
    rest = rest.slice(at).trimStart();
  }
  if (rest !== '' || lines.length === 0) lines.push(rest);
  return lines;
}
