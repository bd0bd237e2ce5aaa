// SPDX-License-Identifier: Apache-2.0
/** `sealane explain`: steps of a packet's way as aligned lines, or as JSON. */
import type { ExplainRow } from '../../rpc/client.js';
import { EXPLAIN_COLUMNS } from '../columns.js';
import { writeAll, type Output } from '../output.js';
import { columnList, jsonArray, printable } from '../render.js';
import { withClient, type Selection } from '../select.js';

export interface ExplainOptions {
  readonly json?: boolean;
}

export interface ExplainLabelOptions extends ExplainOptions {
  readonly fromSp?: string;
  readonly protection?: string;
  readonly encapsulation?: string;
}

export async function explainVrf(
  vrf: string,
  address: string,
  options: ExplainOptions,
  selection: Selection,
  output: Output,
): Promise<void> {
  const rows = await withClient(selection, async (client) => client.explainRoute(vrf, address));
  await write(rows, options, output);
}

export async function explainLabel(
  label: number,
  options: ExplainLabelOptions,
  selection: Selection,
  output: Output,
): Promise<void> {
  const { fromSp = '', protection = '', encapsulation = '' } = options;
  const question = { label, fromSp, protection, encapsulation };
  const rows = await withClient(selection, async (client) => client.explainLabel(question));
  await write(rows, options, output);
}

async function write(
  rows: readonly ExplainRow[],
  { json }: ExplainOptions,
  output: Output,
): Promise<void> {
  if (json === true) await writeAll(output, jsonArray(from(rows), columnList(EXPLAIN_COLUMNS)));
  else {
    await output.out(
      explainText(rows)
        .map((line) => `${line}\n`)
        .join(''),
    );
  }
}

async function* from<T>(rows: readonly T[]): AsyncGenerator<T> {
  yield* await Promise.resolve(rows);
}

/** "yes" and "NO" in front of what has to be so; why, and the counter that would rise, on lines below. */
export function explainText(rows: readonly ExplainRow[]): string[] {
  const widest = Math.max(...rows.map(({ step }) => step.length));
  const below = ' '.repeat(5 + widest);
  let way = 0;
  return rows.flatMap((row) => {
    const head = row.way !== way && row.way !== 0 ? [`way ${row.way}`] : [];
    way = row.way;
    const mark = row.ok === undefined ? '' : row.ok ? 'yes' : 'NO';
    const line = `${mark.padEnd(3)} ${row.step.padEnd(widest)} ${printable(row.what)}`;
    const why = row.why === '' ? [] : [`${below}because: ${printable(row.why)}`];
    const drop = row.drop === '' ? [] : [`${below}counted as: ${row.drop}`];
    return [...head, line.trimEnd(), ...why, ...drop];
  });
}
