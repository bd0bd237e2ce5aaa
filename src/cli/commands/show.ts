// SPDX-License-Identifier: Apache-2.0
/** `sealane show TOPIC` and `sealane status`. */
import { suggest } from '../../lib/suggest.js';
import type { ShowFilter, Status, Topic } from '../../rpc/client.js';
import { ControlError } from '../../rpc/errors.js';
import { COLUMNS, isTopic, STATUS_COLUMNS, TOPICS } from '../columns.js';
import { writeAll, type Output } from '../output.js';
import {
  columnList,
  jsonArray,
  jsonRow,
  paragraphs,
  table,
  tableCell,
  type NamedColumn,
} from '../render.js';
import { withClient, type Selection } from '../select.js';

export interface ShowOptions extends ShowFilter {
  readonly json?: boolean;
  readonly wide?: boolean;
  /** A paragraph of all keys for each row. */
  readonly detail?: boolean;
}

/** What a word behind the topic stands for. */
const ARGUMENT: Readonly<Partial<Record<Topic, 'neighbor' | 'exact'>>> = {
  'bgp neighbors': 'neighbor',
  'bgp routes': 'exact',
};

/** A topic is one word or two; what is behind it is its argument. Throws INVALID_ARGUMENT. */
function topicOf(words: readonly string[]): { topic: Topic; argument: ShowFilter } {
  const length = words[0] === 'bgp' || words[0] === 'ike' ? 2 : 1;
  const first = words.slice(0, length).join(' ');
  const word = first === 'ike' ? 'ike sas' : first;
  const [value, ...others] = words.slice(length);
  if (!isTopic(word)) {
    const remedy = suggest(word, TOPICS, 'topics');
    throw new ControlError('INVALID_ARGUMENT', `nothing called "${word}" to show`, { remedy });
  }
  const name = ARGUMENT[word];
  const extra = name === undefined ? value : others[0];
  if (extra !== undefined) {
    throw new ControlError('INVALID_ARGUMENT', `"${extra}" means nothing behind ${word}`, {
      remedy: `run: sealane show ${word}${name === undefined ? '' : ` ${value ?? ''}`}`,
    });
  }
  return {
    topic: word,
    argument: name === undefined || value === undefined ? {} : { [name]: value },
  };
}

/** Which topics take which filter. */
const FILTERS: Readonly<Record<keyof ShowFilter | 'detail', readonly Topic[]>> = {
  vrf: [
    ...(['interfaces', 'vrfs', 'routes', 'labels', 'policers', 'queues', 'transitions'] as const),
    ...(['bgp summary', 'bgp neighbors', 'bgp routes'] as const),
  ],
  prefix: ['routes', 'bgp routes'],
  address: ['routes'],
  limit: ['routes', 'bgp routes'],
  all: ['drops', 'ike counters'],
  neighbor: ['bgp neighbors', 'bgp routes'],
  family: ['bgp routes'],
  exact: ['bgp routes'],
  detail: ['bgp neighbors', 'bgp routes', 'ike sas', 'ike children'],
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
  words: readonly string[],
  options: ShowOptions,
  selection: Selection,
  output: Output,
): Promise<void> {
  const { topic, argument } = topicOf(words);
  checkFilters(topic, options);
  const columns = columnList(COLUMNS[topic]);
  await withClient(selection, async (client) => {
    const rows = client.show(topic, { ...options, ...argument });
    await writeAll(output, textOf(rows, columns, options, output.width));
  });
}

function textOf(
  rows: AsyncIterable<object>,
  columns: readonly NamedColumn[],
  { json, detail, wide }: ShowOptions,
  width: number,
): AsyncGenerator<string> {
  if (json === true) return jsonArray(rows, columns);
  if (detail === true) return paragraphs(rows, columns);
  return table(rows, columns, { width, wide: wide === true });
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
