// SPDX-License-Identifier: Apache-2.0
/** `sealane explain`, against a control server in this process. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { explainText } from '../../../src/cli/commands/explain.js';
import { runCommand } from '../../../src/cli/program.js';
import { startControlServer, type RunningControlServer } from '../../../src/rpc/server.js';
import * as sample from '../rpc/sample-backend.js';

let folder: string;
let server: RunningControlServer;
let backend: sample.SampleBackend;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'explain-'));
  backend = sample.sampleBackend();
  server = await startControlServer({ socketPath: join(folder, 'control.sock'), backend });
});
afterEach(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

async function explain(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const code = await runCommand(
    ['--socket', join(folder, 'control.sock'), 'explain', ...args],
    '1',
    {
      out: async (text) => {
        out += text;
        return Promise.resolve();
      },
      err: (text) => {
        err += text;
      },
      width: 120,
    },
  );
  return { code, out, err };
}

describe('sealane explain', () => {
  it('asks about a destination, and aligns what it is told', async () => {
    const { code, out } = await explain('vrf', 'a', '10.2.0.1');
    expect(code).toBe(0);
    expect(backend.explained).toEqual([{ vrf: 'a', address: Uint8Array.of(10, 2, 0, 1) }]);
    expect(out.split('\n')).toEqual([
      '    route   10.2.0.0/24',
      'way 1',
      'yes SA      out 0x00000100',
      'yes verdict goes out by core0',
      'way 2',
      'NO  verdict dropped',
      '            because: no SA',
      '            counted as: sa_missing',
      '',
    ]);
  });

  it('prints the same as one array of flat objects', async () => {
    const { out } = await explain('vrf', 'a', '2001:db8::1', '--json');
    const rows: unknown = JSON.parse(out);
    expect(rows).toEqual(sample.explained.map((row) => ({ ...row, ok: row.ok ?? null })));
  });

  it.each([
    [[], undefined],
    [['--from-sp', 'b'], { protection: 'encrypt', encapsulation: 'gre', sp: 'b' }],
    [['--protection', 'tunnel'], { protection: 'tunnel', encapsulation: 'gre', sp: '' }],
    [['--protection', 'mpls'], { protection: 'mpls', encapsulation: 'none', sp: '' }],
    [
      ['--protection', 'authenticate', '--encapsulation', 'ip'],
      { protection: 'authenticate', encapsulation: 'ip', sp: '' },
    ],
  ])('asks about a label: %j', async (options, arrival) => {
    expect((await explain('label', '1001', ...options)).code).toBe(0);
    expect(backend.explained).toEqual([{ label: 1001, arrival }]);
  });

  it.each([
    [['vrf', 'nowhere', '10.2.0.1'], 5],
    [['vrf', 'a', '10.2.0'], 2],
    [['label', '1048576'], 2],
    [['label', 'x'], 2],
    [['label', '16', '--protection', 'mpls', '--from-sp', 'b'], 2],
    [['label', '16', '--protection', 'mpls', '--encapsulation', 'ip'], 2],
    [['label', '16', '--protection', 'none'], 2],
  ])('refuses %j', async (args, code) => {
    const refused = await explain(...args);
    expect([refused.code, refused.out]).toEqual([code, '']);
    expect(refused.err).not.toBe('');
    expect(backend.explained).toEqual([]);
  });

  it('lets no name drive the terminal', () => {
    const row = { way: 0, step: 'route', what: 'a\u001b[2Jb', ok: true, why: '\u0007', drop: '' };
    expect(explainText([row]).join('\n')).toBe('yes route a?[2Jb\n          because: ?');
  });
});
