// SPDX-License-Identifier: Apache-2.0
/** `sealane show TOPIC` and `sealane status`. */
import { suggest } from '../../lib/suggest.js';
import type { ShowFilter, Status, Topic } from '../../rpc/client.js';
import { ControlError } from '../../rpc/errors.js';
import { COLUMNS, isTopic, STATUS_COLUMNS, TOPICS } from '../columns.js';
import { writeAll, type Output } from '../output.js';
import { columnList, jsonArray, jsonRow, table, tableCell } from '../render.js';
import { withClient, type Selection } from '../select.js';

export interface ShowOptions extends ShowFilter {
  readonly json?: boolean;
  readonly wide?: boolean;
}

/** Which topics take which filter. */
const FILTERS: Readonly<Record<keyof ShowFilter, readonly Topic[]>> = {
  vrf: ['interfaces', 'vrfs', 'routes', 'labels'],
  prefix: ['routes'],
  address: ['routes'],
  limit: ['routes'],
  all: ['drops'],
};

function checkFilters(topic: Topic, options: ShowOptions): void {
  for (const [filter, topics] of Object.entries(FILTERS)) {
    if (Reflect.get(options, filter) === undefined || topics.includes(topic)) continue;
    const message = `--${filter} means nothing for ${topic}`;
    const remedy = `it goes with: ${topics.join(', ')}`;
    throw new ControlError('INVALID_ARGUMENT', message, { remedy });
  }
}

export async function show(
  word: string,
  options: ShowOptions,
  selection: Selection,
  output: Output,
): Promise<void> {
  if (!isTopic(word)) {
    const remedy = suggest(word, TOPICS, 'topics');
    throw new ControlError('INVALID_ARGUMENT', `nothing called "${word}" to show`, { remedy });
  }
  checkFilters(word, options);
  const columns = columnList(COLUMNS[word]);
  await withClient(selection, async (client) => {
    const rows = client.show(word, options);
    const { width } = output;
    const text =
      options.json === true
        ? jsonArray(rows, columns)
        : table(rows, columns, { width, wide: options.wide === true });
    await writeAll(output, text);
  });
}

export async function status(
  options: { readonly json?: boolean },
  selection: Selection,
  output: Output,
): Promise<void> {
  const found = await withClient(selection, async (client) => client.status());
  const row = { ...found, warnings: found.warnings.join('\n') };
  const columns = columnList(STATUS_COLUMNS);
  if (options.json === true) {
    await output.out(`[${jsonRow(row, columns)}]\n`);
    return;
  }
  const widest = Math.max(...columns.map(({ title }) => title.length));
  const lines = columns
    .filter(({ key }) => key !== 'warnings')
    .map((column) => `${column.title.padEnd(widest)}  ${statusCell(found, column)}\n`);
  const warnings = found.warnings.map((warning) => `warning: ${warning}\n`);
  await output.out([...lines, ...warnings].join(''));
}

function statusCell(found: Status, column: ReturnType<typeof columnList>[number]): string {
  const cell: unknown = Reflect.get(found, column.key);
  const plain = typeof cell === 'string' || typeof cell === 'number' || typeof cell === 'bigint';
  return tableCell(plain ? cell : undefined, column);
}
