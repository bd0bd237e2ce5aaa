// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Column } from '../../../src/cli/column.js';
import { COLUMNS, TOPICS } from '../../../src/cli/columns.js';
import { columnList, fold, jsonArray, jsonRow, table } from '../../../src/cli/render.js';
import * as sample from '../rpc/sample-backend.js';
import * as bgp from '../rpc/sample-bgp.js';
import * as ike from '../rpc/sample-ike.js';

async function* stream(rows: readonly object[]): AsyncGenerator<object> {
  for (const row of rows) yield await Promise.resolve(row);
}

async function collect(text: AsyncIterable<string>): Promise<string> {
  let all = '';
  for await (const piece of text) all += piece;
  return all;
}

const columns: Readonly<Record<string, Column>> = {
  name: { title: 'NAME', type: 'string' },
  count: { title: 'COUNT', type: 'integer' },
  id: { title: 'ID', type: 'integer', zeroIsNone: true },
  share: { title: 'SHARE', type: 'number' },
  ok: { title: 'OK', type: 'boolean' },
  more: { title: 'MORE', type: 'string', wide: true },
};
const rows = [
  { name: 'a', count: 5n, id: 0, share: 1.25, ok: true, more: 'x' },
  { name: '', count: 18_446_744_073_709_551_615n, id: 7, share: undefined, ok: false, more: 'y' },
];
const render = async (from: readonly object[], width = 120, wide = false): Promise<string> =>
  collect(table(stream(from), columnList(columns), { width, wide }));

describe('table', () => {
  it('aligns numbers right and words left, and shows what is not there as a dash', async () => {
    expect(await render(rows)).toBe(
      [
        'NAME                 COUNT  ID  SHARE  OK',
        'a                        5   -    1.3  yes',
        '-     18446744073709551615   7      -  no',
        '',
      ].join('\n'),
    );
  });

  it('has all columns when wide, and its head without rows', async () => {
    expect((await render(rows, 120, true)).split('\n')[1]).toMatch(/yes {2}x$/);
    expect(await render([])).toBe('NAME  COUNT  ID  SHARE  OK\n');
  });

  it('folds words to fit the line, never numbers', async () => {
    const long = { ...rows[1], name: 'no route to 2001:db8::3 from here' };
    expect(await render([long], 48)).toBe(
      [
        'NAME                        COUNT  ID  SHARE  OK',
        'no route to  18446744073709551615   7      -  no',
        '2001:db8::3',
        'from here',
        '',
      ].join('\n'),
    );
  });

  it('folds running text before names and addresses', async () => {
    const row = { ...sample.route(1), prefix: '2001:db8:1234:5678:9abc:def0:1234:5678/128' };
    const text = await collect(
      table(stream([row]), columnList(COLUMNS.routes), { width: 130, wide: false }),
    );
    expect(text.split('\n')[1]).toContain(` ${row.prefix} `);
    expect(text.split('\n')[2]?.trim()).toBe('gre');
  });

  it('fits 120 columns for every topic, long names and IPv6 included', async () => {
    const long = 'customer-frankfurt-headquarters';
    const six = '2001:db8:1234:5678:9abc:def0:1234:5678';
    for (const topic of TOPICS) {
      const row: Record<string, unknown> = Object.fromEntries<unknown>(
        Object.entries<Column>(COLUMNS[topic]).map(([key, { type }]): [string, unknown] => {
          if (type === 'string') {
            return [key, key.length % 2 === 0 ? long : `${six}/128 ${six}/128`];
          }
          if (type === 'boolean') return [key, true];
          return [key, type === 'integer' ? 1_234_567n : 99.9];
        }),
      );
      const text = await collect(
        table(stream([row]), columnList(COLUMNS[topic]), { width: 120, wide: false }),
      );
      for (const line of text.split('\n')) expect(line.length, topic).toBeLessThanOrEqual(120);
    }
  });

  it('streams: the first rows come before the last are there, later cells are folded', async () => {
    let made = 0;
    async function* many(): AsyncGenerator<object> {
      for (; made < 2000; made++) {
        yield await Promise.resolve({ ...rows[0], name: made === 1999 ? 'x'.repeat(9) : 'name' });
      }
    }
    const lines: string[] = [];
    for await (const line of table(many(), columnList(columns), { width: 120, wide: false })) {
      if (lines.length === 0) expect(made).toBeLessThan(600);
      lines.push(line);
    }
    expect(lines).toHaveLength(2001);
    expect(lines.at(-1)?.split('\n').slice(1, 3)).toEqual(['xxxx', 'x']);
  });

  it('lets no name drive the terminal', async () => {
    const text = await render([{ ...rows[0], name: 'a\u001b[2Jb\u202ec\nd' }]);
    expect(text.split('\n')[1]).toMatch(/^a\?\[2Jb\?c\?d {2}/);
  });
});

describe('fold', () => {
  it('loses nothing but the spaces it breaks at, and keeps to the width', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', ':', ' '), maxLength: 60 });
    fc.assert(
      fc.property(word, fc.integer({ min: 1, max: 20 }), (cell, width) => {
        const lines = fold(cell, width);
        expect(lines.join('').replaceAll(' ', '')).toBe(cell.replaceAll(' ', ''));
        for (const line of lines) expect(line.length).toBeLessThanOrEqual(width);
      }),
    );
  });
});

describe('JSON', () => {
  it('is one array, with every digit and null for what does not apply', async () => {
    const text = await collect(jsonArray(stream(rows), columnList(columns)));
    expect(text).toBe(
      '[{"name":"a","count":5,"id":0,"share":1.25,"ok":true,"more":"x"},\n' +
        '{"name":"","count":18446744073709551615,"id":7,"share":null,"ok":false,"more":"y"}]\n',
    );
    expect(JSON.parse(text)).toHaveLength(2);
  });

  it('is an empty array without rows', async () => {
    expect(await collect(jsonArray(stream([]), columnList(columns)))).toBe('[]\n');
  });

  it('escapes what JSON must escape', () => {
    const name = 'a"\\\n\u0000\u2028';
    const text = jsonRow({ name }, columnList({ name: columns['name']! }));
    expect(JSON.parse(text)).toEqual({ name });
  });

  it('of every topic has the documented types', async () => {
    const all = {
      ...{ interfaces: sample.interfaces, vrfs: sample.vrfs, routes: [sample.route(1)] },
      ...{ labels: sample.labels, tunnels: sample.tunnels, sas: sample.sas },
      ...{
        drops: sample.drops,
        policers: sample.policers,
        ports: sample.ports,
        queues: sample.queues,
        lags: sample.lags,
        workers: sample.workers,
      },
      ...{ 'bgp summary': bgp.summary, 'bgp neighbors': bgp.neighbors },
      ...{ 'ike sas': ike.sas, 'ike children': ike.children, 'ike counters': ike.counters },
      ...{ 'bgp routes': [bgp.bgpRoute(1)], transitions: bgp.transitions },
    };
    for (const topic of TOPICS) {
      const text = await collect(jsonArray(stream(all[topic]), columnList(COLUMNS[topic])));
      for (const row of JSON.parse(text) as Record<string, unknown>[]) {
        expect(Object.keys(row)).toEqual(Object.keys(COLUMNS[topic]));
        for (const [key, column] of Object.entries<Column>(COLUMNS[topic])) {
          const type = { string: 'string', boolean: 'boolean' }[column.type as string] ?? 'number';
          if (row[key] !== null) expect(typeof row[key], `${topic}.${key}`).toBe(type);
        }
      }
    }
  });
});
