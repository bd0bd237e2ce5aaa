// SPDX-License-Identifier: Apache-2.0
/** docs/cli.md, the columns and the rows say the same. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  CHANGE_COLUMNS,
  COLUMNS,
  EXPLAIN_COLUMNS,
  STATUS_COLUMNS,
  TOPICS,
} from '../../../src/cli/columns.js';
import { CLEARED_COLUMNS } from '../../../src/cli/bgp-columns.js';
import type { Column } from '../../../src/cli/column.js';
import * as gen from '../../../src/rpc/gen/control.js';
import * as bgp from '../rpc/sample-bgp.js';
import * as sample from '../rpc/sample-backend.js';

interface Documented {
  readonly key: string;
  readonly type: string;
  readonly wide: boolean;
}

const text = readFileSync(new URL('../../../docs/cli.md', import.meta.url), 'utf8');

/** The table under a `### heading`. */
function documented(heading: string): Documented[] {
  const section = text.split(`\n### ${heading}\n`)[1]?.split(/\n##/)[0] ?? '';
  const rows = [...section.matchAll(/^\| `(\w+)` \| ([a-z]+\??) \|([^|]*)\|([^|]*)\|$/gm)];
  return rows.map(([, key = '', type = '', , meaning = '']) => ({
    key,
    type,
    wide: meaning.includes('(wide)'),
  }));
}

const optional = new Set([
  ...['secondsLeft', 'label of routes', 'lcore', 'tid', 'busyPercent', 'heartbeatAgeMs'],
  ...['held', 'released', 'passed', 'taken', 'passFull', 'ok of explain'],
  ...['uptimeSeconds of bgp summary', 'uptimeSeconds of bgp neighbors', 'asn of bgp neighbors'],
  ...['restartTime', 'maxMessage', 'holdTime', 'keepaliveTime', 'sendHoldTime'],
  ...['errorCode', 'errorSubcode', 'pathId', 'localPref', 'med'],
]);

function fromColumns(heading: string, columns: Readonly<Record<string, Column>>): Documented[] {
  return Object.entries(columns).map(([key, column]) => {
    const may = optional.has(key) || optional.has(`${key} of ${heading}`);
    return { key, type: `${column.type}${may ? '?' : ''}`, wide: column.wide === true };
  });
}

const tables = {
  ...COLUMNS,
  ...{ status: STATUS_COLUMNS, changes: CHANGE_COLUMNS, cleared: CLEARED_COLUMNS },
  explain: EXPLAIN_COLUMNS,
};

describe('docs/cli.md', () => {
  it.each(Object.entries(tables))(
    'documents %s: keys in order, types, wide',
    (heading, columns) => {
      expect(documented(heading)).toEqual(fromColumns(heading, columns));
    },
  );

  it('documents every topic and nothing else', () => {
    const headings = [...text.matchAll(/^### ([\w ]+)$/gm)].map(([, heading]) => heading);
    expect(headings).toEqual([...TOPICS, 'status', 'changes', 'cleared', 'explain']);
  });

  it('documents the exit codes', async () => {
    const { EXIT } = await import('../../../src/cli/errors.js');
    const codes = [...text.matchAll(/^\| (\d) \| /gm)].map(([, code]) => Number(code));
    expect(codes).toEqual(Object.values(EXIT));
  });
});

/** An empty message has every key that is not optional, with a value of its type. */
const messages = {
  interfaces: gen.InterfaceRow,
  vrfs: gen.VrfRow,
  routes: gen.RouteRow,
  labels: gen.LabelRow,
  tunnels: gen.TunnelRow,
  sas: gen.SaRow,
  drops: gen.DropRow,
  policers: gen.PolicerRow,
  ports: gen.PortRow,
  queues: gen.QueueRow,
  lags: gen.LagRow,
  workers: gen.WorkerRow,
  status: gen.StatusReply,
  changes: gen.ConfigChange,
  transitions: gen.TransitionRow,
  'bgp summary': gen.BgpSummaryRow,
  'bgp neighbors': gen.BgpNeighborRow,
  'bgp routes': gen.BgpRouteRow,
  cleared: gen.BgpClearRow,
  'ike sas': gen.IkeSaRow,
  'ike children': gen.IkeChildRow,
  'ike counters': gen.IkeCounterRow,
};

describe('columns', () => {
  it.each(Object.entries(messages))('of %s are the fields of its message', (topic, message) => {
    const row = message.fromPartial({});
    const columns = Object.entries(Reflect.get(tables, topic) as Record<string, Column>);
    expect(columns.map(([key]) => key).sort()).toEqual(Object.keys(row).sort());
    for (const [key, column] of columns) {
      const value: unknown = Reflect.get(row, key);
      if (value === undefined || Array.isArray(value)) continue;
      const type = { string: 'string', bigint: 'integer', number: 'integer', boolean: 'boolean' };
      expect(column.type, key).toBe(Reflect.get(type, typeof value));
    }
  });

  it('of type number are the ones with decimals', () => {
    const fractional = (rows: readonly object[]): string[] =>
      rows.flatMap((row) =>
        Object.entries(row)
          .filter(([, value]) => typeof value === 'number' && value % 1 !== 0)
          .map(([key]) => key),
      );
    const ofType = (columns: Readonly<Record<string, Column>>): string[] =>
      Object.keys(columns).filter((key) => columns[key]?.type === 'number');
    expect(fractional(sample.workers)).toEqual(ofType(COLUMNS.workers));
    expect(fractional(bgp.neighbors)).toEqual(ofType(COLUMNS['bgp neighbors']));
  });
});
